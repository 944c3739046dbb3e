//! What `test=NAME` on the command line runs instead of init: mechanisms shown from inside.
//!
//! Each test runs in a kernel thread of its own. It ends the machine with a pass, fails by a panic
//! that states what did not hold, or commits a crime that must end in a report.
//!
//! - [`address_spaces`]: upper halves, lazy switching, the zombie mm.
//! - [`fsck`]: damage of every kind, which must be named.
//! - [`preemption`]: a task preempted on its way to sleep.
//! - [`hotplug`]: CPUs that go and come back.
//! - [`processors`]: messages between CPUs, a CPU that does not come, CPUs that fail at once.
//! - [`kthreads`]: start, stop, park. [`lodger`]: a stay in an address space. [`work`]: deferred work.
//! - [`stuck`]: CPUs and tasks that stand still, and sleep where none is allowed.
//! - [`waits`]: waits for locks that sleep.
//! - [`storm`]: kernel threads, stays and deferred work beside programs (`kstorm`).
//! - [`crimes`]: NX, SMEP, SMAP, WP, stack overflow, panic, oops.

mod address_spaces;
mod crimes;
mod fsck;
mod hotplug;
mod kthreads;
mod lodger;
mod preemption;
mod processors;
mod storm;
mod stuck;
mod waits;
mod work;

use bootinfo::CommandLine;
use log::info;

use super::power;
use crate::sched::kthread_run;

type Test = (&'static str, fn());

/// Every test with its name.
const TESTS: &[Test] = &[
    ("khalf", address_spaces::khalf),
    ("lazy", address_spaces::lazy),
    ("zombie", address_spaces::zombie),
    ("lifetime", address_spaces::lifetime),
    ("preempted_sleeper", preemption::preempted_sleeper),
    ("kthreads", kthreads::kthreads),
    ("use_mm", lodger::use_mm),
    ("use_mm_twice", lodger::twice),
    ("use_mm_kept", lodger::kept),
    ("work", work::work),
    ("soft_lockup", stuck::soft_lockup),
    ("hard_lockup", stuck::hard_lockup),
    ("hung_task", stuck::hung_task),
    ("sleep_locked", stuck::sleep_locked),
    ("sleep_irqs_off", stuck::sleep_irqs_off),
    ("sleep_preempt_off", stuck::sleep_preempt_off),
    ("waits", waits::waits),
    ("fsck", fsck::fsck),
    ("messages", processors::messages),
    ("tickless", processors::tickless),
    ("hotplug", hotplug::hotplug),
    ("kstack_reuse", processors::kstack_reuse),
    ("absent_cpu", processors::absent_cpu),
    ("panic_elsewhere", processors::panic_elsewhere),
    ("panic_everywhere", processors::panic_everywhere),
    ("nx", crimes::nx),
    ("smep", crimes::smep),
    ("smap", crimes::smap),
    ("wp", crimes::wp),
    ("wp_text", crimes::wp_text),
    ("non_canonical", crimes::non_canonical),
    ("divide", crimes::divide),
    ("undefined", crimes::undefined),
    ("kstack_overflow", crimes::kstack_overflow),
    ("oops", crimes::oops),
    ("panic", crimes::panic),
    ("watchdog", crimes::hang),
];

/// Starts the test that the command line names; returns whether it names one that takes the place of init.
pub fn start(cmdline: &CommandLine) -> bool {
    if cmdline.has("kstorm") || cmdline.get("kstorm").is_some() {
        let with_hotplug = cmdline.get("kstorm") == Some("hotplug");
        storm::start(with_hotplug).expect("boot has memory for a test");
    }
    let Some(name) = cmdline.get("test") else {
        return false;
    };
    let Some(&(name, test)) = TESTS.iter().find(|(known, _)| *known == name) else {
        let mut known = alloc::string::String::new();
        TESTS
            .iter()
            .for_each(|(name, _)| known += &alloc::format!(" {name}"));
        super::refuse(format_args!(
            "there is no test={name:.40}; there are:{known}"
        ));
    };
    info!(target: "test", "{name} begins");
    kthread_run(name, move || run(name, test)).expect("boot has memory for a test");
    true
}

fn run(name: &str, test: fn()) {
    test();
    info!(target: "test", "{name} passed");
    power::off(power::PASS)
}
