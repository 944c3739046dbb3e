//! The run queue of one CPU: real-time before fair, and whose turn is over.
//!
//! The task that runs is not in the queue; the caller has it, and hands its [`Entity`] in where it matters.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::ops::Deref;

use crate::balance::{Load, View};
use crate::entity::{Entity, Schedulable};
use crate::heap::{Heap, Waiter, before};
use crate::params::{MAX_RT, Params, Policy};
use crate::throttle::Throttle;
use crate::weight::virtual_ns;

/// How long a fair task runs while others wait.
pub const SLICE_NS: u64 = 3_000_000;
/// By how much, in its own virtual time, a task that wakes up must be behind the one that runs to preempt it.
pub const GRANULARITY_NS: u64 = 1_000_000;
/// How far behind the others a task that slept may come back, in virtual time.
pub const CREDIT_NS: u64 = 1_500_000;
/// How long a round-robin task runs while equals wait.
pub const RR_SLICE_NS: u64 = 100_000_000;

/// Why a task that goes on wanting to run leaves the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It was interrupted.
    Preempted,
    /// It lets others go first.
    Yielded,
}

/// Room for more tasks, allocated before it is needed: see [`RunQueue::make_room`].
pub struct Room<T>(Vec<Waiter<T>>, Vec<Waiter<T>>);

/// The tasks of one CPU that are runnable and not running, and the accounts of the one that is.
#[derive(Debug)]
pub struct RunQueue<T> {
    pub(crate) rt: Heap<T>,
    pub(crate) fair: Heap<T>,
    /// The weight of all who wait.
    pub(crate) waiting: u32,
    /// Never goes back: the smallest virtual run time of those who want to run.
    pub(crate) clock: u64,
    /// Rank and weight of the one that runs; 0 while the CPU idles.
    rank: u8,
    weight: u32,
    /// Up to when the one that runs has been charged.
    charged: u64,
    /// When its turn began.
    turn: u64,
    throttle: Throttle,
    /// Whether this CPU has idled, so that its clock means nothing to the others.
    idled: bool,
}

impl<T> RunQueue<T> {
    /// Makes the queue of a CPU that idles.
    pub const fn new() -> Self {
        Self {
            rt: Heap::new(),
            fair: Heap::new(),
            waiting: 0,
            clock: 0,
            rank: 0,
            weight: 0,
            charged: 0,
            turn: 0,
            throttle: Throttle::new(),
            idled: true,
        }
    }

    /// Returns how many tasks wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.rt.len() + self.fair.len()
    }

    /// Says whether no task waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rt.is_empty() && self.fair.is_empty()
    }

    /// Walks over the tasks that wait, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rt
            .iter()
            .chain(self.fair.iter())
            .map(|waiter| &waiter.task)
    }

    /// Returns the virtual time up to which everybody here has had his share.
    #[inline]
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// Returns what this CPU shows the others.
    pub fn view(&self) -> View {
        View {
            load: self.load(),
            clock: self.clock,
        }
    }

    /// Returns whether this CPU has idled since it was asked last.
    pub fn take_idled(&mut self) -> bool {
        core::mem::replace(&mut self.idled, false)
    }

    /// Returns how many tasks can wait without an allocation.
    pub fn capacity(&self) -> usize {
        self.rt.capacity().min(self.fair.capacity())
    }

    /// Allocates room for `tasks` tasks, without a queue at hand.
    ///
    /// # Errors
    /// There is no memory.
    pub fn room(tasks: usize) -> Result<Room<T>, TryReserveError> {
        Ok(Room(Heap::<T>::room(tasks)?, Heap::<T>::room(tasks)?))
    }

    /// Moves into `room` unless there is as much already; what is returned is to be freed outside the lock.
    pub fn make_room(&mut self, room: Room<T>) -> Room<T> {
        if room.0.capacity().min(room.1.capacity()) <= self.capacity() {
            return room;
        }
        Room(self.rt.swap_room(room.0), self.fair.swap_room(room.1))
    }

    /// Lets the running task's turn begin at `now` ns; `None` is the idle task.
    #[inline]
    pub fn begin(&mut self, running: Option<&Entity>, now: u64) {
        (self.charged, self.turn) = (now, now);
        match running {
            Some(entity) => {
                self.rank = 1 + entity.rt_priority();
                self.weight = entity.weight();
            }
            None => {
                (self.rank, self.weight) = (0, 0);
                self.idled = true;
            }
        }
    }

    /// Charges the running task for the time up to `now`.
    #[inline]
    pub fn charge(&mut self, running: &Entity, now: u64) {
        let ran = now.saturating_sub(self.charged);
        self.charged = now;
        if self.rank > 1 {
            self.throttle.ran(ran, now);
            running.set_turn_left(running.turn_left().saturating_sub(ran));
            return;
        }
        let vruntime = running
            .vruntime()
            .wrapping_add(virtual_ns(ran, self.weight));
        running.set_vruntime(vruntime);
        let smallest = match self.fair.first() {
            Some(first) if before(first.key, vruntime) => first.key,
            _ => vruntime,
        };
        if before(self.clock, smallest) {
            self.clock = smallest;
        }
    }

    /// Returns what a balance needs to know of this CPU.
    #[inline]
    pub fn load(&self) -> Load {
        Load {
            weight: self.waiting.saturating_add(self.weight),
            tasks: (self.len() + usize::from(self.rank > 0)).min(usize::from(u16::MAX)) as u16,
            rank: self.rank,
            rt_waiting: self.rt.first().map_or(0, |first| MAX_RT - first.key as u8),
        }
    }
}

impl<T: Deref<Target: Schedulable>> RunQueue<T> {
    /// Queues a task that has slept, or was never queued before; if it ran on another CPU last, `shift` is the [shift](crate::Frames::shift) from there.
    pub fn wake(&mut self, task: T, shift: Option<u64>) {
        let entity = task.entity();
        if entity.is_fresh() {
            return self.start(task);
        }
        let floor = match entity.has_policy(Policy::Idle) {
            true => self.clock,
            false => self.clock.wrapping_sub(CREDIT_NS),
        };
        if let Some(shift) = shift {
            self.adopt(entity, shift);
        }
        raise(entity, floor);
        self.push(task);
    }

    /// Queues a task that never ran, one slice ahead of the others.
    fn start(&mut self, task: T) {
        let entity = task.entity();
        entity.set_fresh(false);
        let debit = match self.load().tasks {
            0 => 0,
            _ => virtual_ns(SLICE_NS, entity.weight()),
        };
        entity.set_vruntime(self.clock.wrapping_add(debit));
        entity.set_turn_left(RR_SLICE_NS);
        self.push(task);
    }

    /// Queues the task that ran and wants to go on; it has been [charged](Self::charge).
    pub fn put_back(&mut self, task: T, leave: Leave) {
        let entity = task.entity();
        if entity.rt_priority() == 0 {
            if leave == Leave::Yielded
                && let Some(first) = self.fair.first()
            {
                raise(entity, first.key);
            }
            return self.push(task);
        }
        let turn_over = entity.has_policy(Policy::RoundRobin) && entity.turn_left() == 0;
        if turn_over {
            entity.set_turn_left(RR_SLICE_NS);
        }
        if turn_over || leave == Leave::Yielded {
            self.push(task);
        } else {
            self.waiting = self.waiting.saturating_add(entity.weight());
            self.rt.push_first(rt_key(entity), task);
        }
    }

    /// Takes out the task that runs next at `now`.
    #[inline]
    pub fn pick(&mut self, now: u64) -> Option<T> {
        let realtime_goes =
            !self.rt.is_empty() && (self.fair.is_empty() || !self.throttle.is_used_up(now));
        let picked = match realtime_goes {
            true => self.rt.pop(),
            false => self.fair.pop(),
        }?;
        let entity = picked.task.entity();
        entity.set_moved(false);
        self.waiting -= entity.weight();
        Some(picked.task)
    }

    /// Charges the running task (`None`: the idle task) and says whether another one is to run.
    #[must_use]
    pub fn tick(&mut self, running: Option<&Entity>, now: u64) -> bool {
        let Some(entity) = running else {
            return !self.is_empty();
        };
        self.charge(entity, now);
        if let Some(first) = self.rt.first() {
            let allowed = self.fair.is_empty() || !self.throttle.is_used_up(now);
            let rank = 1 + MAX_RT - first.key as u8;
            if rank > self.rank && (allowed || self.rank == 0) {
                return true;
            }
            if rank == self.rank && entity.has_policy(Policy::RoundRobin) && entity.turn_left() == 0
            {
                return true;
            }
        }
        let Some(first) = self.fair.first() else {
            return false;
        };
        if self.rank > 1 {
            return self.throttle.is_used_up(now);
        }
        now.saturating_sub(self.turn) >= SLICE_NS && !before(entity.vruntime(), first.key)
    }

    /// Charges the running task and says whether `woken`, which waits here now, is to run at once. (On a CPU that idles anybody is.)
    #[must_use]
    pub fn preempts(&mut self, running: &Entity, woken: &Entity, now: u64) -> bool {
        let rank = 1 + woken.rt_priority();
        if rank > 1 {
            return rank > self.rank && !(self.rank == 1 && self.throttle.is_used_up(now));
        }
        if self.rank > 1 {
            // Otherwise a tick will notice that real-time tasks have used up what they may.
            return false;
        }
        self.charge(running, now);
        if woken.has_policy(Policy::Idle) {
            return false;
        }
        let granularity = virtual_ns(GRANULARITY_NS, woken.weight());
        let is_behind = before(
            woken.vruntime().wrapping_add(granularity),
            running.vruntime(),
        );
        running.has_policy(Policy::Idle) || is_behind && !woken.has_policy(Policy::Batch)
    }

    /// Returns whether a task waits that must run before the one that does, whatever either has had.
    #[must_use]
    pub fn outranked(&self, now: u64) -> bool {
        let load = self.load();
        if self.rank == 0 {
            return !self.is_empty();
        }
        let allowed = self.fair.is_empty() || !self.throttle.is_used_up(now);
        load.rt_waiting > 0 && 1 + load.rt_waiting > self.rank && allowed
    }

    /// Takes out a certain task, if it waits here.
    pub fn remove(&mut self, task: &T::Target) -> Option<T> {
        let is_it = |waiter: &Waiter<T>| core::ptr::eq(&*waiter.task, task);
        let found = match task.entity().rt_priority() {
            0 => self.fair.remove_first(is_it),
            _ => self.rt.remove_first(is_it),
        }?;
        self.waiting -= task.entity().weight();
        Some(found.task)
    }

    /// Changes what a task of this CPU asks for, whether it waits, runs or sleeps; [`outranked`](Self::outranked) says afterwards
    /// whether the one that runs is still the right one.
    pub fn set_params(&mut self, task: &T::Target, params: Params, runs: bool, now: u64) {
        let entity = task.entity();
        let was_realtime = entity.params().is_realtime();
        if runs {
            self.charge(entity, now);
        }
        let waiting = self.remove(task);
        entity.set_params(params);
        if was_realtime && !params.is_realtime() {
            entity.set_vruntime(self.clock);
        }
        if !was_realtime && params.is_realtime() {
            entity.set_turn_left(RR_SLICE_NS);
        }
        if runs {
            self.rank = params.rank();
            self.weight = params.weight();
        }
        if let Some(task) = waiting {
            self.push(task);
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, task: T) {
        let entity = task.entity();
        self.waiting = self.waiting.saturating_add(entity.weight());
        match entity.rt_priority() {
            0 => self.fair.push(entity.vruntime(), task),
            _ => self.rt.push(rt_key(entity), task),
        }
    }
}

/// The highest priority comes first.
#[inline]
fn rt_key(entity: &Entity) -> u64 {
    u64::from(MAX_RT - entity.rt_priority())
}

/// Raises a virtual run time to at least `floor`.
#[inline]
fn raise(entity: &Entity, floor: u64) {
    if before(entity.vruntime(), floor) {
        entity.set_vruntime(floor);
    }
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}
