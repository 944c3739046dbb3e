//! The page fault: find the VMA, decide, apply.
//!
//! ```text
//!   handle ── peek at the VMAs ──┬─ contains it, permits the access ──────────────→ populate
//!     │                          ├─ contains it, forbids the access ───────────────→ SIGSEGV ACCERR
//!     │                          └─ no such VMA, or one is being changed
//!     └─ mmap_lock (read) ── find the VMA ──┬─ none, or guard gap ─────────→ SIGSEGV MAPERR
//!                                           ├─ above: a stack that may grow → grow, find again
//!                                           └─ contains it ── check_access ─→ SIGSEGV ACCERR
//!   populate: look (PTE, under its lock) → decide (pure crate `fault`) → done where it takes no more
//!             than the entry, else prepare (frame, contents; no lock) → apply (under the
//!             lock, if the PTE is still what was seen)
//! ```
//!
//! A fault within a mapping takes no mmap_lock: it peeks, which a writer of the VMAs allows but while it
//! changes them (docs/locking.md). The whole fault is within the peek, and so over before the change: what it mapped is
//! found by whoever unmaps it. That is why none of it sleeps.
//!
//! Contents are complete before a PTE shows them (HF-3). A PTE that changed between look and apply
//! means that another CPU got here first: look again (HF-2). How a copy takes a shared
//! page's place while others look is told in [`cow`] (HF-8).

use addr::{Frame, Page, VirtAddr};
use fault::{Backed, FaultAction, Mapped, SegvCode};
use pte::{Access, Pte, PteFlags};
use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::counters::{
    COW_COPIED, COW_REUSED, Counter, FAULT_DEMAND_ZERO, FAULT_FILE, FAULT_FILE_COW, FAULT_LOCKED,
    FAULT_REDECIDED, FAULT_SHARED_WRITE, FAULT_SPURIOUS, FAULT_ZERO_PAGE, FAULT_ZERO_UPGRADE,
};
use super::cow::same;
use super::fault_prepare::Prepared;
use super::frame;
use super::pgtable::Slot;
use super::rss::Kind;
use super::{Mm, OutOfMemory, cow, fault_around, large, stack, tlb, zero_frame};
use crate::arch::cpu;

/// An access to a user address that the MMU refused.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The address, byte-exact (CR2).
    pub addr: VirtAddr,
    /// What was attempted.
    pub access: Access,
    /// Whether a translation was present and forbade it (error code bit P).
    pub present: bool,
}

/// Why a fault cannot be resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultError {
    /// SIGSEGV with this `si_code`.
    Segv(SegvCode),
    /// SIGBUS: the file has no such page (HF-11).
    Bus,
    /// No frame was free.
    OutOfMemory,
}

pub(super) type UserVma = Vma<MapBacking>;

/// Resolves `fault` in `mm` so that the access succeeds when repeated. May sleep, and take mmap_lock.
pub fn handle(mm: &Mm, fault: &Fault) -> Result<(), FaultError> {
    let page = fault.addr.page();
    if let Some(map) = mm.map.peek()
        && let Some(vma) = map.vmas.find(page)
        && !mm.is_reaped()
    {
        if let Err(code) = fault::check_access(vma.flags, fault.access, fault.present) {
            return Err(FaultError::Segv(code));
        }
        if fault.access == Access::Write && large::is_due(mm, vma, page) {
            drop(map);
            return handle_locked(mm, page, fault);
        }
        let is_anon = matches!(vma.backing, MapBacking::Anon { .. });
        if is_anon
            && !fault.present
            && fault.access == Access::Write
            && populate_empty(mm, vma, page)?
        {
            return Ok(());
        }
        return populate_small(mm, vma, page, fault.access);
    }
    handle_locked(mm, page, fault)
}

/// The fault where the VMAs are being changed, or none contains the page, or a stack has to grow.
#[cold]
#[inline(never)]
fn handle_locked(mm: &Mm, page: Page, fault: &Fault) -> Result<(), FaultError> {
    FAULT_LOCKED.inc();
    loop {
        let map = mm.map.read();
        if mm.is_reaped() {
            return Err(FaultError::Bus);
        }
        // PF-8: the first VMA that ends above the address.
        let vma = map
            .vmas
            .find_from(page)
            .ok_or(FaultError::Segv(SegvCode::MapErr))?;
        if vma.range.contains(page) {
            fault::check_access(vma.flags, fault.access, fault.present)
                .map_err(FaultError::Segv)?;
            return populate(mm, vma, page, fault.access);
        }
        if !vma.flags.contains(VmFlags::GROWSDOWN) {
            return Err(FaultError::Segv(SegvCode::MapErr));
        }
        drop(map);
        stack::grow(mm, page)?;
    }
}

/// Brings `page` of `vma` into a state that permits `access`, which `vma` itself permits.
pub(super) fn populate(
    mm: &Mm,
    vma: &UserVma,
    page: Page,
    access: Access,
) -> Result<(), FaultError> {
    if access == Access::Write
        && large::is_due(mm, vma, page)
        && (large::map(mm, vma, page) || large::reuse(mm, page))
    {
        return Ok(());
    }
    populate_small(mm, vma, page, access)
}

/// [`populate_small`] for a write where the entry holds nothing, as it mostly does when the CPU found it not present: a
/// frame is made ready before anybody looks. Returns whether it was so, and a frame all that it takes: a page that is
/// brought into a file would stay there, and be seen, though the entry holds a guard.
#[inline(never)]
fn populate_empty(mm: &Mm, vma: &UserVma, page: Page) -> Result<bool, FaultError> {
    let access = Access::Write;
    let action = fault::decide(vma.flags, backed(&vma.backing), Mapped::None, access);
    if action != FaultAction::NewAnon {
        return Ok(false);
    }
    match attempt(mm, vma, page, Pte::EMPTY, action) {
        Ok(true) => {
            finish(mm, vma, page, access, action);
            Ok(true)
        }
        Err(FaultError::OutOfMemory) => Err(FaultError::OutOfMemory),
        // Nothing is to be had there, if nothing is there.
        Ok(false) | Err(_) => Ok(false),
    }
}

/// [`populate`] where no large page is due.
#[inline]
fn populate_small(mm: &Mm, vma: &UserVma, page: Page, access: Access) -> Result<(), FaultError> {
    let (seen, action, done) = look(mm, vma, page, access);
    if done {
        kind(action).inc();
        return Ok(());
    }
    populate_with(mm, vma, page, access, (seen, action))
}

/// Goes on where something has to be prepared. Apart, so that the ways that take no more than an
/// entry need not save what this one needs.
#[inline(never)]
fn populate_with(
    mm: &Mm,
    vma: &UserVma,
    page: Page,
    access: Access,
    (seen, action): (Pte, FaultAction),
) -> Result<(), FaultError> {
    if !attempt(mm, vma, page, seen, action)? {
        return populate_again(mm, vma, page, access);
    }
    finish(mm, vma, page, access, action);
    Ok(())
}

/// Looks and tries until nobody comes in between, which is rare. Apart, so that what the loop works with is
/// not made ready for nothing.
#[cold]
#[inline(never)]
fn populate_again(mm: &Mm, vma: &UserVma, page: Page, access: Access) -> Result<(), FaultError> {
    loop {
        FAULT_REDECIDED.inc();
        let (seen, action, done) = look(mm, vma, page, access);
        if done || attempt(mm, vma, page, seen, action)? {
            finish(mm, vma, page, access, action);
            return Ok(());
        }
    }
}

/// Prepares what `action` needs and carries it out; returns whether it was, or the PTE had changed.
#[inline(always)]
fn attempt(
    mm: &Mm,
    vma: &UserVma,
    page: Page,
    seen: Pte,
    action: FaultAction,
) -> Result<bool, FaultError> {
    match action {
        FaultAction::Refuse => Err(FaultError::Segv(SegvCode::MapErr)),
        FaultAction::Wait => {
            // Whoever makes the page writable is not preempted, and holds no lock that we have.
            cpu::relax();
            Ok(false)
        }
        _ => {
            let prepared = Prepared::new(action, vma, page, seen)?;
            apply(mm, vma, page, seen, action, prepared)
        }
    }
}

/// Counts what was done, and maps what lies around a page of a file.
#[inline(always)]
fn finish(mm: &Mm, vma: &UserVma, page: Page, access: Access, action: FaultAction) {
    kind(action).inc();
    // A write asks for this page only, as on Linux.
    if matches!(action, FaultAction::MapFile { .. }) && access != Access::Write {
        fault_around::map_around(mm, vma, page);
    }
}

fn kind(action: FaultAction) -> &'static Counter {
    match action {
        FaultAction::MapZero => &FAULT_ZERO_PAGE,
        FaultAction::NewAnon => &FAULT_DEMAND_ZERO,
        FaultAction::UpgradeZero => &FAULT_ZERO_UPGRADE,
        FaultAction::MapFile { .. } => &FAULT_FILE,
        FaultAction::CopyFile => &FAULT_FILE_COW,
        FaultAction::Copy => &COW_COPIED,
        FaultAction::Reuse => &COW_REUSED,
        FaultAction::MkWriteShared => &FAULT_SHARED_WRITE,
        FaultAction::Touch | FaultAction::Spurious | FaultAction::Refuse | FaultAction::Wait => {
            &FAULT_SPURIOUS
        }
    }
}

/// Reads the PTE under its lock and decides; a frame that is to be copied is kept by a reference.
///
/// What takes nothing but an entry that is there is done at once; the last word says whether it is.
#[inline(always)]
fn look(mm: &Mm, vma: &UserVma, page: Page, access: Access) -> (Pte, FaultAction, bool) {
    let tables = mm.tables.entries(page);
    let slot = tables.small_slot(page);
    let seen = slot.map_or_else(|| tables.pte(page), Slot::load);
    let action = fault::decide(vma.flags, backed(&vma.backing), mapped(seen), access);
    match (action, slot) {
        (FaultAction::Copy, _) => frame::get(seen.frame()),
        (
            FaultAction::MapZero | FaultAction::Reuse | FaultAction::Touch | FaultAction::Spurious,
            Some(slot),
        ) => {
            rewrite(mm, vma, page, slot, action);
            return (seen, action, true);
        }
        _ => {}
    }
    (seen, action, false)
}

fn backed(backing: &MapBacking) -> Backed {
    match backing {
        MapBacking::Anon { .. } => Backed::Anon,
        MapBacking::File { .. } => Backed::File,
    }
}

/// Describes what a PTE maps, in the words of the decision.
fn mapped(pte: Pte) -> Mapped {
    let writable = pte.is_writable();
    match () {
        () if pte.is_none() => Mapped::None,
        () if pte.is_guard() => Mapped::Guard,
        () if pte.is_prot_none() => Mapped::ProtNone,
        () if pte.is_zero_page() => Mapped::Zero { writable },
        () if pte.is_settling() => Mapped::Settling,
        () if pte.is_anon() => Mapped::Anon {
            writable,
            sole_owner: frame::refs(pte.frame()) == 1,
        },
        () => Mapped::File { writable },
    }
}

/// Carries `action` out, if the PTE is still `seen`; returns whether it was.
fn apply(
    mm: &Mm,
    vma: &UserVma,
    page: Page,
    seen: Pte,
    action: FaultAction,
    prepared: Prepared,
) -> Result<bool, FaultError> {
    let (tables, slot) = match mm.tables.slot(page) {
        Ok((tables, slot)) if same(slot.load(), seen) => (tables, slot),
        Ok(_) => {
            prepared.discard();
            return Ok(false);
        }
        Err(OutOfMemory) => {
            prepared.discard();
            return Err(FaultError::OutOfMemory);
        }
    };
    match (action, prepared) {
        (_, Prepared::New(frame)) => {
            let new = leaf(frame, vma, PteFlags::ANON, true);
            mm.tables.rss(page).add(Kind::Anon, 1);
            if seen.is_none() {
                slot.fill(new);
            } else if let Some(settling) = cow::replace(mm, page, slot, new) {
                drop(tables);
                settling.finish();
            }
        }
        (FaultAction::MapFile { writable }, Prepared::Cached(frame)) => {
            let new = leaf(frame, vma, PteFlags::empty(), writable);
            slot.fill(new);
            mm.tables.rss(page).charge(new);
        }
        _ => rewrite(mm, vma, page, slot, action),
    }
    Ok(true)
}

/// Carries out what takes nothing but the entry; the page-table lock is held.
#[inline(always)]
fn rewrite(mm: &Mm, vma: &UserVma, page: Page, slot: Slot, action: FaultAction) {
    match action {
        FaultAction::MapZero => {
            slot.fill(leaf(zero_frame(), vma, PteFlags::ZERO, false));
        }
        FaultAction::Reuse | FaultAction::MkWriteShared => {
            slot.exchange(slot.load().mkwrite().mkdirty().mkyoung());
        }
        _ => {
            // Touch, Spurious: the entry suffices; whatever the TLB holds of it is older.
            slot.exchange(slot.load().mkyoung());
            tlb::flush_local(mm, page);
        }
    }
}

/// A PTE for `frame` with the VMA's protection (HF-20); W only if `writable` says that it may be.
pub(super) fn leaf(frame: Frame, vma: &UserVma, kind: PteFlags, writable: bool) -> Pte {
    let mut flags = kind | PteFlags::PRESENT | PteFlags::USER | PteFlags::ACCESSED;
    if writable && vma.flags.contains(VmFlags::WRITE) {
        flags |= PteFlags::WRITE | PteFlags::DIRTY;
    }
    flags.set(PteFlags::NX, !vma.flags.contains(VmFlags::EXEC));
    Pte::new(frame, flags)
}
