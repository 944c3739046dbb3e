//! The kernel threads that watch and tidy.
//!
//! - [`kstatd`]: on whose address space it stands. [`kswapd`]: memory fetched back in the background.
//! - [`hung`]: tasks that sleep for ever. [`postman`]: words brought to programs that ask for them.
//! - The reaper's turns are in [`crate::task::reaper`].

pub mod hung;
pub mod kstatd;
pub mod kswapd;
pub mod postman;

use bootinfo::CommandLine;

use crate::mm::{OutOfMemory, watermark};
use crate::sched::kthread::{kthread_run, serve};
use crate::smp;
use crate::task::reaper;
use crate::trap::{hard_lockup, lockup};
use crate::workqueue;

const NS_PER_MS: u64 = 1_000_000;
/// A CPU that does not schedule for so long is reported, if nothing is said.
const SOFTLOCKUP_MS: u64 = 20_000;
/// A CPU that takes no interrupts for so long is, if nothing is said.
const HARDLOCKUP_MS: u64 = 20_000;
/// A task that sleeps for so long is, if nothing is said.
const HUNGTASK_MS: u64 = 120_000;

/// Starts the kernel threads that every Lodger has, and the watches of the timer interrupt.
pub fn start_kthreads(cmdline: &CommandLine) {
    lockup::set_limit(period(cmdline, "softlockup", SOFTLOCKUP_MS));
    hard_lockup::set_limit(period(cmdline, "hardlockup", HARDLOCKUP_MS));
    start(cmdline).expect("boot has memory for its kernel threads");
}

fn start(cmdline: &CommandLine) -> Result<(), OutOfMemory> {
    kthread_run("reaper", || serve(reaper::turn))?;
    kthread_run("kswapd", || serve(kswapd::turn))?;
    watermark::start();
    let hung = period(cmdline, "hungtask", HUNGTASK_MS);
    if hung > 0 {
        let mut told = hung::Told::default();
        kthread_run("khungtaskd", move || serve(|| hung::turn(hung, &mut told)))?;
    }
    if cmdline.has("postman") {
        postman::start()?;
    }
    workqueue::start_workers(smp::online())?;
    kstatd::start(kstatd::period(cmdline));
    Ok(())
}

/// Returns a time in ns that the command line gives in milliseconds.
fn period(cmdline: &CommandLine, key: &str, default_ms: u64) -> u64 {
    let given = cmdline.get(key).and_then(|text| text.parse().ok());
    given.unwrap_or(default_ms).saturating_mul(NS_PER_MS)
}
