//! Mounts: where in the tree which file system is seen, and what may be done there.
//!
//! A mount shows a file system, or a part of one, from a directory (or file) of it on, and covers what is
//! at the place where it is attached. One inode can be seen through several mounts, so a file's place is a
//! [`Location`]: the mount it was reached through, and the inode. [`super::mounting`] changes the table.
//!
//! # Invariants
//! The table holds exactly the mounts that are attached, and the root's, in the order of their attachment;
//! an inode's count of mounts is the number of those that are attached to it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use bitflags::bitflags;

use super::filesystem::{FsRef, NAMELESS};
use super::inode::{Inode, InodeRef};
use super::rank;
use crate::locks::{Once, SpinLock};

/// A counted reference to a mount.
pub type MountRef = Arc<Mount>;

bitflags! {
    /// What a mount forbids, and how it keeps times; the bits are those of `statfs`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct MountFlags: u32 {
        /// Nothing is changed through it.
        const READ_ONLY = 1;
        /// Programs run as whoever starts them.
        const NO_SUID = 2;
        /// Devices are not opened.
        const NO_DEV = 4;
        /// No programs are run from it.
        const NO_EXEC = 8;
        /// No times of reading.
        const NO_ATIME = 1024;
        /// No times of reading directories.
        const NO_DIR_ATIME = 2048;
        /// Times of reading only where they say something new.
        const RELATIVE_ATIME = 4096;
    }
}

/// A mount.
pub struct Mount {
    /// Its number in `mountinfo`.
    pub id: u32,
    /// What it shows.
    pub fs: FsRef,
    /// Where what it shows begins.
    pub root: InodeRef,
    /// What it was made from, in the words of whoever made it.
    pub source: String,
    flags: AtomicU32,
    /// Files that are open for writing through it.
    writers: AtomicU32,
    /// What it covers; nothing for the root, and once it is detached.
    attached: SpinLock<Option<Location>, { rank::HOME }>,
}

/// A file at its place in the tree.
#[derive(Clone)]
pub struct Location {
    /// The mount through which it is seen.
    pub mount: MountRef,
    /// The file.
    pub inode: InodeRef,
}

impl Deref for Location {
    type Target = Inode;

    fn deref(&self) -> &Inode {
        &self.inode
    }
}

/// The mounts, in the order in which they were attached.
static MOUNTS: SpinLock<Vec<MountRef>, { rank::MOUNTS }> = SpinLock::new(Vec::new());
/// Where files are that have no place.
static NOWHERE: Once<MountRef> = Once::new();
static NEXT_ID: AtomicU32 = AtomicU32::new(1);

impl Mount {
    /// Makes a mount that is attached nowhere.
    pub(super) fn new(fs: FsRef, root: InodeRef, source: &str, flags: MountFlags) -> MountRef {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Relaxed),
            fs,
            root,
            source: source.into(),
            flags: AtomicU32::new(flags.bits()),
            writers: AtomicU32::new(0),
            attached: SpinLock::new(None),
        })
    }

    /// Returns what it forbids.
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_retain(self.flags.load(Relaxed))
    }

    pub(super) fn set_flags(&self, flags: MountFlags) {
        self.flags.store(flags.bits(), Relaxed);
    }

    /// Returns whether nothing may be changed through it.
    pub fn is_read_only(&self) -> bool {
        self.flags().contains(MountFlags::READ_ONLY) || self.fs.is_read_only()
    }

    /// Returns the place where what it shows begins.
    pub fn root(self: &Arc<Self>) -> Location {
        Location {
            mount: self.clone(),
            inode: self.root.clone(),
        }
    }

    /// Returns what it covers.
    pub fn attached(&self) -> Option<Location> {
        // Reports ask in any state: the lock's place in the order matters only if it is taken.
        match self.attached.try_lock() {
            Some(attached) => attached.clone(),
            None => self.attached.lock().clone(),
        }
    }

    /// Counts a file that is opened for writing.
    pub(super) fn begin_write(&self) {
        self.writers.fetch_add(1, Relaxed);
    }

    /// Forgets a file that was open for writing.
    pub(super) fn end_write(&self) {
        self.writers.fetch_sub(1, Relaxed);
    }

    /// Returns whether files are open for writing through it.
    pub(super) fn has_writers(&self) -> bool {
        self.writers.load(Relaxed) > 0
    }

    /// Returns whether it is at or below `other`.
    pub(super) fn is_below(self: &Arc<Self>, other: &MountRef) -> bool {
        let mut at = self.clone();
        loop {
            if Arc::ptr_eq(&at, other) {
                return true;
            }
            match at.attached() {
                Some(place) => at = place.mount,
                None => return false,
            }
        }
    }
}

impl Location {
    /// Returns whether both are one file at one place.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inode, &other.inode) && Arc::ptr_eq(&self.mount, &other.mount)
    }

    /// Returns the place of a file that is in no tree.
    pub fn nowhere(inode: InodeRef) -> Self {
        let nowhere = NOWHERE.call_once(|| {
            let root = Inode::nameless_root();
            Mount::new(
                FsRef::Built(&NAMELESS),
                root,
                "none",
                MountFlags::RELATIVE_ATIME,
            )
        });
        Self {
            mount: nowhere.clone(),
            inode,
        }
    }

    /// Returns whether it is where its mount begins.
    pub fn is_mount_root(&self) -> bool {
        Arc::ptr_eq(&self.inode, &self.mount.root)
    }

    /// Returns what is seen here: the last mount that was attached, or the file itself.
    pub(super) fn topmost(mut self) -> Self {
        while self.inode.is_covered() {
            let covering = {
                let mounts = MOUNTS.lock();
                let mut newest_first = mounts.iter().rev();
                let covers =
                    |mount: &&MountRef| mount.attached().is_some_and(|at| at.is_same(&self));
                newest_first.find(covers).cloned()
            };
            match covering {
                Some(mount) => self = mount.root(),
                None => break,
            }
        }
        self
    }

    /// Returns a name in this directory, without regard to mounts on it.
    pub(super) fn uncovered_child(&self, name: &[u8]) -> Option<Self> {
        let inode = Inode::child(&self.inode, name)?;
        let mount = self.mount.clone();
        Some(Self { mount, inode })
    }

    /// Returns what a name in this directory stands for.
    pub fn child(&self, name: &[u8]) -> Option<Self> {
        self.uncovered_child(name).map(Self::topmost)
    }

    /// Returns the directory that it is in; the root of everything is in itself.
    pub fn parent(&self) -> Self {
        let mut at = self.clone();
        while at.is_mount_root() {
            match at.mount.attached() {
                Some(covered) => at = covered,
                None => return at,
            }
        }
        let inode = Inode::parent(&at.inode);
        let mount = at.mount;
        Self { mount, inode }.topmost()
    }
}

/// Puts a mount into the tree. Its root is seen from now on.
pub(super) fn attach(mount: &MountRef, at: Option<Location>) {
    if let Some(place) = &at {
        place.inode.cover();
    }
    *mount.attached.lock() = at;
    mount.fs.note_mount(mount);
    MOUNTS.lock().push(mount.clone());
}

/// Takes a mount out of the tree.
pub(super) fn detach(mount: &MountRef) {
    let taken = {
        let mut mounts = MOUNTS.lock();
        let index = mounts.iter().position(|known| Arc::ptr_eq(known, mount));
        index.map(|index| mounts.remove(index))
    };
    let covered = mount.attached.lock().take();
    if let Some(place) = &covered {
        place.inode.uncover();
    }
    // Outside the locks: they may be last references.
    drop((taken, covered));
}

/// Returns all mounts.
pub fn all() -> Vec<MountRef> {
    MOUNTS.lock().clone()
}
