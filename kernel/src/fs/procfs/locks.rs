//! `/proc/locks`: the locks on files.

use core::fmt::{self, Write};

use filelock::{Kind, Range};

use super::registry::{What, register};
use crate::fs::lock::Which;
use crate::fs::reclaim;

/// Adds the file.
pub(super) fn init() {
    register("locks", What::Text(locks));
}

fn locks(out: &mut dyn Write) -> fmt::Result {
    let mut number = 0;
    let mut written = Ok(());
    reclaim::for_each_file(|inode| {
        inode.each_lock(|which, lock| {
            number += 1;
            let style = match (which, lock.owner.pid) {
                (Which::Whole, _) => "FLOCK ",
                (Which::Ranges, -1) => "OFDLCK",
                (Which::Ranges, _) => "POSIX ",
            };
            let kind = match lock.kind {
                Kind::Shared => "READ ",
                Kind::Exclusive => "WRITE",
            };
            let dev = inode.fs.dev;
            let head = format_args!(
                "{number}: {style} ADVISORY  {kind} {} {:02x}:{:02x}:{} {} ",
                lock.owner.pid,
                dev >> 8,
                dev & 0xff,
                inode.ino,
                lock.range.first
            );
            let end = match lock.range.last {
                Range::END => writeln!(out, "{head}EOF"),
                last => writeln!(out, "{head}{last}"),
            };
            written = written.and(end);
        });
        written.is_ok()
    });
    written
}
