//! CPU time, looked at in the timer interrupt: whether it is spent in the program or in the kernel, and whether somebody waits for
//! some of it to be over.

use core::sync::atomic::Ordering::Relaxed;

use super::thread::thread_of;
use crate::task::{self, lockcheck};
use crate::time;

/// The timer interrupt came; `in_program` says whether it came in the way of a program. Interrupts are off.
pub fn tick(in_program: bool) {
    let task = task::current();
    let Some(thread) = thread_of(&task) else {
        return;
    };
    task.sample(time::now_ns(), in_program);
    let process = thread.process();
    if process.watches_cpu.load(Relaxed) {
        lockcheck::in_interrupt(|| process.check_cpu_time());
    }
}
