//! Limits: what counts against address space, data, stack and the number of mappings, and what is refused (VM-13, SG-3).

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, code, dies, holds, lives, must, refused, same};
use user::vmas::{self, Line};
use user::{child, sys};

pub(crate) const TOPIC: Topic = Topic {
    name: "limits",
    about: "RLIMIT_AS, RLIMIT_DATA, the stack under them, the number of mappings; RLIMIT_NPROC",
    cases: &[
        (
            "every_mapping_is_address_space",
            every_mapping_is_address_space,
        ),
        (
            "replacing_needs_no_address_space",
            replacing_needs_no_address_space,
        ),
        (
            "a_refused_replacement_changes_nothing",
            a_refused_replacement_changes_nothing,
        ),
        (
            "the_break_needs_address_space",
            the_break_needs_address_space,
        ),
        (
            "the_stack_needs_address_space",
            the_stack_needs_address_space,
        ),
        (
            "private_writable_memory_is_data",
            private_writable_memory_is_data,
        ),
        ("becoming_writable_needs_data", becoming_writable_needs_data),
        ("no_data_at_all_is_no_limit", no_data_at_all_is_no_limit),
        (
            "children_may_be_beyond_the_limits",
            children_may_be_beyond_the_limits,
        ),
        ("mappings_are_counted", mappings_are_counted),
        (
            "growth_stops_at_the_lowest_address",
            growth_stops_at_the_lowest_address,
        ),
        ("the_dead_are_processes_too", the_dead_are_processes_too),
    ],
};

const FIXED: i32 = ANON | libc::MAP_FIXED;
const SHARED: i32 = libc::MAP_SHARED | libc::MAP_ANONYMOUS;

/// Sums up the lengths of what of the map counts, in bytes.
fn sum(counts: impl Fn(&Line) -> bool) -> u64 {
    let all = vmas::own();
    let lines = all
        .iter()
        .filter(|line| line.name != "[vsyscall]" && counts(line));
    lines.map(|line| line.end - line.start).sum()
}

fn is_data(line: &Line) -> bool {
    line.perms.ends_with('p') && line.perms.contains('w') && line.name != "[stack]"
}

/// Leaves room for so many more pages of address space.
fn leave_space(pages: u64) -> Verdict {
    let limit = sum(|_| true) + pages * PAGE;
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_AS, limit)).map(drop)
}

/// Leaves room for so many more pages of data.
fn leave_data(pages: u64) -> Verdict {
    let limit = sum(is_data) + pages * PAGE;
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_DATA, limit)).map(drop)
}

fn every_mapping_is_address_space() -> Verdict {
    leave_space(16)?;
    let none = must(
        "8 pages without access",
        sys::mmap(0, 8 * PAGE, map::NONE, ANON, -1, 0),
    )?;
    let lazy = ANON | libc::MAP_NORESERVE;
    must(
        "4 pages on trust",
        sys::mmap(0, 4 * PAGE, map::RW, lazy, -1, 0),
    )?;
    must(
        "4 shared pages",
        sys::mmap(0, 4 * PAGE, map::R, SHARED, -1, 0),
    )?;
    let one_more = || sys::mmap(0, PAGE, map::NONE, ANON, -1, 0);
    refused("one more", one_more(), libc::ENOMEM)?;
    must("munmap of one", sys::munmap(none + 3 * PAGE, PAGE))?;
    must("one more then", one_more())?;
    refused("and another", one_more(), libc::ENOMEM)
}

fn replacing_needs_no_address_space() -> Verdict {
    let map = must("mmap", Map::apart(8, 4, map::RW))?;
    map.fill(1);
    leave_space(0)?;
    let replaced = sys::mmap(map.page(2), 4 * PAGE, map::R, FIXED, -1, 0);
    same("a replacement", replaced, Ok(map.page(2)))?;
    let beyond = sys::mmap(map.page(6), 3 * PAGE, map::R, FIXED, -1, 0);
    refused("one page beyond the old", beyond, libc::ENOMEM)?;
    same("which stays", mem::peek(map.page(7)), 8)
}

/// VM-5: what stands in the way of the new mapping is found before the old one goes.
fn a_refused_replacement_changes_nothing() -> Verdict {
    let map = must("mmap", Map::apart(4, 4, map::RW))?;
    map.fill(1);
    let [reader, _] = must("pipe", sys::pipe())?;
    let over = |len, flags, fd| sys::mmap(map.start, len, map::RW, flags | libc::MAP_FIXED, fd, 0);
    refused(
        "a pipe",
        over(PAGE, libc::MAP_PRIVATE, reader),
        libc::ENODEV,
    )?;
    refused("no file", over(PAGE, libc::MAP_PRIVATE, 999), libc::EBADF)?;
    refused("no type", over(PAGE, libc::MAP_ANONYMOUS, -1), libc::EINVAL)?;
    refused("too long", over(1 << 47, ANON, -1), libc::ENOMEM)?;
    refused("too much", over(1 << 46, ANON, -1), libc::ENOMEM)?;
    holds("the old mapping", map.holds(1))?;
    same("in one piece", vmas::within(map.start, map.end()).len(), 1)
}

fn the_break_needs_address_space() -> Verdict {
    let brk = |to| sys::call(libc::SYS_brk, [to]);
    let start = must("brk", brk(0))?.next_multiple_of(PAGE);
    must("brk", brk(start))?;
    leave_space(4)?;
    same("a page too much", brk(start + 5 * PAGE), Ok(start))?;
    same(
        "as much as there is",
        brk(start + 4 * PAGE),
        Ok(start + 4 * PAGE),
    )?;
    let one_more = sys::mmap(0, PAGE, map::NONE, ANON, -1, 0);
    refused("a mapping then", one_more, libc::ENOMEM)?;
    same("back", brk(start), Ok(start))?;
    must("a mapping", sys::mmap(0, PAGE, map::NONE, ANON, -1, 0)).map(drop)
}

/// SG-3: growth is a mapping like others.
fn the_stack_needs_address_space() -> Verdict {
    let far = |pages: u64| {
        move || {
            let start = vmas::stack().map_or(0, |line| line.start);
            if leave_space(32).is_err() {
                return 1;
            }
            mem::poke(start - pages * PAGE, 7);
            i32::from(mem::peek(start - pages * PAGE) != 7)
        }
    };
    lives("16 pages down", far(16))?;
    dies("100 pages down", libc::SIGSEGV, far(100))
}

fn private_writable_memory_is_data() -> Verdict {
    leave_data(16)?;
    let more = |pages, prot, flags| sys::mmap(0, pages * PAGE, prot, flags, -1, 0);
    let data = must("8 pages", more(8, map::RW, ANON))?;
    must(
        "8 pages on trust",
        more(8, libc::PROT_WRITE, ANON | libc::MAP_NORESERVE),
    )?;
    refused("one more", more(1, map::RW, ANON), libc::ENOMEM)?;
    refused("one more to run", more(1, map::RWX, ANON), libc::ENOMEM)?;
    must("to read", more(64, map::R, ANON))?;
    must("without access", more(64, map::NONE, ANON))?;
    must("shared", more(64, map::RW, SHARED))?;
    must("a stack", more(64, map::RW, ANON | libc::MAP_GROWSDOWN))?;
    must("read-only data", sys::mprotect(data, PAGE, map::R))?;
    must("one more then", more(1, map::RW, ANON))?;
    refused(
        "writable again",
        sys::mprotect(data, PAGE, map::RW),
        libc::ENOMEM,
    )
}

fn becoming_writable_needs_data() -> Verdict {
    let map = must("mmap", Map::apart(40, 4, map::R))?;
    leave_data(16)?;
    refused("all of it", map.protect(map::RW), libc::ENOMEM)?;
    let perms = |map: Map| -> Vec<String> {
        vmas::within(map.start, map.end())
            .into_iter()
            .map(|line| line.perms)
            .collect()
    };
    same("nothing changed", perms(map), vec!["r--p".to_owned()])?;
    must("a part", map.part(0, 16).protect(map::RW))?;
    refused(
        "one page more",
        map.part(16, 1).protect(map::RW),
        libc::ENOMEM,
    )?;
    must("to run", map.part(16, 24).protect(map::RX))?;
    must(
        "from writable to writable",
        map.part(0, 16).protect(map::RWX),
    )
    .map(drop)
}

/// A soft limit of nothing with room above it was the way to look at memory use, and is none.
fn no_data_at_all_is_no_limit() -> Verdict {
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_DATA, 0))?;
    let some = || sys::mmap(0, 64 * PAGE, map::RW, ANON, -1, 0);
    must("64 pages", some())?;
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_DATA, 1))?;
    refused("with a limit of a byte", some(), libc::ENOMEM)
}

fn children_may_be_beyond_the_limits() -> Verdict {
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_AS, PAGE))?;
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_DATA, PAGE))?;
    lives("a child", || {
        let mut byte = 1_u8;
        mem::poke(sys::at(&mut byte), 2);
        let grandchild = child::run(|| 0);
        i32::from(byte != 2 || grandchild.is_err())
    })?;
    refused(
        "a mapping",
        sys::mmap(0, PAGE, map::NONE, ANON, -1, 0),
        libc::ENOMEM,
    )
}

/// VM-1, VM-7: at the limit nothing can be split; beyond it nothing can be added; what only takes away always works.
fn mappings_are_counted() -> Verdict {
    let limit = number("/proc/sys/vm/max_map_count", 65530);
    if limit > 100_000 {
        return Ok(());
    }
    let map = must(
        "mmap",
        Map::with(limit + 100, map::NONE, ANON | libc::MAP_NORESERVE, -1),
    )?;
    let other = must("mmap", Map::apart(8, 4, map::RW))?;
    let before = vmas::own()
        .into_iter()
        .filter(|line| line.name != "[vsyscall]")
        .count() as u64;
    let mut made = 0;
    let split = |page: u64| {
        let prot = if page.is_multiple_of(2) {
            map::NONE
        } else {
            map::R
        };
        sys::mprotect(map.page(page), map.end() - map.page(page), prot)
    };
    while split(made + 1).is_ok() {
        made += 1;
    }
    same("mappings at the limit", before + made, limit)?;
    lives("at the limit", || code(at_the_limit(other)))?;
    must("one beyond", sys::mmap(0, PAGE, map::RX, SHARED, -1, 0))?;
    let another = sys::mmap(0, PAGE, map::RX, SHARED, -1, 0);
    refused("another", another, libc::ENOMEM)?;
    lives("near the limit", || code(near_the_limit(map, other)))?;
    must(
        "munmap of whole mappings",
        sys::munmap(map.start, 16 * PAGE),
    )?;
    must("another then", sys::mmap(0, PAGE, map::RX, SHARED, -1, 0))?;
    must("munmap of all", sys::munmap(map.start, map.bytes())).map(drop)
}

/// What needs one mapping more is refused, each call with its own error.
fn at_the_limit(other: Map) -> Verdict {
    other.fill(1);
    let middle = other.part(3, 2);
    refused("mprotect", middle.protect(map::R), libc::ENOMEM)?;
    refused(
        "munmap",
        sys::munmap(middle.start, middle.bytes()),
        libc::ENOMEM,
    )?;
    refused("madvise", middle.advise(libc::MADV_DONTFORK), libc::EAGAIN)?;
    let lock = sys::call(libc::SYS_mlock, [middle.start, middle.bytes()]);
    refused("mlock", lock, libc::ENOMEM)?;
    let args = [
        other.start,
        other.bytes(),
        9 * PAGE,
        libc::MREMAP_MAYMOVE as u64,
    ];
    same(
        "mremap at the end",
        sys::call(libc::SYS_mremap, args),
        Ok(other.start),
    )?;
    let args = [other.start, 2 * PAGE, 3 * PAGE, libc::MREMAP_MAYMOVE as u64];
    refused(
        "mremap that moves",
        sys::call(libc::SYS_mremap, args),
        libc::ENOMEM,
    )?;
    holds("nothing is lost", other.holds(1))?;
    must("munmap of an end", sys::munmap(other.page(8), PAGE))?;
    must("munmap of a beginning", sys::munmap(other.start, PAGE))?;
    must("dropping", middle.advise(libc::MADV_DONTNEED))?;
    holds("which is gone", middle.is_zero())
}

/// mremap wants room for more than it needs: for three mappings when it chooses the place, for five when it is told.
fn near_the_limit(map: Map, other: Map) -> Verdict {
    // One more than the limit is there: so many remain.
    let leave = |first: u64, count: u64| must("munmap", sys::munmap(map.page(first), count * PAGE));
    let args = [
        other.start,
        2 * PAGE,
        3 * PAGE,
        libc::MREMAP_MAYMOVE as u64,
        0,
    ];
    leave(0, 4)?;
    refused(
        "a move with room for 3",
        sys::call(libc::SYS_mremap, args),
        libc::ENOMEM,
    )?;
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let to = other.start - (1 << 30);
    let args = [other.start, PAGE, PAGE, flags as u64, to];
    leave(4, 2)?;
    refused(
        "to a place with room for 5",
        sys::call(libc::SYS_mremap, args),
        libc::ENOMEM,
    )?;
    leave(6, 1)?;
    same(
        "to a place with room for 6",
        sys::call(libc::SYS_mremap, args),
        Ok(to),
    )?;
    let args = [to, PAGE, 3 * PAGE, libc::MREMAP_MAYMOVE as u64, 0];
    must("a move", sys::call(libc::SYS_mremap, args)).map(drop)
}

/// SG-3: the stack ends where user mappings begin.
fn growth_stops_at_the_lowest_address() -> Verdict {
    // Security modules raise what the administrator chose.
    let lowest = number("/proc/sys/vm/mmap_min_addr", 0).max(0x1_0000);
    let top = 0x4_0000;
    let flags = ANON | libc::MAP_FIXED_NOREPLACE | libc::MAP_GROWSDOWN;
    same("mmap", sys::mmap(top, PAGE, map::RW, flags, -1, 0), Ok(top))?;
    lives("the lowest page", || {
        mem::poke(lowest, 1);
        i32::from(vmas::within(lowest, top + PAGE).len() != 1)
    })?;
    dies("a byte below it", libc::SIGSEGV, || {
        mem::poke(lowest - 1, 1);
        0
    })
}

/// Reads a number that an administrator may change.
fn number(path: &str, otherwise: u64) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(otherwise)
}

/// Children that have ended count until they are waited for: a bomb of them has a bound.
fn the_dead_are_processes_too() -> Verdict {
    const NOBODY_ELSES: u64 = 54_321;
    lives("a user with four processes at most", || {
        code((|| {
            must("setuid", sys::call(libc::SYS_setuid, [NOBODY_ELSES]))?;
            must("setrlimit", sys::set_soft_limit(libc::RLIMIT_NPROC, 4))?;
            let first = must("fork", child::start(|| 0))?;
            must("fork", child::start(|| 0))?;
            must("fork", child::start(|| 0))?;
            refused("a fourth", child::start(|| 0), libc::EAGAIN)?;
            must("wait", child::wait(first))?;
            must("another one then", child::start(|| 0)).map(drop)
        })())
    })
}
