//! A process as the files see it: where its paths begin, and what it may do.

use super::{Process, creds};
use crate::fs::{Caller, Location};

/// Returns who the current thread is to the files.
pub fn caller() -> Caller {
    let (root, cwd, umask) =
        super::current().with_place(|place| (place.root.clone(), place.cwd.clone(), place.umask));
    Caller {
        root,
        cwd,
        umask,
        cred: creds::cred(),
    }
}

impl Process {
    /// Returns the directory where absolute paths begin.
    pub fn root(&self) -> Location {
        self.with_place(|place| place.root.clone())
    }

    /// Changes the directory where absolute paths begin.
    pub fn set_root(&self, root: Location) {
        let old = self.with_place(|place| core::mem::replace(&mut place.root, root));
        drop(old); // outside the lock: it may be the last reference to a directory
    }
}
