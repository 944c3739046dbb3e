//! `mprotect`'s rewrite of one entry.

use crate::{Prot, Pte, PteFlags, PteState};

impl Pte {
    /// Rewrites a user leaf for a new protection of its mapping.
    ///
    /// The frame, `ANON`, `ZERO`, accessed and dirty bits stay. Rights are taken away at
    /// once; the right to write is never given here, because the frame may be shared with
    /// a forked process or a file: the next write faults and the fault path decides (HF-18).
    /// `PROT_NONE` hides the page from the CPU and keeps it; any other protection shows it
    /// again (HF-17). An entry that holds no page is returned as it is.
    #[must_use]
    pub const fn with_prot(self, prot: Prot) -> Self {
        match self.state() {
            PteState::None | PteState::Special => return self,
            PteState::Present | PteState::ProtNone => {}
        }
        if prot.is_empty() {
            self.hide()
        } else {
            self.show().limit_to(prot)
        }
    }

    /// Makes the page unreachable for the CPU and keeps its frame.
    const fn hide(self) -> Self {
        self.without(PteFlags::PRESENT.union(PteFlags::WRITE))
            .with(PteFlags::GLOBAL.union(PteFlags::NX))
    }

    /// Undoes [`Pte::hide`]. A user page is never global, so the bit can simply go.
    const fn show(self) -> Self {
        self.without(PteFlags::GLOBAL).with(PteFlags::PRESENT)
    }

    /// Takes away the rights that `prot` lacks. Every page that is visible is readable.
    const fn limit_to(self, prot: Prot) -> Self {
        let entry = if prot.contains(Prot::WRITE) {
            self
        } else {
            self.wrprotect()
        };
        if prot.contains(Prot::EXEC) {
            entry.without(PteFlags::NX)
        } else {
            entry.with(PteFlags::NX)
        }
    }
}
