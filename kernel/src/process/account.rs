//! CPU time, looked at in the timer interrupt: whether it is spent in the program or in the kernel, and whether somebody waits for
//! some of it to be over.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::machine;
use super::thread::thread_of;
use crate::task::{self, lockcheck};
use crate::time;

/// The timer interrupt came; `in_program` says whether it came in the way of a program. Interrupts are off.
pub fn tick(in_program: bool) {
    let now = time::now_ns();
    lockcheck::in_interrupt(|| machine::note_load(now));
    let task = task::current();
    let Some(thread) = thread_of(&task) else {
        return;
    };
    task.sample(now, in_program);
    let [met, all] = &SAMPLES;
    met.fetch_add(in_program.into(), Relaxed);
    all.fetch_add(1, Relaxed);
    let process = thread.process();
    if process.watches_cpu.load(Relaxed) {
        lockcheck::in_interrupt(|| process.check_cpu_time());
    }
}

/// Samples of all CPUs: those that met a program, and all.
static SAMPLES: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Returns how many samples met a program, and how many there were.
pub fn samples() -> (u64, u64) {
    let [in_programs, all] = &SAMPLES;
    (in_programs.load(Relaxed), all.load(Relaxed))
}
