//! What the device waits for, made ahead of it: batches on a thread of their own, and clips that were heard before kept in memory.

use crate::audio::{self, Features};
use crate::error::{Context, Result};
use crate::pins::Sha256;
use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{IntoIter, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Batches that may wait, beside the one that is being made.
pub(super) const WAITING: usize = 2;
/// Bytes of features that are kept: a thousand clips of 10 s.
const KEPT: usize = 512 << 20;

/// Runs `consume` over the items while a thread makes the next ones, at most `waiting` of them ahead. When `consume` returns, no more are made.
pub(super) fn ahead<T: Send, R>(
    waiting: usize,
    items: impl Iterator<Item = T> + Send,
    consume: impl FnOnce(IntoIter<T>) -> R,
) -> R {
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(waiting);
        let maker = scope.spawn(move || {
            for item in items {
                if send.send(item).is_err() {
                    break;
                }
            }
        });
        let out = consume(receive.into_iter());
        // Its panic looked like the end of the items: it goes on here, with its own message.
        maker.join().map_or_else(|panic| std::panic::resume_unwind(panic), |()| out)
    })
}

/// What a clip is to the model.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its features.
    pub features: Arc<Features>,
    /// It was longer than 30 s.
    pub cropped: bool,
    /// What was wrong with it though it could be read, in words; empty when nothing was.
    pub damage: String,
}

/// Clips by the hash of their file's bytes, for as long as there is room: the first ones stay, so that a set that is too large is still half known the next
/// time round.
#[derive(Debug, Default)]
pub struct Clips {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    clips: HashMap<Sha256, Heard>,
    bytes: usize,
}

impl Clips {
    /// The clip in a file.
    ///
    /// # Errors
    /// As [`audio::load`].
    pub fn load(&self, path: &Path) -> Result<Heard> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).inputs(|| format!("cannot read {name}"))?;
        let hash = Sha256::of(&bytes);
        if let Some(heard) = self.lock().clips.get(&hash) {
            return Ok(heard.clone());
        }
        let clip = audio::clip(audio::decode::decode_bytes(&bytes, &name)?, &name)?;
        let features = Arc::new(audio::features(&clip));
        let damage = if clip.damage.any() { clip.damage.to_string() } else { String::new() };
        let heard = Heard { features, cropped: clip.cropped, damage };
        let size = heard.features.values.len() * size_of::<f32>();
        let mut kept = self.lock();
        if kept.bytes + size <= KEPT && kept.clips.insert(hash, heard.clone()).is_none() {
            kept.bytes += size;
        }
        Ok(heard)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn items_arrive_in_order_and_no_more_are_made_than_wait() {
        let made = AtomicUsize::new(0);
        let items = (0..100).inspect(|_| _ = made.fetch_add(1, Ordering::SeqCst));
        let taken: Vec<i32> = ahead(2, items, |items| items.take(5).collect());
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        // Five taken, two waiting, one in the hand.
        assert!(made.load(Ordering::SeqCst) <= 8, "{made:?}");
        assert_eq!(ahead(1, 0..50, |items| items.sum::<i32>()), 1225);
        let broken = (0..3).inspect(|i| assert!(*i < 2, "the third item"));
        let panic = std::panic::catch_unwind(|| ahead(1, broken, |items| items.count())).unwrap_err();
        assert!(panic.downcast_ref::<&str>().is_some_and(|text| *text == "the third item"));
    }

    #[test]
    fn a_clip_is_known_by_its_bytes_and_not_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, samples: &[f32]| {
            let path = dir.path().join(name);
            std::fs::write(&path, audio::wav::pcm16(samples, 16_000).unwrap()).unwrap();
            path
        };
        let tone: Vec<f32> = (0..16_000).map(|i| libm::sinf(i as f32 * 0.1)).collect();
        let (one, same, other) = (file("a.wav", &tone), file("b.wav", &tone), file("c.wav", &tone[..8000]));
        let clips = Clips::default();
        let first = clips.load(&one).unwrap();
        assert!(Arc::ptr_eq(&first.features, &clips.load(&same).unwrap().features));
        assert_eq!(*first.features, audio::features(&audio::load(&one).unwrap()));
        assert!(clips.load(&other).unwrap().features.valid_frames < first.features.valid_frames);
        // Another content under a known name.
        std::fs::copy(&other, &one).unwrap();
        assert_eq!(clips.load(&one).unwrap().features, clips.load(&other).unwrap().features);
    }
}
