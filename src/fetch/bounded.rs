//! A decompressing reader with an end: it refuses to give more than so many bytes, or so many times what was read.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes that may come before the ratio counts: short texts compress well and harm nobody.
const FREE: u64 = 1 << 20;

/// A reader that counts.
pub(super) struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

/// What a bounded reader came upon.
#[derive(Clone)]
pub(super) struct Breach {
    words: Rc<RefCell<Option<String>>>,
    packed: Rc<Cell<u64>>,
}

impl Breach {
    /// The words of a broken limit, once.
    pub fn take(&self) -> Option<String> {
        self.words.borrow_mut().take()
    }

    /// Packed bytes read so far.
    pub fn packed(&self) -> u64 {
        self.packed.get()
    }
}

/// Unpacked bytes within limits.
pub(super) struct Bounded<D> {
    unpacked: D,
    given: u64,
    bytes: u64,
    ratio: u64,
    breach: Breach,
}

impl<D: Read> Bounded<D> {
    /// Of `packed`, through a decoder.
    pub fn new<R: Read>(packed: R, decoder: impl FnOnce(Counted<R>) -> D, bytes: u64, ratio: u64) -> (Self, Breach) {
        let breach = Breach { words: Rc::default(), packed: Rc::default() };
        let unpacked = decoder(Counted { inner: packed, count: breach.packed.clone() });
        (Self { unpacked, given: 0, bytes, ratio, breach: breach.clone() }, breach)
    }
}

impl<D: Read> Read for Bounded<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.unpacked.read(buffer)?;
        self.given += n as u64;
        let (given, packed) = (self.given, self.breach.packed());
        let words = if given > self.bytes {
            format!("expected at most {} bytes, found more (refused as a bomb)", self.bytes)
        } else if given > FREE && given > packed.saturating_mul(self.ratio) {
            let ratio = self.ratio;
            format!(
                "expected at most {ratio} times its packed size, found {given} bytes from {packed} (refused as a bomb)"
            )
        } else {
            return Ok(n);
        };
        *self.breach.words.borrow_mut() = Some(words.clone());
        Err(io::Error::other(words))
    }
}
