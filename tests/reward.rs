//! Rewards are those of R1-AQA's trainer, the symbolic step apart.

use aqa_bench::reward::{accuracy, answer, format, needs_symbolic};
use serde_json::Value;
use std::path::Path;

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

#[test]
fn accuracy_compares_letter_by_letter() {
    let solution = "<answer>Man</answer>";
    for right in ["<answer>Man</answer>", "<answer> Man </answer>", "Man", "so <answer>Man</answer>!"] {
        assert_eq!(accuracy(right, solution), 1.0, "{right:?}");
    }
    for wrong in ["<answer>man</answer>", "<answer>Man.</answer>", "<answer>M\nan</answer>", "", "A Man"] {
        assert_eq!(accuracy(wrong, solution), 0.0, "{wrong:?}");
    }
}

#[test]
fn format_is_a_full_match() {
    for right in ["<answer></answer>", "<answer>a\nb</answer>", "<answer>a</answer>x<answer>b</answer>"] {
        assert_eq!(format(right), 1.0, "{right:?}");
    }
    for wrong in [
        "<answer>a</answer>\n",
        " <answer>a</answer>",
        "<answer>a",
        "<answer></answer",
        "<answer>/answer>",
        "",
        "<answer</answer>",
    ] {
        assert_eq!(format(wrong), 0.0, "{wrong:?}");
    }
}

#[test]
fn every_solution_that_math_verify_can_use_is_flagged() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/reward/math_verify_golds.json");
    let theirs: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(theirs["math-verify"], "0.7.0");
    let golds = theirs["golds"].as_array().unwrap();
    let mut found = 0;
    for gold in golds {
        let (text, parsed) = (gold[0].as_str().unwrap(), gold[1].as_bool().unwrap());
        assert!(!parsed || needs_symbolic(text), "{text:?} is parsed and not flagged");
        let in_vain = needs_symbolic(text) && !parsed;
        assert!(!in_vain || text.contains(['(', '$', '٣']), "{text:?} is flagged for no known reason");
        found += usize::from(parsed);
    }
    assert!(found > 200 && golds.len() - found > 200, "both kinds are in the table");
}

/// Against the table of real verdicts, where it is at hand.
#[test]
fn string_rewards_equal_the_reference_wherever_it_did_not_verify() {
    let shared = std::env::var("AQA_SHARED").unwrap_or_else(|_| "../shared".into());
    let Ok(text) = std::fs::read_to_string(Path::new(&shared).join("data/math_verify_cases.jsonl")) else {
        eprintln!("skipped string_rewards_equal_the_reference_wherever_it_did_not_verify: AQA_SHARED is absent");
        return;
    };
    let (mut by_string, mut by_both, mut only_symbolic, mut neither) = (0, 0, 0, 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (content, solution) = (case["content"].as_str().unwrap(), case["solution"].as_str().unwrap());
        let ours = accuracy(content, solution);
        assert_eq!(ours == 1.0, case["string_match"].as_bool().unwrap(), "{line}");
        let verified = case["verify"].as_bool().unwrap();
        if verified {
            assert!(needs_symbolic(solution), "{line}");
        } else {
            assert_eq!(ours, case["reward"].as_f64().unwrap(), "{line}");
        }
        match (verified, ours == 1.0) {
            (false, true) => by_string += 1,
            (true, true) => by_both += 1,
            (true, false) => only_symbolic += 1,
            (false, false) => neither += 1,
        }
    }
    assert_eq!((by_string, by_both, only_symbolic, neither), (17, 6, 59, 134));
}
