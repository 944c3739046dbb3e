//! Open directories: what is read from them is names, not bytes.

use alloc::vec::Vec;

use abi::linux::S_IFMT;

use super::file::{File, IoError};
use super::inode::{InodeRef, Kind, Metadata};
use super::mount::Location;
use super::procfs;
use super::user_buf::UserBuf;

/// An open directory.
pub struct Directory {
    inode: InodeRef,
}

/// One name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: Vec<u8>,
    /// Number of the file.
    pub ino: u64,
    /// `DT_*`.
    pub kind: u8,
    /// Where the listing goes on behind it.
    pub next: u64,
}

impl Directory {
    /// Opens a directory.
    pub fn new(inode: InodeRef) -> Self {
        Self { inode }
    }
}

impl File for Directory {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, _: u64, _: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        Err(IoError::IsDirectory)
    }
}

/// Returns the first name at or behind `position`, which is one that an earlier name named as next.
pub fn entry_after(directory: &Location, position: u64) -> Option<Entry> {
    match position {
        0 => Some(entry(b".", &directory.inode, 1)),
        1 => Some(entry(b"..", &directory.parent().inode, 2)),
        _ => match &directory.inode.kind {
            Kind::Directory(names) => {
                let names = names.lock();
                let (cookie, name, inode) = names.entries.after(position)?;
                Some(entry(name, inode, cookie))
            }
            Kind::Proc(node) => {
                let (cookie, name, node) = procfs::entry_after(*node, position)?;
                Some(Entry {
                    name,
                    ino: node.ino(),
                    kind: kind(node.file_type()),
                    next: cookie,
                })
            }
            _ => None,
        },
    }
}

fn entry(name: &[u8], inode: &InodeRef, next: u64) -> Entry {
    Entry {
        name: name.to_vec(),
        ino: inode.ino,
        kind: kind(inode.file_type()),
        next,
    }
}

/// The four type bits of a mode are those of `DT_*`.
fn kind(file_type: u32) -> u8 {
    ((file_type & S_IFMT) >> 12) as u8
}
