//! A thread: one flow of control through a process's program.
//!
//! Its task hangs onto it as the owner. What it blocks and what was sent to it alone is with the signals of
//! its process ([`super::group`]), since who sends to the process looks at all threads.

use alloc::sync::Arc;
use core::ops::Deref;
use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

use cred::Cred;

use super::fault::LastTrap;
use super::fork::VforkDone;
use super::futex::Waiting;
use super::pi::PiState;
use super::restart::RestartBlock;
use super::{Field, Process};
use crate::locks::SpinLock;
use crate::task::{self, Task};

/// By how many ns the first program's sleeps may be longer than asked.
const DEFAULT_SLACK: u64 = 50_000;

/// A thread of a process.
pub struct Thread {
    pub(super) process: Arc<Process>,
    /// Its number; exec makes it the process's.
    tid: AtomicU32,
    /// Its slot among the threads of its process; set before it runs.
    slot: AtomicUsize,
    pub(super) trap: LastTrap,
    /// The parent that sleeps until this thread has released its memory.
    pub(super) vfork: Field<Option<Arc<VforkDone>>>,
    /// Where an interrupted call goes on.
    pub(super) restart: Field<Option<RestartBlock>>,
    /// Where to store 0 when the thread ends and others share its memory; 0 for nowhere.
    pub(crate) clear_child_tid: AtomicU64,
    /// Head of the list of robust futexes; 0 for none.
    pub(crate) robust_list: AtomicU64,
    /// What it is told while it waits for a futex.
    pub(super) waiting: Waiting,
    /// What it has to do with locks that lend priorities.
    pub(super) pi: PiState,
    /// Whether it has made a child process.
    pub(super) has_children: AtomicBool,
    /// Whether no program that it runs gets rights from set-id bits.
    pub(crate) no_new_privs: AtomicBool,
    /// The number of the signal that its process is sent when whoever made that ends; 0 for none.
    pub(super) parent_death: AtomicU8,
    /// Who it is.
    pub(super) cred: Field<Arc<Cred>>,
    /// By how many ns its sleeps may be longer than asked, and what that is by default. Nothing makes use of it.
    pub(crate) slack: [AtomicU64; 2],
}

/// The thread that called, for the code that serves it.
pub struct CurrentThread(task::Current);

/// Returns the current thread; only user tasks have one.
pub fn current_thread() -> CurrentThread {
    CurrentThread(task::current())
}

/// Returns the thread that a task runs; `None` for a kernel thread.
#[inline]
pub fn thread_of(task: &Task) -> Option<&Thread> {
    task.owner_as()
}

impl Deref for CurrentThread {
    type Target = Thread;

    #[inline]
    fn deref(&self) -> &Thread {
        thread_of(&self.0).expect("only a user task asks for its thread")
    }
}

impl Thread {
    /// Makes a thread of `process` with nothing in it, in slot 0.
    pub(super) fn new(process: Arc<Process>, tid: u32, cred: Arc<Cred>) -> Self {
        Self {
            process,
            tid: AtomicU32::new(tid),
            slot: AtomicUsize::new(0),
            trap: LastTrap::default(),
            vfork: SpinLock::new(None),
            restart: SpinLock::new(None),
            clear_child_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            waiting: Waiting::default(),
            pi: PiState::default(),
            has_children: AtomicBool::new(false),
            no_new_privs: AtomicBool::new(false),
            parent_death: AtomicU8::new(0),
            cred: SpinLock::new(cred),
            slack: [const { AtomicU64::new(DEFAULT_SLACK) }; 2],
        }
    }

    /// Returns its number.
    pub fn tid(&self) -> u32 {
        self.tid.load(Relaxed)
    }

    /// Gives it its process's number: it is the only thread left.
    pub(super) fn become_leader(&self) {
        self.tid.store(self.process.pid(), Relaxed);
    }

    /// Returns whether it has its process's number.
    pub fn is_leader(&self) -> bool {
        self.tid() == self.process.pid()
    }

    /// Returns its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns its slot among the threads of its process.
    #[inline]
    pub(super) fn slot(&self) -> usize {
        self.slot.load(Relaxed)
    }

    pub(super) fn set_slot(&self, slot: usize) {
        self.slot.store(slot, Relaxed);
    }

    /// Lets the parent that waits for this thread's memory go on.
    pub(super) fn complete_vfork(&self) {
        let vfork = self.vfork.lock().take();
        if let Some(vfork) = vfork {
            vfork.complete();
        }
    }
}
