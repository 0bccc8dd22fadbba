//! The synthetic world: the same bytes everywhere, MMAU's format, questions that can be answered by hearing and not by guessing.

use aqa_bench::pins::Sha256;
use aqa_bench::recipe::Synthetic;
use aqa_bench::synth::{self, Question, Sound, TaskInfo};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

fn spec(split: &str, tasks: &[&str], count: usize) -> Synthetic {
    Synthetic {
        seed: 7,
        split: split.into(),
        tasks: tasks.iter().map(|&t| t.into()).collect(),
        count,
        sha256: Sha256::of(b""),
    }
}

fn all_tasks() -> Vec<&'static str> {
    synth::tasks().iter().map(|t| t.name).collect()
}

fn generate(spec: &Synthetic, dir: &Path) -> (Sha256, Vec<Value>) {
    let hash = synth::generate(spec, dir, &mut |_, _| ()).unwrap();
    let json = std::fs::read(dir.join("questions.json")).unwrap();
    assert_eq!(hash, Sha256::of(&json));
    (hash, serde_json::from_slice(&json).unwrap())
}

/// Every sound once: SHA-256 of clip 0 of split `train`, seed 1, made on x86-64 Linux by this test. A change here changes every recipe that uses the synthetic world:
/// its pinned hashes, its trained policies and its goldens.
#[test]
fn the_bytes_of_the_world_are_pinned() {
    let pinned: BTreeMap<&str, &str> = include_str!("fixtures/synth/clips.sha256")
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(h, s)| (s, h))
        .collect();
    let mut seen = HashSet::new();
    for class in synth::tasks().iter().flat_map(|t| t.classes).filter(|c| seen.insert(c.sound)) {
        let name = format!("{:?}", class.sound);
        let found = Sha256::of(&synth::clip(1, "train", 0, class.sound));
        assert_eq!(Some(&found.as_str()), pinned.get(name.as_str()), "{name}: the clip's bytes changed (left: now)");
    }
    assert_eq!(seen.len(), pinned.len());
}

#[test]
fn a_data_set_is_pinned_by_one_hash_and_made_anew_byte_for_byte() {
    let spec = spec("held-out", &all_tasks(), 23);
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut seen = Vec::new();
    let hash = synth::generate(&spec, first.path(), &mut |done, total| seen.push((done, total))).unwrap();
    assert_eq!(seen, (1..=23).map(|done| (done, 23)).collect::<Vec<_>>());
    let (again, rows) = generate(&spec, second.path());
    assert_eq!(hash, again);
    assert_eq!(hash.as_str(), include_str!("fixtures/synth/questions.sha256").trim());
    // Clips made one by one, on this thread, are those that many threads made.
    let drawn = synth::questions(&spec).unwrap();
    assert_eq!(rows.len(), drawn.len());
    for (i, (row, question)) in rows.iter().zip(&drawn).enumerate() {
        let alone = synth::clip(7, "held-out", i, question.sound);
        assert_eq!(row["audio_sha256"], Sha256::of(&alone).as_str());
        let path = second.path().join(row["audio_id"].as_str().unwrap());
        assert_eq!(std::fs::read(path).unwrap(), alone);
    }
}

#[test]
fn rows_have_the_keys_of_mmau_in_its_order_and_files_are_pcm_at_16_khz() {
    let dir = tempfile::tempdir().unwrap();
    let (_, rows) = generate(&spec("train", &all_tasks(), 12), dir.path());
    for (i, row) in rows.iter().enumerate() {
        let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let mmau =
            ["id", "audio_id", "question", "choices", "answer", "dataset", "task", "split", "category", "sub-category"];
        assert_eq!(keys[..10], mmau);
        assert_eq!(keys[10..], ["difficulty", "audio_sha256"]);
        let id = format!("train-7-{i:05}");
        assert_eq!(row["id"], id.as_str());
        assert_eq!(row["audio_id"], format!("./audios/{id}.wav"));
        assert_eq!(row["dataset"], "aqa-bench-synthetic");
        assert!(["sound", "music", "speech"].contains(&row["task"].as_str().unwrap()));
        assert!(["easy", "medium", "hard"].contains(&row["difficulty"].as_str().unwrap()));
        let file = std::fs::read(dir.path().join("audios").join(id + ".wav")).unwrap();
        assert_eq!(&file[..4], b"RIFF");
        let seconds = (file.len() - 44) as f64 / 2.0 / 16_000.0;
        assert!((1.0..=1.6).contains(&seconds), "{seconds}");
        let peak = samples(&file).into_iter().fold(0.0f64, |peak, x| peak.max(x.abs()));
        assert!((0.12..=0.9).contains(&peak), "{peak}");
    }
}

#[test]
fn a_clip_depends_on_its_seed_split_and_index_and_not_on_its_neighbours() {
    let sound = Sound::Bell;
    let base = synth::clip(1, "train", 0, sound);
    for other in
        [synth::clip(2, "train", 0, sound), synth::clip(1, "held-out", 0, sound), synth::clip(1, "train", 1, sound)]
    {
        assert_ne!(base, other);
    }
    let (few, many) = (spec("train", &["snd"], 5), spec("train", &["snd"], 50));
    assert_eq!(synth::questions(&few).unwrap(), synth::questions(&many).unwrap()[..5]);
}

#[test]
fn questions_are_spread_evenly_and_options_are_distinct_with_the_answer_among_them() {
    let names = all_tasks();
    let questions = synth::questions(&spec("train", &names, 5003)).unwrap();
    let mut by_task: BTreeMap<&str, usize> = BTreeMap::new();
    for q in &questions {
        *by_task.entry(q.task().name).or_default() += 1;
        assert_eq!(q.choices.iter().collect::<HashSet<_>>().len(), 4);
        assert!(q.choices.contains(&q.answer));
        // Exactly one option names what is heard, in whatever words.
        let right = q.task().classes.iter().filter(|c| c.sound == q.sound).flat_map(|c| c.names);
        assert_eq!(right.filter(|name| q.choices.contains(name)).collect::<Vec<_>>(), [&q.answer]);
    }
    for (i, name) in names.iter().enumerate() {
        assert_eq!(by_task[name], 5003 / names.len() + usize::from(i < 5003 % names.len()), "{name}");
    }
    let ids: HashSet<&str> = questions.iter().map(|q| q.id.as_str()).collect();
    assert_eq!(ids.len(), questions.len());
}

/// What a policy scores that answers by `choose` (a position among the options).
fn accuracy(questions: &[Question], choose: impl Fn(&Question) -> &'static str) -> f64 {
    questions.iter().filter(|q| choose(q) == q.answer).count() as f64 / questions.len() as f64
}

#[test]
fn guessing_by_position_or_difficulty_gets_a_quarter() {
    let questions = synth::questions(&spec("train", &all_tasks(), 20_000)).unwrap();
    for position in 0..4 {
        let score = accuracy(&questions, |q| q.choices[position]);
        assert!((score - 0.25).abs() < 0.012, "option {position}: {score}"); // 4 standard errors
    }
    for level in ["easy", "medium", "hard"] {
        let share = questions.iter().filter(|q| q.difficulty == level).count() as f64 / 20_000.0;
        assert!((share - 1.0 / 3.0).abs() < 0.014, "{level}: {share}");
    }
}

/// The best that anyone can do who hears the class perfectly and never reads the options: the most frequent name of each
/// class, chosen in hindsight.
#[test]
fn option_lookup_cannot_be_answered_without_the_options() {
    for task in synth::tasks() {
        let questions = synth::questions(&spec("train", &[task.name], 20_000)).unwrap();
        let mut counts: HashMap<Sound, HashMap<&str, usize>> = HashMap::new();
        for q in &questions {
            *counts.entry(q.sound).or_default().entry(q.answer).or_default() += 1;
        }
        let best = |sound: Sound| -> &'static str {
            let class = task.classes.iter().find(|c| c.sound == sound).unwrap();
            class.names.iter().max_by_key(|name| counts[&sound].get(**name)).unwrap()
        };
        let score = accuracy(&questions, |q| best(q.sound));
        let ceiling = task.ceiling_without_options();
        assert!((score - ceiling).abs() < 0.02, "{}: {score}, expected {ceiling}", task.name);
        assert_eq!(task.sub_category == "Option Lookup", ceiling < 0.34, "{}: {ceiling}", task.name);
    }
}

#[test]
fn bad_requests_are_refused_by_name() {
    let refuse = |spec: Synthetic| synth::questions(&spec).unwrap_err();
    let mut bad_split = spec("train", &["snd"], 1);
    bad_split.split = "../x".into();
    for (spec, part) in [
        (spec("train", &["snd", "vov"], 1), "unknown synthetic task \"vov\", did you mean \"vow\"?"),
        (spec("train", &["snd", "ins", "snd"], 1), "\"snd\" is named twice"),
        (spec("train", &[], 1), "at least one task"),
        (spec("train", &["snd"], 0), "at least 1 question"),
        (bad_split, "found \"../x\""),
    ] {
        let error = refuse(spec);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec("train", &["snd"], 6);
    let file = dir.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let error = synth::generate(&spec, &file, &mut |_, _| ()).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(error.to_string().contains("cannot make the folder") && error.to_string().contains("a-file"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_leaves_no_questions() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("audios")).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join("audios/train-7-00004.wav")).unwrap();
    let error = synth::generate(&spec("train", &["snd"], 6), dir.path(), &mut |_, _| ()).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let message = error.to_string();
    assert!(message.contains("train-7-00004.wav") && message.contains("No space left on device"), "{message}");
    assert!(!dir.path().join("questions.json").exists());
}

#[test]
fn each_class_of_a_task_is_told_from_the_others_by_a_simple_ear() {
    for task in synth::tasks() {
        let score = nearest_neighbours(task);
        assert!(score > 0.85, "{}: a nearest-neighbour ear gets {score}", task.name);
    }
}

/// Share of 12 clips a class whose three nearest of 30 other clips a class are nearest in their own class, in features
/// standardised by their spread within classes.
fn nearest_neighbours(task: &TaskInfo) -> f64 {
    let features = |split: &str, n: usize| -> Vec<Vec<Vec<f64>>> {
        let one = |c: usize, i| hear(&samples(&synth::clip(3, split, c * n + i, task.classes[c].sound)));
        (0..task.classes.len()).map(|c| (0..n).map(|i| one(c, i)).collect()).collect()
    };
    let (train, test) = (features("train", 30), features("held-out", 12));
    let mean = |rows: &[Vec<f64>], d: usize| rows.iter().map(|r| r[d]).sum::<f64>() / rows.len() as f64;
    let dims = train[0][0].len();
    let centroids: Vec<Vec<f64>> = train.iter().map(|rows| (0..dims).map(|d| mean(rows, d)).collect()).collect();
    let spread: Vec<f64> = (0..dims)
        .map(|d| {
            let square =
                |(rows, c): (&Vec<Vec<f64>>, &Vec<f64>)| rows.iter().map(|r| (r[d] - c[d]).powi(2)).sum::<f64>();
            1e-3 + (train.iter().zip(&centroids).map(square).sum::<f64>() / (train.len() * 30) as f64).sqrt()
        })
        .collect();
    let distance = |x: &[f64], c: &[f64]| -> f64 { (0..dims).map(|d| ((x[d] - c[d]) / spread[d]).powi(2)).sum() };
    let nearest = |x: &[f64], c: usize| -> f64 {
        let mut distances: Vec<f64> = train[c].iter().map(|t| distance(x, t)).collect();
        distances.sort_by(f64::total_cmp);
        distances[..3].iter().sum()
    };
    let right = |class: usize, x: &[f64]| {
        (0..centroids.len()).min_by(|&a, &b| nearest(x, a).total_cmp(&nearest(x, b))) == Some(class)
    };
    let hits: usize = test.iter().enumerate().map(|(c, rows)| rows.iter().filter(|x| right(c, x)).count()).sum();
    hits as f64 / (test.len() * 12) as f64
}

fn samples(wav: &[u8]) -> Vec<f64> {
    wav[44..].chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
}

/// Mean and movement over time of 24 bands' log energy (32 ms frames), and the log of the pitch by autocorrelation.
fn hear(x: &[f64]) -> Vec<f64> {
    use rustfft::{FftPlanner, num_complex::Complex};
    const SIZE: usize = 512;
    let fft = FftPlanner::new().plan_fft_forward(SIZE);
    let edges: Vec<usize> = (0..=24).map(|b| 2 + (254.0 * (f64::from(b) / 24.0).powf(2.0)) as usize).collect();
    let mut frames: Vec<Vec<f64>> = Vec::new();
    for start in (0..x.len() - SIZE).step_by(160) {
        let mut frame: Vec<Complex<f64>> = (0..SIZE)
            .map(|i| Complex::from(x[start + i] * (std::f64::consts::PI * i as f64 / SIZE as f64).sin().powi(2)))
            .collect();
        fft.process(&mut frame);
        let power: Vec<f64> = frame.iter().map(|z| z.norm_sqr()).collect();
        frames.push(
            edges.windows(2).map(|e| power[e[0]..e[1].max(e[0] + 1)].iter().sum::<f64>().max(1e-12).log10()).collect(),
        );
    }
    let top = frames.iter().flatten().fold(f64::MIN, |a, &b| a.max(b));
    for value in frames.iter_mut().flatten() {
        *value = (*value - top).max(-5.0);
    }
    let n = frames.len() as f64;
    let mut out = Vec::new();
    for band in 0..24 {
        out.push(frames.iter().map(|f| f[band]).sum::<f64>() / n);
        out.push(frames.windows(2).map(|f| (f[1][band] - f[0][band]).abs()).sum::<f64>() / n);
    }
    let middle = &x[x.len() / 4..x.len() * 3 / 4];
    let correlation =
        |lag: usize| middle.windows(lag + 1).map(|w| w[0] * w[lag]).sum::<f64>() / (middle.len() - lag) as f64;
    let values: Vec<f64> = (0..230).map(correlation).collect();
    let floor = values[34..].iter().fold(f64::MIN, |a, &b| a.max(b)) * 0.85;
    let lag = (34..229).find(|&l| values[l] >= floor && values[l] >= values[l - 1] && values[l] >= values[l + 1]);
    out.extend([(lag.unwrap_or(229) as f64).ln(); 4]); // weighs as much as four bands
    out
}
