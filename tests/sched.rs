//! The scheduler: what threads may ask of it, and what each gets on one CPU and on several.

mod stories;

use harness::{Exit, Outcome, Vm};
use stories::{line_with, topic};

#[test]
fn threads_ask_for_policies_priorities_and_cpus() {
    topic("policies", 11);
}

#[test]
fn threads_run_where_they_may() {
    topic("cpus", 6);
}

#[track_caller]
fn on_four(program: &str) -> Outcome {
    let machine = Vm::new().smp(4).timeout(240);
    let outcome = machine.cmdline(&format!("init=/bin/{program}")).boot();
    outcome.expect(Exit::Pass);
    outcome
}

#[test]
fn bound_threads_stay_where_they_are_bound_on_four_cpus() {
    let outcome = on_four("probe -- cpus");
    line_with(&outcome, &["7 ok, 0 failed"]);
    assert!(
        outcome.counter("migrations") > 60,
        "it_runs_where_it_may alone has as many"
    );
    assert!(
        outcome.counter("wakeups_remote") > 0,
        "children start on CPUs that idle"
    );
}

/// Runs hogs for a second of counted time, in which nothing depends on the machine below.
#[track_caller]
fn shares(cpus: u32, levels: &[i32]) -> (Vec<f64>, Outcome) {
    let levels: Vec<String> = levels.iter().map(ToString::to_string).collect();
    let cmdline = format!("kstatd=0 init=/bin/probe -- shares {}", levels.join(" "));
    let outcome = Vm::new()
        .icount()
        .smp(cpus)
        .timeout(240)
        .cmdline(&cmdline)
        .boot();
    outcome.expect(Exit::Pass);
    let line = line_with(&outcome, &["shares: ["]);
    let list = line.split(['[', ']']).nth(1).unwrap_or_default();
    let parts = list.split(", ").filter_map(|part| part.parse().ok());
    (
        parts.map(|part: u32| f64::from(part) / 1000.0).collect(),
        outcome,
    )
}

#[test]
fn one_cpu_is_shared_by_weight() {
    let (shares, _) = shares(1, &[0, 0, 5]);
    let expected = [0.43, 0.43, 0.14];
    assert!(
        near(&shares, &expected, 0.02),
        "{shares:?} for {expected:?}"
    );
}

/// Neither CPU can have one and a half of them: they take turns at having one for itself.
#[test]
fn three_tasks_on_two_cpus_have_two_thirds_each() {
    let (shares, outcome) = shares(2, &[0, 0, 0]);
    assert!(near(&shares, &[0.667; 3], 0.05), "{shares:?}");
    assert!(outcome.counter("balance_pulls") > 5, "they change places");
}

fn near(found: &[f64], expected: &[f64], error: f64) -> bool {
    let pairs = found.iter().zip(expected);
    found.len() == expected.len()
        && pairs
            .clone()
            .all(|(one, other)| (one - other).abs() < error)
}
