//! Who somebody is, and what that permits with files.
//!
//! A [`Cred`] is made once and not changed afterwards: whoever changes ids makes a new one, so that a
//! decision always sees ids, groups and capabilities that belong together.
//!
//! Reading order: [`caps`], this file, [`access`] (may somebody read, write, search, delete), [`change`]
//! (whose a new file is, what `chmod` and `chown` may do and leave), [`setid`] (how ids change), [`program`]
//! (exec, and whom one may reach).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod access;
pub mod caps;
pub mod change;
pub mod program;
pub mod setid;

use alloc::sync::Arc;

pub use access::{Denied, Facts, Wanted, may};
pub use caps::{Cap, CapSet, Caps};

/// The user ids, or the group ids, of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ids {
    /// Who started the program.
    pub real: u32,
    /// Whose rights it has.
    pub effective: u32,
    /// What the effective one may be set back to.
    pub saved: u32,
    /// What decides about files; it follows the effective one.
    pub fs: u32,
}

impl Ids {
    /// Four times the same.
    pub const fn all(id: u32) -> Self {
        Self {
            real: id,
            effective: id,
            saved: id,
            fs: id,
        }
    }
}

/// Whether a change of ids leaves capabilities alone, as `securebits` says: `SECBIT_NO_SETUID_FIXUP`.
pub const NO_SETUID_FIXUP: u32 = 1 << 2;

/// Who somebody is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cred {
    /// User ids.
    pub uid: Ids,
    /// Group ids.
    pub gid: Ids,
    /// Supplementary groups, in ascending order.
    pub groups: Arc<[u32]>,
    /// Capabilities.
    pub caps: Caps,
    /// `SECBIT_*`.
    pub securebits: u32,
}

impl Cred {
    /// Makes root as the machine begins: all ids 0, no groups, every capability.
    pub fn root() -> Self {
        Self {
            uid: Ids::all(0),
            gid: Ids::all(0),
            groups: Arc::new([]),
            caps: Caps::ROOT,
            securebits: 0,
        }
    }

    /// Makes a user without capabilities.
    pub fn user(uid: u32, gid: u32, groups: &[u32]) -> Self {
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        Self {
            uid: Ids::all(uid),
            gid: Ids::all(gid),
            groups: groups.into(),
            caps: Caps::USER,
            securebits: 0,
        }
    }

    /// Returns whether a capability is in effect.
    pub fn has(&self, cap: Cap) -> bool {
        self.caps.effective.contains(cap)
    }

    /// Returns whether files of the group `gid` count as the own group's.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid.fs == gid || self.groups.binary_search(&gid).is_ok()
    }

    /// Returns whether the group `gid` is the effective one or a supplementary one.
    pub fn in_effective_group(&self, gid: u32) -> bool {
        self.gid.effective == gid || self.groups.binary_search(&gid).is_ok()
    }

    /// Returns who `access` asks for: the real ids, with the capabilities that they would have.
    pub fn for_access(&self) -> Self {
        let mut real = self.clone();
        real.uid.fs = self.uid.real;
        real.gid.fs = self.gid.real;
        if self.securebits & NO_SETUID_FIXUP == 0 {
            real.caps.effective = match self.uid.real {
                0 => self.caps.permitted,
                _ => CapSet::EMPTY,
            };
        }
        real
    }
}
