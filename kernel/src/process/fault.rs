//! Faults of programs: each becomes a signal that can be neither blocked nor ignored (PF-11, PF-12).

use abi::Signal;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::siginfo::SigInfo;
use addr::{Page, VirtAddr};
use arrayvec::ArrayString;
use sigframe::TrapInfo;

use super::thread::{Thread, current_thread};
use super::{ExitStatus, signal};
use crate::arch::trapframe::TrapFrame;
use crate::log::limit::{Allowed, RateLimit};
use crate::{task, time};

/// Deaths that are told of: as many as a busy test has, fewer than a loop of crashes.
static DEATHS: RateLimit = RateLimit::new(100);

/// The last fault of a thread, which every signal frame shows. Only its own task asks.
#[derive(Default)]
pub struct LastTrap {
    trapno: AtomicU64,
    error: AtomicU64,
    cr2: AtomicU64,
}

impl From<TrapInfo> for LastTrap {
    fn from(trap: TrapInfo) -> Self {
        Self {
            trapno: trap.trapno.into(),
            error: trap.error.into(),
            cr2: trap.cr2.into(),
        }
    }
}

/// What a fault of a program stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The signal.
    pub signal: Signal,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`.
    pub addr: u64,
    /// What CR2 held, if it is a page fault; other faults leave the last one's standing.
    pub cr2: Option<u64>,
}

/// Turns a fault of the current program into its signal. If no handler will see it, the log tells (PF-13).
pub fn signal_fault(frame: &TrapFrame, fault: &Fault, what: &str) {
    let thread: &Thread = &current_thread();
    thread.note_trap(frame, fault.cr2);
    let info = SigInfo::fault(fault.signal, fault.code, fault.addr);
    if !signal::with_current(thread, |signals| signals.force(info, fault.signal)) {
        report(frame, fault.addr, what);
    }
}

/// Forces a signal upon the current thread; returns whether a handler will see it.
pub fn force(signal: Signal, info: SigInfo) -> bool {
    signal::with_own(|signals| signals.force(info, signal))
}

/// Ends the current process by SIGKILL for what its fault could not get.
pub fn kill_by_fault(frame: &TrapFrame, addr: u64, what: &str) {
    report(frame, addr, what);
    let thread = current_thread();
    thread.process.end(ExitStatus::Signaled(Signal::KILL));
}

/// The line of a death. The address of a #GP is not known; Linux's line leaves it out as well.
fn report(frame: &TrapFrame, addr: u64, what: &str) {
    match DEATHS.ask(time::now_ns()) {
        Allowed::No => return,
        Allowed::Yes => {}
        Allowed::After(count) => {
            log::info!(target: "process", "{count} lines like the next were left out");
        }
    }
    let (name, pid) = (task::current().name(), current_thread().tid());
    let TrapFrame {
        rip, rsp, error, ..
    } = frame;
    let mut at = ArrayString::<24>::new();
    if addr != 0 || !(what.starts_with("general") || what.starts_with("trap")) {
        // An address has at most 16 digits.
        let _ = write!(at, " at {addr:x}");
    }
    let object =
        task::current_mm().and_then(|mm| mm.describe_object(Page::containing(VirtAddr::new(*rip))));
    let (within, object) = match &object {
        Some(object) => (" in ", object.as_str()),
        None => ("", ""),
    };
    log::info!(target: "process", "{name}[{pid}]: {what}{at} ip {rip:x} sp {rsp:x} error {error:x}{within}{object}");
}

impl Thread {
    /// Returns the last fault.
    pub fn trap(&self) -> TrapInfo {
        let LastTrap { trapno, error, cr2 } = &self.trap;
        TrapInfo {
            trapno: trapno.load(Relaxed),
            error: error.load(Relaxed),
            cr2: cr2.load(Relaxed),
        }
    }

    fn note_trap(&self, frame: &TrapFrame, cr2: Option<u64>) {
        self.trap.trapno.store(frame.vector, Relaxed);
        self.trap.error.store(frame.error, Relaxed);
        if let Some(cr2) = cr2 {
            self.trap.cr2.store(cr2, Relaxed);
        }
    }
}
