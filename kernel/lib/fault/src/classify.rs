//! What kind of page fault is this?
//!
//! The order of the questions is the rule (PF-3 to PF-6): the address decides first, not
//! the mode; then everything that can only be a kernel bug; then whether this is a place
//! where a fault may be handled at all, because handling one takes a lock and may sleep.

use addr::VirtAddr;
use pte::Access;

use crate::ErrorCode;

/// What is known when a page fault has been entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// The address that was accessed, from CR2.
    pub addr: VirtAddr,
    /// Why the MMU refused the access.
    pub error: ErrorCode,
    /// Whether the saved CS belongs to user mode.
    pub from_user: bool,
    /// Whether AC was set in the saved flags, which suspends SMAP.
    pub ac: bool,
    /// Whether SMAP is on.
    pub smap: bool,
    /// Whether interrupts were on, from the saved flags.
    pub interrupts_on: bool,
    /// Whether the interrupted code may sleep: it holds no spinlock, is not an interrupt
    /// handler and has not disabled faults.
    pub may_sleep: bool,
    /// Whether the task has user memory of its own; a kernel thread only borrows.
    pub has_mm: bool,
}

/// The kinds of page fault, each with its own way on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A stale translation of kernel memory, if the tables permit the access by now: then
    /// retry. If they do not, go on as for [`Class::KernelAddress`], or, with user mode
    /// interrupted, for [`Class::ImplicitSupervisor`]: the access was not the program's (PF-5).
    KernelSpuriousCandidate,
    /// An address user space can never have. User mode gets SIGSEGV with `SEGV_MAPERR`;
    /// kernel mode is fixed up if the instruction says how, else an oops (PF-4).
    KernelAddress,
    /// The CPU itself could not reach one of its tables while a user program ran: an oops,
    /// never a signal, and no fix-up (PF-2).
    ImplicitSupervisor,
    /// The kernel jumped into user memory: an oops, no fix-up.
    SupervisorFetch,
    /// A page table is corrupt: an oops.
    ReservedBit,
    /// The kernel touched user memory outside a user copy: an oops, no fix-up.
    SmapViolation,
    /// A user address where a fault cannot be handled. Kernel mode is fixed up or an oops;
    /// user mode gets SIGSEGV with `SEGV_MAPERR`.
    NoContext,
    /// A user address on behalf of the current task: find the mapping.
    User(Access),
}

/// Tells the kinds of page fault apart.
#[inline]
pub const fn classify(context: &Context) -> Class {
    if context.addr.is_user() {
        classify_user_address(context)
    } else {
        classify_kernel_address(context)
    }
}

/// Returns the error code a user program gets to see.
///
/// For a kernel address it always says "present", so that nobody can probe which kernel
/// addresses are mapped (V-KH).
pub const fn reported_error(context: &Context) -> u64 {
    let error = context.error.bits();
    if context.addr.is_user() {
        error
    } else {
        error | ErrorCode::PRESENT.bits()
    }
}

/// Classifies a fault at an address outside user space.
const fn classify_kernel_address(context: &Context) -> Class {
    if may_be_stale(context.error) {
        Class::KernelSpuriousCandidate
    } else if is_implicit_supervisor(context) {
        Class::ImplicitSupervisor
    } else {
        Class::KernelAddress
    }
}

/// Classifies a fault at an address that user space may use.
const fn classify_user_address(context: &Context) -> Class {
    let supervisor = !context.error.contains(ErrorCode::USER);
    if supervisor && context.error.contains(ErrorCode::FETCH) {
        Class::SupervisorFetch
    } else if context.error.contains(ErrorCode::RSVD) {
        Class::ReservedBit
    } else if is_implicit_supervisor(context) {
        Class::ImplicitSupervisor
    } else if supervisor && context.smap && !context.ac {
        Class::SmapViolation
    } else if !(context.may_sleep && context.has_mm && context.interrupts_on) {
        Class::NoContext
    } else {
        Class::User(context.error.access())
    }
}

/// Says whether only a right was missing and nothing else: rights can be given without a
/// flush. "Not present" is never stale, and calling it so would retry forever (PF-5).
const fn may_be_stale(error: ErrorCode) -> bool {
    let write = ErrorCode::WRITE.union(ErrorCode::PRESENT);
    let fetch = ErrorCode::FETCH.union(ErrorCode::PRESENT);
    error.bits() == write.bits() || error.bits() == fetch.bits()
}

/// Says whether the CPU made the access for itself while user mode ran.
const fn is_implicit_supervisor(context: &Context) -> bool {
    context.from_user && !context.error.contains(ErrorCode::USER)
}
