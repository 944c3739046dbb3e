//! Processes: what a program is besides its task and its address space.
//!
//! Read in this order:
//! 1. This file: the [`Process`] and what it owns. [`thread`]: a flow of control through it; [`group`]: its threads and
//!    their signals. [`tree`]: who is whose child.
//! 2. [`image`]: a new address space for a program; [`layout`]: where its parts go. [`exec`], [`fork`], [`exit`], [`wait`]: the life
//!    of a process. [`init`]: the first one.
//! 3. [`signal`]: how one process reaches another; `action`: how a signal is taken. [`fault`]: how a program reaches itself. [`signalfd`]: reading it. [`deliver`]: how
//!    handlers start, [`sigreturn`]: how they return. [`stop`]: processes that stop and go on. `terminal`: whose terminal it is. [`alarm`]: a signal at a time. [`oom`]: who ends when there is no memory.
//! 4. [`futex`]: sleeping on a word of memory, `robust`: the words of the dead. [`limits`], [`usage`], [`view`] and `status` (what `/proc/PID` shows), `parents` (what it wants of its family), [`account`] (CPU time), [`power`] (how it all ends).
//!
//! Each thread has a task of its own. A process's fields are each under a lock of their own; no two
//! of them are held together. The tree's lock comes before them.

pub mod account;
mod action;
pub mod alarm;
pub mod caller;
pub mod creds;
pub mod deliver;
pub mod exec;
pub mod exit;
pub mod fault;
pub mod fork;
pub mod futex;
pub mod group;
pub mod image;
pub mod init;
pub mod kernel_thread;
pub mod kin;
pub mod layout;
pub mod limits;
pub mod machine;
pub mod oom;
mod parents;
pub mod pi;
pub mod pidfd;
pub mod power;
pub mod restart;
mod robust;
pub mod settings;
pub mod sharing;
pub mod signal;
pub mod signalfd;
pub mod sigreturn;
mod stat;
mod status;
pub mod stop;
mod terminal;
pub mod thread;
pub mod timer;
pub mod tree;
pub mod usage;
pub mod uts;
pub mod vdso;
pub mod view;
pub mod wait;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, Range};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::fs::fdtable::FdTable;
use crate::fs::poll::PollQueue;
use crate::fs::tty::Tty;
use crate::fs::write_access::Running;
use crate::fs::{Location, OpenFile};
use crate::locks::{SpinLock, WaitQueue, rank};
use crate::mm::MmUserRef;
use crate::task::{self, TaskMm, TaskRef};
use crate::time;

pub use abi::process::ExitStatus;
pub use deliver::handle_pending;
pub use exit::{exit_group, exit_thread};
pub use fault::{Fault, kill_by_fault, signal_fault};
pub use init::start_init;
pub use thread::{Thread, current_thread};

use cred::Cred;
use group::Group;
use limits::Limits;
use sharing::Sharing;
use sigstate::{SignalState, Signals};

/// A lock of one of a process's own fields.
type Field<T> = SpinLock<T, { rank::SOURCE }>;

/// A process.
pub struct Process {
    pid: u32,
    /// Its parent, as the tree says; written under the tree's lock.
    parent: AtomicU32,
    /// When it was made, in ns since the machine began.
    started: u64,
    /// Its threads and their signals.
    group: Field<Group>,
    files: Sharing<FdTable>,
    place: Sharing<Place>,
    limits: Field<Limits>,
    program: Field<Program>,
    /// Its controlling terminal.
    terminal: Field<Option<Arc<Tty>>>,
    /// What sends it SIGALRM.
    alarm: Field<alarm::Alarm>,
    /// Its other timers.
    timers: Field<timer::Timers>,
    /// Whether there may be somebody who has to know when a signal is taken in another way: timers that were made, or kin. Never taken
    /// back.
    tells_actions: AtomicBool,
    /// Whether somebody waits for some of its CPU time to be over: a timer, or a limit.
    pub(crate) watches_cpu: AtomicBool,
    /// For which barriers among its threads it is registered.
    pub(crate) barriers: AtomicU32,
    /// The priority of its input and output.
    pub(crate) io_priority: AtomicU32,
    /// Whose behaviour the program asked for: bits of [`Persona`](abi::process::Persona).
    persona: AtomicU32,
    /// The most pages in memory of the programs it ran before.
    peak_rss: AtomicU64,
    /// What happens to it when there is no memory.
    pub(crate) oom: oom::OomState,
    /// Who is told when a signal is sent to it.
    pub(crate) signal_pollers: PollQueue,
    /// Who it is, as its first thread.
    cred: Field<Arc<Cred>>,
    /// Whether others of the same user may look into it.
    pub(crate) dumpable: AtomicBool,
    /// The processes with which it shares the handlers of signals, itself included; usually none.
    kin: Field<Option<kin::Kin>>,
    /// Whether it gets the children of its descendants that end.
    subreaper: AtomicBool,
    /// How many signals it was sent together with others; written under the tree's lock.
    spread: AtomicU32,
    /// Wakes the process when a child ends.
    child_changed: WaitQueue,
    /// Who polls descriptors of it and its threads.
    watchers: PollQueue,
    /// Wakes its threads when they are stopped and may go on.
    continued: WaitQueue,
    /// Wakes the thread that execs when another has left.
    left: WaitQueue,
}

/// Where a process is in the tree of files.
#[derive(Clone)]
pub struct Place {
    /// Where absolute paths begin.
    pub root: Location,
    /// The working directory.
    pub cwd: Location,
    /// Permission bits that new files do not get.
    pub umask: u32,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            root: crate::fs::root(),
            cwd: crate::fs::root(),
            umask: 0o022,
        }
    }
}

/// The program a process runs.
#[derive(Clone, Default)]
pub struct Program {
    /// Its file, which others may not write to.
    pub exe: Option<Running>,
    /// Where its argument strings are.
    pub arguments: Range<u64>,
    /// Where its environment is.
    pub environment: Range<u64>,
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
    thread::thread_of(&task::current()).map_or(0, |thread| thread.process.pid)
}

impl Deref for Current {
    type Target = Process;

    #[inline]
    fn deref(&self) -> &Process {
        let thread = thread::thread_of(&self.0);
        &thread
            .expect("only a user task asks for its process")
            .process
    }
}

impl Process {
    /// Returns the number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the parent's number; 0 for init.
    #[inline]
    pub fn parent(&self) -> u32 {
        self.parent.load(Relaxed)
    }

    /// Returns when it was made, in ns since the machine began.
    pub fn started_ns(&self) -> u64 {
        self.started
    }

    /// Returns the task of its first thread, or of another if that has ended; `None` once all have.
    pub fn task(&self) -> Option<TaskRef> {
        let group = self.group.lock();
        let first = group.find(self.pid).map(|(_, task)| task);
        first.or_else(|| group.tasks().next()).cloned()
    }

    /// Returns the task of one of its threads.
    pub fn task_of(&self, tid: u32) -> Option<TaskRef> {
        let group = self.group.lock();
        group.find(tid).map(|(_, task)| task.clone())
    }

    /// Returns the tasks of its threads.
    pub fn tasks(&self) -> Vec<TaskRef> {
        self.group.lock().tasks().cloned().collect()
    }

    /// Returns its address space, which a thread has until it ends.
    pub fn mm(&self) -> Option<MmUserRef> {
        let group = self.group.lock();
        group
            .tasks()
            .find_map(|task| match &*task.mm_slot().lock() {
                TaskMm::User(mm) => Some(mm.clone()),
                _ => None,
            })
    }

    /// Returns how many threads it has.
    pub fn threads(&self) -> usize {
        self.group.lock().live()
    }

    /// Returns whether it has to end.
    pub fn is_ending(&self) -> bool {
        self.group.lock().is_ending()
    }

    /// Ends it with all its threads as soon as each can. May be called in an interrupt.
    pub fn end(&self, status: ExitStatus) {
        self.group.lock().end(status, None);
    }

    /// Calls `visit` with the descriptors; what it takes out is to be dropped outside.
    #[inline]
    pub fn with_files<R>(&self, visit: impl FnOnce(&mut FdTable) -> R) -> R {
        self.files.with(|| self.own_tid(), visit)
    }

    /// Calls `visit` with the place in the tree of files; what it takes out is to be dropped outside.
    pub fn with_place<R>(&self, visit: impl FnOnce(&mut Place) -> R) -> R {
        self.place.with(|| self.own_tid(), visit)
    }

    /// Returns the number of the current thread if it is one of this process, else of the first.
    fn own_tid(&self) -> u32 {
        let task = task::current();
        let thread = thread::thread_of(&task);
        let own = thread.filter(|thread| core::ptr::eq(thread.process(), self));
        own.map_or(self.pid, Thread::tid)
    }

    /// Returns the open file that `fd` stands for.
    #[inline]
    pub fn file(&self, fd: i32) -> Option<Arc<OpenFile>> {
        self.with_files(|files| files.get(fd))
    }

    /// Returns the working directory.
    pub fn cwd(&self) -> Location {
        self.with_place(|place| place.cwd.clone())
    }

    /// Changes the working directory.
    pub fn set_cwd(&self, cwd: Location) {
        let old = self.with_place(|place| core::mem::replace(&mut place.cwd, cwd));
        drop(old); // outside the lock: it may be the last reference to a directory
    }

    /// Returns the mask of permission bits that new files do not get.
    pub fn umask(&self) -> u32 {
        self.with_place(|place| place.umask)
    }

    /// Sets the mask of permission bits and returns the old one.
    pub fn set_umask(&self, umask: u32) -> u32 {
        self.with_place(|place| core::mem::replace(&mut place.umask, umask))
    }

    /// Returns what program it runs.
    pub fn program(&self) -> Program {
        self.program.lock().clone()
    }

    /// Calls `visit` with the signal state.
    #[inline]
    pub fn with_signals<R>(&self, visit: impl FnOnce(&mut SignalState) -> R) -> R {
        visit(&mut self.group.lock().signals)
    }

    /// Calls `visit` with the signals as the thread with number `tid` has them, or the first that is there.
    fn with_signals_of<R>(&self, tid: u32, visit: impl FnOnce(&mut Signals<'_>) -> R) -> Option<R> {
        let mut group = self.group.lock();
        if group.live() == 0 {
            return None;
        }
        let mut signals = match group.find(tid) {
            Some((slot, _)) => group.signals.of(slot),
            None => group.signals.of_main(),
        };
        Some(visit(&mut signals))
    }

    /// Makes a record with nothing in it.
    fn empty(pid: u32, signals: SignalState, cred: Arc<Cred>) -> Self {
        Self {
            pid,
            parent: AtomicU32::new(0),
            started: time::now_ns(),
            group: SpinLock::new(Group::new(signals)),
            files: Sharing::new(FdTable::new()),
            place: Sharing::new(Place::default()),
            limits: SpinLock::new(Limits::new()),
            program: SpinLock::new(Program::default()),
            terminal: SpinLock::new(None),
            alarm: SpinLock::new(alarm::Alarm::default()),
            timers: SpinLock::new(timer::Timers::default()),
            tells_actions: AtomicBool::new(false),
            watches_cpu: AtomicBool::new(false),
            barriers: AtomicU32::new(0),
            io_priority: AtomicU32::new(0),
            persona: AtomicU32::new(0),
            peak_rss: AtomicU64::new(0),
            oom: oom::OomState::new(),
            spread: AtomicU32::new(0),
            signal_pollers: PollQueue::new(),
            cred: SpinLock::new(cred),
            dumpable: AtomicBool::new(true),
            kin: SpinLock::new(None),
            subreaper: AtomicBool::new(false),
            child_changed: WaitQueue::new(),
            watchers: PollQueue::new(),
            continued: WaitQueue::new(),
            left: WaitQueue::new(),
        }
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
