//! Whether somebody may use a file.
//!
//! One of three classes decides: the owner's bits if the file is one's own, else the group's if one is
//! in it, else the others', whether or not a later class would permit more. A capability helps where
//! the bits refuse.

use super::{Cap, Cred};

/// Type bits of a mode.
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const STICKY: u32 = 0o1000;

/// What is wanted of a file: a set of bits, as in `access`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted(u8);

impl Wanted {
    /// Nothing but that it exists.
    pub const NOTHING: Self = Self(0);
    /// To execute it, or to search it.
    pub const EXECUTE: Self = Self(1);
    /// To write it.
    pub const WRITE: Self = Self(2);
    /// To read it.
    pub const READ: Self = Self(4);
    /// To make or remove a name in a directory.
    pub const CHANGE_NAMES: Self = Self(3);

    /// Makes a set of the bits of `access`.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits as u8 & 7)
    }

    /// Returns what is wanted in either.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What decides about a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Facts {
    /// Returns whether it is a directory.
    pub const fn is_directory(self) -> bool {
        self.mode & TYPE == DIRECTORY
    }
}

/// It is not permitted: EACCES where bits decide, EPERM where ownership does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied;

/// Decides whether `cred` may use a file as `wanted`.
pub fn may(cred: &Cred, file: Facts, wanted: Wanted) -> Result<(), Denied> {
    let class = match () {
        () if cred.uid.fs == file.uid => file.mode >> 6,
        () if cred.in_group(file.gid) => file.mode >> 3,
        () => file.mode,
    };
    if u32::from(wanted.0) & !class == 0 {
        return Ok(());
    }
    let by_search = match file.is_directory() {
        true => !wanted.has(Wanted::WRITE),
        false => wanted == Wanted::READ,
    };
    let by_override = file.is_directory() || !wanted.has(Wanted::EXECUTE) || file.mode & 0o111 != 0;
    match by_search && cred.has(Cap::DacReadSearch) || by_override && cred.has(Cap::DacOverride) {
        true => Ok(()),
        false => Err(Denied),
    }
}

/// Decides whether `cred` may do what only an owner may: change permissions, set times.
pub fn is_owner(cred: &Cred, file: Facts) -> bool {
    cred.uid.fs == file.uid || cred.has(Cap::Fowner)
}

/// Decides whether a name in a directory may be taken from a file, as far as the directory's sticky bit
/// says (EPERM); whether names may be changed there at all is [`may`]'s.
pub fn may_take_name(cred: &Cred, directory: Facts, file: Facts) -> Result<(), Denied> {
    let sticky = directory.mode & STICKY != 0;
    let own = [directory.uid, file.uid].contains(&cred.uid.fs);
    match !sticky || own || cred.has(Cap::Fowner) {
        true => Ok(()),
        false => Err(Denied),
    }
}
