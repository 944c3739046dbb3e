//! Builds everything a machine needs, in one go.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::image::{self, Firmware};
use crate::programs::{self, Program};
use crate::{cargo, fresh, initramfs, lock, project};

/// What [`build`] made.
#[derive(Clone, Debug)]
pub struct Built {
    /// The kernel with its symbols.
    pub kernel: PathBuf,
    /// The kernel as it goes into an image.
    pub stripped: PathBuf,
    /// Every program of the project, built for the inside.
    pub programs: Vec<Program>,
    /// The ordinary initramfs.
    pub initramfs: PathBuf,
    /// The kernel's profile, which tells the images apart.
    pub profile: &'static str,
}

/// Builds the kernel, the programs and the initramfs; what is up to date costs a fraction of a second.
///
/// One process at a time does this; others wait and then find everything done.
pub fn build() -> Result<Built> {
    let _turn = lock::exclusive("build")?;
    let kernel = cargo::build_kernel(cargo::RELEASE)?;
    let stripped = image::strip_kernel(&kernel)?;
    let programs = programs::build()?;
    let initramfs = project::images().join("initramfs.cpio");
    fresh::write_if_changed(&initramfs, &initramfs_bytes(&programs, b"")?)?;
    Ok(Built {
        kernel,
        stripped,
        programs,
        initramfs,
        profile: cargo::RELEASE,
    })
}

/// Makes the ordinary initramfs of `programs`, with a kernel command line for machines that have
/// no other way to pass one.
pub fn initramfs_bytes(programs: &[Program], cmdline: &[u8]) -> Result<Vec<u8>> {
    let etc = project::user_sources().join("files");
    initramfs::archive(&initramfs::entries(cmdline, programs, &etc)?)
}

impl Built {
    /// Builds the kernel with every check it has, to go with the same programs.
    pub fn checked(&self) -> Result<Self> {
        let _turn = lock::exclusive("build")?;
        let kernel = cargo::build_kernel(cargo::CHECKED)?;
        Ok(Self {
            stripped: image::strip_kernel(&kernel)?,
            kernel,
            profile: cargo::CHECKED,
            ..self.clone()
        })
    }

    /// The path of one of this kernel's images.
    fn image_path(&self, kind: &str, firmware: Firmware) -> PathBuf {
        let profile = match self.profile {
            cargo::RELEASE => String::new(),
            other => format!("-{other}"),
        };
        project::images().join(format!("lodger{kind}{profile}-{}.img", firmware.word()))
    }

    /// Returns the slim image for this firmware, written if need be.
    pub fn slim_image(&self, firmware: Firmware) -> Result<PathBuf> {
        let path = self.image_path("-slim", firmware);
        let _turn = lock::exclusive("build")?;
        image::write(firmware, &self.stripped, None, &path)?;
        Ok(path)
    }

    /// Returns the packed image for this firmware, written if need be.
    pub fn packed_image(&self, firmware: Firmware) -> Result<PathBuf> {
        let path = self.image_path("-packed", firmware);
        let _turn = lock::exclusive("build")?;
        image::write(firmware, &self.stripped, Some(&self.initramfs), &path)?;
        Ok(path)
    }

    /// Returns the files' sizes in a line for people.
    pub fn summary(&self) -> String {
        let size = |path: &Path| fs::metadata(path).map_or(0, |data| data.len() / 1024);
        format!(
            "kernel {} KiB, {} programs, initramfs {} KiB",
            size(&self.stripped),
            self.programs.len(),
            size(&self.initramfs)
        )
    }
}
