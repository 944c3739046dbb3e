//! What an operation costs: `cost [ROW…]` prints a line for each row, `cost growth` those whose comparison matters.
//!
//! A line is a name and nanoseconds per operation. Where instructions are counted instead of time (`./x run --icount`)
//! a nanosecond is an instruction, and a figure repeats. What a row does is what the row of that name in docs/costs.md
//! was measured with on Linux: the same calls, the same number of pages, the same number of turns.
#![deny(unsafe_code)]

mod calls;
mod faults;
mod files;
mod growth;
mod processes;
mod signals;
mod switches;

use std::time::Instant;

use user::sys;

/// Is what is measured: its name, how many operations a turn has, and a turn of them.
struct Row(&'static str, u64, fn(u64) -> sys::Result<u64>);

/// Turns of a row; the first only warms up, and of the others the middle one counts.
const TURNS: usize = 4;

const ROWS: &[Row] = &[
    Row("getppid", 10_000, calls::getppid),
    Row("anon_write", 1024, faults::anon_write),
    Row("zero_read", 1024, faults::zero_read),
    Row("zero_upgrade", 1024, faults::zero_upgrade),
    Row("shared_write", 1024, faults::shared_write),
    Row("cow_copy", 1024, faults::cow_copy),
    Row("cow_reuse", 1024, faults::cow_reuse),
    Row("file_read", 1024, files::read),
    Row("file_fault", 128, files::fault),
    Row("file_cow", 1024, files::cow),
    Row("stack_grow", 192, faults::stack_grow),
    Row("mmap_1", 4000, calls::mmap_1),
    Row("mmap_touch_256", 20, calls::mmap_touch_256),
    Row("mprotect_1", 4000, calls::mprotect_1),
    Row("mprotect_256", 400, calls::mprotect_256),
    Row("brk_1", 4000, calls::brk_1),
    Row("dontneed_16", 128, calls::dontneed_16),
    Row("fork_exit", 60, processes::fork_exit),
    Row("fork_big", 4, processes::fork_big),
    Row("fork_exec", 40, processes::fork_exec),
    Row("vfork_exec", 40, processes::vfork_exec),
    Row("pipe_self", 2000, switches::pipe_self),
    Row("pipe_rtt", 1000, switches::pipe_rtt),
    Row("pipe_64k", 64, switches::pipe_64k),
    Row("thread_create", 200, switches::thread_create),
    Row("futex_rtt", 1000, switches::futex_rtt),
    Row("yield_solo", 4000, switches::yield_solo),
    Row("yield_rtt", 1000, switches::yield_rtt),
    Row("sig_install", 4000, signals::install),
    Row("sig_deliver", 2000, signals::deliver),
    Row("segv_trap", 2000, signals::segv_trap),
];

const GROWTH: &[Row] = &[
    Row("fault_among_10", 256, |n| growth::fault_among(10, n)),
    Row("fault_among_50000", 256, |n| growth::fault_among(50_000, n)),
    Row("mmap_among_10", 256, |n| growth::mmap_among(10, n)),
    Row("mmap_among_50000", 256, |n| growth::mmap_among(50_000, n)),
    Row("fork_nothing", 20, |n| growth::fork_with(0, 0, n)),
    Row("fork_mapped_1t", 20, |n| growth::fork_with(1 << 28, 0, n)),
    Row("fork_populated_8m", 10, |n| {
        growth::fork_with(2048, 2048, n)
    }),
    Row("fork_populated_16m", 10, |n| {
        growth::fork_with(4096, 4096, n)
    }),
    Row("munmap_4k", 256, |n| growth::munmap(1, n)),
    Row("munmap_1t", 256, |n| growth::munmap(1 << 28, n)),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rows = match args.iter().any(|arg| arg == "growth") {
        true => GROWTH,
        false => ROWS,
    };
    let wanted =
        |row: &&Row| args.iter().all(|arg| arg == "growth") || args.iter().any(|arg| arg == row.0);
    let mut refused = 0;
    for row in rows.iter().filter(wanted) {
        match measure(row) {
            Ok(tenths) => println!("{} {}.{}", row.0, tenths / 10, tenths % 10),
            Err(errno) => {
                println!("{} refused: {errno:?}", row.0);
                refused += 1;
            }
        }
    }
    sys::exit(refused)
}

/// Gives tenths of a nanosecond per operation.
fn measure(Row(_, operations, turn): &Row) -> sys::Result<u64> {
    let mut took = [0; TURNS];
    for turn_took in &mut took {
        *turn_took = turn(*operations)? * 10 / operations;
    }
    let counted = &mut took[1..];
    counted.sort_unstable();
    Ok(counted[counted.len() / 2])
}

/// Gives the nanoseconds that `work` takes.
fn timed(work: impl FnOnce()) -> u64 {
    let before = Instant::now();
    work();
    before.elapsed().as_nanos() as u64
}
