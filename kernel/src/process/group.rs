//! The threads of a process and the signals that reach them: what one lock guards.
//!
//! A thread is in the group from the moment it can run until it leaves ([`Group::leave`]), which it does itself, with its memory
//! given up and before its task is dead: whoever holds the lock finds tasks that live. The last to leave ends the
//! process. Once the group is ending, or one thread of it execs, nobody joins any more.

use alloc::vec::Vec;

use abi::Signal;
use sigstate::{SignalState, Signals};

use super::thread::{Thread, thread_of};
use super::{ExitStatus, Process, usage::Usage};
use crate::sched;
use crate::task::{self, TaskRef};

/// What the lock of a process's threads guards.
pub struct Group {
    /// What the process and its threads do about signals.
    pub signals: SignalState,
    /// The tasks of the threads, by slot.
    tasks: Vec<Option<TaskRef>>,
    live: usize,
    /// How the process ends, once that is certain.
    ending: Option<ExitStatus>,
    /// Whether a thread that execs waits for the others to end.
    execs: bool,
    /// What the threads that have left used.
    past: Usage,
}

/// Why a thread could not join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinError {
    /// The process ends, stops, or has a signal to look at first: the call is to be made again.
    Busy,
    /// No memory.
    OutOfMemory,
}

/// What is left to do after a thread has left.
#[derive(Default)]
#[must_use = "somebody waits for it"]
pub struct Left {
    /// It was the last: how the process ended.
    pub ended: Option<ExitStatus>,
    /// The others have stopped for this, and the parent is to be told.
    pub stopped: Option<Signal>,
    _task: Option<TaskRef>,
}

impl Group {
    /// Makes the group of a process whose first thread has yet to [`begin`](Self::begin).
    pub const fn new(signals: SignalState) -> Self {
        Self {
            signals,
            tasks: Vec::new(),
            live: 0,
            ending: None,
            execs: false,
            past: Usage::NOTHING,
        }
    }

    /// Adds the first thread, which has slot 0 already.
    pub fn begin(&mut self, task: TaskRef) {
        self.put(0, task);
    }

    /// Adds a thread that the one in slot `maker` made; returns its slot.
    pub fn join(&mut self, maker: usize, task: TaskRef) -> Result<usize, JoinError> {
        let is_busy = self.ending.is_some() || self.execs || self.signals.is_stopped();
        if is_busy || task::current().has_signal_work() {
            return Err(JoinError::Busy);
        }
        let room = self.tasks.try_reserve(1);
        room.map_err(|_| JoinError::OutOfMemory)?;
        let slot = self.signals.add_thread(maker);
        let slot = slot.map_err(|sigstate::NoRoom| JoinError::OutOfMemory)?;
        self.put(slot, task);
        Ok(slot)
    }

    /// Takes the first thread out again: the process is not to be. The task is for the caller to drop.
    #[must_use = "it is dropped with no lock held"]
    pub fn abandon(&mut self) -> Option<TaskRef> {
        self.live = 0;
        self.tasks.pop().flatten()
    }

    fn put(&mut self, slot: usize, task: TaskRef) {
        if slot == self.tasks.len() {
            self.tasks.push(None);
        }
        self.tasks[slot] = Some(task);
        self.live += 1;
    }

    /// Takes out a thread that ends with `status`.
    pub fn leave(&mut self, thread: &Thread, status: ExitStatus) -> Left {
        let task = self.tasks[thread.slot()].take();
        let used = task.as_deref().map(Usage::of_task);
        self.past = self.past + used.unwrap_or_default();
        self.live -= 1;
        let stopped = self.signals.remove_thread(thread.slot());
        let how = self.ending.unwrap_or(status);
        let ended = (self.live == 0).then_some(how);
        if ended.is_none() {
            self.notify_others(thread.slot());
        }
        Left {
            ended,
            stopped,
            _task: task,
        }
    }

    /// Makes every thread but the one in slot `but` end, and the process with them; returns how it ends, since
    /// somebody else may have said so first. May be called in an interrupt.
    pub fn end(&mut self, status: ExitStatus, but: Option<usize>) -> ExitStatus {
        if let Some(ending) = self.ending {
            return ending;
        }
        self.ending = Some(status);
        let mark = match status {
            ExitStatus::Signaled(signal) => signal,
            ExitStatus::Exited(_) => Signal::KILL,
        };
        self.end_tasks(mark, but);
        status
    }

    /// Makes the others end so that the thread in `slot` can exec; returns false if the process ends already.
    pub fn begin_exec(&mut self, slot: usize) -> bool {
        if self.ending.is_some() || self.execs {
            return false;
        }
        self.execs = true;
        self.end_tasks(Signal::KILL, Some(slot));
        true
    }

    /// Ends [`begin_exec`](Self::begin_exec): the thread in `slot` is the only one, and the process's first.
    pub fn end_exec(&mut self, slot: usize) {
        self.execs = false;
        self.signals.set_main(slot);
    }

    fn end_tasks(&self, mark: Signal, but: Option<usize>) {
        for (slot, task) in self.slots() {
            if Some(slot) != but {
                sched::post_kill(task, mark.number());
            }
        }
    }

    /// Makes the thread in `slot` look for signals.
    pub fn notify(&self, slot: usize) {
        let Some(Some(task)) = self.tasks.get(slot) else {
            return;
        };
        let current = task::current();
        if current.is(task) && current.is_runnable() {
            // It runs here. One that an interrupt came in the way of may have been about to sleep, after it looked.
            current.set_signal_pending(true);
        } else {
            sched::post_signal(task);
        }
    }

    /// Makes the threads but the one in `slot` look for what concerns all, if there is something.
    #[inline]
    pub fn notify_others(&self, slot: usize) {
        if self.live > 1 && self.signals.concerns_all() {
            let others = self.signals.others_with_work(slot);
            others.for_each(|other| self.notify(other));
        }
    }

    /// Returns the signals as the thread in `slot` has them.
    #[inline]
    pub fn signals_of(&mut self, slot: usize) -> Signals<'_> {
        self.signals.of(slot)
    }

    /// Returns how many threads there are.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Returns whether the process has to end.
    pub fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Returns what the threads used, those that have left as well.
    pub fn usage(&self) -> Usage {
        let live = self.tasks().map(|task| Usage::of_task(task));
        live.fold(self.past, |sum, used| sum + used)
    }

    /// Returns the tasks of the threads.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskRef> {
        self.tasks.iter().flatten()
    }

    fn slots(&self) -> impl Iterator<Item = (usize, &TaskRef)> {
        let slots = self.tasks.iter().enumerate();
        slots.filter_map(|(slot, task)| Some((slot, task.as_ref()?)))
    }

    /// Finds a thread by its number: its slot and its task.
    pub fn find(&self, tid: u32) -> Option<(usize, &TaskRef)> {
        let is_it = |task: &TaskRef| thread_of(task).is_some_and(|thread| thread.tid() == tid);
        self.slots().find(|(_, task)| is_it(task))
    }

    /// Returns the lowest number of a thread at or above `from`.
    pub fn next_tid(&self, from: u32) -> Option<u32> {
        let tids = self.tasks().filter_map(|task| Some(thread_of(task)?.tid()));
        tids.filter(|tid| *tid >= from).min()
    }
}

impl Process {
    /// Returns the numbers of its threads.
    pub fn tids(&self) -> Vec<u32> {
        let group = self.group.lock();
        let tids = group
            .tasks()
            .filter_map(|task| Some(thread_of(task)?.tid()));
        tids.collect()
    }

    /// Returns the lowest number of a thread of it at or above `from`.
    pub fn next_tid(&self, from: u32) -> Option<u32> {
        self.group.lock().next_tid(from)
    }
}
