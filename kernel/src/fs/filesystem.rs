//! A file system: whose files they are, and how much room it has.
//!
//! Room is counted in pages whose contents exist nowhere else. What can be made anew, a page of the
//! archive that nobody has written to or a hole that somebody has looked at, takes none.

use alloc::sync::{Arc, Weak};
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use vfs::options::Tmpfs;

use super::mount::{Mount, MountRef};
use super::rank;
use crate::locks::SpinLock;
use crate::mm::frame::{self, Owner};

/// A file system.
pub struct FileSystem {
    /// Its device number, as `stat` gives it.
    pub dev: u64,
    /// What `mount` calls its kind.
    pub name: &'static str,
    /// The number by which `statfs` names its kind.
    pub magic: u64,
    /// Pages it may hold; `u64::MAX` for no limit.
    limit: AtomicU64,
    /// Files it may hold.
    files_limit: AtomicU64,
    used: AtomicU64,
    files: AtomicU64,
    next_ino: AtomicU64,
    is_read_only: AtomicBool,
    /// The first mount of it, where its files are said to be.
    shown_at: SpinLock<Weak<Mount>, { rank::HOME }>,
}

/// A file system, built in or mounted by a program.
#[derive(Clone)]
pub enum FsRef {
    /// It is there from the beginning.
    Built(&'static FileSystem),
    /// It goes with its last file and mount.
    Mounted(Arc<FileSystem>),
}

impl Deref for FsRef {
    type Target = FileSystem;

    fn deref(&self) -> &FileSystem {
        match self {
            Self::Built(fs) => fs,
            Self::Mounted(fs) => fs,
        }
    }
}

impl FsRef {
    /// Returns whether it is this one.
    pub fn is(&self, other: &FileSystem) -> bool {
        core::ptr::eq(&raw const **self, other)
    }
}

/// There is no room left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSpace;

/// The root: files in memory.
pub static ROOT: FileSystem = FileSystem::new(2, "tmpfs", TMPFS_MAGIC);
/// Files in memory that have no name.
pub static NAMELESS: FileSystem = FileSystem::new(1, "tmpfs", TMPFS_MAGIC);
/// The kernel's facts.
pub static PROC: FileSystem = FileSystem::new(3, "proc", 0x9fa0);
/// Pipes.
pub static PIPES: FileSystem = FileSystem::new(4, "pipefs", 0x5049_5045);
/// Sockets.
pub static SOCKETS: FileSystem = FileSystem::new(5, "sockfs", 0x534f_434b);
/// Devices.
pub static DEV: FileSystem = FileSystem::new(6, "devtmpfs", TMPFS_MAGIC);
/// The machine's facts.
pub static SYS: FileSystem = FileSystem::new(7, "sysfs", 0x6265_6572);

/// Pseudo-terminals.
pub static PTS: FileSystem = FileSystem::new(8, "devpts", 0x1cd1);

/// The kind of files in memory.
const TMPFS_MAGIC: u64 = 0x0102_1994;
/// The device number of the next file system that a program mounts.
static NEXT_DEV: AtomicU64 = AtomicU64::new(32);

/// Files that are nothing but open.
pub static ANONYMOUS: FileSystem = FileSystem::new(14, "anon_inodefs", 0x0904_1934);

/// Pages that all file systems hold, and may hold.
static ALL_USED: AtomicU64 = AtomicU64::new(0);
static ALL_LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Numbers of nameless files: above those of shared anonymous memory, which is on the same device.
const FIRST_INO: u64 = 1 << 32;

impl FileSystem {
    const fn new(dev: u64, name: &'static str, magic: u64) -> Self {
        Self {
            dev,
            name,
            magic,
            limit: AtomicU64::new(u64::MAX),
            files_limit: AtomicU64::new(u64::MAX),
            used: AtomicU64::new(0),
            files: AtomicU64::new(0),
            next_ino: AtomicU64::new(if dev == 1 { FIRST_INO } else { 1 }),
            is_read_only: AtomicBool::new(false),
            shown_at: SpinLock::new(Weak::new()),
        }
    }

    /// Makes a new one for files in memory.
    pub(super) fn tmpfs(options: &Tmpfs) -> FsRef {
        let fs = Self::new(NEXT_DEV.fetch_add(1, Relaxed), "tmpfs", TMPFS_MAGIC);
        fs.reconfigure(options);
        FsRef::Mounted(Arc::new(fs))
    }

    /// Gives files in memory the limits that options name; without any, half of the machine's memory, and a file for
    /// four of its frames: small files take memory for their names and facts too, and programs must go on beside them.
    pub(super) fn reconfigure(&self, options: &Tmpfs) {
        let half = frame::total() / 2;
        let pages = options.pages(frame::total()).unwrap_or(half);
        let unlimited = |limit: u64| if limit == 0 { u64::MAX } else { limit };
        self.limit.store(unlimited(pages), Relaxed);
        self.files_limit.store(
            unlimited(options.files.unwrap_or(frame::total() / 4)),
            Relaxed,
        );
    }

    /// Returns whether nothing in it may be changed.
    pub fn is_read_only(&self) -> bool {
        self.is_read_only.load(Relaxed)
    }

    pub(super) fn set_read_only(&self, read_only: bool) {
        self.is_read_only.store(read_only, Relaxed);
    }

    /// Returns the mount under which its files are shown.
    pub(super) fn shown_at(&self) -> Option<MountRef> {
        // Reports ask in any state: the lock's place in the order matters only if it is taken.
        match self.shown_at.try_lock() {
            Some(mount) => mount.upgrade(),
            None => self.shown_at.lock().upgrade(),
        }
    }

    /// Notes a mount: the first one that is still there shows the files.
    pub(super) fn note_mount(&self, mount: &MountRef) {
        let mut shown = self.shown_at.lock();
        if shown.upgrade().is_none() {
            *shown = Arc::downgrade(mount);
        }
    }

    /// Returns how many pages it can have at most.
    pub(super) fn most_pages(&self) -> u64 {
        self.limit.load(Relaxed).min(ALL_LIMIT.load(Relaxed))
    }

    /// Takes room for a page.
    pub(super) fn charge(&self) -> Result<(), NoSpace> {
        take_page(&self.used, &self.limit)?;
        take_page(&ALL_USED, &ALL_LIMIT).inspect_err(|_| {
            self.used.fetch_sub(1, Relaxed);
        })
    }

    /// Gives back the room of `pages` pages.
    pub(super) fn uncharge(&self, pages: u64) {
        self.used.fetch_sub(pages, Relaxed);
        ALL_USED.fetch_sub(pages, Relaxed);
    }

    /// Counts a new file and returns its number.
    pub(super) fn new_file(&self) -> Result<u64, NoSpace> {
        // A file costs kernel memory even if it is empty.
        if self.files.fetch_add(1, Relaxed) >= self.files_limit.load(Relaxed) {
            self.files.fetch_sub(1, Relaxed);
            return Err(NoSpace);
        }
        Ok(self.next_ino.fetch_add(1, Relaxed))
    }

    /// Counts a file that has its number already.
    pub(super) fn count_file(&self) {
        self.files.fetch_add(1, Relaxed);
    }

    /// Forgets a file.
    pub(super) fn forget_file(&self) {
        self.files.fetch_sub(1, Relaxed);
    }

    /// Returns how many pages it holds.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Returns how many pages it may hold and how many are free; 0 where nothing is counted.
    pub fn pages(&self) -> (u64, u64) {
        room(self.limit.load(Relaxed), self.used.load(Relaxed))
    }

    /// Returns how many files it may hold and how many more fit; 0 where nothing is counted.
    pub fn files(&self) -> (u64, u64) {
        room(self.files_limit.load(Relaxed), self.files.load(Relaxed))
    }
}

fn take_page(used: &AtomicU64, limit: &AtomicU64) -> Result<(), NoSpace> {
    let limit = limit.load(Relaxed);
    let more = |used| (used < limit).then_some(used + 1);
    match used.fetch_update(Relaxed, Relaxed, more) {
        Ok(_) => Ok(()),
        Err(_) => Err(NoSpace),
    }
}

fn room(limit: u64, used: u64) -> (u64, u64) {
    match limit {
        u64::MAX => (0, 0),
        limit => (limit, limit.saturating_sub(used)),
    }
}

/// Gives file systems their limits: each half of the machine's memory, as on Linux, and all together three quarters of what
/// programs find free. Nobody's size shows what is in files: without that, somebody else would end for it.
pub(super) fn init() {
    for fs in [&ROOT, &DEV, &NAMELESS] {
        fs.reconfigure(&Tmpfs::default());
    }
    // They are open or mapped, which is limited for each process already; some are the kernel's own.
    NAMELESS.files_limit.store(u64::MAX, Relaxed);
    ALL_LIMIT.store(frame::count(Owner::Free) / 4 * 3, Relaxed);
}
