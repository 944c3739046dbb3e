//! Starting the other CPUs, one at a time, and what each does first.
//!
//! ```text
//!   the CPU that boots                              another CPU
//!   idle task with its stack, entry area
//!   code and parameters → low page
//!   INIT … 10 ms … start-up message ──────────────► trampoline: takes the ticket, 64-bit mode, own stack
//!   waits for the ticket (once more: start-up)      own segments, IDT, control bits, APIC
//!   waits until it is online ◄───────────────────── scheduler, online
//! ```
//!
//! A CPU that does not take its ticket in time loses it, is sent back to where it waits for a start, and is left out. The low pages are
//! empty again when all are up.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use acpi::Processors;
use addr::{Frame, FrameRange};
use lapic::{Command, Message};
use log::{error, info, warn};
use pte::{Pte, PteFlags};

use super::{handover, machine};
use crate::arch::trampoline::{self, Start, TICKET_WORD, start_vector};
use crate::arch::{apic, cpu};
use crate::locks::Once;
use crate::mm::kstack::Kstack;
use crate::mm::{Borrow, OutOfMemory, init_mm_root, physmap};
use crate::percpu::MAX_CPUS;
use crate::sched::{kthread, leave};
use crate::smp::{self, stop};
use crate::task::{TaskMm, TaskRef};
use crate::time;

/// Low pages needed: the code, and three levels of tables.
pub const LOW_FRAMES: u64 = 4;

const MS: u64 = 1_000_000;
/// How long a CPU is given after INIT.
const SETTLE: u64 = 10 * MS;
/// When the start-up message is sent once more.
const AGAIN: u64 = MS;
/// How long a CPU may take to answer: much more than it needs, for an emulator may not give it time.
const ANSWER: u64 = 1000 * MS;

/// What every CPU called first, for those that come back.
static ENTRY: Once<Entry> = Once::new();

/// What a CPU calls first, with its number.
pub type Entry = extern "C" fn(usize) -> !;

/// Why a CPU is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeftOut {
    /// It did not begin.
    NoAnswer,
    /// It began and did not get far.
    Lost,
    /// There was no memory for it.
    NoMemory,
}

/// Starts the CPUs that the firmware named, `limit` of them at most with the one that runs.
pub fn start_others(entry: Entry, limit: Option<usize>) {
    ENTRY.call_once(|| entry);
    let limit = limit.unwrap_or(MAX_CPUS).clamp(1, MAX_CPUS);
    let (named, low) = {
        let handover = handover::get().lock();
        (handover.processors.clone(), handover.low)
    };
    let running = apic::id();
    smp::set_apic_id(0, running);
    let wanted = wanted(&named, running, limit);
    if !wanted.is_empty() {
        match low {
            Some(low) => start_all(&wanted, entry, low),
            None => {
                warn!(target: "smp", "no four pages below 640 KiB are free: the other CPUs stay off")
            }
        }
    }
    let there = 1 + named.others(running).count();
    info!(target: "smp", "{} of {there} CPUs are up: {}; {}", smp::online().len(), smp::online(), apic::mode_name());
}

/// The APICs of the CPUs to be started, in the firmware's order.
fn wanted(named: &Processors, running: u32, limit: usize) -> arrayvec::ArrayVec<u32, MAX_CPUS> {
    let reachable = named.others(running).filter(|&id| apic::reaches(id));
    reachable.take(limit - 1).collect()
}

fn start_all(apic_ids: &[u32], entry: Entry, low: FrameRange) {
    let pages = LowPages::new(low);
    // All at once: the time they are given then passes once.
    apic_ids.iter().for_each(|&id| send(id, Message::Init));
    wait(SETTLE, || false);
    let mut next = 1;
    for &apic_id in apic_ids {
        match start_one(&pages, next, apic_id, entry) {
            // The number of one that is lost belongs to whatever it still does.
            Ok(()) | Err(LeftOut::Lost) => next += 1,
            Err(LeftOut::NoAnswer | LeftOut::NoMemory) => {}
        }
    }
}

/// Starts CPU `cpu` once more, which has gone. Waits without sleeping.
///
/// # Errors
/// Why it is left out; it may be tried again.
pub fn start_again(cpu: usize) -> Result<(), LeftOut> {
    let low = handover::get().lock().low.ok_or(LeftOut::NoMemory)?;
    let entry = *ENTRY.get().expect("boot has started CPUs");
    let apic_id = smp::apic_id(cpu);
    stop::undisturbed(|| {
        send(apic_id, Message::Init);
        wait(SETTLE, || false);
        start_one(&LowPages::new(low), cpu, apic_id, entry)
    })
}

/// Tries to start a CPU that is not there, for a self test.
///
/// # Errors
/// Always, with why it is left out.
pub fn start_absent(apic_id: u32) -> Result<(), LeftOut> {
    extern "C" fn never(_: usize) -> ! {
        give_up("it is not there")
    }
    let low = handover::get().lock().low.ok_or(LeftOut::NoMemory)?;
    start_one(&LowPages::new(low), MAX_CPUS - 1, apic_id, never)
}

/// Starts the CPU with this APIC as CPU `cpu`, or tells why not.
fn start_one(pages: &LowPages, cpu: usize, apic_id: u32, entry: Entry) -> Result<(), LeftOut> {
    try_start(pages, cpu, apic_id, entry)
        .inspect_err(|why| error!(target: "smp", "the CPU with APIC {apic_id} is left out: {why}"))
}

fn try_start(pages: &LowPages, cpu: usize, apic_id: u32, entry: Entry) -> Result<(), LeftOut> {
    let stack = prepare(cpu).map_err(|OutOfMemory| LeftOut::NoMemory)?;
    smp::set_apic_id(cpu, apic_id);
    pages.fill(&Start {
        apic_id,
        cpu,
        stack,
        low_root: pages.root(),
        root: init_mm_root(),
        entry,
    });
    for patience in [AGAIN, ANSWER] {
        send(apic_id, Message::StartUp(start_vector(pages.code())));
        if wait(patience, || pages.ticket_is_taken()) {
            break;
        }
    }
    if !pages.take_ticket_back() {
        let online = wait(ANSWER, || smp::online().contains(cpu));
        return if online { Ok(()) } else { Err(LeftOut::Lost) };
    }
    send(apic_id, Message::Init);
    drop(leave::take_idle(cpu));
    Err(LeftOut::NoAnswer)
}

/// Makes what a CPU begins with; returns the top of its stack.
fn prepare(cpu: usize) -> Result<addr::VirtAddr, OutOfMemory> {
    machine::map_entry_area(cpu)?;
    let idle = match leave::take_idle(cpu) {
        Some(idle) => idle,
        None => kthread::adopt_idle(Kstack::new()?),
    };
    // One that has been here before gave back what it stood on.
    *idle.mm_slot().lock() = TaskMm::Lazy(Borrow::init());
    let top = idle.kstack().top();
    leave::keep_idle(cpu, idle);
    Ok(top)
}

/// Returns the idle task that was made for this CPU: the flow of control that asks becomes it.
pub fn idle_task(cpu: usize) -> TaskRef {
    leave::take_idle(cpu).expect("a CPU is started with an idle task")
}

/// Stops a CPU that cannot run this kernel; who started it leaves it out.
pub fn give_up(why: &str) -> ! {
    error!(target: "smp", "this CPU cannot be used: {why}");
    cpu::halt()
}

fn send(to: u32, message: Message) {
    apic::send(Command { to, message });
}

/// Waits until `done`, at most so many ns; returns whether it was.
fn wait(at_most: u64, done: impl Fn() -> bool) -> bool {
    let end = time::now_ns() + at_most;
    while !done() {
        if time::now_ns() >= end {
            return done();
        }
        cpu::relax();
    }
    true
}

/// The pages below 640 KiB that CPUs start in.
struct LowPages(FrameRange);

impl LowPages {
    /// Makes the tables: the lowest 2 MiB where they are, and the kernel half.
    fn new(frames: FrameRange) -> Self {
        let pages = Self(frames);
        frames.iter().for_each(physmap::zero);
        let [root, middle, large] = [1, 2, 3].map(|nth| pages.nth(nth));
        physmap::copy_upper_half(root, init_mm_root());
        let code = PteFlags::PRESENT | PteFlags::WRITE | PteFlags::HUGE;
        let entries = [
            (root, Pte::kernel_table(middle)),
            (middle, Pte::kernel_table(large)),
            (large, Pte::new(Frame::new(0), code)),
        ];
        for (table, entry) in entries {
            physmap::table(table)[0].store(entry.raw(), Relaxed);
        }
        pages
    }

    fn nth(&self, nth: u64) -> Frame {
        self.0.start.add(nth)
    }

    fn code(&self) -> Frame {
        self.nth(0)
    }

    fn root(&self) -> Frame {
        self.nth(1)
    }

    fn fill(&self, start: &Start) {
        physmap::write(self.code(), 0, &trampoline::image(self.code(), start));
    }

    fn ticket_is_taken(&self) -> bool {
        physmap::table(self.code())[TICKET_WORD].load(Acquire) == 0
    }

    /// Takes the ticket back; returns whether it was still there.
    fn take_ticket_back(&self) -> bool {
        physmap::table(self.code())[TICKET_WORD].swap(0, AcqRel) != 0
    }
}

impl Drop for LowPages {
    /// Nobody is on these tables any more: who was started has left them, who was late was sent back to wait for a start.
    fn drop(&mut self) {
        self.0.iter().for_each(physmap::zero);
    }
}

impl core::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "it does not answer",
            Self::Lost => "it began and was not heard of again",
            Self::NoMemory => "there is no memory for it",
        })
    }
}
