//! Signals that have arrived and wait.
//!
//! A standard signal waits once, however often it is sent; a real-time one as often as it is sent (SF-8). Where
//! there is no room for what is known about a signal, the signal alone waits.

use alloc::vec::Vec;

use abi::linux::SI_TIMER;
use abi::siginfo::{SI_USER, SigInfo};
use abi::{SigSet, Signal};

/// The first real-time signal.
const FIRST_REAL_TIME: u8 = 32;
/// How many signals wait with their information in one queue, unless somebody says otherwise.
pub const LIMIT: usize = 1024;

/// There is no room for another real-time signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// Signals in the order in which they came.
#[derive(Clone, Default, Debug)]
pub(crate) struct Queue {
    set: SigSet,
    waiting: Vec<SigInfo>,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            set: SigSet::EMPTY,
            waiting: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn set(&self) -> SigSet {
        self.set
    }

    /// Returns how many wait with their information.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds a signal; a standard one that waits already stays as it is.
    ///
    /// # Errors
    /// [`Full`] for a real-time signal that a program sent with information, if there is no room.
    pub(crate) fn push(&mut self, signal: Signal, info: SigInfo, limit: usize) -> Result<(), Full> {
        let is_real_time = signal.number() >= FIRST_REAL_TIME;
        // Each timer has a signal of its own to send.
        if !is_real_time && self.set.contains(signal) && info.code != SI_TIMER {
            return Ok(());
        }
        let has_room = self.waiting.len() < limit && self.waiting.try_reserve(1).is_ok();
        if has_room {
            self.waiting.push(info);
        } else if info.code == SI_TIMER || is_real_time && info.code < SI_USER {
            return Err(Full);
        }
        self.set = self.set.with(signal);
        Ok(())
    }

    /// Takes the signal that waits longest of this number.
    #[inline]
    pub(crate) fn take(&mut self, signal: Signal) -> SigInfo {
        if let [only] = self.waiting[..]
            && self.set == SigSet::EMPTY.with(signal)
        {
            // The usual case: nothing else waits.
            self.set = SigSet::EMPTY;
            self.waiting.clear();
            return only;
        }
        self.take_one_of(signal)
    }

    #[inline(never)]
    fn take_one_of(&mut self, signal: Signal) -> SigInfo {
        let is_it = |info: &SigInfo| info.signo == i32::from(signal.number());
        let first = self.waiting.iter().position(is_it);
        let info = match first {
            Some(at) => self.waiting.remove(at),
            None => SigInfo::from_process(signal, SI_USER, 0),
        };
        if !self.waiting.iter().any(is_it) {
            self.set = self.set.without(signal);
        }
        info
    }

    /// Returns the signal of the first fault among those in `ready`.
    pub(crate) fn first_fault(&self, ready: SigSet) -> Option<Signal> {
        let faults = self.waiting.iter().filter(|info| info.code > SI_USER);
        faults
            .filter_map(SigInfo::signal)
            .find(|signal| ready.contains(*signal) && SigSet::SYNCHRONOUS.contains(*signal))
    }

    /// Returns whether the signal of a timer's ring waits.
    pub(crate) fn holds_ring(&self, timer: i32) -> bool {
        self.waiting.iter().any(|info| is_ring(info, timer))
    }

    /// Forgets the signal of a timer's ring.
    pub(crate) fn forget_ring(&mut self, timer: i32) {
        let ring = self.waiting.iter().position(|info| is_ring(info, timer));
        let Some(ring) = ring else { return };
        let signo = self.waiting.remove(ring).signo;
        if let Some(signal) = Signal::new(signo as u64)
            && !self.waiting.iter().any(|info| info.signo == signo)
        {
            self.set = self.set.without(signal);
        }
    }

    /// Forgets every signal in `set`.
    pub(crate) fn flush(&mut self, set: SigSet) {
        self.set = self.set.minus(set);
        self.waiting
            .retain(|info| info.signal().is_some_and(|signal| !set.contains(signal)));
    }
}

/// Returns whether this is what a timer sent.
fn is_ring(info: &SigInfo, timer: i32) -> bool {
    info.code == SI_TIMER && info.fields[0] as u32 as i32 == timer
}
