//! The machine Lodger is run on where QEMU's translator is not enough, as a configuration of Bochs.
//!
//! Bochs interprets one instruction after the other, and its processor has what QEMU's has not: PCIDs, INVPCID, x2APIC, and a
//! TLB that really keeps what nobody took out of it. In exchange it is slow, and has no fw_cfg and no exit device: the
//! command line and the initramfs are on the disk, and the end is told by the guest's last line ([`crate::vm`]).

use std::env;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::scratch::Scratch;
use crate::vm::{Com1, Start};

/// What has to be there: the program, and files that other packages bring.
const PROGRAM: &str = "bochs";
const BIOS: &str = "/usr/share/bochs/BIOS-bochs-latest";
const VGA_BIOS: &str = "/usr/share/vgabios/vgabios.bin";
const PACKAGES: &str = "bochs bochs-term bochsbios vgabios";
/// Bochs' own messages, in the scratch folder.
const MESSAGES: &str = "bochs.log";
/// Instructions of a second on the machine's clock, which is also the speed of its time stamp counter.
const SPEED: u32 = 100_000_000;
/// The processor, unless another is asked for: the oldest with INVPCID.
pub const MODEL: &str = "corei7_haswell_4770";
/// The most processors that it can have.
pub const MOST_PROCESSORS: u32 = 8;

/// What a machine consists of.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The disk it boots from, which carries all that it needs.
    pub disk: PathBuf,
    /// Memory in MiB.
    pub memory: u64,
    /// The number of processors.
    pub smp: u32,
    /// The processor's model, as Bochs calls it.
    pub model: String,
    /// A file for what the kernel writes to the second serial port.
    pub trace: Option<PathBuf>,
}

impl Machine {
    /// Writes the machine's files to `scratch`, and returns what starts it.
    ///
    /// # Errors
    /// If Bochs, or something that belongs to it, is missing: says what to install.
    pub fn start(&self, scratch: &Scratch) -> Result<Start> {
        check_installed()?;
        ensure!(
            self.smp <= MOST_PROCESSORS,
            "Bochs is given {MOST_PROCESSORS} processors at most"
        );
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context("opening a port for the serial line")?;
        let port = listener.local_addr()?.port();
        let config = scratch.write(
            "bochsrc",
            self.config(port, &scratch.path().join(MESSAGES))?
                .as_bytes(),
        )?;
        // Debian's Bochs begins in its debugger.
        let commands = scratch.write("debugger", b"continue\n")?;
        let mut command = Command::new(PROGRAM);
        command.arg("-q").arg("-f").arg(config);
        command.arg("-rc").arg(commands);
        // The display draws on standard output, which nobody looks at.
        command.env("TERM", "vt100");
        Ok(Start {
            command,
            com1: Com1::Socket(listener),
            messages: Some(scratch.path().join(MESSAGES)),
        })
    }

    fn config(&self, port: u16, messages: &Path) -> Result<String> {
        let mut text = String::new();
        writeln!(text, "config_interface: textconfig")?;
        writeln!(text, "display_library: term")?;
        writeln!(text, "speaker: enabled=0")?;
        writeln!(text, "romimage: file={BIOS}")?;
        writeln!(text, "vgaromimage: file={VGA_BIOS}")?;
        writeln!(text, "megs: {}", self.memory)?;
        // A triple fault is an end, not a new beginning. Processors take turns as seldom as they can.
        writeln!(
            text,
            "cpu: model={}, count={}, quantum=32, ips={SPEED}, reset_on_triple_fault=0",
            self.model, self.smp
        )?;
        writeln!(text, "clock: sync=none")?;
        writeln!(
            text,
            "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14"
        )?;
        writeln!(
            text,
            "ata0-master: type=disk, mode=flat, path={}",
            plain(&self.disk)?
        )?;
        writeln!(text, "boot: disk")?;
        writeln!(
            text,
            "com1: enabled=1, mode=socket-client, dev=localhost:{port}"
        )?;
        if let Some(trace) = &self.trace {
            writeln!(text, "com2: enabled=1, mode=file, dev={}", plain(trace)?)?;
        }
        writeln!(text, "log: {}", plain(messages)?)?;
        // The display cannot show the graphics mode that the bootloader chooses; it goes on without.
        writeln!(text, "panic: action=fatal, term=report")?;
        writeln!(text, "error: action=ignore\ninfo: action=ignore")?;
        Ok(text)
    }
}

/// Picks from Bochs' messages what tells why it gave up.
pub fn complaints(messages: &str) -> String {
    let is_complaint = |line: &&str| line.contains(">>PANIC<<") && !line.contains("[TERM ");
    let lines = messages.lines().filter(is_complaint);
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn check_installed() -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let has_program = env::split_paths(&path).any(|folder| folder.join(PROGRAM).exists());
    if has_program && [BIOS, VGA_BIOS].iter().all(|file| Path::new(file).exists()) {
        return Ok(());
    }
    bail!(
        "Bochs is missing, or something that belongs to it; please install it (Debian: apt-get install --no-install-recommends {PACKAGES})"
    )
}

/// Bochs separates options with commas and knows no way to write one in a path.
fn plain(path: &Path) -> Result<String> {
    let text = path.display().to_string();
    ensure!(
        !text.contains([',', '"', '#', '$']),
        "Bochs cannot be given a path with a comma, a quote, # or $: {text}"
    );
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            disk: "/a b.img".into(),
            memory: 64,
            smp: 2,
            model: MODEL.into(),
            trace: None,
        }
    }

    fn config(machine: &Machine) -> Result<String> {
        machine.config(4711, Path::new("/messages"))
    }

    #[test]
    fn the_configuration_names_disk_line_and_processors() {
        let text = config(&machine()).unwrap();
        assert!(text.contains("path=\"/a b.img\"\n"), "{text}");
        assert!(text.contains("count=2, "), "{text}");
        assert!(text.contains("dev=localhost:4711\n"), "{text}");
        assert!(!text.contains("com2"), "{text}");
    }

    #[test]
    fn a_path_that_would_end_an_option_is_refused() {
        let machine = Machine {
            disk: "/a,b.img".into(),
            ..machine()
        };
        assert!(config(&machine).is_err());
    }

    #[test]
    fn only_what_ends_bochs_is_a_complaint() {
        let messages = "1p[TERM  ] >>PANIC<< 24 bpp graphics mode not supported\n\
                        2e[VGA   ] bad\n3p[CPU0  ] >>PANIC<< exception(): 3rd exception\n";
        assert_eq!(
            complaints(messages),
            "3p[CPU0  ] >>PANIC<< exception(): 3rd exception\n"
        );
    }
}
