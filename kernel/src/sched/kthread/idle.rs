//! The idle task of a CPU: made of the flow of control that brought the CPU up.

use crate::mm::Borrow;
use crate::mm::kstack::Kstack;
use crate::task::{Context, Parts, Task, TaskMm, TaskRef, cut_name};

/// Makes the idle task of the CPU that boots: the flow of control that already runs on `kstack` becomes it.
pub(crate) fn adopt_idle(kstack: Kstack) -> TaskRef {
    let context = Context::running_on(&kstack);
    // An idle task runs from the start on init_mm, with a reference like any borrower (LZ-7).
    let mm = TaskMm::Lazy(Borrow::init());
    Task::from_parts(Parts {
        name: cut_name("idle"),
        idle: true,
        kstack,
        context,
        mm,
        fpu: None,
        owner: None,
        kthread: None,
    })
}
