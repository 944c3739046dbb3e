//! madvise: what a program lets the kernel know or do about pages that are there (VM-12).
//!
//! The range is walked mapping by mapping. A hole is remembered and the walk goes on; a mapping for
//! which the advice makes no sense ends it.

use addr::PageRange;
use pte::Access;
use vma::{VmFlags, Vma};

use super::backing::{MapBacking, SourceError};
use super::gather::Gather;
use super::populate::PopulateError;
use super::{Mm, frame, guard, zap};

/// What is advised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// The mapping's flags change: these are set, those cleared.
    Flags {
        /// Set.
        set: VmFlags,
        /// Cleared.
        clear: VmFlags,
    },
    /// Private memory reads zero, or the file again, at the next touch; `locked` memory too.
    DontNeed {
        /// Whether locked memory is discarded as well.
        locked: bool,
    },
    /// Private anonymous memory may be thrown away until it is written to again.
    Free,
    /// The pages of a shared file go, here and for everybody (MADV_REMOVE).
    Remove,
    /// The pages will (not) be used soon: nothing to do, but not for locked memory if `evicts`.
    Hint {
        /// Whether the hint is that the pages may go.
        evicts: bool,
    },
    /// The pages are brought in.
    Populate(Access),
    /// The pages are replaced by markers that make every access fail.
    GuardInstall,
    /// Those markers go.
    GuardRemove,
}

/// Why advice was not, or only partly, taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdviseError {
    /// It makes no sense for a mapping of the range.
    Invalid,
    /// A part of the range is not mapped, or there is no memory.
    NoMemory,
    /// There are too many mappings to split one, or no memory for another.
    TooMany,
    /// The mapping must not change the file.
    Access,
    /// A page cannot be brought in: there is none.
    Fault,
    /// The process has to end.
    Interrupted,
}

type UserVma = Vma<MapBacking>;

impl Mm {
    /// Takes `advice` for `range`.
    pub fn advise(&self, range: PageRange, advice: Advice) -> Result<(), AdviseError> {
        match advice {
            Advice::Populate(access) => Ok(self.populate_for(range, access)?),
            Advice::Flags { set, clear } => self.advise_flags(range, set, clear),
            Advice::Remove => self.remove(range),
            _ => self.advise_pages(range, advice),
        }
    }

    fn advise_flags(
        &self,
        range: PageRange,
        set: VmFlags,
        clear: VmFlags,
    ) -> Result<(), AdviseError> {
        let mut map = self.map.write();
        if !map.has_room_for(map.vmas.splits_needed(range)) || !frame::can_spare(1) {
            return Err(AdviseError::TooMany);
        }
        let mut refused = false;
        let covered = map.vmas.change_flags(range, |vma| {
            refused |= !accepts_flags(vma, set, clear);
            match refused {
                true => vma.flags,
                false => vma.flags.difference(clear).union(set),
            }
        });
        match () {
            () if refused => Err(AdviseError::Invalid),
            () if covered < range.len() => Err(AdviseError::NoMemory),
            () => Ok(()),
        }
    }

    fn advise_pages(&self, range: PageRange, advice: Advice) -> Result<(), AdviseError> {
        if advice == Advice::GuardInstall {
            // Set before the first marker is there, so that fork never passes one by.
            self.map
                .write()
                .vmas
                .change_flags(range, |vma| match accepts_pages(vma, advice) {
                    true => vma.flags | VmFlags::GUARDED,
                    false => vma.flags,
                });
        }
        let map = self.map.read();
        let mut covered = 0;
        for vma in map.vmas.overlapping(range) {
            if !accepts_pages(vma, advice) {
                return Err(AdviseError::Invalid);
            }
            let part = vma
                .range
                .intersection(&range)
                .expect("an overlapping VMA overlaps");
            self.advise_part(part, advice)?;
            covered += part.len();
        }
        match covered == range.len() {
            true => Ok(()),
            false => Err(AdviseError::NoMemory),
        }
    }

    fn advise_part(&self, part: PageRange, advice: Advice) -> Result<(), AdviseError> {
        match advice {
            Advice::DontNeed { .. } => zap::discard_pages(self, part),
            Advice::Free => self.free_lazily(part),
            Advice::GuardRemove => guard::remove(self, part),
            Advice::GuardInstall => {
                guard::install(self, part).map_err(|_| AdviseError::NoMemory)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Marks pages as clean and free to go; a write makes them dirty, and so needed, again.
    fn free_lazily(&self, range: PageRange) {
        let mut gather = Gather::new(self);
        self.tables.lock().visit(range, |page, slot| {
            let pte = slot.load();
            let is_own = pte.is_anon() && pte.is_present() && frame::refs(pte.frame()) == 1;
            if is_own {
                slot.swap(pte.mklazy());
                gather.touch(page);
            }
            true
        });
        gather.finish();
    }

    /// MADV_REMOVE: punches a hole into the file, mapping by mapping, with no lock held meanwhile.
    fn remove(&self, range: PageRange) -> Result<(), AdviseError> {
        let mut at = range.start;
        while at < range.end {
            let map = self.map.read();
            let vma = map.vmas.find(at).ok_or(AdviseError::NoMemory)?;
            let part = PageRange::new(at, range.end.min(vma.range.end));
            at = part.end;
            let MapBacking::File { source, page } = &vma.backing else {
                return Err(AdviseError::Invalid);
            };
            if vma.flags.contains(VmFlags::LOCKED) {
                return Err(AdviseError::Invalid);
            }
            if !vma.flags.contains(VmFlags::SHARED | VmFlags::MAYWRITE) {
                return Err(AdviseError::Access);
            }
            let first = page + (part.start.number() - vma.range.start.number());
            let source = source.clone();
            drop(map);
            source.punch_hole(first..first + part.len())?;
        }
        Ok(())
    }
}

fn accepts_flags(vma: &UserVma, set: VmFlags, clear: VmFlags) -> bool {
    let is_private_anon = vma.backing.source().is_none() && !vma.flags.contains(VmFlags::SHARED);
    let wipes = set.contains(VmFlags::WIPEONFORK);
    let keeps = clear.contains(VmFlags::WIPEONFORK);
    !(wipes && !is_private_anon || keeps && vma.flags.contains(VmFlags::DROPPABLE))
}

fn accepts_pages(vma: &UserVma, advice: Advice) -> bool {
    let locked = vma.flags.contains(VmFlags::LOCKED);
    match advice {
        Advice::DontNeed { locked: allowed } => allowed || !locked,
        Advice::Free => !locked && vma.backing.source().is_none(),
        Advice::GuardInstall => !locked,
        Advice::Hint { evicts } => !(evicts && locked),
        _ => true,
    }
}

impl From<PopulateError> for AdviseError {
    fn from(error: PopulateError) -> Self {
        match error {
            PopulateError::NotMapped | PopulateError::OutOfMemory => Self::NoMemory,
            PopulateError::Denied => Self::Invalid,
            PopulateError::NoPage => Self::Fault,
            PopulateError::Interrupted => Self::Interrupted,
        }
    }
}

impl From<SourceError> for AdviseError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::OutOfMemory => Self::NoMemory,
            SourceError::BeyondEnd | SourceError::Unsupported => Self::Invalid,
        }
    }
}
