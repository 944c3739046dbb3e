//! Whose a new file is, and what changes of owner, permissions and contents leave of a file's bits.

use super::access::{Denied, Facts, is_owner};
use super::{Cap, Cred};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;
/// The bits that `chmod` sets.
const PERMISSIONS: u32 = 0o7777;
const TYPE: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// Decides about a new file in `directory` with the mode `mode`, from which the umask is taken already.
///
/// In a directory with the set-group-id bit it gets the directory's group, and a directory the bit.
pub fn new_file(cred: &Cred, directory: Facts, mode: u32) -> Facts {
    let uid = cred.uid.fs;
    if directory.mode & SETGID == 0 {
        let gid = cred.gid.fs;
        return Facts { mode, uid, gid };
    }
    let gid = directory.gid;
    let file = Facts { mode, uid, gid };
    let executable = mode & (SETGID | GROUP_EXECUTE) == SETGID | GROUP_EXECUTE;
    let mode = match () {
        () if file.is_directory() => mode | SETGID,
        () if executable && !may_set_group(cred, gid) => mode & !SETGID,
        () => mode,
    };
    Facts { mode, ..file }
}

/// Returns whether a set-group-id bit for this group may be kept.
fn may_set_group(cred: &Cred, gid: u32) -> bool {
    cred.in_group(gid) || cred.has(Cap::Fsetid)
}

/// Decides about `chmod`; returns the new mode.
pub fn chmod(cred: &Cred, file: Facts, permissions: u32) -> Result<u32, Denied> {
    if !is_owner(cred, file) {
        return Err(Denied);
    }
    let mode = file.mode & !PERMISSIONS | permissions & PERMISSIONS;
    Ok(match may_set_group(cred, file.gid) {
        true => mode,
        false => mode & !SETGID,
    })
}

/// Decides about `chown`, where `None` leaves an id; returns the file's new facts.
///
/// Programs lose the bits by which they run as somebody else, whoever changes the owner.
pub fn chown(
    cred: &Cred,
    file: Facts,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<Facts, Denied> {
    let mode = match file.is_directory() {
        true => file.mode,
        false => without_set_ids(cred, file),
    };
    let own = cred.uid.fs == file.uid;
    let to = |gid| gid == file.gid || cred.in_group(gid);
    let uid_ok = uid.is_none_or(|uid| own && uid == file.uid);
    let gid_ok = gid.is_none_or(|gid| own && to(gid));
    let changes_bits = mode != file.mode;
    if !(uid_ok && gid_ok || cred.has(Cap::Chown)) || changes_bits && !is_owner(cred, file) {
        return Err(Denied);
    }
    let gid = gid.unwrap_or(file.gid);
    Ok(Facts {
        mode: match changes_bits && !may_set_group(cred, gid) {
            true => mode & !SETGID,
            false => mode,
        },
        uid: uid.unwrap_or(file.uid),
        gid,
    })
}

/// Returns what a write or a change of the size leaves of a file's mode.
pub fn after_write(cred: &Cred, file: Facts) -> u32 {
    match file.mode & TYPE == REGULAR && !cred.has(Cap::Fsetid) {
        true => without_set_ids(cred, file),
        false => file.mode,
    }
}

/// The set-group-id bit of a file that its group may not execute means something else, and stays with those
/// who could set it.
fn without_set_ids(cred: &Cred, file: Facts) -> u32 {
    let keeps = file.mode & GROUP_EXECUTE == 0 && may_set_group(cred, file.gid);
    match keeps {
        true => file.mode & !SETUID,
        false => file.mode & !(SETUID | SETGID),
    }
}
