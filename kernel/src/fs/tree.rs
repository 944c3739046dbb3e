//! The tree as it is at boot: what the archive has, `/tmp`, and the mounts on `/dev`, `/proc` and `/sys`.

use alloc::collections::BTreeMap;

use abi::linux::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use bootinfo::cpio::{Archive, CpioError, Entry};
use vfs::directory::Name;

use super::dev::Device;
use super::filesystem::{self, FsRef, NoSpace};
use super::inode::{Attributes, Inode, InodeRef, Kind};
use super::mount::{self, Location, Mount, MountFlags, MountRef};
use super::page_cache::PageCache;
use super::{namespace, procfs};
use crate::locks::Once;

static TREE: Once<MountRef> = Once::new();
/// What is in `/dev`, however often it is mounted.
static DEVICES: Once<InodeRef> = Once::new();

const ROOT: FsRef = FsRef::Built(&filesystem::ROOT);
const DEV: FsRef = FsRef::Built(&filesystem::DEV);
const PTS: FsRef = FsRef::Built(&filesystem::PTS);
/// The pseudo-terminals, however often they are mounted.
static TERMINALS: Once<InodeRef> = Once::new();

/// Returns the root directory.
pub fn root() -> Location {
    let tree = TREE.get();
    tree.expect("the tree is built before anybody looks for files")
        .root()
}

/// Returns the root of the pseudo-terminals.
pub(super) fn terminals() -> InodeRef {
    let terminals = TERMINALS.get();
    terminals
        .expect("the tree is built before anybody mounts anything")
        .clone()
}

/// Returns the root of the devices.
pub(super) fn devices() -> InodeRef {
    let devices = DEVICES.get();
    devices
        .expect("the tree is built before anybody mounts anything")
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
    let devices = make_devices();
    builder.add_others();
    let root = Mount::new(ROOT, builder.root, "tmpfs", MountFlags::RELATIVE_ATIME);
    mount::attach(&root, None);
    TREE.call_once(|| root);
    DEVICES.call_once(|| devices.clone());
    let terminals = Inode::directory(&PTS, Attributes::new(0o755))
        .expect("the tree at boot is smaller than memory");
    super::tty::pty::init(&terminals);
    TERMINALS.call_once(|| terminals.clone());
    for (path, fs, shown, source) in [
        ("/dev", DEV, devices, "devtmpfs"),
        ("/dev/pts", PTS, terminals, "devpts"),
        (
            "/proc",
            FsRef::Built(&filesystem::PROC),
            procfs::root(),
            "proc",
        ),
        (
            "/sys",
            FsRef::Built(&filesystem::SYS),
            procfs::sys_root(),
            "sysfs",
        ),
    ] {
        mount_at_boot(path, fs, shown, source);
    }
    Ok(entries)
}

/// Mounts what every program expects to be mounted.
fn mount_at_boot(path: &str, fs: FsRef, shown: InodeRef, source: &str) {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = parent.trim_start_matches('/').as_bytes();
    let folder = match parent {
        b"" => root(),
        name => root().child(name).expect("what is mounted first is there"),
    };
    let inode = named_directory(&folder.inode, name.as_bytes());
    let mount = Mount::new(fs, shown, source, MountFlags::RELATIVE_ATIME);
    let place = Location {
        mount: folder.mount,
        inode,
    };
    mount::attach(&mount, Some(place));
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
        btime: time,
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

    fn add_others(&mut self) {
        let tmp = named_directory(&self.root, b"tmp");
        tmp.change(|facts| facts.permissions = 0o1777);
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

/// Makes what is in `/dev`.
fn make_devices() -> InodeRef {
    let new_directory = |permissions| {
        Inode::directory(&DEV, Attributes::new(permissions))
            .expect("the tree at boot is smaller than memory")
    };
    let new = |kind, permissions| {
        Inode::new(&DEV, kind, Attributes::new(permissions))
            .expect("the tree at boot is smaller than memory")
    };
    let dev = new_directory(0o755);
    for device in Device::ALL {
        let file = new(Kind::Device(device), device.permissions());
        put(&dev, device.name().as_bytes(), &file);
    }
    for (name, target) in LINKS {
        put(
            &dev,
            name.as_bytes(),
            &new(Kind::Symlink(target.to_vec()), 0o777),
        );
    }
    put(&dev, b"shm", &new_directory(0o1777));
    dev
}

/// Returns the directory `name`, made if it is missing.
fn named_directory(parent: &InodeRef, name: &[u8]) -> InodeRef {
    parent.child(name).unwrap_or_else(|| {
        let made = Inode::directory(&parent.fs, Attributes::new(0o755))
            .expect("the tree at boot is smaller than memory");
        put(parent, name, &made);
        made
    })
}

/// Makes the file of a device that comes after boot, of a user and a group.
pub(super) fn new_device(device: Device, owner: (u32, u32)) -> Result<InodeRef, NoSpace> {
    let facts = Attributes {
        uid: owner.0,
        gid: owner.1,
        ..Attributes::new(device.permissions())
    };
    Inode::new(&PTS, Kind::Device(device), facts)
}

/// Gives a device a number for a name.
pub(super) fn show_device(folder: &InodeRef, number: u32, device: &InodeRef) {
    // A program may have made something of that name: then the device has none.
    let _ = namespace::insert(folder, alloc::format!("{number}").as_bytes(), device);
}

/// Takes the name away.
pub(super) fn hide_device(folder: &InodeRef, number: u32) {
    namespace::displace(folder, alloc::format!("{number}").as_bytes());
}

/// Puts a file under a name; a later one of the same name takes its place.
fn put(parent: &InodeRef, name: &[u8], inode: &InodeRef) {
    // What was there goes, unless it is a directory with names in it: then it stays.
    namespace::displace(parent, name);
    if let Err(error) = namespace::insert(parent, name, inode) {
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
