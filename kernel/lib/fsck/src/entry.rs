//! Whether an entry fits the mapping it lies in and the frame it shows.

use core::fmt;

use pte::{Pte, PteFlags, PteState};
use vma::VmFlags;

use crate::frame::Shown;

/// The mapping around an entry, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// What it allows.
    pub flags: VmFlags,
    /// Whether its pages come from a source: a file, or shared anonymous memory.
    pub has_source: bool,
}

/// What an entry is charged as in its address space.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Charge {
    /// Nothing: the zero page (HF-4), or no page at all.
    Nothing,
    /// A page of private memory.
    Anon,
    /// A page of a file.
    File,
    /// A page of shared anonymous memory.
    Shmem,
}

/// Why an entry cannot be right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Misfit {
    /// No mapping contains the page.
    Outside,
    /// The entry is neither empty, present nor hidden.
    Unknown,
    /// A guard marker in a mapping that got none.
    Guard,
    /// Marked as not needed, and no private page (MADV_FREE).
    NotNeeded,
    /// User mode may not use it.
    Supervisor,
    /// The CPU can use it although the mapping is `PROT_NONE`, or cannot although it is not (HF-17).
    Visibility,
    /// It allows writes, which the mapping, or what the page is, forbids.
    Writable,
    /// NX is not the opposite of the mapping's EXEC (HF-20).
    Executable,
    /// Caching or global bits that no user page has.
    CpuBits,
    /// The zero page is mapped where there must not be one, or is not the zero frame (HF-5).
    ZeroPage,
    /// A private page in a shared mapping, or in a frame that is not anonymous memory.
    NotPrivate,
    /// A source's page in a mapping without a source, or in a frame that no source owns.
    NotFromSource,
}

/// Judges the last-level entry `pte` in `mapping`, if any contains it; `shown` tells whose frame it has.
///
/// # Errors
/// The first rule that it breaks.
pub fn judge(mapping: Option<Mapping>, pte: Pte, shown: Shown) -> Result<Charge, Misfit> {
    if pte.is_none() {
        return Ok(Charge::Nothing);
    }
    let mapping = mapping.ok_or(Misfit::Outside)?;
    if pte.is_guard() {
        let expected = mapping.flags.contains(VmFlags::GUARDED);
        return expected.then_some(Charge::Nothing).ok_or(Misfit::Guard);
    }
    check_rights(mapping, pte)?;
    check_kind(mapping, pte, shown)
}

fn check_rights(mapping: Mapping, pte: Pte) -> Result<(), Misfit> {
    let visible = match pte.state() {
        PteState::Present => true,
        PteState::ProtNone => false,
        PteState::None | PteState::Special => return Err(Misfit::Unknown),
    };
    let global = pte.flags().contains(PteFlags::GLOBAL);
    let ensure = |holds: bool, misfit: Misfit| if holds { Ok(()) } else { Err(misfit) };
    ensure(pte.is_user(), Misfit::Supervisor)?;
    ensure(visible == mapping.flags.is_accessible(), Misfit::Visibility)?;
    ensure(
        !pte.is_writable() || may_write(mapping, pte),
        Misfit::Writable,
    )?;
    ensure(
        pte.executable() == mapping.flags.contains(VmFlags::EXEC),
        Misfit::Executable,
    )?;
    let odd = PteFlags::PWT | PteFlags::PCD;
    ensure(
        global != visible && !pte.flags().intersects(odd),
        Misfit::CpuBits,
    )
}

/// Whether a writable entry may be: private memory that is the mapping's own, or a shared mapping's page.
fn may_write(mapping: Mapping, pte: Pte) -> bool {
    let own = pte.is_anon() || mapping.flags.contains(VmFlags::SHARED);
    mapping.flags.contains(VmFlags::WRITE) && own && !pte.is_zero_page()
}

fn check_kind(mapping: Mapping, pte: Pte, shown: Shown) -> Result<Charge, Misfit> {
    let private = !mapping.flags.contains(VmFlags::SHARED);
    if pte.flags().contains(PteFlags::LAZY) && !pte.is_anon() {
        return Err(Misfit::NotNeeded);
    }
    match (pte.is_zero_page(), pte.is_anon()) {
        (true, anon) => {
            let fits = !anon && private && !mapping.has_source && shown == Shown::Zero;
            fits.then_some(Charge::Nothing).ok_or(Misfit::ZeroPage)
        }
        (false, true) => {
            let fits = private && shown == Shown::Anon;
            fits.then_some(Charge::Anon).ok_or(Misfit::NotPrivate)
        }
        (false, false) => match shown {
            Shown::PageCache if mapping.has_source => Ok(Charge::File),
            Shown::Anon if mapping.has_source => Ok(Charge::Shmem),
            _ => Err(Misfit::NotFromSource),
        },
    }
}

/// Says whether `entry`, of a table above the last, links a user table as it must: everything is
/// allowed, since the leaf alone decides (HF-20).
pub const fn table_entry(entry: Pte) -> bool {
    let wanted = Pte::table(entry.frame());
    (entry.raw() ^ wanted.raw()) & !PteFlags::ACCESSED.bits() == 0
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside => "lies in no mapping",
            Self::Unknown => "is neither present nor hidden",
            Self::Guard => "is a guard marker where there is none",
            Self::NotNeeded => "is marked as not needed, and is no private page's",
            Self::Supervisor => "is the supervisor's",
            Self::Visibility => {
                "is visible where the mapping is PROT_NONE, or hidden where it is not"
            }
            Self::Writable => "is writable, and must not be",
            Self::Executable => "does not have the mapping's right to execute",
            Self::CpuBits => "has bits that no user page has",
            Self::ZeroPage => "shows the zero page wrongly",
            Self::NotPrivate => "is no private page's",
            Self::NotFromSource => "is no source's page",
        })
    }
}
