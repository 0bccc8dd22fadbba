//! One error type: a kind that decides the exit code, and one line a person can act on.

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

/// What went wrong, by whose hand it can be mended. The number is the exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A defect of this program, or the machine failed under it (full disk, lost permission).
    Internal = 1,
    /// The request was wrong: a bad recipe, bad arguments, a file that is not what the command takes.
    Request = 2,
    /// A check found a difference.
    Difference = 3,
    /// Inputs are missing or are not what was pinned.
    Inputs = 4,
    /// The device cannot hold it.
    Capacity = 5,
}

/// An error: what was expected, what was found and the way out, in one line (several for a list of problems).
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
}

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A defect of this program, or the machine failed under it.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// The request was wrong.
    pub fn request(message: impl Into<String>) -> Self {
        Self::new(Kind::Request, message)
    }

    /// A check found a difference.
    pub fn difference(message: impl Into<String>) -> Self {
        Self::new(Kind::Difference, message)
    }

    /// Inputs are missing or not what was pinned.
    pub fn inputs(message: impl Into<String>) -> Self {
        Self::new(Kind::Inputs, message)
    }

    /// The device cannot hold it.
    pub fn capacity(message: impl Into<String>) -> Self {
        Self::new(Kind::Capacity, message)
    }

    /// The machine failed under a file (exit code 1): what was being done, the path, and the way out where the cause has one.
    pub fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let way_out = match error.kind() {
            ErrorKind::StorageFull => {
                " (free some space and run the same command again: it continues where it stopped)"
            }
            ErrorKind::QuotaExceeded => " (the disk quota is used up: free some space and run the same command again)",
            ErrorKind::FileTooLarge => {
                " (the file system or `ulimit -f` allows no larger file: lift that and run the same command again)"
            }
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                " (choose a folder that can be written with --run-dir, or change its permissions)"
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                " (a file stands where a folder is needed: move it away)"
            }
            _ => "",
        };
        Self::internal(format!("cannot {doing} {}: {error}{way_out}", path.display()))
    }

    /// The same error with what was being done in front: `CONTEXT: MESSAGE`.
    pub fn within(self, context: impl fmt::Display) -> Self {
        Self { kind: self.kind, message: format!("{context}: {}", self.message) }
    }

    /// Who can mend it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code of the program when this error ends it.
    pub fn exit_code(&self) -> u8 {
        self.kind as u8
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

thread_local! {
    /// Whether a panic of this thread is on its way to [`caught`].
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs work of a library that panics where it should err.
///
/// # Errors
/// The message of the panic, of which nothing is printed.
pub fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    outcome.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or("no message".into())
    })
}

/// Turns a foreign error into ours, saying what was being done.
pub trait Context<T> {
    /// Something the user can supply or mend is missing or wrong (exit code 4).
    fn inputs(self, context: impl FnOnce() -> String) -> Result<T>;
    /// The request was wrong (exit code 2).
    fn request(self, context: impl FnOnce() -> String) -> Result<T>;
    /// The machine or this program failed (exit code 1).
    fn internal(self, context: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn inputs(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::inputs(format!("{}: {e}", context())))
    }

    fn request(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::request(format!("{}: {e}", context())))
    }

    fn internal(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::internal(format!("{}: {e}", context())))
    }
}
