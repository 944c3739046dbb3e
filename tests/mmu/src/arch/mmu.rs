//! CR3 and the flushes: what the kernel says to the simulated MMU.
#![expect(unsafe_code, reason = "loading a root is unsafe by contract")]

use addr::{Frame, VirtAddr};

use crate::sim::mmu;

/// Makes `root` the PML4 of this CPU and drops all its translations.
///
/// # Safety
/// As for the kernel's own; here a wrong root is only found, it does no harm.
pub unsafe fn load_root(root: Frame) {
    mmu::load_root(root);
}

/// Returns the PML4 this CPU uses.
pub fn current_root() -> Frame {
    mmu::current_root()
}

/// Drops this CPU's translation of the page at `address`.
pub fn flush_page(address: VirtAddr) {
    mmu::flush_page(address.page());
}

/// Drops all of this CPU's translations that are not global; user translations never are.
pub fn flush_user() {
    mmu::flush_all();
}

/// Drops all of this CPU's translations.
pub fn flush_all() {
    mmu::flush_all();
}
