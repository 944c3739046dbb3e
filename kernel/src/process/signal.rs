//! Signals: what a process does about them, and how they reach it.
//!
//! Dispositions and masks are kept as Linux keeps them, and a signal whose default is to end the
//! process ends it. Handlers do not run yet: a signal for which one is installed ends the process,
//! and the log says so; where the default would be to ignore it, it stays pending.

use alloc::boxed::Box;

use abi::signal::{DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigAltStack};
use abi::{SigSet, Signal};

use super::{Process, tree};
use crate::sched;
use crate::task;

/// How many signals there are.
const COUNT: usize = Signal::COUNT;

/// The signal state of a process.
#[derive(Clone)]
pub struct Signals {
    actions: Box<[SigAction]>,
    blocked: SigSet,
    pending: SigSet,
    /// The alternate stack.
    pub alt_stack: SigAltStack,
}

/// What becomes of a signal that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrival {
    /// Nothing.
    Ignored,
    /// It waits to be unblocked, or for a kernel that runs handlers.
    Pending,
    /// It ends the process.
    Ends,
    /// It would run a handler, and ends the process since that cannot be done yet.
    EndsForWantOfHandler,
}

/// Why a signal was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// There is no such process.
    NoProcess,
    /// It would stop the process, which this kernel cannot.
    Unsupported,
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

impl Signals {
    /// Everything as it is by default.
    pub fn new() -> Self {
        Self {
            actions: alloc::vec![SigAction::default(); COUNT].into_boxed_slice(),
            blocked: SigSet::EMPTY,
            pending: SigSet::EMPTY,
            alt_stack: SigAltStack::DISABLED,
        }
    }

    /// Returns what a fork inherits: everything but what is pending.
    pub fn fork(&self) -> Self {
        Self {
            pending: SigSet::EMPTY,
            ..self.clone()
        }
    }

    /// Resets for a new program: handlers go, what is ignored stays ignored (EX-3).
    pub fn exec(&mut self) {
        for action in &mut self.actions {
            let handler = if action.handler == SIG_IGN {
                SIG_IGN
            } else {
                SIG_DFL
            };
            *action = SigAction {
                handler,
                ..SigAction::default()
            };
        }
        self.alt_stack = SigAltStack::DISABLED;
    }

    /// Returns how a signal is taken.
    pub fn action(&self, signal: Signal) -> SigAction {
        self.actions[signal.index()]
    }

    /// Changes how a signal is taken; one that is now ignored is no longer pending.
    pub fn set_action(&mut self, signal: Signal, action: SigAction) {
        let mask = action.mask.minus(SigSet::UNMASKABLE);
        self.actions[signal.index()] = SigAction { mask, ..action };
        if self.arrival(signal) == Arrival::Ignored {
            self.pending = self.pending.without(signal);
        }
    }

    /// Returns what is blocked.
    pub fn blocked(&self) -> SigSet {
        self.blocked
    }

    /// Returns what has arrived and waits.
    pub fn pending(&self) -> SigSet {
        self.pending
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

    /// Takes a pending signal that is no longer blocked and that ends the process.
    fn take_deadly(&mut self) -> Option<(Signal, Arrival)> {
        let ready = self.pending.minus(self.blocked);
        let deadly = ready.iter().map(|signal| (signal, self.arrival(signal)));
        let found = deadly.into_iter().find(|(_, arrival)| {
            matches!(arrival, Arrival::Ends | Arrival::EndsForWantOfHandler)
        })?;
        self.pending = self.pending.without(found.0);
        Some(found)
    }

    /// Notes the arrival of a signal and says what it does.
    fn arrive(&mut self, signal: Signal) -> Arrival {
        let arrival = match self.blocked.contains(signal) {
            true if self.arrival(signal) != Arrival::Ignored => Arrival::Pending,
            _ => self.arrival(signal),
        };
        if arrival == Arrival::Pending {
            self.pending = self.pending.with(signal);
        }
        arrival
    }

    /// What the signal does when it is not blocked.
    fn arrival(&self, signal: Signal) -> Arrival {
        let default = signal.default_action();
        let is_ignored_by_default =
            matches!(default, DefaultAction::Ignore | DefaultAction::Continue);
        match self.action(signal).handler {
            SIG_IGN => Arrival::Ignored,
            SIG_DFL if is_ignored_by_default => Arrival::Ignored,
            SIG_DFL => Arrival::Ends,
            _ if is_ignored_by_default => Arrival::Pending,
            _ => Arrival::EndsForWantOfHandler,
        }
    }
}

/// Sends `signal` to `process`, as another process does.
///
/// Init takes only signals it has a handler for: nobody may end it this way.
pub fn send(process: &Process, signal: Signal) -> Result<(), SendError> {
    let action = process.with_signals(|signals| signals.action(signal));
    if action.handler == SIG_DFL && signal.default_action() == DefaultAction::Stop {
        return Err(SendError::Unsupported);
    }
    if process.pid() == tree::INIT && action.handler == SIG_DFL {
        return Ok(());
    }
    deliver(process, signal);
    Ok(())
}

/// Sends `signal` to the process with this number; `None` only asks whether it is there.
pub fn send_to(pid: u32, signal: Option<Signal>) -> Result<(), SendError> {
    let process = tree::find(pid).ok_or(SendError::NoProcess)?;
    signal.map_or(Ok(()), |signal| send(&process, signal))
}

/// Lets the current process feel a signal that its own call caused, such as SIGPIPE.
pub fn raise(signal: Signal) {
    deliver(&super::current(), signal);
}

/// Acts on what a change of the mask has let through to the current process.
pub fn deliver_unblocked() {
    let process = super::current();
    if let Some((signal, arrival)) = process.with_signals(Signals::take_deadly) {
        act(&process, signal, arrival);
    }
}

/// Returns whether a parent has said that it will not wait for its children.
pub fn disowns_children(process: &Process) -> bool {
    let action = process.with_signals(|signals| signals.action(Signal::CHLD));
    action.handler == SIG_IGN || action.flags & u64::from(abi::linux::SA_NOCLDWAIT) != 0
}

fn deliver(process: &Process, signal: Signal) {
    let arrival = process.with_signals(|signals| signals.arrive(signal));
    act(process, signal, arrival);
}

fn act(process: &Process, signal: Signal, arrival: Arrival) {
    match arrival {
        Arrival::Ignored | Arrival::Pending => return,
        Arrival::Ends => {}
        Arrival::EndsForWantOfHandler => {
            log::warn!(target: "process", "pid {}: {signal} has a handler, which this kernel does not run yet", process.pid());
        }
    }
    if let Some(task) = process.task() {
        log::debug!(target: "process", "{}[{}]: ended by {signal}", task.name(), process.pid());
        sched::post_kill(&task, signal.number());
    }
}

/// Returns the signal that is to end the current process, if one was posted.
pub fn fatal() -> Option<Signal> {
    task::current()
        .fatal_signal()
        .and_then(|number| Signal::new(number.into()))
}
