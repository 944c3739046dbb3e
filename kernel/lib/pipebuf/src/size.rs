//! How large a pipe may be made.

use crate::PAGE;

/// Why a size is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadSize {
    /// No pipe is that large.
    Invalid,
    /// Only who may exceed limits may have it.
    NotPermitted,
}

/// The largest size that can be asked for, in bytes.
const LARGEST: u32 = 1 << 31;

/// Returns how many buffers a pipe of `bytes` bytes holds: whole pages, a power of two of them, and at least one.
///
/// `now` is how many it holds; `limit` is how many bytes a pipe may be enlarged to, unless its owner is `privileged`.
///
/// # Errors
/// There is no such size, or it is above the limit.
pub fn buffers_for(bytes: u32, now: usize, limit: u32, privileged: bool) -> Result<usize, BadSize> {
    if bytes > LARGEST {
        return Err(BadSize::Invalid);
    }
    let bytes = bytes.max(PAGE as u32).next_power_of_two();
    let buffers = bytes as usize / PAGE;
    match buffers > now && bytes > limit && !privileged {
        true => Err(BadSize::NotPermitted),
        false => Ok(buffers),
    }
}
