//! Locks on files: `flock`, and those of `fcntl`.

use abi::Errno;
use abi::file::Flock;
use abi::linux::{
    F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB,
    LOCK_SH, LOCK_UN, SEEK_CUR, SEEK_END, SEEK_SET,
};
use filelock::{BadRange, Kind, Lock, Range};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::lock::{Owner, Which};
use crate::fs::{Location, OpenFile};
use crate::process;

/// What programs called a lock that nothing ever respected.
const LOCK_MAND: u32 = 32;

/// `flock(fd, operation)`.
pub fn flock(frame: &mut TrapFrame) -> SysResult {
    let [fd, operation, ..] = frame.args();
    let operation = operation as u32;
    if operation & LOCK_MAND != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let kind = match operation & !LOCK_NB {
        LOCK_SH => Some(Kind::Shared),
        LOCK_EX => Some(Kind::Exclusive),
        LOCK_UN => None,
        _ => return Err(Errno::EINVAL),
    };
    let file = args::opened_file(fd)?;
    let flags = file.flags();
    if kind.is_some() && !flags.reads() && !flags.writes() {
        return Err(Errno::EBADF);
    }
    let location = file.location().ok_or(Errno::EINVAL)?;
    let owner = Owner::open_file(&*file);
    let range = Range::ALL;
    match kind {
        None => location.unlock(Which::Whole, owner, range)?,
        Some(kind) => {
            let lock = Lock { owner, kind, range };
            location.lock(Which::Whole, lock, operation & LOCK_NB == 0)?;
        }
    }
    Ok(0)
}

/// `F_GETLK` and `F_OFD_GETLK`: says who is in the way. `F_OFD_GETLK` for no lock says what the file itself holds.
pub(super) fn get(file: &OpenFile, command: u32, addr: u64) -> SysResult {
    let asked = args::read::<Flock>(addr)?;
    let is_open_file = command == F_OFD_GETLK;
    let kind = kind_of(asked.kind)?;
    if kind.is_none() && !is_open_file {
        return Err(Errno::EINVAL);
    }
    let location = file.location().ok_or(Errno::EINVAL)?;
    let range = range_of(file, &location, &asked)?;
    let owner = owner_of(file, is_open_file, &asked)?;
    let found = match kind {
        Some(kind) => location.conflicting_lock(Lock { owner, kind, range }),
        None => location.lock_of(owner, range),
    };
    let answer = match found {
        None => Flock {
            kind: F_UNLCK as i16,
            ..asked
        },
        Some(lock) => Flock {
            kind: match lock.kind {
                Kind::Shared => F_RDLCK as i16,
                Kind::Exclusive => F_WRLCK as i16,
            },
            whence: SEEK_SET as i16,
            start: lock.range.first.cast_signed(),
            len: lock.range.bytes().cast_signed(),
            pid: lock.owner.pid,
            ..asked
        },
    };
    args::write(addr, &answer)?;
    Ok(0)
}

/// `F_SETLK`, `F_SETLKW` and their kin.
pub(super) fn set(file: &OpenFile, command: u32, addr: u64) -> SysResult {
    let asked = args::read::<Flock>(addr)?;
    let location = file.location().ok_or(Errno::EINVAL)?;
    let range = range_of(file, &location, &asked)?;
    let kind = kind_of(asked.kind)?;
    let flags = file.flags();
    let may = match kind {
        Some(Kind::Shared) => flags.reads(),
        Some(Kind::Exclusive) => flags.writes(),
        None => true,
    };
    if !may {
        return Err(Errno::EBADF);
    }
    let of_open_file = matches!(command, F_OFD_SETLK | F_OFD_SETLKW);
    let owner = owner_of(file, of_open_file, &asked)?;
    match kind {
        None => location.unlock(Which::Ranges, owner, range)?,
        Some(kind) => {
            let waits = matches!(command, F_SETLKW | F_OFD_SETLKW);
            location.lock(Which::Ranges, Lock { owner, kind, range }, waits)?;
        }
    }
    Ok(0)
}

fn owner_of(file: &OpenFile, is_open_file: bool, asked: &Flock) -> Result<Owner, Errno> {
    match is_open_file {
        true if asked.pid != 0 => Err(Errno::EINVAL),
        true => Ok(Owner::open_file(file)),
        false => {
            let process = process::current();
            let table = process.with_files(|files| files.lock_owner());
            Ok(Owner::table(table, process.pid()))
        }
    }
}

fn kind_of(kind: i16) -> Result<Option<Kind>, Errno> {
    match kind as u32 {
        F_RDLCK => Ok(Some(Kind::Shared)),
        F_WRLCK => Ok(Some(Kind::Exclusive)),
        F_UNLCK => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

fn range_of(file: &OpenFile, location: &Location, asked: &Flock) -> Result<Range, Errno> {
    let base = match asked.whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => file.with_position(|position| *position),
        SEEK_END => location.metadata().size,
        _ => return Err(Errno::EINVAL),
    };
    let start = asked.start.checked_add(base.cast_signed());
    let range = Range::new(start.ok_or(Errno::EOVERFLOW)?, asked.len);
    range.map_err(|error| match error {
        BadRange::Negative => Errno::EINVAL,
        BadRange::TooFar => Errno::EOVERFLOW,
    })
}
