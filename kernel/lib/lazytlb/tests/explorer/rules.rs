//! The rules a walk keeps: which lifetime borrowed mms have, and which rule is left out.

use lazytlb::{Counted, Lifetime, Shot};

/// How a machine is run.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) lifetime: &'static dyn Lifetime,
    pub(crate) broken: Broken,
    pub(crate) pcids: Pcids,
}

/// What the CPUs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pcids {
    None,
    /// PCIDs, but no way to drop single pages of one that is not in use.
    Plain,
    /// That way too.
    Invpcid,
}

/// Borrowers hold references (Linux on x86).
pub(crate) const COUNTED: Rules = Rules {
    lifetime: &Counted,
    broken: Broken::Nothing,
    pcids: Pcids::None,
};

/// Borrowers hold nothing, and are thrown out at the end (LZ-30).
pub(crate) const SHOT: Rules = Rules {
    lifetime: &Shot,
    broken: Broken::Nothing,
    pcids: Pcids::None,
};

impl Rules {
    pub(crate) fn with(self, pcids: Pcids) -> Self {
        Self { pcids, ..self }
    }

    pub(crate) fn without(self, broken: Broken) -> Self {
        Self { broken, ..self }
    }
}

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// Coming back to the loaded mm, generations are not compared.
    GenerationCheck,
    /// Coming back to a PCID that was the mm's, generations are not compared.
    SlotGeneration,
    /// A PCID that was another mm's is taken as it is.
    SlotRecycling,
    /// The generation is read before the lazy flag is cleared.
    LeavingLazyFirst,
    /// Becoming a borrower takes no reference.
    Grab,
    /// An exiting task takes no reference on what it goes on standing on.
    GrabAtExit,
    /// The borrow ends before CR3 is written.
    DeferredDrop,
    /// Lazy CPUs are passed by even when page tables are freed.
    LazyIpi,
    /// CPUs in the middle of a switch are passed by.
    SwitchingIpi,
    /// The CPU that tears an mm down stays on its tables.
    LeavingAtTeardown,
    /// A request is flushed selectively although others came before or after it.
    SelectiveFlush,
    /// Who asked for a flush does not wait for the answers.
    Waiting,
    /// Who waits for answers gives none meanwhile.
    AnsweringWhileWaiting,
    /// A CPU tells that it went onto an mm when it is on it, and not before.
    Announcing,
    /// The CPU's bit in the mask is not set.
    MaskBit,
    /// A CPU takes its bit out of the mask when it becomes lazy.
    StickyMask,
    /// exec lets itself be preempted between taking the new mm and loading it.
    ExecWithInterruptsOff,
    /// kthread_use_mm lets interrupts in while it loads the mm.
    UseWithInterruptsOff,
    /// A CPU goes without giving its borrowed mm back.
    OfflineGivesBack,
    /// A PML4 is freed without a look at who borrows it.
    Shooting,
}
