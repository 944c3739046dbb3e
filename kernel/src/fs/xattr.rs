//! Extended attributes: names with values that programs attach to files in memory.
//!
//! Which names somebody may use depends on what comes before the first dot. Values are bounded for each file, so that
//! they cannot fill the kernel's memory.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use cred::{Cap, Wanted};

use super::caller::Caller;
use super::inode::{Inode, Kind};
use crate::mm::frame;

/// The most bytes of names and values that one file has.
const MAX_TOTAL: usize = 128 << 10;
/// The longest value.
pub const MAX_VALUE: usize = 64 << 10;
/// The longest name.
pub const MAX_NAME: usize = 255;
/// Frames that must be free besides those for a value.
const ROOM: u64 = 2;

/// A file's extended attributes.
pub type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

/// Whether an attribute has to be there already, or must not. Who asks for both gets neither.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    /// It must not be there.
    pub creates: bool,
    /// It must be there.
    pub replaces: bool,
}

/// Why an attribute is not read or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XattrError {
    /// The file system has no such attributes.
    NotSupported,
    /// The file's permissions are in the way.
    Denied,
    /// Somebody like this cannot do that, or not with such a file.
    NotPermitted,
    /// It is not there.
    NoData,
    /// It is there.
    Exists,
    /// There is no room for it.
    NoSpace,
    /// No memory.
    OutOfMemory,
}

impl Inode {
    /// Returns the value of an attribute.
    pub fn xattr(&self, caller: &Caller, name: &[u8]) -> Result<Vec<u8>, XattrError> {
        self.check_xattr(caller, name, false)?;
        let found = self.xattrs.lock().get(name).cloned();
        found.ok_or(XattrError::NoData)
    }

    /// Gives an attribute a value.
    pub fn set_xattr(
        &self,
        caller: &Caller,
        name: &[u8],
        value: &[u8],
        mode: Mode,
    ) -> Result<(), XattrError> {
        self.check_xattr(caller, name, true)?;
        if !frame::can_spare(ROOM + (value.len() >> 12) as u64) {
            return Err(XattrError::OutOfMemory);
        }
        let (name, value) = (name.to_vec(), value.to_vec());
        let old = {
            let mut all = self.xattrs.lock();
            let is_there = all.contains_key(&name);
            match mode {
                mode if mode.creates && is_there => return Err(XattrError::Exists),
                mode if mode.replaces && !is_there => return Err(XattrError::NoData),
                _ => {}
            }
            let others = all.iter().filter(|(other, _)| **other != name);
            let total: usize = others.map(|(name, value)| name.len() + value.len()).sum();
            if total + name.len() + value.len() > MAX_TOTAL {
                return Err(XattrError::NoSpace);
            }
            all.insert(name, value)
        };
        drop(old);
        self.change(|_| {});
        Ok(())
    }

    /// Removes an attribute.
    pub fn remove_xattr(&self, caller: &Caller, name: &[u8]) -> Result<(), XattrError> {
        self.check_xattr(caller, name, true)?;
        let removed = self.xattrs.lock().remove(name);
        removed.ok_or(XattrError::NoData)?;
        self.change(|_| {});
        Ok(())
    }

    /// Returns the names that the caller may see, each with a NUL behind it.
    pub fn list_xattrs(&self, caller: &Caller) -> Vec<u8> {
        let sees_all = caller.cred.has(Cap::SysAdmin);
        let mut list = Vec::new();
        for name in self.xattrs.lock().keys() {
            if sees_all || !name.starts_with(b"trusted.") {
                list.extend_from_slice(name);
                list.push(0);
            }
        }
        list
    }

    /// Decides whether the caller may read or change an attribute of this name.
    fn check_xattr(&self, caller: &Caller, name: &[u8], changes: bool) -> Result<(), XattrError> {
        if matches!(self.kind, Kind::Proc(_)) {
            return Err(XattrError::NotSupported);
        }
        let is_stored = self.cache().is_some() || self.is_directory();
        let denied = |changes| match changes {
            true => XattrError::NotPermitted,
            false => XattrError::NoData,
        };
        let has = |prefix: &[u8]| name.starts_with(prefix) && name.len() > prefix.len();
        match () {
            () if has(b"trusted.") => match caller.cred.has(Cap::SysAdmin) {
                true => Ok(()),
                false => Err(denied(changes)),
            },
            () if has(b"security.") => match !changes || caller.cred.has(Cap::SysAdmin) {
                true => Ok(()),
                false => Err(XattrError::NotPermitted),
            },
            () if has(b"user.") => {
                if !is_stored {
                    return Err(denied(changes));
                }
                let facts = self.facts();
                let sticky = facts.is_directory() && facts.mode & 0o1000 != 0;
                if changes && sticky && !cred::access::is_owner(&caller.cred, facts) {
                    return Err(XattrError::NotPermitted);
                }
                let wanted = if changes { Wanted::WRITE } else { Wanted::READ };
                caller.may(self, wanted).map_err(|_| XattrError::Denied)
            }
            () => Err(XattrError::NotSupported),
        }
    }
}
