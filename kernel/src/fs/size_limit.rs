//! How long a process may make files (`RLIMIT_FSIZE`), as the layer above says.

use super::file::IoError;
use crate::locks::Once;

/// What is known of the current process.
pub struct Limit {
    /// Returns the most bytes that a file of its may have.
    pub bytes: fn() -> u64,
    /// Tells it that it wanted more.
    pub exceeded: fn(),
}

static LIMIT: Once<Limit> = Once::new();

/// Installs what the process layer knows.
pub fn set(limit: Limit) {
    LIMIT.call_once(|| limit);
}

/// Returns how many of `len` bytes may be written at `position`.
pub(super) fn writable(position: u64, len: u64) -> Result<u64, IoError> {
    let Some(limit) = LIMIT.get() else {
        return Ok(len);
    };
    match (limit.bytes)().saturating_sub(position) {
        0 => {
            (limit.exceeded)();
            Err(IoError::TooLarge)
        }
        room => Ok(room.min(len)),
    }
}

/// Fails where a file of `from` bytes may not be made `to` bytes long.
pub(super) fn check(from: u64, to: u64) -> Result<(), IoError> {
    match to > from && to > 0 {
        true => writable(to - 1, 1).map(drop),
        false => Ok(()),
    }
}
