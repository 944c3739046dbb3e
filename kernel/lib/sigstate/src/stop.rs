//! How the threads of a process stop together, and go on together.
//!
//! The first to take a stop signal says so to the others ([`Next::Park`](crate::Next::Park)); each parks; the last to park
//! is who tells the parent. CONT takes all of it back, and the first to go on tells the parent of that.

use abi::Signal;

use crate::state::SignalState;

/// What is known of a process's stop.
#[derive(Clone, Default, Debug)]
pub(crate) struct GroupStop {
    /// The signal for which it stops, or is stopped.
    signal: Option<Signal>,
    /// Whether every thread has parked, and the parent was told.
    told: bool,
    /// Whether the parent is to hear that it goes on.
    resumed: bool,
}

impl SignalState {
    /// Returns whether it is stopped, or about to be.
    pub fn is_stopped(&self) -> bool {
        self.stop.signal.is_some()
    }

    /// Lets it go on after all; nobody hears of it. The threads that have parked must be woken.
    pub fn resume(&mut self) {
        self.stop = GroupStop::default();
        self.each_thread(|thread| thread.parked = false);
    }

    /// Says that a thread does nothing from here on until the process goes on. If it was the last to do so, returns
    /// what its process stopped for: the parent is to be told.
    pub fn park(&mut self, slot: usize) -> Option<Signal> {
        let signal = self.stop.signal?;
        self.thread_mut(slot).parked = true;
        self.complete_stop().then_some(signal)
    }

    /// Returns whether a thread has parked for the stop that is on now. One that parked for an earlier stop, and has not got
    /// as far as to leave it, has to park again.
    pub fn is_parked(&self, slot: usize) -> bool {
        self.is_stopped() && self.thread(slot).parked
    }

    /// Returns, once after each stop that the parent was told of, whether it is to be told that the process goes on.
    pub fn take_resumed(&mut self) -> bool {
        core::mem::take(&mut self.stop.resumed)
    }

    /// Begins a stop: every thread has something to look at from now on.
    pub(crate) fn begin_stop(&mut self, signal: Signal) {
        self.stop.signal = Some(signal);
    }

    /// CONT has come.
    pub(crate) fn end_stop(&mut self) {
        if self.stop.signal.take().is_some() {
            self.stop.resumed = core::mem::take(&mut self.stop.told);
            self.each_thread(|thread| thread.parked = false);
        }
    }

    /// Says whether the stop became complete with what the caller just did.
    pub(crate) fn complete_stop(&mut self) -> bool {
        let all = self.stop.signal.is_some() && self.threads().all(|(_, thread)| thread.parked);
        all && !core::mem::replace(&mut self.stop.told, true)
    }

    /// Returns what it stopped for.
    pub(crate) fn stop_signal(&self) -> Option<Signal> {
        self.stop.signal
    }
}
