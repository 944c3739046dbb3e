//! Does a mapping allow an access?

use pte::Access;
use vma::VmFlags;

/// The `si_code` of a SIGSEGV for a page fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum SegvCode {
    /// `SEGV_MAPERR`: nothing is mapped there.
    MapErr = 1,
    /// `SEGV_ACCERR`: something is mapped there and does not allow the access.
    AccErr = 2,
}

/// Checks an access against the mapping it hit; `present` is the error code's bit (PF-9).
///
/// A read needs any right at all, because every page that is visible is readable. A read
/// or a fetch that a present entry refused cannot be helped by another entry, so it fails;
/// a fetch of an absent page passes here, brings the page in and fails when it comes back.
/// Whoever gives the right to execute must therefore flush: a fault on a stale NX
/// translation would end here.
///
/// # Errors
/// Always [`SegvCode::AccErr`].
pub const fn check_access(flags: VmFlags, access: Access, present: bool) -> Result<(), SegvCode> {
    let allowed = match access {
        Access::Write => flags.contains(VmFlags::WRITE),
        Access::Read | Access::Fetch => !present && flags.is_accessible(),
    };
    if allowed {
        Ok(())
    } else {
        Err(SegvCode::AccErr)
    }
}
