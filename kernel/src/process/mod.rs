//! Processes: what a program is besides its task and its address space.
//!
//! Read in this order:
//! 1. This file: the [`Process`] and what it owns. [`tree`]: who is whose child.
//! 2. [`image`]: a new address space for a program; [`layout`]: where its parts go. [`exec`], [`fork`], [`exit`], [`wait`]: the life
//!    of a process. [`init`]: the first one.
//! 3. [`signal`]: how one process reaches another. [`fault`]: how a program reaches itself. [`deliver`]: how
//!    handlers start, [`sigreturn`]: how they return. [`stop`]: processes that stop and go on. [`alarm`]: a signal at a time. [`oom`]: who ends when there is no memory.
//! 4. [`futex`]: sleeping on a word of memory. [`limits`], [`usage`], [`view`] and `status` (what `/proc/PID` shows), [`power`] (how it all ends).
//!
//! A process has one task in this kernel. Its own fields are each under a lock of their own; no two
//! of them are held together. The tree's lock comes before them.

pub mod alarm;
pub mod deliver;
pub mod exec;
pub mod exit;
pub mod fault;
pub mod fork;
pub mod futex;
pub mod image;
pub mod init;
pub mod layout;
pub mod limits;
pub mod oom;
pub mod power;
pub mod restart;
pub mod signal;
pub mod sigreturn;
mod status;
pub mod stop;
pub mod tree;
pub mod usage;
pub mod view;
pub mod wait;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::{Deref, Range};
use core::sync::atomic::{AtomicU32, AtomicU64};

use crate::fs::fdtable::FdTable;
use crate::fs::{InodeRef, OpenFile};
use crate::locks::{SpinLock, WaitQueue, rank};
use crate::task::{self, Owner, Task, TaskRef};

pub use abi::process::ExitStatus;
pub use deliver::handle_pending;
pub use exit::exit_current;
pub use fault::{Fault, kill_by_fault, signal_fault};
pub use init::start_init;

use fork::VforkDone;
use limits::Limits;
use restart::RestartBlock;
use sigstate::SignalState;

/// A lock of one of a process's own fields.
type Field<T> = SpinLock<T, { rank::SOURCE }>;

/// A process.
pub struct Process {
    pid: u32,
    task: Field<Weak<Task>>,
    files: Field<FdTable>,
    place: Field<Place>,
    signals: Field<SignalState>,
    trap: fault::LastTrap,
    limits: Field<Limits>,
    program: Field<Program>,
    /// The parent that sleeps until this process has released its memory.
    vfork: Field<Option<Arc<VforkDone>>>,
    /// What sends it SIGALRM.
    alarm: Field<alarm::Alarm>,
    /// Where an interrupted call goes on.
    restart: Field<Option<RestartBlock>>,
    /// Whose behaviour the program asked for: bits of [`Persona`](abi::process::Persona).
    persona: AtomicU32,
    /// Where to store 0 when the process ends and others share its memory; 0 for nowhere.
    pub(crate) clear_child_tid: AtomicU64,
    /// The most pages in memory of the programs it ran before.
    peak_rss: AtomicU64,
    /// What happens to it when there is no memory.
    pub(crate) oom: oom::OomState,
    /// Head of the list of robust futexes; 0 for none.
    pub(crate) robust_list: AtomicU64,
    /// Wakes the process when a child ends.
    child_changed: WaitQueue,
    /// Wakes the process when it is stopped and may go on.
    continued: WaitQueue,
}

/// Where a process is in the tree of files.
#[derive(Clone)]
pub struct Place {
    /// The working directory.
    pub cwd: InodeRef,
    /// Permission bits that new files do not get.
    pub umask: u32,
}

/// The program a process runs.
#[derive(Clone, Default)]
pub struct Program {
    /// Its path in the tree.
    pub exe: Vec<u8>,
    /// Where its argument strings are.
    pub arguments: Range<u64>,
}

/// The process whose program called, for the code that serves it.
pub struct Current(task::Current);

/// Returns the current process; only user tasks have one.
pub fn current() -> Current {
    Current(task::current())
}

/// Returns the number of the current process for a log line; 0 in a kernel thread.
pub fn pid_for_log() -> u32 {
    if !task::current::exists() {
        return 0;
    }
    of_owner(task::current().owner()).map_or(0, Process::pid)
}

fn of_owner(owner: Option<&Owner>) -> Option<&Process> {
    owner.and_then(|owner| owner.downcast_ref::<Process>())
}

impl Deref for Current {
    type Target = Process;

    fn deref(&self) -> &Process {
        of_owner(self.0.owner()).expect("only a user task asks for its process")
    }
}

impl Process {
    /// Returns the number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the task, as long as it lives.
    pub fn task(&self) -> Option<TaskRef> {
        self.task.lock().upgrade()
    }

    /// Calls `visit` with the descriptors; what it takes out is to be dropped outside.
    pub fn with_files<R>(&self, visit: impl FnOnce(&mut FdTable) -> R) -> R {
        visit(&mut self.files.lock())
    }

    /// Returns the open file that `fd` stands for.
    pub fn file(&self, fd: i32) -> Option<Arc<OpenFile>> {
        self.files.lock().get(fd)
    }

    /// Returns the working directory.
    pub fn cwd(&self) -> InodeRef {
        self.place.lock().cwd.clone()
    }

    /// Changes the working directory.
    pub fn set_cwd(&self, cwd: InodeRef) {
        let old = core::mem::replace(&mut self.place.lock().cwd, cwd);
        drop(old); // outside the lock: it may be the last reference to a directory
    }

    /// Returns the mask of permission bits that new files do not get.
    pub fn umask(&self) -> u32 {
        self.place.lock().umask
    }

    /// Sets the mask of permission bits and returns the old one.
    pub fn set_umask(&self, umask: u32) -> u32 {
        core::mem::replace(&mut self.place.lock().umask, umask)
    }

    /// Returns what program it runs.
    pub fn program(&self) -> Program {
        self.program.lock().clone()
    }

    /// Calls `visit` with the signal state.
    pub fn with_signals<R>(&self, visit: impl FnOnce(&mut SignalState) -> R) -> R {
        visit(&mut self.signals.lock())
    }

    /// Calls `visit` with the resource limits.
    pub fn with_limits<R>(&self, visit: impl FnOnce(&mut Limits) -> R) -> R {
        visit(&mut self.limits.lock())
    }

    /// Returns how many descriptors it may have.
    pub fn fd_limit(&self) -> u64 {
        self.limits.lock().open_files()
    }
}
