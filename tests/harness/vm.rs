//! The builder of a machine for one story.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use boot_image::cli::{Emulator, Root, RunArgs};
use boot_image::frames::{Decoder, Frame};
use boot_image::initramfs::{self, Entry};
use boot_image::plain::Plain;
use boot_image::scratch::Scratch;
use boot_image::symbols::Symboliser;
use boot_image::vm::{self, Input, Turn};
use boot_image::{build, launch, lock};

use crate::outcome::Outcome;
use crate::project;

const MEMORY: &str = "128M";
const SECONDS: u64 = 60;
/// It gets a fraction of a processor at times, and needs half a minute of one to boot.
const BOCHS_SECONDS: u64 = 600;

/// A machine that has not been started: the ordinary one unless told otherwise (BIOS, one processor,
/// 128 MiB, the tour as init, no input, 60 seconds).
#[derive(Clone, Debug)]
#[must_use = "a machine does nothing until it is booted"]
pub struct Vm {
    args: RunArgs,
    input: Option<Vec<u8>>,
    turns: Vec<Turn>,
}

/// What a command left.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its standard output.
    pub output: Vec<u8>,
    /// Its standard error.
    pub errors: Vec<u8>,
    /// Its exit status, if it got so far.
    pub status: Option<u8>,
    /// What the kernel wrote meanwhile.
    pub log: String,
    /// How the machine ended.
    pub exit: Option<boot_image::Exit>,
}

impl Default for Vm {
    fn default() -> Self {
        Self::new()
    }
}

impl Vm {
    /// Starts with the ordinary machine.
    pub fn new() -> Self {
        let mut args = RunArgs::plain();
        args.memory = MEMORY.into();
        args.root = Some(Root::Tests);
        args.timeout = Some(SECONDS);
        Self {
            args,
            input: None,
            turns: Vec::new(),
        }
    }

    /// Adds words to the kernel command line.
    pub fn cmdline(self, words: &str) -> Self {
        self.cmdline_bytes(words.as_bytes())
    }

    /// Adds any bytes to the kernel command line, behind a blank if there are some already.
    pub fn cmdline_bytes(mut self, bytes: &[u8]) -> Self {
        self.args.append.push(OsString::from_vec(bytes.to_vec()));
        self
    }

    /// Makes one of the built-in programs init, with these arguments.
    pub fn init(self, program: &str, args: &[&str]) -> Self {
        let dashes = if args.is_empty() { "" } else { " -- " };
        let args: Vec<String> = args.iter().map(|arg| quoted(arg)).collect();
        self.cmdline(&format!("init=/bin/{program}{dashes}{}", args.join(" ")))
    }

    /// Adds a static program from the host and makes it init, with these arguments.
    pub fn program(mut self, path: &Path, args: &[&str]) -> Self {
        self.args.program = Some(path.into());
        self.args.args = args.iter().map(|&arg| arg.into()).collect();
        self
    }

    /// Sets the memory, as QEMU writes it: `64M`.
    pub fn memory(mut self, size: &str) -> Self {
        self.args.memory = size.into();
        self
    }

    /// Boots by UEFI.
    pub fn uefi(mut self) -> Self {
        self.args.uefi = true;
        self
    }

    /// Boots the self-contained image.
    pub fn packed(mut self) -> Self {
        self.args.packed = true;
        self
    }

    /// Lets Bochs play the machine, which has PCIDs and x2APIC and is slow.
    pub fn bochs(mut self) -> Self {
        self.args.emulator = Emulator::Bochs;
        self.args.timeout = Some(BOCHS_SECONDS);
        self
    }

    /// Chooses Bochs' model of the processor.
    pub fn cpu(mut self, model: &str) -> Self {
        self.args.cpu = Some(model.into());
        self
    }

    /// Runs the kernel with every check it has.
    pub fn checked(mut self) -> Self {
        self.args.checked = true;
        self
    }

    /// Sets the number of processors.
    pub fn smp(mut self, processors: u32) -> Self {
        self.args.smp = processors;
        self
    }

    /// Counts instructions instead of time, so that figures repeat.
    pub fn icount(mut self) -> Self {
        self.args.icount = true;
        self
    }

    /// Adds an argument for QEMU.
    pub fn qemu_arg(mut self, arg: &str) -> Self {
        self.args.qemu_arg.push(arg.into());
        self
    }

    /// Types this once the guest has begun to write.
    pub fn input(mut self, text: &str) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Boots into the shell that people get, and types `say` each time the guest has written `after`.
    pub fn shell(mut self, turns: &[(&str, &str)]) -> Self {
        self.args.root = Some(Root::Shell);
        let turn = |(after, say): &(&str, &str)| Turn {
            after: (*after).into(),
            say: (*say).into(),
        };
        self.turns = turns.iter().map(turn).collect();
        self
    }

    /// Puts a file or folder of the host into the root: `HOSTPATH:GUESTPATH`.
    pub fn with_files(mut self, wish: &str) -> Self {
        self.args.add.push(wish.into());
        self
    }

    /// Runs a command with `input` and returns what it left.
    pub fn command(mut self, words: &[&str], input: &[u8]) -> Answer {
        self.args.root = Some(Root::Shell);
        self.args.args = words.iter().map(|&word| word.into()).collect();
        self.args.bare = true;
        let built = project::built();
        let _slot = lock::machine_slot().expect("the target folder can hold a lock");
        let scratch = Scratch::new().expect("the target folder is writable");
        let start = launch::start(&self.args, built, &scratch)
            .unwrap_or_else(|error| panic!("the machine could not be made: {error:#}"));
        let mut answer = Answer::default();
        let mut decoder = Decoder::default();
        let limit = Duration::from_secs(self.args.seconds());
        let run = vm::run(start, Input::Framed(input.into()), limit, &mut |bytes| {
            decoder.feed(bytes, &mut |frame| match frame {
                Frame::Output(bytes) => answer.output.extend(bytes),
                Frame::Errors(bytes) => answer.errors.extend(bytes),
                Frame::Ended(status) => answer.status = Some(status),
            });
        });
        let run = run.unwrap_or_else(|error| panic!("the emulator could not be run: {error:#}"));
        let log = fs::read(launch::console_file(&scratch)).unwrap_or_default();
        answer.log = String::from_utf8_lossy(&log).into_owned();
        answer.exit = Some(run.exit);
        answer
    }

    /// Replaces the initramfs by these bytes, which need not be an archive.
    pub fn initramfs_bytes(mut self, bytes: &[u8]) -> Self {
        self.args.initramfs = Some(keep(bytes));
        self
    }

    /// Changes the ordinary initramfs, entry by entry, before the machine gets it.
    pub fn initramfs(self, change: impl FnOnce(&mut Vec<Entry>)) -> Self {
        let etc = boot_image::project::user_sources().join("files");
        let programs = &project::built().programs;
        let mut entries =
            initramfs::entries(b"", programs, &etc).expect("the programs are readable");
        change(&mut entries);
        let bytes = initramfs::archive(&entries).expect("the entries fit an archive");
        self.initramfs_bytes(&bytes)
    }

    /// Changes the ordinary archive's bytes before the machine gets them.
    pub fn initramfs_mutated(self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let programs = &project::built().programs;
        let mut bytes = build::initramfs_bytes(programs, b"").expect("the programs are readable");
        change(&mut bytes);
        self.initramfs_bytes(&bytes)
    }

    /// Sets the time after which the run is ended and has failed.
    pub fn timeout(mut self, seconds: u64) -> Self {
        self.args.timeout = Some(seconds);
        self
    }

    /// Waits for a free slot, runs the machine to its end and returns what it left.
    pub fn boot(self) -> Outcome {
        let built = if self.args.checked {
            project::checked()
        } else {
            project::built()
        };
        let _slot = lock::machine_slot().expect("the target folder can hold a lock");
        let scratch = Scratch::new().expect("the target folder is writable");
        let start = launch::start(&self.args, built, &scratch)
            .unwrap_or_else(|error| panic!("the machine could not be made: {error:#}"));
        let mut symbols = Symboliser::new(built.kernel.clone());
        let mut plain = Plain::default();
        let mut log = Vec::new();
        let input = match self.turns.is_empty() {
            true => self.input.clone().map_or(Input::None, Input::Bytes),
            false => Input::Talk(self.turns.clone()),
        };
        let limit = Duration::from_secs(self.args.seconds());
        let run = vm::run(start, input, limit, &mut |bytes| {
            log.extend(symbols.filter(&plain.filter(bytes)));
        });
        let run = run.unwrap_or_else(|error| panic!("the emulator could not be run: {error:#}"));
        log.extend(symbols.finish());
        Outcome {
            exit: run.exit,
            log: String::from_utf8_lossy(&log).replace('\r', ""),
            emulator_says: run.emulator_says,
            repeat: self.repeat(),
        }
    }

    /// Writes the shell line that repeats this run.
    fn repeat(&self) -> String {
        let mut line = String::new();
        if let Some(input) = &self.input {
            line += &format!("printf %s {} | ", shell(&String::from_utf8_lossy(input)));
        }
        line += &format!(
            "./x run --memory {} --timeout {}",
            self.args.memory,
            self.args.seconds()
        );
        for (is_set, flag) in self.flags() {
            if is_set {
                line += flag;
            }
        }
        if self.args.smp != 1 {
            line += &format!(" --smp {}", self.args.smp);
        }
        if self.args.emulator == Emulator::Bochs {
            line += " --emulator bochs";
        }
        if let Some(model) = &self.args.cpu {
            line += &format!(" --cpu {model}");
        }
        for words in &self.args.append {
            line += &format!(" --append {}", shell_bytes(words.as_bytes()));
        }
        for arg in &self.args.qemu_arg {
            line += &format!(" --qemu-arg={}", shell(&arg.to_string_lossy()));
        }
        if let Some(file) = &self.args.initramfs {
            line += &format!(" --initramfs {}", file.display());
        }
        if let Some(program) = &self.args.program {
            line += &format!(" --program {}", program.display());
        }
        for arg in &self.args.args {
            line += &format!(" {}", shell(arg));
        }
        line
    }

    fn flags(&self) -> [(bool, &'static str); 4] {
        [
            (self.args.uefi, " --uefi"),
            (self.args.packed, " --packed"),
            (self.args.checked, " --checked"),
            (self.args.icount, " --icount"),
        ]
    }
}

/// Keeps an initramfs in a file named after its contents, so that the run can be repeated by hand.
fn keep(bytes: &[u8]) -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let path =
        boot_image::project::target().join(format!("initramfs/{:016x}.cpio", hasher.finish()));
    boot_image::fresh::write_if_changed(&path, bytes).unwrap_or_else(|error| panic!("{error:#}"));
    fs::canonicalize(&path).unwrap_or(path)
}

/// Keeps a word with blanks together on the kernel command line.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains(char::is_whitespace);
    if plain {
        word.into()
    } else {
        format!("\"{word}\"")
    }
}

/// Writes a word as the shell reads it.
fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=/.,:+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Writes any bytes as bash reads them.
fn shell_bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => shell(text),
        _ => format!(
            "$'{}'",
            bytes
                .iter()
                .map(|byte| format!("\\x{byte:02x}"))
                .collect::<String>()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_repeats_a_run_names_everything_that_was_changed() {
        let vm = Vm::new()
            .uefi()
            .smp(2)
            .cmdline("init=/bin/a -- 'b'")
            .cmdline("x")
            .input("hi\n");
        assert_eq!(
            vm.repeat(),
            "printf %s 'hi\n' | ./x run --memory 128M --timeout 60 --uefi --smp 2 \
             --append 'init=/bin/a -- '\\''b'\\''' --append x"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_written_so_that_bash_reads_them() {
        assert_eq!(shell_bytes(b"a\xff"), r"$'\x61\xff'");
    }

    #[test]
    fn arguments_of_init_stay_words_of_their_own() {
        let vm = Vm::new().init("probe", &["a b", ""]);
        assert_eq!(vm.args.append, ["init=/bin/probe -- \"a b\" \"\""]);
    }
}
