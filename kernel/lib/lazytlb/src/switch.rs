//! The four rows of the context switch (LZ-1 … LZ-3).
//!
//! | prev → next | CR3 | the reference that keeps the PML4 |
//! |---|---|---|
//! | kernel → kernel | lazy | moves from prev to next |
//! | user → kernel | lazy | next grabs one of prev's mm |
//! | kernel → user | switch | prev's is dropped, after the switch |
//! | user → user | switch | – |

/// What a context switch does to address spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MmSwitch {
    /// Both borrow: the borrowed reference moves on.
    KernelToKernel,
    /// A user task is left: its mm is borrowed.
    UserToKernel,
    /// A borrow ends.
    KernelToUser,
    /// Nobody borrows.
    UserToUser,
}

impl MmSwitch {
    /// Picks the row. "Has an mm" means one of its own, so that an exiting task that has given its
    /// mm up counts as kernel (LZ-1).
    pub const fn plan(prev_has_mm: bool, next_has_mm: bool) -> Self {
        match (prev_has_mm, next_has_mm) {
            (false, false) => Self::KernelToKernel,
            (true, false) => Self::UserToKernel,
            (false, true) => Self::KernelToUser,
            (true, true) => Self::UserToUser,
        }
    }

    /// Says whether the CPU becomes lazy, with no CR3 write.
    pub const fn enters_lazy(self) -> bool {
        !self.switches()
    }

    /// Says whether next takes a new reference on prev's mm.
    pub const fn grabs(self) -> bool {
        matches!(self, Self::UserToKernel)
    }

    /// Says whether next takes over prev's borrowed reference.
    pub const fn transfers(self) -> bool {
        matches!(self, Self::KernelToKernel)
    }

    /// Says whether prev's borrowed reference is dropped when the switch is over: by then CR3 is
    /// off that mm, and no lock of the scheduler is held (LZ-3).
    pub const fn drops_later(self) -> bool {
        matches!(self, Self::KernelToUser)
    }

    /// Says whether next's mm is put to use, see [`plan_load`](crate::plan_load).
    pub const fn switches(self) -> bool {
        matches!(self, Self::KernelToUser | Self::UserToUser)
    }
}
