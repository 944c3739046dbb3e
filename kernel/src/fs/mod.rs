//! Files: a tree in memory that begins as the initramfs, and what is not in it.
//!
//! Read in this order:
//! 1. [`inode`]: a file and its facts; [`home`]: its path. [`filesystem`]: whose it is. [`mount`]: where it is seen;
//!    [`mounting`]: how that changes. [`namespace`] and [`renaming`]: how names come and go. [`tree`]: what is there at boot.
//! 2. [`page_cache`]: the bytes of a regular file. [`mapped`]: how mm gets at them. [`reclaim`]: all of them, for who wants memory back.
//! 3. [`caller`]: who asks. [`path`]: from a name to an inode. [`open`](mod@open): from an inode to an open file;
//!    [`write_access`]: who writes to a file that others may run.
//! 4. [`file`](mod@file): what every open file can do; `open_file`: how it was opened, and its position. [`user_buf`]: where bytes come from
//!    and go to.
//! 5. The kinds: [`regular`] with its [`seals`], [`lock`]s and [`xattr`]s, [`directory`], [`tty`] over the pure crate of that name, [`pipe`] over `pipebuf`,
//!    [`unix`], [`dev`], [`procfs`]; [`eventfd`] and [`timerfd`]; [`host`].
//! 6. [`fdtable`]: a process's descriptors. [`poll`]: waiting for several files at once; [`epoll`]: a file that does.
//!    [`splice`]: bytes from file to file.
//!
//! What is decided about paths, directories, moves and pages is decided in the pure crate `vfs`.

pub mod caller;
pub mod dev;
pub mod directory;
pub mod epoll;
pub mod eventfd;
pub mod fdtable;
pub mod file;
pub mod filesystem;
mod home;
pub mod host;
pub mod inode;
pub mod lock;
mod mapped;
pub mod mount;
pub mod mounting;
pub mod namespace;
pub mod open;
mod open_file;
pub mod page_cache;
pub mod path;
pub mod pipe;
pub mod poll;
pub mod procfs;
pub mod reclaim;
pub mod regular;
pub mod renaming;
pub mod seals;
pub mod size_limit;
pub mod splice;
pub mod timerfd;
pub mod tree;
pub mod tty;
pub mod unix;
pub mod user_buf;
pub mod write_access;
pub mod xattr;

pub use bootinfo::cpio::CpioError;
pub use caller::Caller;
pub use file::{IoError, Mapping, OpenFile};
pub use inode::{Inode, InodeRef, Kind, Metadata};
pub use mount::Location;
pub use namespace::ChangeError;
pub use open::{How, OpenError, open};
pub use path::{Follow, PathError, resolve};
pub use tree::root;

/// Lock ranks of this layer. A user copy takes mmap_lock: what is held across one ranks before it,
/// what a fault takes behind it.
pub mod rank {
    /// An open file's position.
    pub const POSITION: u8 = 4;
    /// What an open file of `/proc` says; making it may look for processes.
    pub const PROC_TEXT: u8 = 6;
    /// All changes of the tree; a name may be that of a process.
    pub const NAMESPACE: u8 = 8;
    /// The table of mounts.
    pub const MOUNTS: u8 = 28;
    /// Sockets that are in messages.
    pub const IN_FLIGHT: u8 = 15;
    /// The bytes in a pipe; who reads a socket.
    pub const PIPE: u8 = 14;
    /// The contents and the size of a regular file, against other writers.
    pub const CONTENTS: u8 = 16;
    /// The names in one directory.
    pub const DIRECTORY: u8 = 31;
    /// Where a file was last named, what a mount covers.
    pub const HOME: u8 = 32;
    /// A file's owner, permissions and times.
    pub const ATTRIBUTES: u8 = 33;
    /// The locks that programs have put on a file.
    pub const FILE_LOCKS: u8 = 34;
    /// Who waits for whose lock on a file.
    pub const LOCK_WAITS: u8 = 38;
    /// The pages of a regular file.
    pub const PAGE_CACHE: u8 = 36;
    /// The list of all regular files.
    pub const FILES: u8 = 37;
    /// What an epoll watches.
    pub const INTERESTS: u8 = 38;
    /// Who is told of a file's readiness.
    pub const POLL: u8 = 42;
    /// Epolls that watch epolls, while one is added.
    pub const EPOLL_NESTING: u8 = 1;
    /// Changes of what one epoll watches.
    pub const EPOLL: u8 = 2;
}

/// Builds the tree from the initramfs, and the console with a window of so many columns and rows; called once, before any
/// program runs.
pub fn init(initramfs: &'static [u8], window: Option<(u16, u16)>) -> Result<(), CpioError> {
    tty::serial::init(window);
    let entries = tree::build(initramfs)?;
    procfs::init();
    log::info!(target: "fs", "initramfs: {entries} entries, {} KiB", initramfs.len() / 1024);
    Ok(())
}
