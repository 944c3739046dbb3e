//! Changes of the tree: names are made, removed and moved.
//!
//! One lock serialises all changes, so that what a change has checked stays so until it is done.
//! Looking a name up takes the lock of that one directory; a move between two directories holds
//! both, so that nobody sees the file in neither.

use alloc::sync::Arc;

use vfs::directory::{Entries, Name};
use vfs::rename::{self, Mode, Plan, RenameError, Side};
use vfs::walk::Node;

use super::filesystem::NoSpace;
use super::inode::{Inode, InodeRef};
use super::path::{Last, PathError, Place};
use super::rank;
use crate::locks::Mutex;
use crate::mm::frame;

/// Serialises all changes.
static CHANGES: Mutex<(), { rank::NAMESPACE }> = Mutex::new(());

/// Frames that must be free before something new is kept: names and inodes are on the heap.
const ROOM: u64 = 2;

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
    /// The file system does not do that.
    NotPermitted,
    /// The file system is full.
    NoSpace,
    /// No memory.
    OutOfMemory,
}

/// Gives a new file the name at `place`; a directory may have slashes behind it.
pub fn add(place: &Place<Inode>, inode: &InodeRef) -> Result<(), ChangeError> {
    let Last::Name(name) = &place.last else {
        return Err(ChangeError::Exists);
    };
    if place.slash && !inode.is_directory() {
        return Err(match place.dir.child(name) {
            Some(_) => ChangeError::Exists,
            None => ChangeError::NotFound,
        });
    }
    let _changes = CHANGES.lock();
    insert(&place.dir, &Name::from(&**name), inode)
}

/// Fails where nothing can be made at `place`, in the order of Linux's checks; to be asked first.
pub fn check_add(place: &Place<Inode>) -> Result<(), ChangeError> {
    match &place.last {
        Last::Name(name) if place.dir.child(name).is_none() => {
            let names = place.dir.names().ok_or(ChangeError::NotFound)?;
            match names.lock().is_dead {
                true => Err(ChangeError::NotFound),
                false if !frame::can_spare(ROOM) => Err(ChangeError::OutOfMemory),
                false => Ok(()),
            }
        }
        _ => Err(ChangeError::Exists),
    }
}

fn insert(directory: &InodeRef, name: &Name, inode: &InodeRef) -> Result<(), ChangeError> {
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

/// Gives an existing file one more name.
pub fn link(inode: &InodeRef, place: &Place<Inode>) -> Result<(), ChangeError> {
    check_add(place)?;
    if !core::ptr::eq(inode.fs, place.dir.fs) {
        return Err(ChangeError::OtherFileSystem);
    }
    if inode.is_directory() {
        return Err(ChangeError::NotPermitted);
    }
    // A file whose last name is gone gets no new one.
    if inode.attributes().nlink == 0 {
        return Err(ChangeError::NotFound);
    }
    add(place, inode)
}

/// Removes a name of something that is not a directory.
pub fn unlink(place: &Place<Inode>) -> Result<(), ChangeError> {
    let Last::Name(name) = &place.last else {
        return Err(ChangeError::IsDirectory);
    };
    let _changes = CHANGES.lock();
    let inode = place.dir.child(name).ok_or(ChangeError::NotFound)?;
    match () {
        () if place.slash && inode.is_directory() => return Err(ChangeError::IsDirectory),
        () if place.slash => return Err(ChangeError::NotDirectory),
        () if place.dir.names().is_none() => return Err(ChangeError::NotPermitted),
        () if inode.is_directory() => return Err(ChangeError::IsDirectory),
        () => {}
    }
    forget(&place.dir, name, &inode);
    Ok(())
}

/// Removes an empty directory.
pub fn rmdir(place: &Place<Inode>) -> Result<(), ChangeError> {
    let name = match &place.last {
        Last::Name(name) => name,
        Last::Root => return Err(ChangeError::Busy),
        Last::Dot => return Err(ChangeError::Invalid),
        Last::DotDot => return Err(ChangeError::NotEmpty),
    };
    let _changes = CHANGES.lock();
    let inode = place.dir.child(name).ok_or(ChangeError::NotFound)?;
    if place.dir.names().is_none() {
        return Err(ChangeError::NotPermitted);
    }
    if !inode.is_directory() {
        return Err(ChangeError::NotDirectory);
    }
    die(&inode)?;
    forget(&place.dir, name, &inode);
    Ok(())
}

/// Marks an empty directory dead.
fn die(inode: &InodeRef) -> Result<(), ChangeError> {
    // What has no names of its own here is another file system's root.
    let mut names = inode.names().ok_or(ChangeError::Busy)?.lock();
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
fn lose_name(directory: &InodeRef, inode: &InodeRef) {
    match inode.is_directory() {
        true => {
            inode.change(|facts| facts.nlink = 0);
            directory.change(|facts| facts.nlink -= 1);
        }
        false => inode.change(|facts| facts.nlink -= 1),
    }
}

/// Moves a file, or exchanges two.
pub fn rename(old: &Place<Inode>, new: &Place<Inode>, mode: Mode) -> Result<(), ChangeError> {
    if !core::ptr::eq(old.dir.fs, new.dir.fs) {
        return Err(ChangeError::OtherFileSystem);
    }
    let Last::Name(old_name) = &old.last else {
        return Err(ChangeError::Busy);
    };
    let new_name = match &new.last {
        Last::Name(name) => name,
        _ if mode == Mode::NoReplace => return Err(ChangeError::Exists),
        _ => return Err(ChangeError::Busy),
    };
    let _changes = CHANGES.lock();
    let file = old.dir.child(old_name).ok_or(ChangeError::NotFound)?;
    let other = new.dir.child(new_name);
    let old_side = side(&file, old.slash, &new.dir);
    let new_side = other.as_ref().map(|other| side(other, new.slash, &old.dir));
    let same = other
        .as_ref()
        .is_some_and(|other| Arc::ptr_eq(other, &file));
    let plan = rename::plan(old_side, new_side, new.slash, same, mode)?;
    if old.dir.names().is_none() {
        return Err(ChangeError::NotPermitted);
    }
    let is_mount = |inode: &InodeRef| !core::ptr::eq(inode.fs, old.dir.fs);
    if is_mount(&file) || other.as_ref().is_some_and(is_mount) {
        return Err(ChangeError::Busy);
    }
    let (from, to) = ((&old.dir, &**old_name), (&new.dir, &**new_name));
    match (plan, other) {
        (Plan::Exchange, Some(other)) => exchange(from, to, &file, &other),
        (Plan::Nothing, _) => Ok(()),
        (_, other) => move_to(from, to, &file, other.as_ref()),
    }
}

fn side(inode: &InodeRef, slash: bool, other_directory: &InodeRef) -> Side {
    Side {
        is_directory: inode.is_directory(),
        is_full: inode
            .names()
            .is_some_and(|names| !names.lock().entries.is_empty()),
        slash,
        contains_other: inode.is_directory() && contains(inode, other_directory),
    }
}

/// Returns whether `directory` is `inode` or lies below it.
fn contains(inode: &InodeRef, directory: &InodeRef) -> bool {
    let mut at = directory.clone();
    loop {
        if Arc::ptr_eq(&at, inode) {
            return true;
        }
        let parent = Inode::parent(&at);
        if Arc::ptr_eq(&parent, &at) {
            return false;
        }
        at = parent;
    }
}

/// A name and the directory it is in.
type Spot<'a> = (&'a InodeRef, &'a [u8]);

fn move_to(
    (from, old_name): Spot<'_>,
    (to, new_name): Spot<'_>,
    file: &InodeRef,
    replaced: Option<&InodeRef>,
) -> Result<(), ChangeError> {
    if !frame::can_spare(ROOM) {
        return Err(ChangeError::OutOfMemory);
    }
    if to.names().is_none_or(|names| names.lock().is_dead) {
        return Err(ChangeError::NotFound);
    }
    if let Some(replaced) = replaced.filter(|inode| inode.is_directory()) {
        die(replaced)?;
    }
    let name = Name::from(new_name);
    let left = in_both(from, to, |from, to| {
        let moved = from.remove(old_name);
        let to = to.unwrap_or(from);
        let old = to.replace(new_name, file.clone());
        if old.is_none() {
            let inserted = to.insert(name.clone(), file.clone());
            debug_assert!(inserted.is_ok(), "a name that replaces nothing is free");
        }
        (moved, old)
    });
    drop(left); // outside the locks: it may be somebody's last reference
    if let Some(replaced) = replaced {
        lose_name(to, replaced);
        replaced.leave_home(to, new_name);
    }
    file.set_home(to, &name);
    if file.is_directory() && !Arc::ptr_eq(from, to) {
        from.change(|facts| facts.nlink -= 1);
        to.change(|facts| facts.nlink += 1);
    }
    file.change(|_| {});
    from.modified();
    to.modified();
    Ok(())
}

fn exchange(
    (from, old_name): Spot<'_>,
    (to, new_name): Spot<'_>,
    file: &InodeRef,
    other: &InodeRef,
) -> Result<(), ChangeError> {
    let left = in_both(from, to, |from, to| {
        let first = from.replace(old_name, other.clone());
        (first, to.unwrap_or(from).replace(new_name, file.clone()))
    });
    drop(left);
    file.set_home(to, &Name::from(new_name));
    other.set_home(from, &Name::from(old_name));
    if file.is_directory() != other.is_directory() && !Arc::ptr_eq(from, to) {
        let (loses, gains) = if file.is_directory() {
            (from, to)
        } else {
            (to, from)
        };
        loses.change(|facts| facts.nlink -= 1);
        gains.change(|facts| facts.nlink += 1);
    }
    for changed in [file, other] {
        changed.change(|_| {});
    }
    from.modified();
    to.modified();
    Ok(())
}

/// Calls `change` with the names of both directories, under both locks; with the second only if it
/// is another one.
///
/// Nobody takes two such locks the other way round: changes come one at a time.
fn in_both<R>(
    from: &InodeRef,
    to: &InodeRef,
    change: impl FnOnce(&mut Entries<InodeRef>, Option<&mut Entries<InodeRef>>) -> R,
) -> R {
    let (Some(first), Some(second)) = (from.names(), to.names()) else {
        unreachable!("both were checked to be directories with names")
    };
    let mut first_names = first.lock();
    if Arc::ptr_eq(from, to) {
        return change(&mut first_names.entries, None);
    }
    let mut second_names = second.lock_nested(&first_names);
    change(&mut first_names.entries, Some(&mut second_names.entries))
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
