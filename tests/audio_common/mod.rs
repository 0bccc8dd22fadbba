//! What the audio tests share: the fixtures of `tests/parity/audio`, and where the real clips are.
#![allow(dead_code)] // each test binary uses its part

use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A folder of fixtures.
pub fn parity(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity").join(folder)
}

/// Clips of our own in every encoding.
pub fn clips() -> PathBuf {
    parity("audio/clips")
}

/// A fixture in JSON.
pub fn json(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(parity(path)).unwrap()).unwrap()
}

/// The folder of the real MMAU clips, or a line that says which test was skipped.
pub fn real_clips(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("AQA_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let folder = root.join(shared).join("data/mmau/test-mini-audios");
    if !folder.is_dir() {
        eprintln!("skipped {test}: {} is not there (set AQA_SHARED)", folder.display());
        return None;
    }
    Some(folder)
}

/// A fixture of tensors.
pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn read(path: &str) -> Self {
        Self(std::fs::read(parity(path)).unwrap())
    }

    /// Names that end so, without the ending.
    pub fn names(&self, ending: &str) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        file.names().iter().filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
    }

    fn numbers<T, const N: usize>(&self, name: &str, number: fn([u8; N]) -> T) -> Vec<T> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let data = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        data.data().chunks_exact(N).map(|bytes| number(bytes.try_into().unwrap())).collect()
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.numbers(name, f32::from_le_bytes)
    }

    pub fn integers(&self, name: &str) -> Vec<u64> {
        self.numbers(name, u64::from_le_bytes)
    }

    /// Int16 samples as decoders give them.
    pub fn pcm16(&self, name: &str) -> Vec<f32> {
        self.numbers(name, |bytes| f32::from(i16::from_le_bytes(bytes)) / 32768.0)
    }
}

pub fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).abs()).fold(0.0, f64::max)
}

/// CRC-32 (IEEE) of samples as little-endian float32, as zlib computes it.
pub fn crc32_of(samples: &[f32]) -> u32 {
    let bytes = samples.iter().flat_map(|x| x.to_le_bytes());
    let table: Vec<u32> =
        (0..256u32).map(|n| (0..8).fold(n, |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })).collect();
    !bytes.fold(!0u32, |crc, byte| table[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}
