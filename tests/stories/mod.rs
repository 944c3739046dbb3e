//! What the stories share: boots that end as expected, topics of the probe, lines with several marks.

#![allow(dead_code, reason = "each story uses the part it needs")]

pub(crate) mod elf;
pub(crate) mod soak;

use harness::{Exit, Outcome, Vm, same_as_linux};

/// Boots with a command line and expects the machine to end as a success.
#[track_caller]
pub(crate) fn passes(cmdline: &str) -> Outcome {
    ends(cmdline, Exit::Pass)
}

/// Boots with a command line and expects a certain end.
#[track_caller]
pub(crate) fn ends(cmdline: &str, end: Exit) -> Outcome {
    let outcome = Vm::new().cmdline(cmdline).boot();
    outcome.expect(end);
    outcome
}

/// Runs a program on Linux and in Lodger: both say the same, and at least so many rules held.
#[track_caller]
pub(crate) fn holds(program: &str, args: &[&str], at_least: usize) -> Outcome {
    let outcome = same_as_linux(program, args);
    let held = outcome
        .program_output()
        .iter()
        .filter(|line| line.starts_with("ok "))
        .count();
    if held < at_least {
        outcome.fail(&format!("only {held} rules were checked, not {at_least}"));
    }
    outcome.assert_no("FAIL ");
    outcome
}

/// Runs a topic of the probe.
#[track_caller]
pub(crate) fn topic(name: &str, at_least: usize) -> Outcome {
    holds("probe", &[name], at_least)
}

/// Finds the first line that has all of these marks, and insists that there is one.
#[track_caller]
pub(crate) fn line_with<'a>(outcome: &'a Outcome, marks: &[&str]) -> &'a str {
    let found = lines_with(outcome, marks);
    found
        .first()
        .unwrap_or_else(|| outcome.fail(&format!("no line has all of {marks:?}")))
}

/// Finds every line that has all of these marks.
pub(crate) fn lines_with<'a>(outcome: &'a Outcome, marks: &[&str]) -> Vec<&'a str> {
    let has_all = |line: &&str| marks.iter().all(|mark| line.contains(mark));
    outcome.log.lines().filter(has_all).collect()
}

/// Gives the word after `key` in a line, without punctuation behind it.
pub(crate) fn word_after<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|word| *word == key)?;
    words
        .next()
        .map(|word| word.trim_end_matches([',', ';', '.']))
}
