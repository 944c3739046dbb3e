//! Runs a machine's process: passes its output on as it comes, ends it when its time is up, and
//! leaves no QEMU behind on any way out, being killed included.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{Exit, terminal, tether};

/// What the guest reads from its console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing ever comes.
    None,
    /// These bytes.
    Bytes(Vec<u8>),
    /// This process's own standard input, a terminal or a pipe.
    Stdin,
}

/// How a machine's run went.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub exit: Exit,
    /// What QEMU itself had to say.
    pub qemu_says: String,
    /// How long it took.
    pub took: Duration,
}

/// Runs `command` to its end or for `limit`, and gives `output` whatever the guest writes to COM1.
///
/// Input is withheld until the guest has written something: by then it has set up its serial port,
/// which may throw away what came before.
pub fn run(
    mut command: Command,
    input: Input,
    limit: Duration,
    output: &mut dyn FnMut(&[u8]),
) -> Result<Run> {
    let begin = Instant::now();
    let stdin = if input == Input::None {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = tether::spawn(&mut command)
        .context("qemu-system-x86_64 is missing; please install it (Debian: apt-get install qemu-system-x86)")?;
    let mut keyboard = child.stdin.take().map(|pipe| (pipe, input));
    let chunks = read_chunks(child.stdout.take().context("QEMU's output is a pipe")?);
    let errors = read_all(child.stderr.take().context("QEMU's messages are a pipe")?);
    let in_time = pump(&chunks, begin + limit, &mut |bytes| {
        if let Some((pipe, input)) = keyboard.take() {
            feed(pipe, input);
        }
        output(bytes);
    });
    let exit = end(&mut child, in_time, begin + limit)?;
    let qemu_says = errors.join().unwrap_or_default();
    Ok(Run {
        exit,
        qemu_says,
        took: begin.elapsed(),
    })
}

/// Passes chunks on until the guest's side closes (`true`) or the time is up (`false`).
fn pump(chunks: &Receiver<Vec<u8>>, deadline: Instant, output: &mut dyn FnMut(&[u8])) -> bool {
    loop {
        match chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => output(&bytes),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// Waits for QEMU, whose output has closed, or ends it.
fn end(child: &mut Child, in_time: bool, deadline: Instant) -> Result<Exit> {
    while in_time && Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(ended(status));
        }
        thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    Ok(Exit::Timeout)
}

/// A signal's death has no code: told as QEMU's own failure, negative as Python and others do.
fn ended(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or(status.signal().map(|signal| -signal));
    Exit::from_qemu(code.unwrap_or(-1))
}

fn read_chunks(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Types the input into the guest from a thread of its own, which ends with this process at the latest.
fn feed(mut pipe: ChildStdin, input: Input) {
    thread::spawn(move || match input {
        Input::Bytes(bytes) => pipe.write_all(&bytes),
        Input::Stdin if terminal::is_ours() => copy(&mut io::stdin().lock(), &mut pipe).map(|_| ()),
        Input::Stdin => copy_file(&mut io::stdin().lock(), &mut pipe),
        Input::None => Ok(()),
    });
}

/// What ends a terminal's input, in the guest as elsewhere.
const END_OF_INPUT: u8 = 4;

/// Copies a file or pipe and tells the guest where it ended, as a terminal does: once at the start of
/// a line, twice behind an unfinished one.
fn copy_file(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    match copy(from, to)? {
        None | Some(b'\n') => to.write_all(&[END_OF_INPUT]),
        Some(_) => to.write_all(&[END_OF_INPUT, END_OF_INPUT]),
    }
}

/// Copies without waiting for full buffers, so that a typed line arrives at once; returns the last byte.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<Option<u8>> {
    let mut buffer = [0; 1024];
    let mut last = None;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(last);
        }
        to.write_all(&buffer[..count])?;
        last = Some(buffer[count - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn run_shell(script: &str, input: Input, limit: Duration) -> (Run, String) {
        let mut log = Vec::new();
        let run = run(shell(script), input, limit, &mut |bytes| {
            log.extend_from_slice(bytes)
        })
        .unwrap();
        (run, String::from_utf8(log).unwrap())
    }

    #[test]
    fn output_is_passed_on_and_the_code_is_read() {
        let (run, log) = run_shell("echo hello; exit 37", Input::None, Duration::from_secs(10));
        assert_eq!((run.exit, log.as_str()), (Exit::Panic, "hello\n"));
    }

    #[test]
    fn a_run_that_never_ends_is_ended_in_time() {
        let (run, log) = run_shell(
            "echo on; exec sleep 100",
            Input::None,
            Duration::from_millis(300),
        );
        assert_eq!((run.exit, log.as_str()), (Exit::Timeout, "on\n"));
        assert!(run.took < Duration::from_secs(10));
    }

    #[test]
    fn a_run_that_closes_its_output_but_stays_is_ended_in_time() {
        let (run, _) = run_shell(
            "exec >&- 2>&-; exec sleep 100",
            Input::None,
            Duration::from_millis(300),
        );
        assert_eq!(run.exit, Exit::Timeout);
    }

    #[test]
    fn input_arrives_after_the_first_output() {
        let input = Input::Bytes(b"typed\n".to_vec());
        let (run, log) = run_shell(
            "echo ready; read word; echo got $word; exit 33",
            input,
            Duration::from_secs(10),
        );
        assert_eq!((run.exit, log.as_str()), (Exit::Pass, "ready\ngot typed\n"));
    }

    #[test]
    fn what_qemu_says_itself_is_kept_apart() {
        let (run, log) = run_shell(
            "echo no such option >&2; exit 1",
            Input::None,
            Duration::from_secs(10),
        );
        assert_eq!((run.exit, log.as_str()), (Exit::Qemu(1), ""));
        assert_eq!(run.qemu_says, "no such option\n");
    }

    #[test]
    fn the_end_of_a_file_reaches_the_guest_as_from_a_terminal() {
        for (text, expected) in [("", "\x04"), ("a\n", "a\n\x04"), ("a", "a\x04\x04")] {
            let mut typed = Vec::new();
            copy_file(&mut text.as_bytes(), &mut typed).unwrap();
            assert_eq!(typed, expected.as_bytes());
        }
    }
}
