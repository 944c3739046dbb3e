//! Kernel threads: tasks without an mm, which run on whatever address space they find.

use alloc::boxed::Box;

use crate::arch::{cpu, local};
use crate::locks::rank;
use crate::mm::kstack::Kstack;
use crate::mm::{OutOfMemory, init_mm};
use crate::task::{Body, Context, Parts, Task, TaskMm, TaskRef, current, cut_name, lockcheck};

/// Makes a kernel thread and starts it; it ends when `body` returns.
pub fn kthread_run(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<TaskRef, OutOfMemory> {
    let task = new(name, Box::new(body))?;
    super::start(&task);
    Ok(task)
}

fn new(name: &str, body: Body) -> Result<TaskRef, OutOfMemory> {
    let kstack = Kstack::new()?;
    let context = Context::kthread(&kstack, start);
    let (name, mm, body) = (cut_name(name), TaskMm::Off, Some(body));
    let task = Task::from_parts(Parts {
        name,
        idle: false,
        kstack,
        context,
        mm,
        fpu: None,
        owner: None,
        body,
    });
    lockcheck::start_holding(task.held(), rank::RUNQ, "run queue");
    Ok(task)
}

/// Makes the idle task of the CPU that boots: the flow of control that already runs on `kstack` becomes it.
pub(crate) fn adopt_idle(kstack: Kstack) -> TaskRef {
    let context = Context::running_on(&kstack);
    // An idle task runs from the start on init_mm, with a reference like any borrower (LZ-7).
    let mm = TaskMm::Lazy(init_mm().clone());
    Task::from_parts(Parts {
        name: cut_name("idle"),
        idle: true,
        kstack,
        context,
        mm,
        fpu: None,
        owner: None,
        body: None,
    })
}

/// The first code of every kernel thread, after the switch to it is complete.
extern "C" fn start(_: usize) -> ! {
    debug_assert!(local::preempt_count() == 0, "a new task holds no lock");
    cpu::irq_enable();
    let body = current()
        .take_body()
        .expect("a kernel thread is made with a body");
    body();
    super::exit_task()
}
