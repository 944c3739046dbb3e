//! The host's own Linux as the reference: a program passes there first, and then has to do the same in
//! Lodger.

use std::io::{self, PipeReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use boot_image::{Exit, tether};

use crate::outcome::Outcome;
use crate::project;
use crate::vm::Vm;

const LIMIT: Duration = Duration::from_secs(60);

/// What a program did on the host.
#[derive(Clone, Debug)]
pub struct HostRun {
    /// Its end.
    pub status: ExitStatus,
    /// Standard output and standard error, in the order they were written.
    pub output: String,
}

/// Runs one of the project's programs on the host, without input and bounded in time.
pub fn host_run(program: &str, args: &[&str]) -> HostRun {
    run(&project::program(program), args)
}

/// Runs any program on the host in the same way, in a session of its own and with nothing but `path` to find others by.
pub fn host_run_in(path: &str, program: &Path, args: &[&str]) -> HostRun {
    // Who was started in the background ignores these, and a shell cannot trap what it began with ignored.
    let mut own = vec!["-w", "/usr/bin/env", "--default-signal=INT,QUIT"];
    own.push(program.to_str().expect("a plain path"));
    own.extend(args);
    let mut command = Command::new("/usr/bin/setsid");
    command.args(own);
    run_command(
        command,
        &[("PATH", path), ("HOME", "/root"), ("SHELL", "/bin/sh")],
    )
}

fn run(program: &Path, args: &[&str]) -> HostRun {
    let mut command = Command::new(program);
    command.args(args);
    run_command(command, &[])
}

fn run_command(mut command: Command, environment: &[(&str, &str)]) -> HostRun {
    let program = Path::new(command.get_program()).to_owned();
    let program = program.as_path();
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    command
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a pipe can be shared"))
        .stderr(writer);
    let child = tether::spawn(&mut command)
        .unwrap_or_else(|error| panic!("{} could not be started: {error}", program.display()));
    // The command keeps the pipe's writing ends open until it is gone.
    drop(command);
    let output = thread::spawn(move || read_all(reader));
    let status = wait(child, program);
    HostRun {
        status,
        output: output.join().expect("reading does not panic"),
    }
}

/// Runs one of the project's programs on the host, where it has to succeed, and as init in Lodger, and
/// insists that both wrote the same lines.
///
/// Lines that begin with `# ` say something about one kernel only and are not compared.
#[track_caller]
pub fn same_as_linux(program: &str, args: &[&str]) -> Outcome {
    let host = host_run(program, args);
    assert!(
        host.status.success(),
        "{program} {args:?} fails on the host's Linux: {}\n{}",
        host.status,
        host.output
    );
    let outcome = Vm::new().init(program, args).boot();
    outcome.expect(Exit::Pass);
    let expected = compared(host.output.lines());
    let found = compared(outcome.program_output());
    if let Some(difference) = first_difference(&expected, &found) {
        outcome.fail(&format!(
            "{program} {args:?} differs from Linux: {difference}"
        ));
    }
    outcome
}

fn compared<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    lines
        .into_iter()
        .filter(|line| !line.starts_with("# ") && !line.is_empty())
        .collect()
}

/// Says where two outputs part, or nothing if they do not.
fn first_difference(expected: &[&str], found: &[&str]) -> Option<String> {
    let length = expected.len().max(found.len());
    (0..length)
        .find(|&line| expected.get(line) != found.get(line))
        .map(|line| {
            let show = |lines: &[&str]| {
                lines
                    .get(line)
                    .map_or("(nothing more)".into(), |text| format!("{text:?}"))
            };
            format!(
                "line {}: Linux wrote {}, Lodger {}",
                line + 1,
                show(expected),
                show(found)
            )
        })
}

fn wait(mut child: Child, program: &Path) -> ExitStatus {
    let begin = Instant::now();
    while begin.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
    // It is over either way; the panic below tells.
    let _ = child.kill().and_then(|()| child.wait());
    panic!(
        "{} did not end on the host within {LIMIT:?}",
        program.display()
    );
}

fn read_all(mut pipe: PipeReader) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is still worth comparing.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_run_tells_output_in_order_and_status() {
        let run = run(
            Path::new("/bin/sh"),
            &["-c", "echo a; echo b >&2; echo c; exit 3"],
        );
        assert_eq!(
            (run.output.as_str(), run.status.code()),
            ("a\nb\nc\n", Some(3))
        );
    }

    #[test]
    fn the_first_differing_line_is_named_and_a_missing_one_is_a_difference() {
        assert_eq!(first_difference(&["a", "b"], &["a", "b"]), None);
        assert!(
            first_difference(&["a", "b"], &["a", "c"])
                .unwrap()
                .contains("line 2")
        );
        assert!(
            first_difference(&["a", "b"], &["a"])
                .unwrap()
                .contains("(nothing more)")
        );
        assert!(first_difference(&[], &["a"]).is_some());
    }

    #[test]
    fn remarks_about_one_kernel_are_not_compared() {
        assert_eq!(
            compared("ok 1\n# cr3 0x1000\n\nok 2".lines()),
            ["ok 1", "ok 2"]
        );
    }
}
