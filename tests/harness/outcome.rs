//! What a machine left behind, and the assertions a story makes about it.

use boot_image::Exit;

/// How many lines of the log a failure shows.
const TAIL: usize = 60;
/// What the kernel says at power-off if page tables, mappings and frames agree.
const FSCK_OK: &str = "power: fsck ok: ";

/// A finished run. Every failed assertion shows the log's end and the line that repeats the run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the run ended.
    pub exit: Exit,
    /// Everything the guest wrote to COM1, with names put to a backtrace's addresses.
    pub log: String,
    /// What the emulator itself said.
    pub emulator_says: String,
    /// The shell line that repeats the run.
    pub repeat: String,
}

impl Outcome {
    /// Insists that the run passed.
    #[track_caller]
    pub fn expect_pass(&self) -> &Self {
        self.expect(Exit::Pass)
    }

    /// Insists that the run ended in this way; a run that passed has compared its memory at the end.
    #[track_caller]
    pub fn expect(&self, exit: Exit) -> &Self {
        if self.exit != exit {
            self.fail(&format!(
                "expected: {exit}; the run ended so: {}",
                self.exit
            ));
        }
        if exit == Exit::Pass && !self.kernel_lines().any(|line| line.contains(FSCK_OK)) {
            self.fail("the run passed without having compared page tables, mappings and frames");
        }
        self
    }

    /// Returns the first line that contains `text`, and insists that there is one.
    #[track_caller]
    pub fn line_containing(&self, text: &str) -> &str {
        let found = self.log.lines().find(|line| line.contains(text));
        found.unwrap_or_else(|| self.fail(&format!("no line contains {text:?}")))
    }

    /// Returns every line that contains `text`, in the log's order; there may be none.
    pub fn lines_matching(&self, text: &str) -> Vec<&str> {
        self.log
            .lines()
            .filter(|line| line.contains(text))
            .collect()
    }

    /// Insists that no line contains `text`.
    #[track_caller]
    pub fn assert_no(&self, text: &str) -> &Self {
        if let Some(line) = self.log.lines().find(|line| line.contains(text)) {
            self.fail(&format!("a line contains {text:?}: {line}"));
        }
        self
    }

    /// Returns a counter's value from the table at the log's end, and insists that it is there.
    #[track_caller]
    pub fn counter(&self, name: &str) -> u64 {
        let value = self.counters().filter(|&(found, _)| found == name).last();
        value
            .unwrap_or_else(|| self.fail(&format!("there is no counter {name}")))
            .1
    }

    /// Returns every counter of the table at the log's end: (name, value).
    pub fn counters(&self) -> impl Iterator<Item = (&str, u64)> {
        self.log.lines().filter_map(|line| {
            let (_, entry) = line
                .split_once(" counters: ")
                .filter(|_| is_kernel_line(line))?;
            let (name, value) = entry.split_once(' ')?;
            Some((name, value.trim().parse().ok()?))
        })
    }

    /// Returns the lines that programs wrote, without the kernel's.
    pub fn program_output(&self) -> Vec<&str> {
        self.log
            .lines()
            .filter(|line| !is_kernel_line(line))
            .collect()
    }

    /// Returns the lines that the kernel wrote, without their time stamps: `cpu0 mm: …`.
    pub fn kernel_lines(&self) -> impl Iterator<Item = &str> {
        self.log.lines().filter_map(after_stamp)
    }

    /// Fails the test with this reason, the log's end and the line that repeats the run.
    #[track_caller]
    pub fn fail(&self, reason: &str) -> ! {
        // The table of counters at the end would push everything else out.
        let told = |line: &&str| !line.contains(" counters: ") || !is_kernel_line(line);
        let lines: Vec<&str> = self.log.lines().filter(told).collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        panic!(
            "{reason}\n--- the end of the log ---\n{tail}\n--- {}{}to repeat: {}\n",
            self.emulator_says,
            if self.emulator_says.is_empty() {
                ""
            } else {
                "--- "
            },
            self.repeat
        );
    }
}

fn is_kernel_line(line: &str) -> bool {
    after_stamp(line).is_some()
}

/// Cuts `[    0.123456] ` off a kernel line; a program's line has none.
fn after_stamp(line: &str) -> Option<&str> {
    let (stamp, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (seconds, micros) = stamp.trim_start().split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(seconds) && is_number(micros)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[    0.000100] cpu0 boot: up
hello [    0.1] from a program
[note] also a program's
[    1.000000] cpu0 counters: cr3_writes 7
[    1.000001] cpu0 counters: forks 2
counters: forks 9
[    1.000002] cpu0 counters: cr3_writes 8
";

    fn outcome() -> Outcome {
        Outcome {
            exit: Exit::Fail,
            log: LOG.into(),
            emulator_says: String::new(),
            repeat: "./x run".into(),
        }
    }

    /// Runs an assertion that has to fail and returns what it says.
    fn message(assertion: fn(&Outcome)) -> String {
        let panic = std::panic::catch_unwind(|| assertion(&outcome())).unwrap_err();
        *panic.downcast::<String>().unwrap()
    }

    #[test]
    fn a_counter_is_the_last_of_its_name_and_never_a_programs_word() {
        assert_eq!(
            (outcome().counter("cr3_writes"), outcome().counter("forks")),
            (8, 2)
        );
    }

    #[test]
    fn program_lines_are_those_without_the_kernels_stamp() {
        let expected = [
            "hello [    0.1] from a program",
            "[note] also a program's",
            "counters: forks 9",
        ];
        assert_eq!(outcome().program_output(), expected);
        assert_eq!(outcome().kernel_lines().next(), Some("cpu0 boot: up"));
    }

    #[test]
    fn a_failure_shows_the_log_and_how_to_repeat_it() {
        for text in [
            message(|o| {
                o.expect_pass();
            }),
            message(|o| {
                o.line_containing("nowhere");
            }),
        ] {
            assert!(text.contains("hello [    0.1] from a program"), "{text}");
            assert!(text.contains("to repeat: ./x run"), "{text}");
            assert!(!text.contains("cr3_writes 8"), "{text}");
        }
    }

    #[test]
    fn a_run_that_did_not_compare_its_memory_has_not_passed() {
        let outcome = |log: &str| Outcome {
            exit: Exit::Pass,
            log: log.into(),
            ..outcome()
        };
        outcome("[    1.000000] cpu0 power: fsck ok: 1 address spaces\n").expect_pass();
        let without = std::panic::catch_unwind(|| {
            outcome("cpu0 power: fsck ok: says a program\n").expect_pass();
        });
        assert!(without.is_err());
    }

    #[test]
    fn a_missing_counter_is_a_failure_and_not_a_zero() {
        assert!(
            message(|o| {
                o.counter("cr3");
            })
            .contains("no counter cr3")
        );
    }

    #[test]
    fn a_forbidden_line_is_quoted() {
        assert!(
            message(|o| {
                o.assert_no("also");
            })
            .contains("[note] also")
        );
    }
}
