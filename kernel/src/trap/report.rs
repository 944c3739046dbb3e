//! The last words: what an oops, a double fault and a panic print before the machine ends.
//!
//! The other CPUs are stopped first, wherever they are. Everything is read without locks, or with `try_lock`: whoever holds one will not run again. The
//! addresses of the backtrace are printed bare; boot-image turns them into functions and lines.

use core::panic::PanicInfo;

use addr::VirtAddr;
use fault::ErrorCode;
use log::error;
use pte::{Pte, PteFlags};

use crate::arch::trapframe::TrapFrame;
use crate::arch::uaccess::read_kernel_word;
use crate::arch::{backtrace, cpu, idt, mmu};
use crate::mm::layout::{self, kstack_slot};
use crate::mm::maps::VmaText;
use crate::mm::{audit, fsck, init_mm_root, pgtable, switch};
use crate::percpu;
use crate::smp::stop::{self, Claim};
use crate::task::{self, Task, TaskMm};

/// What isa-debug-exit is told; QEMU's exit code is twice that plus one.
mod exit {
    pub(super) const PANIC: u32 = 0x12;
    pub(super) const OOPS: u32 = 0x13;
    pub(super) const WATCHDOG: u32 = 0x15;
}

const NS_PER_MS: u64 = 1_000_000;
/// How much of a stack is dumped, in words.
const DUMP_WORDS: u64 = 24;
/// Longest backtrace printed: an overflowed stack has hundreds of frames, all alike.
const MAX_FRAMES: usize = 16;
/// How many findings of `fsck` are told one by one.
const MAX_FINDINGS: u32 = 8;

/// Reports a kernel bug that showed as an exception, and ends the machine.
pub fn oops(frame: &TrapFrame, cr2: u64, what: &str) -> ! {
    begin();
    error!(target: "oops", "{what}");
    body(frame, cr2);
    end(exit::OOPS)
}

/// Reports tables that the CPU refuses to use; the machine goes on.
pub fn damage(frame: &TrapFrame, cr2: u64, what: &str) {
    error!(target: "oops", "{what}");
    fault_lines(frame, VirtAddr::new(cr2));
}

/// Reports an exception that no kernel survives, and ends the machine.
pub fn fatal(frame: &TrapFrame, cr2: u64, what: &str) -> ! {
    begin();
    error!(target: "panic", "{what}");
    body(frame, cr2);
    end(exit::PANIC)
}

/// Ends a run that is over its time (`timeout=SECONDS`), telling what it was doing.
pub fn watchdog(frame: &TrapFrame) -> ! {
    begin();
    error!(target: "panic", "the time set by timeout= is over");
    body(frame, 0);
    end(exit::WATCHDOG)
}

/// Tells where a CPU is that does not schedule; the machine goes on.
pub fn soft_lockup(frame: &TrapFrame, lasted: u64) {
    error!(target: "lockup", "soft lockup: cpu {} has not scheduled for {} ms, task {}", percpu::cpu_id(), lasted / NS_PER_MS, Named(&task::current()));
    trace_from(frame);
}

/// Tells where a CPU is that took no interrupts, in an NMI on it; the machine goes on.
pub fn hard_lockup(frame: &TrapFrame, lasted: u64) {
    crate::log::urgently(|| {
        error!(target: "lockup", "hard lockup: cpu {} has taken no interrupt for {} ms, task {}", percpu::cpu_id(), lasted / NS_PER_MS, Named(&task::current()));
        trace_from(frame);
    });
}

/// Tells where a task sleeps that nothing wakes; the machine goes on.
pub fn hung_task(task: &Task, lasted: u64) {
    error!(target: "lockup", "hung task: {} has slept uninterruptibly for {} ms", Named(task), lasted / NS_PER_MS);
    if let Some((rank, owner)) = task.lock_wait() {
        error!(target: "lockup", "  it waits for a lock of rank {rank}, which task {owner} had");
    }
    trace(task.context().frame_pointer());
}

/// A double fault: nearly always a kernel stack that ran into its guard page (KS-2).
pub fn double_fault(frame: &TrapFrame, cr2: u64) -> ! {
    begin();
    match overflowed(cr2).or_else(|| overflowed(frame.rsp)) {
        Some(slot) => overflow(slot),
        None => error!(target: "panic", "double fault"),
    }
    body(frame, cr2);
    end(exit::PANIC)
}

/// Reports a broken invariant that the kernel itself noticed, and ends the machine.
pub fn panic(info: &PanicInfo<'_>) -> ! {
    begin();
    match info.location() {
        Some(at) => error!(target: "panic", "{} at {}:{}", info.message(), at.file(), at.line()),
        None => error!(target: "panic", "{}", info.message()),
    }
    task_lines();
    trace(cpu::frame_pointer());
    audit_line();
    end(exit::PANIC)
}

/// Silences everybody else; a report that faults itself ends the machine at once.
///
/// Of CPUs that fail at once one reports. The others have nothing to add that could be told apart from its lines.
fn begin() {
    cpu::irq_disable();
    match stop::claim() {
        Claim::Ours => {}
        Claim::OursBefore => {
            crate::log::bust();
            error!(target: "panic", "a second failure while the first was being reported");
            end(exit::PANIC);
        }
        Claim::Other => stop::here(),
    }
    let others = stop::force_others();
    crate::log::bust();
    if !others.is_empty() {
        error!(target: "panic", "these CPUs do not stop: {others}");
    }
}

fn end(code: u32) -> ! {
    error!(target: "panic", "the machine stops here");
    cpu::debug_exit(code)
}

/// The slot whose guard `addr` lies in, or just below.
fn overflowed(addr: u64) -> Option<u64> {
    let addr = VirtAddr::new(addr);
    let below = VirtAddr::new(addr.as_u64().wrapping_sub(8));
    [addr, below]
        .into_iter()
        .filter(|&at| layout::region(at) == "kernel stack guard")
        .find_map(kstack_slot)
}

fn overflow(slot: u64) {
    let base = layout::kstack_base(slot).start();
    let top = base.as_u64() + layout::KSTACK_PAGES * addr::PAGE_SIZE;
    if !task::current::exists() {
        error!(target: "panic", "kernel stack overflow: stack {slot} at {base:#x}..{top:#x}");
        return;
    }
    let task = task::current();
    error!(target: "panic", "kernel stack overflow in task {}: stack {slot} at {base:#x}..{top:#x}", Named(&task));
}

fn body(frame: &TrapFrame, cr2: u64) {
    error!(target: "oops", "{} in {} mode", idt::exception_name(frame.vector), if frame.from_user() { "user" } else { "kernel" });
    registers(frame);
    if frame.vector == idt::PAGE_FAULT || frame.vector == idt::DOUBLE_FAULT {
        fault_lines(frame, VirtAddr::new(cr2));
    }
    task_lines();
    trace_from(frame);
    dump(frame.rsp);
    audit_line();
}

fn registers(frame: &TrapFrame) {
    use core::fmt::Write;
    // Six lines, each with the log's prefix.
    let mut text = arrayvec::ArrayString::<640>::new();
    let _ = write!(text, "{frame:?}");
    text.lines()
        .for_each(|line| error!(target: "oops", "{line}"));
    let (cr0, cr3, cr4) = cpu::control_registers();
    error!(target: "oops", "cr0 {cr0:x} cr3 {cr3:x} cr4 {cr4:x}");
}

fn fault_lines(frame: &TrapFrame, addr: VirtAddr) {
    error!(target: "oops", "cr2 {:016x} ({})", addr.as_u64(), layout::region(addr));
    if frame.vector == idt::PAGE_FAULT {
        error!(target: "oops", "error {:#x}: {}", frame.error, ErrorCode::from_bits_retain(frame.error));
    }
    if let Some((mm, vma)) = vma_of(addr) {
        error!(target: "oops", "vma: {vma} in mm {mm}");
    }
    for (level, entry) in pgtable::walk(mmu::current_root(), addr) {
        error!(target: "oops", "walk: level {level} entry {:016x}{}", entry.raw(), Bits(entry));
    }
}

/// Describes the current task's mapping at a user address, unless somebody holds what that takes.
fn vma_of(addr: VirtAddr) -> Option<(u64, VmaText)> {
    if !task::current::exists() || !addr.is_user() {
        return None;
    }
    let task = task::current();
    match task.mm_slot().try_lock().as_deref() {
        Some(TaskMm::User(mm)) => Some((mm.id().as_u64(), mm.describe_vma(addr.page())?)),
        _ => None,
    }
}

/// An entry's bits in the order of the manual, each by its letter.
struct Bits(Pte);

impl core::fmt::Display for Bits {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const LETTERS: [(PteFlags, &str); 11] = [
            (PteFlags::PRESENT, "P"),
            (PteFlags::WRITE, "W"),
            (PteFlags::USER, "U"),
            (PteFlags::PCD, "PCD"),
            (PteFlags::ACCESSED, "A"),
            (PteFlags::DIRTY, "D"),
            (PteFlags::HUGE, "PS"),
            (PteFlags::GLOBAL, "G"),
            (PteFlags::ANON, "anon"),
            (PteFlags::ZERO, "zero"),
            (PteFlags::NX, "NX"),
        ];
        let mut set = LETTERS
            .iter()
            .filter(|(bit, _)| self.0.flags().contains(*bit));
        set.try_for_each(|(_, letter)| write!(f, " {letter}"))
    }
}

fn task_lines() {
    if !task::current::exists() {
        error!(target: "oops", "no task yet: early boot");
        return;
    }
    let task = task::current();
    let stack = task.kstack().range();
    let (base, top) = (stack.start.start(), stack.end.start());
    error!(target: "oops", "task {}, kernel stack {} at {base:#x}..{top:#x}", Named(&task), task.kstack().slot());
    mm_line(&task);
}

fn mm_line(task: &Task) {
    let loaded = switch::this_cpu();
    let loaded = (
        loaded.loaded.as_u64(),
        if loaded.lazy { ", lazy" } else { "" },
    );
    match task.mm_slot().try_lock().as_deref() {
        Some(TaskMm::User(mm)) => {
            error!(target: "oops", "mm {} (own), CR3 holds mm {}{}", mm.id().as_u64(), loaded.0, loaded.1);
        }
        Some(TaskMm::Lazy(mm)) => {
            error!(target: "oops", "no mm, active_mm {} (borrowed), CR3 holds mm {}{}", mm.active().as_u64(), loaded.0, loaded.1);
        }
        _ => error!(target: "oops", "mm unknown, CR3 holds mm {}{}", loaded.0, loaded.1),
    }
}

/// A task's name and number without waiting for its lock.
struct Named<'a>(&'a Task);

impl core::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0.try_name() {
            Some(name) => write!(f, "{name}[{}]", self.0.tid()),
            None => write!(f, "?[{}]", self.0.tid()),
        }
    }
}

fn trace_from(frame: &TrapFrame) {
    if frame.from_user() {
        return;
    }
    error!(target: "oops", "backtrace:");
    error!(target: "oops", "  #0 {:#018x}", frame.rip);
    trace_frames(frame.rbp, 1);
}

fn trace(frame_pointer: u64) {
    error!(target: "panic", "backtrace:");
    trace_frames(frame_pointer, 0);
}

fn trace_frames(frame_pointer: u64, first: usize) {
    let mut number = first;
    backtrace::walk(frame_pointer, readable, |address| {
        if number >= MAX_FRAMES {
            return;
        }
        error!(target: "oops", "  #{number} {address:#018x}");
        number += 1;
    });
}

/// Whether a word of the kernel half can be read without a fault.
fn readable(addr: VirtAddr) -> bool {
    addr.is_kernel_half() && pgtable::leaf(init_mm_root(), addr).is_some()
}

fn dump(rsp: u64) {
    error!(target: "oops", "stack:");
    let words = (0..DUMP_WORDS)
        .map_while(|word| read_kernel_word(VirtAddr::new((rsp & !7).wrapping_add(word * 8))));
    let mut line = arrayvec::ArrayVec::<u64, 4>::new();
    for word in words {
        line.push(word);
        if line.is_full() {
            error!(target: "oops", "  {:016x} {:016x} {:016x} {:016x}", line[0], line[1], line[2], line[3]);
            line.clear();
        }
    }
}

fn audit_line() {
    match audit::check_upper_halves() {
        Ok(pml4s) => {
            error!(target: "oops", "audit: the upper halves of {pml4s} PML4s are identical")
        }
        Err(error) => error!(target: "oops", "audit: {error}"),
    }
    fsck_lines();
}

/// Whether page tables, mappings and frames agree, as far as nobody holds their locks.
fn fsck_lines() {
    let mut lines = 0;
    let report = fsck::run(&mut |what| {
        lines += 1;
        if lines <= MAX_FINDINGS {
            error!(target: "oops", "fsck: {what}");
        }
    });
    error!(target: "oops", "fsck: {} findings; {report}", report.findings);
}
