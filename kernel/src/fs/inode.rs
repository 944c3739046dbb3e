//! A file, whatever its names are: what it is, its facts, and where it was last named.
//!
//! An inode lives as long as a name, an open file, a mapping or a working directory needs it. Its
//! bytes are not here but in its [`PageCache`]; the names in a directory are, under a lock of that
//! directory, and are changed in [`super::namespace`] only.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed};

use abi::linux::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};
use vfs::directory::Entries;

use super::dev::Device;
use super::filesystem::{FsRef, NAMELESS, NoSpace};
use super::home::Home;
use super::lock::Lockable;
use super::page_cache::PageCache;
use super::pipe::Pipe;
use super::procfs::ProcNode;
use super::seals::Seals;
use super::{procfs, rank, reclaim, xattr};
use crate::locks::{Mutex, SpinLock};
use crate::mm::rmap::Mappings;
use crate::time;

/// A counted reference to a file.
pub type InodeRef = Arc<Inode>;

/// A file.
pub struct Inode {
    /// Its number.
    pub ino: u64,
    /// The file system it is in.
    pub fs: FsRef,
    /// What it is.
    pub kind: Kind,
    attributes: SpinLock<Attributes, { rank::ATTRIBUTES }>,
    pub(super) home: SpinLock<Home, { rank::HOME }>,
    /// Held throughout what changes the contents: writing, and changes of the size.
    pub(super) contents: Mutex<(), { rank::CONTENTS }>,
    pub(super) mappings: Mappings,
    /// See [`super::seals`].
    pub(super) seals: AtomicU32,
    pub(super) being_mapped: AtomicU32,
    /// How many mounts cover it.
    covers: AtomicU32,
    /// How many have it open for writing; below 0, how many run it.
    pub(super) writers: AtomicI32,
    /// Whether it has no name and may get one.
    is_linkable: AtomicBool,
    pub(super) locks: Lockable,
    pub(super) xattrs: SpinLock<xattr::Attributes, { rank::ATTRIBUTES }>,
}

/// What a file is.
pub enum Kind {
    /// Names.
    Directory(SpinLock<Names, { rank::DIRECTORY }>),
    /// Bytes.
    Regular(PageCache),
    /// A path that stands for another.
    Symlink(Vec<u8>),
    /// A device.
    Device(Device),
    /// A pipe, with a name or without.
    Fifo(Arc<Pipe>),
    /// A block device with this number, of which there is none.
    Block(u64),
    /// The name of a socket.
    Socket,
    /// One of the kernel's facts.
    Proc(ProcNode),
}

/// The names in a directory.
pub struct Names {
    /// The names.
    pub(super) entries: Entries<InodeRef>,
    /// Whether the directory was removed: nothing can be made in it any more.
    pub is_dead: bool,
}

/// The facts about a file that can change.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// Permission bits, without the type.
    pub permissions: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names it has.
    pub nlink: u32,
    /// Last read, in ns since 1970.
    pub atime: u64,
    /// Last change of the contents.
    pub mtime: u64,
    /// Last change of anything.
    pub ctime: u64,
    /// When it was made.
    pub btime: u64,
}

/// What `stat` says about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// Device it is on.
    pub dev: u64,
    /// Number of the file.
    pub ino: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Names it has.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, of a device.
    pub rdev: u64,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// Times of the last read, change of contents and change, in ns since 1970.
    pub times: [u64; 3],
    /// When it was made, in ns since 1970; 0 if nobody knows.
    pub btime: u64,
}

impl Attributes {
    /// The facts of a new file of root's.
    pub fn new(permissions: u32) -> Self {
        let now = time::realtime_ns();
        Self {
            permissions,
            uid: 0,
            gid: 0,
            nlink: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        }
    }

    /// The facts of a new file of somebody's, in a directory (see `cred::change`).
    pub fn of(facts: cred::Facts) -> Self {
        Self {
            uid: facts.uid,
            gid: facts.gid,
            ..Self::new(facts.mode & 0o7777)
        }
    }
}

impl Inode {
    /// Makes a file that has no name yet.
    pub fn new(fs: &FsRef, kind: Kind, attributes: Attributes) -> Result<InodeRef, NoSpace> {
        Ok(Self::numbered(fs.new_file()?, fs, kind, attributes))
    }

    /// Makes a file whose number the caller gives out; it must be counted by `fs` already.
    pub(super) fn numbered(ino: u64, fs: &FsRef, kind: Kind, attributes: Attributes) -> InodeRef {
        let is_regular = matches!(kind, Kind::Regular(_));
        let inode = Arc::new(Self {
            ino,
            fs: fs.clone(),
            kind,
            attributes: SpinLock::new(attributes),
            home: SpinLock::new(Home::none()),
            contents: Mutex::new(()),
            mappings: Mappings::new(),
            seals: AtomicU32::new(Seals::SEAL.bits()),
            being_mapped: AtomicU32::new(0),
            covers: AtomicU32::new(0),
            writers: AtomicI32::new(0),
            is_linkable: AtomicBool::new(false),
            locks: Lockable::new(),
            xattrs: SpinLock::new(xattr::Attributes::new()),
        });
        if is_regular {
            reclaim::add(&inode);
        }
        inode
    }

    /// Makes an empty directory.
    pub fn directory(fs: &FsRef, attributes: Attributes) -> Result<InodeRef, NoSpace> {
        let names = Names {
            entries: Entries::new(),
            is_dead: false,
        };
        let attributes = Attributes {
            nlink: 2,
            ..attributes
        };
        Self::new(fs, Kind::Directory(SpinLock::new(names)), attributes)
    }

    /// Makes the directory that files without a place are said to be in.
    pub(super) fn nameless_root() -> InodeRef {
        let root = Self::directory(&FsRef::Built(&NAMELESS), Attributes::new(0o755));
        root.expect("files without a name have no limit")
    }

    /// Returns whether a mount covers it.
    pub(super) fn is_covered(&self) -> bool {
        self.covers.load(Relaxed) > 0
    }

    /// Counts a mount that covers it.
    pub(super) fn cover(&self) {
        self.covers.fetch_add(1, Relaxed);
    }

    /// Forgets a mount that covered it.
    pub(super) fn uncover(&self) {
        self.covers.fetch_sub(1, Relaxed);
    }

    /// Returns whether it has no name and may get one.
    pub(super) fn is_linkable(&self) -> bool {
        self.is_linkable.load(Relaxed)
    }

    pub(super) fn set_linkable(&self, linkable: bool) {
        self.is_linkable.store(linkable, Relaxed);
    }

    /// Returns what decides about who may use it.
    pub fn facts(&self) -> cred::Facts {
        let attributes = self.attributes();
        cred::Facts {
            mode: self.file_type() | attributes.permissions,
            uid: attributes.uid,
            gid: attributes.gid,
        }
    }

    /// Returns the facts that can change.
    pub fn attributes(&self) -> Attributes {
        *self.attributes.lock()
    }

    /// Changes facts, and with them the time of the last change.
    pub fn change(&self, change: impl FnOnce(&mut Attributes)) {
        let now = time::realtime_ns();
        let mut attributes = self.attributes.lock();
        change(&mut attributes);
        attributes.ctime = now;
    }

    /// Notes that the contents have changed.
    pub fn modified(&self) {
        let now = time::realtime_ns();
        let mut attributes = self.attributes.lock();
        attributes.mtime = now;
        attributes.ctime = now;
    }

    /// Notes that the contents were read, where that is news (relatime).
    pub fn accessed(&self) {
        let attributes = self.attributes.lock();
        if attributes.atime <= attributes.mtime {
            drop(attributes);
            let now = time::realtime_ns();
            self.attributes.lock().atime = now;
        }
    }

    /// Returns what `stat` says.
    pub fn metadata(&self) -> Metadata {
        let attributes = self.attributes();
        let (size, blocks) = self.size();
        Metadata {
            dev: self.fs.dev,
            ino: self.ino,
            mode: self.file_type() | attributes.permissions,
            nlink: attributes.nlink,
            uid: attributes.uid,
            gid: attributes.gid,
            rdev: match &self.kind {
                Kind::Device(device) => device.number(),
                Kind::Block(number) => *number,
                _ => 0,
            },
            size,
            blocks,
            times: [attributes.atime, attributes.mtime, attributes.ctime],
            btime: attributes.btime,
        }
    }

    /// Returns the size in bytes and in blocks of 512.
    fn size(&self) -> (u64, u64) {
        match &self.kind {
            Kind::Regular(cache) => (cache.size(), cache.blocks()),
            Kind::Symlink(target) => (target.len() as u64, 0),
            // As Linux's tmpfs counts.
            Kind::Directory(names) => (20 * (names.lock().entries.len() as u64 + 2), 0),
            _ => (0, 0),
        }
    }

    /// Returns the type bits of `st_mode`.
    pub fn file_type(&self) -> u32 {
        match &self.kind {
            Kind::Directory(_) => S_IFDIR,
            Kind::Regular(_) => S_IFREG,
            Kind::Symlink(_) => S_IFLNK,
            Kind::Device(_) => S_IFCHR,
            Kind::Fifo(_) => S_IFIFO,
            Kind::Block(_) => S_IFBLK,
            Kind::Socket => S_IFSOCK,
            Kind::Proc(node) => node.file_type(),
        }
    }

    /// Returns the page cache of a regular file.
    pub fn cache(&self) -> Option<&PageCache> {
        match &self.kind {
            Kind::Regular(cache) => Some(cache),
            _ => None,
        }
    }

    /// Returns the names in a directory that can be changed.
    pub fn names(&self) -> Option<&SpinLock<Names, { rank::DIRECTORY }>> {
        match &self.kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        }
    }

    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.file_type() == S_IFDIR
    }

    /// Returns whether its set-user-id or set-group-id bit is set.
    pub(super) fn has_set_ids(&self) -> bool {
        self.attributes.lock().permissions & 0o6000 != 0
    }

    /// Returns whether somebody may execute it.
    pub fn is_executable(&self) -> bool {
        self.attributes().permissions & 0o111 != 0
    }
}

impl Inode {
    /// Returns what a name in this directory stands for; never asked for `.` and `..`.
    pub fn child(self: &Arc<Self>, name: &[u8]) -> Option<InodeRef> {
        match &self.kind {
            Kind::Directory(names) => names.lock().entries.get(name).cloned(),
            Kind::Proc(node) => procfs::child(self, *node, name),
            _ => None,
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.fs.forget_file();
        if matches!(self.kind, Kind::Regular(_)) {
            reclaim::remove(self);
        }
        // A chain of removed directories, each held by the next alone, is let go one by one: the
        // kernel stack is not deep enough to do it by recursion.
        let mut next = self.home.get_mut().parent.take();
        while let Some(mut inode) = next.and_then(Arc::into_inner) {
            next = inode.home.get_mut().parent.take();
        }
    }
}
