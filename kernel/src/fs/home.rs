//! Where a file was last named, and so the path that is shown of it.
//!
//! A file with several names is shown under the one it got last; one whose name is gone keeps it.
//! A path goes from mount to mount: [`Location::path`] is what somebody sees, [`Inode::write_path`] the
//! path through the first mount of the file's file system.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use vfs::directory::Name;

use super::inode::{Inode, InodeRef};
use super::mount::Location;

/// Where a file was last named.
#[derive(Clone)]
pub(super) struct Home {
    /// The directory; `None` for a file that never had a name, and for the root.
    pub(super) parent: Option<InodeRef>,
    name: Name,
    is_gone: bool,
}

impl Home {
    /// The place of a file that was never named.
    pub(super) fn none() -> Self {
        Self {
            parent: None,
            name: Name::from(&b""[..]),
            is_gone: false,
        }
    }
}

impl Inode {
    /// Notes that the file has a new name.
    pub(super) fn set_home(&self, parent: &InodeRef, name: &Name) {
        let new = Home {
            parent: Some(parent.clone()),
            name: name.clone(),
            is_gone: false,
        };
        let old = core::mem::replace(&mut *self.home.lock(), new);
        drop(old); // outside the lock: it may be the last reference to a directory
    }

    /// Gives a file without a name the one under which it is shown.
    pub(super) fn set_label(&self, parent: Option<&InodeRef>, name: &[u8]) {
        let mut home = self.home.lock();
        home.parent = parent.cloned();
        home.name = Name::from(name);
        home.is_gone = true;
    }

    /// Notes that the name `name` in `parent` is gone; the last place is still shown.
    pub(super) fn leave_home(&self, parent: &InodeRef, name: &[u8]) {
        let mut home = self.home.lock();
        let is_here = home
            .parent
            .as_ref()
            .is_some_and(|at| Arc::ptr_eq(at, parent));
        if is_here && *home.name == *name {
            home.is_gone = true;
        }
    }

    /// Returns the directory it was last named in; the root is in itself.
    pub fn parent(self: &Arc<Self>) -> InodeRef {
        let parent = self.home().parent;
        parent.unwrap_or_else(|| self.clone())
    }

    fn home(&self) -> Home {
        // Reports ask in any state: the lock's place in the order matters only if it is taken.
        match self.home.try_lock() {
            Some(home) => home.clone(),
            None => self.home.lock().clone(),
        }
    }

    /// Returns whether the name that is shown is no longer there.
    pub fn is_gone(&self) -> bool {
        self.home().is_gone
    }

    /// Returns the path from the root of its file system.
    pub(super) fn path_in_file_system(self: &Arc<Self>) -> Vec<u8> {
        let mut names = Vec::new();
        let mut home = self.home();
        while let Some(parent) = home.parent {
            names.push(home.name);
            home = parent.home();
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        path
    }

    /// Writes the absolute path, built from the names on the way to the root.
    ///
    /// Allocates nothing: the way up is walked again for each name.
    pub fn write_path(&self, out: &mut dyn Write) -> fmt::Result {
        if let Some(at) = self.fs.shown_at().and_then(|mount| mount.attached()) {
            at.inode.write_path(out)?;
        }
        let home = self.home();
        let mut depth = 0;
        let mut at = home.parent.clone();
        while let Some(directory) = at {
            at = directory.home().parent;
            depth += 1;
        }
        for level in (1..depth).rev() {
            let mut up = home.clone();
            for _ in 0..level {
                match up.parent {
                    Some(parent) => up = parent.home(),
                    None => break,
                }
            }
            write_name(&up.name, out)?;
        }
        write_name(&home.name, out)
    }
}

/// What is put before a path that does not begin at the viewer's root.
const UNREACHABLE: &[u8] = b"(unreachable)";

impl Location {
    /// Returns the path from `root`, or from the root of all that is connected, with a mark.
    pub fn path(&self, root: &Self) -> Vec<u8> {
        let (mut path, is_reachable) = self.path_within(root);
        if !is_reachable {
            path.splice(0..0, UNREACHABLE.iter().copied());
        }
        path
    }

    /// Returns the path, and whether it begins at `root`.
    pub fn path_within(&self, root: &Self) -> (Vec<u8>, bool) {
        let mut names = Vec::new();
        let mut at = self.clone();
        let is_reachable = loop {
            if at.is_same(root) {
                break true;
            }
            if at.is_mount_root() {
                match at.mount.attached() {
                    Some(covered) => at = covered,
                    None => break false,
                }
                continue;
            }
            let home = at.inode.home();
            names.push(home.name);
            match home.parent {
                Some(parent) => at.inode = parent,
                None => break true,
            }
        };
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        (path, is_reachable)
    }

    /// Returns the path as `/proc` shows it: with a mark if the name is gone.
    pub fn shown_path(&self, root: &Self) -> Vec<u8> {
        let (mut path, _) = self.path_within(root);
        if self.is_gone() {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }
}

fn write_name(name: &[u8], out: &mut dyn Write) -> fmt::Result {
    out.write_char('/')?;
    for piece in name.utf8_chunks() {
        out.write_str(piece.valid())?;
        for byte in piece.invalid() {
            write!(out, "\\{byte:03o}")?;
        }
    }
    Ok(())
}
