//! Kernel threads: tasks without an mm, which run on whatever address space they find (KT-1 … KT-4).
//!
//! ```text
//! kthread_create ──► created ──start──► its function ──► returned
//!                      │  │               │   ▲
//!                      │  └────park───► parked│     park: asked by the owner, done by the thread
//!                      │                  └───┘     unpark: only this, and stop, wake it there
//!                      └──stop──► ended; the function was never called
//! ```
//!
//! The states and the order of steps are those of the crate `kthread`; here words are changed, threads
//! woken and waited for.
//!
//! - This file: how a thread is made. [`owner`]: what its owner does with it.
//! - [`own`]: what the thread asks about itself. [`use_mm`]: how it stays in a process's address space.
//! - [`start`]: its first and its last code. [`list`]: all of them. [`idle`]: the one that is different.

pub mod idle;
pub mod list;
pub mod own;
pub mod owner;
mod start;
pub mod use_mm;

use alloc::boxed::Box;

use crate::locks::rank;
use crate::mm::OutOfMemory;
use crate::mm::kstack::Kstack;
use crate::task::kthread::Control;
use crate::task::{Context, Parts, Task, TaskMm, cut_name, lockcheck};

pub(crate) use idle::adopt_idle;
pub use own::serve;
pub use owner::Kthread;
pub use use_mm::kthread_use_mm;

/// What a kernel thread's function may return: its result as a number.
pub trait ExitCode {
    /// Returns the number.
    fn code(self) -> i32;
}

impl ExitCode for i32 {
    fn code(self) -> i32 {
        self
    }
}

impl ExitCode for () {
    fn code(self) -> i32 {
        0
    }
}

/// Makes a kernel thread that sleeps until [`Kthread::start`]; its name is cut to 15 bytes.
///
/// It ends when `body` returns. The thread lives on by itself if the handle is dropped after the start;
/// one that was never started goes with its last handle.
pub fn kthread_create<R: ExitCode>(
    name: &str,
    body: impl FnOnce() -> R + Send + 'static,
) -> Result<Kthread, OutOfMemory> {
    super::make_room()?;
    let kstack = Kstack::new()?;
    let context = Context::kthread(&kstack, start::start);
    let control = Control::new(Box::new(|| body().code()));
    let task = Task::from_parts(Parts {
        name: cut_name(name),
        idle: false,
        kstack,
        context,
        mm: TaskMm::Off,
        fpu: None,
        owner: None,
        kthread: Some(Box::new(control)),
    });
    lockcheck::start_holding(task.held(), rank::RUNQ, "run queue");
    list::add(&task);
    Ok(Kthread::of(task))
}

/// Makes a kernel thread and starts it.
pub fn kthread_run<R: ExitCode>(
    name: &str,
    body: impl FnOnce() -> R + Send + 'static,
) -> Result<Kthread, OutOfMemory> {
    let thread = kthread_create(name, body)?;
    thread.start();
    Ok(thread)
}

/// Returns a kernel thread's part of its task.
fn control(task: &Task) -> &Control {
    task.kthread()
        .expect("a kernel thread is asked, not a program's task")
}
