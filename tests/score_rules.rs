//! What each rule makes of a text: forms one by one, properties of `parsed`, and the right answers of the real questions in every dress that models put
//! them in.

use aqa_bench::data::{Example, mmau};
use aqa_bench::recipe::Rule;
use aqa_bench::score::{Verdict, judge};
use proptest::prelude::*;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use Verdict::{Correct, NoAnswer, Wrong};

#[track_caller]
fn all(rule: Rule, answer: &str, choices: &[&str], cases: &[(&str, Verdict)]) {
    for (said, expected) in cases {
        assert_eq!(judge(rule, answer, said, choices), *expected, "{} of {said:?}, right is {answer:?}", rule.name());
    }
}

#[test]
fn parsed_reads_forms_in_order_and_guesses_nothing() {
    let choices = ["A cat", "A dog", "A dog barking", "Rain", "A cat"];
    all(
        Rule::Parsed,
        "A dog",
        &choices,
        &[
            // An option's text alone.
            ("A dog", Correct),
            (" a  DOG. ", Correct),
            ("\"A dog\"", Correct),
            ("**A dog**", Correct),
            ("['A dog']", Correct),
            ("A dog barking", Wrong),
            // Letter and text, which must agree.
            ("(B) A dog", Correct),
            ("B. a dog", Correct),
            ("B: A dog", Correct),
            ("**B)** A dog.", Correct),
            ("(A) A dog", Wrong),
            ("(B) A cat", Wrong),
            // A letter alone.
            ("B", Correct),
            ("b", Correct),
            ("(B)", Correct),
            ("B.", Correct),
            ("B)", Correct),
            ("[B].", Correct),
            ("C", Wrong),
            ("F", NoAnswer),
            ("Z.", NoAnswer),
            // What is called the answer; the last one that names an option.
            ("I hear barking, so the answer is a dog.", Correct),
            ("The answer is B.", Correct),
            ("The correct answer is: **B**", Correct),
            ("Answer: B\nIt barks, and the cat is silent.", Correct),
            ("{'answer': 'A dog'}", Correct),
            ("Answer:\nB", Correct),
            ("The answer is:B", Correct),
            ("The answer is not a cat. It is a dog.", Wrong),
            ("The answer isn't known", NoAnswer),
            ("The answer is A cat. No: the answer is A dog.", Correct),
            ("The answer is A dog. But then: the answer is unclear.", Correct),
            ("The answer is B. A cat would not bark.", Correct),
            ("The answer is a dog or a cat.", Wrong),
            ("My answer is a dog barking", Wrong),
            // Running text that names one option.
            ("There is a dog in the yard.", Correct),
            ("It is a dog barking.", Wrong),
            ("I would say (B).", Correct),
            ("B. It barks", Correct),
            ("B. Listen: a cat", Wrong),
            ("a dog, not a cat", Wrong),
            ("a cat, then another: a cat", Wrong),
            ("a dogged pursuit of the hot-a dog", NoAnswer),
            // Thoughts and tags.
            ("<think>a cat? rain?</think> A dog", Correct),
            ("<think>rain</think><answer>B</answer>, not rain", Correct),
            ("<answer> (B)\n a dog </answer>", Correct),
            ("<answer>no idea</answer> a dog", NoAnswer),
            // Nothing.
            ("", NoAnswer),
            (" \n", NoAnswer),
            ("...", NoAnswer),
            ("an elephant", NoAnswer),
            ("I cannot answer that.", NoAnswer),
        ],
    );
    // A model that repeats itself is read as fast as any other.
    let loops = |text: &str| text.repeat(300_000);
    for (text, verdict) in
        [("a dog ", Correct), ("a dog barking ", Wrong), ("(B)", Correct), ("The answer is ", NoAnswer)]
    {
        all(Rule::Parsed, "A dog", &choices, &[(&loops(text), verdict)]);
    }
    // The same text twice is one option, by either letter.
    all(Rule::Parsed, "A cat", &choices, &[("A", Correct), ("E", Correct), ("(E) A cat", Correct), ("a cat", Correct)]);
    // Where options are letters themselves their text comes first; sharps and parts of chords are not notes.
    let notes = ["C", "D", "G", "A"];
    all(
        Rule::Parsed,
        "A",
        &notes,
        &[("A", Correct), ("(D) A", Correct), ("The answer is A.", Correct), ("(A)", Correct)],
    );
    all(
        Rule::Parsed,
        "C",
        &["C#", "C", "Cm"],
        &[("the chord is C#", Wrong), ("C", Correct), ("A", Wrong), ("B", Correct)],
    );
    all(Rule::Parsed, "5", &["5", "5.5", "-5"], &[("about 5.5 seconds", Wrong), ("-5", Wrong), ("It is 5.", Correct)]);
    all(
        Rule::Parsed,
        "was,panel",
        &["was,panel", "course, of"],
        &[("was, panel", Correct), ("It is 'course,of'.", Wrong)],
    );
    // An answer that is none of the options (147 rows of a broken upload) can still be given.
    all(Rule::Parsed, "owl", &["dog", "cat"], &[("an owl", Correct), ("a dog", Wrong), ("C", NoAnswer)]);
}

#[test]
fn exact_and_answer_tag_want_one_form() {
    let choices = ["a cat", " A dog", "rain"];
    all(
        Rule::Exact,
        " A dog",
        &choices,
        &[
            ("A dog", Correct),
            ("\tA dog\n", Correct),
            ("a dog", Wrong),
            ("A dog.", Wrong),
            ("B", Wrong),
            (" ", NoAnswer),
        ],
    );
    all(
        Rule::AnswerTag,
        " A dog",
        &choices,
        &[
            ("<answer>a dog</answer>", Correct),
            ("So: <answer>\nA dog.\n</answer>, not <answer>rain</answer>", Correct),
            ("<answer>B</answer>", Correct),
            ("<answer>(B) A dog</answer>", Correct),
            ("<answer>(A) A dog</answer>", Wrong),
            ("<answer>it is a dog</answer>", Wrong),
            ("<answer>an owl</answer>", Wrong),
            ("<answer> </answer>", NoAnswer),
            ("A dog", NoAnswer),
            ("<answer>A dog", NoAnswer),
            ("", NoAnswer),
        ],
    );
}

/// How a model writes an answer of this text and letter.
type Dress = fn(&str, char) -> String;

/// Ways in which models write an answer.
const DRESSES: [(&str, Dress); 6] = [
    ("the text", |text, _| text.to_owned()),
    ("\"the text\"", |text, _| format!("\"{text}\"")),
    ("(A) the text", |text, letter| format!("({letter}) {text}")),
    ("The answer is the text.", |text, _| format!("The answer is {text}.")),
    ("the letter", |_, letter| letter.to_string()),
    ("&lt;answer>the text&lt;/answer>", |text, _| format!("<answer>{text}</answer>")),
];

fn letter(place: usize) -> char {
    char::from(b'A' + u8::try_from(place).unwrap())
}

/// How many right answers pass in a dress.
fn passing(examples: &[Example], rule: Rule, dress: Dress) -> usize {
    let passes = |e: &&Example| {
        let answer = e.answer.as_ref().unwrap();
        let place = e.choices.iter().position(|c| c == answer).unwrap();
        judge(rule, answer, &dress(answer, letter(place)), &e.choices) == Correct
    };
    examples.iter().filter(passes).count()
}

fn mmau_folder(test: &str) -> Option<PathBuf> {
    let shared = std::env::var("AQA_SHARED").unwrap_or_else(|_| "../shared".into());
    let folder = Path::new(&shared).join("data/mmau");
    if !folder.is_dir() {
        eprintln!("skipped {test}: AQA_SHARED is absent");
        return None;
    }
    Some(folder)
}

/// The table of docs/methodology.md is this one.
#[test]
fn right_answers_pass_in_every_dress_that_a_rule_reads() {
    let Some(folder) = mmau_folder("right_answers_pass_in_every_dress_that_a_rule_reads") else { return };
    let load = |date: &str| {
        let examples = mmau::load(&folder.join(format!("mmau-test-mini.{date}.json")), Path::new("")).unwrap();
        assert_eq!(examples.len(), 1000);
        examples
    };
    let versions = [load("2025-01-28"), load("2025-03-25"), load("2025-08-09")];
    let mut table = String::new();
    for (name, dress) in DRESSES {
        let row: Vec<[usize; 3]> = Rule::ALL.map(|rule| versions.each_ref().map(|v| passing(v, rule, dress))).into();
        write!(table, "| `{}` |", name.replace("&lt;", "<")).unwrap();
        for [january, march, august] in &row {
            assert_eq!(january, march, "{name}: the two files of the paper's time differ in one answer");
            write!(table, " {january} / {august} |").unwrap();
        }
        table.push('\n');
    }
    // MMAU's rule as computed from its Python; `parsed` loses nothing but letters that are options themselves.
    let cells =
        |line: usize, rule: usize| table.lines().nth(line).unwrap().split('|').nth(2 + rule).unwrap().trim().to_owned();
    let official: Vec<String> = (0..5).map(|line| cells(line, 0)).collect();
    assert_eq!(official, ["1000 / 1000", "1000 / 1000", "965 / 967", "928 / 907", "0 / 2"]);
    for line in [0, 1, 2, 3, 5] {
        assert_eq!(cells(line, 1), "1000 / 1000", "{table}");
    }
    let methodology =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/methodology.md")).unwrap();
    assert!(methodology.contains(&table), "docs/methodology.md should have\n{table}");
}

/// Words that are no part of each other, none a letter.
fn options() -> impl Strategy<Value = Vec<String>> {
    let words = proptest::sample::subsequence(vec!["dog", "cat", "rain", "bell", "horn", "drum", "wind"], 2..6);
    (words, any::<proptest::sample::Index>()).prop_map(|(words, again)| {
        // One of them may stand twice.
        let mut out: Vec<String> = words.iter().map(|w| format!("the {w}")).collect();
        let twice = out[again.index(out.len())].clone();
        if again.index(2) == 0 {
            out.push(twice);
        }
        out
    })
}

proptest! {
    /// Whatever option is named, in whatever dress, it is right exactly when its text is the answer's.
    #[test]
    fn parsed_takes_the_option_that_is_named(options in options(), gold in 0usize..5, named in 0usize..6, dress in 0usize..6, chat in "(I think so\\. |Well: )?") {
        let (gold, named) = (gold % options.len(), named % options.len());
        let said = DRESSES[dress].1(&options[named], letter(named));
        let said = if dress == 4 { said } else { format!("{chat}{said}") };
        let expected = if options[named] == options[gold] { Correct } else { Wrong };
        prop_assert_eq!(judge(Rule::Parsed, &options[gold], &said, &options), expected, "{}", said);
    }

    /// A text that names two options is wrong whichever is right, one that names none is no answer: nothing is drawn.
    #[test]
    fn parsed_never_guesses(options in options(), gold in 0usize..5, one in 0usize..6, other in 0usize..6, noise in "[qx]{2,5}( [qx]{2,5}){0,4}") {
        let [gold, one, other] = [gold, one, other].map(|i| i % options.len());
        prop_assert_eq!(judge(Rule::Parsed, &options[gold], &noise, &options), NoAnswer);
        let both = format!("{noise} {} {noise} {}", options[one], options[other]);
        let expected = if options[one] == options[other] && options[one] == options[gold] { Correct } else { Wrong };
        prop_assert_eq!(judge(Rule::Parsed, &options[gold], &both, &options), expected, "{}", both);
    }

    /// Stricter rules accept nothing that looser ones do not.
    #[test]
    fn exact_is_within_parsed_and_tags_are_too(options in options(), gold in 0usize..5, said in "(<answer>)?(\\(B\\) |A\\. )?(the dog|the cat|The rain\\.|B|q)(</answer>)?") {
        let gold = &options[gold % options.len()];
        let verdict = |rule| judge(rule, gold, &said, &options);
        for strict in [Rule::Exact, Rule::AnswerTag] {
            prop_assert!(verdict(strict) != Correct || verdict(Rule::Parsed) == Correct, "{}", said);
        }
    }

    /// No text makes a rule panic, and white space is no answer to any.
    #[test]
    fn any_text_has_a_verdict(said in "\\PC{0,40}", options in proptest::collection::vec("\\PC{0,12}", 1..5), blank in "[ \\t\\n\u{a0}]{0,4}") {
        for rule in Rule::ALL {
            judge(rule, &options[0], &said, &options);
            prop_assert_eq!(judge(rule, &options[0], &blank, &options), NoAnswer);
        }
    }
}
