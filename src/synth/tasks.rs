//! The tasks: what is asked, by which words, about which sounds.

use super::sounds::{Range, Sound, Vowel};
use crate::error::{Error, Result};
use crate::text::nearest;

/// A task: one question put to many clips.
#[derive(Debug)]
pub struct TaskInfo {
    /// The name that recipes use.
    pub name: &'static str,
    /// MMAU's `task`: sound, music or speech.
    pub task: &'static str,
    /// MMAU's `category`: Information Extraction or Reasoning.
    pub category: &'static str,
    /// MMAU's `sub-category`; one a task, so that a report shows each task by itself.
    pub sub_category: &'static str,
    /// What the task shows, in a line.
    pub about: &'static str,
    /// The question, in the ways it is put.
    pub phrasings: &'static [&'static str],
    /// What can be right; four of these are the options of a question.
    pub classes: &'static [Class],
}

/// A class of sounds and the words for it.
#[derive(Debug)]
pub struct Class {
    /// One word each. An option uses one of them, drawn anew for each question; no word belongs to two classes of a task.
    pub names: &'static [&'static str],
    /// The sound.
    pub sound: Sound,
}

impl TaskInfo {
    /// The most that a policy can score, in the long run, that hears everything and never reads the options.
    pub fn ceiling_without_options(&self) -> f64 {
        self.classes.iter().map(|c| 1.0 / c.names.len() as f64).sum::<f64>() / self.classes.len() as f64
    }
}

const fn class(names: &'static [&'static str], sound: Sound) -> Class {
    Class { names, sound }
}

const TASKS: &[TaskInfo] = &[
    TaskInfo {
        name: "snd",
        task: "sound",
        category: "Information Extraction",
        sub_category: "Sound Event",
        about: "which of eight everyday sounds is heard",
        phrasings: &["What sound is this?", "Which sound do you hear?", "What is heard in the audio?"],
        classes: &[
            class(&["noise"], Sound::Noise),
            class(&["siren"], Sound::Siren),
            class(&["clicks"], Sound::Clicks),
            class(&["hum"], Sound::Hum),
            class(&["beeps"], Sound::Beeps),
            class(&["rumble"], Sound::Rumble),
            class(&["hiss"], Sound::Hiss),
            class(&["chirps"], Sound::Chirps),
        ],
    },
    TaskInfo {
        name: "ins",
        task: "music",
        category: "Information Extraction",
        sub_category: "Instrument",
        about: "which instrument plays: sine, square wave, saw-tooth or inharmonic partials",
        phrasings: &["Which instrument plays?", "What instrument is this?", "Which instrument do you hear?"],
        classes: &[
            class(&["flute"], Sound::Flute),
            class(&["clarinet"], Sound::Clarinet),
            class(&["violin"], Sound::Violin),
            class(&["bell"], Sound::Bell),
        ],
    },
    TaskInfo {
        name: "vow",
        task: "speech",
        category: "Information Extraction",
        sub_category: "Vowel",
        about: "which of five vowels is spoken, at any pitch: told by the formants",
        phrasings: &["Which vowel is spoken?", "What vowel do you hear?", "Which vowel does the voice say?"],
        classes: &[
            class(&["ah"], Sound::Vowel(Vowel::Ah)),
            class(&["ee"], Sound::Vowel(Vowel::Ee)),
            class(&["oo"], Sound::Vowel(Vowel::Oo)),
            class(&["eh"], Sound::Vowel(Vowel::Eh)),
            class(&["oh"], Sound::Vowel(Vowel::Oh)),
        ],
    },
    TaskInfo {
        name: "spk",
        task: "speech",
        category: "Information Extraction",
        sub_category: "Voice Range",
        about: "which range the voice is in, on any vowel: told by the pitch",
        phrasings: &["Who is speaking?", "Which voice do you hear?", "What range is the voice in?"],
        classes: &[
            class(&["bass"], Sound::Voice(Range::Bass)),
            class(&["tenor"], Sound::Voice(Range::Tenor)),
            class(&["alto"], Sound::Voice(Range::Alto)),
            class(&["soprano"], Sound::Voice(Range::Soprano)),
        ],
    },
    TaskInfo {
        name: "syn",
        task: "sound",
        category: "Reasoning",
        sub_category: "Option Lookup",
        about: "the sounds of `snd` under three names each, one of which is an option: who never reads the options is right \
                a third of the time at most",
        phrasings: &["Which option names the sound?", "Which of the options fits the sound?"],
        classes: &[
            class(&["noise", "static", "fuzz"], Sound::Noise),
            class(&["siren", "alarm", "wail"], Sound::Siren),
            class(&["clicks", "ticks", "taps"], Sound::Clicks),
            class(&["hum", "drone", "buzz"], Sound::Hum),
            class(&["beeps", "pips", "tones"], Sound::Beeps),
            class(&["rumble", "thunder", "growl"], Sound::Rumble),
            class(&["hiss", "steam", "sizzle"], Sound::Hiss),
            class(&["chirps", "tweets", "birds"], Sound::Chirps),
        ],
    },
];

/// Every task there is.
pub const fn tasks() -> &'static [TaskInfo] {
    TASKS
}

/// The task of a name; an unknown one is a request error that names the nearest and all others.
pub fn find(name: &str) -> Result<&'static TaskInfo> {
    TASKS.iter().find(|t| t.name == name).ok_or_else(|| {
        let names: Vec<&str> = TASKS.iter().map(|t| t.name).collect();
        let hint = nearest(name, names.iter().copied()).map_or(String::new(), |n| format!(", did you mean {n:?}?"));
        Error::request(format!("unknown synthetic task {name:?}{hint} (there are: {})", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_are_single_unlike_within_a_task_and_enough_for_four_options() {
        for task in tasks() {
            assert!(task.classes.len() >= 4, "{}", task.name);
            assert!((2..=3).contains(&task.phrasings.len()), "{}", task.name);
            let mut seen = HashSet::new();
            for name in task.classes.iter().flat_map(|c| c.names) {
                assert!(
                    name.bytes().all(|b| b.is_ascii_lowercase()),
                    "{name}: one word, no token set within another's"
                );
                assert!(seen.insert(name), "{name} stands for two classes of {}", task.name);
            }
        }
        let columns = |f: fn(&TaskInfo) -> &str| tasks().iter().map(f).collect::<HashSet<_>>().len();
        assert_eq!(columns(|t| t.name), tasks().len());
        assert_eq!(columns(|t| t.sub_category), tasks().len());
    }

    #[test]
    fn an_unknown_task_is_a_request_error_that_helps() {
        assert_eq!(find("snd").unwrap().name, "snd");
        let error = find("snf").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(
            error.to_string(),
            "unknown synthetic task \"snf\", did you mean \"snd\"? (there are: snd, ins, vow, spk, syn)"
        );
        assert!(!find("melody").unwrap_err().to_string().contains("did you mean"));
    }
}
