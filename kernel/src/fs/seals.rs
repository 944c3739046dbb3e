//! Seals: what can never be done to a file again, by nobody (`F_ADD_SEALS`).
//!
//! Every regular file has them; but all except those that `memfd_create` makes for it begin with the
//! seal against further ones. They are added under the lock of the contents, which writers and those
//! who change the size hold when they look.
//!
//! A file that is sealed against writing has no mapping that lets anybody store to it: those that
//! exist are looked for when the seal is added, and those that are being made hold [`BeingMapped`].

use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use abi::linux::{
    F_SEAL_EXEC, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE,
};
use addr::PAGE_SIZE;
use bitflags::bitflags;

use super::file::IoError;
use super::inode::{Inode, InodeRef};
use crate::mm::rmap;

bitflags! {
    /// What a file is sealed against.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Seals: u32 {
        /// More seals.
        const SEAL = F_SEAL_SEAL;
        /// Becoming shorter.
        const SHRINK = F_SEAL_SHRINK;
        /// Becoming longer.
        const GROW = F_SEAL_GROW;
        /// Changes of its bytes.
        const WRITE = F_SEAL_WRITE;
        /// Changes of its bytes, but through mappings that there are.
        const FUTURE_WRITE = F_SEAL_FUTURE_WRITE;
        /// Becoming executable, or no longer so.
        const EXEC = F_SEAL_EXEC;
    }
}

/// Why no seal was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealError {
    /// It is sealed against that.
    Sealed,
    /// Somebody can store to it.
    Busy,
}

/// Holds the file open for a mapping that is being made; meanwhile it cannot be sealed against writing.
pub struct BeingMapped(InodeRef);

impl BeingMapped {
    /// Announces a mapping of `inode`; its seals are to be looked at afterwards.
    pub fn new(inode: &InodeRef) -> Self {
        inode.being_mapped.fetch_add(1, AcqRel);
        Self(inode.clone())
    }
}

impl Drop for BeingMapped {
    fn drop(&mut self) {
        self.0.being_mapped.fetch_sub(1, AcqRel);
    }
}

impl Inode {
    /// Returns what the file is sealed against.
    pub fn seals(&self) -> Seals {
        Seals::from_bits_retain(self.seals.load(Acquire))
    }

    pub(super) fn set_seals(&self, seals: Seals) {
        self.seals.store(seals.bits(), Release);
    }

    /// Adds seals.
    pub fn add_seals(&self, seals: Seals) -> Result<(), SealError> {
        let _contents = self.contents.lock();
        let before = self.seals();
        if before.contains(Seals::SEAL) {
            return Err(SealError::Sealed);
        }
        let mut implied = Seals::empty();
        if seals.contains(Seals::EXEC) && self.is_executable() {
            implied = Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::FUTURE_WRITE;
        }
        // Sealed first and looked at then: a mapping that is not found sees the seal.
        self.set_seals(before | seals | implied);
        let newly = seals.difference(before).contains(Seals::WRITE);
        if newly && (self.being_mapped.load(Acquire) > 0 || rmap::may_be_stored_to(self)) {
            self.set_seals(before);
            return Err(SealError::Busy);
        }
        Ok(())
    }

    /// Returns whether no new mapping may let programs store to the file.
    pub fn refuses_stores(&self) -> bool {
        self.seals().intersects(Seals::WRITE | Seals::FUTURE_WRITE)
    }

    /// Returns how many of `len` bytes may be written at `position`; `size` is the file's.
    ///
    /// A page that would reach beyond the end of a file that cannot grow is not written at all.
    pub(super) fn writable_len(&self, position: u64, len: u64, size: u64) -> Result<u64, IoError> {
        if self.refuses_stores() {
            return Err(IoError::NotPermitted);
        }
        let grows = position.saturating_add(len) > size;
        if !grows || !self.seals().contains(Seals::GROW) {
            return Ok(len);
        }
        match (size / PAGE_SIZE * PAGE_SIZE).saturating_sub(position) {
            0 => Err(IoError::NotPermitted),
            whole => Ok(whole),
        }
    }

    /// Fails where the file may not get the size `to`; now it has `from` bytes.
    pub(super) fn check_size(&self, from: u64, to: u64) -> Result<(), IoError> {
        let against = match to {
            to if to < from => Seals::SHRINK,
            to if to > from => Seals::GROW,
            _ => Seals::empty(),
        };
        match self.seals().intersects(against) {
            true => Err(IoError::NotPermitted),
            false => Ok(()),
        }
    }
}
