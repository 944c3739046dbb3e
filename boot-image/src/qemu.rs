//! The machine Lodger is run on, as a QEMU command line.
//!
//! q35 with its AHCI disk: firmware reads it by DMA, the older machine's IDE disk word by word, which
//! more than doubles the time to boot. The kernel command line and, for a slim image, the initramfs
//! go through fw_cfg: no image is rebuilt for them, and they may hold any bytes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::accel::Accel;
use crate::image::Firmware;
use crate::ovmf;
use crate::scratch::Scratch;

/// The fw_cfg file the kernel reads its command line from.
pub const CMDLINE_FILE: &str = "opt/lodger/cmdline";
/// The fw_cfg file the kernel reads its initramfs from, before it looks for a ramdisk.
pub const INITRAMFS_FILE: &str = "opt/lodger/initramfs";

/// COM1 on standard input and output.
const CONSOLE: [&str; 4] = [
    "-chardev",
    "stdio,id=com1,signal=off",
    "-serial",
    "chardev:com1",
];
/// COM1 somewhere else, and COM3 there, with an interrupt of its own.
const COMMAND: [&str; 6] = [
    "-serial",
    "chardev:com1",
    "-chardev",
    "stdio,id=com3,signal=off",
    "-device",
    "isa-serial,chardev=com3,iobase=0x3e8,irq=5",
];

/// What a machine consists of.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The firmware it starts with; the image has to be made for it.
    pub firmware: Firmware,
    /// The disk it boots from. Nothing is ever written to the file.
    pub disk: PathBuf,
    /// The initramfs, unless the disk carries it.
    pub initramfs: Option<PathBuf>,
    /// The kernel command line; without one the kernel takes the initramfs' own.
    pub cmdline: Option<Vec<u8>>,
    /// Memory, as QEMU writes it: `128M`, `4G`.
    pub memory: String,
    /// The number of processors.
    pub smp: u32,
    /// TCG or KVM; resolved before it comes here.
    pub accel: Accel,
    /// One guest instruction is one virtual nanosecond, so that runs repeat exactly.
    pub icount: bool,
    /// Wait for a debugger on TCP port 1234.
    pub gdb: bool,
    /// A file for what the kernel writes to the second serial port.
    pub trace: Option<PathBuf>,
    /// The file of COM1's output, where standard input and output are a command's channel instead.
    pub console_file: Option<PathBuf>,
    /// More options for QEMU, last on its command line.
    pub extra: Vec<OsString>,
}

impl Machine {
    /// Writes the machine's files to `scratch` and returns the command that starts it, with COM1 on
    /// standard input and output.
    pub fn command(&self, scratch: &Scratch) -> Result<Command> {
        let mut qemu = base();
        qemu.args(self.serial_args());
        qemu.args(["-m", &self.memory, "-smp", &self.smp.to_string()]);
        qemu.args(self.accel_args());
        qemu.args(["-vga", "std"]);
        qemu.args(disk(&self.disk));
        if self.firmware == Firmware::Uefi {
            qemu.args(flash(scratch)?);
        }
        if let Some(cmdline) = &self.cmdline {
            qemu.args(fw_cfg(CMDLINE_FILE, &scratch.write("cmdline", cmdline)?));
        }
        if let Some(initramfs) = &self.initramfs {
            qemu.args(fw_cfg(INITRAMFS_FILE, initramfs));
        }
        if let Some(trace) = &self.trace {
            qemu.arg("-serial").arg(joined("file:", trace));
        }
        if self.gdb {
            qemu.args(["-s", "-S"]);
        }
        qemu.args(&self.extra);
        Ok(qemu)
    }

    /// COM1 is standard input and output, or a file; then COM3 is what it would have been.
    fn serial_args(&self) -> Vec<OsString> {
        let Some(file) = &self.console_file else {
            return CONSOLE.map(OsString::from).into();
        };
        let mut args = vec!["-chardev".into(), escaped("file,id=com1,path=", file)];
        args.extend(COMMAND.map(OsString::from));
        args
    }

    fn accel_args(&self) -> Vec<&'static str> {
        match self.accel {
            Accel::Kvm => vec!["-accel", "kvm", "-cpu", "host"],
            // Translated code of several processors runs in parallel; counting instructions cannot.
            Accel::Tcg | Accel::Auto if !self.icount => vec!["-accel", "tcg", "-cpu", "max"],
            Accel::Tcg | Accel::Auto => {
                vec![
                    "-accel",
                    "tcg",
                    "-cpu",
                    "max",
                    "-icount",
                    "shift=0,sleep=off",
                    // What the processor draws at random repeats too, and with it all addresses.
                    "-seed",
                    "1",
                ]
            }
        }
    }
}

/// Returns the command for a machine that only shows whether KVM works.
pub(crate) fn probe(sector: &Path) -> Command {
    let mut qemu = base();
    qemu.args(CONSOLE)
        .args(["-accel", "kvm", "-cpu", "host"])
        .args(disk(sector));
    qemu
}

/// What every machine has: nothing but the serial port and the way out.
fn base() -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-machine",
        "q35,smm=off,vmport=off",
        "-nodefaults",
        "-no-user-config",
    ])
    .args([
        "-display",
        "none",
        "-monitor",
        "none",
        "-net",
        "none",
        "-no-reboot",
    ])
    .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
    qemu
}

/// A disk whose writes go nowhere, so that any number of machines may share the file.
fn disk(file: &Path) -> [OsString; 2] {
    [
        "-drive".into(),
        escaped("format=raw,snapshot=on,file=", file),
    ]
}

/// OVMF belongs on flash chips: the code only read, the variables a copy of their own.
fn flash(scratch: &Scratch) -> Result<Vec<OsString>> {
    let ovmf = ovmf::find()?;
    let variables = scratch.path().join("variables.fd");
    fs::copy(&ovmf.variables, &variables).context("copying OVMF's variables")?;
    Ok(vec![
        "-drive".into(),
        escaped("if=pflash,format=raw,unit=0,readonly=on,file=", &ovmf.code),
        "-drive".into(),
        escaped("if=pflash,format=raw,unit=1,file=", &variables),
    ])
}

fn fw_cfg(name: &str, file: &Path) -> [OsString; 2] {
    [
        "-fw_cfg".into(),
        escaped(&format!("name={name},file="), file),
    ]
}

/// In QEMU's option lists a comma inside a value is written twice.
fn escaped(options: &str, file: &Path) -> OsString {
    format!("{options}{}", file.display().to_string().replace(',', ",,")).into()
}

fn joined(prefix: &str, file: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(file);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            firmware: Firmware::Bios,
            disk: "/a,b.img".into(),
            initramfs: None,
            cmdline: Some(b"loglevel=5 \xff".to_vec()),
            memory: "64M".into(),
            smp: 2,
            accel: Accel::Tcg,
            icount: false,
            gdb: false,
            trace: None,
            console_file: None,
            extra: vec!["-d".into(), "int".into()],
        }
    }

    fn line(machine: &Machine) -> String {
        let command = machine.command(&Scratch::new().unwrap()).unwrap();
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        args.join(" ")
    }

    #[test]
    fn a_comma_in_a_path_is_doubled() {
        assert!(line(&machine()).contains("file=/a,,b.img"));
    }

    #[test]
    fn the_readers_own_options_come_last() {
        assert!(line(&machine()).ends_with("-d int"));
    }

    #[test]
    fn the_command_line_is_handed_over_byte_by_byte() {
        let scratch = Scratch::new().unwrap();
        machine().command(&scratch).unwrap();
        assert_eq!(
            fs::read(scratch.path().join("cmdline")).unwrap(),
            b"loglevel=5 \xff"
        );
    }

    #[test]
    fn the_initramfs_goes_through_fw_cfg_only_if_the_disk_has_none() {
        assert!(!line(&machine()).contains(INITRAMFS_FILE));
        let slim = Machine {
            initramfs: Some("/i.cpio".into()),
            ..machine()
        };
        assert!(line(&slim).contains("name=opt/lodger/initramfs,file=/i.cpio"));
    }

    #[test]
    fn a_deterministic_run_counts_instructions() {
        let counted = Machine {
            icount: true,
            ..machine()
        };
        assert!(line(&counted).contains("-icount shift=0,sleep=off"));
        assert!(!line(&machine()).contains("-icount"));
    }
}
