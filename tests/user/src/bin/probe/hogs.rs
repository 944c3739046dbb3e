//! Several programs that want all memory at once, on Lodger: each ends in its turn, whoever must not end does not, and
//! the machine is as good as before.

use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use user::child::{self, Ended};
use user::figures::{figures, text};
use user::lodger::{self, Counters};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys;

/// More than any machine this is run on has.
const PAGES: u64 = 1 << 20;

/// What must be as it was when the hogs have gone.
const BALANCED: [&str; 4] = [
    "frames_anon",
    "frames_page_table",
    "shared_anon_pages",
    "mm_alive",
];

/// Where a hog says that it is ready, and where it hears that all are: what is refused at once for lack of memory (a mapping,
/// a descriptor) it has by then.
static GATE: [AtomicI32; 2] = [const { AtomicI32::new(-1) }; 2];

fn want(flags: i32) -> Option<Map> {
    Map::with(PAGES, map::RW, flags | libc::MAP_NORESERVE, -1).ok()
}

fn when_all_are_ready() -> bool {
    let [ready, gate] = [&GATE[0], &GATE[1]].map(|fd| fd.load(SeqCst));
    if ready < 0 {
        // This one is alone.
        return true;
    }
    let mut byte = [0_u8];
    let told = sys::write(ready, sys::at(&mut byte), 1);
    told.is_ok() && sys::read(gate, sys::at(&mut byte), 1) == Ok(1)
}

/// Writes to page after page.
fn private() -> i32 {
    let map = want(map::ANON).filter(|_| when_all_are_ready());
    map.map_or(1, |map| {
        map.fill(1);
        0
    })
}

/// The same with memory that nobody can take away from it before it has ended.
fn shared() -> i32 {
    let map = want(libc::MAP_SHARED | libc::MAP_ANONYMOUS).filter(|_| when_all_are_ready());
    map.map_or(1, |map| {
        map.fill(1);
        0
    })
}

/// Lets the kernel do the writing: the system call's own copy finds no memory.
fn inside_a_call() -> i32 {
    let (Some(map), Ok(fd)) = (want(map::ANON), sys::open(c"/dev/zero")) else {
        return 1;
    };
    if !when_all_are_ready() {
        return 1;
    }
    for page in 0..PAGES {
        if sys::read(fd, map.page(page), PAGE) != Ok(PAGE) {
            return 2;
        }
    }
    0
}

/// Has some memory, and wants to keep it, while the others fight; says when it has it.
fn bystander(reader: i32, ready: i32) -> i32 {
    let adjusted = std::fs::write("/proc/self/oom_score_adj", "-1000").is_ok();
    let Ok(map) = Map::anon(256, map::RW) else {
        return 1;
    };
    map.fill(3);
    let mut byte = [0_u8];
    let told = sys::write(ready, sys::at(&mut byte), 1);
    let ended = sys::read(reader, sys::at(&mut byte), 1);
    i32::from(!adjusted || told.is_err() || ended != Ok(0) || !map.holds(3))
}

/// Starts all of them, waits for their ends, and asks whether the machine is as it was.
pub(crate) fn run() -> i32 {
    if !lodger::here() {
        println!("hogs: not on this kernel");
        return 0;
    }
    let mut counters = [Counters::new(), Counters::new()];
    // What the meter needs itself it has before it looks: buffers, a deeper stack, its own copies after a fork.
    println!("hogs: six programs want all memory there is");
    let _ = child::run(|| 0);
    let _ = sys::sleep_ms(10);
    counters[1].take();
    let _ = differing(&counters).next();
    counters[0].take();
    let (Ok([reader, writer]), Ok([heard, ready])) = (sys::pipe(), sys::pipe()) else {
        return 1;
    };
    let kept = child::start(|| {
        let _ = sys::close(writer);
        bystander(reader, ready)
    });
    let _ = sys::read(heard, sys::at(&mut [0_u8]), 1);
    let kinds = [
        private,
        shared,
        inside_a_call,
        private,
        inside_a_call,
        shared,
    ];
    let Ok([gate, open]) = sys::pipe() else {
        return 1;
    };
    GATE[0].store(ready, SeqCst);
    GATE[1].store(gate, SeqCst);
    let hogs = kinds.map(child::start);
    for _ in &kinds {
        let _ = sys::read(heard, sys::at(&mut [0_u8]), 1);
    }
    let _ = sys::write(open, sys::at(&mut [0_u8; 6]), kinds.len() as u64);
    let ends = hogs.map(|hog| hog.and_then(child::wait));
    println!("hogs: {ends:?}");
    let killed = ends
        .iter()
        .all(|end| *end == Ok(Ended::Killed(libc::SIGKILL)));
    let works = child::run(|| {
        i32::from(Map::anon(512, map::RW).is_ok_and(|map| {
            map.fill(1);
            !map.holds(1)
        }))
    });
    let _ = sys::close(writer);
    let kept = kept.and_then(child::wait);
    let _ = sys::close(reader);
    // The last one's memory comes back soon; what an idle processor borrows, when it has something else to do.
    for _ in 0..200 {
        let _ = sys::sleep_ms(10);
        counters[1].take();
        if differing(&counters).next().is_none() {
            break;
        }
    }
    let balanced = balanced(&counters);
    println!(
        "hogs: all were killed: {killed}, who must stay stayed: {}, the machine works: {}, memory is back: {balanced}",
        kept == Ok(Ended::Exited(0)),
        works == Ok(Ended::Exited(0)),
    );
    let fine = killed && kept == Ok(Ended::Exited(0)) && works == Ok(Ended::Exited(0));
    i32::from(!fine || !balanced)
}

/// Fills memory, looks at a program's pages, and writes a file for which those must go.
pub(crate) fn rereads() -> i32 {
    let mut counters = [Counters::new(), Counters::new()];
    counters[0].take();
    let Some(free) = counters[0].get("frames_free") else {
        println!("rereads: not on this kernel");
        return 0;
    };
    let (Ok(map), Ok(fd)) = (
        Map::anon(free.saturating_sub(450), map::RW),
        sys::open(c"/bin/vmfuzz"),
    ) else {
        return 1;
    };
    map.fill(1);
    let Ok(program) = Map::with(PROGRAM, map::R, libc::MAP_PRIVATE, fd) else {
        return 1;
    };
    let seen = |page| mem::peek(program.page(page));
    let before: Vec<u8> = (0..PROGRAM).map(seen).collect();
    // Page by page down to what the kernel keeps back, and beyond: no call finds that there is no memory.
    let Ok(other) =
        sys::open(c"/bin/edges").and_then(|fd| Map::with(PROGRAM, map::R, libc::MAP_PRIVATE, fd))
    else {
        return 1;
    };
    let refused = (0..PROGRAM).filter(|page| {
        let _ = mem::peek(other.page(*page));
        let made = Map::anon(2, map::RW).and_then(|map| {
            sys::mprotect(map.page(1), PAGE, map::R)?;
            sys::munmap(map.start, map.bytes())
        });
        made.is_err()
    });
    let refused = refused.count();
    let page = [7_u8; PAGE as usize];
    let write = || {
        let mut file = std::fs::File::create("/tmp/written")?;
        (0..200).try_for_each(|_| std::io::Write::write_all(&mut file, &page))
    };
    let written = write().is_ok();
    counters[1].take();
    let reclaimed = lodger::growth(&counters[0], &counters[1], "reclaimed").unwrap_or(0);
    let same = (0..PROGRAM).map(seen).eq(before);
    println!(
        "rereads: refused: {refused}, written: {written}, reclaimed: {}, read again: {same}",
        reclaimed > 0
    );
    i32::from(refused > 0 || !written || !same || !map.holds(1))
}

/// Pages of a program that are looked at; it has more.
const PROGRAM: u64 = 250;

/// Pages of each mapping that may lose some.
const GIVEN_UP: u64 = 512;
const MAP_DROPPABLE: i32 = 8;

/// Gives memory up in both ways, lets a hog look for some, and counts what is gone: of what was given up some, of what
/// was written to again or never given up nothing.
pub(crate) fn drops() -> i32 {
    if !lodger::here() {
        println!("drops: not on this kernel");
        return 0;
    }
    // Before there is anything to give up: a child shares what its parent has, and then both need it.
    let Ok([reader, writer]) = sys::pipe() else {
        return 1;
    };
    let hog = child::start(|| {
        let mut byte = [0_u8];
        match sys::read(reader, sys::at(&mut byte), 1) {
            Ok(1) => private(),
            _ => 1,
        }
    });
    let droppable = MAP_DROPPABLE | libc::MAP_ANONYMOUS;
    let maps = [
        Map::anon(GIVEN_UP, map::RW),
        Map::with(GIVEN_UP, map::RW, droppable, -1),
        Map::anon(GIVEN_UP, map::RW),
    ];
    let [Ok(lazy), Ok(droppable), Ok(kept)] = maps else {
        return 1;
    };
    for map in [lazy, droppable, kept] {
        (0..GIVEN_UP).for_each(|page| mem::poke(map.page(page), 7));
    }
    let advised = lazy.advise(libc::MADV_FREE).is_ok();
    // The first half is needed after all.
    (0..GIVEN_UP / 2).for_each(|page| mem::poke(lazy.page(page), 9));
    let mut go = [0_u8];
    let told = sys::write(writer, sys::at(&mut go), 1).is_ok();
    let hog = hog.and_then(child::wait);
    let holding = |map: &Map, from: u64, to: u64, value: u8| {
        (from..to)
            .filter(|page| mem::peek(map.page(*page)) == value)
            .count() as u64
    };
    let half = GIVEN_UP / 2;
    let needed = holding(&lazy, 0, half, 9);
    let given_up = holding(&lazy, half, GIVEN_UP, 7);
    let zeroed = holding(&lazy, half, GIVEN_UP, 0);
    let dropped = holding(&droppable, 0, GIVEN_UP, 0);
    let left = holding(&droppable, 0, GIVEN_UP, 7);
    let all = holding(&kept, 0, GIVEN_UP, 7);
    println!("# given up: {given_up} left, {zeroed} gone; droppable: {left} left, {dropped} gone");
    let right = [
        advised && told && hog == Ok(Ended::Killed(libc::SIGKILL)),
        needed == half && all == GIVEN_UP,
        given_up + zeroed == half && zeroed > 0,
        left + dropped == GIVEN_UP && dropped > 0,
    ];
    println!(
        "drops: the hog ended, needed pages stay, given up ones go, droppable ones go: {right:?}"
    );
    i32::from(right.contains(&false))
}

/// Sets how promises are limited, and finds what may be promised in each way.
pub(crate) fn promises() -> i32 {
    if !lodger::here() {
        println!("promises: not on this kernel");
        return 0;
    }
    let set = |name: &str, value: &str| {
        std::fs::write(format!("/proc/sys/vm/overcommit_{name}"), value).is_ok()
    };
    let sizes = figures(text("/proc/meminfo").unwrap_or_default().lines());
    let pages = |key: &str| sizes.get(key).copied().unwrap_or(0) / 4;
    let ask = |pages: u64| Map::anon(pages, map::RW).map(|map| sys::munmap(map.start, map.bytes()));
    let (total, limit) = (pages("MemTotal"), pages("CommitLimit"));
    let left = limit - pages("Committed_AS");
    let outcomes = [
        (
            "heuristic_all",
            set("memory", "0") && ask(total - 100).is_ok(),
        ),
        ("heuristic_more", ask(total + 1).is_err()),
        ("always_more", set("memory", "1") && ask(4 * total).is_ok()),
        ("never_half", set("memory", "2") && ask(left - 200).is_ok()),
        ("never_more", ask(left + 1).is_err()),
        (
            "never_unreserved",
            Map::with(left + 1, map::RW, map::ANON | libc::MAP_NORESERVE, -1).is_err(),
        ),
        (
            "never_shared",
            Map::with(
                left + 1,
                map::RW,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
            )
            .is_err(),
        ),
        ("never_read_only", ask_read_only(left + 1)),
        ("ratio", set("ratio", "100") && ask(left + 1).is_ok()),
        (
            "refuses_others",
            !set("memory", "3") && !set("memory", "x") && !set("ratio", "-1"),
        ),
    ];
    let restored = set("ratio", "50") && set("memory", "0");
    let wrong: Vec<&str> = outcomes
        .iter()
        .filter(|(_, held)| !held)
        .map(|(name, _)| *name)
        .collect();
    println!(
        "promises: {} kept, wrong: {wrong:?}",
        outcomes.len() - wrong.len()
    );
    i32::from(!wrong.is_empty() || !restored)
}

/// What cannot be written to is no promise.
fn ask_read_only(pages: u64) -> bool {
    Map::anon(pages, map::R).is_ok_and(|map| sys::munmap(map.start, map.bytes()).is_ok())
}

fn differing([before, after]: &[Counters; 2]) -> impl Iterator<Item = &'static str> {
    BALANCED.into_iter().filter(move |name| {
        let (was, is) = (before.get(name), after.get(name));
        // Reclaim takes pages of this program's own code, and with the last of a table the table.
        was != is && !(*name == "frames_page_table" && is < was)
    })
}

fn balanced(counters: &[Counters; 2]) -> bool {
    for name in differing(counters) {
        let [was, is] = [0, 1].map(|at| counters[at].get(name));
        println!("hogs: {name} was {was:?} and is {is:?}");
    }
    differing(counters).next().is_none()
}
