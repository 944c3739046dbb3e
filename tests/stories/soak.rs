//! Much of everything at once, and nothing of it stays behind.

use harness::{Outcome, Vm};

/// Random system calls; the machine ends when there were enough and everything is as before.
#[track_caller]
pub(crate) fn fuzz(vm: Vm, calls: &str, seed: &str) -> Outcome {
    let args = ["fuzz", "--seed", seed, "--calls", calls];
    let outcome = vm.cmdline("kstatd=0").init("soak", &args).boot();
    outcome.expect_pass();
    outcome.line_containing("fuzz: enough calls: true, nothing stays behind: true");
    outcome
}

/// Families fork, execute, end, kill and stop, with threads, while the kernel's own threads come and go and visit them.
#[track_caller]
pub(crate) fn storm(vm: Vm, kernels: &str, args: &[&str]) -> Outcome {
    let args = [&["storm"], args].concat();
    let cmdline = format!("kstatd=0 postman {kernels}");
    let outcome = vm.cmdline(&cmdline).init("soak", &args).boot();
    outcome.expect_pass();
    outcome.line_containing("storm: everybody did as they should, and nothing stays behind: true");
    assert!(outcome.counter("execs") > 50 && outcome.counter("kstorm_rounds") > 20);
    outcome
}

/// Children, threads, descriptors, buffers, files, mappings, signals, memory: whoever takes all there is gets an error or ends.
#[track_caller]
pub(crate) fn bombs(vm: Vm) {
    let vm = vm.memory("64M").cmdline("kstatd=0");
    let outcome = vm.init("soak", &["bombs"]).boot();
    outcome.expect_pass();
    outcome.line_containing("bombs: 16 of 16 hurt nobody else");
}
