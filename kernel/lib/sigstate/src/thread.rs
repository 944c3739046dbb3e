//! What one thread does about signals: what it blocks, what was sent to it alone, where its handlers run.
//!
//! [`Signals`] is a thread's view of its process's [`SignalState`], with which it works on both.

use core::ops::{Deref, DerefMut};

use abi::siginfo::SigInfo;
use abi::signal::{SIG_DFL, SIG_IGN, SigAltStack};
use abi::{SigSet, Signal};

use crate::queue::Queue;
use crate::state::SignalState;

/// The signal state of one thread.
#[derive(Clone, Debug)]
pub(crate) struct ThreadSignals {
    pub(crate) blocked: SigSet,
    /// What is blocked again once a handler has run, or none was needed (`rt_sigsuspend`).
    pub(crate) saved_mask: Option<SigSet>,
    /// What `rt_sigtimedwait` sleeps for: neither ignored nor acted upon.
    pub(crate) awaited: SigSet,
    /// Sent to this thread.
    pub(crate) private: Queue,
    /// Whether it sleeps since its process is stopped.
    pub(crate) parked: bool,
    /// The alternate stack.
    pub(crate) stack: SigAltStack,
}

/// How a mask is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaskChange {
    /// These are blocked as well.
    Block,
    /// These are not blocked any more.
    Unblock,
    /// Exactly these are blocked.
    Set,
}

/// A process's signal state as one of its threads has it.
#[derive(Debug)]
pub struct Signals<'a> {
    pub(crate) process: &'a mut SignalState,
    pub(crate) slot: usize,
}

impl ThreadSignals {
    pub(crate) const fn new() -> Self {
        Self {
            blocked: SigSet::EMPTY,
            saved_mask: None,
            awaited: SigSet::EMPTY,
            private: Queue::new(),
            parked: false,
            stack: SigAltStack::NONE,
        }
    }

    /// Returns the state of a new flow of control that begins as this one: its mask, and nothing that waits (FK-6).
    pub(crate) fn heir(&self, stack: SigAltStack) -> Self {
        Self {
            blocked: self.blocked,
            stack,
            ..Self::new()
        }
    }

    /// Returns whether `signal` would be acted upon when it came.
    #[inline]
    pub(crate) fn is_open_to(&self, signal: Signal) -> bool {
        !self.blocked.minus(self.awaited).contains(signal)
    }

    /// Returns whether `shared` or what was sent to the thread has something that it does not block.
    #[inline]
    pub(crate) fn is_open_to_any(&self, shared: SigSet) -> bool {
        let closed = self.blocked.minus(self.awaited);
        !self.private.set().union(shared).minus(closed).is_empty()
    }
}

impl Signals<'_> {
    #[inline]
    pub(crate) fn own(&self) -> &ThreadSignals {
        self.process.thread(self.slot)
    }

    #[inline]
    pub(crate) fn own_mut(&mut self) -> &mut ThreadSignals {
        self.process.thread_mut(self.slot)
    }

    /// Returns what is blocked.
    pub fn blocked(&self) -> SigSet {
        self.own().blocked
    }

    /// Changes what is blocked; nothing blocks KILL and STOP.
    #[inline]
    pub fn change_mask(&mut self, change: MaskChange, set: SigSet) {
        let before = self.own().blocked;
        let blocked = match change {
            MaskChange::Block => before.union(set),
            MaskChange::Unblock => before.minus(set),
            MaskChange::Set => set,
        };
        self.own_mut().blocked = blocked.minus(SigSet::UNMASKABLE);
    }

    /// Blocks `set` until a handler has run: the mask in force now comes back with that.
    pub fn suspend_mask(&mut self, set: SigSet) {
        self.own_mut().saved_mask = Some(self.own().blocked);
        self.change_mask(MaskChange::Set, set);
    }

    /// Takes [`suspend_mask`](Self::suspend_mask) back, if no handler has.
    pub fn restore_mask(&mut self) {
        let own = self.own_mut();
        if let Some(mask) = own.saved_mask.take() {
            own.blocked = mask;
        }
    }

    /// Keeps and announces what arrives of `set`, blocked or not, until [`end_wait`](Self::end_wait).
    pub fn begin_wait(&mut self, set: SigSet) {
        self.own_mut().awaited = set.minus(SigSet::UNMASKABLE);
    }

    /// Ends [`begin_wait`](Self::begin_wait).
    pub fn end_wait(&mut self) {
        self.own_mut().awaited = SigSet::EMPTY;
    }

    /// Returns what has arrived for the thread or its process and waits, blocked or not.
    #[inline]
    pub fn pending(&self) -> SigSet {
        self.own().private.set().union(self.process.shared.set())
    }

    /// Returns what waits for the thread, and what waits for the process.
    pub fn pending_by_target(&self) -> [SigSet; 2] {
        [self.own().private.set(), self.process.shared.set()]
    }

    /// Returns how many signals wait with what is known about them.
    pub fn queued(&self) -> usize {
        self.own().private.len() + self.process.shared.len()
    }

    /// Returns whether [`take_next`](Self::take_next) has something to look at.
    #[inline]
    pub fn has_work(&self) -> bool {
        self.process.has_work(self.slot)
    }

    /// Notes a signal that the program's own instruction caused: it is neither blocked nor ignored,
    /// not by init either (PF-12). Returns whether a handler will see it.
    pub fn force(&mut self, info: SigInfo, signal: Signal) -> bool {
        let is_blocked = self.own().blocked.contains(signal);
        let action = &mut self.process.actions[signal.index()];
        if is_blocked || action.handler == SIG_IGN {
            action.handler = SIG_DFL;
        }
        let has_handler = action.handler != SIG_DFL;
        self.process.protected &= has_handler;
        let limit = self.process.limit;
        let own = self.own_mut();
        own.blocked = own.blocked.without(signal);
        // One that waits already is as good, and a full queue has room for the signal itself.
        let _ = own.private.push(signal, info, limit);
        has_handler
    }

    /// Returns the alternate stack.
    #[inline]
    pub fn stack(&self) -> &SigAltStack {
        &self.own().stack
    }

    /// Returns the alternate stack, to be changed.
    #[inline]
    pub fn stack_mut(&mut self) -> &mut SigAltStack {
        &mut self.own_mut().stack
    }
}

impl Deref for Signals<'_> {
    type Target = SignalState;

    fn deref(&self) -> &SignalState {
        self.process
    }
}

impl DerefMut for Signals<'_> {
    fn deref_mut(&mut self) -> &mut SignalState {
        self.process
    }
}
