//! Bringing pages in before anybody touches them: MAP_POPULATE, mlock, MADV_POPULATE_READ and _WRITE.

use addr::{Page, PageRange};
use fault::SegvCode;
use pte::Access;
use vma::{VmFlags, Vma};

use super::Mm;
use super::backing::MapBacking;
use super::fault::{self as fault_in, FaultError};
use crate::locks::must_end;

/// Pages brought in between two turns of taking mmap_lock.
const BATCH: u64 = 256;

/// Why not all pages were brought in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PopulateError {
    /// Something in the range is not mapped.
    NotMapped,
    /// A mapping does not allow the access.
    Denied,
    /// There is no such page: beyond a file's end, or a guard.
    NoPage,
    /// No frame was free.
    OutOfMemory,
    /// The process has to end.
    Interrupted,
}

impl Mm {
    /// Brings in what a program could touch in `range`, private writable pages as if written to.
    pub fn populate_as_locked(&self, range: PageRange) -> Result<(), PopulateError> {
        self.populate_range(range, VmFlags::empty(), |vma| {
            let is_private_writable =
                vma.flags & (VmFlags::WRITE | VmFlags::SHARED) == VmFlags::WRITE;
            match is_private_writable {
                true => Access::Write,
                false => Access::Read,
            }
        })
    }

    /// Brings in `range` for `access`, as MADV_POPULATE_READ and _WRITE do.
    pub fn populate_for(&self, range: PageRange, access: Access) -> Result<(), PopulateError> {
        // Here an access needs its own right, though the processor reads what may be written.
        let needed = match access {
            Access::Write => VmFlags::WRITE,
            _ => VmFlags::READ,
        };
        self.populate_range(range, needed, |_| access)
    }

    fn populate_range(
        &self,
        range: PageRange,
        needed: VmFlags,
        access: impl Fn(&Vma<MapBacking>) -> Access,
    ) -> Result<(), PopulateError> {
        let mut at = range.start;
        while at < range.end {
            if must_end() {
                return Err(PopulateError::Interrupted);
            }
            let map = self.map.read();
            let vma = map.vmas.find(at).ok_or(PopulateError::NotMapped)?;
            let access = access(vma);
            if !vma.flags.contains(needed) {
                return Err(PopulateError::Denied);
            }
            fault::check_access(vma.flags, access, false).map_err(|_| PopulateError::Denied)?;
            let end = Page::new(at.number() + BATCH);
            for page in PageRange::new(at, end.min(range.end).min(vma.range.end)) {
                self.bring_in(vma, page, access)?;
                at = page.next();
            }
        }
        Ok(())
    }

    fn bring_in(
        &self,
        vma: &Vma<MapBacking>,
        page: Page,
        access: Access,
    ) -> Result<(), PopulateError> {
        if self.tables.entries(page).pte(page).permits(access, true) {
            return Ok(());
        }
        fault_in::populate(self, vma, page, access).map_err(|error| match error {
            FaultError::Segv(SegvCode::MapErr) | FaultError::Bus => PopulateError::NoPage,
            FaultError::Segv(SegvCode::AccErr) => PopulateError::Denied,
            FaultError::OutOfMemory => PopulateError::OutOfMemory,
        })
    }
}
