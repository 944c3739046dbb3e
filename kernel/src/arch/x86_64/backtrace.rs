//! Return addresses by frame pointer.
//!
//! Code is compiled with frame pointers, so RBP points to the caller's RBP, and the return address lies above
//! it. `core` itself is compiled without, so a function may be missing from the list. The entry code links
//! trap frames into the chain and ends it where user mode begins.

use addr::VirtAddr;

use super::uaccess::read_kernel_word;

/// The longest list: a corrupt chain must end.
const DEEPEST: usize = 64;

/// Calls `visit` with each return address, innermost first, from the frame at `rbp` outwards.
///
/// The walk ends at a frame pointer that is null, unaligned, not above the last one, or of which
/// `is_readable` says no; a read that faults all the same ends it too.
pub fn walk(mut rbp: u64, is_readable: impl Fn(VirtAddr) -> bool, mut visit: impl FnMut(u64)) {
    for _ in 0..DEEPEST {
        let Some((next, return_address)) = read_frame(rbp, &is_readable) else {
            return;
        };
        if return_address == 0 {
            return;
        }
        visit(return_address);
        if next <= rbp {
            return;
        }
        rbp = next;
    }
}

/// Returns the caller's frame pointer and the return address.
fn read_frame(rbp: u64, is_readable: &impl Fn(VirtAddr) -> bool) -> Option<(u64, u64)> {
    let saved = VirtAddr::new(rbp);
    let above = saved.checked_add(8)?;
    let sound = rbp.is_multiple_of(8) && is_readable(saved) && is_readable(above);
    if !sound {
        return None;
    }
    Some((read_kernel_word(saved)?, read_kernel_word(above)?))
}
