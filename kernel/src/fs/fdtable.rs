//! Descriptors: small numbers that stand for open files.
//!
//! Each process has a table of its own; fork copies it, and the copies share the open files. The
//! lowest free number is always given out first. Removed files are returned to the caller, who
//! drops them when no spin lock is held: the last reference of a pipe's end wakes the other.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::file::OpenFile;
use super::lock;
use crate::mm::frame;

/// A process's descriptors.
#[derive(Default)]
pub struct FdTable {
    slots: Vec<Option<Slot>>,
    /// Its number as an owner of locks on files; 0 as long as it has none.
    owner: u64,
}

/// A copy holds no locks.
impl Clone for FdTable {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            owner: 0,
        }
    }
}

/// Locks on files go with the first descriptor that is closed.
impl Drop for FdTable {
    fn drop(&mut self) {
        for slot in self.slots.iter().flatten() {
            slot.file.release_locks(self.owner);
        }
    }
}

#[derive(Clone)]
struct Slot {
    file: Arc<OpenFile>,
    close_on_exec: bool,
}

/// Why there is no descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FdError {
    /// All numbers below the limit are taken, or the number wanted is not below it.
    LimitReached,
    /// No memory for a larger table.
    OutOfMemory,
}

/// A file that got no number. It is to be dropped where no table is locked.
pub struct Refused {
    /// Why.
    pub why: FdError,
    _file: Arc<OpenFile>,
}

fn kernel_has_room() -> Result<(), FdError> {
    match frame::can_spare(1) {
        true => Ok(()),
        false => Err(FdError::OutOfMemory),
    }
}

impl FdTable {
    /// Makes an empty table.
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            owner: 0,
        }
    }

    /// Returns its number as an owner of locks on files.
    pub fn lock_owner(&mut self) -> u64 {
        if self.owner == 0 {
            self.owner = lock::new_table();
        }
        self.owner
    }

    /// Gives a file back whose descriptor has gone, and the locks on it with it.
    fn closed(&self, slot: Slot) -> Arc<OpenFile> {
        slot.file.release_locks(self.owner);
        slot.file
    }

    /// Returns a number above all descriptors.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns the file that `fd` stands for.
    #[inline]
    pub fn get(&self, fd: i32) -> Option<Arc<OpenFile>> {
        self.slot(fd).map(|slot| slot.file.clone())
    }

    /// Returns the lowest descriptor at or above `from` that stands for something.
    pub fn next(&self, from: i32) -> Option<i32> {
        let from = usize::try_from(from).ok()?;
        let rest = self.slots.get(from..)?;
        rest.iter()
            .position(Option::is_some)
            .map(|at| (from + at) as i32)
    }

    /// Gives `file` the lowest free number from `from` on that is below `limit`.
    ///
    /// Whatever a program opens it has a number for: here those are refused whose files the kernel has no memory to keep.
    pub fn insert(
        &mut self,
        file: Arc<OpenFile>,
        close_on_exec: bool,
        from: usize,
        limit: u64,
    ) -> Result<i32, Refused> {
        let free = self.slots.iter().skip(from).position(Option::is_none);
        let fd = free.map_or(self.slots.len().max(from), |free| from + free);
        let room = self.make_room(fd, limit);
        if let Err(why) = room.and_then(|()| kernel_has_room()) {
            return Err(Refused { why, _file: file });
        }
        self.slots[fd] = Some(Slot {
            file,
            close_on_exec,
        });
        Ok(fd as i32)
    }

    /// Makes `fd` stand for `file`; returns the file it stood for before.
    pub fn replace(
        &mut self,
        fd: i32,
        file: Arc<OpenFile>,
        close_on_exec: bool,
        limit: u64,
    ) -> Result<Option<Arc<OpenFile>>, Refused> {
        let index = usize::try_from(fd).unwrap_or(usize::MAX);
        if let Err(why) = self.make_room(index, limit) {
            return Err(Refused { why, _file: file });
        }
        let old = self.slots[index].replace(Slot {
            file,
            close_on_exec,
        });
        Ok(old.map(|slot| self.closed(slot)))
    }

    /// Frees `fd` and returns the file it stood for.
    pub fn remove(&mut self, fd: i32) -> Option<Arc<OpenFile>> {
        let index = usize::try_from(fd).ok()?;
        let slot = self.slots.get_mut(index)?.take()?;
        Some(self.closed(slot))
    }

    /// Returns whether exec closes `fd`; `None` if it stands for nothing.
    pub fn closes_on_exec(&self, fd: i32) -> Option<bool> {
        self.slot(fd).map(|slot| slot.close_on_exec)
    }

    /// Sets whether exec closes `fd`; returns false if it stands for nothing.
    pub fn set_close_on_exec(&mut self, fd: i32, close_on_exec: bool) -> bool {
        let slot = usize::try_from(fd)
            .ok()
            .and_then(|index| self.slots.get_mut(index)?.as_mut());
        slot.map(|slot| slot.close_on_exec = close_on_exec)
            .is_some()
    }

    /// Takes out what exec closes.
    pub fn take_close_on_exec(&mut self) -> Vec<Arc<OpenFile>> {
        let closing = self
            .slots
            .iter_mut()
            .filter(|slot| slot.as_ref().is_some_and(|slot| slot.close_on_exec));
        let closed: Vec<Slot> = closing.filter_map(Option::take).collect();
        closed.into_iter().map(|slot| self.closed(slot)).collect()
    }

    #[inline]
    fn slot(&self, fd: i32) -> Option<&Slot> {
        self.slots.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    fn make_room(&mut self, index: usize, limit: u64) -> Result<(), FdError> {
        if index as u64 >= limit {
            return Err(FdError::LimitReached);
        }
        if index >= self.slots.len() {
            let more = index + 1 - self.slots.len();
            self.slots
                .try_reserve(more)
                .map_err(|_| FdError::OutOfMemory)?;
            self.slots.resize_with(index + 1, || None);
        }
        Ok(())
    }
}
