//! Kernel threads as programs see them: in `/proc`, without memory and files, and deaf to signals.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt::{self, Write};
use core::ops::Range;

use cred::{Cred, program};

use super::creds;
use super::signal::SendError;
use super::stat::priority;
use super::status::cpus;
use super::tree;
use super::usage::Usage;
use crate::fs::procfs::registry::ProcessFacts;
use crate::fs::{self, Location, OpenFile};
use crate::mm::MmUserRef;
use crate::sched::policy;
use crate::task::{self, Name, TaskRef};

/// Linux's flags of a kernel thread in `/proc/PID/stat`: that it is one, is not frozen, and has executed nothing.
const FLAGS: u32 = 0x0020_8040;
/// And that its CPUs cannot be changed.
const NO_SETAFFINITY: u32 = 0x0400_0000;

/// A kernel thread in `/proc`.
pub struct KernelThread {
    task: TaskRef,
    number: u32,
}

/// Finds the kernel thread with this number.
pub fn find(number: u32) -> Option<Arc<KernelThread>> {
    let task = tree::find_kthread(number)?;
    Some(Arc::new(KernelThread { task, number }))
}

/// Returns the kernel thread behind a view, if it is of one.
pub fn of(facts: &dyn ProcessFacts) -> Option<&KernelThread> {
    facts.as_any().downcast_ref()
}

/// Decides what becomes of a signal to the kernel thread with this number: who may send one may, and nothing comes of it.
///
/// # Errors
/// There is none, or it is not for the caller to signal what is root's.
pub fn ignore_signal(number: u32) -> Result<(), SendError> {
    tree::find_kthread(number).ok_or(SendError::NoProcess)?;
    match program::may_signal(&creds::cred(), &Cred::root()) {
        true => Ok(()),
        false => Err(SendError::NotAllowed),
    }
}

impl KernelThread {
    fn state(&self) -> &'static str {
        match self.task.state() {
            task::RUNNABLE => "R (running)",
            task::PARKED => "P (parked)",
            task::DEAD => "X (dead)",
            _ => "S (sleeping)",
        }
    }

    fn is_bound(&self) -> bool {
        self.task
            .kthread()
            .is_some_and(|control| control.is_bound())
    }

    /// Writes its line of `/proc/PID/stat`.
    pub(super) fn stat(&self, out: &mut dyn Write) -> fmt::Result {
        let state = self.state().get(..1).unwrap_or("R");
        let flags = FLAGS | if self.is_bound() { NO_SETAFFINITY } else { 0 };
        let usage = Usage::of_task(&self.task);
        let (user, system) = usage.ticks();
        let params = policy::params(&self.task);
        write!(out, "{} ({}) {state} ", self.number, self.task.name())?;
        write!(out, "0 0 0 0 -1 {flags} {} 0 0 0 ", usage.min_faults)?;
        write!(out, "{user} {system} 0 0 ")?;
        let (priority, nice) = (priority(&params), params.nice);
        write!(out, "{priority} {nice} 1 0 0 0 0 {} ", u64::MAX)?;
        write!(out, "0 0 0 0 0 0 0 {} 0 1 0 0 17 ", i32::MAX)?;
        let (cpu, rt, policy) = (self.task.cpu(), params.rt_priority, params.policy as u32);
        writeln!(out, "{cpu} {rt} {policy} 0 0 0 0 0 0 0 0 0 0 0")
    }

    /// Writes its `/proc/PID/status`.
    pub(super) fn status(&self, out: &mut dyn Write) -> fmt::Result {
        const EVERYTHING: u64 = (1 << 41) - 1;
        let (name, number, state) = (self.task.name(), self.number, self.state());
        writeln!(out, "Name:\t{name}\nUmask:\t0022\nState:\t{state}")?;
        writeln!(out, "Tgid:\t{number}\nNgid:\t0\nPid:\t{number}")?;
        writeln!(out, "PPid:\t0\nTracerPid:\t0")?;
        writeln!(out, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0")?;
        writeln!(out, "FDSize:\t64\nGroups:\t ")?;
        writeln!(out, "NStgid:\t{number}\nNSpid:\t{number}")?;
        writeln!(out, "NSpgid:\t0\nNSsid:\t0\nKthread:\t1\nThreads:\t1")?;
        writeln!(out, "SigQ:\t0/0")?;
        for (name, set) in [
            ("SigPnd", 0),
            ("ShdPnd", 0),
            ("SigBlk", 0),
            ("SigIgn", u64::MAX),
            ("SigCgt", 0),
            ("CapInh", 0),
            ("CapPrm", EVERYTHING),
            ("CapEff", EVERYTHING),
            ("CapBnd", EVERYTHING),
            ("CapAmb", 0),
        ] {
            writeln!(out, "{name}:\t{set:016x}")?;
        }
        writeln!(out, "NoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0")?;
        cpus(policy::allowed(&self.task), out)
    }
}

impl ProcessFacts for KernelThread {
    fn name(&self) -> Name {
        self.task.name()
    }

    fn set_name(&self, _: &str) {}

    fn mm(&self) -> Option<MmUserRef> {
        None
    }

    fn exe(&self) -> Option<Location> {
        None
    }

    fn cwd(&self) -> Location {
        fs::root()
    }

    fn root(&self) -> Location {
        fs::root()
    }

    fn owner(&self) -> (u32, u32) {
        (0, 0)
    }

    fn arguments(&self) -> Range<u64> {
        0..0
    }

    fn file(&self, _: i32) -> Option<Arc<OpenFile>> {
        None
    }

    fn closes_on_exec(&self, _: i32) -> bool {
        false
    }

    fn next_fd(&self, _: i32) -> Option<i32> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
