//! Bootable disk images: bootloader + stripped kernel, with or without the initramfs in them.
//!
//! Firmware reads a disk slowly (about half a second for each megabyte under emulation), so an
//! ordinary run boots a *slim* image and hands the initramfs over through QEMU's fw_cfg. A *packed*
//! image carries the initramfs as its ramdisk and also boots from a USB stick.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bootloader::{BiosBoot, BootConfig, UefiBoot};
use clap::ValueEnum;

use crate::{cargo, fresh};

/// The firmware a machine starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// The PC's old firmware (SeaBIOS in QEMU).
    #[default]
    Bios,
    /// UEFI (OVMF in QEMU).
    Uefi,
}

impl Firmware {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Bios, Self::Uefi];

    /// Returns the word used in the images' file names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        }
    }
}

/// Strips the kernel for the image and returns the smaller file, which lies beside the full one.
pub fn strip_kernel(kernel: &Path) -> Result<PathBuf> {
    let stripped = kernel.with_extension("stripped");
    if fresh::is_fresh(&stripped, &[kernel]) {
        return Ok(stripped);
    }
    let objcopy = cargo::llvm_tool("llvm-objcopy")?;
    fresh::replace(&stripped, |part| {
        let status = Command::new(objcopy)
            .arg("--strip-all")
            .args([kernel, part])
            .status()?;
        ensure!(
            status.success(),
            "llvm-objcopy could not strip {}",
            kernel.display()
        );
        Ok(())
    })?;
    Ok(stripped)
}

/// Writes the image to `path`, unless it is newer than the kernel and the ramdisk.
pub fn write(firmware: Firmware, kernel: &Path, ramdisk: Option<&Path>, path: &Path) -> Result<()> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    let mut inputs = vec![kernel, own.as_path()];
    inputs.extend(ramdisk);
    if fresh::is_fresh(path, &inputs) {
        return Ok(());
    }
    fresh::replace(path, |part| match firmware {
        Firmware::Bios => {
            let mut image = BiosBoot::new(kernel);
            ramdisk.map(|file| image.set_ramdisk(file));
            image.set_boot_config(&config()).create_disk_image(part)
        }
        Firmware::Uefi => {
            let mut image = UefiBoot::new(kernel);
            ramdisk.map(|file| image.set_ramdisk(file));
            image.set_boot_config(&config()).create_disk_image(part)
        }
    })
}

/// The bootloader keeps quiet unless it has to give up: the log on the serial port is the kernel's.
fn config() -> BootConfig {
    let mut config = BootConfig::default();
    config.frame_buffer_logging = false;
    config.log_level = bootloader_boot_config::LevelFilter::Error;
    config
}
