//! Changes of the tree: names are made and removed; [`super::renaming`] moves them.
//!
//! One lock serialises all changes, so that what a change has checked stays so until it is done.
//! Looking a name up takes the lock of that one directory; a move between two directories holds
//! both, so that nobody sees the file in neither.

use alloc::sync::Arc;

use cred::access::may_take_name;
use cred::{Denied, Wanted};
use vfs::directory::Name;
use vfs::rename::RenameError;

use super::caller::{Caller, Forbidden};
use super::filesystem::NoSpace;
use super::inode::InodeRef;
use super::mount::Location;
use super::path::{Last, PathError, Place};
use super::rank;
use crate::locks::Mutex;
use crate::mm::frame;

/// Serialises all changes.
pub(super) static CHANGES: Mutex<(), { rank::NAMESPACE }> = Mutex::new(());

/// Frames that must be free before something new is kept: names and inodes are on the heap.
pub(super) const ROOM: u64 = 2;

/// Why the tree was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// The path leads nowhere.
    Path(PathError),
    /// The name does not exist.
    NotFound,
    /// The name exists already.
    Exists,
    /// It is not a directory.
    NotDirectory,
    /// It is a directory.
    IsDirectory,
    /// The directory has names in it.
    NotEmpty,
    /// Not possible with this name, or into itself.
    Invalid,
    /// A file system begins there, or it is `.` or the root.
    Busy,
    /// The two names are in different file systems.
    OtherFileSystem,
    /// The directory may not be written.
    Denied,
    /// The file system is mounted for reading.
    ReadOnly,
    /// The file system does not do that, or only for the owner.
    NotPermitted,
    /// The file system is full.
    NoSpace,
    /// No memory.
    OutOfMemory,
}

/// Gives a new file the name at `place`, as [`check_add`] allowed; a directory may have slashes behind it.
pub fn add(place: &Place, inode: &InodeRef) -> Result<(), ChangeError> {
    let Last::Name(name) = &place.last else {
        return Err(ChangeError::Exists);
    };
    if place.slash && !inode.is_directory() {
        return Err(match place.dir.child(name) {
            Some(_) => ChangeError::Exists,
            None => ChangeError::NotFound,
        });
    }
    insert(&place.dir.inode, name, inode)
}

/// Fails where nothing can be made at `place`, in the order of Linux's checks; to be asked first.
pub fn check_add(caller: &Caller, place: &Place) -> Result<(), ChangeError> {
    match &place.last {
        Last::Name(name) if place.dir.child(name).is_none() => {
            let names = place.dir.names().map(|names| names.lock().is_dead);
            match names {
                // `/proc` has no names of its own to begin with.
                None => Err(ChangeError::NotFound),
                Some(_) if place.dir.mount.is_read_only() => Err(ChangeError::ReadOnly),
                Some(true) => Err(ChangeError::NotFound),
                Some(false) => {
                    caller.may(&place.dir, Wanted::CHANGE_NAMES)?;
                    match frame::can_spare(ROOM) {
                        true => Ok(()),
                        false => Err(ChangeError::OutOfMemory),
                    }
                }
            }
        }
        _ => Err(ChangeError::Exists),
    }
}

/// Gives a file the name `name` in `directory`, whoever asks.
pub(super) fn insert(
    directory: &InodeRef,
    name: &[u8],
    inode: &InodeRef,
) -> Result<(), ChangeError> {
    let _changes = CHANGES.lock();
    let name = &Name::from(name);
    if !frame::can_spare(ROOM) {
        return Err(ChangeError::OutOfMemory);
    }
    {
        let mut names = directory.names().ok_or(ChangeError::NotPermitted)?.lock();
        if names.is_dead {
            return Err(ChangeError::NotFound);
        }
        let inserted = names.entries.insert(name.clone(), inode.clone());
        inserted.map_err(|_| ChangeError::Exists)?;
    }
    if inode.is_directory() {
        directory.change(|facts| facts.nlink += 1);
    } else {
        inode.change(|facts| facts.nlink += 1);
    }
    inode.set_home(directory, name);
    directory.modified();
    Ok(())
}

/// Gives an existing file one more name, or one without a name its first.
pub fn link(caller: &Caller, file: &Location, place: &Place) -> Result<(), ChangeError> {
    check_add(caller, place)?;
    if !Arc::ptr_eq(&file.mount, &place.dir.mount) {
        return Err(ChangeError::OtherFileSystem);
    }
    if file.is_directory() {
        return Err(ChangeError::NotPermitted);
    }
    // A file whose last name is gone gets no new one.
    if file.attributes().nlink == 0 && !file.is_linkable() {
        return Err(ChangeError::NotFound);
    }
    add(place, &file.inode)?;
    file.set_linkable(false);
    Ok(())
}

/// Decides whether a name may be taken from `victim` (EACCES, then EPERM).
pub(super) fn may_remove(
    caller: &Caller,
    directory: &Location,
    victim: &Location,
) -> Result<(), ChangeError> {
    caller.may(directory, Wanted::CHANGE_NAMES)?;
    may_take_name(&caller.cred, directory.facts(), victim.facts())
        .map_err(|Denied| ChangeError::NotPermitted)
}

/// Removes a name of something that is not a directory.
pub fn unlink(caller: &Caller, place: &Place) -> Result<(), ChangeError> {
    let Last::Name(name) = &place.last else {
        return Err(ChangeError::IsDirectory);
    };
    if place.dir.mount.is_read_only() {
        return Err(ChangeError::ReadOnly);
    }
    let _changes = CHANGES.lock();
    let found = place.dir.uncovered_child(name);
    let victim = found.ok_or(ChangeError::NotFound)?;
    match () {
        () if place.slash && victim.is_directory() => return Err(ChangeError::IsDirectory),
        () if place.slash => return Err(ChangeError::NotDirectory),
        () if place.dir.names().is_none() => return Err(ChangeError::NotPermitted),
        () => may_remove(caller, &place.dir, &victim)?,
    }
    match () {
        () if victim.is_directory() => return Err(ChangeError::IsDirectory),
        () if victim.is_covered() => return Err(ChangeError::Busy),
        () => {}
    }
    forget(&place.dir.inode, name, &victim.inode);
    Ok(())
}

/// Removes an empty directory.
pub fn rmdir(caller: &Caller, place: &Place) -> Result<(), ChangeError> {
    let name = match &place.last {
        Last::Name(name) => name,
        Last::Root => return Err(ChangeError::Busy),
        Last::Dot => return Err(ChangeError::Invalid),
        Last::DotDot => return Err(ChangeError::NotEmpty),
    };
    if place.dir.mount.is_read_only() {
        return Err(ChangeError::ReadOnly);
    }
    let _changes = CHANGES.lock();
    let found = place.dir.uncovered_child(name);
    let victim = found.ok_or(ChangeError::NotFound)?;
    if place.dir.names().is_none() {
        return Err(ChangeError::NotPermitted);
    }
    may_remove(caller, &place.dir, &victim)?;
    match () {
        () if !victim.is_directory() => return Err(ChangeError::NotDirectory),
        () if victim.is_covered() => return Err(ChangeError::Busy),
        () => {}
    }
    die(&victim.inode)?;
    forget(&place.dir.inode, name, &victim.inode);
    Ok(())
}

/// Takes a name away at boot, whatever it stands for, unless that is a directory with names in it.
pub(super) fn displace(directory: &InodeRef, name: &[u8]) {
    let _changes = CHANGES.lock();
    if let Some(inode) = directory.child(name)
        && (!inode.is_directory() || die(&inode).is_ok())
    {
        forget(directory, name, &inode);
    }
}

/// Marks an empty directory dead.
pub(super) fn die(inode: &InodeRef) -> Result<(), ChangeError> {
    // What has no names of its own is the kernel's.
    let mut names = inode.names().ok_or(ChangeError::NotPermitted)?.lock();
    if !names.entries.is_empty() {
        return Err(ChangeError::NotEmpty);
    }
    names.is_dead = true;
    Ok(())
}

/// Takes a name away; a directory is empty and dead.
fn forget(directory: &InodeRef, name: &[u8], inode: &InodeRef) {
    let removed = directory
        .names()
        .and_then(|names| names.lock().entries.remove(name));
    drop(removed);
    lose_name(directory, inode);
    inode.leave_home(directory, name);
    directory.modified();
}

/// Counts one name less.
pub(super) fn lose_name(directory: &InodeRef, inode: &InodeRef) {
    match inode.is_directory() {
        true => {
            inode.change(|facts| facts.nlink = 0);
            directory.change(|facts| facts.nlink -= 1);
        }
        false => inode.change(|facts| facts.nlink -= 1),
    }
}

impl From<RenameError> for ChangeError {
    fn from(error: RenameError) -> Self {
        match error {
            RenameError::Exists => Self::Exists,
            RenameError::NotFound => Self::NotFound,
            RenameError::NotDirectory => Self::NotDirectory,
            RenameError::IsDirectory => Self::IsDirectory,
            RenameError::NotEmpty => Self::NotEmpty,
            RenameError::IntoItself => Self::Invalid,
            RenameError::Denied => Self::Denied,
            RenameError::NotPermitted => Self::NotPermitted,
        }
    }
}

impl From<PathError> for ChangeError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<NoSpace> for ChangeError {
    fn from(NoSpace: NoSpace) -> Self {
        Self::NoSpace
    }
}

impl From<Forbidden> for ChangeError {
    fn from(Forbidden: Forbidden) -> Self {
        Self::Denied
    }
}
