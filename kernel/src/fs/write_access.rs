//! Who writes to a file, and who runs it: never both (ETXTBSY).

use core::sync::atomic::Ordering::Relaxed;

use cred::Cred;
use cred::change::after_write;

use super::inode::Inode;
use super::mount::Location;

/// It is being run, and may not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeingRun;

/// Somebody writes to it, and it may not be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeingWritten;

/// Somebody's right to write to a file; meanwhile nobody runs it, and its mount stays writable.
pub struct WriteAccess(Location);

impl WriteAccess {
    /// Counts a writer.
    pub fn new(file: &Location) -> Result<Self, BeingRun> {
        let more = |count: i32| (count >= 0).then(|| count + 1);
        let counted = file.writers.fetch_update(Relaxed, Relaxed, more);
        counted.map_err(|_| BeingRun)?;
        file.mount.begin_write();
        Ok(Self(file.clone()))
    }
}

impl Drop for WriteAccess {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Relaxed);
        self.0.mount.end_write();
    }
}

/// A file that is being run; meanwhile nobody opens it for writing.
pub struct Running(Location);

impl Running {
    /// Counts somebody who runs it.
    pub fn new(file: &Location) -> Result<Self, BeingWritten> {
        let less = |count: i32| (count <= 0).then(|| count - 1);
        let counted = file.writers.fetch_update(Relaxed, Relaxed, less);
        counted.map_err(|_| BeingWritten)?;
        Ok(Self(file.clone()))
    }

    /// Returns the file.
    pub fn file(&self) -> &Location {
        &self.0
    }
}

impl Clone for Running {
    fn clone(&self) -> Self {
        self.0.writers.fetch_sub(1, Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.writers.fetch_add(1, Relaxed);
    }
}

impl Inode {
    /// Takes from a program the bits by which it runs as somebody else, since its contents were changed.
    pub fn drop_set_ids(&self, cred: &Cred) {
        let facts = self.facts();
        let mode = after_write(cred, facts);
        if mode != facts.mode {
            self.change(|attributes| attributes.permissions = mode & 0o7777);
        }
    }
}
