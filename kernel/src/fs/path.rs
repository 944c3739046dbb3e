//! From a path to a file: the walk of the crate `vfs`, over this kernel's inodes.

pub use vfs::PATH_MAX;
use vfs::walk;
pub use vfs::walk::{Follow, Last, Place, Target};

use super::inode::{Inode, InodeRef};
use super::root;

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathError(pub walk::PathError);

/// Finds what `path` stands for, seen from the directory `base`.
pub fn resolve(base: &InodeRef, path: &[u8], follow: Follow) -> Result<InodeRef, PathError> {
    Ok(walk::resolve(&root(), base, path, follow)?)
}

/// Finds what `path` stands for, or where it would be made.
pub fn target(base: &InodeRef, path: &[u8], follow: Follow) -> Result<Target<Inode>, PathError> {
    Ok(walk::target(&root(), base, path, follow)?)
}

/// Finds the directory that the last component of `path` is in.
pub fn place(base: &InodeRef, path: &[u8]) -> Result<Place<Inode>, PathError> {
    Ok(walk::place(&root(), base, path)?)
}

impl From<walk::PathError> for PathError {
    fn from(error: walk::PathError) -> Self {
        Self(error)
    }
}
