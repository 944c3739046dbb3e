//! Breadth first through all states, with the shortest way to the first violation.

use std::collections::HashMap;
use std::fmt;

use crate::machine::{Broken, Machine, Who};

/// The shortest way to a state that must not be.
pub(crate) struct Counterexample {
    pub(crate) what: &'static str,
    steps: Vec<(Who, Machine)>,
}

/// Visits every state that can be reached from `start` and returns how many there are.
pub(crate) fn explore(start: &Machine, broken: Broken) -> Result<usize, Counterexample> {
    let states = walk(start, broken)?;
    Ok(states.len())
}

/// Counts the states with all rules in place that are such.
pub(crate) fn count(start: &Machine, such: impl Fn(&Machine) -> bool) -> usize {
    let states = walk(start, Broken::Nothing).unwrap_or_else(|found| panic!("{found:?}"));
    states.iter().filter(|state| such(state)).count()
}

fn walk(start: &Machine, broken: Broken) -> Result<Vec<Machine>, Counterexample> {
    let mut states = vec![start.clone()];
    let mut from: Vec<Option<(usize, Who)>> = vec![None];
    let mut known = HashMap::from([(start.clone(), ())]);
    let mut at = 0;
    while at < states.len() {
        let mut moved = false;
        for who in [Who::Thread, Who::First, Who::Second] {
            for next in states[at].clone().steps(who, broken) {
                moved = true;
                if known.insert(next.clone(), ()).is_none() {
                    states.push(next);
                    from.push(Some((at, who)));
                }
            }
        }
        if let Some(what) = states[at].violation(!moved) {
            return Err(way(&states, &from, at, what));
        }
        at += 1;
    }
    Ok(states)
}

fn way(
    states: &[Machine],
    from: &[Option<(usize, Who)>],
    mut at: usize,
    what: &'static str,
) -> Counterexample {
    let mut steps = Vec::new();
    while let Some((before, who)) = from[at] {
        steps.push((who, states[at].clone()));
        at = before;
    }
    steps.reverse();
    Counterexample { what, steps }
}

impl fmt::Debug for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after:", self.what)?;
        for (who, state) in &self.steps {
            writeln!(f, "  {who:?}: {state:?}")?;
        }
        Ok(())
    }
}
