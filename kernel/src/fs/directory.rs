//! Open directories: what is read from them is names, not bytes.

use abi::linux::{DT_CHR, DT_DIR, DT_LNK, DT_REG};

use super::file::{File, IoError};
use super::node::{Metadata, Node, NodeId, NodeKind};
use super::tree;
use super::user_buf::UserBuf;

/// An open directory.
pub struct Directory {
    node: &'static Node,
}

/// One name in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name.
    pub name: &'a [u8],
    /// Number of the file.
    pub ino: u64,
    /// `DT_*`.
    pub kind: u8,
}

impl Directory {
    /// Opens a directory.
    pub fn new(node: &'static Node) -> Self {
        Self { node }
    }
}

impl File for Directory {
    fn metadata(&self) -> Metadata {
        self.node.metadata()
    }

    fn node(&self) -> Option<&'static Node> {
        Some(self.node)
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, _: u64, _: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        Err(IoError::IsDirectory)
    }
}

/// Calls `take` for the entries from number `from` on, until it refuses one.
///
/// Returns the number of the first entry not taken; the position of a directory counts entries.
pub fn entries(
    node: &'static Node,
    from: u64,
    mut take: impl FnMut(Entry<'_>, u64) -> bool,
) -> Result<u64, IoError> {
    let NodeKind::Directory(children) = &node.kind else {
        return Err(IoError::NotDirectory);
    };
    let dots = [(&b"."[..], node), (&b".."[..], node.parent())];
    let named = children.iter().map(|(name, id)| (&**name, child(*id)));
    let mut next = from;
    for (name, node) in dots.into_iter().chain(named).skip(from as usize) {
        let entry = Entry {
            name,
            ino: node.metadata().ino,
            kind: entry_kind(&node.kind),
        };
        if !take(entry, next + 1) {
            break;
        }
        next += 1;
    }
    Ok(next)
}

fn child(id: NodeId) -> &'static Node {
    tree::node(id)
}

fn entry_kind(kind: &NodeKind) -> u8 {
    let kind = match kind {
        NodeKind::Directory(_) => DT_DIR,
        NodeKind::Regular(_) | NodeKind::Text(_) => DT_REG,
        NodeKind::Symlink(_) | NodeKind::Dynamic(_) => DT_LNK,
        NodeKind::Device(_) => DT_CHR,
    };
    kind as u8
}
