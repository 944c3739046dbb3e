//! The signal state of a process, and what arrives there.

use alloc::boxed::Box;

use abi::linux::{
    SA_EXPOSE_TAGBITS, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_NODEFER, SA_ONSTACK, SA_RESETHAND,
    SA_RESTART, SA_RESTORER, SA_SIGINFO,
};
use abi::siginfo::SigInfo;
use abi::signal::{DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigAltStack};
use abi::{SigSet, Signal};

use crate::queue::{Full, Queue};

/// The flags that are kept; a program finds out in this way which ones there are.
const KNOWN_FLAGS: u64 = (SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND
    | SA_EXPOSE_TAGBITS
    | SA_RESTORER) as u64;

/// The signal state of a process with one thread.
#[derive(Clone, Debug)]
pub struct SignalState {
    pub(crate) actions: Box<[SigAction]>,
    pub(crate) blocked: SigSet,
    /// What is blocked again once a handler has run, or none was needed (`rt_sigsuspend`).
    pub(crate) saved_mask: Option<SigSet>,
    /// What `rt_sigtimedwait` sleeps for: neither ignored nor acted upon.
    pub(crate) awaited: SigSet,
    /// Sent to the thread.
    pub(crate) private: Queue,
    /// Sent to the process.
    pub(crate) shared: Queue,
    /// Whether it ignores what it has no handler for, as init does.
    pub(crate) protected: bool,
    /// Whether it is stopped, or about to stop.
    pub(crate) stopped: bool,
    /// The alternate stack.
    pub stack: SigAltStack,
}

/// To whom a signal goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The process as a whole.
    Process,
    /// Its thread.
    Thread,
}

/// What the sender of a signal has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the process does not notice by itself"]
pub enum Effect {
    /// Nothing: it is ignored, or blocked.
    None,
    /// Make the process look for signals.
    Notify,
    /// End the process, whatever it does.
    Kill,
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

impl SignalState {
    /// Everything as it is by default; a `protected` process ignores what it has no handler for.
    pub fn new(protected: bool) -> Self {
        Self {
            actions: alloc::vec![SigAction::default(); Signal::COUNT].into_boxed_slice(),
            blocked: SigSet::EMPTY,
            saved_mask: None,
            awaited: SigSet::EMPTY,
            private: Queue::new(),
            shared: Queue::new(),
            protected,
            stopped: false,
            stack: SigAltStack::NONE,
        }
    }

    /// Returns what a fork inherits: handlers, mask and alternate stack, and nothing that waits (FK-6).
    pub fn fork(&self) -> Self {
        Self {
            actions: self.actions.clone(),
            blocked: self.blocked,
            stack: self.stack,
            ..Self::new(false)
        }
    }

    /// Resets for a new program: handlers go, what is ignored stays so; mask and what waits are kept (EX-3).
    pub fn exec(&mut self) {
        for action in &mut self.actions {
            let handler = match action.handler {
                SIG_IGN => SIG_IGN,
                _ => SIG_DFL,
            };
            *action = SigAction {
                handler,
                ..SigAction::default()
            };
        }
        self.stack = SigAltStack {
            flags: self.stack.flags,
            ..SigAltStack::NONE
        };
    }

    /// Returns how a signal is taken.
    #[inline]
    pub fn action(&self, signal: Signal) -> SigAction {
        self.actions[signal.index()]
    }

    /// Changes how a signal is taken; one that is now ignored no longer waits.
    pub fn set_action(&mut self, signal: Signal, action: SigAction) {
        self.actions[signal.index()] = SigAction {
            mask: action.mask.minus(SigSet::UNMASKABLE),
            flags: action.flags & KNOWN_FLAGS,
            ..action
        };
        if self.is_ignored(signal) {
            self.flush(SigSet::EMPTY.with(signal));
        }
    }

    /// Returns what is blocked.
    pub fn blocked(&self) -> SigSet {
        self.blocked
    }

    /// Changes what is blocked; nothing blocks KILL and STOP.
    pub fn change_mask(&mut self, change: MaskChange, set: SigSet) {
        let blocked = match change {
            MaskChange::Block => self.blocked.union(set),
            MaskChange::Unblock => self.blocked.minus(set),
            MaskChange::Set => set,
        };
        self.blocked = blocked.minus(SigSet::UNMASKABLE);
    }

    /// Blocks `set` until a handler has run: the mask in force now comes back with that.
    pub fn suspend_mask(&mut self, set: SigSet) {
        self.saved_mask = Some(self.blocked);
        self.change_mask(MaskChange::Set, set);
    }

    /// Takes [`suspend_mask`](Self::suspend_mask) back, if no handler has.
    pub fn restore_mask(&mut self) {
        if let Some(mask) = self.saved_mask.take() {
            self.blocked = mask;
        }
    }

    /// Keeps and announces what arrives of `set`, blocked or not, until [`end_wait`](Self::end_wait).
    pub fn begin_wait(&mut self, set: SigSet) {
        self.awaited = set.minus(SigSet::UNMASKABLE);
    }

    /// Ends [`begin_wait`](Self::begin_wait).
    pub fn end_wait(&mut self) {
        self.awaited = SigSet::EMPTY;
    }

    /// Returns what has arrived and waits, blocked or not.
    #[inline]
    pub fn pending(&self) -> SigSet {
        self.private.set().union(self.shared.set())
    }

    /// Returns what waits for the thread, and what waits for the process.
    pub fn pending_by_target(&self) -> [SigSet; 2] {
        [self.private.set(), self.shared.set()]
    }

    /// Returns how many signals wait with what is known about them.
    pub fn queued(&self) -> usize {
        self.private.len() + self.shared.len()
    }

    /// Returns whether [`take_next`](Self::take_next) has something to look at.
    #[inline]
    pub fn has_work(&self) -> bool {
        let closed = self.blocked.minus(self.awaited);
        !self.pending().minus(closed).is_empty()
    }

    /// Returns whether it is stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Lets it go on after all.
    pub fn resume(&mut self) {
        self.stopped = false;
    }

    /// Notes the arrival of a signal.
    ///
    /// # Errors
    /// [`Full`] if too many real-time signals wait.
    pub fn send(&mut self, info: SigInfo, signal: Signal, to: Target) -> Result<Effect, Full> {
        if signal == Signal::KILL && !self.protected {
            return Ok(Effect::Kill);
        }
        self.end_opposite(signal);
        let is_handled = !matches!(self.action(signal).handler, SIG_DFL | SIG_IGN);
        if !is_handled && !self.blocked.union(self.awaited).contains(signal) {
            if self.is_ignored(signal) {
                return Ok(Effect::None);
            }
            if self.is_deadly(signal) {
                return Ok(Effect::Kill);
            }
        }
        match to {
            Target::Process => self.shared.push(signal, info)?,
            Target::Thread => self.private.push(signal, info)?,
        }
        Ok(match self.blocked.minus(self.awaited).contains(signal) {
            true => Effect::None,
            false => Effect::Notify,
        })
    }

    /// Notes a signal that the program's own instruction caused: it is neither blocked nor ignored,
    /// not by init either (PF-12). Returns whether a handler will see it.
    pub fn force(&mut self, info: SigInfo, signal: Signal) -> bool {
        let action = &mut self.actions[signal.index()];
        let is_blocked = self.blocked.contains(signal);
        if is_blocked || action.handler == SIG_IGN {
            action.handler = SIG_DFL;
        }
        let has_handler = action.handler != SIG_DFL;
        self.blocked = self.blocked.without(signal);
        self.protected &= has_handler;
        // One that waits already is as good, and a full queue has room for the signal itself.
        let _ = self.private.push(signal, info);
        has_handler
    }

    /// Makes `signal` take its default action when it is forced: its handler cannot run.
    pub fn reset_action(&mut self, signal: Signal) {
        self.actions[signal.index()].handler = SIG_DFL;
    }

    /// A stop signal takes back a waiting CONT, and CONT a waiting stop and the stop itself.
    fn end_opposite(&mut self, signal: Signal) {
        if signal == Signal::CONT {
            self.flush(SigSet::STOPS);
            self.stopped = false;
        } else if SigSet::STOPS.contains(signal) {
            self.flush(SigSet::EMPTY.with(Signal::CONT));
        }
    }

    pub(crate) fn flush(&mut self, set: SigSet) {
        self.private.flush(set);
        self.shared.flush(set);
    }

    /// Says whether nothing happens when the signal comes through.
    #[inline]
    pub(crate) fn is_ignored(&self, signal: Signal) -> bool {
        let default = signal.default_action();
        match self.action(signal).handler {
            SIG_IGN => true,
            SIG_DFL => {
                self.protected || matches!(default, DefaultAction::Ignore | DefaultAction::Continue)
            }
            _ => false,
        }
    }

    /// Says whether the signal, coming through, ends the process.
    pub(crate) fn is_deadly(&self, signal: Signal) -> bool {
        let default = signal.default_action();
        self.action(signal).handler == SIG_DFL
            && !self.protected
            && matches!(default, DefaultAction::Terminate | DefaultAction::Core)
    }
}
