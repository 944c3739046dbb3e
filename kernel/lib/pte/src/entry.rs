//! The entry as a value: frame, flags and its small rewrites.

use core::fmt;

use addr::{Frame, PAGE_SHIFT};

use crate::PteFlags;

/// The bits of an entry that hold the frame number: 12 to 51.
const FRAME_MASK: u64 = ((1 << 52) - 1) & !((1 << PAGE_SHIFT) - 1);

/// An entry of a page table, of any level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Pte(u64);

/// What an entry stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PteState {
    /// Nothing was ever here, or it was taken away.
    None,
    /// The CPU may use the entry.
    Present,
    /// The page is here, but `PROT_NONE` hides it from the CPU (HF-17).
    ProtNone,
    /// Not present, not empty and not hidden: the guard marker, and nothing else.
    Special,
}

impl Pte {
    /// The entry that maps nothing.
    pub const EMPTY: Self = Self(0);

    /// The marker that makes every access fail although the mapping allows it
    /// (`MADV_GUARD_INSTALL`). It holds no frame.
    pub const GUARD: Self = Self(PteFlags::LAZY.bits());

    /// Wraps the bits of an entry; nothing is checked.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// Makes an entry for `frame`.
    ///
    /// # Panics
    /// In debug builds, if the frame number does not fit into an entry.
    pub const fn new(frame: Frame, flags: PteFlags) -> Self {
        debug_assert!(
            frame.number() < Frame::END.number(),
            "no page-table entry can hold this frame number"
        );
        Self(frame.start().as_u64() & FRAME_MASK | flags.bits())
    }

    /// Makes the entry that links a lower table of the user half.
    ///
    /// It allows everything: the leaf alone decides (HF-20).
    pub const fn table(frame: Frame) -> Self {
        let flags = PteFlags::PRESENT
            .union(PteFlags::WRITE)
            .union(PteFlags::USER)
            .union(PteFlags::ACCESSED);
        Self::new(frame, flags)
    }

    /// Makes the entry that links a lower table of the kernel half (KH-4: never for users).
    pub const fn kernel_table(frame: Frame) -> Self {
        Self::table(frame).without(PteFlags::USER)
    }

    /// Returns the bits as the CPU sees them.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Returns the frame number field, meaningful unless the entry is empty.
    pub const fn frame(self) -> Frame {
        Frame::new((self.0 & FRAME_MASK) >> PAGE_SHIFT)
    }

    /// Returns the known bits beside the frame number.
    pub const fn flags(self) -> PteFlags {
        PteFlags::from_bits_truncate(self.0)
    }

    /// Tells the states of an entry apart.
    pub const fn state(self) -> PteState {
        if self.is_none() {
            PteState::None
        } else if self.is_present() {
            PteState::Present
        } else if self.is_prot_none() {
            PteState::ProtNone
        } else {
            PteState::Special
        }
    }

    /// Says whether the entry is empty. This is not the opposite of "present".
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Says whether the CPU may use the entry.
    pub const fn is_present(self) -> bool {
        self.has(PteFlags::PRESENT)
    }

    /// Says whether the entry keeps a page that `PROT_NONE` hides from the CPU.
    pub const fn is_prot_none(self) -> bool {
        !self.is_present() && self.has(PteFlags::GLOBAL)
    }

    /// Says whether this is the guard marker.
    pub const fn is_guard(self) -> bool {
        self.0 == Self::GUARD.0
    }

    /// Says whether the page may be thrown away as long as it is clean.
    pub const fn is_lazy(self) -> bool {
        self.is_present() && self.has(PteFlags::LAZY)
    }

    /// Says whether the page waits for every CPU to forget the one whose place it took.
    pub const fn is_settling(self) -> bool {
        self.has(PteFlags::SETTLING)
    }

    /// Says whether writes are allowed.
    pub const fn is_writable(self) -> bool {
        self.has(PteFlags::WRITE)
    }

    /// Says whether user mode may use the entry.
    pub const fn is_user(self) -> bool {
        self.has(PteFlags::USER)
    }

    /// Says whether the CPU has written through the entry.
    pub const fn is_dirty(self) -> bool {
        self.has(PteFlags::DIRTY)
    }

    /// Says whether the CPU has used the entry.
    pub const fn is_accessed(self) -> bool {
        self.has(PteFlags::ACCESSED)
    }

    /// Says whether an entry of an upper level maps a large page.
    pub const fn is_huge(self) -> bool {
        self.has(PteFlags::HUGE)
    }

    /// Says whether the frame belongs to anonymous memory.
    pub const fn is_anon(self) -> bool {
        self.has(PteFlags::ANON)
    }

    /// Says whether the frame is the shared zero frame.
    pub const fn is_zero_page(self) -> bool {
        self.has(PteFlags::ZERO)
    }

    /// Says whether instructions may be fetched.
    pub const fn executable(self) -> bool {
        !self.has(PteFlags::NX)
    }

    /// Returns the entry of level 2 that maps a large page with the rights of this leaf.
    #[must_use]
    pub const fn large(self) -> Self {
        self.with(PteFlags::HUGE)
    }

    /// Returns the leaf that maps small page `number` (0 to 511) of this large page.
    ///
    /// # Panics
    /// In debug builds, if there is no such page or the entry maps no large page.
    #[must_use]
    pub const fn small(self, number: u64) -> Self {
        debug_assert!(number < 512 && self.is_huge());
        Self(self.without(PteFlags::HUGE).0 + (number << PAGE_SHIFT))
    }

    /// Forbids writes.
    #[must_use]
    pub const fn wrprotect(self) -> Self {
        self.without(PteFlags::WRITE)
    }

    /// Allows writes; only for a caller that knows the frame is the mapping's own.
    #[must_use]
    pub const fn mkwrite(self) -> Self {
        self.with(PteFlags::WRITE)
    }

    /// Forbids writes until every CPU has forgotten the page whose place this one takes.
    #[must_use]
    pub const fn mksettling(self) -> Self {
        self.wrprotect().with(PteFlags::SETTLING)
    }

    /// Marks the page as written.
    #[must_use]
    pub const fn mkdirty(self) -> Self {
        self.with(PteFlags::DIRTY)
    }

    /// Marks the page as not written since.
    #[must_use]
    pub const fn mkclean(self) -> Self {
        self.without(PteFlags::DIRTY)
    }

    /// Lets the page be thrown away until it is written to again.
    #[must_use]
    pub const fn mklazy(self) -> Self {
        self.mkclean().with(PteFlags::LAZY)
    }

    /// Marks the page as needed.
    #[must_use]
    pub const fn mkneeded(self) -> Self {
        self.without(PteFlags::LAZY).mkdirty()
    }

    /// Takes back [`Pte::mklazy`], if it was said.
    #[must_use]
    pub const fn mkneeded_if_lazy(self) -> Self {
        if self.has(PteFlags::LAZY) {
            self.mkneeded()
        } else {
            self
        }
    }

    /// Marks the page as used.
    #[must_use]
    pub const fn mkyoung(self) -> Self {
        self.with(PteFlags::ACCESSED)
    }

    /// Marks the page as not used since.
    #[must_use]
    pub const fn mkold(self) -> Self {
        self.without(PteFlags::ACCESSED)
    }

    /// Says whether all of `flags` are set.
    pub(crate) const fn has(self, flags: PteFlags) -> bool {
        self.0 & flags.bits() == flags.bits()
    }

    /// Sets `flags`.
    pub(crate) const fn with(self, flags: PteFlags) -> Self {
        Self(self.0 | flags.bits())
    }

    /// Clears `flags`.
    pub(crate) const fn without(self, flags: PteFlags) -> Self {
        Self(self.0 & !flags.bits())
    }
}

impl fmt::Debug for Pte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state() {
            PteState::None => f.write_str("Pte(none)"),
            state => write!(f, "Pte({state:?} {:?} {})", self.frame(), Names(*self)),
        }
    }
}

impl fmt::LowerHex for Pte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// Shows the names of an entry's flags, joined by `|`.
struct Names(Pte);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(&self.0.flags(), f)
    }
}
