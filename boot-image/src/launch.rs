//! Puts a run together: which disk, which initramfs, which kernel command line.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use bootinfo::CommandLine;

use crate::accel::Accel;
use crate::build::{self, Built};
use crate::cli::{Emulator, Root, RunArgs};
use crate::image::Firmware;
use crate::initramfs::{self, Entry};
use crate::programs::Program;
use crate::qemu::Machine;
use crate::scratch::Scratch;
use crate::vm::Start;
use crate::{bochs, image, project, root, static_elf, terminal};

/// Prepares what `./x run` with these options starts.
pub fn start(args: &RunArgs, built: &Built, scratch: &Scratch) -> Result<Start> {
    match args.emulator {
        Emulator::Qemu => Ok(machine(args, built, scratch)?.command(scratch)?.into()),
        Emulator::Bochs => bochs(args, built, scratch)?.start(scratch),
    }
}

/// Makes the machine that Bochs plays: a disk with everything on it.
fn bochs(args: &RunArgs, built: &Built, scratch: &Scratch) -> Result<bochs::Machine> {
    ensure!(
        args.initramfs.is_none(),
        "under Bochs the initramfs carries the command line: --initramfs is for QEMU"
    );
    let mut cmdline = args.append.join(OsStr::new(" "));
    let mut programs = built.programs.clone();
    if let Some(path) = &args.program {
        let program = static_elf::check(path)?;
        add_program(&mut cmdline, &program, &args.args)?;
        programs.retain(|one| one.name != program.name);
        programs.push(program);
    }
    let cmdline = cmdline.into_vec();
    let ramdisk = build::initramfs_bytes(&needed(&programs, &cmdline), &cmdline)?;
    let ramdisk = scratch.write("initramfs.cpio", &ramdisk)?;
    let disk = scratch.path().join("disk.img");
    image::write(Firmware::Bios, &built.stripped, Some(&ramdisk), &disk)?;
    Ok(bochs::Machine {
        disk,
        memory: args.mebibytes(),
        smp: args.smp,
        model: args.cpu.clone().unwrap_or_else(|| bochs::MODEL.into()),
        trace: args.trace.clone(),
    })
}

/// Picks what travels on a slow disk: init alone where the command line names one of `programs`, else all.
fn needed(programs: &[Program], cmdline: &[u8]) -> Vec<Program> {
    let init = CommandLine::parse(cmdline).init;
    let name = init.as_deref().and_then(|path| path.strip_prefix("/bin/"));
    let is_init = |program: &&Program| Some(program.name.as_str()) == name;
    match programs.iter().find(is_init) {
        Some(program) => vec![program.clone()],
        None => programs.to_vec(),
    }
}

/// Makes the machine that QEMU plays.
pub fn machine(args: &RunArgs, built: &Built, scratch: &Scratch) -> Result<Machine> {
    let is_shell = args.chosen_root() == Root::Shell;
    let is_given = !args.append.is_empty() || args.program.is_some() || is_shell;
    let mut cmdline = args.append.join(OsStr::new(" "));
    let mut initramfs = args.initramfs.as_deref().map(read).transpose()?;
    if let Some(path) = &args.program {
        let program = static_elf::check(path)?;
        initramfs = Some(with_program(built, &program, &args.add)?);
        add_program(&mut cmdline, &program, &args.args)?;
    } else if is_shell {
        cmdline = shell_line(args, &cmdline);
        initramfs = Some(archive(root::entries(built, args.command())?, &args.add)?);
    } else if !args.add.is_empty() {
        initramfs = Some(archive(ordinary(built)?, &args.add)?);
    }
    let (disk, initramfs) = media(args, built, initramfs, scratch)?;
    Ok(Machine {
        firmware: args.firmware(),
        disk,
        initramfs,
        cmdline: is_given.then(|| cmdline.into_vec()),
        memory: args.memory.clone(),
        smp: args.smp,
        accel: if args.icount {
            Accel::Tcg
        } else {
            args.accel.resolve()
        },
        icount: args.icount,
        gdb: args.gdb,
        trace: args.trace.clone(),
        console_file: is_bare(args).then(|| console_file(scratch)),
        extra: args.qemu_arg.clone(),
    })
}

/// Says whether a command speaks with the host's own input and output, and not with a terminal inside.
pub fn is_bare(args: &RunArgs) -> bool {
    let is_watched = terminal::is_ours() && io::stdout().is_terminal();
    !args.command().is_empty() && (args.bare || !is_watched)
}

/// Where the log is while a command has the standard output.
pub fn console_file(scratch: &Scratch) -> PathBuf {
    scratch.path().join("console")
}

/// The kernel command line for the shell's root: where a person looks on, warnings only; what is given comes last and counts.
fn shell_line(args: &RunArgs, given: &OsStr) -> OsString {
    let mut line = OsString::from(if is_bare(args) {
        "bare"
    } else {
        "loglevel=warn"
    });
    if let Some((columns, rows)) = terminal::window() {
        line.push(format!(" window={columns}x{rows}"));
    }
    let term = env::var("TERM").unwrap_or_default();
    if !term.is_empty()
        && term
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
    {
        line.push(format!(" term={term}"));
    }
    if !given.is_empty() {
        line.push(" ");
        line.push(given);
    }
    line
}

/// The archive of `entries` with what `--add` asks for.
fn archive(mut entries: Vec<Entry>, added: &[String]) -> Result<Vec<u8>> {
    for wish in added {
        root::add(&mut entries, wish)?;
    }
    initramfs::archive(&entries)
}

fn ordinary(built: &Built) -> Result<Vec<Entry>> {
    let etc = project::user_sources().join("files");
    initramfs::entries(b"", &built.programs, &etc)
}

/// Chooses the disk and the initramfs beside it: (disk, initramfs unless the disk carries it).
///
/// `other` replaces the ordinary initramfs; a packed image is then made for this run alone.
fn media(
    args: &RunArgs,
    built: &Built,
    other: Option<Vec<u8>>,
    scratch: &Scratch,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let firmware = args.firmware();
    let other = other
        .map(|bytes| scratch.write("initramfs.cpio", &bytes))
        .transpose()?;
    match (args.packed, other) {
        (false, other) => {
            let initramfs = other.unwrap_or_else(|| built.initramfs.clone());
            Ok((built.slim_image(firmware)?, Some(initramfs)))
        }
        (true, None) => Ok((built.packed_image(firmware)?, None)),
        (true, Some(ramdisk)) => {
            let disk = scratch.path().join("packed.img");
            image::write(firmware, &built.stripped, Some(&ramdisk), &disk)?;
            Ok((disk, None))
        }
    }
}

/// The ordinary initramfs with one more program, which takes the place of one with the same name.
fn with_program(built: &Built, program: &Program, added: &[String]) -> Result<Vec<u8>> {
    let name = format!("bin/{}", program.name);
    let mut entries = ordinary(built)?;
    entries.retain(|entry| entry.name != name);
    entries.push(Entry::executable(&name, read(&program.path)?));
    archive(entries, added)
}

/// Adds to a kernel command line what makes the program init: `init=/bin/NAME -- ARGS`.
fn add_program(cmdline: &mut OsString, program: &Program, args: &[String]) -> Result<()> {
    let has_arguments = cmdline.as_bytes().windows(4).any(|bytes| bytes == b" -- ");
    ensure!(
        !has_arguments,
        "--program has its own arguments: --append may not have ' -- ' as well"
    );
    if !cmdline.is_empty() {
        cmdline.push(" ");
    }
    cmdline.push(quoted(&format!("init=/bin/{}", program.name))?);
    for (number, arg) in args.iter().enumerate() {
        cmdline.push(if number == 0 { " -- " } else { " " });
        cmdline.push(quoted(arg)?);
    }
    Ok(())
}

/// The kernel's command line keeps words with blanks together in double quotes and knows no escapes.
fn quoted(word: &str) -> Result<String> {
    ensure!(
        !word.contains('"'),
        "an argument on the kernel command line cannot contain a double quote: {word}"
    );
    let plain = !word.is_empty() && !word.contains(char::is_whitespace);
    Ok(if plain {
        word.into()
    } else {
        format!("\"{word}\"")
    })
}

/// Makes the ordinary initramfs with `cmdline` as its first entry, for an image that boots on its own.
pub fn standalone_initramfs(built: &Built, cmdline: &str) -> Result<Vec<u8>> {
    build::initramfs_bytes(&built.programs, cmdline.as_bytes())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cmdline: &str, args: &[&str]) -> Result<String> {
        let program = Program {
            name: "hello".into(),
            path: "/x/hello".into(),
        };
        let args: Vec<String> = args.iter().map(|&arg| arg.into()).collect();
        let mut line = OsString::from(cmdline);
        add_program(&mut line, &program, &args)?;
        Ok(line.into_string().unwrap())
    }

    #[test]
    fn a_program_becomes_init_with_its_arguments_behind_the_dashes() {
        assert_eq!(line("", &[]).unwrap(), "init=/bin/hello");
        assert_eq!(
            line("loglevel=5", &["a", "-b"]).unwrap(),
            "loglevel=5 init=/bin/hello -- a -b"
        );
    }

    #[test]
    fn arguments_with_blanks_are_quoted_and_empty_ones_kept() {
        assert_eq!(
            line("", &["a b", ""]).unwrap(),
            "init=/bin/hello -- \"a b\" \"\""
        );
    }

    #[test]
    fn an_argument_the_command_line_cannot_carry_is_refused() {
        assert!(line("", &["say \"hi\""]).is_err());
        assert!(line("x -- y", &[]).is_err());
    }

    #[test]
    fn init_travels_alone_where_it_is_one_of_the_projects_programs() {
        let programs = ["hello", "init", "probe"].map(|name| Program {
            name: name.into(),
            path: "/x".into(),
        });
        let names = |line: &[u8]| -> Vec<String> {
            let picked = needed(&programs, line);
            picked.into_iter().map(|program| program.name).collect()
        };
        assert_eq!(names(b"init=/bin/probe -- init=/bin/hello"), ["probe"]);
        assert_eq!(names(b"init=/bin/other"), ["hello", "init", "probe"]);
        assert_eq!(names(b""), ["hello", "init", "probe"]);
    }
}
