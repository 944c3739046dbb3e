//! How probes run and report: each case in a child of its own, one line each, a count at the end.
//!
//! The lines are the same on every kernel that behaves; what only Lodger can tell begins with `# `.

use std::fmt::Debug;

use crate::child::{self, Ended};
use crate::sys;

/// Is what a case says: nothing, or what it found instead.
pub type Verdict = Result<(), String>;

/// Is a named case.
pub type Case = (&'static str, fn() -> Verdict);

/// Is a group of cases about one thing.
pub struct Topic {
    /// What the command line calls it.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Its cases, in order.
    pub cases: &'static [Case],
}

/// Counts verdicts.
#[derive(Default)]
pub struct Tally {
    ok: usize,
    failed: usize,
}

impl Tally {
    /// Runs the cases of a topic, or the one that is asked for.
    pub fn run(&mut self, topic: &Topic, only: Option<&str>) {
        for (name, case) in topic.cases {
            if only.is_none_or(|only| only == *name) {
                self.run_case(topic.name, name, *case);
            }
        }
    }

    fn run_case(&mut self, topic: &str, name: &str, case: fn() -> Verdict) {
        match in_child(topic, name, case) {
            Ok(Ended::Exited(0)) => {
                println!("ok {topic} {name}");
                self.ok += 1;
            }
            Ok(Ended::Exited(FAILED)) => self.failed += 1,
            other => {
                println!("FAIL {topic} {name}: the case's process ended with {other:?}");
                self.failed += 1;
            }
        }
    }

    /// Prints the count; the code to exit with.
    #[must_use]
    pub fn finish(&self) -> i32 {
        println!("probe: {} ok, {} failed", self.ok, self.failed);
        if self.ok == 0 {
            println!("probe: no such case");
            return 2;
        }
        i32::from(self.failed > 0)
    }
}

/// The exit code of a case that has said itself what failed.
const FAILED: i32 = 98;

fn in_child(topic: &str, name: &str, case: fn() -> Verdict) -> sys::Result<Ended> {
    child::run(|| match case() {
        Ok(()) => 0,
        Err(why) => {
            println!("FAIL {topic} {name}: {why}");
            FAILED
        }
    })
}

/// Fails unless `got` is `want`.
pub fn same<T: PartialEq + Debug>(what: &str, got: T, want: T) -> Verdict {
    if got == want {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, want {want:?}"))
    }
}

/// Fails if the kernel tells a number, and it is another.
pub fn told(what: &str, got: Option<u64>, want: u64) -> Verdict {
    got.map_or(Ok(()), |got| same(what, got, want))
}

/// Fails unless `truth` holds.
pub fn holds(what: &str, truth: bool) -> Verdict {
    if truth {
        Ok(())
    } else {
        Err(format!("not so: {what}"))
    }
}

/// Turns a refused system call into a verdict.
pub fn must<T>(what: &str, result: sys::Result<T>) -> Result<T, String> {
    result.map_err(|errno| format!("{what}: {errno:?}"))
}

/// Fails unless the call is refused with `want`.
pub fn refused<T: Debug>(what: &str, result: sys::Result<T>, want: i32) -> Verdict {
    match result {
        Err(errno) if errno.0 == want => Ok(()),
        other => Err(format!(
            "{what}: got {other:?}, want {:?}",
            sys::Errno(want)
        )),
    }
}

/// Runs `work` in a child and fails unless it is killed by `signal`.
pub fn dies(what: &str, signal: i32, work: impl FnOnce() -> i32) -> Verdict {
    let ended = must("fork", child::run(work))?;
    same(what, ended, Ended::Killed(signal))
}

/// Runs `work` in a child and fails unless it returns 0.
pub fn lives(what: &str, work: impl FnOnce() -> i32) -> Verdict {
    let ended = must("fork", child::run(work))?;
    same(what, ended, Ended::Exited(0))
}

/// Turns a verdict into the exit code of a child, printing what failed.
pub fn code(verdict: Verdict) -> i32 {
    match verdict {
        Ok(()) => 0,
        Err(why) => {
            println!("# in a child: {why}");
            1
        }
    }
}
