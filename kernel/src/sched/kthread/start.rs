//! A kernel thread's first code and its last.

use ::kthread::{Begin, State};

use super::{control, own};
use crate::arch::{cpu, local};
use crate::task::current;
use crate::task::kthread::Ended;

/// The first code of every kernel thread, after the switch to it is complete.
pub(super) extern "C" fn start(_: usize) -> ! {
    debug_assert!(local::preempt_count() == 0, "a new task holds no lock");
    cpu::irq_enable();
    let result = live();
    end(result)
}

/// From the first wake-up to the result.
fn live() -> Ended {
    let task = current();
    let control = control(&task);
    if control.change(State::begin) == Begin::NeverRun {
        drop(control.take_body());
        return Ended::NeverRan;
    }
    if own::should_park() {
        own::parkme();
    }
    let body = control.take_body();
    Ended::Returned(body.expect("a kernel thread is made with a body")())
}

/// The owner learns the result; then the thread is gone (KT-4).
fn end(result: Ended) -> ! {
    {
        let task = current();
        assert!(
            !task.has_mm(),
            "a kernel thread leaves the mm that it uses before it ends (KT-4)"
        );
        let control = control(&task);
        control.set_result(result);
        control.change(|state| (state.exit(), ()));
        control.changed().wake_all();
    }
    crate::sched::exit_task()
}
