//! What the owner of a kernel thread does with it.
//!
//! Each operation changes the word, wakes the thread, and waits for the answer if there is one. Waits here
//! are not interrupted. The handle is a reference to the task: a thread that ended by itself can be asked.

use ::kthread::{First, ParkRefused, State};
use cpumask::CpuMask;
use runq::Schedulable;

use super::control;
use crate::sched;
use crate::task::kthread::Ended;
use crate::task::{TaskRef, current};

/// A thread that runs cannot be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Running;

/// A kernel thread as its owner has it.
#[derive(Clone)]
pub struct Kthread(TaskRef);

impl Kthread {
    pub(super) fn of(task: TaskRef) -> Self {
        Self(task)
    }

    /// Returns the task.
    pub fn task(&self) -> &TaskRef {
        &self.0
    }

    /// Lets a thread that was made run; no other kind of wake-up starts it (KT-1).
    pub fn start(&self) {
        let first = control(&self.0).change(State::start);
        self.wake_first(first);
    }

    /// Makes the thread run on CPU `cpu` only, from its next wake-up on (`kthread_bind`); it must stand still: not yet started, or parked.
    pub fn bind(&self, cpu: usize) -> Result<(), Running> {
        if !control(&self.0).state().may_bind() {
            return Err(Running);
        }
        self.0.entity().set_allowed(CpuMask::of(cpu).bits());
        control(&self.0).set_bound();
        Ok(())
    }

    /// Makes the thread end at its next chance, waits for that, and returns how it ended (KT-2).
    ///
    /// One that never ran never does. One that ended by itself gives its result.
    pub fn stop(&self) -> Ended {
        self.assert_other();
        let control = control(&self.0);
        control.change(|state| (state.stop(), ()));
        sched::wake_parked(&self.0);
        sched::wake(&self.0);
        let ended = || control.result();
        control.changed().wait_for(ended)
    }

    /// Makes the thread park, and waits until it has and is off its CPU (KT-3).
    pub fn park(&self) -> Result<(), ParkRefused> {
        self.assert_other();
        let control = control(&self.0);
        let first = control.change(|state| match state.park() {
            Ok((state, first)) => (state, Ok(first)),
            Err(why) => (state, Err(why)),
        })?;
        self.wake_first(first);
        sched::wake(&self.0);
        control
            .changed()
            .wait_for(|| control.state().park_answer())?;
        sched::wait_off_cpu(&self.0);
        Ok(())
    }

    /// Lets a parked thread go on, or one that is asked to park.
    pub fn unpark(&self) {
        let control = control(&self.0);
        let wanted = control.change(|state| match state.unpark() {
            Some(state) => (state, true),
            None => (state, false),
        });
        if wanted {
            sched::wake_parked(&self.0);
            // Who waited for it to park, in vain.
            control.changed().wake_all();
        }
    }

    /// Returns how the thread ended, if it has.
    pub fn result(&self) -> Option<Ended> {
        control(&self.0).result()
    }

    fn wake_first(&self, First(first): First) {
        if first {
            sched::wake_parked(&self.0);
        }
    }

    fn assert_other(&self) {
        assert!(
            !current().is(&self.0),
            "a kernel thread does not wait for itself"
        );
    }
}
