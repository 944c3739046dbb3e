//! Which signal comes next, and what it asks for.

use abi::linux::{SA_NODEFER, SA_RESETHAND};
use abi::siginfo::SigInfo;
use abi::signal::{DefaultAction, SIG_DFL, SigAction, SigAltStack};
use abi::{SigSet, Signal};

use crate::queue::Queue;
use crate::state::SignalState;

/// What the process is to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Run a handler; then [`SignalState::handler_starts`] or, if that cannot be, a forced SIGSEGV.
    Handle {
        /// Which signal.
        signal: Signal,
        /// How it is taken.
        action: SigAction,
        /// What is known about it.
        info: SigInfo,
        /// What `rt_sigreturn` is to block again.
        mask: SigSet,
        /// The alternate stack in force.
        stack: SigAltStack,
    },
    /// End.
    Die(Signal),
    /// Stop until CONT or KILL.
    Stop(Stop),
}

/// A stop by default action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// Which signal.
    pub signal: Signal,
    /// Whether it is passed over in a process group that nobody would continue.
    pub spares_orphans: bool,
}

impl SignalState {
    /// Takes the next signal that is not blocked and asks for something; those that do not are forgotten.
    ///
    /// Faults come first, then those to the thread before those to the process, the lowest first (SF-7).
    pub fn take_next(&mut self) -> Option<Next> {
        while let Some((signal, info)) = self.take() {
            if let Some(next) = self.consequence(signal, info) {
                return Some(next);
            }
        }
        None
    }

    /// Takes one of `wanted` that waits, for `rt_sigtimedwait`.
    pub fn take_wanted(&mut self, wanted: SigSet) -> Option<(Signal, SigInfo)> {
        let wanted = wanted.minus(SigSet::UNMASKABLE);
        take_lowest(&mut self.private, wanted).or_else(|| take_lowest(&mut self.shared, wanted))
    }

    /// Returns whether one of `wanted` waits.
    pub fn waits(&self, wanted: SigSet) -> bool {
        !self.pending().intersection(wanted).is_empty()
    }

    /// Notes that a handler is about to run: what it blocks, and that the saved mask is in its frame (SF-5).
    pub fn handler_starts(&mut self, signal: Signal, action: &SigAction) {
        self.saved_mask = None;
        let mut blocked = self.blocked.union(action.mask);
        if action.flags & u64::from(SA_NODEFER) == 0 {
            blocked = blocked.with(signal);
        }
        self.blocked = blocked.minus(SigSet::UNMASKABLE);
        self.stack = self.stack.disarmed();
    }

    fn take(&mut self) -> Option<(Signal, SigInfo)> {
        let open = SigSet::ALL.minus(self.blocked);
        if let Some(fault) = self.private.first_fault(open) {
            return Some((fault, self.private.take(fault)));
        }
        take_lowest(&mut self.private, open).or_else(|| take_lowest(&mut self.shared, open))
    }

    fn consequence(&mut self, signal: Signal, info: SigInfo) -> Option<Next> {
        if self.is_ignored(signal) && !signal.is_unmaskable() {
            return None;
        }
        let action = self.action(signal);
        if action.handler != SIG_DFL {
            if action.flags & u64::from(SA_RESETHAND) != 0 {
                self.actions[signal.index()].handler = SIG_DFL;
            }
            return Some(Next::Handle {
                signal,
                action,
                info,
                mask: self.saved_mask.unwrap_or(self.blocked),
                stack: self.stack,
            });
        }
        match signal.default_action() {
            DefaultAction::Terminate | DefaultAction::Core => Some(Next::Die(signal)),
            DefaultAction::Stop if self.protected => None,
            DefaultAction::Stop => {
                self.stopped = true;
                Some(Next::Stop(Stop {
                    signal,
                    spares_orphans: signal != Signal::STOP,
                }))
            }
            DefaultAction::Ignore | DefaultAction::Continue => None,
        }
    }
}

/// Takes the lowest signal of `ready`, or the lowest of those that faults cause.
fn take_lowest(queue: &mut Queue, ready: SigSet) -> Option<(Signal, SigInfo)> {
    let ready = queue.set().intersection(ready);
    let synchronous = ready.intersection(SigSet::SYNCHRONOUS);
    let first = match synchronous.is_empty() {
        true => ready.first()?,
        false => synchronous.first()?,
    };
    Some((first, queue.take(first)))
}
