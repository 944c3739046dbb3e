//! Translating an address as the processor does, and forgetting when it is told to.
//!
//! What must not happen is noticed where it would do harm: an access through a translation that the
//! tables no longer give, a frame that is free before the flush that takes it from a running
//! program's reach (I-6), a walk through a table that was freed (TLB-2).

use std::cell::{Cell, RefCell};
use std::mem;

use addr::{Frame, PAGE_SIZE, Page, VirtAddr};
use fault::ErrorCode;
use lazytlb::pcid::KEEP;
use pte::Access;

use super::cpu::{self, Cpu, with_cpu};
use super::tlb::{Entry, Size, Tlb};
use super::walk::{Effect, Walked, walk};
use crate::mm::frame::{self, Owner};

/// What the program does meanwhile, so that a flush can be left out during one kind of operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum During {
    /// Nothing that may be left out.
    #[default]
    Other,
    /// Taking mappings away: munmap, a mapping over another, brk.
    Unmap,
    /// Changing rights.
    Protect,
    /// Copying the address space.
    Fork,
    /// A page fault.
    Fault,
    /// Throwing contents away.
    Discard,
    /// Letting contents go until they are written again.
    Free,
    /// Putting guard markers in.
    Guard,
    /// Making a file shorter, or a hole in it.
    Truncate,
    /// Looking for memory.
    Reclaim,
    /// Taking the memory of a program that has to end.
    Reap,
    /// Moving a mapping.
    Remap,
    /// Going from one address space to another.
    Switch,
    /// The end of an address space.
    Exit,
}

/// What is wrong with this MMU, on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Defect {
    /// Nothing.
    #[default]
    None,
    /// It does not hear flushes.
    Deaf,
    /// It carries flushes out only when the operation is over.
    Late,
    /// Messages from one processor to another are lost.
    Mute,
}

std::thread_local! {
    static NOW: Cell<During> = const { Cell::new(During::Other) };
    static BROKEN: Cell<(Defect, During)> = const { Cell::new((Defect::None, During::Other)) };
    static POSTPONED: RefCell<Vec<(usize, Option<Page>)>> = const { RefCell::new(Vec::new()) };
    /// Whether a processor may know a page of data in two sizes.
    static EXCUSED: Cell<bool> = const { Cell::new(false) };
    static CRIMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Breaks the MMU: `defect` holds for every flush during `what`.
pub fn set_defect(defect: Defect, what: During) {
    BROKEN.set((defect, what));
}

/// Runs `each` as an operation of kind `what`.
pub fn during<R>(what: During, each: impl FnOnce() -> R) -> R {
    let outer = NOW.replace(what);
    let result = each();
    NOW.set(outer);
    POSTPONED
        .take()
        .into_iter()
        .for_each(|(cpu, page)| forget(cpu, page));
    result
}

/// Takes what was found wrong since the last time.
pub fn crimes() -> Vec<String> {
    CRIMES.take()
}

/// Says whether a message to another processor arrives.
pub fn delivers() -> bool {
    BROKEN.get() != (Defect::Mute, NOW.get())
}

fn accuse(text: String) {
    CRIMES.with_borrow_mut(|crimes| crimes.push(text));
}

/// Writes CR3; without PCIDs a tag is a fault.
pub fn load_root(root: Frame, tag: u64) {
    let (pcid, keep) = ((tag & 0xfff) as u16, tag & KEEP != 0);
    if tag != 0 && !with_cpu(|cpu| cpu.has_pcids) {
        accuse(format!("CR3 is written with {tag:#x} and PCIDs are off"));
    }
    // What belongs to another PCID stays, and is out of reach until that one is in CR3 again.
    if with_cpu(|cpu| cpu.pcid != pcid) {
        with_cpu(|cpu| {
            let next = cpu.others.remove(&pcid).unwrap_or_default();
            let last = mem::replace(&mut cpu.tlb, next);
            cpu.others.insert(mem::replace(&mut cpu.pcid, pcid), last);
            cpu.is_dormant = true;
        });
    }
    if !keep {
        flush_all();
    }
    with_cpu(|cpu| (cpu.root, cpu.is_dormant) = (root, false));
}

/// Sets CR4.PCIDE.
pub fn turn_pcids_on() {
    with_cpu(|cpu| cpu.has_pcids = true);
}

/// INVPCID, for one page or a whole PCID.
pub fn flush_pcid(pcid: u16, page: Option<Page>) {
    if with_cpu(|cpu| cpu.pcid == pcid) {
        return flush(page);
    }
    with_cpu(|cpu| {
        let Some(tlb) = cpu.others.get_mut(&pcid) else {
            return;
        };
        match page {
            // Tables on the way stay remembered, as the manual allows.
            Some(page) => drop(tlb.remove(page)),
            None => *tlb = Tlb::new(),
        }
    });
}

/// Reads CR3.
pub fn current_root() -> Frame {
    with_cpu(|cpu| cpu.root)
}

/// INVLPG.
pub fn flush_page(page: Page) {
    flush(Some(page));
}

/// Forgets everything.
pub fn flush_all() {
    flush(None);
}

fn flush(page: Option<Page>) {
    // Until it is told, a processor may look at the page again.
    if let Some(page) = page {
        cpu::look_before_flush(page);
    }
    let (defect, what) = BROKEN.get();
    match defect {
        Defect::Deaf if what == NOW.get() => {}
        Defect::Late if what == NOW.get() => {
            POSTPONED.with_borrow_mut(|list| list.push((cpu::current(), page)));
        }
        _ => forget(cpu::current(), page),
    }
}

fn forget(cpu: usize, page: Option<Page>) {
    cpu::with(cpu, |cpu| {
        let entries = match page {
            Some(page) => cpu.tlb.remove(page),
            None => cpu.tlb.remove_all(),
        };
        if cpu.active {
            entries.iter().for_each(check_not_free);
        }
        for ((level, prefix), table) in cpu.tlb.remove_tables() {
            if frame::info(table).owner() != Owner::PageTable && !cpu.is_dormant {
                accuse(format!(
                    "table {table:?} of level {level} (prefix {prefix:#x}) was freed before the flush"
                ));
            }
        }
    });
}

fn check_not_free(entry: &Entry) {
    if frame::info(entry.frame).owner() == Owner::Free {
        accuse(format!(
            "{:?} was freed before the flush that takes it away from a running program (I-6)",
            entry.frame
        ));
    }
}

/// Translates `addr` for a user program's access.
///
/// # Errors
/// The error code of the page fault.
pub fn translate(addr: VirtAddr, access: Access) -> Result<(Frame, usize), ErrorCode> {
    cpu::maybe_forget();
    let page = addr.page();
    let (size, entry) = with_cpu(|cpu| look_up(cpu, page, access))?;
    let entry = entry.of_page(size, page);
    if !is_true(current_root(), page, &entry) {
        accuse(format!(
            "{access:?} of {page:?} used a translation that is no longer true: {entry:?}"
        ));
    }
    Ok((entry.frame, (addr.as_u64() % PAGE_SIZE) as usize))
}

/// Hits only if the remembered rights suffice and no dirty bit is to be set; else walks.
fn look_up(cpu: &mut Cpu, page: Page, access: Access) -> Result<(Size, Entry), ErrorCode> {
    let write = access == Access::Write;
    if let Some((size, entry)) = cpu.tlb.find(page) {
        if entry.permits(access) && (!write || entry.dirty) {
            return Ok((size, entry));
        }
        if !entry.permits(access) {
            return Err(refuse(cpu, page, access, ErrorCode::PRESENT));
        }
        cpu.tlb.remove(page);
    }
    let root = cpu.root;
    match walk(root, page, Effect::Use(&mut cpu.tlb, write)) {
        Walked::Leaf(size, entry) => {
            cpu.tlb.insert(page, size, entry);
            if entry.permits(access) {
                return Ok((size, entry));
            }
            Err(refuse(cpu, page, access, ErrorCode::PRESENT))
        }
        Walked::Absent => Err(refuse(cpu, page, access, ErrorCode::empty())),
        Walked::Broken(what) => {
            accuse(what);
            Err(refuse(cpu, page, access, ErrorCode::empty()))
        }
    }
}

/// A fault makes the processor forget the page (4.10.4.1), and nothing forbids it to look again at once.
fn refuse(cpu: &mut Cpu, page: Page, access: Access, present: ErrorCode) -> ErrorCode {
    cpu.tlb.remove(page);
    cpu.tlb.remove_tables_of(page);
    look_ahead(cpu, page);
    let kind = match access {
        Access::Read => ErrorCode::empty(),
        Access::Write => ErrorCode::WRITE,
        Access::Fetch => ErrorCode::FETCH,
    };
    present | kind | ErrorCode::USER
}

/// Translates a page on `cpu` without being asked.
pub fn prefetch(cpu: usize, page: Page) {
    cpu::with(cpu, |cpu| look_ahead(cpu, page));
}

fn look_ahead(cpu: &mut Cpu, page: Page) {
    let root = cpu.root;
    if page.number() >= addr::USER_END / PAGE_SIZE {
        return;
    }
    let known = cpu.tlb.find(page);
    match walk(root, page, Effect::Use(&mut cpu.tlb, false)) {
        Walked::Leaf(size, now) if known.is_some_and(|known| stops(known, (size, now))) => {
            accuse(format!(
                "{page:?} is a {size:?} page by now, the processor still knows it otherwise"
            ));
        }
        Walked::Leaf(..) if known.is_some() => {}
        Walked::Leaf(size, entry) => cpu.tlb.insert(page, size, entry),
        Walked::Absent => {}
        Walked::Broken(what) => accuse(what),
    }
}

/// Says whether a processor stops that has known a page in one size and finds it in another: any one in the TLB for instructions, some
/// in that for data as well, unless this was excused.
fn stops((known, before): (Size, Entry), (size, now): (Size, Entry)) -> bool {
    known != size && (before.fetch && now.fetch || !EXCUSED.get())
}

/// Excuses data pages that a processor knows in two sizes of the same contents and rights.
pub fn excuse_two_sizes_of_data(excused: bool) {
    EXCUSED.set(excused);
}

/// Says whether the tables below `root` give all that `entry` does; rights may have been added.
fn is_true(root: Frame, page: Page, entry: &Entry) -> bool {
    match walk(root, page, Effect::Look) {
        Walked::Leaf(size, now) => entry.is_within(&now.of_page(size, page)),
        _ => false,
    }
}

/// Looks through what the processors remember for what a running program could misuse.
pub fn audit() {
    for number in 0..cpu::CPUS {
        cpu::with(number, |cpu| {
            let root = cpu.root;
            let stale = |(page, size, entry): (Page, Size, &Entry)| {
                (!is_true(root, page, &entry.of_page(size, page))).then_some((page, *entry))
            };
            if let Some((page, entry)) = cpu.tlb.entries().find_map(stale).filter(|_| cpu.active) {
                accuse(format!(
                    "CPU {number} still knows a translation of {page:?} that was taken back: {entry:?}"
                ));
            }
            let freed =
                |&(_, _, table): &(u8, Page, Frame)| frame::info(table).owner() != Owner::PageTable;
            if let Some((level, page, table)) = cpu.tlb.tables().find(freed) {
                accuse(format!(
                    "CPU {number} could still walk to {page:?} through {table:?}, once a table of level {level}"
                ));
            }
        });
    }
}
