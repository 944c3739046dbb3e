//! Copy-on-write: who sees whose writes after a fork, and what each write costs (HF-4…HF-18, FK-2).

use user::child;
use user::lodger::Meter;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, code, holds, lives, must, same, told};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "cow",
    about: "fork shares, writes copy, the last owner reuses; zero page; mprotect leaks nothing",
    cases: &[
        ("copies_16_reuses_16", copies_16_reuses_16),
        ("zero_page_costs", zero_page_costs),
        ("write_first_costs", write_first_costs),
        ("zero_page_stays_zero", zero_page_stays_zero),
        ("fork_isolates_both_ways", fork_isolates_both_ways),
        ("three_generations", three_generations),
        ("many_children_one_page", many_children_one_page),
        (
            "read_only_to_writable_after_fork",
            read_only_to_writable_after_fork,
        ),
        ("read_only_before_fork", read_only_before_fork),
        ("none_keeps_data", none_keeps_data),
        ("none_is_copied_by_fork", none_is_copied_by_fork),
        ("private_file_stays_clean", private_file_stays_clean),
        (
            "private_file_read_only_to_writable",
            private_file_read_only_to_writable,
        ),
        ("shared_memory_is_shared", shared_memory_is_shared),
        ("statics_and_stack_are_copied", statics_and_stack_are_copied),
        ("whole_page_is_copied", whole_page_is_copied),
        (
            "unmapped_in_child_stays_in_parent",
            unmapped_in_child_stays_in_parent,
        ),
        ("vfork_shares", vfork_shares),
    ],
};

const PAGES: u64 = 16;

fn copies_16_reuses_16() -> Verdict {
    let map = must("mmap", Map::anon(PAGES, map::RW))?;
    map.fill(1);
    lives("the child", || code(child_copies(map)))?;
    let mut meter = Meter::new();
    let faults = meter.measure(|| map.fill(3));
    told("faults of the parent's writes", faults, PAGES)?;
    told(
        "copies when nobody else has the pages",
        meter.grew("cow_copied"),
        0,
    )?;
    told("reuses", meter.grew("cow_reused"), PAGES)?;
    holds("the parent wrote", map.holds(3))
}

fn child_copies(map: Map) -> Verdict {
    // A child's code comes in again on first use.
    let warm = must("mmap", Map::anon(1, map::RW))?;
    warm.fill(1);
    holds("the scratch page", warm.holds(1))?;
    let mut meter = Meter::new();
    let read = |map: Map| assert!(map.holds(1));
    // The code's own page first: a child finds its program's pages anew.
    let other = must("mmap", Map::anon(1, map::RW))?;
    other.fill(1);
    meter.measure(|| read(other));
    let faults = meter.measure(|| read(map));
    told("faults of the child's reads", faults, 0)?;
    let faults = meter.measure(|| map.fill(2));
    told("faults of the child's writes", faults, PAGES)?;
    told("copies", meter.grew("cow_copied"), PAGES)?;
    told(
        "reuses while the parent has the pages",
        meter.grew("cow_reused"),
        0,
    )?;
    holds("the child wrote", map.holds(2))
}

/// HF-4: sixteen reads map the zero page, sixteen writes then fault again.
/// Touches memory once, so that the code which does so is there: its own faults are not to be counted.
fn warm_up() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    holds("fresh memory is zero", map.is_zero())?;
    map.fill(9);
    holds("the write stuck", map.holds(9))
}

fn zero_page_costs() -> Verdict {
    warm_up()?;
    let map = must("mmap", Map::anon(PAGES, map::RW))?;
    let mut meter = Meter::new();
    let faults = meter.measure(|| assert!(map.is_zero()));
    told("faults of the reads", faults, PAGES)?;
    told("zero pages mapped", meter.grew("fault_zero_page"), PAGES)?;
    let faults = meter.measure(|| map.fill(9));
    told("faults of the writes", faults, PAGES)?;
    told("zero pages reused as if owned", meter.grew("cow_reused"), 0)?;
    holds("the writes stuck", map.holds(9))
}

fn write_first_costs() -> Verdict {
    warm_up()?;
    let map = must("mmap", Map::anon(PAGES, map::RW))?;
    let mut meter = Meter::new();
    let faults = meter.measure(|| map.fill(9));
    told("faults", faults, PAGES)?;
    told("zero-filled frames", meter.grew("fault_demand_zero"), PAGES)?;
    told("zero pages", meter.grew("fault_zero_page"), 0)
}

/// HF-5: the zero page never becomes anybody's own.
fn zero_page_stays_zero() -> Verdict {
    let [first, second] = [
        must("mmap", Map::anon(4, map::RW))?,
        must("mmap", Map::anon(4, map::RW))?,
    ];
    holds("both read zero", first.is_zero() && second.is_zero())?;
    first.fill(200);
    holds("the other still does", second.is_zero())?;
    lives("and a child's", || i32::from(!second.is_zero()))?;
    holds(
        "and fresh memory",
        must("mmap", Map::anon(4, map::RW))?.is_zero(),
    )
}

fn fork_isolates_both_ways() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    map.fill(10);
    let [to_child, from_parent] = must("pipe", sys::pipe())?;
    let pid = must(
        "fork",
        child::start(|| {
            let mut go = [0_u8];
            let waited = sys::read(to_child, sys::at(&mut go), 1);
            let sees_old = waited == Ok(1) && map.holds(10);
            map.fill(30);
            i32::from(!(sees_old && map.holds(30)))
        }),
    )?;
    map.fill(20);
    let mut go = [1_u8];
    must("write", sys::write(from_parent, sys::at(&mut go), 1))?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        child::Ended::Exited(0),
    )?;
    holds("the parent keeps its own", map.holds(20))
}

fn three_generations() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    map.fill(1);
    lives("the child", || {
        map.fill(2);
        let grandchild = lives("the grandchild", || {
            let saw = map.holds(2);
            map.fill(3);
            i32::from(!(saw && map.holds(3)))
        });
        code(grandchild.and_then(|()| holds("the child keeps its own", map.holds(2))))
    })?;
    holds("the parent keeps its own", map.holds(1))
}

fn many_children_one_page() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    map.fill(1);
    let start = |value: u8| {
        child::start(move || {
            map.fill(value);
            let _ = sys::sleep_ms(20);
            i32::from(!map.holds(value))
        })
    };
    let pids: Vec<i32> = (100..116)
        .map(start)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("fork: {e:?}"))?;
    for pid in pids {
        same(
            "a child",
            must("wait", child::wait(pid))?,
            child::Ended::Exited(0),
        )?;
    }
    holds("the parent's page", map.holds(1))
}

/// HF-18: mprotect to writable may not make a shared frame writable.
fn read_only_to_writable_after_fork() -> Verdict {
    let map = must("mmap", Map::anon(PAGES, map::RW))?;
    map.fill(50);
    lives("the child", || {
        let done = map.protect(map::R).and_then(|_| map.protect(map::RW));
        map.fill(60);
        i32::from(done.is_err() || !map.holds(60))
    })?;
    holds("the parent's pages", map.holds(50))
}

fn read_only_before_fork() -> Verdict {
    let map = must("mmap", Map::anon(PAGES, map::RW))?;
    map.fill(50);
    must("mprotect", map.protect(map::R))?;
    lives("the child", || {
        let done = map.protect(map::RW);
        map.fill(60);
        i32::from(done.is_err() || !map.holds(60))
    })?;
    must("mprotect", map.protect(map::RW))?;
    holds("the parent's pages", map.holds(50))?;
    map.fill(70);
    holds("the parent writes again", map.holds(70))
}

/// HF-17.
fn none_keeps_data() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    map.fill(42);
    must("mprotect none", map.protect(map::NONE))?;
    must("mprotect back", map.protect(map::RW))?;
    holds("the data", map.holds(42))?;
    map.fill(43);
    holds("it is writable", map.holds(43))
}

fn none_is_copied_by_fork() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    map.fill(42);
    must("mprotect none", map.protect(map::NONE))?;
    lives("the child", || {
        let done = map.protect(map::RW);
        let saw = map.holds(42);
        map.fill(90);
        i32::from(done.is_err() || !saw)
    })?;
    must("mprotect back", map.protect(map::RW))?;
    holds("the parent's data", map.holds(42))
}

fn map_own_file(prot: i32) -> Result<Map, String> {
    let path = std::env::current_exe().map_err(|e| e.to_string())?;
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    must("mmap of a file", Map::with(2, prot, libc::MAP_PRIVATE, fd))
}

fn private_file_stays_clean() -> Verdict {
    let mine = map_own_file(map::RW)?;
    same("the file's first byte", mem::peek(mine.start), 0x7f)?;
    mem::poke(mine.start, 1);
    mem::poke(mine.page(1), 2);
    same("the written byte", mem::peek(mine.start), 1)?;
    same("beside it", mem::peek(mine.start + 1), b'E')?;
    let again = map_own_file(map::R)?;
    same("the file", mem::peek(again.start), 0x7f)?;
    lives("a child sees the private copy", || {
        i32::from(mem::peek(mine.start) != 1)
    })
}

fn private_file_read_only_to_writable() -> Verdict {
    let mine = map_own_file(map::R)?;
    same("the file's first byte", mem::peek(mine.start), 0x7f)?;
    must("mprotect", mine.protect(map::RW))?;
    mem::poke(mine.start, 1);
    same("the file", mem::peek(map_own_file(map::R)?.start), 0x7f)
}

/// HF-6.
fn shared_memory_is_shared() -> Verdict {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let map = must("mmap shared", Map::with(2, map::RW, flags, -1))?;
    mem::poke(map.start, 5);
    lives("the child", || {
        let saw = mem::peek(map.start) == 5;
        map.fill(6);
        i32::from(!saw)
    })?;
    holds("the child's writes", map.holds(6))
}

fn statics_and_stack_are_copied() -> Verdict {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static SHARED: AtomicU32 = AtomicU32::new(1);
    let mut local = std::hint::black_box(1_u32);
    let mut boxed = Box::new(1_u32);
    lives("the child", || {
        SHARED.store(2, Relaxed);
        local = std::hint::black_box(2);
        *boxed = 2;
        i32::from(SHARED.load(Relaxed) + std::hint::black_box(local) + *boxed != 6)
    })?;
    same("static", SHARED.load(Relaxed), 1)?;
    same("stack", std::hint::black_box(local), 1)?;
    same("heap", *boxed, 1)
}

fn whole_page_is_copied() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    for word in 0..PAGE / 8 {
        mem::poke64(map.start + word * 8, word * 0x0101_0101);
    }
    let intact = |skip: u64| {
        (0..PAGE / 8)
            .all(|word| word == skip || mem::peek64(map.start + word * 8) == word * 0x0101_0101)
    };
    lives("the child", || {
        mem::poke64(map.start + 2048, u64::MAX);
        i32::from(!intact(256))
    })?;
    holds("the parent's page", intact(u64::MAX))
}

fn unmapped_in_child_stays_in_parent() -> Verdict {
    let map = must("mmap", Map::anon(8, map::RW))?;
    map.fill(77);
    lives("the child", || {
        i32::from(sys::munmap(map.start, map.bytes()).is_err())
    })?;
    holds("the parent's pages", map.holds(77))?;
    map.fill(78);
    holds("and it can write them", map.holds(78))
}

/// FK-5: the child runs in the parent's memory, and the parent waits for it.
fn vfork_shares() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    map.fill(1);
    let start = sys::now_ms();
    let pid = must("vfork", sys::vfork_store(map.start, 5, 50))?;
    let waited = sys::now_ms() - start;
    same("the parent's byte", mem::peek(map.start), 5)?;
    holds("the parent waited", waited >= 50)?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        child::Ended::Exited(3),
    )
}
