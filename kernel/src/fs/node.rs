//! One thing in the tree: a directory, a file, a link, a device, or text made when it is opened.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::linux::{S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG};

use super::dev::Device;
use super::procfs::{Link, Text};
use super::regular::FileData;
use super::tree;

/// Where a node stands in the tree's table; its inode number is one more.
pub type NodeId = usize;

/// A node of the tree. Never changes after boot.
pub struct Node {
    pub(super) id: NodeId,
    pub(super) parent: NodeId,
    /// Permission bits, without the type.
    pub(super) permissions: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds since 1970.
    pub(super) mtime: u64,
    pub(super) nlink: u32,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
pub enum NodeKind {
    /// Names and what they stand for.
    Directory(BTreeMap<Box<[u8]>, NodeId>),
    /// Bytes of the initramfs.
    Regular(Arc<FileData>),
    /// A path that stands for another.
    Symlink(Vec<u8>),
    /// A link whose target depends on who asks.
    Dynamic(Link),
    /// A device.
    Device(Device),
    /// Text that is made anew at each opening.
    Text(Text),
}

/// What `stat` says about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
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
    /// Seconds since 1970.
    pub mtime: u64,
}

impl Node {
    /// Returns what `stat` says.
    pub fn metadata(&self) -> Metadata {
        Metadata {
            ino: self.id as u64 + 1,
            mode: self.kind.file_type() | self.permissions,
            nlink: self.nlink,
            uid: self.uid,
            gid: self.gid,
            rdev: self.rdev(),
            size: self.size(),
            mtime: self.mtime,
        }
    }

    /// Returns the directory it is in; the root is in itself.
    pub fn parent(&self) -> &'static Self {
        tree::node(self.parent)
    }

    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, NodeKind::Directory(_))
    }

    /// Returns whether somebody may execute it.
    pub fn is_executable(&self) -> bool {
        self.permissions & 0o111 != 0
    }

    /// Returns whether it holds data of its own that writing would change.
    pub fn is_read_only(&self) -> bool {
        !matches!(self.kind, NodeKind::Device(_))
    }

    /// Looks a name up in a directory.
    pub fn child(&self, name: &[u8]) -> Option<&'static Self> {
        match &self.kind {
            NodeKind::Directory(children) => children.get(name).map(|id| tree::node(*id)),
            _ => None,
        }
    }

    /// Returns what a link stands for; `None` if it is no link.
    pub fn link_target(&self) -> Option<Cow<'_, [u8]>> {
        match &self.kind {
            NodeKind::Symlink(target) => Some(Cow::Borrowed(target)),
            NodeKind::Dynamic(link) => Some(Cow::Owned(link.target())),
            _ => None,
        }
    }

    /// Returns the absolute path, built from the names on the way to the root.
    pub fn path(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut node = self;
        while node.id != node.parent {
            names.push(node.name());
            node = node.parent();
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() { b"/".to_vec() } else { path }
    }

    /// Returns its name in its parent.
    fn name(&self) -> &'static [u8] {
        match &self.parent().kind {
            NodeKind::Directory(children) => children
                .iter()
                .find(|(_, id)| **id == self.id)
                .map_or(&[], |(name, _)| name),
            _ => &[],
        }
    }

    fn size(&self) -> u64 {
        match &self.kind {
            NodeKind::Regular(data) => data.bytes().len() as u64,
            NodeKind::Symlink(target) => target.len() as u64,
            _ => 0,
        }
    }

    fn rdev(&self) -> u64 {
        match &self.kind {
            NodeKind::Device(device) => device.number(),
            _ => 0,
        }
    }
}

impl NodeKind {
    /// Returns the type bits of `st_mode`.
    pub fn file_type(&self) -> u32 {
        match self {
            Self::Directory(_) => S_IFDIR,
            Self::Regular(_) | Self::Text(_) => S_IFREG,
            Self::Symlink(_) | Self::Dynamic(_) => S_IFLNK,
            Self::Device(_) => S_IFCHR,
        }
    }
}
