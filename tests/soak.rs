//! Much of everything at once, for as long as it takes: nothing oopses, hangs or stays behind.
//!
//! These are the short runs; the long ones are in `long.rs`, and asked for by name. What they do is bounded by counts.

mod stories;

use harness::Vm;
use stories::soak::{bombs, fuzz, storm};

#[test]
fn random_calls_leave_nothing_behind_on_four_processors() {
    fuzz(Vm::new().smp(4).timeout(400), "30000", "1");
}

#[test]
fn random_calls_leave_nothing_behind_on_one_processor() {
    fuzz(Vm::new().timeout(400), "15000", "100001");
}

#[test]
fn a_storm_of_processes_and_kernel_threads_leaves_nothing_behind() {
    let vm = Vm::new().smp(4).timeout(500);
    let outcome = storm(vm, "kstorm", &["--seed", "1", "--rounds", "3"]);
    assert!(outcome.counter("letters_delivered") > 0);
}

#[test]
fn a_storm_while_processors_come_and_go_leaves_nothing_behind() {
    let vm = Vm::new().smp(4).timeout(500);
    let outcome = storm(vm, "kstorm=hotplug", &["--seed", "2", "--rounds", "3"]);
    outcome.line_containing(" is back; 4 are up: 0-3");
}

#[test]
fn bombs_hurt_only_the_guilty() {
    bombs(Vm::new().smp(4).timeout(500));
}
