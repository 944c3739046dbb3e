//! `mremap`: every pair of lengths at every address, in place, free to move, and to fixed places.

use user::mem::PAGE;

use crate::cell::{ARENA, Cells, END, KERNEL};
use crate::memory::addresses;

const LENGTHS: &[u64] = &[
    0,
    1,
    PAGE,
    2 * PAGE,
    5 * PAGE,
    1 << 47,
    PAGE.wrapping_neg(),
    u64::MAX,
];

/// Prints all lines.
pub(crate) fn print() {
    let cells = match Cells::new() {
        Ok(cells) => cells,
        Err(errno) => return println!("the arena cannot be made: {errno:?}"),
    };
    for (what, addr) in addresses() {
        for old in LENGTHS {
            for flags in [0, 1] {
                let args = LENGTHS.iter().map(|new| [addr, *old, *new, flags, 0, 0]);
                cells.line(
                    &format!("mremap {what}, {old:x}, flags {flags}"),
                    libc::SYS_mremap,
                    args,
                );
            }
        }
        let args = (0..16)
            .chain([16, 1 << 40])
            .map(|flags| [addr, PAGE, PAGE, flags, ARENA + 32 * PAGE, 0]);
        cells.line(&format!("mremap {what}, flags"), libc::SYS_mremap, args);
    }
    let targets = [
        ARENA + 32 * PAGE,
        ARENA + 32 * PAGE + 1,
        ARENA,
        ARENA + PAGE,
        ARENA + 4 * PAGE,
        ARENA + 7 * PAGE,
        END,
        END - PAGE + 1,
        0x8000_0000_0000,
        KERNEL,
        PAGE.wrapping_neg(),
        u64::MAX,
    ];
    for page in [0, 2, 4, 5, 6, 7, 8] {
        for (old, new) in [
            (0, 1),
            (1, 1),
            (1, 2),
            (2, 1),
            (2, 2),
            (4, 4),
            (4, 8),
            (5, 5),
            (8, 8),
            (8, 1),
            (1, 0),
        ] {
            for flags in [2, 3, 4, 5, 7] {
                let start = ARENA + page * PAGE;
                let args = targets.map(|target| [start, old * PAGE, new * PAGE, flags, target, 0]);
                cells.line(
                    &format!("mremap page {page}, {old} to {new}, flags {flags}"),
                    libc::SYS_mremap,
                    args,
                );
            }
        }
    }
}
