//! From a path to a file: the walk of the crate `vfs`, over this kernel's mounts and inodes.

use cred::Wanted;
pub use vfs::PATH_MAX;
use vfs::walk;
pub use vfs::walk::{Follow, Last, Limits, Link};
use vfs::walk::{Start, World};

use super::caller::Caller;
use super::inode::Kind;
use super::mount::Location;
use super::procfs;

/// The directory that the last component of a path is looked up in.
pub type Place = walk::Place<Location>;
/// Where a path leads.
pub type Target = walk::Target<Location>;

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathError(pub walk::PathError);

/// Finds what `path` stands for, seen from the directory `base`.
pub fn resolve(
    caller: &Caller,
    base: &Location,
    path: &[u8],
    follow: Follow,
) -> Result<Location, PathError> {
    Ok(walk::resolve(caller, start(caller, base), path, follow)?)
}

/// Finds what `path` stands for, or where it would be made.
pub fn target(
    caller: &Caller,
    base: &Location,
    path: &[u8],
    follow: Follow,
    limits: Limits,
) -> Result<Target, PathError> {
    let start = Start {
        limits,
        ..start(caller, base)
    };
    Ok(walk::target(caller, start, path, follow)?)
}

/// Finds the directory that the last component of `path` is in.
pub fn place(caller: &Caller, base: &Location, path: &[u8]) -> Result<Place, PathError> {
    Ok(walk::place(caller, start(caller, base), path)?)
}

fn start<'a>(caller: &'a Caller, base: &'a Location) -> Start<'a, Location> {
    Start {
        root: &caller.root,
        base,
        limits: Limits::default(),
    }
}

impl World for Caller {
    type Node = Location;

    fn is_directory(&self, node: &Location) -> bool {
        node.inode.is_directory()
    }

    fn may_search(&self, directory: &Location) -> bool {
        self.may(&directory.inode, Wanted::EXECUTE).is_ok()
    }

    fn child(&self, directory: &Location, name: &[u8]) -> Option<Location> {
        directory.child(name)
    }

    fn parent(&self, node: &Location) -> Location {
        node.parent()
    }

    fn link(&self, node: &Location) -> Option<Link<Location>> {
        match &node.inode.kind {
            Kind::Symlink(target) => {
                node.inode.accessed();
                Some(Link::Path(target.clone()))
            }
            Kind::Proc(node) => procfs::link(*node),
            _ => None,
        }
    }

    fn is_same(&self, one: &Location, other: &Location) -> bool {
        one.is_same(other)
    }

    fn is_same_mount(&self, one: &Location, other: &Location) -> bool {
        alloc::sync::Arc::ptr_eq(&one.mount, &other.mount)
    }
}

impl From<walk::PathError> for PathError {
    fn from(error: walk::PathError) -> Self {
        Self(error)
    }
}
