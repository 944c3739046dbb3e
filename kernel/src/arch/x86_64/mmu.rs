//! CR3 and the TLB of this CPU.
//!
//! Writing CR3 drops every translation except those marked global, which are the kernel's; with PCIDs on those of one
//! PCID, or none. What other CPUs still remember is `mm::tlb`'s business.
#![expect(unsafe_code, reason = "writing CR3 and CR4, INVPCID")]

use core::arch::asm;

use addr::{Frame, PhysAddr, VirtAddr};
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

/// Makes `root` the PML4 of this CPU and drops all translations that are not global, unless `tag` names a PCID and says
/// what of it is kept (`lazytlb::pcid`); without PCIDs it is 0.
///
/// # Safety
/// `root` is a live PML4 whose upper half is the kernel's (I-1, I-2), and it stays one until another is loaded. What the PCID
/// holds and keeps is true of it.
#[inline]
pub unsafe fn load_root(root: Frame, tag: u64) {
    // SAFETY: the caller's promise; no cache-control flags are set.
    unsafe { write_cr3(root.start().as_u64() | tag) };
}

/// # Safety
/// As for [`load_root`].
#[inline]
unsafe fn write_cr3(value: u64) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Turns PCIDs on. CR3 has none yet, as it has never had one on this CPU since it started.
pub fn turn_pcids_on() {
    let (_, low) = Cr3::read_raw();
    assert!(low == 0, "PCIDs are turned on while CR3 names the first");
    // SAFETY: the CPU has PCIDs, or nobody would ask; all translations so far belong to PCID 0, which CR3 has.
    unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::PCID)) };
}

/// Drops this CPU's translations under `pcid`, but for global ones.
#[inline]
pub fn flush_pcid(pcid: u16) {
    const SINGLE_CONTEXT: u64 = 1;
    invpcid(SINGLE_CONTEXT, pcid, VirtAddr::new(0));
}

/// Drops this CPU's translation of the page at `address` under `pcid`, unless it is global.
#[inline]
pub fn flush_page_of(pcid: u16, address: VirtAddr) {
    const INDIVIDUAL_ADDRESS: u64 = 0;
    invpcid(INDIVIDUAL_ADDRESS, pcid, address);
}

#[inline]
fn invpcid(kind: u64, pcid: u16, address: VirtAddr) {
    let descriptor = [u64::from(pcid), address.as_u64()];
    // SAFETY: the CPU has the instruction, or nobody would ask; it forgets translations, which are looked up again.
    unsafe {
        asm!("invpcid {}, [{}]", in(reg) kind, in(reg) &descriptor, options(nostack, preserves_flags))
    };
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

/// Drops this CPU's translations that are not global; with PCIDs on, those of the PCID in CR3.
#[inline]
pub fn flush_user() {
    let (root, low) = Cr3::read_raw();
    // SAFETY: what CR3 holds already.
    unsafe { write_cr3(root.start_address().as_u64() | u64::from(low)) };
}

/// Drops all of this CPU's translations of every PCID, global ones too: turning global pages off and on does that.
pub fn flush_all() {
    let flags = Cr4::read();
    // SAFETY: without PGE translations are merely remembered for a shorter time.
    unsafe { Cr4::write(flags - Cr4Flags::PAGE_GLOBAL) };
    // SAFETY: the value CR4 had.
    unsafe { Cr4::write(flags) };
}
