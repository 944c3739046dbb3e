//! Locks between processes, as files below the target folder. The system lets go of them when a
//! process ends, however it ends.

use std::fs::{self, File};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::project;

/// How many machines may run at once: each of them wants a processor of its own.
const MACHINES: usize = 2;
const RETRY: Duration = Duration::from_millis(20);

/// A lock that is held until this value is dropped.
#[derive(Debug)]
#[must_use = "the lock is held only as long as this value lives"]
pub struct Held(#[expect(dead_code, reason = "closing the file is what unlocks")] File);

/// Waits for the lock of this name.
pub fn exclusive(name: &str) -> Result<Held> {
    let file = open(name)?;
    file.lock().with_context(|| format!("locking {name}"))?;
    Ok(Held(file))
}

/// Waits until fewer than two test machines run, in all processes together.
pub fn machine_slot() -> Result<Held> {
    let slots = (0..MACHINES)
        .map(|slot| format!("machine-{slot}"))
        .collect::<Vec<_>>();
    loop {
        for name in &slots {
            let file = open(name)?;
            if file.try_lock().is_ok() {
                return Ok(Held(file));
            }
        }
        std::thread::sleep(RETRY);
    }
}

fn open(name: &str) -> Result<File> {
    let folder = project::target().join("locks");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let path = folder.join(name);
    File::create(&path).with_context(|| format!("opening {}", path.display()))
}
