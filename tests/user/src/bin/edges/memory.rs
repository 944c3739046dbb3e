//! The calls that shape memory: each address with each length, then what else each call takes.

use user::map::{ANON, NONE, R, RW};
use user::mem::PAGE;
use user::sys;

use crate::cell::{ARENA, Cells, END, KERNEL};

const FIXED: i32 = libc::MAP_FIXED;
const NOREPLACE: i32 = libc::MAP_FIXED_NOREPLACE;

/// Lists the addresses, in the order of the lines.
pub(crate) fn addresses() -> Vec<(&'static str, u64)> {
    vec![
        ("0", 0),
        ("1", 1),
        ("arena", ARENA),
        ("arena+1", ARENA + 1),
        ("arena+fff", ARENA + PAGE - 1),
        ("page 1", ARENA + PAGE),
        ("page 3", ARENA + 3 * PAGE),
        ("the hole", ARENA + 4 * PAGE),
        ("the read-only page", ARENA + 5 * PAGE),
        ("the forbidden page", ARENA + 6 * PAGE),
        ("the shared page", ARENA + 7 * PAGE),
        ("behind all", ARENA + 8 * PAGE),
        ("end", END),
        ("end+1", END + 1),
        ("non-canonical", 0x8000_0000_0000),
        ("non-canonical, far", 0x1234_5678_9abc_d000),
        ("kernel", KERNEL),
        ("kernel image", 0xffff_ffff_8000_0000),
        ("last page", PAGE.wrapping_neg()),
        ("last byte", u64::MAX),
    ]
}

/// Lists the lengths, in the order of the cells.
const LENGTHS: &[u64] = &[
    0,
    1,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    2 * PAGE,
    4 * PAGE,
    5 * PAGE,
    8 * PAGE,
    1 << 40,
    (1 << 47) - PAGE,
    1 << 47,
    1 << 63,
    PAGE.wrapping_neg(),
    u64::MAX - PAGE + 2,
    u64::MAX,
];

/// Says whether an advice would be followed in the program's own memory, whose layout is each kernel's own.
fn hits_program(number: i64, addr: u64, len: u64) -> bool {
    let end = addr.checked_add(len);
    number == libc::SYS_madvise && end.is_some_and(|_| addr < END && len > 1 << 40)
}

/// Prints all lines.
pub(crate) fn print() {
    let cells = match Cells::new() {
        Ok(cells) => cells,
        Err(errno) => return println!("the arena cannot be made: {errno:?}"),
    };
    ranges(&cells);
    mmap_types(&cells);
    mmap_files(&cells);
    protections(&cells);
    advices(&cells);
    locks(&cells);
    breaks(&cells);
}

/// Calls that take an address and a length first.
fn ranges(cells: &Cells) {
    let calls: &[(&str, i64, [u64; 4])] = &[
        ("munmap", libc::SYS_munmap, [0; 4]),
        (
            "mmap",
            libc::SYS_mmap,
            [RW as u64, ANON as u64, u64::MAX, 0],
        ),
        (
            "mmap none",
            libc::SYS_mmap,
            [NONE as u64, ANON as u64, u64::MAX, 0],
        ),
        (
            "mmap fixed",
            libc::SYS_mmap,
            [RW as u64, (ANON | FIXED) as u64, u64::MAX, 0],
        ),
        (
            "mmap noreplace",
            libc::SYS_mmap,
            [RW as u64, (ANON | NOREPLACE) as u64, u64::MAX, 0],
        ),
        ("mprotect", libc::SYS_mprotect, [R as u64, 0, 0, 0]),
        ("mprotect none", libc::SYS_mprotect, [NONE as u64, 0, 0, 0]),
        ("madvise dontneed", libc::SYS_madvise, [4, 0, 0, 0]),
        ("madvise free", libc::SYS_madvise, [8, 0, 0, 0]),
        ("madvise normal", libc::SYS_madvise, [0, 0, 0, 0]),
        ("madvise dontfork", libc::SYS_madvise, [10, 0, 0, 0]),
        ("madvise wipeonfork", libc::SYS_madvise, [18, 0, 0, 0]),
        ("madvise populate read", libc::SYS_madvise, [22, 0, 0, 0]),
        ("madvise populate write", libc::SYS_madvise, [23, 0, 0, 0]),
        ("madvise guard", libc::SYS_madvise, [102, 0, 0, 0]),
        ("madvise unguard", libc::SYS_madvise, [103, 0, 0, 0]),
        ("madvise unknown", libc::SYS_madvise, [99, 0, 0, 0]),
        ("msync", libc::SYS_msync, [4, 0, 0, 0]),
        ("msync async", libc::SYS_msync, [1, 0, 0, 0]),
        ("mlock", libc::SYS_mlock, [0; 4]),
        ("mlock2", libc::SYS_mlock2, [1, 0, 0, 0]),
        ("munlock", libc::SYS_munlock, [0; 4]),
        ("mincore", libc::SYS_mincore, [ARENA, 0, 0, 0]),
    ];
    for (name, number, rest) in calls {
        for (what, addr) in addresses() {
            // Linux takes an address in the last 4095 bytes for an error, and gives it back as one.
            if addr == u64::MAX && matches!(*name, "mmap fixed" | "mmap noreplace") {
                continue;
            }
            let lengths = LENGTHS
                .iter()
                .filter(|len| !hits_program(*number, addr, **len));
            let args = lengths.map(|len| [addr, *len, rest[0], rest[1], rest[2], rest[3]]);
            cells.line(&format!("{name} at {what}"), *number, args);
        }
    }
}

/// Types, flags and protections of anonymous mappings.
fn mmap_types(cells: &Cells) {
    let kinds = [
        ("no type", 0),
        ("shared", libc::MAP_SHARED),
        ("private", libc::MAP_PRIVATE),
        ("validate", libc::MAP_SHARED_VALIDATE),
        ("type 4", 4),
        ("type 7", 7),
        ("droppable", 8),
        ("type 15", 15),
    ];
    let flags = [
        0,
        libc::MAP_GROWSDOWN,
        libc::MAP_DENYWRITE,
        libc::MAP_EXECUTABLE,
        libc::MAP_LOCKED,
        libc::MAP_NORESERVE,
        libc::MAP_POPULATE,
        libc::MAP_NONBLOCK,
        libc::MAP_STACK,
        libc::MAP_SYNC,
        0x0080_0000,
        0x1000_0000,
        i32::MIN,
    ];
    for (what, kind) in kinds {
        let args = |flag: i32| {
            let all = kind | flag | libc::MAP_ANONYMOUS;
            [
                ARENA + 16 * PAGE,
                PAGE,
                RW as u64,
                u64::from(all as u32),
                u64::MAX,
                0,
            ]
        };
        cells.line(&format!("mmap {what}"), libc::SYS_mmap, flags.map(args));
        let prots = [
            0,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            16,
            0x0100_0000,
            0x0200_0000,
            0x1_0000_0003,
            u64::MAX,
        ];
        let kind = (kind | libc::MAP_ANONYMOUS) as u64;
        let args = prots.map(|prot| [ARENA + 16 * PAGE, PAGE, prot, kind, u64::MAX, 0]);
        cells.line(&format!("mmap {what}, protections"), libc::SYS_mmap, args);
    }
}

/// Files that cannot be mapped, or not so, and offsets.
fn mmap_files(cells: &Cells) {
    let pipe = sys::pipe().unwrap_or([-1, -1]);
    let exe = std::env::current_exe().map(std::fs::File::open);
    let exe = exe
        .and_then(|file| file)
        .map_or(-1, std::os::fd::IntoRawFd::into_raw_fd);
    let files = [
        ("no file", -1),
        ("a closed file", 999),
        ("a pipe", pipe[0]),
        ("a folder", sys::open(c"/").unwrap_or(-1)),
        ("the program", exe),
    ];
    let offsets = [0, 1, PAGE, 1 << 40, 1 << 63, PAGE.wrapping_neg(), u64::MAX];
    for (what, fd) in files {
        for kind in [1_u64, 2, 3, 8, 0x102] {
            for prot in [1_u64, 2, 3, 5] {
                let args =
                    offsets.map(|offset| [ARENA + 16 * PAGE, PAGE, prot, kind, fd as u64, offset]);
                cells.line(
                    &format!("mmap {what}, type {kind:x}, protection {prot}"),
                    libc::SYS_mmap,
                    args,
                );
            }
        }
        let lengths = [0, 1, 1 << 40, 1 << 47, PAGE.wrapping_neg(), u64::MAX];
        let args = lengths.map(|len| [0, len, 1, 2, fd as u64, PAGE]);
        cells.line(&format!("mmap {what}, lengths"), libc::SYS_mmap, args);
    }
}

fn protections(cells: &Cells) {
    let prots = [
        0,
        1,
        2,
        3,
        4,
        7,
        8,
        16,
        0x40,
        0x0100_0000,
        0x0100_0001,
        0x0200_0000,
        0x0300_0000,
        u64::MAX,
    ];
    for (what, addr) in addresses() {
        for len in [0, PAGE, 2 * PAGE, u64::MAX] {
            let args = prots.map(|prot| [addr, len, prot, 0, 0, 0]);
            cells.line(
                &format!("mprotect {len:x} at {what}, protections"),
                libc::SYS_mprotect,
                args,
            );
        }
    }
}

/// Every number an advice could have, where it can do no harm, on each kind of page.
fn advices(cells: &Cells) {
    // 12 and 13 depend on how a Linux was configured (KSM); 25 on its huge pages; 9 punches; 100 and 101 poison memory.
    let harmless = (0..=24)
        .filter(|advice| ![9, 12, 13].contains(advice))
        .chain([26, 27, 99, 102, 103, 104, 1 << 40]);
    for advice in harmless {
        let spots = [
            (0, 1),
            (3, 1),
            (3, 2),
            (4, 1),
            (5, 1),
            (6, 1),
            (7, 1),
            (0, 8),
            (8, 1),
            (5, 0),
        ];
        let args = spots.map(|(page, count)| [ARENA + page * PAGE, count * PAGE, advice, 0, 0, 0]);
        cells.line(&format!("madvise {advice}"), libc::SYS_madvise, args);
    }
}

fn locks(cells: &Cells) {
    let flags = [0, 1, 2, 3, 1 << 40];
    for (what, addr) in addresses() {
        let args = flags.map(|flags| [addr, PAGE, flags, 0, 0, 0]);
        cells.line(&format!("mlock2 at {what}, flags"), libc::SYS_mlock2, args);
    }
    let args = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16].map(|flags| [flags, 0, 0, 0, 0, 0]);
    cells.line("mlockall", libc::SYS_mlockall, args);
    cells.line("munlockall", libc::SYS_munlockall, [[0; 6]]);
    for (what, addr) in addresses() {
        let args = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(|flags| [addr, PAGE, flags, 0, 0, 0]);
        cells.line(&format!("msync at {what}, flags"), libc::SYS_msync, args);
    }
    for (what, vector) in addresses() {
        let args = [(0, PAGE), (0, 4 * PAGE), (4, PAGE), (0, 0)]
            .map(|(page, len)| [ARENA + page * PAGE, len, vector, 0, 0, 0]);
        cells.line(&format!("mincore into {what}"), libc::SYS_mincore, args);
    }
}

/// VM-9: what is refused leaves the break where it is.
fn breaks(cells: &Cells) {
    let current = sys::raw(libc::SYS_brk, [0; 6]) as u64;
    for (what, addr) in addresses() {
        let moved = user::child::run(|| {
            let answer = sys::raw(libc::SYS_brk, [addr, 0, 0, 0, 0, 0]) as u64;
            i32::from(answer != current)
        });
        println!("brk to {what}: {moved:?}");
    }
    let _ = cells;
}
