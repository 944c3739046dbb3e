//! khungtaskd: a kernel thread that looks for tasks which sleep for something that does not come.
//!
//! Seen are sleeps that nothing interrupts, neither a signal nor the owner of a kernel thread: for a lock, for
//! another CPU, for the end of a thread. Whoever sleeps so for longer than `hungtask=MS` is reported once, with where
//! it sleeps.

use alloc::vec::Vec;

use crate::locks::Interrupted;
use crate::mm::counters::HUNG_TASKS;
use crate::process::tree;
use crate::sched::kthread::list;
use crate::task::TaskRef;
use crate::time;
use crate::trap::report;

/// How many looks there are in the time that is too long.
const LOOKS: u64 = 4;

/// What was reported: the task, and since when it sleeps.
#[derive(Default)]
pub struct Told(Vec<(u32, u64)>);

/// One turn: waits a while, then looks at all tasks.
pub fn turn(limit: u64, told: &mut Told) -> Result<(), Interrupted> {
    time::sleep_until(time::now_ns() + (limit / LOOKS).max(1))?;
    let asleep: Vec<(TaskRef, u64)> = tasks()
        .into_iter()
        .filter_map(|task| task.deaf_since().map(|since| (task, since)))
        .collect();
    let is_still = |one: &(u32, u64)| {
        asleep
            .iter()
            .any(|(task, since)| *one == (task.tid(), *since))
    };
    told.0.retain(is_still);
    let now = time::now_ns();
    for (task, since) in asleep {
        let lasted = now.saturating_sub(since);
        if lasted >= limit && !told.0.contains(&(task.tid(), since)) {
            told.0.push((task.tid(), since));
            HUNG_TASKS.inc();
            report::hung_task(&task, lasted);
        }
    }
    Ok(())
}

/// All tasks but the idle ones: those of programs and the kernel's own.
fn tasks() -> Vec<TaskRef> {
    let mut tasks = list::all();
    for process in tree::find_all(|_, _| true) {
        let mut from = 0;
        while let Some(tid) = process.next_tid(from) {
            tasks.extend(process.task_of(tid));
            from = tid + 1;
        }
    }
    tasks
}
