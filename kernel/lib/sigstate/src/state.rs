//! The signal state of a process and its threads, and what arrives there.

use alloc::boxed::Box;
use alloc::vec::Vec;

use abi::linux::{
    SA_EXPOSE_TAGBITS, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_NODEFER, SA_ONSTACK, SA_RESETHAND,
    SA_RESTART, SA_RESTORER, SA_SIGINFO,
};
use abi::siginfo::SigInfo;
use abi::signal::{DefaultAction, SIG_DFL, SIG_IGN, SigAction, SigAltStack};
use abi::{SigSet, Signal};

use crate::queue::{Full, LIMIT, Queue};
use crate::stop::GroupStop;
use crate::thread::{Signals, ThreadSignals};

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

/// The signal state of a process. Each thread has a slot, whose number is its name here.
#[derive(Clone, Debug)]
pub struct SignalState {
    pub(crate) actions: Box<[SigAction; Signal::COUNT]>,
    /// Sent to the process.
    pub(crate) shared: Queue,
    /// Whether it ignores what it has no handler for, as init does.
    pub(crate) protected: bool,
    /// Whether it is stopped, or about to stop.
    pub(crate) stop: GroupStop,
    /// How many signals may wait in each queue with what is known about them.
    pub(crate) limit: usize,
    threads: Vec<Option<ThreadSignals>>,
    /// The slot of the thread that is asked first.
    main: usize,
    /// The slot of the thread that took, in the others' stead, the last signal that the one asked first did not want.
    last: usize,
}

/// To whom a signal goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The process as a whole.
    Process,
    /// The same, but the thread in this slot is asked first: the signal was sent by its number, or caused by it.
    ProcessBy(usize),
    /// The thread in this slot.
    Thread(usize),
}

/// What the sender of a signal has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the process does not notice by itself"]
pub enum Effect {
    /// Nothing: it is ignored, or blocked.
    None,
    /// Make the thread in this slot look for signals.
    Notify(usize),
    /// End the process, whatever it does.
    Kill,
}

/// There is no room for another thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

impl SignalState {
    /// Everything as it is by default, with one thread, in slot 0; a `protected` process ignores what it has no handler for.
    pub fn new(protected: bool) -> Self {
        Self::with(
            Box::new([SigAction::default(); _]),
            ThreadSignals::new(),
            protected,
        )
    }

    fn with(
        actions: Box<[SigAction; Signal::COUNT]>,
        thread: ThreadSignals,
        protected: bool,
    ) -> Self {
        Self {
            actions,
            shared: Queue::new(),
            protected,
            stop: GroupStop::default(),
            limit: LIMIT,
            threads: alloc::vec![Some(thread)],
            main: 0,
            last: 0,
        }
    }

    /// Returns the view of the thread in `slot`.
    #[inline]
    pub fn of(&mut self, slot: usize) -> Signals<'_> {
        Signals {
            process: self,
            slot,
        }
    }

    /// Returns the view of the thread that is asked first.
    pub fn of_main(&mut self) -> Signals<'_> {
        let slot = self.first_asked();
        self.of(slot)
    }

    /// Returns what a fork by the thread in `slot` inherits: handlers, mask and alternate stack, and nothing that waits (FK-6).
    pub fn fork(&self, slot: usize) -> Self {
        let own = self.thread(slot);
        Self {
            limit: self.limit,
            ..Self::with(self.actions.clone(), own.heir(own.stack), false)
        }
    }

    /// Says how many signals may wait in each queue with what is known about them.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns how many may.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Adds a thread that begins with the mask of the one in `slot`, without an alternate stack; returns its own slot.
    pub fn add_thread(&mut self, slot: usize) -> Result<usize, NoRoom> {
        let thread = self.thread(slot).heir(SigAltStack::DISABLED);
        if let Some(free) = self.threads.iter().position(Option::is_none) {
            self.threads[free] = Some(thread);
            return Ok(free);
        }
        self.threads.try_reserve(1).map_err(|_| NoRoom)?;
        self.threads.push(Some(thread));
        Ok(self.threads.len() - 1)
    }

    /// Forgets a thread that ends. If the others have stopped, and only it had not, returns what for: the parent is
    /// to be told. What waits for the process may be for [`others_with_work`](Self::others_with_work) now.
    pub fn remove_thread(&mut self, slot: usize) -> Option<Signal> {
        self.threads[slot] = None;
        if self.last == slot {
            let next = self.after(slot).next();
            self.last = next.unwrap_or(0);
        }
        let remains = self.threads().next().is_some();
        (remains && self.complete_stop())
            .then(|| self.stop_signal())
            .flatten()
    }

    /// Makes the thread in `slot` the one that is asked first.
    pub fn set_main(&mut self, slot: usize) {
        self.main = slot;
    }

    /// Returns the slots of the threads but `slot` that have something to look at.
    pub fn others_with_work(&self, slot: usize) -> impl Iterator<Item = usize> {
        let others = self.threads().map(|(other, _)| other);
        others.filter(move |other| *other != slot && self.has_work(*other))
    }

    /// Returns whether something is there that any thread could take, or that all have to do.
    #[inline]
    pub fn concerns_all(&self) -> bool {
        !self.shared.set().is_empty() || self.is_stopped()
    }

    /// Resets for a new program: handlers go, what is ignored stays so; mask and what waits are kept (EX-3).
    pub fn exec(&mut self) {
        self.reset_handlers();
        self.each_thread(|thread| {
            thread.stack = SigAltStack {
                flags: thread.stack.flags,
                ..SigAltStack::NONE
            };
        });
    }

    /// Forgets every handler; what is ignored stays so.
    pub fn reset_handlers(&mut self) {
        for action in self.actions.iter_mut() {
            let handler = match action.handler {
                SIG_IGN => SIG_IGN,
                _ => SIG_DFL,
            };
            *action = SigAction {
                handler,
                ..SigAction::default()
            };
        }
    }

    /// Returns how a signal is taken.
    #[inline]
    pub fn action(&self, signal: Signal) -> SigAction {
        self.actions[signal.index()]
    }

    /// Changes how a signal is taken; one that is now ignored no longer waits.
    #[inline]
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

    /// Notes the arrival of a signal.
    ///
    /// # Errors
    /// [`Full`] if too many real-time signals wait.
    pub fn send(&mut self, info: SigInfo, signal: Signal, to: Target) -> Result<Effect, Full> {
        if signal == Signal::KILL && !self.protected {
            return Ok(Effect::Kill);
        }
        self.end_opposite(signal);
        let (asked, taker) = match to {
            Target::Thread(slot) => (slot, self.can_take(slot, signal).then_some(slot)),
            Target::Process => {
                let first = self.first_asked();
                (first, self.taker(first, signal))
            }
            Target::ProcessBy(first) => (first, self.taker(first, signal)),
        };
        let is_handled = !matches!(self.action(signal).handler, SIG_DFL | SIG_IGN);
        if !is_handled {
            if self.is_at_once(asked, signal) && self.is_ignored(signal) {
                return Ok(Effect::None);
            }
            if taker.is_some_and(|slot| self.is_at_once(slot, signal)) && self.is_deadly(signal) {
                return Ok(Effect::Kill);
            }
        }
        match to {
            Target::Process | Target::ProcessBy(_) => {
                self.shared.push(signal, info, self.limit)?;
            }
            Target::Thread(slot) => {
                let limit = self.limit;
                self.thread_mut(slot).private.push(signal, info, limit)?;
            }
        }
        Ok(taker.map_or(Effect::None, Effect::Notify))
    }

    /// Returns whether the ring of a timer was passed over, as its signal is ignored, and nothing of it waits.
    pub fn passes_over_ring(&self, signal: Signal, timer: i32) -> bool {
        self.is_ignored(signal)
            && !self.shared.holds_ring(timer)
            && !self
                .threads()
                .any(|(_, thread)| thread.private.holds_ring(timer))
    }

    /// Forgets the ring of a timer that was set anew or is gone: nobody hears of it any more.
    pub fn forget_ring(&mut self, timer: i32) {
        self.shared.forget_ring(timer);
        self.each_thread(|thread| thread.private.forget_ring(timer));
    }

    /// Makes `signal` take its default action when it is forced: its handler cannot run.
    pub fn reset_action(&mut self, signal: Signal) {
        self.actions[signal.index()].handler = SIG_DFL;
    }

    /// Returns whether the thread in `slot` has something to look at.
    #[inline]
    pub(crate) fn has_work(&self, slot: usize) -> bool {
        let thread = self.thread(slot);
        thread.is_open_to_any(self.shared.set()) || self.is_stopped() && !thread.parked
    }

    #[inline]
    pub(crate) fn thread(&self, slot: usize) -> &ThreadSignals {
        let thread = self.threads[slot].as_ref();
        thread.expect("a slot is its thread's until that has ended")
    }

    #[inline]
    pub(crate) fn thread_mut(&mut self, slot: usize) -> &mut ThreadSignals {
        let thread = self.threads[slot].as_mut();
        thread.expect("a slot is its thread's until that has ended")
    }

    pub(crate) fn threads(&self) -> impl Iterator<Item = (usize, &ThreadSignals)> + Clone {
        let slots = self.threads.iter().enumerate();
        slots.filter_map(|(slot, thread)| Some((slot, thread.as_ref()?)))
    }

    pub(crate) fn each_thread(&mut self, each: impl FnMut(&mut ThreadSignals)) {
        self.threads.iter_mut().flatten().for_each(each);
    }

    /// The main thread while there is one, else any.
    #[inline]
    fn first_asked(&self) -> usize {
        let is_there = self.threads[self.main].is_some();
        let any = || self.threads().next().map(|(slot, _)| slot);
        if is_there {
            self.main
        } else {
            any().expect("a process that gets signals has threads")
        }
    }

    /// Chooses who takes a signal to the process: `first` if it wants it, else the next that does, in turns. Who has
    /// something to look at already is asked last, as it may be busy with that.
    fn taker(&mut self, first: usize, signal: Signal) -> Option<usize> {
        let wants = |slot: usize| self.can_take(slot, signal) && !self.has_work(slot);
        if wants(first) {
            return Some(first);
        }
        if let [Some(_)] = &self.threads[..] {
            return self.can_take(first, signal).then_some(first);
        }
        let turns = || core::iter::once(self.last).chain(self.after(self.last));
        let next = turns().find(|slot| self.threads[*slot].is_some() && wants(*slot));
        if let Some(next) = next {
            self.last = next;
            return Some(next);
        }
        let mut everybody = core::iter::once(first).chain(self.threads().map(|(slot, _)| slot));
        everybody.find(|slot| self.can_take(*slot, signal))
    }

    /// Whether a thread would act upon a signal when it came: it does not block it, and has not stopped.
    #[inline]
    fn can_take(&self, slot: usize, signal: Signal) -> bool {
        let thread = self.thread(slot);
        thread.is_open_to(signal) && !(thread.parked && self.is_stopped())
    }

    /// Lists the slots of the threads behind `slot`, and then those before it.
    fn after(&self, slot: usize) -> impl Iterator<Item = usize> {
        let behind = self.threads().map(|(other, _)| other);
        let before = behind.clone().filter(move |other| *other < slot);
        behind.filter(move |other| *other > slot).chain(before)
    }

    /// Whether a thread neither blocks nor awaits a signal: what it does by default, it does at once.
    fn is_at_once(&self, slot: usize, signal: Signal) -> bool {
        let thread = self.thread(slot);
        !thread.blocked.union(thread.awaited).contains(signal)
    }

    /// A stop signal takes back a waiting CONT, and CONT a waiting stop and the stop itself.
    fn end_opposite(&mut self, signal: Signal) {
        if signal == Signal::CONT {
            self.flush(SigSet::STOPS);
            self.end_stop();
        } else if SigSet::STOPS.contains(signal) {
            self.flush(SigSet::EMPTY.with(Signal::CONT));
        }
    }

    #[inline(never)]
    fn flush(&mut self, set: SigSet) {
        self.shared.flush(set);
        self.each_thread(|thread| thread.private.flush(set));
    }

    /// Says whether nothing happens when the signal comes through.
    #[inline]
    pub(crate) fn is_ignored(&self, signal: Signal) -> bool {
        match self.actions[signal.index()].handler {
            SIG_IGN => true,
            SIG_DFL => {
                self.protected
                    || matches!(
                        signal.default_action(),
                        DefaultAction::Ignore | DefaultAction::Continue
                    )
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
