//! What the scheduler knows of a task.
//!
//! The words are atomics since tasks are shared, not since anybody races: all of them are written under the lock of
//! the run queue that the task belongs to, or before anybody knows the task.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::params::{Params, Policy};

/// A task that the scheduler can handle.
pub trait Schedulable {
    /// Returns what the scheduler knows of it.
    fn entity(&self) -> &Entity;
}

/// What the scheduler knows of a task; part of the task.
#[derive(Debug)]
pub struct Entity {
    /// [`Params`], packed.
    params: AtomicU32,
    /// The weight that follows from them.
    weight: AtomicU32,
    /// Virtual run time, in the time frame of the CPU it ran on last; wraps around.
    vruntime: AtomicU64,
    /// What is left of a round-robin turn, in ns.
    turn_left: AtomicU64,
    /// The CPUs it may run on, a bit for each.
    allowed: AtomicU64,
    /// Whether another CPU gave it away and it has not run since.
    moved: AtomicBool,
    /// Whether it has never been queued.
    fresh: AtomicBool,
}

impl Entity {
    /// Makes the record of a task that never ran.
    pub fn new(params: Params, allowed: u64) -> Self {
        Self {
            params: AtomicU32::new(params.to_word()),
            weight: AtomicU32::new(params.weight()),
            vruntime: AtomicU64::new(0),
            turn_left: AtomicU64::new(0),
            allowed: AtomicU64::new(allowed),
            moved: AtomicBool::new(false),
            fresh: AtomicBool::new(true),
        }
    }

    /// Gives a task that was never queued what its parent's children start with.
    pub fn inherit(&self, parent: &Self) {
        self.set_params(parent.params().for_child());
        self.set_allowed(parent.allowed());
    }

    /// Returns what the task asks for.
    #[inline]
    pub fn params(&self) -> Params {
        Params::from_word(self.params.load(Relaxed))
    }

    #[inline]
    pub(crate) fn has_policy(&self, policy: Policy) -> bool {
        self.params.load(Relaxed) as u8 == policy as u8
    }

    /// Notes what it asks for; a queued or running task also goes through
    /// [`RunQueue::reweigh`](crate::RunQueue::reweigh).
    pub(crate) fn set_params(&self, params: Params) {
        self.params.store(params.to_word(), Relaxed);
        self.weight.store(params.weight(), Relaxed);
    }

    /// Returns the weight.
    #[inline]
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    /// Returns the real-time priority, 0 for fair tasks.
    #[inline]
    pub fn rt_priority(&self) -> u8 {
        (self.params.load(Relaxed) >> 16) as u8
    }

    /// Returns the virtual run time.
    #[inline]
    pub fn vruntime(&self) -> u64 {
        self.vruntime.load(Relaxed)
    }

    #[inline]
    pub(crate) fn set_vruntime(&self, vruntime: u64) {
        self.vruntime.store(vruntime, Relaxed);
    }

    #[inline]
    pub(crate) fn turn_left(&self) -> u64 {
        self.turn_left.load(Relaxed)
    }

    #[inline]
    pub(crate) fn set_turn_left(&self, ns: u64) {
        self.turn_left.store(ns, Relaxed);
    }

    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh.load(Relaxed)
    }

    pub(crate) fn set_fresh(&self, fresh: bool) {
        self.fresh.store(fresh, Relaxed);
    }

    /// Returns whether another CPU gave it away and it has not run since.
    #[inline]
    pub(crate) fn moved(&self) -> bool {
        self.moved.load(Relaxed)
    }

    #[inline]
    pub(crate) fn set_moved(&self, moved: bool) {
        self.moved.store(moved, Relaxed);
    }

    /// Returns the CPUs it may run on.
    #[inline]
    pub fn allowed(&self) -> u64 {
        self.allowed.load(Relaxed)
    }

    /// Notes the CPUs it may run on; who does so also moves it if it is elsewhere.
    pub fn set_allowed(&self, allowed: u64) {
        self.allowed.store(allowed, Relaxed);
    }

    /// Returns whether it may run on `cpu`.
    #[inline]
    pub fn may_run_on(&self, cpu: usize) -> bool {
        self.allowed() >> cpu & 1 != 0
    }
}
