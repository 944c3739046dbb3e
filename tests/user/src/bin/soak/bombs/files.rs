//! Bombs of files: large ones, many, with locks, without names.

use std::collections::HashSet;

use user::sys::{self, Errno};

use super::{Outcome, call, until_refused};

fn errno(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(0))
}

pub(super) fn full_disk() -> Outcome {
    use std::io::Write;
    let mut file = std::fs::File::create("large").map_err(|error| error.to_string())?;
    let some = vec![5_u8; 1 << 16];
    let outcome = until_refused(|_| file.write_all(&some).map_err(|error| errno(&error)));
    // Others can write again when it has gone.
    drop(file);
    let removed = std::fs::remove_file("large").and_then(|()| std::fs::write("small", &some));
    removed.map_err(|error| error.to_string()).and(outcome)
}

pub(super) fn many_files() -> Outcome {
    let made = until_refused(|count| {
        std::fs::write(format!("{count}"), [1_u8]).map_err(|error| errno(&error))
    })?;
    let listed: HashSet<_> = std::fs::read_dir(".")
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    if (listed.len() as u64) < made.0 {
        return Err(format!("{} of {} are listed", listed.len(), made.0));
    }
    let removed = (0..made.0).try_for_each(|count| std::fs::remove_file(format!("{count}")));
    removed.map(|()| made).map_err(|error| error.to_string())
}

pub(super) fn file_locks() -> Outcome {
    let fd = sys::call(
        libc::SYS_openat,
        [
            libc::AT_FDCWD as u64,
            c"locked".as_ptr() as u64,
            0x42,
            0o644,
        ],
    );
    let fd = fd.map_err(|errno| format!("{errno:?}"))?;
    let outcome = until_refused(|count| {
        if count == 20_000 {
            // So many are enough: Linux knows no limit.
            return Err(Errno(libc::ENOLCK));
        }
        let mut lock = [1_u64, 2 * count, 1, 0];
        call(
            libc::SYS_fcntl,
            [fd, libc::F_SETLK as u64, sys::at(&mut lock)],
        )
    });
    let _ = sys::close(fd as i32);
    outcome
}

pub(super) fn unnamed_files() -> Outcome {
    let some = vec![5_u8; 1 << 16];
    let fd = sys::call(libc::SYS_memfd_create, [c"bomb".as_ptr() as u64, 0])
        .map_err(|errno| format!("{errno:?}"))?;
    until_refused(|_| sys::write(fd as i32, some.as_ptr() as u64, 1 << 16).map(drop))
}
