//! The command line of `./x`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum};

use bootinfo::CommandLine;

use crate::accel::Accel;
use crate::image::Firmware;
use crate::root;

const EXAMPLES: &str = "\
Examples:
  ./x run                          boot Lodger into a shell
  ./x run --root tests             its tour of virtual memory
  ./x run --uefi --smp 2           the same by UEFI, with two processors
  ./x run --program ./hello a b    run a static Linux program of your own
  ./x test                         prove it all
Plain `cargo run` and `cargo test` do the same once the toolchain is in place.";

/// Build, run and test Lodger.
#[derive(Debug, Parser)]
#[command(name = "x", bin_name = "./x", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do; `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Reads this process's arguments; ends it with a message where they make no sense.
    pub fn from_args() -> Self {
        Self::parse()
    }

    /// Returns the subcommand, which is a plain `run` if none was given.
    pub fn chosen(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Run(Box::new(RunArgs::plain())))
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build everything and boot it under QEMU or Bochs, with the serial log on standard output
    Run(Box<RunArgs>),
    /// Run every test: pure crates on the host, stories in virtual machines
    Test(TestArgs),
    /// Build the kernel, the programs inside and the initramfs
    Build,
    /// Write self-contained disk images for BIOS and UEFI
    Image(ImageArgs),
    /// Put function names and lines to the addresses in a log read from standard input
    Symbolise(SymboliseArgs),
    /// Check formatting, lints and documentation links
    Check,
}

const RUN_HELP: &str = "\
Examples:
  ./x run                                       a shell; `exit` ends it, and Ctrl-] does from outside
  ./x run -- uname -a                           one command; its output and exit status are this one's
  echo hi | ./x run --add ./tool:/bin/ -- tool  with a file of your own inside
  ./x run --append 'loglevel=info'              the log as well
  ./x run --append 'init=/bin/hello -- a b'     one of the built-in programs as init
  ./x run --program ./hello a b                 a static Linux program of your own as init
  ./x run --icount --log run.log                a run that repeats exactly, kept in a file
  ./x run --gdb                                 wait for gdb
  ./x run --qemu-arg=-d --qemu-arg=int          more options for QEMU itself
  ./x run --emulator bochs --smp 2              Bochs: slow, but with PCIDs and x2APIC

Exit codes: 0 passed, 1 init failed, 101 panic, 102 oops, 103 audit failed, 104 watchdog,
124 timed out, 125 the emulator failed or the machine reset itself. A command's exit status is its own,
128 and the signal's number if one ended it; 127 it is not there, 126 it cannot be run.";

/// Options of `run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = RUN_HELP)]
pub struct RunArgs {
    /// Boot by UEFI (OVMF) instead of BIOS
    #[arg(long)]
    pub uefi: bool,
    /// What plays the machine; under bochs init travels alone, for its disk is slow
    #[arg(long, value_enum, default_value_t)]
    pub emulator: Emulator,
    /// Bochs' model of the processor (`bochs --help cpu` lists them) [default: corei7_haswell_4770]
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Number of processors
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub smp: u32,
    /// Memory, with a suffix K, M or G (a bare number is MiB)
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = memory_size)]
    pub memory: String,
    /// Translate instructions (tcg), use /dev/kvm, or try KVM first and fall back
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accel,
    /// Count instructions instead of time, so that a run repeats exactly (implies tcg)
    #[arg(long, conflicts_with = "accel")]
    pub icount: bool,
    /// Kernel command line, instead of the initramfs' own; given twice, both count
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub append: Vec<OsString>,
    /// Boot with another initramfs, a newc cpio archive
    #[arg(long, value_name = "FILE", conflicts_with = "program")]
    pub initramfs: Option<PathBuf>,
    /// End the run after so many seconds [default: 120, with --gdb 3600, under bochs 600]
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// Also write the log to a file
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Write the trace (the second serial port) to a file
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Stop before the first instruction and wait for gdb on port 1234
    #[arg(long)]
    pub gdb: bool,
    /// Boot the self-contained image, whose ramdisk is the initramfs, as real hardware would
    #[arg(long)]
    pub packed: bool,
    /// Run the kernel with every check it has (lock ranks, sleeping, poisoned frames); slower
    #[arg(long)]
    pub checked: bool,
    /// One more argument for QEMU; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub qemu_arg: Vec<OsString>,
    /// Add a static x86-64 Linux program to the initramfs and run it as init; its arguments follow
    #[arg(long, value_name = "PATH")]
    pub program: Option<PathBuf>,
    /// What is inside: a shell, or the tests' programs [default: the shell, unless the command line names an init or a test]
    #[arg(long, value_enum)]
    pub root: Option<Root>,
    /// Put a file or a folder into the root; may be repeated
    #[arg(
        long,
        value_name = "HOSTPATH[:GUESTPATH]",
        conflicts_with = "initramfs"
    )]
    pub add: Vec<String>,
    /// Give a command pipes for input and output even in a terminal
    #[arg(long)]
    pub bare: bool,
    /// A command to run instead of the shell, or the arguments for --program
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        conflicts_with = "initramfs",
        value_name = "CMD"
    )]
    pub args: Vec<String>,
}

/// What the machine's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Root {
    /// Busybox and its shell.
    Shell,
    /// The programs of the tests; the tour is init.
    Tests,
}

/// What plays the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Emulator {
    /// Translates instructions: fast.
    #[default]
    Qemu,
    /// Interprets them, for a newer processor: PCIDs, INVPCID, x2APIC.
    Bochs,
}

impl RunArgs {
    /// Returns what `./x run` means without options.
    pub fn plain() -> Self {
        let matches = Self::augment_args(clap::Command::new("run")).get_matches_from(["run"]);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Returns the firmware asked for.
    pub fn firmware(&self) -> Firmware {
        if self.uefi {
            Firmware::Uefi
        } else {
            Firmware::Bios
        }
    }

    /// Returns the memory in MiB, 1 at least.
    pub fn mebibytes(&self) -> u64 {
        let digits = self.memory.trim_end_matches(|c: char| !c.is_ascii_digit());
        let number: u64 = digits.parse().unwrap_or(1);
        let mebibytes = match self.memory.trim_start_matches(digits) {
            "K" | "k" => number / 1024,
            "G" | "g" => number.saturating_mul(1024),
            _ => number,
        };
        mebibytes.max(1)
    }

    /// Says which option the emulator cannot follow, if there is one.
    pub fn unsuitable(&self) -> Option<&'static str> {
        let only_qemu = [
            (self.uefi, "--uefi"),
            (self.icount, "--icount"),
            (self.gdb, "--gdb"),
            (self.accel != Accel::default(), "--accel"),
            (self.initramfs.is_some(), "--initramfs"),
            (!self.qemu_arg.is_empty(), "--qemu-arg"),
        ];
        let only_bochs = [(self.cpu.is_some(), "--cpu")];
        let refused = match self.emulator {
            Emulator::Bochs => &only_qemu[..],
            Emulator::Qemu => &only_bochs[..],
        };
        refused.iter().find(|(given, _)| *given).map(|one| one.1)
    }

    /// Returns the command to run instead of the shell; empty for none.
    pub fn command(&self) -> &[String] {
        match self.program {
            Some(_) => &[],
            None => &self.args,
        }
    }

    /// Returns what is inside. Without a shell to start the tour is.
    pub fn chosen_root(&self) -> Root {
        let line = CommandLine::parse(self.append.join(OsStr::new(" ")).as_bytes());
        let is_tests = self.program.is_some() || line.init.is_some() || line.test.is_some();
        match self.root {
            Some(root) => root,
            None if self.initramfs.is_some() || self.emulator == Emulator::Bochs => Root::Tests,
            None if !self.command().is_empty() => Root::Shell,
            None if is_tests || root::busybox().is_none() => Root::Tests,
            None => Root::Shell,
        }
    }

    /// Returns the run's limit in seconds.
    pub fn seconds(&self) -> u64 {
        let ordinary = match self.emulator {
            Emulator::Qemu if self.gdb => 3600,
            Emulator::Qemu => 120,
            Emulator::Bochs => 600,
        };
        self.timeout.unwrap_or(ordinary)
    }
}

const TEST_HELP: &str = "\
Examples:
  ./x test                          everything
  ./x test stack_growth             only the tests with this word in their names
  ./x test -p fault                 the tests of one package
  ./x test --test page_fault        one file of VM stories
  ./x test -- --nocapture           options for the test programs

The arguments go to `cargo test` as they are. The last line counts what passed and what failed
over all test programs; the exit code is 0 only if something passed and nothing failed.";

/// Options of `test`.
#[derive(Clone, Debug, Args)]
#[command(after_help = TEST_HELP)]
pub struct TestArgs {
    /// A word to choose tests by, or any other argument of `cargo test`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    pub args: Vec<OsString>,
}

const IMAGE_HELP: &str = "\
Examples:
  ./x image                              target/images/lodger-bios.img and lodger-uefi.img
  ./x image --append 'loglevel=debug'    with another kernel command line in them

Either image can be written to a USB stick as it is.";

/// Options of `image`.
#[derive(Clone, Debug, Args)]
#[command(after_help = IMAGE_HELP)]
pub struct ImageArgs {
    /// Kernel command line to put into the images
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub append: String,
}

const SYMBOLISE_HELP: &str = "\
Examples:
  ./x symbolise < run.log
  ./x symbolise --kernel old/kernel < old.log

Known are `#N 0x…` (return addresses of a backtrace) and `rip 0x…`; `./x run` does this by itself.";

/// Options of `symbolise`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SYMBOLISE_HELP)]
pub struct SymboliseArgs {
    /// The kernel with symbols that wrote the log [default: the one built last]
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
}

/// Accepts a size QEMU understands: digits and perhaps one suffix.
fn memory_size(text: &str) -> Result<String, String> {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'k', 'm', 'g']);
    let is_number = digits.parse::<u64>().is_ok_and(|number| number > 0);
    if is_number && text.len() - digits.len() <= 1 {
        Ok(text.into())
    } else {
        Err("expected a number with K, M or G, such as 256M".into())
    }
}

#[cfg(test)]
mod tests;
