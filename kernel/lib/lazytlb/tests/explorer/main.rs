//! Walks through every interleaving of a small machine's switches, exits, execs and flushes.
//!
//! With all rules in place no state hurts the machine and all books agree; with any one of them
//! left out some state hurts it. A failing test prints the shortest way there.

mod flush;
mod invariants;
mod kernel;
mod life;
mod rules;
mod search;
mod state;
mod step;

mod broken;
mod sound;

use invariants::Check;
use rules::Rules;
use search::{Explored, explore};
use state::State;

/// One CPU: two processes and a kernel thread.
fn one_cpu() -> State {
    State::new(1).with_process(1).with_process(1).with_kthread()
}

/// Two CPUs: two threads of one process and a kernel thread.
fn two_cpus() -> State {
    State::new(2).with_process(2).with_kthread()
}

/// Three CPUs: three threads of one process, which none leaves for good.
fn three_cpus() -> State {
    State::new(3)
        .with_process(3)
        .with_tables_that_stay()
        .with_busy_cpus()
}

fn explore_all(start: State, rules: Rules) -> Explored {
    explore(start, rules, Check::HarmAndBooks).unwrap()
}

/// Returns the harm that comes of a rule that is left out.
fn harm(start: State, rules: Rules) -> &'static str {
    let found = explore(start, rules, Check::Harm);
    found.map(|_| ()).expect_err("the rule is needed").what
}
