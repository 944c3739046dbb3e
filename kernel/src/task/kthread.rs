//! What a kernel thread and its owner share: the word of the crate `kthread`, its function, its result.
//!
//! Who changes the word, and what must be done besides, is written in [`crate::sched::kthread`].

use alloc::boxed::Box;
use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32,
    Ordering::{AcqRel, Acquire, Release},
};

use ::kthread::State;

use crate::locks::{Once, SpinLock, WaitQueue, rank};

/// A kernel thread's function; it returns the thread's result.
pub type Body = Box<dyn FnOnce() -> i32 + Send>;

/// How a kernel thread ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was stopped before it ran (Linux: −EINTR).
    NeverRan,
    /// Its function returned this.
    Returned(i32),
}

/// A kernel thread's part of a task.
pub struct Control {
    /// Changed in single steps by [`Self::change`]; see [`State`] for its bits.
    word: AtomicU8,
    body: SpinLock<Option<Body>, { rank::TASK }>,
    /// Written by the thread before it says that it has exited.
    result: Once<Ended>,
    /// Wakes owners who wait for the thread to be parked or to end.
    changed: WaitQueue,
    /// The number under which programs find it; 0 if it has none.
    number: AtomicU32,
    /// Whether it was bound to a CPU.
    bound: AtomicBool,
}

impl Control {
    /// Makes the part of a thread that will call `body`.
    pub fn new(body: Body) -> Self {
        Self {
            word: AtomicU8::new(State::CREATED.bits()),
            body: SpinLock::new(Some(body)),
            result: Once::new(),
            changed: WaitQueue::new(),
            number: AtomicU32::new(0),
            bound: AtomicBool::new(false),
        }
    }

    /// Returns the word as it is now.
    pub fn state(&self) -> State {
        State::from_bits(self.word.load(Acquire))
    }

    /// Takes one step from the word as it is to the next, whoever else does so at the same time.
    pub fn change<R>(&self, step: impl Fn(State) -> (State, R)) -> R {
        let mut before = self.word.load(Acquire);
        loop {
            let (after, answer) = step(State::from_bits(before));
            let swapped = self
                .word
                .compare_exchange_weak(before, after.bits(), AcqRel, Acquire);
            match swapped {
                Ok(_) => return answer,
                Err(now) => before = now,
            }
        }
    }

    /// Takes the function out.
    pub fn take_body(&self) -> Option<Body> {
        self.body.lock().take()
    }

    /// Notes the result; [`State::exit`] comes after it.
    pub fn set_result(&self, result: Ended) {
        self.result.call_once(|| result);
    }

    /// Returns the result of a thread that has exited.
    pub fn result(&self) -> Option<Ended> {
        let exited = self.state().has_exited();
        self.result.get().copied().filter(|_| exited)
    }

    /// Returns the number under which programs find it; 0 if it has none.
    pub fn number(&self) -> u32 {
        self.number.load(Acquire)
    }

    /// Gives it that number, under the lock of the tree.
    pub fn set_number(&self, number: u32) {
        self.number.store(number, Release);
    }

    /// Returns whether it is to run on one CPU only.
    pub fn is_bound(&self) -> bool {
        self.bound.load(Acquire)
    }

    /// Says that it is.
    pub fn set_bound(&self) {
        self.bound.store(true, Release);
    }

    /// Where owners wait for a change of the word that the thread makes.
    pub fn changed(&self) -> &WaitQueue {
        &self.changed
    }
}
