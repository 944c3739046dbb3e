//! Resource limits.
//!
//! Enforced are the numbers of descriptors, processes and waiting signals, CPU time, sizes of files, how far priorities may be raised, and, by mm, which is
//! told: stack, data, address space. Others bound things that this kernel does not have, and are kept as they are set.

use abi::Signal;
use abi::linux::{
    RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_NICE, RLIMIT_NOFILE,
    RLIMIT_NPROC, RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
};
use abi::process::Rlimit;

use cred::Cap;

use super::fork::CloneError;
use super::signal;
use super::{creds, current, tree};
use crate::fs::size_limit::{self, Limit};
use crate::mm::mm_struct::MmLimits;
use crate::task;

/// How many resources have limits.
const COUNT: usize = 16;
/// Default number of descriptors, and how far it may be raised.
const OPEN_FILES: Rlimit = Rlimit::new(1024, 4096);
/// Default size of the stack.
const STACK: Rlimit = Rlimit::new(crate::mm::mm_struct::DEFAULT_STACK_LIMIT, Rlimit::INFINITY);

/// Default number of signals that wait with what is known about them.
const SIGNALS: Rlimit = Rlimit::new(sigstate::queue::LIMIT as u64, sigstate::queue::LIMIT as u64);

/// The limits of a process.
#[derive(Clone)]
pub struct Limits([Rlimit; COUNT]);

/// Why a limit was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitError {
    /// There is no such resource, or the limit lies above its own maximum.
    Invalid,
    /// This kernel could not enforce it.
    NotEnforced,
    /// More descriptors than a table may have.
    NotAllowed,
}

/// Says whether the current user may have one more process or thread (`RLIMIT_NPROC`).
pub fn check_number_of_processes() -> Result<(), CloneError> {
    let limit = current().with_limits(|limits| limits.soft(RLIMIT_NPROC));
    let cred = creds::cred();
    let excepted = cred.uid.real == 0 || cred.has(Cap::SysResource) || cred.has(Cap::SysAdmin);
    if excepted || limit == Rlimit::INFINITY {
        return Ok(());
    }
    // Who has ended counts until it is waited for: it takes memory as well.
    let mut count = 0;
    tree::for_members(
        |_, _| true,
        |process, _| {
            if process.uid() == cred.uid.real {
                count += process.threads().max(1) as u64;
            }
        },
    );
    match count < limit {
        true => Ok(()),
        false => Err(CloneError::TooMany),
    }
}

/// Tells files how long they may become.
pub(super) fn init() {
    size_limit::set(Limit {
        bytes: || {
            if !task::current::exists() || super::thread::thread_of(&task::current()).is_none() {
                return u64::MAX;
            }
            super::current().with_limits(|limits| limits.soft(RLIMIT_FSIZE))
        },
        exceeded: || signal::raise(Signal::XFSZ),
    });
}

impl Limits {
    /// The limits that init starts with.
    pub const fn new() -> Self {
        let mut limits = [Rlimit::new(Rlimit::INFINITY, Rlimit::INFINITY); COUNT];
        limits[RLIMIT_NOFILE as usize] = OPEN_FILES;
        limits[RLIMIT_STACK as usize] = STACK;
        limits[RLIMIT_CORE as usize] = Rlimit::new(0, Rlimit::INFINITY);
        limits[RLIMIT_SIGPENDING as usize] = SIGNALS;
        limits[RLIMIT_NICE as usize] = Rlimit::new(0, 0);
        limits[RLIMIT_RTPRIO as usize] = Rlimit::new(0, 0);
        Self(limits)
    }

    /// Returns one limit; `None` if there is no such resource.
    pub fn get(&self, resource: u64) -> Option<Rlimit> {
        self.0.get(usize::try_from(resource).ok()?).copied()
    }

    /// Changes one limit; raises what it may be at most only if the caller `may_raise` it.
    pub fn set(&mut self, resource: u64, new: Rlimit, may_raise: bool) -> Result<(), LimitError> {
        let old = self.get(resource).ok_or(LimitError::Invalid)?;
        if new.current > new.maximum {
            return Err(LimitError::Invalid);
        }
        let raises = new.maximum > old.maximum && !may_raise;
        let resource = resource as u32;
        if raises || resource == RLIMIT_NOFILE && new.maximum > OPEN_FILES.maximum {
            return Err(LimitError::NotAllowed);
        }
        // How long a thread with a real-time policy runs is not watched.
        if resource == RLIMIT_RTTIME && new != old {
            return Err(LimitError::NotEnforced);
        }
        self.0[resource as usize] = new;
        Ok(())
    }

    /// The CPU time of the limit in force is over: it is told again a second later.
    pub fn raise_cpu(&mut self) {
        let limit = &mut self.0[RLIMIT_CPU as usize];
        limit.current = limit.current.saturating_add(1);
    }

    /// Returns the limit in force of a resource that there is.
    pub fn soft(&self, resource: u32) -> u64 {
        self.0[resource as usize].current
    }

    /// Returns how many descriptors the process may have.
    pub fn open_files(&self) -> u64 {
        self.0[RLIMIT_NOFILE as usize].current
    }

    /// Returns how large the stack may grow.
    pub fn stack(&self) -> u64 {
        self.0[RLIMIT_STACK as usize].current
    }

    /// Returns the limits that mm enforces.
    pub fn mm(&self) -> MmLimits {
        MmLimits {
            stack: self.stack(),
            data: self.0[RLIMIT_DATA as usize].current,
            data_hard: self.0[RLIMIT_DATA as usize].maximum,
            address_space: self.0[RLIMIT_AS as usize].current,
            // Everybody is root, which may lock memory without limit.
            locked: None,
        }
    }
}
