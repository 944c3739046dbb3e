//! Moves: a file gets another name, or two files exchange theirs.
//!
//! A move between two directories holds the locks of both, so that nobody sees the file in neither.

use alloc::sync::Arc;

use cred::Wanted;
use vfs::directory::{Entries, Name};
use vfs::rename::{self, Mode, Permitted, Plan, RenameError, Side};

use super::caller::Caller;
use super::inode::{Inode, InodeRef};
use super::mount::Location;
use super::namespace::{CHANGES, ChangeError, ROOM, die, lose_name, may_remove};
use super::path::{Last, Place};
use crate::mm::frame;

/// Moves a file, or exchanges two.
pub fn rename(caller: &Caller, old: &Place, new: &Place, mode: Mode) -> Result<(), ChangeError> {
    if !Arc::ptr_eq(&old.dir.mount, &new.dir.mount) {
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
    if old.dir.mount.is_read_only() {
        return Err(ChangeError::ReadOnly);
    }
    let _changes = CHANGES.lock();
    let found = old.dir.uncovered_child(old_name);
    let file = found.ok_or(ChangeError::NotFound)?;
    let other = new.dir.uncovered_child(new_name);
    let old_side = side(&file.inode, old.slash, &new.dir.inode);
    let other_side = |other: &Location| side(&other.inode, new.slash, &old.dir.inode);
    let new_side = other.as_ref().map(other_side);
    let same = other.as_ref().is_some_and(|other| other.is_same(&file));
    let ends = (old, new, &file, other.as_ref());
    let permitted = permitted(caller, ends, mode);
    let plan = rename::plan(old_side, new_side, new.slash, same, mode, permitted)?;
    if old.dir.names().is_none() {
        return Err(ChangeError::NotPermitted);
    }
    if file.is_covered() || other.as_ref().is_some_and(|other| other.is_covered()) {
        return Err(ChangeError::Busy);
    }
    let from = (&old.dir.inode, &**old_name);
    let to = (&new.dir.inode, &**new_name);
    match (plan, other) {
        (Plan::Exchange, Some(other)) => exchange(from, to, &file.inode, &other.inode),
        (Plan::Nothing, _) => Ok(()),
        (_, other) => move_to(
            from,
            to,
            &file.inode,
            other.as_ref().map(|other| &other.inode),
        ),
    }
}

/// Says what the one who asks may do: with the names, and with a directory that gets another parent.
fn permitted(
    caller: &Caller,
    (old, new, file, other): (&Place, &Place, &Location, Option<&Location>),
    mode: Mode,
) -> Permitted {
    let at_new = || match other {
        Some(other) => may_remove(caller, &new.dir, other),
        None => Ok(caller.may(&new.dir, Wanted::CHANGE_NAMES)?),
    };
    let names = may_remove(caller, &old.dir, file).and_then(|()| at_new());
    let moves = !old.dir.is_same(&new.dir);
    let may_write = |inode: &Location| {
        let asks = moves && inode.is_directory();
        !asks || caller.may(inode, Wanted::WRITE).is_ok()
    };
    let exchanged = other.filter(|_| mode == Mode::Exchange);
    Permitted {
        names: names.map_err(|error| match error {
            ChangeError::NotPermitted => RenameError::NotPermitted,
            _ => RenameError::Denied,
        }),
        contents: match may_write(file) && exchanged.is_none_or(may_write) {
            true => Ok(()),
            false => Err(RenameError::Denied),
        },
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
