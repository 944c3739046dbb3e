//! Which signal comes next, and what it asks for.

use abi::linux::{SA_NODEFER, SA_RESETHAND, SA_RESTORER, SI_TIMER};
use abi::siginfo::SigInfo;
use abi::signal::{DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigAltStack};
use abi::{SigSet, Signal};

use crate::queue::Queue;
use crate::state::SignalState;
use crate::thread::Signals;

/// What the thread is to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Run a handler; if that cannot be, [`Signals::handler_cannot_start`] and a forced SIGSEGV.
    Handle(Delivery),
    /// End.
    Die(Signal),
    /// Stop until CONT or KILL, and the other threads with it.
    Stop(Stop),
    /// Stop, since another thread was told to.
    Park,
    /// Tell the timer that sent this that it was heard, though nothing happens; then ask again.
    PassOver(SigInfo),
}

/// A signal on its way to its handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Which one.
    pub signal: Signal,
    /// How it is taken: its handler is a function.
    pub action: SigAction,
    /// What is known about it.
    pub info: SigInfo,
    /// What `rt_sigreturn` is to block again.
    pub mask: SigSet,
    /// What was blocked when the signal was taken.
    pub blocked: SigSet,
    /// The alternate stack in force.
    pub stack: SigAltStack,
}

/// A stop by default action.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// Which signal.
    pub signal: Signal,
    /// Whether it is passed over in a process group that nobody would continue.
    pub spares_orphans: bool,
}

impl Signals<'_> {
    /// Takes the next signal that is not blocked and asks for something; those that do not are forgotten,
    /// but for [`Next::PassOver`]. What a handler blocks is blocked from here on (SF-5).
    ///
    /// Faults come first, then those to the thread before those to the process, the lowest first (SF-7).
    pub fn take_next(&mut self) -> Option<Next> {
        if self.is_stopped() {
            return Some(Next::Park);
        }
        loop {
            let (signal, is_private) = self.choose()?;
            let info = match is_private {
                true => self.own_mut().private.take(signal),
                false => self.process.shared.take(signal),
            };
            let action = self.action(signal);
            let next = match action.handler {
                SIG_IGN => None,
                SIG_DFL => self.process.default_consequence(signal),
                _ => Some(Next::Handle(self.deliver(signal, action, info))),
            };
            if next.is_some() {
                return next;
            }
            if info.code == SI_TIMER {
                return Some(Next::PassOver(info));
            }
        }
    }

    /// Takes one of `wanted` that waits, for `rt_sigtimedwait`.
    pub fn take_wanted(&mut self, wanted: SigSet) -> Option<(Signal, SigInfo)> {
        let wanted = wanted.minus(SigSet::UNMASKABLE);
        let private = take_lowest(&mut self.own_mut().private, wanted);
        private.or_else(|| take_lowest(&mut self.process.shared, wanted))
    }

    /// Returns whether one of `wanted` waits.
    pub fn waits(&self, wanted: SigSet) -> bool {
        !self.pending().intersection(wanted).is_empty()
    }

    /// Takes back what [`take_next`](Self::take_next) noted of a handler that could not start.
    pub fn handler_cannot_start(&mut self, delivery: &Delivery) {
        let own = self.own_mut();
        own.blocked = delivery.blocked;
        own.saved_mask = (delivery.mask != delivery.blocked).then_some(delivery.mask);
        own.stack = delivery.stack;
    }

    /// Says which signal comes next, and whether it was sent to the thread.
    fn choose(&self) -> Option<(Signal, bool)> {
        let own = self.own();
        let open = SigSet::ALL.minus(own.blocked);
        let private = own.private.set().intersection(open);
        if private.is_empty() {
            let shared = self.process.shared.set().intersection(open);
            return Some((lowest(shared)?, false));
        }
        let fault = own.private.first_fault(private);
        Some((fault.or_else(|| lowest(private))?, true))
    }

    #[inline(always)]
    fn deliver(&mut self, signal: Signal, action: SigAction, info: SigInfo) -> Delivery {
        if action.flags & u64::from(SA_RESETHAND) != 0 {
            self.process.reset_action(signal);
        }
        let own = self.own_mut();
        let delivery = Delivery {
            signal,
            action,
            info,
            mask: own.saved_mask.take().unwrap_or(own.blocked),
            blocked: own.blocked,
            stack: own.stack,
        };
        let mut blocked = own.blocked.union(action.mask);
        if action.flags & u64::from(SA_NODEFER) == 0 {
            blocked = blocked.with(signal);
        }
        own.blocked = blocked.minus(SigSet::UNMASKABLE);
        own.stack = own.stack.disarmed();
        delivery
    }
}

impl SignalState {
    fn default_consequence(&mut self, signal: Signal) -> Option<Next> {
        if self.is_ignored(signal) && !signal.is_unmaskable() {
            return None;
        }
        match signal.default_action() {
            DefaultAction::Terminate | DefaultAction::Core => Some(Next::Die(signal)),
            DefaultAction::Stop if self.protected => None,
            DefaultAction::Stop => {
                self.begin_stop(signal);
                Some(Next::Stop(Stop {
                    signal,
                    spares_orphans: signal != Signal::STOP,
                }))
            }
            DefaultAction::Ignore | DefaultAction::Continue => None,
        }
    }
}

/// Returns the lowest signal of a set, or the lowest of those in it that faults cause.
fn lowest(ready: SigSet) -> Option<Signal> {
    let synchronous = ready.intersection(SigSet::SYNCHRONOUS);
    match synchronous.is_empty() {
        true => ready.first(),
        false => synchronous.first(),
    }
}

fn take_lowest(queue: &mut Queue, ready: SigSet) -> Option<(Signal, SigInfo)> {
    let first = lowest(queue.set().intersection(ready))?;
    Some((first, queue.take(first)))
}

impl Delivery {
    /// Returns whether the handler could return: without `SA_RESTORER` it must not start (SF-4).
    #[inline]
    pub fn can_return(&self) -> bool {
        self.action.flags & u64::from(SA_RESTORER) != 0
    }
}
