//! `./x test`: `cargo test` with everything built beforehand and one count at the end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::cli::TestArgs;
use crate::{build, project, tell};

/// What the test programs' closing lines add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs the tests; passes their output on and returns 0 only if something passed and nothing failed.
pub(super) fn test(args: &TestArgs) -> Result<u8> {
    tell::step("building what the virtual machines need");
    tell::step(&build::build()?.summary());
    let mut child = Command::new("cargo")
        .args(["test", "--no-fail-fast"])
        .args(&args.args)
        .current_dir(project::root())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo could not be started; ./x sets up the toolchain")?;
    let mut count = Count::default();
    pass_on(
        BufReader::new(child.stdout.take().context("cargo's output is a pipe")?),
        &mut count,
    )?;
    count.settle(child.wait()?.success());
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(count.exit_code())
}

/// Copies lines, which need not be text, and adds up the closing ones.
fn pass_on(mut output: impl BufRead, count: &mut Count) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        stdout.write_all(&line)?;
        stdout.flush()?;
        count.add(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}

impl Count {
    /// Adds a line of the form `test result: ok. 3 passed; 0 failed; …`; others are nothing to it.
    fn add(&mut self, line: &str) {
        let Some((_, numbers)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in numbers.split(';') {
            match part
                .trim()
                .split_once(' ')
                .map(|(number, word)| (number.parse::<u64>(), word))
            {
                Some((Ok(number), "passed")) => self.passed += number,
                Some((Ok(number), "failed")) => self.failed += number,
                _ => {}
            }
        }
    }

    /// A test program that does not compile or dies prints no count: it is one failure all the same.
    fn settle(&mut self, cargo_succeeded: bool) {
        if !cargo_succeeded {
            self.failed = self.failed.max(1);
        }
    }

    /// Nothing having run is not a success.
    fn exit_code(&self) -> u8 {
        u8::from(self.failed > 0 || self.passed == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[&str], cargo_succeeded: bool) -> Count {
        let mut count = Count::default();
        lines.iter().for_each(|line| count.add(line));
        count.settle(cargo_succeeded);
        count
    }

    #[test]
    fn counts_of_all_test_programs_are_added_up() {
        let lines = [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ];
        assert_eq!(
            count(&lines, false),
            Count {
                passed: 4,
                failed: 2
            }
        );
    }

    #[test]
    fn a_test_program_that_dies_without_a_count_is_a_failure() {
        let counted = count(&["test result: ok. 3 passed; 0 failed; 0 ignored"], false);
        assert_eq!((counted.failed, counted.exit_code()), (1, 1));
    }

    #[test]
    fn nothing_having_run_is_not_a_success() {
        assert_eq!(
            count(
                &["test result: ok. 0 passed; 0 failed; 9 filtered out"],
                true
            )
            .exit_code(),
            1
        );
        assert_eq!(
            count(&["test result: ok. 1 passed; 0 failed; 0 ignored"], true).exit_code(),
            0
        );
    }
}
