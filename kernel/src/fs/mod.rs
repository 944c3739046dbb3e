//! Files: a read-only tree from the initramfs, and the few things that are not in it.
//!
//! Read in this order:
//! 1. [`node`], [`tree`]: what exists, and how it is built from the archive. The tree never changes
//!    once boot has built it, so a node is a `&'static Node` and needs no lock and no count.
//! 2. [`path`]: from a name to a node. [`open`](mod@open): from a node to an open file.
//! 3. [`file`](mod@file): what every open file can do, and its position. [`user_buf`]: where bytes come from
//!    and go to.
//! 4. The kinds: [`regular`] (and its page cache), [`directory`], [`console`] over the pure crate `tty`,
//!    [`pipe`] over [`ring`], [`socketpair`], [`dev`], [`procfs`].
//! 5. [`fdtable`]: a process's descriptors. [`poll`]: waiting for several files at once.

pub mod console;
pub mod dev;
pub mod directory;
pub mod fdtable;
pub mod file;
pub mod node;
pub mod open;
pub mod path;
pub mod pipe;
pub mod poll;
pub mod procfs;
pub mod regular;
pub mod ring;
pub mod socketpair;
pub mod tree;
pub mod user_buf;

pub use bootinfo::cpio::CpioError;
pub use file::{IoError, Mapping, OpenFile};
pub use node::{Metadata, Node, NodeKind};
pub use open::{OpenError, open};
pub use path::{Follow, PathError, resolve};
pub use tree::root;

/// Lock ranks of this layer. A user copy takes mmap_lock, and these are held across one.
pub mod rank {
    /// An open file's position.
    pub const POSITION: u8 = 12;
    /// The bytes in a pipe.
    pub const PIPE: u8 = 14;
}

/// Builds the tree from the initramfs; called once, before any program runs.
pub fn init(initramfs: &'static [u8]) -> Result<(), CpioError> {
    let entries = tree::build(initramfs)?;
    log::info!(target: "fs", "initramfs: {entries} entries, {} KiB", initramfs.len() / 1024);
    Ok(())
}
