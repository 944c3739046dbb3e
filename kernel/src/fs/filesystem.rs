//! A file system: whose files they are, and how much room it has.
//!
//! Room is counted in pages whose contents exist nowhere else. What can be made anew, a page of the
//! archive that nobody has written to or a hole that somebody has looked at, takes none.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::mm::frame;

/// A file system.
pub struct FileSystem {
    /// Its device number, as `stat` gives it.
    pub dev: u64,
    /// The number by which `statfs` names its kind.
    pub magic: u64,
    /// Pages it may hold; `u64::MAX` for no limit.
    limit: AtomicU64,
    used: AtomicU64,
    files: AtomicU64,
    next_ino: AtomicU64,
}

/// There is no room left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSpace;

/// The root: files in memory.
pub static ROOT: FileSystem = FileSystem::new(2, 0x0102_1994);
/// Files in memory that have no name.
pub static NAMELESS: FileSystem = FileSystem::new(1, 0x0102_1994);
/// The kernel's facts.
pub static PROC: FileSystem = FileSystem::new(3, 0x9fa0);
/// Pipes.
pub static PIPES: FileSystem = FileSystem::new(4, 0x5049_5045);
/// Sockets.
pub static SOCKETS: FileSystem = FileSystem::new(5, 0x534f_434b);

/// Files that are nothing but open.
pub static ANONYMOUS: FileSystem = FileSystem::new(14, 0x0904_1934);

/// Numbers of nameless files: above those of shared anonymous memory, which is on the same device.
const FIRST_INO: u64 = 1 << 32;

impl FileSystem {
    const fn new(dev: u64, magic: u64) -> Self {
        Self {
            dev,
            magic,
            limit: AtomicU64::new(u64::MAX),
            used: AtomicU64::new(0),
            files: AtomicU64::new(0),
            next_ino: AtomicU64::new(if dev == 1 { FIRST_INO } else { 1 }),
        }
    }

    /// Sets how many pages it may hold.
    pub(super) fn set_limit(&self, pages: u64) {
        self.limit.store(pages, Relaxed);
    }

    /// Takes room for a page.
    pub(super) fn charge(&self) -> Result<(), NoSpace> {
        let limit = self.limit.load(Relaxed);
        let more = |used| (used < limit).then_some(used + 1);
        match self.used.fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(NoSpace),
        }
    }

    /// Gives back the room of `pages` pages.
    pub(super) fn uncharge(&self, pages: u64) {
        self.used.fetch_sub(pages, Relaxed);
    }

    /// Counts a new file and returns its number.
    pub(super) fn new_file(&self) -> Result<u64, NoSpace> {
        // A file costs kernel memory even if it is empty: the same limit holds for both.
        if self.files.fetch_add(1, Relaxed) >= self.limit.load(Relaxed) {
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
        room(self.limit.load(Relaxed), self.files.load(Relaxed))
    }
}

fn room(limit: u64, used: u64) -> (u64, u64) {
    match limit {
        u64::MAX => (0, 0),
        limit => (limit, limit.saturating_sub(used)),
    }
}

/// Gives the root its limit: half of the machine's memory, as on Linux.
pub(super) fn init() {
    ROOT.set_limit(frame::total() / 2);
}
