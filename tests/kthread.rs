//! Kernel threads: how they start, park and stop, and how they stay in somebody's address space.

mod stories;

use harness::{Exit, Vm};
use stories::{ends, line_with, lines_with, passes};

#[test]
fn kt_1_to_kt_3_no_thread_sleeps_through_a_start_a_stop_or_a_park() {
    line_with(
        &passes("test=kthreads"),
        &["test: ", "kthreads ok rounds=200"],
    );
}

#[test]
fn lz_25_a_store_in_a_used_mm_arrives_and_the_same_store_is_refused_afterwards() {
    let outcome = passes("test=use_mm");
    line_with(&outcome, &["test: ", "use_mm ok refused=3"]);
    assert_eq!(outcome.counter("user_copies_refused"), 3);
    assert!(outcome.counter("kthread_use_mm") > 50);
}

/// The same on four CPUs, where threads, their owners and whoever borrows do not wait for each other.
#[test]
fn kernel_threads_keep_their_promises_on_many_cpus() {
    for test in ["kthreads", "use_mm", "work"] {
        let outcome = Vm::new().smp(4).cmdline(&format!("test={test}")).boot();
        outcome.expect_pass();
        line_with(&outcome, &["test: ", &format!("{test} ok")]);
    }
}

#[test]
fn lz_23_a_thread_that_uses_an_mm_is_not_let_into_another() {
    let outcome = ends("test=use_mm_twice", Exit::Panic);
    line_with(&outcome, &["panic: ", "uses one mm at a time"]);
}

#[test]
fn kt_4_a_thread_that_ends_while_it_uses_an_mm_is_reported() {
    let outcome = ends("test=use_mm_kept", Exit::Panic);
    line_with(
        &outcome,
        &["panic: ", "leaves the mm that it uses before it ends"],
    );
}

#[test]
fn deferred_work_is_done_once_for_each_request_and_not_after_a_cancel() {
    let outcome = passes("test=work");
    line_with(&outcome, &["test: ", "work ok"]);
    assert!(outcome.counter("work_runs") > 20);
}

/// One store inside and one outside for each letter: the first as the program's own, the second never. With four CPUs
/// processes end while the postman is with them.
#[test]
fn lz_25_the_postman_stores_a_word_and_is_refused_when_he_has_left() {
    for cpus in [1, 4] {
        every_letter_is_accounted_for(cpus);
    }
}

fn every_letter_is_accounted_for(cpus: u32) {
    let vm = Vm::new().smp(cpus);
    let outcome = vm.cmdline("postman init=/bin/probe -- postman").boot();
    outcome.expect_pass();
    let held = outcome.program_output();
    let held = held.iter().filter(|line| line.starts_with("ok postman "));
    assert_eq!(held.count(), 4);
    let [delivered, returned, lost] =
        ["letters_delivered", "letters_returned", "letters_lost"].map(|name| outcome.counter(name));
    assert!(delivered >= 3 && returned >= 5, "{delivered}, {returned}");
    assert_eq!(delivered + returned + lost, 8 + 30);
    assert_eq!(outcome.counter("kthread_use_mm"), delivered + returned);
    assert_eq!(outcome.counter("user_copies_refused"), delivered + returned);
}

/// Counted time: so long is so many instructions.
#[test]
fn a_cpu_that_does_not_schedule_is_reported_once_with_its_task_and_where_it_is() {
    let vm = Vm::new().icount();
    let outcome = vm.cmdline("test=soft_lockup softlockup=50").boot();
    outcome.expect(Exit::Pass);
    let told = lines_with(
        &outcome,
        &["lockup: ", "soft lockup: cpu 0 ", "soft_lockup["],
    );
    assert_eq!(told.len(), 1);
    line_with(&outcome, &["oops: ", "#1 ", "boot::selftest::"]);
}

/// The reaper, kswapd, khungtaskd and a worker for each CPU at least.
#[test]
fn kernel_threads_are_in_proc_and_deaf_to_signals() {
    let vm = Vm::new().smp(2);
    let outcome = vm.init("probe", &["kernel_threads"]).boot();
    outcome.expect_pass();
    let line = line_with(&outcome, &["# ", " kernel threads"]);
    let mut words = line.split_whitespace();
    let count = words.find_map(|word| word.parse::<u32>().ok());
    assert!(count >= Some(5), "{line}");
}

/// Nobody but the deaf one runs, so that only CPUs that idle can look.
#[test]
fn a_cpu_that_takes_no_interrupts_is_reported_once_each_time_with_its_task_and_where_it_is() {
    let vm = Vm::new().icount().smp(3);
    let outcome = vm
        .cmdline("test=hard_lockup hardlockup=200 kstatd=0 softlockup=0")
        .boot();
    outcome.expect(Exit::Pass);
    let told = lines_with(&outcome, &["lockup: ", "hard lockup: cpu "]);
    assert_eq!(told.len(), 2);
    line_with(
        &outcome,
        &["cpu1 lockup: ", "hard lockup: cpu 1 ", " deaf["],
    );
    line_with(&outcome, &["oops: ", "stuck::hears_nothing"]);
}

#[test]
fn a_task_that_sleeps_uninterruptibly_is_reported_once_with_where_it_sleeps() {
    let vm = Vm::new().icount();
    let outcome = vm.cmdline("test=hung_task hungtask=50").boot();
    outcome.expect(Exit::Pass);
    let told = lines_with(&outcome, &["lockup: ", "hung task: stuck["]);
    assert_eq!(told.len(), 1);
    line_with(&outcome, &["oops: ", "wait_until"]);
}

#[test]
fn a_sleep_where_none_is_allowed_panics_in_the_checked_kernel() {
    for (test, what) in [
        ("sleep_locked", "nothing sleeps with interrupts off"),
        ("sleep_irqs_off", "nothing sleeps with interrupts off"),
        (
            "sleep_preempt_off",
            "nothing sleeps while preemption is disabled",
        ),
    ] {
        let outcome = Vm::new().checked().cmdline(&format!("test={test}")).boot();
        outcome.expect(Exit::Panic);
        line_with(&outcome, &["panic: ", what]);
    }
}

/// Clean pages of files are there, a program wants more and more memory, and not all of it has to be fetched back by itself.
#[test]
fn memory_is_fetched_back_in_the_background_before_programs_find_none() {
    let vm = Vm::new().icount().memory("64M");
    let outcome = vm.init("probe", &["rereads"]).boot();
    outcome.expect_pass();
    outcome.line_containing("reclaimed: true, read again: true");
    assert!(outcome.counter("kswapd_wakes") > 0);
    assert!(outcome.counter("kswapd_reclaimed") > 0);
    assert!(outcome.counter("kswapd_reclaimed") <= outcome.counter("reclaimed"));
}
