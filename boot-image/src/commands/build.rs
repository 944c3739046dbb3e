//! `./x build`: everything a machine needs, with its sizes.

use anyhow::Result;

use crate::{build, tell};

/// Builds and tells what came out.
pub(super) fn build() -> Result<()> {
    let built = build::build()?;
    tell::step(&built.summary());
    Ok(())
}
