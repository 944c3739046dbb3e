//! How a task leaves one CPU's run queue for another's.

use core::ops::Deref;

use crate::balance::{LEAD_NS, Pull, owed_ns};
use crate::entity::{Entity, Schedulable};
use crate::heap::{Waiter, before};
use crate::params::MAX_RT;
use crate::queue::RunQueue;
use crate::weight::virtual_ns;

impl<T: Deref<Target: Schedulable>> RunQueue<T> {
    /// Returns the CPUs on which some task that waits here may run.
    pub fn wanted(&self) -> u64 {
        self.iter()
            .fold(0, |cpus, task| cpus | task.entity().allowed())
    }

    /// Takes out a task that another CPU, `to`, is to have.
    pub fn give(&mut self, pull: &Pull, to: usize) -> Option<T> {
        let may = |waiter: &Waiter<T>| waiter.task.entity().may_run_on(to);
        let clock = self.clock;
        let given = match *pull {
            Pull::Realtime { above, .. } => self
                .rt
                .remove_first(|waiter| may(waiter) && 1 + MAX_RT - waiter.key as u8 > above),
            Pull::Any { .. } => match self.rt.remove_first(may) {
                None => self.fair.remove_first(may),
                found => found,
            },
            Pull::Share { gap, lead, .. } => {
                // Who is moved on before he has run may never run.
                let may = |waiter: &Waiter<T>| may(waiter) && !waiter.task.entity().moved();
                let lightens = |waiter: &Waiter<T>| {
                    let weight = waiter.task.entity().weight();
                    (may(waiter) && weight < gap).then(|| u64::from(weight.min(gap - weight)))
                };
                let is_owed = |waiter: &Waiter<T>| {
                    let behind = lead.wrapping_sub(waiter.key.wrapping_sub(clock));
                    let owed = owed_ns(behind, waiter.task.entity().weight());
                    (may(waiter) && owed > LEAD_NS).then_some(owed)
                };
                match self.fair.remove_best(lightens) {
                    None => self.fair.remove_best(is_owed),
                    found => found,
                }
            }
        }?;
        self.waiting -= given.task.entity().weight();
        Some(given.task)
    }

    /// Queues a task that another CPU gave; `shift` is the [shift](crate::Frames::shift) from there.
    pub fn receive(&mut self, task: T, shift: u64) {
        let entity = task.entity();
        entity.set_moved(true);
        self.adopt(entity, shift);
        self.push(task);
    }

    /// Translates a fair task's virtual run time into this CPU's frame, and keeps it within bounds.
    pub(crate) fn adopt(&mut self, entity: &Entity, shift: u64) {
        if self.load().tasks == 0 {
            return entity.set_vruntime(self.clock);
        }
        let weight = entity.weight();
        let vruntime = entity.vruntime().wrapping_add(shift);
        let floor = self.clock.wrapping_sub(virtual_ns(6 * LEAD_NS, weight));
        let ceiling = self.clock.wrapping_add(virtual_ns(6 * LEAD_NS, weight));
        let bounded = if before(vruntime, floor) {
            floor
        } else if before(ceiling, vruntime) {
            ceiling
        } else {
            vruntime
        };
        entity.set_vruntime(bounded);
    }
}
