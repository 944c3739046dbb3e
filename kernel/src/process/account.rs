//! CPU time, looked at in the timer interrupt: whether it is spent in the program or in the kernel.

use crate::{task, time};

/// The timer interrupt came; `in_program` says whether it came in the way of a program. Interrupts are off.
pub fn tick(in_program: bool) {
    let task = task::current();
    if task.owner().is_some() {
        task.sample(time::now_ns(), in_program);
    }
}
