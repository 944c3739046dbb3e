//! `./x image`: disk images that need nothing beside them.

use anyhow::Result;

use crate::cli::ImageArgs;
use crate::image::Firmware;
use crate::scratch::Scratch;
use crate::{build, image, launch, project};

/// Writes one image for each firmware and prints their paths.
pub(super) fn image(args: &ImageArgs) -> Result<()> {
    let built = build::build()?;
    let scratch = Scratch::new()?;
    let ramdisk = scratch.write(
        "initramfs.cpio",
        &launch::standalone_initramfs(&built, &args.append)?,
    )?;
    for firmware in Firmware::ALL {
        let path = project::images().join(format!("lodger-{}.img", firmware.word()));
        image::write(firmware, &built.stripped, Some(&ramdisk), &path)?;
        println!("{}", path.display());
    }
    Ok(())
}
