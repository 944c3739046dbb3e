//! Much of everything at once, for as long as it takes: nothing oopses, hangs or stays behind.
//!
//! Not part of the suite: `./x test --test long`, or one of them by its name. Each takes an hour at most.

mod stories;

use harness::Vm;
use stories::soak::{bombs, fuzz, storm};

#[test]
fn ten_million_random_calls_leave_nothing_behind_on_four_processors() {
    fuzz(Vm::new().smp(4).timeout(7200), "10000000", "200001");
}

#[test]
fn ten_million_random_calls_leave_nothing_behind_on_one_processor() {
    fuzz(Vm::new().timeout(7200), "10000000", "300001");
}

#[test]
fn ten_minutes_of_storm_leave_nothing_behind_on_four_processors() {
    storm(
        Vm::new().smp(4).timeout(1200),
        "kstorm",
        &["--seed", "1000", "--lanes", "8", "--seconds", "600"],
    );
}

#[test]
fn ten_minutes_of_storm_leave_nothing_behind_while_processors_come_and_go() {
    storm(
        Vm::new().smp(4).timeout(1200),
        "kstorm=hotplug",
        &["--seed", "2000", "--lanes", "8", "--seconds", "600"],
    );
}

#[test]
fn ten_minutes_of_storm_leave_nothing_behind_in_64_mib() {
    let vm = Vm::new().smp(4).memory("64M").timeout(1200);
    storm(
        vm,
        "kstorm",
        &["--seed", "3000", "--lanes", "12", "--seconds", "600"],
    );
}

#[test]
fn bombs_hurt_only_the_guilty_on_one_processor() {
    bombs(Vm::new().timeout(1200));
}
