//! Where a file was last named, and so the path that is shown of it.
//!
//! A file with several names is shown under the one it got last; one whose name is gone keeps it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use vfs::directory::Name;

use super::inode::{Inode, InodeRef};

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

    /// Gives a file without a directory the name under which it is shown.
    pub(super) fn set_label(&self, name: &[u8]) {
        let mut home = self.home.lock();
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

    /// Writes the absolute path, built from the names on the way to the root.
    ///
    /// Allocates nothing: the way up is walked again for each name.
    pub fn write_path(&self, out: &mut dyn Write) -> fmt::Result {
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

    /// Returns the absolute path.
    pub fn path(&self) -> Vec<u8> {
        let mut path = Bytes(Vec::new());
        // Writing to memory fails for want of it only; that is a panic of its own.
        let _ = self.write_path(&mut path);
        path.0
    }

    /// Returns the path as `/proc` shows it: with a mark if the name is gone.
    pub fn shown_path(&self) -> Vec<u8> {
        let mut path = self.path();
        if self.is_gone() {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }
}

struct Bytes(Vec<u8>);

impl Write for Bytes {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
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
