//! `./x run`: builds, boots, shows the log, tells how it ended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{Root, RunArgs};
use crate::frames::{Decoder, Frame};
use crate::plain::Plain;
use crate::scratch::Scratch;
use crate::symbols::Symboliser;
use crate::vm::{self, Input, Run, Start};
use crate::{Exit, build, launch, static_elf, tell, terminal};

/// Runs one machine and returns its exit code in this program's terms.
pub(super) fn run(args: &RunArgs) -> Result<u8> {
    // A wrong file or option is said at once, not after a build.
    if let Some(option) = args.unsuitable() {
        bail!("{option} is not for this emulator (--emulator)");
    }
    args.program.as_deref().map(static_elf::check).transpose()?;
    let built = build::build()?;
    let built = if args.checked {
        built.checked()?
    } else {
        built
    };
    let scratch = Scratch::new()?;
    let start = launch::start(args, &built, &scratch)?;
    let mut log = Log::new(args, Symboliser::new(built.kernel.clone()))?;
    if launch::is_bare(args) {
        return run_command(args, start, log, &scratch);
    }
    if args.gdb {
        tell::step(&format!(
            "waiting for: gdb {} -ex 'target remote :1234'",
            built.kernel.display()
        ));
    }
    let is_shell = args.chosen_root() == Root::Shell;
    let terminal = terminal::hand_over(is_shell)?;
    let limit = match args.timeout {
        // Somebody sits there.
        None if is_shell && terminal.is_some() => FOREVER,
        _ => Duration::from_secs(args.seconds()),
    };
    let run = vm::run(start, Input::Stdin, limit, &mut |bytes| log.write(bytes))?;
    log.end();
    drop(terminal);
    tell_end(&run, args);
    Ok(run.exit.process_code())
}

/// Runs a command whose input, output and errors are this process's own; its exit status is the result.
fn run_command(args: &RunArgs, start: Start, mut log: Log, scratch: &Scratch) -> Result<u8> {
    let mut decoder = Decoder::default();
    let mut status = None;
    let limit = args.timeout.map_or(FOREVER, Duration::from_secs);
    let run = vm::run(start, Input::FramedStdin, limit, &mut |bytes| {
        decoder.feed(bytes, &mut |frame| match frame {
            Frame::Output(bytes) => put(&mut io::stdout().lock(), bytes),
            Frame::Errors(bytes) => put(&mut io::stderr().lock(), bytes),
            Frame::Ended(code) => status = Some(code),
        });
    })?;
    let console = fs::read(launch::console_file(scratch)).unwrap_or_default();
    log.keep(&console);
    if let (Exit::Pass | Exit::Fail, Some(status)) = (run.exit, status) {
        return Ok(status);
    }
    tell::error(&log.tail(&console));
    tell_end(&run, args);
    Ok(run.exit.process_code())
}

/// A reader who went away is no reason to stop the machine half-way.
fn put(to: &mut impl Write, bytes: &[u8]) {
    let _ = to.write_all(bytes).and_then(|()| to.flush());
}

/// One line about every end but a good one, and the emulator's own words if there are any.
fn tell_end(run: &Run, args: &RunArgs) {
    for line in run.emulator_says.lines() {
        tell::error(line);
    }
    match run.exit {
        Exit::Pass => {}
        Exit::Timeout => tell::error(&format!(
            "timed out after {} s; give it longer with --timeout SECS",
            args.seconds()
        )),
        exit => tell::error(&format!("{exit} (exit code {})", exit.process_code())),
    }
}

/// How many lines of the log are shown when a machine fails under a command.
const TAIL: usize = 40;
/// Nobody waits so long.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The log's way out: names put in, to standard output and perhaps to a file.
struct Log {
    /// UEFI firmware takes the serial port for a terminal and clears it.
    plain: Option<Plain>,
    symbols: Symboliser,
    file: Option<File>,
}

impl Log {
    fn new(args: &RunArgs, symbols: Symboliser) -> Result<Self> {
        let create = |path: &PathBuf| {
            File::create(path).with_context(|| format!("cannot write {}", path.display()))
        };
        Ok(Self {
            plain: args.uefi.then(Plain::default),
            symbols,
            file: args.log.as_ref().map(create).transpose()?,
        })
    }

    fn write(&mut self, bytes: &[u8]) {
        let plain = self.plain.as_mut().map(|plain| plain.filter(bytes));
        let named = self.symbols.filter(plain.as_deref().unwrap_or(bytes));
        self.put(&named);
    }

    fn end(&mut self) {
        let named = self.symbols.finish();
        self.put(&named);
    }

    /// Keeps what was written meanwhile in the file, if there is one.
    fn keep(&mut self, bytes: &[u8]) {
        let mut named = self.symbols.filter(bytes);
        named.extend(self.symbols.finish());
        if let Some(file) = &mut self.file {
            let _ = file.write_all(&named);
        }
    }

    /// Returns the end of what was written, with names put in.
    fn tail(&mut self, bytes: &[u8]) -> String {
        let mut named = self.symbols.filter(bytes);
        named.extend(self.symbols.finish());
        let text = String::from_utf8_lossy(&named).into_owned();
        let is_counter = |line: &&str| line.contains("] cpu") && line.contains(" counters: ");
        let lines: Vec<&str> = text.lines().filter(|line| !is_counter(line)).collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// A reader who went away (`| head`) is no reason to stop the machine half-way.
    fn put(&mut self, bytes: &[u8]) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
    }
}
