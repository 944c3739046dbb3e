//! `./x run`: builds, boots, shows the log, tells how it ended.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::RunArgs;
use crate::plain::Plain;
use crate::scratch::Scratch;
use crate::symbols::Symboliser;
use crate::vm::{self, Input, Run};
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
    if args.gdb {
        tell::step(&format!(
            "waiting for: gdb {} -ex 'target remote :1234'",
            built.kernel.display()
        ));
    }
    let terminal = terminal::hand_over()?;
    let limit = Duration::from_secs(args.seconds());
    let run = vm::run(start, Input::Stdin, limit, &mut |bytes| log.write(bytes))?;
    log.end();
    drop(terminal);
    tell_end(&run, args);
    Ok(run.exit.process_code())
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

    /// A reader who went away (`| head`) is no reason to stop the machine half-way.
    fn put(&mut self, bytes: &[u8]) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
    }
}
