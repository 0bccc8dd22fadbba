//! libtorch's errors come out of its binding as panics. Here they become errors, with the way out where the cause is memory.

use crate::error::{Error, Result, caught};

/// Runs work that calls libtorch.
///
/// # Errors
/// What the work says. A panic becomes exit code 5 when the device ran out of memory, else exit code 1 with libtorch's first line.
pub fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(work).unwrap_or_else(|text| Err(from_panic(&text)))
}

fn from_panic(text: &str) -> Error {
    // The message of a failed unwrap has its line ends escaped.
    let first = text.lines().next().unwrap_or_default().split("\\nException raised").next().unwrap_or_default();
    let lower = text.to_ascii_lowercase();
    if lower.contains("out of memory") || lower.contains("can't allocate memory") || lower.contains("not enough memory")
    {
        let way_out = "lower micro_batch, batch_size or max_new_tokens with --set, or take a larger device";
        return Error::capacity(format!("the device ran out of memory: {way_out} ({first})"));
    }
    Error::internal(format!("libtorch: {first}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn panics_become_errors_of_the_right_kind() {
        let out = guard::<()>(|| panic!("CUDA out of memory. Tried to allocate 2 GiB\nmore")).unwrap_err();
        assert_eq!(out.kind(), Kind::Capacity);
        let unwrapped = |text: &str| guard::<()>(|| panic!("{text}")).unwrap_err().to_string();
        assert_eq!(
            unwrapped("Err(Torch(\"no view\\nException raised from view_impl\\nframe #0\"))"),
            "libtorch: Err(Torch(\"no view"
        );
        let out = guard::<()>(|| panic!("shape mismatch\nstack")).unwrap_err();
        assert_eq!((out.kind(), out.to_string().as_str()), (Kind::Internal, "libtorch: shape mismatch"));
        assert_eq!(guard(|| Ok(3)).unwrap(), 3);
    }
}
