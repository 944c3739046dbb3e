//! Much of everything at once, for as long as it takes: nothing oopses, hangs or stays behind.
//!
//! The short runs belong to the suite. The long ones are asked for by name, each an hour at most:
//! `./x test --test soak -- --ignored --nocapture`. What they do is bounded by counts.

use harness::{Outcome, Vm};

/// Random system calls; the machine ends when there were enough and everything is as before.
#[track_caller]
fn fuzz(vm: Vm, calls: &str, seed: &str) -> Outcome {
    let args = ["fuzz", "--seed", seed, "--calls", calls];
    let outcome = vm.cmdline("kstatd=0").init("soak", &args).boot();
    outcome.expect_pass();
    outcome.line_containing("fuzz: enough calls: true, nothing stays behind: true");
    outcome
}

#[test]
fn random_calls_leave_nothing_behind_on_four_processors() {
    fuzz(Vm::new().smp(4).timeout(400), "150000", "1");
}

#[test]
fn random_calls_leave_nothing_behind_on_one_processor() {
    fuzz(Vm::new().timeout(400), "50000", "100001");
}

#[test]
#[ignore = "a long run: half an hour"]
fn ten_million_random_calls_leave_nothing_behind_on_four_processors() {
    fuzz(Vm::new().smp(4).timeout(7200), "10000000", "200001");
}

#[test]
#[ignore = "a long run: half an hour"]
fn ten_million_random_calls_leave_nothing_behind_on_one_processor() {
    fuzz(Vm::new().timeout(7200), "10000000", "300001");
}
