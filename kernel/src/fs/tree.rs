//! The tree as it is at boot: what the archive has, and `/dev`, `/proc`, `/tmp`.

use alloc::collections::BTreeMap;

use abi::linux::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use bootinfo::cpio::{Archive, CpioError, Entry};
use vfs::directory::Name;
use vfs::walk::Node;

use super::dev::Device;
use super::filesystem::{self, NoSpace, ROOT};
use super::inode::{Attributes, Inode, InodeRef, Kind};
use super::page_cache::PageCache;
use super::path::{Last, Place};
use super::{namespace, procfs};
use crate::locks::Once;

static TREE: Once<InodeRef> = Once::new();

/// Returns the root directory.
pub fn root() -> InodeRef {
    TREE.get()
        .expect("the tree is built before anybody looks for files")
        .clone()
}

/// Links that programs expect.
const LINKS: [(&str, &[u8]); 4] = [
    ("fd", b"/proc/self/fd"),
    ("stdin", b"/proc/self/fd/0"),
    ("stdout", b"/proc/self/fd/1"),
    ("stderr", b"/proc/self/fd/2"),
];

/// Builds the tree; returns how many entries the archive had.
pub(super) fn build(initramfs: &'static [u8]) -> Result<usize, CpioError> {
    filesystem::init();
    let mut builder = Builder {
        root: directory(0o755),
        linked: BTreeMap::new(),
    };
    let mut entries = 0;
    for entry in Archive::new(initramfs) {
        builder.add_entry(&entry?);
        entries += 1;
    }
    builder.add_devices();
    builder.add_others();
    TREE.call_once(|| builder.root);
    Ok(entries)
}

/// The tree while it grows.
struct Builder {
    root: InodeRef,
    /// Files with several names, by the archive's number: the archive has the bytes with the last name.
    linked: BTreeMap<u32, Linked>,
}

struct Linked {
    inode: InodeRef,
    names: alloc::vec::Vec<(InodeRef, Name)>,
}

/// What boot makes always fits: the archive is smaller than the memory it is in.
fn inode(kind: Kind, attributes: Attributes) -> InodeRef {
    Inode::new(&ROOT, kind, attributes).expect("the tree at boot is smaller than memory")
}

fn directory(permissions: u32) -> InodeRef {
    Inode::directory(&ROOT, Attributes::new(permissions))
        .expect("the tree at boot is smaller than memory")
}

fn facts(entry: &Entry<'_>) -> Attributes {
    let time = u64::from(entry.mtime) * 1_000_000_000;
    Attributes {
        permissions: entry.mode & 0o7777,
        uid: entry.uid,
        gid: entry.gid,
        nlink: 0,
        atime: time,
        mtime: time,
        ctime: time,
    }
}

impl Builder {
    fn add_entry(&mut self, entry: &Entry<'static>) {
        let Some((parent, name)) = self.parent_of(entry.name.as_bytes()) else {
            log::warn!(target: "fs", "initramfs: entry {:?} left out: its path is no plain path", entry.name);
            return;
        };
        let facts = facts(entry);
        match entry.mode & S_IFMT {
            _ if name.is_empty() => set_facts(&self.root, facts),
            S_IFDIR => set_facts(&named_directory(&parent, name), facts),
            S_IFREG => self.add_regular(&parent, name, facts, entry),
            S_IFLNK => put(
                &parent,
                name,
                &inode(Kind::Symlink(entry.data.to_vec()), facts),
            ),
            kind => {
                log::warn!(target: "fs", "initramfs: {:?} left out: type {kind:o} comes from the kernel", entry.name)
            }
        }
    }

    /// Adds a file; a name of one that is there already becomes a hard link. Of such a group the
    /// archive carries the bytes with the last name.
    fn add_regular(
        &mut self,
        parent: &InodeRef,
        name: &[u8],
        facts: Attributes,
        entry: &Entry<'static>,
    ) {
        let file = || inode(Kind::Regular(PageCache::new(&ROOT, entry.data)), facts);
        if entry.nlink < 2 {
            return put(parent, name, &file());
        }
        let linked = self.linked.entry(entry.ino).or_insert_with(|| Linked {
            inode: file(),
            names: alloc::vec::Vec::new(),
        });
        if !entry.data.is_empty() {
            linked.inode = file();
            for (parent, name) in &linked.names {
                put(parent, name, &linked.inode);
            }
        }
        put(parent, name, &linked.inode);
        linked.names.push((parent.clone(), Name::from(name)));
    }

    fn add_devices(&mut self) {
        let dev = named_directory(&self.root, b"dev");
        for device in Device::ALL {
            let facts = Attributes::new(device.permissions());
            let file = inode(Kind::Device(device), facts);
            put(&dev, device.name().as_bytes(), &file);
        }
        for (name, target) in LINKS {
            let link = Kind::Symlink(target.to_vec());
            put(&dev, name.as_bytes(), &inode(link, Attributes::new(0o777)));
        }
        super::tty::pty::init(&named_directory(&dev, b"pts"));
        let shm = named_directory(&dev, b"shm");
        shm.change(|facts| facts.permissions = 0o1777);
    }

    fn add_others(&mut self) {
        let tmp = named_directory(&self.root, b"tmp");
        tmp.change(|facts| facts.permissions = 0o1777);
        put(&self.root, b"proc", &procfs::root());
    }

    /// Splits an archive path into its directory, made if missing, and its last name.
    fn parent_of<'a>(&mut self, path: &'a [u8]) -> Option<(InodeRef, &'a [u8])> {
        let mut names = path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty() && *name != b".");
        let Some(last) = names.next_back() else {
            return Some((self.root.clone(), &[]));
        };
        let mut parent = self.root.clone();
        for name in names {
            if name == b".." || !parent.is_directory() {
                return None;
            }
            parent = named_directory(&parent, name);
        }
        let usable = last != b".." && parent.is_directory();
        usable.then_some((parent, last))
    }
}

/// Returns the directory `name`, made if it is missing.
fn named_directory(parent: &InodeRef, name: &[u8]) -> InodeRef {
    parent.child(name).unwrap_or_else(|| {
        let made = directory(0o755);
        put(parent, name, &made);
        made
    })
}

/// Makes the file of a device that comes after boot.
pub(super) fn new_device(device: Device) -> Result<InodeRef, NoSpace> {
    let facts = Attributes::new(device.permissions());
    Inode::new(&ROOT, Kind::Device(device), facts)
}

/// Gives a device a number for a name.
pub(super) fn show_device(folder: &InodeRef, number: u32, device: &InodeRef) {
    // A program may have made something of that name: then the device has none.
    let _ = namespace::add(&numbered(folder, number), device);
}

/// Takes the name away.
pub(super) fn hide_device(folder: &InodeRef, number: u32) {
    let _ = namespace::unlink(&numbered(folder, number));
}

fn numbered(folder: &InodeRef, number: u32) -> Place<Inode> {
    Place {
        dir: folder.clone(),
        last: Last::Name(alloc::format!("{number}").into_bytes()),
        slash: false,
    }
}

/// Puts a file under a name; a later one of the same name takes its place.
fn put(parent: &InodeRef, name: &[u8], inode: &InodeRef) {
    let place = Place {
        dir: parent.clone(),
        last: Last::Name(name.to_vec()),
        slash: false,
    };
    // What was there goes, unless it is a directory with names in it: then it stays.
    let _ = namespace::unlink(&place);
    let _ = namespace::rmdir(&place);
    if let Err(error) = namespace::add(&place, inode) {
        log::warn!(target: "fs", "initramfs: a second {:?} left out: {error:?}", core::str::from_utf8(name));
    }
}

fn set_facts(inode: &InodeRef, facts: Attributes) {
    inode.change(|own| {
        *own = Attributes {
            nlink: own.nlink,
            ..facts
        }
    });
}
