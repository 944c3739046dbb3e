//! Who asks for files: where its paths begin, and what it may do.

use alloc::sync::Arc;

use cred::{Cred, Denied, Wanted};

use super::inode::Inode;
use super::mount::Location;

/// A file's permissions are in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forbidden;

/// Who asks.
#[derive(Clone)]
pub struct Caller {
    /// Where absolute paths begin.
    pub root: Location,
    /// Where relative paths begin.
    pub cwd: Location,
    /// Permission bits that new files do not get.
    pub umask: u32,
    /// What it may do.
    pub cred: Arc<Cred>,
}

impl Caller {
    /// The kernel itself, which may do everything.
    pub fn kernel() -> Self {
        Self {
            root: super::root(),
            cwd: super::root(),
            umask: 0,
            cred: Arc::new(Cred::root()),
        }
    }

    /// Decides whether a file may be used as `wanted`, as far as its owner and permissions say.
    pub fn may(&self, file: &Inode, wanted: Wanted) -> Result<(), Forbidden> {
        cred::may(&self.cred, file.facts(), wanted).map_err(|Denied| Forbidden)
    }

    /// Decides about a new file in `directory` with these mode bits.
    pub fn new_file(&self, directory: &Inode, mode: u32) -> cred::Facts {
        cred::change::new_file(&self.cred, directory.facts(), mode & !self.umask)
    }
}
