//! select and pselect6: three sets of descriptors, a bit for each.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::time::{Timespec, Timeval};
use abi::{Errno, SigSet};
use zerocopy::{FromBytes, IntoBytes};

use super::poll::{deadline, tell_rest, with_mask};
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::OpenFile;
use crate::fs::file::Readiness;
use crate::fs::poll;
use crate::mm::uaccess;
use crate::{process, time};

/// What each of the three sets asks for, and whether as in `select` errors and ends belong to it.
const READ: Readiness = Readiness::READABLE
    .union(Readiness::READ_BAND)
    .union(Readiness::HANG_UP)
    .union(Readiness::ERROR);
const WRITE: Readiness = Readiness::WRITABLE
    .union(Readiness::WRITE_BAND)
    .union(Readiness::ERROR);
const EXCEPT: Readiness = Readiness::URGENT;
const ASKED: [Readiness; 3] = [READ, WRITE, EXCEPT];

/// Bits in a word of a set.
const WORD: u64 = 64;

/// The mask as `pselect6` is given it.
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
struct MaskArgument {
    mask: u64,
    size: u64,
}

/// `select(count, read, write, except, timeout)`; the timeout is left with what remains of it.
pub fn select(frame: &mut TrapFrame) -> SysResult {
    let [count, read, write, except, timeout, _] = frame.args();
    let deadline = match args::read_optional::<Timeval>(timeout)? {
        None => None,
        Some(length) => Some(time::now_ns().saturating_add(length_of(length)?)),
    };
    let outcome = select_until(count, [read, write, except], deadline);
    if let Some(deadline) = deadline {
        let rest = Timeval::from_ns(deadline.saturating_sub(time::now_ns()));
        let _ = args::write(timeout, &rest);
    }
    outcome
}

/// `pselect6(count, read, write, except, timeout, mask and its size)`.
pub fn pselect6(frame: &mut TrapFrame) -> SysResult {
    let [count, read, write, except, timeout, argument] = frame.args();
    let given = args::read_optional::<MaskArgument>(argument)?;
    let (mask, size) = given.map_or((0, size_of::<SigSet>() as u64), |given| {
        (given.mask, given.size)
    });
    let deadline = deadline(timeout)?;
    let outcome = with_mask(mask, size, || {
        select_until(count, [read, write, except], deadline)
    });
    tell_rest(timeout, deadline);
    outcome
}

/// The microseconds of a `select` may be more than a second's.
fn length_of(length: Timeval) -> Result<u64, Errno> {
    let usec = length.usec;
    let carried = Timespec {
        sec: length.sec.saturating_add(usec / 1_000_000),
        nsec: usec % 1_000_000 * 1000,
    };
    carried.to_ns().ok_or(Errno::EINVAL)
}

/// One descriptor of any set.
struct Selected {
    fd: u64,
    /// What is asked for: the sets it is in.
    sets: [bool; 3],
    file: Arc<OpenFile>,
}

fn select_until(count: u64, addrs: [u64; 3], deadline: Option<u64>) -> SysResult {
    let count = u64::try_from(count as i32).map_err(|_| Errno::EINVAL)?;
    // Beyond the table there are no descriptors to ask about.
    let known = process::current().with_files(|files| files.len()) as u64;
    let count = count.min(known.next_multiple_of(WORD));
    let words = count.div_ceil(WORD) as usize;
    let mut sets = [const { Vec::new() }; 3];
    for (set, addr) in sets.iter_mut().zip(addrs) {
        *set = read_set(addr, words)?;
    }
    let selected = selected(count, &sets)?;
    let mut found = alloc::vec![[false; 3]; selected.len()];
    let files = selected
        .iter()
        .map(|selected| (&*selected.file, selected.wanted()));
    poll::wait(deadline, files, || {
        selected
            .iter()
            .zip(&mut found)
            .fold(false, |any, (selected, found)| {
                *found = selected.look();
                any | found.contains(&true)
            })
    })
    .map_err(|_| Errno::RESTART_NOHAND)?;
    let mut total = 0;
    for (which, (mut set, addr)) in sets.into_iter().zip(addrs).enumerate() {
        set.fill(0);
        for (selected, found) in selected.iter().zip(&found) {
            if found[which] {
                set[(selected.fd / WORD) as usize] |= 1 << (selected.fd % WORD);
                total += 1;
            }
        }
        if addr != 0 {
            uaccess::copy_to_user(addr, set.as_bytes())?;
        }
    }
    Ok(total)
}

fn read_set(addr: u64, words: usize) -> Result<Vec<u64>, Errno> {
    let mut set = alloc::vec![0_u64; words];
    if addr != 0 {
        let bytes = set.as_mut_bytes();
        if uaccess::copy_from_user_partial(bytes, addr) < bytes.len() {
            return Err(Errno::EFAULT);
        }
    }
    Ok(set)
}

/// Finds the descriptors below `count` that are in a set; all of them must be open.
fn selected(count: u64, sets: &[Vec<u64>; 3]) -> Result<Vec<Selected>, Errno> {
    let mut selected = Vec::new();
    for fd in 0..count {
        let sets = sets
            .each_ref()
            .map(|set| set[(fd / WORD) as usize] >> (fd % WORD) & 1 != 0);
        if sets.contains(&true) {
            let file = args::opened_file(fd)?;
            selected.push(Selected { fd, sets, file });
        }
    }
    Ok(selected)
}

impl Selected {
    fn wanted(&self) -> Readiness {
        let asked = self.sets.iter().zip(ASKED).filter(|(is_in, _)| **is_in);
        asked.fold(Readiness::empty(), |wanted, (_, asked)| wanted | asked)
    }

    /// Returns in which of its sets it stays.
    fn look(&self) -> [bool; 3] {
        let ready = self.file.file().readiness();
        core::array::from_fn(|set| self.sets[set] && ready.intersects(ASKED[set]))
    }
}
