//! Where user space ends, and the one check every user buffer passes first.

use core::ops::Range;

/// The first address user space may not use.
///
/// The last canonical page of the lower half stays unmapped: a `SYSCALL` there would
/// return to a non-canonical address, and a small over-run of a checked buffer hits nothing.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// The lowest address an unprivileged mapping may have, so that null pointers fault.
pub const MMAP_MIN_ADDR: u64 = 0x1_0000;

/// Returns the `len` bytes at `addr` as a range, or `None` if they wrap around or end
/// above [`USER_END`].
pub const fn user_range(addr: u64, len: u64) -> Option<Range<u64>> {
    match addr.checked_add(len) {
        Some(end) if end <= USER_END => Some(addr..end),
        _ => None,
    }
}
