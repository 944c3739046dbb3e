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

/// Families fork, execute, end, kill and stop, with threads, while the kernel's own threads come and go and visit them.
#[track_caller]
fn storm(vm: Vm, kernels: &str, args: &[&str]) -> Outcome {
    let args = [&["storm"], args].concat();
    let cmdline = format!("kstatd=0 postman {kernels}");
    let outcome = vm.cmdline(&cmdline).init("soak", &args).boot();
    outcome.expect_pass();
    outcome.line_containing("storm: everybody did as they should, and nothing stays behind: true");
    assert!(outcome.counter("execs") > 50 && outcome.counter("kstorm_rounds") > 20);
    outcome
}

#[test]
fn a_storm_of_processes_and_kernel_threads_leaves_nothing_behind() {
    let vm = Vm::new().smp(4).timeout(500);
    let outcome = storm(vm, "kstorm", &["--seed", "1", "--rounds", "3"]);
    assert!(outcome.counter("letters_delivered") > 0);
}

#[test]
#[ignore = "a long run: ten minutes"]
fn ten_minutes_of_storm_leave_nothing_behind_on_four_processors() {
    storm(
        Vm::new().smp(4).timeout(1200),
        "kstorm",
        &["--seed", "1000", "--lanes", "8", "--seconds", "600"],
    );
}

#[test]
#[ignore = "a long run: ten minutes"]
fn ten_minutes_of_storm_leave_nothing_behind_while_processors_come_and_go() {
    storm(
        Vm::new().smp(4).timeout(1200),
        "kstorm=hotplug",
        &["--seed", "2000", "--lanes", "8", "--seconds", "600"],
    );
}

#[test]
#[ignore = "a long run: ten minutes"]
fn ten_minutes_of_storm_leave_nothing_behind_in_64_mib() {
    let vm = Vm::new().smp(4).memory("64M").timeout(1200);
    storm(
        vm,
        "kstorm",
        &["--seed", "3000", "--lanes", "12", "--seconds", "600"],
    );
}

/// Children, threads, descriptors, buffers, files, mappings, signals, memory: whoever takes all there is gets an error or ends.
#[test]
fn bombs_hurt_only_the_guilty() {
    let vm = Vm::new().smp(4).memory("64M").timeout(500);
    let outcome = vm.cmdline("kstatd=0").init("soak", &["bombs"]).boot();
    outcome.expect_pass();
    outcome.line_containing("bombs: 16 of 16 hurt nobody else");
}
