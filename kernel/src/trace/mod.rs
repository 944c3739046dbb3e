//! The kernel threads that watch and tidy: the reaper and the statistics thread.

pub mod kstatd;
pub mod postman;

use bootinfo::CommandLine;

use crate::sched::kthread::{kthread_run, serve};
use crate::task::reaper;
use crate::work;

/// Starts the kernel threads that every Lodger has.
pub fn start_kthreads(cmdline: &CommandLine) {
    let period = kstatd::period(cmdline);
    kthread_run("reaper", || serve(reaper::turn)).expect("boot has memory for its kernel threads");
    kthread_run("kstatd", move || kstatd::run(period))
        .expect("boot has memory for its kernel threads");
    if cmdline.has("postman") {
        postman::start().expect("boot has memory for its kernel threads");
    }
    work::start_workers(1).expect("boot has memory for its kernel threads");
}
