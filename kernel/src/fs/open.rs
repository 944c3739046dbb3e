//! From a path to an open file.

use alloc::sync::Arc;

use abi::file::OpenFlags;

use super::console::Console;
use super::dev::{Device, Memory};
use super::directory::Directory;
use super::file::{File, OpenFile};
use super::node::{Metadata, Node, NodeKind};
use super::path::{Follow, PathError, resolve};
use super::procfs::OpenText;
use super::regular::Regular;
use crate::mm::OutOfMemory;

/// Why a file was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// The path leads nowhere.
    Path(PathError),
    /// It exists, and must not.
    Exists,
    /// It is a directory.
    IsDirectory,
    /// It is not a directory.
    NotDirectory,
    /// It is a link, which must not be followed.
    IsLink,
    /// Nothing in the tree can be changed.
    ReadOnly,
    /// The device is not there.
    NoDevice,
    /// No memory.
    OutOfMemory,
}

/// Opens `path`, seen from the directory `base`.
pub fn open(
    base: &'static Node,
    path: &[u8],
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, OpenError> {
    let exclusive = flags.contains(OpenFlags::CREAT | OpenFlags::EXCL);
    let follow = match exclusive || flags.contains(OpenFlags::NOFOLLOW) {
        true => Follow::No,
        false => Follow::Yes,
    };
    match resolve(base, path, follow) {
        Ok(_) if exclusive => Err(OpenError::Exists),
        Ok(node) => open_node(node, flags),
        // The name could be made, if anything could.
        Err(PathError::LastMissing) if flags.contains(OpenFlags::CREAT) => Err(OpenError::ReadOnly),
        Err(error) => Err(OpenError::Path(error)),
    }
}

fn open_node(node: &'static Node, flags: OpenFlags) -> Result<Arc<OpenFile>, OpenError> {
    if flags.contains(OpenFlags::DIRECTORY) && !node.is_directory() {
        return Err(OpenError::NotDirectory);
    }
    if flags.contains(OpenFlags::PATH) {
        return Ok(OpenFile::new(NameOnly { node }, flags));
    }
    if flags.writes() || flags.intersects(OpenFlags::TRUNC | OpenFlags::CREAT) {
        check_change(node, flags)?;
    }
    Ok(match &node.kind {
        NodeKind::Directory(_) => OpenFile::new(Directory::new(node), flags),
        NodeKind::Device(Device::Tty) => return Err(OpenError::NoDevice),
        NodeKind::Device(Device::Console) => OpenFile::new(Console::new(node), flags),
        NodeKind::Device(device) => OpenFile::new(Memory::new(node, *device), flags),
        NodeKind::Text(text) => OpenFile::new(OpenText::new(node, *text)?, flags),
        NodeKind::Regular(data) => OpenFile::new(Regular::new(node, data.clone()), flags),
        NodeKind::Symlink(_) | NodeKind::Dynamic(_) => return Err(OpenError::IsLink),
    })
}

/// Checks an opening that would write, empty or create.
fn check_change(node: &Node, flags: OpenFlags) -> Result<(), OpenError> {
    let changes = flags.writes() || flags.contains(OpenFlags::TRUNC);
    match &node.kind {
        NodeKind::Directory(_) => Err(OpenError::IsDirectory),
        NodeKind::Symlink(_) | NodeKind::Dynamic(_) => Err(OpenError::IsLink),
        _ if changes && node.is_read_only() => Err(OpenError::ReadOnly),
        _ => Ok(()),
    }
}

impl From<OutOfMemory> for OpenError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// A file that was named and not opened (`O_PATH`).
struct NameOnly {
    node: &'static Node,
}

impl File for NameOnly {
    fn metadata(&self) -> Metadata {
        self.node.metadata()
    }

    fn node(&self) -> Option<&'static Node> {
        Some(self.node)
    }
}
