//! Rewards are those of R1-AQA's trainer. `tests/parity/reward` holds what math-verify and Python's `re` say.

mod measured;

use aqa_bench::recipe::{Dataset, Extract, RewardName};
use aqa_bench::reward::math_verify::{Verdict, unjudged, verify};
use aqa_bench::reward::{accuracy, answer, of, same_answer, unjudged_line};
use aqa_bench::score::extract;
use serde_json::Value;
use std::collections::BTreeMap;

fn fixture(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/reward").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap()
}

#[test]
fn the_pinned_versions_made_the_fixtures() {
    for name in ["cases.json", "pairs.json"] {
        let versions = &fixture(name)["versions"];
        let requirements = include_str!("parity/requirements.txt");
        for (package, version) in versions.as_object().unwrap() {
            let pin = format!("{package}=={}", text(version));
            assert!(requirements.lines().any(|line| line == pin), "{name}: requirements.txt does not pin {pin}");
        }
        assert_eq!(versions["math-verify"], "0.7.0");
    }
}

/// Cases of cases.json where the verdict is not the reference's, with the reason.
const DEVIATIONS: [(&str, &str); 0] = [];

#[test]
fn the_chosen_cases_are_judged_as_by_the_reference() {
    let cases = fixture("cases.json");
    let cases = cases["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    let mut kinds = BTreeMap::new();
    for case in cases {
        let (content, solution) = (text(&case[0]), text(&case[1]));
        let (verified, same) = (case[2].as_bool().unwrap(), case[3].as_bool().unwrap());
        *kinds.entry((verified, same)).or_insert(0) += 1;
        assert_eq!(same_answer(content, solution), same, "{case}");
        let verdict = verify(content, solution);
        let expected = if verified { Verdict::Verified } else { Verdict::Different };
        let reward = accuracy(content, solution);
        let agrees = verdict == expected && reward.value == f64::from(verified || same) && reward.unjudged.is_none();
        if !agrees && !DEVIATIONS.iter().any(|(known, _)| *known == content) {
            wrong.push(format!("{case}: {verdict:?}, {reward:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds: Vec<i32> = kinds.into_values().collect();
    assert_eq!(kinds, [134, 17, 59, 6], "neither, the string only, math-verify only, both");
    measured::within("reward/math-verify-cases", "chosen by hand", cases.len(), wrong.len() as f64);
}

#[test]
fn generated_pairs_are_judged_as_by_the_reference_or_not_at_all() {
    let pairs = fixture("pairs.json");
    let pairs = pairs["pairs"].as_array().unwrap();
    let (mut wrong, mut unsupported, mut verified) = (Vec::new(), BTreeMap::new(), 0);
    for pair in pairs {
        let expected = pair[2].as_bool().unwrap();
        verified += usize::from(expected);
        match verify(text(&pair[0]), text(&pair[1])) {
            Verdict::Unsupported(why) => *unsupported.entry(why).or_insert(0) += 1,
            verdict => {
                if (verdict == Verdict::Verified) != expected {
                    wrong.push(format!("{pair}: {verdict:?}"));
                }
            }
        }
    }
    let unjudged: usize = unsupported.values().sum();
    eprintln!("{} pairs, {verified} verified; not judged: {unjudged} {unsupported:#?}", pairs.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(verified > 500 && pairs.len() - verified > 500, "both verdicts are common");
    // The forty pairs made to be beyond it, and few of the others.
    assert!((10..=80).contains(&unjudged), "{unjudged}: {unsupported:#?}");
    measured::within("reward/math-verify-pairs", "generated", pairs.len() - unjudged, wrong.len() as f64);
}

/// Texts made to be slow for a backtracking matcher, as long as completions can be and longer, are judged within its limit of steps. (The
/// reference gives up after 5 s.)
#[test]
fn no_completion_takes_too_many_steps_to_judge() {
    let texts = [
        format!("<answer>{}x</answer>", "1 +1 ".repeat(300)),
        format!("{}1+1 x", "answer ".repeat(200)),
        format!("<answer>{}</answer>", "$ ".repeat(600)),
        "$\\boxed{".repeat(150),
        format!("{}a", "\\boxed{".repeat(200)),
        format!("answer: {}x", "= ".repeat(500)),
        format!("<answer>about {}x</answer>", "1+".repeat(700)),
        format!("{} $x$ {}", "and ".repeat(300), "and $y$ ".repeat(100)),
        format!("$({}x{})$", "(".repeat(500), ")".repeat(500)),
        format!("$x{}$", "^2".repeat(500)),
        format!("$x{}$", "^2".repeat(50)),
        format!("$(x+y+z)^{{64}}{}$", "^{64}".repeat(50)),
        format!("${}1$", "-".repeat(50_000)),
        format!("${}", "(".repeat(50_000)),
        format!("no {}1 x", "(-".repeat(50_000)),
        format!("no {}1 x", "1+1*".repeat(5_000)),
        format!("${}1$", "x/".repeat(5_000)),
        format!("${}1$", "2,x,".repeat(5_000)),
    ];
    for text in texts {
        assert_ne!(judged(&text), TOO_SLOW, "{}…", &text[..20]);
    }
}

const TOO_SLOW: Verdict = Verdict::Unsupported("a text that takes too many steps to search");

fn judged(text: &str) -> Verdict {
    verify(text, "<answer>about 3</answer>")
}

/// What cannot be searched within the limit is given up and counted, on either side.
#[test]
fn a_text_that_takes_too_many_steps_is_not_judged() {
    for text in
        [format!("answer: {}x", r"\(".repeat(20_000)), format!("the final answer is {}x", "1+1*".repeat(20_000))]
    {
        assert_eq!(judged(&text), TOO_SLOW);
        assert_eq!(verify("<answer>about 3</answer>", &text), TOO_SLOW);
        assert_eq!(Verdict::Unsupported(unjudged(&text).unwrap()), TOO_SLOW);
    }
}

/// Counts of a step are kept by the place of a name in the list of all.
#[test]
fn every_reward_has_its_place() {
    let written = RewardName::ALL.map(|name| serde_json::to_value(name).unwrap());
    assert_eq!(written, ["accuracy", "accuracy-string", "format", "format-think"]);
    assert_eq!(RewardName::ALL.map(|name| name as usize), [0, 1, 2, 3]);
}

#[test]
fn formats_and_answers_are_those_of_python() {
    let tags = fixture("tags.json");
    let rows = tags["rows"].as_array().unwrap();
    let (mut formats, mut extractions) = (Vec::new(), Vec::new());
    let mut right = [0, 0];
    for row in rows {
        let output = text(&row[0]);
        for (i, name) in [RewardName::Format, RewardName::FormatThink].into_iter().enumerate() {
            let ours = of(name, output, "").value;
            right[i] += usize::from(ours == 1.0);
            if ours != f64::from(row[1 + i].as_bool().unwrap()) {
                formats.push(format!("{name:?} {row}"));
            }
        }
        let ways = [Extract::AnswerTag, Extract::AnswerTagDotall, Extract::LastAnswerTag, Extract::AfterThink];
        for (i, how) in ways.into_iter().enumerate() {
            if extract(how, output) != text(&row[3 + i]) {
                extractions.push(format!("{how:?} {row}"));
            }
        }
    }
    assert!(right.iter().all(|n| (10..rows.len() - 10).contains(n)), "both values of both rewards: {right:?}");
    for (id, per_row, wrong) in [("reward/format", 2, formats), ("eval/extract", 4, extractions)] {
        assert!(wrong.is_empty(), "{id}:\n{}", wrong.join("\n"));
        measured::within(id, "texts of tags", per_row * rows.len(), wrong.len() as f64);
    }
}

#[test]
fn the_answer_is_the_first_block_within_a_line() {
    for (text, expected) in [
        ("<answer> Man\t</answer>", "Man"),
        ("Man \n", "Man"),
        ("x <answer>a</answer> <answer>b</answer>", "a"),
        ("<answer>a<answer>b</answer>", "a<answer>b"),
        ("<answer>a\n</answer><answer>b</answer>", "b"),
        ("<answer>\n<answer>b</answer>", "b"),
        ("<answer>a\r\u{2028}b</answer>", "a\r\u{2028}b"),
        ("<answer>a\n</answer>", "<answer>a\n</answer>"),
        ("<answer>a", "<answer>a"),
        ("a</answer>", "a</answer>"),
        ("<answer></answer>b", ""),
        ("\u{1f}a\u{a0}", "a"),
    ] {
        assert_eq!(answer(text), expected, "{text:?}");
    }
}

/// Each way to take an answer differs from each other one somewhere.
#[test]
fn ways_to_take_an_answer_differ_where_they_should() {
    let ways = [
        Extract::AnswerTag,
        Extract::AnswerTagDotall,
        Extract::LastAnswerTag,
        Extract::AfterThink,
        Extract::ResponseTag,
        Extract::Whole,
    ];
    let text = "<think><answer>a\nb</answer> <answer>c</answer></think> <answer>d</answer> <answer>e</answer><RESPONSE>\nf\n</RESPONSE>";
    assert_eq!(ways.map(|how| extract(how, text)), ["c", "a\nb", "e", "d", "f", text]);
    for how in ways {
        assert_eq!(extract(how, " Man\n"), "Man", "without tags the whole text counts");
    }
}

/// Audio-Reasoner thinks first; what it thinks names the other options, and does not count.
#[test]
fn the_response_is_what_stands_in_its_tags() {
    let thought = "<THINK>\n<PLANNING>a or b</PLANNING>\n<SUMMARY>b</SUMMARY>\n</THINK>\n";
    let take = |text: &str| extract(Extract::ResponseTag, &format!("{thought}{text}"));
    assert_eq!(take("<RESPONSE>\nThe answer is b.\nSure.\n</RESPONSE>"), "The answer is b.\nSure.");
    assert_eq!(take("<RESPONSE>b</RESPONSE> <RESPONSE>a</RESPONSE>"), "b", "the first");
    assert_eq!(take("<RESPONSE></RESPONSE>"), "", "an empty one is no answer");
    for open in ["<RESPONSE>b", "<response>b</response>", "b</RESPONSE>", "b"] {
        assert_eq!(take(open), format!("{thought}{open}"), "else the whole text");
    }
}

#[test]
fn string_accuracy_compares_letter_by_letter() {
    let reward = |completion: &str| of(RewardName::AccuracyString, completion, "<answer>Channel 101</answer>").value;
    for right in [
        "<answer>Channel 101</answer>",
        "<answer> Channel 101 </answer>",
        "Channel 101",
        "so <answer>Channel 101</answer>!",
    ] {
        assert_eq!(reward(right), 1.0, "{right:?}");
    }
    for wrong in ["<answer>channel 101</answer>", "<answer>Channel 101.</answer>", "<answer>Room 101</answer>", ""] {
        assert_eq!(reward(wrong), 0.0, "{wrong:?}");
    }
    assert_eq!(accuracy("<answer>Room 101</answer>", "<answer>Channel 101</answer>").value, 1.0, "by its number");
}

/// What cannot be judged says so, earns what the strings earn, and is seen from the solution alone.
#[test]
fn what_is_beyond_is_said() {
    for beyond in [r"$\sqrt{2}$", "$x<3$", "$(1,2)$", r"$\sin x$", "$f(x)$"] {
        let solution = format!("<answer>{beyond}</answer>");
        assert!(unjudged(&solution).is_some(), "{solution}");
        let other = accuracy("<answer>about 3</answer>", &solution);
        assert_eq!((other.value, other.unjudged), (0.0, unjudged(&solution)), "{solution}");
        let same = accuracy(&solution, &solution);
        assert_eq!((same.value, same.unjudged), (1.0, None), "{solution}");
        assert_eq!(verify(&solution, &solution), Verdict::Verified, "equal fallback texts are equal");
        assert_eq!(verify("no number", &solution), Verdict::Different, "nothing is found to compare");
    }
    assert_eq!(unjudged("<answer>at 12:30 on $5$</answer>"), None);
    assert_eq!(unjudged_line(["Man", "at 12:30", "$5$"].into_iter()), None);
    let line = unjudged_line(["Man", "$x<3$", r"$\sqrt{2}$", r"$\sin x$"].into_iter()).unwrap();
    assert!(line.starts_with("3 of 4 answers ") && line.contains(": 1") && line.contains(": 2"), "{line}");
}

/// Words without digits are never judged symbolically: recipes over them get what string comparison gives.
#[test]
fn plain_words_are_compared_as_strings() {
    let words =
        ["Man", "a dog", "higher, then lower", "It's (not) so - really: yes!", "ja/nein", "e", "two", "3", "50%"];
    for a in words {
        for b in words {
            let (content, solution) = (format!("<answer>{a}</answer>"), format!("<answer>{b}</answer>"));
            assert_eq!(verify(&content, &solution), Verdict::Different);
            assert_eq!(accuracy(&content, &solution).value, f64::from(a == b), "{a} for {b}");
        }
    }
}

/// The numbers of the quickstart do not depend on math-verify: none of its answers holds anything that it finds.
#[test]
fn no_answer_of_the_quickstart_is_judged_symbolically() {
    let recipe = aqa_bench::recipe::load(std::path::Path::new("recipes/quickstart.yaml"), &[]).unwrap();
    let mut seen = 0;
    for set in recipe.data.values() {
        let Dataset::Synthetic(spec) = set else { continue };
        for question in aqa_bench::synth::questions(spec).unwrap() {
            let solution = format!("<answer>{}</answer>", question.answer);
            assert_eq!(verify(&solution, &solution), Verdict::Different, "{solution}");
            seen += 1;
        }
    }
    assert!(seen > 1000, "{seen} questions");
}
