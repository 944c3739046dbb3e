//! Whether a made file is newer than what it was made from, and how it is put in place.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Tells whether `made` exists and is newer than every one of `inputs`.
pub fn is_fresh(made: &Path, inputs: &[&Path]) -> bool {
    let Some(made) = modified(made) else {
        return false;
    };
    inputs
        .iter()
        .all(|input| modified(input).is_some_and(|time| time < made))
}

/// Makes a file under a temporary name and moves it to `path`, so that another process sees the
/// old file or the new one and never a half.
pub fn replace(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let part = PathBuf::from(format!("{}.{}.part", path.display(), std::process::id()));
    make(&part)
        .and_then(|()| Ok(fs::rename(&part, path)?))
        .with_context(|| format!("writing {}", path.display()))
}

/// Writes `bytes` to `path` unless it holds them already.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    replace(path, |part| Ok(fs::write(part, bytes)?))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}
