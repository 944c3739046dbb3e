//! CR3 and the TLB of this CPU.
//!
//! PCIDs are off: writing CR3 drops every translation except those marked global, which are the
//! kernel's. What other CPUs still remember is `mm::tlb`'s business.
#![expect(unsafe_code, reason = "writing CR3")]

use addr::{Frame, PhysAddr, VirtAddr};
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

/// Makes `root` the PML4 of this CPU and drops all translations that are not global.
///
/// # Safety
/// `root` is a live PML4 whose upper half is the kernel's (I-1, I-2), and it stays one until another is loaded.
#[inline]
pub unsafe fn load_root(root: Frame) {
    let address = x86_64::PhysAddr::new_truncate(root.start().as_u64());
    let frame = x86_64::structures::paging::PhysFrame::containing_address(address);
    // SAFETY: the caller's promise; no cache-control flags are set.
    unsafe { Cr3::write_raw(frame, 0) };
}

/// Returns the PML4 this CPU uses.
#[inline]
pub fn current_root() -> Frame {
    Frame::containing(PhysAddr::new(Cr3::read_raw().0.start_address().as_u64()))
}

/// Drops this CPU's translation of the page at `address`, global or not.
#[inline]
pub fn flush_page(address: VirtAddr) {
    tlb::flush(x86_64::VirtAddr::new_truncate(address.as_u64()));
}

/// Drops all of this CPU's translations that are not global.
#[inline]
pub fn flush_user() {
    tlb::flush_all();
}

/// Drops all of this CPU's translations, global ones too: turning global pages off and on does that.
pub fn flush_all() {
    let flags = Cr4::read();
    // SAFETY: without PGE translations are merely remembered for a shorter time.
    unsafe { Cr4::write(flags - Cr4Flags::PAGE_GLOBAL) };
    // SAFETY: the value CR4 had.
    unsafe { Cr4::write(flags) };
}
