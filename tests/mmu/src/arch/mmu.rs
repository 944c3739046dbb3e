//! CR3 and the flushes: what the kernel says to the simulated MMU.
#![expect(unsafe_code, reason = "loading a root is unsafe by contract")]

use addr::{Frame, VirtAddr};

use crate::sim::mmu;

/// Makes `root` the PML4 of this CPU and drops all its translations, unless `tag` names a PCID and says what is kept.
///
/// # Safety
/// As for the kernel's own; here a wrong root is only found, it does no harm.
pub unsafe fn load_root(root: Frame, tag: u64) {
    mmu::load_root(root, tag);
}

/// Turns PCIDs on.
pub fn turn_pcids_on() {
    mmu::turn_pcids_on();
}

/// Drops this CPU's translations under `pcid`.
pub fn flush_pcid(pcid: u16) {
    mmu::flush_pcid(pcid, None);
}

/// Drops this CPU's translation of the page at `address` under `pcid`.
pub fn flush_page_of(pcid: u16, address: VirtAddr) {
    mmu::flush_pcid(pcid, Some(address.page()));
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
