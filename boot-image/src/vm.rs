//! Runs a machine's process: passes its output on as it comes, ends it when its time is up, and
//! leaves no emulator behind on any way out, being killed included.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::exit::LastLine;
use crate::{Exit, bochs, frames, terminal, tether};

/// A machine that is ready to be started.
#[derive(Debug)]
pub struct Start {
    /// The emulator.
    pub command: Command,
    /// How its guest is spoken to.
    pub com1: Com1,
    /// The file of the emulator's own messages, if it does not write them to standard error.
    pub messages: Option<PathBuf>,
}

/// The other end of the guest's first serial port.
#[derive(Debug)]
pub enum Com1 {
    /// The emulator's standard input and output; its exit code tells how the guest ended.
    Stdio,
    /// A connection that the emulator makes to us; the guest's last line tells how it ended.
    Socket(TcpListener),
}

impl From<Command> for Start {
    fn from(command: Command) -> Self {
        Self {
            command,
            com1: Com1::Stdio,
            messages: None,
        }
    }
}

/// What the guest reads from its console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing ever comes.
    None,
    /// These bytes.
    Bytes(Vec<u8>),
    /// This process's own standard input, a terminal or a pipe.
    Stdin,
    /// What somebody types who reads along.
    Talk(Vec<Turn>),
    /// The same for a command's channel: in frames.
    FramedStdin,
    /// These bytes, in frames.
    Framed(Vec<u8>),
}

/// A turn of a conversation: once the guest has written one thing, behind what it wrote in the turns before, another is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is waited for.
    pub after: Vec<u8>,
    /// What is typed then.
    pub say: Vec<u8>,
}

/// How a machine's run went.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub exit: Exit,
    /// What the emulator itself had to say.
    pub emulator_says: String,
    /// How long it took.
    pub took: Duration,
}

/// Runs a machine to its end or for `limit`, and gives `output` whatever the guest writes to COM1.
///
/// Input is withheld until the guest has written something: by then it has set up its serial port,
/// which may throw away what came before.
pub fn run(
    start: impl Into<Start>,
    input: Input,
    limit: Duration,
    output: &mut dyn FnMut(&[u8]),
) -> Result<Run> {
    let begin = Instant::now();
    let Start {
        command,
        com1,
        messages,
    } = start.into();
    let mut child = spawn(command, &com1, input == Input::None)?;
    let errors = read_all(child.stderr.take().context("its messages are a pipe")?);
    let told_by_line = matches!(com1, Com1::Socket(_));
    let ends = connect(&mut child, com1, begin + limit)?;
    let (told, in_time) = match ends {
        Some((reader, writer)) => {
            let mut keyboard = writer.map(|pipe| Keyboard::new(pipe, input));
            let mut last = LastLine::default();
            pump(&read_chunks(reader), begin + limit, &mut |bytes| {
                if let Some(keyboard) = &mut keyboard {
                    keyboard.look(bytes);
                }
                output(bytes);
                told_by_line.then(|| last.look(bytes)).flatten()
            })
        }
        None => (None, Instant::now() < begin + limit),
    };
    let exit = match told {
        Some(exit) => stop(&mut child).map(|()| exit)?,
        None => end(&mut child, in_time, begin + limit)?,
    };
    let mut emulator_says = errors.join().unwrap_or_default();
    if let Some(file) = messages {
        emulator_says = bochs::complaints(&fs::read_to_string(file).unwrap_or_default());
    }
    Ok(Run {
        exit,
        emulator_says,
        took: begin.elapsed(),
    })
}

fn spawn(mut command: Command, com1: &Com1, is_mute: bool) -> Result<Child> {
    let is_stdio = matches!(com1, Com1::Stdio);
    let pipe_if = |wanted: bool| match wanted {
        true => Stdio::piped(),
        false => Stdio::null(),
    };
    command
        .stdin(pipe_if(is_stdio && !is_mute))
        .stdout(pipe_if(is_stdio))
        .stderr(Stdio::piped());
    let name = command.get_program().to_string_lossy().into_owned();
    tether::spawn(&mut command).with_context(|| {
        format!("{name} is missing; please install it (Debian: apt-get install qemu-system-x86)")
    })
}

type Ends = (Box<dyn Read + Send>, Option<Box<dyn Write + Send>>);

/// Returns our ends of COM1, or nothing if the emulator ended first, or did not connect in time.
fn connect(child: &mut Child, com1: Com1, deadline: Instant) -> Result<Option<Ends>> {
    let Com1::Socket(listener) = com1 else {
        let reader = child.stdout.take().context("its output is a pipe")?;
        let writer = child.stdin.take().map(|pipe| Box::new(pipe) as _);
        return Ok(Some((Box::new(reader), writer)));
    };
    listener.set_nonblocking(true)?;
    while Instant::now() < deadline && child.try_wait()?.is_none() {
        match listener.accept() {
            Ok((stream, _)) => return both_ways(stream).map(Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error).context("waiting for the serial line"),
        }
    }
    Ok(None)
}

fn both_ways(stream: TcpStream) -> Result<Ends> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let writer = stream.try_clone()?;
    Ok((Box::new(stream), Some(Box::new(writer))))
}

/// Passes chunks on until `output` knows the end, the guest's side closes (`true`) or the time is up (`false`).
fn pump(
    chunks: &Receiver<Vec<u8>>,
    deadline: Instant,
    output: &mut dyn FnMut(&[u8]) -> Option<Exit>,
) -> (Option<Exit>, bool) {
    loop {
        match chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                if let Some(exit) = output(&bytes) {
                    return (Some(exit), true);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return (None, true),
            Err(RecvTimeoutError::Timeout) => return (None, false),
        }
    }
}

fn stop(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Waits for the emulator, whose output has closed, or ends it.
fn end(child: &mut Child, in_time: bool, deadline: Instant) -> Result<Exit> {
    while in_time && Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(ended(status));
        }
        thread::sleep(Duration::from_millis(1));
    }
    stop(child)?;
    Ok(Exit::Timeout)
}

/// A signal's death has no code: told as the emulator's own failure, negative as Python and others do.
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

/// Who types: at once from the first output on, or turn by turn.
enum Keyboard {
    Waits(Box<dyn Write + Send>, Input),
    Talks(Box<dyn Write + Send>, VecDeque<Turn>, Vec<u8>),
    Idle,
}

impl Keyboard {
    fn new(pipe: Box<dyn Write + Send>, input: Input) -> Self {
        match input {
            Input::Talk(turns) => Self::Talks(pipe, turns.into(), Vec::new()),
            input => Self::Waits(pipe, input),
        }
    }

    /// Takes notice of what the guest wrote.
    fn look(&mut self, bytes: &[u8]) {
        if let Self::Talks(pipe, turns, heard) = self {
            heard.extend(bytes);
            while let Some(turn) = turns.front() {
                let Some(at) = find(heard, &turn.after) else {
                    break;
                };
                heard.drain(..at + turn.after.len());
                // A guest that has gone reads no more; how it ended is told elsewhere.
                let _ = pipe.write_all(&turn.say).and_then(|()| pipe.flush());
                turns.pop_front();
            }
            return;
        }
        if let Self::Waits(pipe, input) = std::mem::replace(self, Self::Idle) {
            feed(pipe, input);
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    (0..=text.len().checked_sub(part.len())?).find(|at| text[*at..].starts_with(part))
}

/// Types the input into the guest from a thread of its own, which ends with this process at the latest.
fn feed(mut pipe: impl Write + Send + 'static, input: Input) {
    thread::spawn(move || match input {
        Input::Bytes(bytes) => pipe.write_all(&bytes),
        Input::Stdin if terminal::is_ours() => copy(&mut terminal::Keyboard, &mut pipe).map(|_| ()),
        Input::Stdin => copy_file(&mut io::stdin().lock(), &mut pipe),
        Input::FramedStdin => frames::encode(&mut io::stdin().lock(), &mut pipe),
        Input::Framed(bytes) => frames::encode(&mut bytes.as_slice(), &mut pipe),
        Input::None | Input::Talk(_) => Ok(()),
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
mod tests;
