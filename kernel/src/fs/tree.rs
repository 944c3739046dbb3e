//! The tree: built once from the archive, with `/dev` and `/proc` added, then never changed.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use abi::linux::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use bootinfo::cpio::{Archive, CpioError, Entry};

use super::dev::Device;
use super::node::{Node, NodeId, NodeKind};
use super::procfs;
use super::regular::FileData;
use crate::locks::Once;

const ROOT: NodeId = 0;

static TREE: Once<Vec<Node>> = Once::new();

/// Returns the root directory.
pub fn root() -> &'static Node {
    node(ROOT)
}

/// Returns the node with this number.
pub(super) fn node(id: NodeId) -> &'static Node {
    &TREE
        .get()
        .expect("the tree is built before anybody looks for files")[id]
}

/// Builds the tree; returns how many entries the archive had.
pub(super) fn build(initramfs: &'static [u8]) -> Result<usize, CpioError> {
    let mut builder = Builder::new();
    let mut entries = 0;
    for entry in Archive::new(initramfs) {
        builder.add_entry(&entry?);
        entries += 1;
    }
    builder.add_devices();
    builder.add_proc();
    TREE.call_once(|| builder.finish());
    Ok(entries)
}

/// The facts about a node besides its kind.
#[derive(Clone, Copy)]
struct Facts {
    permissions: u32,
    uid: u32,
    gid: u32,
    mtime: u64,
}

impl Facts {
    const fn of_mode(permissions: u32) -> Self {
        Self {
            permissions,
            uid: 0,
            gid: 0,
            mtime: 0,
        }
    }
}

/// The tree while it grows.
struct Builder {
    nodes: Vec<Node>,
    /// Files with several names: the archive's number of the file, and its node.
    linked: BTreeMap<u32, NodeId>,
}

impl Builder {
    fn new() -> Self {
        let mut builder = Self {
            nodes: Vec::new(),
            linked: BTreeMap::new(),
        };
        builder.push(
            ROOT,
            Facts::of_mode(0o755),
            NodeKind::Directory(BTreeMap::new()),
        );
        builder
    }

    fn add_entry(&mut self, entry: &Entry<'static>) {
        let Some((parent, name)) = self.parent_of(entry.name.as_bytes()) else {
            log::warn!(target: "fs", "initramfs: entry {:?} left out: its path is no plain path", entry.name);
            return;
        };
        let facts = Facts {
            permissions: entry.mode & 0o7777,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime.into(),
        };
        match entry.mode & S_IFMT {
            _ if name.is_empty() => self.set_facts(ROOT, facts),
            S_IFDIR => {
                let id = self.directory(parent, name);
                self.set_facts(id, facts);
            }
            S_IFREG => self.add_regular(parent, name, facts, entry),
            S_IFLNK => self.add(parent, name, facts, NodeKind::Symlink(entry.data.to_vec())),
            kind => {
                log::warn!(target: "fs", "initramfs: {:?} left out: type {kind:o} comes from the kernel", entry.name)
            }
        }
    }

    /// Adds a file; a name of one that is there already becomes a hard link. Of such a group the
    /// archive carries the bytes with the last name.
    fn add_regular(&mut self, parent: NodeId, name: &[u8], facts: Facts, entry: &Entry<'static>) {
        let file = || NodeKind::Regular(FileData::new(display(entry.name), entry.data));
        if entry.nlink < 2 {
            return self.add(parent, name, facts, file());
        }
        match self.linked.get(&entry.ino).copied() {
            Some(id) => {
                if !entry.data.is_empty() {
                    self.nodes[id].kind = file();
                }
                self.link(parent, name, id);
            }
            None => {
                let id = self.push(parent, facts, file());
                self.linked.insert(entry.ino, id);
                self.link(parent, name, id);
            }
        }
    }

    fn add_devices(&mut self) {
        let dev = self.directory(ROOT, b"dev");
        for device in Device::ALL {
            let facts = Facts::of_mode(device.permissions());
            self.add(
                dev,
                device.name().as_bytes(),
                facts,
                NodeKind::Device(device),
            );
        }
    }

    fn add_proc(&mut self) {
        let proc = self.directory(ROOT, b"proc");
        let own = self.directory(proc, b"self");
        for text in procfs::Text::ALL {
            let parent = if text.is_of_process() { own } else { proc };
            self.add(
                parent,
                text.name().as_bytes(),
                Facts::of_mode(0o444),
                NodeKind::Text(text),
            );
        }
        for link in procfs::Link::ALL {
            self.add(
                own,
                link.name().as_bytes(),
                Facts::of_mode(0o777),
                NodeKind::Dynamic(link),
            );
        }
    }

    /// Splits an archive path into its directory, made if missing, and its last name.
    fn parent_of<'a>(&mut self, path: &'a [u8]) -> Option<(NodeId, &'a [u8])> {
        let mut names = path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty() && *name != b".");
        let Some(last) = names.next_back() else {
            return Some((ROOT, &[]));
        };
        let mut parent = ROOT;
        for name in names {
            if name == b".." || !matches!(self.nodes[parent].kind, NodeKind::Directory(_)) {
                return None;
            }
            parent = self.directory(parent, name);
        }
        let usable = last != b".." && matches!(self.nodes[parent].kind, NodeKind::Directory(_));
        usable.then_some((parent, last))
    }

    /// Returns the directory `name`, made if it is missing.
    fn directory(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        if let NodeKind::Directory(children) = &self.nodes[parent].kind
            && let Some(id) = children.get(name)
        {
            return *id;
        }
        let id = self.push(
            parent,
            Facts::of_mode(0o755),
            NodeKind::Directory(BTreeMap::new()),
        );
        self.link(parent, name, id);
        id
    }

    /// Adds a node under a name; a later one of the same name takes its place.
    fn add(&mut self, parent: NodeId, name: &[u8], facts: Facts, kind: NodeKind) {
        let id = self.push(parent, facts, kind);
        self.link(parent, name, id);
    }

    fn push(&mut self, parent: NodeId, facts: Facts, kind: NodeKind) -> NodeId {
        let id = self.nodes.len();
        let Facts {
            permissions,
            uid,
            gid,
            mtime,
        } = facts;
        self.nodes.push(Node {
            id,
            parent,
            permissions,
            uid,
            gid,
            mtime,
            nlink: 0,
            kind,
        });
        id
    }

    fn set_facts(&mut self, id: NodeId, facts: Facts) {
        let node = &mut self.nodes[id];
        node.permissions = facts.permissions;
        node.uid = facts.uid;
        node.gid = facts.gid;
        node.mtime = facts.mtime;
    }

    fn link(&mut self, parent: NodeId, name: &[u8], id: NodeId) {
        if let NodeKind::Directory(children) = &mut self.nodes[parent].kind {
            children.insert(Box::from(name), id);
        }
    }

    /// Counts the names of each node, now that all are there.
    fn finish(mut self) -> Vec<Node> {
        let mut counts = alloc::vec![0; self.nodes.len()];
        for node in &self.nodes {
            let NodeKind::Directory(children) = &node.kind else {
                continue;
            };
            counts[node.id] += 2;
            for child in children.values() {
                match self.nodes[*child].kind {
                    NodeKind::Directory(_) => counts[node.id] += 1,
                    _ => counts[*child] += 1,
                }
            }
        }
        for (node, count) in self.nodes.iter_mut().zip(counts) {
            node.nlink = count;
        }
        self.nodes
    }
}

/// The name a file has in `/proc/PID/maps`.
fn display(name: &str) -> String {
    let plain = name.trim_start_matches("./").trim_start_matches('/');
    [String::from("/"), String::from(plain)].concat()
}
