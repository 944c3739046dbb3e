//! How page faults scale: `scale [THREADS…]` lets so many threads touch fresh memory at once, in one address space.
//!
//! | row | who touches what |
//! |---|---|
//! | `compute` | threads that only count: what the machine gives |
//! | `apart` | each thread a mapping of its own |
//! | `together` | each thread a part of one mapping |
//! | `forked` | each a process of its own |
//! | `beside` | one thread a mapping of its own, while the others map, touch and unmap 16 pages again and again |
//!
//! A line has the row, the number of threads, nanoseconds per page and thread, and how many times as fast all of them
//! together were as one alone; of `beside`, the one that touches its mapping, and as fast as it is alone. Each page must
//! hold what was written.
#![deny(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use user::map::{Map, RW};
use user::mem;
use user::sys;
use user::threads::{Helper, SHARER, THREAD};

/// Pages that each thread touches in a turn.
const PAGES: u64 = 4096;
/// Turns; the fastest counts, for others may want the machine too.
const TURNS: usize = 5;
/// Pages of a mapping that comes and goes.
const CHURNED: u64 = 16;
/// Rounds of the loop that stands for a page in `compute`.
const COUNTS: u64 = 500;
/// The most threads.
const MOST: usize = 16;

/// What one thread does, and when it was done.
struct Job {
    start: AtomicU64,
    cpu: AtomicU64,
    end: AtomicU64,
}

static JOBS: [Job; MOST] = [const {
    Job {
        start: AtomicU64::new(0),
        cpu: AtomicU64::new(0),
        end: AtomicU64::new(0),
    }
}; MOST];
/// Whether the thread that is measured has done what it had to do.
static DONE: AtomicU32 = AtomicU32::new(0);
/// Threads that wait for [`GO`].
static READY: AtomicU32 = AtomicU32::new(0);
/// When all are to begin; 0 until that is known.
static GO: AtomicU64 = AtomicU64::new(0);
/// How long before that they are told, in nanoseconds.
const NOTICE: u64 = 1_000_000;

/// Gives the time in nanoseconds, without the library.
fn now() -> u64 {
    let mut time = [0_i64; 2];
    let place = sys::at(&mut time);
    let _ = sys::raw(
        libc::SYS_clock_gettime,
        [libc::CLOCK_MONOTONIC as u64, place, 0, 0, 0, 0],
    );
    time[0] as u64 * 1_000_000_000 + time[1] as u64
}

/// Sleeps a little: who waits by turning round takes the machine from those it waits for.
fn nap() {
    let mut time = [0_i64, 100_000];
    let place = sys::at(&mut time);
    let _ = sys::raw(libc::SYS_nanosleep, [place, 0, 0, 0, 0, 0]);
}

/// Does `work` when all are told to, on a processor of its own if there are as many.
fn take_part(index: u64, work: fn(u64)) -> u64 {
    let job = &JOBS[index as usize];
    let mut mask = 1_u64 << job.cpu.load(SeqCst);
    let place = sys::at(&mut mask);
    let _ = sys::raw(libc::SYS_sched_setaffinity, [0, 8, place, 0, 0, 0]);
    READY.fetch_add(1, SeqCst);
    while GO.load(SeqCst) == 0 {
        nap();
    }
    while now() < GO.load(SeqCst) {
        std::hint::spin_loop();
    }
    work(job.start.load(SeqCst));
    job.end.store(now(), SeqCst);
    0
}

extern "C" fn touch(index: u64) -> u64 {
    take_part(index, |start| {
        for page in 0..PAGES {
            mem::poke(start + page * mem::PAGE, page as u8 | 1);
        }
    })
}

extern "C" fn compute(index: u64) -> u64 {
    take_part(index, |_| {
        for count in 0..PAGES * COUNTS {
            std::hint::black_box(count);
        }
    })
}

/// The first thread touches its pages; the others change mappings until it has.
extern "C" fn beside(index: u64) -> u64 {
    if index > 0 {
        return take_part(index, |_| churn());
    }
    let end = touch(0);
    DONE.store(1, SeqCst);
    end
}

/// Maps, touches and unmaps until [`DONE`].
fn churn() {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    while DONE.load(SeqCst) == 0 {
        let bytes = CHURNED * mem::PAGE;
        let start = sys::raw(libc::SYS_mmap, [0, bytes, RW as u64, flags, u64::MAX, 0]) as u64;
        (0..CHURNED).for_each(|page| mem::poke(start + page * mem::PAGE, 1));
        let _ = sys::raw(libc::SYS_munmap, [start, bytes, 0, 0, 0, 0]);
    }
}

/// Says whether each page holds what [`touch`] wrote.
fn is_touched(start: u64) -> bool {
    (0..PAGES).all(|page| mem::peek(start + page * mem::PAGE) == page as u8 | 1)
}

/// Lets `threads` do `work` at once; gives the nanoseconds until the last of the first `counted` was done.
fn turn(
    threads: usize,
    counted: usize,
    flags: u64,
    work: extern "C" fn(u64) -> u64,
) -> sys::Result<u64> {
    DONE.store(0, SeqCst);
    READY.store(0, SeqCst);
    GO.store(0, SeqCst);
    let helpers = (0..threads).map(|index| Helper::start(flags, work, index as u64));
    let helpers = helpers.collect::<sys::Result<Vec<_>>>()?;
    while READY.load(SeqCst) < threads as u32 {
        nap();
    }
    let begin = now() + NOTICE;
    GO.store(begin, SeqCst);
    helpers.into_iter().for_each(Helper::join);
    while flags == SHARER && sys::wait4(-1, 0).is_ok() {}
    let ends = JOBS[..counted].iter().map(|job| job.end.load(SeqCst));
    Ok(ends.max().unwrap_or(begin).saturating_sub(begin))
}

/// Keeps a mapping apart from large pages.
fn small_pages(map: Map) -> sys::Result<Map> {
    let advice = libc::MADV_NOHUGEPAGE as u64;
    sys::call(libc::SYS_madvise, [map.start, map.bytes(), advice])?;
    Ok(map)
}

/// Gives each thread its pages: of one mapping, or each its own.
fn maps(threads: usize, together: bool) -> sys::Result<Vec<Map>> {
    let maps = match together {
        true => vec![Map::anon(PAGES * threads as u64, RW)?],
        false => (0..threads)
            .map(|_| small_pages(Map::apart(PAGES, 1, RW)?))
            .collect::<sys::Result<_>>()?,
    };
    for (index, job) in JOBS[..threads].iter().enumerate() {
        let start = match together {
            true => maps[0].page(PAGES * index as u64),
            false => maps[index].start,
        };
        job.start.store(start, SeqCst);
    }
    Ok(maps)
}

/// Gives the nanoseconds of the fastest turn in which `threads` touch memory.
fn touching(threads: usize, together: bool) -> sys::Result<u64> {
    let mut best = u64::MAX;
    for _ in 0..TURNS {
        let maps = maps(threads, together)?;
        best = best.min(turn(threads, threads, THREAD, touch)?);
        let starts = JOBS[..threads].iter().map(|job| job.start.load(SeqCst));
        assert!(
            starts.into_iter().all(is_touched),
            "a page lost what was written to it"
        );
        for map in maps {
            sys::munmap(map.start, map.bytes())?;
        }
    }
    Ok(best)
}

/// The same by processes: each touches a mapping of its own, in an address space of its own.
fn forking(threads: usize) -> sys::Result<u64> {
    let mut best = u64::MAX;
    for _ in 0..TURNS {
        let [reader, writer] = sys::pipe()?;
        let map = Map::anon(PAGES, RW)?;
        for _ in 0..threads {
            if sys::fork()? == 0 {
                let _ = sys::close(writer);
                let mut byte = 0_u8;
                // The writer closes its end when all are to begin.
                let _ = sys::read(reader, sys::at(&mut byte), 1);
                (0..PAGES).for_each(|page| mem::poke(map.page(page), page as u8 | 1));
                sys::exit(i32::from(!is_touched(map.start)));
            }
        }
        sys::close(reader)?;
        let begin = now();
        sys::close(writer)?;
        for _ in 0..threads {
            let (_, status) = sys::wait4(-1, 0)?;
            assert_eq!(status, 0, "a page lost what was written to it");
        }
        best = best.min(now() - begin);
        sys::munmap(map.start, map.bytes())?;
    }
    Ok(best)
}

/// Gives the nanoseconds of the fastest turn in which one thread touches memory beside `threads - 1` that change mappings.
fn mapping(threads: usize) -> sys::Result<u64> {
    let mut best = u64::MAX;
    for _ in 0..TURNS {
        let maps = maps(1, false)?;
        best = best.min(turn(threads, 1, THREAD, beside)?);
        assert!(
            is_touched(maps[0].start),
            "a page lost what was written to it"
        );
        for map in maps {
            sys::munmap(map.start, map.bytes())?;
        }
    }
    Ok(best)
}

fn computing(threads: usize) -> sys::Result<u64> {
    let turns = (0..TURNS).map(|_| turn(threads, threads, THREAD, compute));
    turns
        .collect::<sys::Result<Vec<_>>>()
        .map(|turns| turns.into_iter().min().unwrap_or(0))
}

/// Its name, what gives its time, and whether all threads do what is measured.
type Row = (&'static str, fn(usize) -> sys::Result<u64>, bool);

const ROWS: [Row; 5] = [
    ("compute", computing, true),
    ("apart", |threads| touching(threads, false), true),
    ("together", |threads| touching(threads, true), true),
    ("forked", forking, true),
    ("beside", mapping, false),
];

fn main() -> sys::Result<()> {
    let asked: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let counts = if asked.is_empty() {
        vec![1, 2, 4]
    } else {
        asked
    };
    for (cpu, job) in JOBS.iter().enumerate() {
        job.cpu.store(cpu as u64, SeqCst);
    }
    // Memory that the machine's owner has not touched yet is slow the first time.
    touching(*counts.iter().max().unwrap_or(&1), true)?;
    for (name, row, all) in ROWS {
        let mut alone = 0;
        for threads in counts
            .iter()
            .copied()
            .filter(|count| (1..=MOST).contains(count))
        {
            let time = row(threads)?;
            if alone == 0 {
                alone = time;
            }
            let counted = if all { threads as u64 } else { 1 };
            let hundredths = alone * counted * 100 / time.max(1);
            println!(
                "# {name} {threads} {} ns {}.{:02} times",
                time / PAGES,
                hundredths / 100,
                hundredths % 100
            );
        }
        println!("{name} ok");
    }
    Ok(())
}
