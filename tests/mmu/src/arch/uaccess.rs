//! Copies to and from the current program: there is none, its accesses are simulated one by one.
#![expect(unsafe_code, reason = "raw copies are unsafe by contract")]

/// Copies nothing and says so.
///
/// # Safety
/// As for the kernel's own.
pub unsafe fn copy_from_user_to(_to: u64, _from: u64, len: usize) -> usize {
    len
}

/// Copies nothing and says so.
///
/// # Safety
/// As for the kernel's own.
pub unsafe fn copy_to_user_from(_to: u64, _from: u64, len: usize) -> usize {
    len
}
