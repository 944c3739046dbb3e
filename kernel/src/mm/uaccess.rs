//! Copies between the kernel and the current program.
//!
//! Every address a program passes goes through here. The range is checked against the user half
//! first (a kernel or wrapping address never reaches an instruction), then the copy runs with the
//! exception table behind it: whatever faults and cannot be repaired ends the copy, not the kernel
//! (PF-14). Such a copy may sleep and counts as taking mmap_lock: no spin lock is held.
//!
//! A task without an mm of its own has no user memory, even while CR3 shows somebody's: its copies are refused
//! before they begin (I-8).

use alloc::vec::Vec;
use core::mem::MaybeUninit;
use core::ops::Range;

use addr::Frame;
use zerocopy::{FromBytes, IntoBytes};

use super::counters::USER_COPIES_REFUSED;
use super::physmap;
use crate::arch::uaccess::{self as raw, StringCopy};
use crate::locks;

/// An address that a program passed is not readable, or not writable, to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Efault;

/// Why a string could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CstrError {
    /// Part of it is not readable.
    Fault,
    /// No NUL within the length allowed.
    TooLong,
}

/// Writes `from` to user address `to`; on failure a part may have been written.
pub fn copy_to_user(to: u64, from: &[u8]) -> Result<(), Efault> {
    if copy_to_user_partial(to, from) == from.len() {
        Ok(())
    } else {
        Err(Efault)
    }
}

/// Fills as much of `to` as is readable at `from` and returns how many bytes that was (PF-15).
pub fn copy_from_user_partial(to: &mut [u8], from: u64) -> usize {
    if !may_copy() {
        return 0;
    }
    to.len() - raw::copy_from_user(to, from)
}

/// Writes as much of `from` as is writable at `to` and returns how many bytes that was.
pub fn copy_to_user_partial(to: u64, from: &[u8]) -> usize {
    if !may_copy() {
        return 0;
    }
    from.len() - raw::copy_to_user(to, from)
}

/// Fills the bytes `within` of a frame from user memory and returns how many there were.
///
/// The caller has a reference to the frame, and no lock that a fault needs.
pub fn copy_from_user_to_frame(frame: Frame, within: Range<usize>, from: u64) -> usize {
    if !may_copy() {
        return 0;
    }
    within.len() - physmap::copy_from_user(frame, within, from)
}

/// Writes the bytes `within` of a frame to user memory and returns how many were written.
///
/// The caller has a reference to the frame, and no lock that a fault needs.
pub fn copy_frame_to_user(to: u64, frame: Frame, within: Range<usize>) -> usize {
    if !may_copy() {
        return 0;
    }
    within.len() - physmap::copy_to_user(to, frame, within)
}

/// Fills the bytes `within` of frames that follow each other from user memory and returns how many there were.
///
/// The caller has references to the frames, and no lock that a fault needs.
#[inline]
pub fn copy_from_user_to_run(first: Frame, within: Range<usize>, from: u64) -> usize {
    if !may_copy() {
        return 0;
    }
    within.len() - physmap::copy_run_from_user(first, within, from)
}

/// Writes the bytes `within` of frames that follow each other to user memory and returns how many were written.
///
/// The caller has references to the frames, and no lock that a fault needs.
#[inline]
pub fn copy_run_to_user(to: u64, first: Frame, within: Range<usize>) -> usize {
    if !may_copy() {
        return 0;
    }
    within.len() - physmap::copy_run_to_user(to, first, within)
}

/// Zeroes user memory and returns how many bytes were.
pub fn clear_user(to: u64, len: u64) -> u64 {
    if !may_copy() {
        return 0;
    }
    len - raw::clear_user(to, len as usize) as u64
}

/// Reads one value.
#[inline]
pub fn read_user<T: FromBytes>(from: u64) -> Result<T, Efault> {
    if !may_copy() {
        return Err(Efault);
    }
    raw::read(from).ok_or(Efault)
}

/// As [`read_user`], to a place that the caller has: a large value is not moved.
#[inline]
pub fn read_user_into<T: FromBytes>(
    place: &mut MaybeUninit<T>,
    from: u64,
) -> Result<&mut T, Efault> {
    if !may_copy() {
        return Err(Efault);
    }
    raw::read_into(place, from).ok_or(Efault)
}

/// Reads four words at once.
#[inline]
pub fn read_words(from: u64) -> Result<[u64; 4], Efault> {
    if !may_copy() {
        return Err(Efault);
    }
    raw::read_words(from).ok_or(Efault)
}

/// Writes one value.
pub fn write_user<T: IntoBytes + zerocopy::Immutable>(to: u64, value: &T) -> Result<(), Efault> {
    copy_to_user(to, value.as_bytes())
}

/// Reads a NUL-terminated string of at most `max` bytes without the NUL.
pub fn read_cstr(from: u64, max: usize) -> Result<Vec<u8>, CstrError> {
    const STEP: usize = 256;
    if !may_copy() {
        return Err(CstrError::Fault);
    }
    let mut string = Vec::new();
    while string.len() <= max {
        let at = from
            .checked_add(string.len() as u64)
            .ok_or(CstrError::Fault)?;
        let mut piece = [0; STEP];
        match raw::copy_string_from_user(&mut piece, at) {
            StringCopy::Terminated(end) if string.len() + end <= max => {
                string.extend_from_slice(&piece[..end]);
                return Ok(string);
            }
            StringCopy::Terminated(_) => return Err(CstrError::TooLong),
            StringCopy::Full => string.extend_from_slice(&piece),
            StringCopy::Fault(_) => return Err(CstrError::Fault),
        }
    }
    Err(CstrError::TooLong)
}

/// Whether the current task may copy at all: it can sleep, and has user memory.
#[inline]
fn may_copy() -> bool {
    locks::assert_may_sleep();
    let may = locks::has_user_memory();
    if !may {
        USER_COPIES_REFUSED.inc();
    }
    may
}
