//! Changes of the table of mounts: mounting, binding, moving, taking away; and what `/proc` says of it.
//!
//! They come one at a time, under the lock that serialises all changes of the tree. Nothing is passed on between
//! mounts: each is private.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use vfs::options::{BadOption, Tmpfs};

use super::filesystem::{self, FileSystem, FsRef, NoSpace};
use super::inode::{Attributes, Inode, InodeRef};
use super::mount::{self, Location, Mount, MountFlags, MountRef};
use super::namespace::CHANGES;
use super::{procfs, reclaim, tree};
use crate::mm::rmap;

/// Why the mounts stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MountError {
    /// There is no such file system.
    NoSuchKind,
    /// The option, or what it is asked of, is wrong.
    Invalid,
    /// One is a directory, the other is not.
    NotDirectory,
    /// It is in use, or there already.
    Busy,
    /// The place has gone.
    NotFound,
    /// It would be below itself.
    Loop,
    /// No memory.
    NoSpace,
}

/// What is to be mounted.
pub struct NewMount<'a> {
    /// The kind of file system.
    pub kind: &'a str,
    /// What it is made from, in the caller's words.
    pub source: &'a str,
    /// The options.
    pub options: &'a str,
    /// What the mount forbids.
    pub flags: MountFlags,
}

/// Mounts a file system at `at`.
pub fn mount(new: &NewMount<'_>, at: Location) -> Result<(), MountError> {
    let (fs, root) = file_system(new)?;
    let _changes = CHANGES.lock();
    if at.is_mount_root() && at.mount.fs.is(&fs) {
        return Err(MountError::Busy);
    }
    let mount = Mount::new(fs, root, new.source, new.flags);
    attach(&mount, at)
}

/// Finds or makes what is to be seen.
fn file_system(new: &NewMount<'_>) -> Result<(FsRef, InodeRef), MountError> {
    Ok(match new.kind {
        "tmpfs" | "ramfs" => {
            let options = Tmpfs::parse(new.options)?;
            let fs = FileSystem::tmpfs(&options);
            fs.set_read_only(new.flags.contains(MountFlags::READ_ONLY));
            let facts = Attributes {
                uid: options.uid.unwrap_or(0),
                gid: options.gid.unwrap_or(0),
                ..Attributes::new(options.mode.unwrap_or(0o1777))
            };
            let root = Inode::directory(&fs, facts)?;
            (fs, root)
        }
        "proc" => (FsRef::Built(&filesystem::PROC), procfs::root()),
        "sysfs" => (FsRef::Built(&filesystem::SYS), procfs::sys_root()),
        "devpts" => (FsRef::Built(&filesystem::PTS), tree::terminals()),
        "devtmpfs" => (FsRef::Built(&filesystem::DEV), tree::devices()),
        _ => return Err(MountError::NoSuchKind),
    })
}

/// Attaches a mount at `at`, which its lookup found to be on top.
fn attach(mount: &MountRef, at: Location) -> Result<(), MountError> {
    if at.is_directory() != mount.root.is_directory() {
        return Err(MountError::NotDirectory);
    }
    if at.names().is_some_and(|names| names.lock().is_dead) {
        return Err(MountError::NotFound);
    }
    mount::attach(mount, Some(at));
    Ok(())
}

/// Changes the options of a file system in memory, and what the mount at `at` forbids.
///
/// `mount_only` leaves the file system alone.
pub fn remount(
    at: &Location,
    flags: MountFlags,
    options: &str,
    mount_only: bool,
) -> Result<(), MountError> {
    if !at.is_mount_root() {
        return Err(MountError::Invalid);
    }
    let mount = &at.mount;
    let _changes = CHANGES.lock();
    let read_only = flags.contains(MountFlags::READ_ONLY);
    let others = mount::all();
    let has_writers = match mount_only {
        true => mount.has_writers(),
        false => {
            let mut shows = others.iter().filter(|other| other.fs.is(&mount.fs));
            shows.any(|other| other.has_writers())
        }
    };
    if read_only && has_writers {
        return Err(MountError::Busy);
    }
    if !mount_only {
        if mount.fs.name == "tmpfs" {
            let options = Tmpfs::parse(options)?;
            if options.size.is_some() || options.files.is_some() {
                mount.fs.reconfigure(&options);
            }
        }
        mount.fs.set_read_only(read_only);
    }
    mount.set_flags(flags);
    Ok(())
}

/// Shows what is at `source` at `at` as well, with what is mounted below it if `recursive`.
pub fn bind(source: &Location, at: Location, recursive: bool) -> Result<(), MountError> {
    let _changes = CHANGES.lock();
    let existing = mount::all();
    let is_attached = |mount: &MountRef| existing.iter().any(|known| Arc::ptr_eq(known, mount));
    if !is_attached(&source.mount) {
        return Err(MountError::Invalid);
    }
    let copy = copy_of(&source.mount, &source.inode);
    attach(&copy, at)?;
    if recursive {
        copy_below(&existing, &source.mount, &source.inode, &copy);
    }
    Ok(())
}

fn copy_of(mount: &Mount, root: &InodeRef) -> MountRef {
    Mount::new(mount.fs.clone(), root.clone(), &mount.source, mount.flags())
}

/// Copies the mounts that are attached to `mount` at or below `root` to `copy`, and so on.
fn copy_below(existing: &[MountRef], mount: &MountRef, root: &InodeRef, copy: &MountRef) {
    for child in existing {
        let Some(at) = child.attached() else { continue };
        if !Arc::ptr_eq(&at.mount, mount) || !is_below(&at.inode, root) {
            continue;
        }
        let child_copy = copy_of(child, &child.root);
        let place = Location {
            mount: copy.clone(),
            inode: at.inode,
        };
        mount::attach(&child_copy, Some(place));
        copy_below(existing, child, &child.root, &child_copy);
    }
}

/// Returns whether `inode` is `root` or lies below it, in one file system.
fn is_below(inode: &InodeRef, root: &InodeRef) -> bool {
    let mut at = inode.clone();
    while !Arc::ptr_eq(&at, root) {
        let parent = Inode::parent(&at);
        if Arc::ptr_eq(&parent, &at) {
            return false;
        }
        at = parent;
    }
    true
}

/// Attaches the mount at `from` to another place.
pub fn move_mount(from: &Location, at: Location) -> Result<(), MountError> {
    let _changes = CHANGES.lock();
    if !from.is_mount_root() || from.mount.attached().is_none() {
        return Err(MountError::Invalid);
    }
    if from.is_directory() != at.is_directory() {
        return Err(MountError::NotDirectory);
    }
    if at.mount.is_below(&from.mount) {
        return Err(MountError::Loop);
    }
    mount::detach(&from.mount);
    attach(&from.mount, at)
}

/// Takes the mount at `at` away: at once with all below it if `lazily`, else only if nobody uses it.
pub fn unmount(at: Location, lazily: bool) -> Result<(), MountError> {
    // Before the lock, which comes behind those of memory: who maps a file now has it open.
    let is_mapped = !lazily && at.is_mount_root() && has_mapped_files(&at.mount);
    let _changes = CHANGES.lock();
    if !at.is_mount_root() {
        return Err(MountError::Invalid);
    }
    let mount = at.mount.clone();
    drop(at);
    if mount.attached().is_none() {
        return Err(MountError::Busy);
    }
    if lazily {
        let below = mount::all();
        let below = below.iter().filter(|other| other.is_below(&mount));
        let below: Vec<MountRef> = below.cloned().collect();
        for mount in below.iter().rev() {
            mount::detach(mount);
        }
        return Ok(());
    }
    // The table's reference and this one.
    if Arc::strong_count(&mount) > 2 || is_mapped {
        return Err(MountError::Busy);
    }
    mount::detach(&mount);
    Ok(())
}

/// Returns whether a file of a file system that is mounted nowhere else is mapped into memory. A mapping does not know through which
/// mount its file was opened.
fn has_mapped_files(mount: &MountRef) -> bool {
    let others = mount::all();
    let mut others = others.iter().filter(|other| !Arc::ptr_eq(other, mount));
    if others.any(|other| other.fs.dev == mount.fs.dev) {
        return false;
    }
    let mut found = false;
    reclaim::for_each_file(|file| {
        found |= file.fs.dev == mount.fs.dev && rmap::is_mapped(&**file);
        !found
    });
    found
}

/// Returns the mounts that are seen from `root`, each with its place.
pub fn seen_from(root: &Location) -> Vec<(MountRef, Vec<u8>)> {
    let all = mount::all().into_iter();
    let seen = all.filter_map(|mount| {
        let top = match Arc::ptr_eq(&mount, &root.mount) {
            true => root.clone(),
            false => mount.root(),
        };
        let (path, is_reachable) = top.path_within(root);
        is_reachable.then_some((mount, path))
    });
    seen.collect()
}

/// The options of a mount in words, and those of its file system.
pub fn words(mount: &Mount) -> (String, String) {
    let read_only = |is| String::from(if is { "ro" } else { "rw" });
    let flags = mount.flags();
    let mut options = read_only(flags.contains(MountFlags::READ_ONLY));
    for (flag, word) in [
        (MountFlags::NO_SUID, ",nosuid"),
        (MountFlags::NO_DEV, ",nodev"),
        (MountFlags::NO_EXEC, ",noexec"),
        (MountFlags::NO_ATIME, ",noatime"),
        (MountFlags::NO_DIR_ATIME, ",nodiratime"),
        (MountFlags::RELATIVE_ATIME, ",relatime"),
    ] {
        if flags.contains(flag) {
            options += word;
        }
    }
    (options, read_only(mount.fs.is_read_only()))
}

impl From<BadOption> for MountError {
    fn from(BadOption: BadOption) -> Self {
        Self::Invalid
    }
}

impl From<NoSpace> for MountError {
    fn from(NoSpace: NoSpace) -> Self {
        Self::NoSpace
    }
}
