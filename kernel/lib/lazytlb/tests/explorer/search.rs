//! Breadth first through all states, with the shortest way to the first violation.

use std::collections::HashMap;
use std::fmt;

use crate::invariants::{Check, violation};
use crate::kernel::Kernel;
use crate::rules::Rules;
use crate::state::{Doing, State};
use crate::step::{Step, steps_of};

/// All that a machine can come to.
pub(crate) struct Explored {
    states: Vec<Visited>,
}

struct Visited {
    state: State,
    /// Where it was first reached from, and how.
    from: Option<(usize, u8, Step)>,
}

/// The shortest way to a state that must not be.
pub(crate) struct Counterexample {
    pub(crate) what: &'static str,
    pub(crate) steps: Vec<(u8, Step)>,
}

/// What is said of a machine that stands still.
pub(crate) const DEADLOCK: &str = "TLB-12: no CPU can go on";

/// Visits every state that can be reached from `start`.
pub(crate) fn explore(
    start: State,
    rules: Rules,
    check: Check,
) -> Result<Explored, Counterexample> {
    let mut explored = Explored { states: Vec::new() };
    let mut known = HashMap::new();
    let mut reach = |states: &mut Vec<Visited>, state, from| {
        known
            .entry(state)
            .or_insert_with(|| states.push(Visited { state, from }));
    };
    reach(&mut explored.states, start, None);
    let mut at = 0;
    while at < explored.states.len() {
        let state = explored.states[at].state;
        if let Some(what) = violation(&state, check) {
            return Err(explored.counterexample(at, what));
        }
        let steps = |cpu| {
            steps_of(&state, cpu, &rules)
                .into_iter()
                .map(move |step| (cpu, step))
        };
        let all: Vec<_> = (0..state.cpu_count).flat_map(steps).collect();
        let at_rest = || {
            state
                .live_cpus()
                .iter()
                .all(|cpu| cpu.doing == Doing::Running)
        };
        if all.is_empty() && !at_rest() {
            return Err(explored.counterexample(at, DEADLOCK));
        }
        for (cpu, step) in all {
            let mut kernel = Kernel { state, rules };
            kernel.take(cpu, step);
            reach(&mut explored.states, kernel.state, Some((at, cpu, step)));
        }
        at += 1;
    }
    Ok(explored)
}

impl Explored {
    /// Counts the states that are such.
    pub(crate) fn count(&self, such: impl Fn(&State) -> bool) -> usize {
        self.states
            .iter()
            .filter(|visited| such(&visited.state))
            .count()
    }

    fn counterexample(&self, mut at: usize, what: &'static str) -> Counterexample {
        let mut steps = Vec::new();
        while let Some((from, cpu, step)) = self.states[at].from {
            steps.push((cpu, step));
            at = from;
        }
        steps.reverse();
        Counterexample { what, steps }
    }
}

impl fmt::Debug for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after:", self.what)?;
        for (cpu, step) in &self.steps {
            writeln!(f, "  cpu{cpu} {step:?}")?;
        }
        Ok(())
    }
}
