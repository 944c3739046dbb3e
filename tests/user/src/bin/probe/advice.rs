//! madvise: what each advice does to memory, to children, and to who asks (VM-12).

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, lives, must, refused, same};
use user::{fsys, sys, touch, vmas};

pub(crate) const TOPIC: Topic = Topic {
    name: "advice",
    about: "madvise: dropping, guarding, filling, what children get",
    cases: &[
        ("dontneed_drops_private_data", dontneed_drops_private_data),
        ("dontneed_keeps_shared_data", dontneed_keeps_shared_data),
        (
            "dontneed_goes_on_behind_a_hole",
            dontneed_goes_on_behind_a_hole,
        ),
        (
            "free_keeps_or_drops_until_written",
            free_keeps_or_drops_until_written,
        ),
        ("free_is_for_private_memory", free_is_for_private_memory),
        (
            "wipeonfork_empties_the_childs",
            wipeonfork_empties_the_childs,
        ),
        (
            "dontfork_keeps_from_the_child",
            dontfork_keeps_from_the_child,
        ),
        ("guards_catch_every_access", guards_catch_every_access),
        (
            "guards_keep_files_as_they_are",
            guards_keep_files_as_they_are,
        ),
        (
            "guards_outlive_protection_and_dropping",
            guards_outlive_protection_and_dropping,
        ),
        ("guards_go_with_the_mapping", guards_go_with_the_mapping),
        ("guards_are_inherited", guards_are_inherited),
        ("guards_do_not_split", guards_do_not_split),
        (
            "populate_fills_for_reading_and_writing",
            populate_fills_for_reading_and_writing,
        ),
        ("populate_stops_where_it_must", populate_stops_where_it_must),
        (
            "cold_and_pageout_lose_nothing",
            cold_and_pageout_lose_nothing,
        ),
        (
            "unknown_advice_is_refused_even_for_nothing",
            unknown_advice_is_refused_even_for_nothing,
        ),
    ],
};

const FREE: i32 = 8;
const WIPEONFORK: i32 = 18;
const KEEPONFORK: i32 = 19;
const COLD: i32 = 20;
const PAGEOUT: i32 = 21;
const POPULATE_READ: i32 = 22;
const POPULATE_WRITE: i32 = 23;
const GUARD: i32 = 102;
const UNGUARD: i32 = 103;
const SHARED: i32 = libc::MAP_SHARED | libc::MAP_ANONYMOUS;

fn filled(pages: u64) -> Result<Map, String> {
    let map = must("mmap", Map::apart(pages, 2, map::RW))?;
    map.fill(1);
    Ok(map)
}

fn dontneed_drops_private_data() -> Verdict {
    let map = filled(6)?;
    must("madvise", map.part(1, 3).advise(libc::MADV_DONTNEED))?;
    let bytes: Vec<u8> = (0..6).map(|page| mem::peek(map.page(page))).collect();
    same("the pages", bytes, vec![1, 0, 0, 0, 5, 6])?;
    must("mlock", sys::call(libc::SYS_mlock, [map.start, PAGE]))?;
    refused(
        "of locked memory",
        map.advise(libc::MADV_DONTNEED),
        libc::EINVAL,
    )?;
    same("which stays", mem::peek(map.start), 1)
}

fn dontneed_keeps_shared_data() -> Verdict {
    let map = must("mmap", Map::with(3, map::RW, SHARED, -1))?;
    map.fill(1);
    must("madvise", map.advise(libc::MADV_DONTNEED))?;
    holds("it is there", map.holds(1))
}

fn dontneed_goes_on_behind_a_hole() -> Verdict {
    let map = filled(5)?;
    must("munmap", sys::munmap(map.page(2), PAGE))?;
    refused("madvise", map.advise(libc::MADV_DONTNEED), libc::ENOMEM)?;
    same("before the hole", mem::peek(map.page(1)), 0)?;
    same("behind it", mem::peek(map.page(3)), 0)
}

fn free_keeps_or_drops_until_written() -> Verdict {
    let map = filled(4)?;
    must("madvise", map.advise(FREE))?;
    for page in 0..4 {
        let byte = mem::peek(map.page(page));
        holds("old or zero", byte == 0 || byte == page as u8 + 1)?;
    }
    map.fill(40);
    holds("what is written stays", map.holds(40))
}

fn free_is_for_private_memory() -> Verdict {
    let map = must("mmap", Map::with(2, map::RW, SHARED, -1))?;
    map.fill(1);
    refused("of shared memory", map.advise(FREE), libc::EINVAL)?;
    holds("which stays", map.holds(1))
}

fn wipeonfork_empties_the_childs() -> Verdict {
    let map = filled(4)?;
    must("wipe", map.part(1, 2).advise(WIPEONFORK))?;
    let seen = || -> Vec<u8> { (0..4).map(|page| mem::peek(map.page(page))).collect() };
    lives("the child", || i32::from(seen() != [1, 0, 0, 4]))?;
    holds("the parent's", map.holds(1))?;
    lives("its child's child too", || {
        map.fill(60);
        i32::from(lives("a grandchild", || i32::from(seen() != [60, 0, 0, 63])).is_err())
    })?;
    must("keep", map.advise(KEEPONFORK))?;
    lives("the child then", || i32::from(!map.holds(1)))?;
    let shared = must("mmap", Map::with(1, map::RW, SHARED, -1))?;
    refused("of shared memory", shared.advise(WIPEONFORK), libc::EINVAL)
}

fn dontfork_keeps_from_the_child() -> Verdict {
    let map = filled(4)?;
    must("dontfork", map.part(1, 2).advise(libc::MADV_DONTFORK))?;
    lives("its map", || {
        let lines = vmas::within(map.start, map.end());
        i32::from(lines.len() != 2 || lines[0].end != map.page(1) || lines[1].start != map.page(3))
    })?;
    dies("a read in the child", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(1)))
    })?;
    holds("the parent's", map.holds(1))?;
    must("dofork", map.advise(libc::MADV_DOFORK))?;
    same("mappings", vmas::within(map.start, map.end()).len(), 1)?;
    lives("the child then", || i32::from(!map.holds(1)))
}

fn guards_catch_every_access() -> Verdict {
    touch::install();
    let map = filled(3)?;
    must("guard", map.part(1, 1).advise(GUARD))?;
    for result in [
        touch::load(map.page(1) + 8),
        touch::store(map.page(1) + 8, 1),
    ] {
        let fault = result.err().ok_or("an access passed")?;
        same(
            "the signal",
            (fault.signal, fault.code, fault.addr),
            (libc::SIGSEGV, 1, map.page(1) + 8),
        )?;
    }
    let [reader, writer] = must("pipe", sys::pipe())?;
    refused(
        "a write from there",
        sys::write(writer, map.page(1), 1),
        libc::EFAULT,
    )?;
    must("write", sys::write(writer, map.page(0), 1))?;
    refused(
        "a read into it",
        sys::read(reader, map.page(1), 1),
        libc::EFAULT,
    )?;
    must("remove", map.advise(UNGUARD))?;
    same("what was there is gone", mem::peek(map.page(1)), 0)?;
    same(
        "the others are not",
        (mem::peek(map.page(0)), mem::peek(map.page(2))),
        (1, 3),
    )
}

/// An access that a guard refuses does not bring the page into the file below.
fn guards_keep_files_as_they_are() -> Verdict {
    touch::install();
    for sharing in [libc::MAP_SHARED, libc::MAP_PRIVATE] {
        let fd = must("memfd_create", fsys::memfd("guarded", 0))?;
        must("ftruncate", fsys::ftruncate(&fd, 2 * PAGE))?;
        let map = must("mmap", Map::with(2, map::RW, sharing, fd))?;
        must("guard", map.part(0, 1).advise(GUARD))?;
        holds("a store is refused", touch::store(map.start, 1).is_err())?;
        holds("a load is refused", touch::load(map.start).is_err())?;
        let other = must("another", Map::with(2, map::RW, libc::MAP_SHARED, fd))?;
        same("pages in the file", other.present(), vec![false, false])?;
    }
    Ok(())
}

fn guards_outlive_protection_and_dropping() -> Verdict {
    touch::install();
    let map = filled(2)?;
    must("guard", map.part(0, 1).advise(GUARD))?;
    must("none", map.protect(map::NONE))?;
    let code = |result: Result<u64, touch::Fault>| result.err().map(|fault| fault.code);
    same("without access", code(touch::load(map.start)), Some(2))?;
    must("all", map.protect(map::RW))?;
    must("dontneed", map.advise(libc::MADV_DONTNEED))?;
    must("free", map.advise(FREE))?;
    same("with it again", code(touch::load(map.start)), Some(1))?;
    must("again", map.part(0, 1).advise(GUARD))?;
    must("remove", map.advise(UNGUARD))?;
    must("remove nothing", map.advise(UNGUARD))?;
    holds("free memory", map.is_zero())
}

fn guards_go_with_the_mapping() -> Verdict {
    let map = filled(4)?;
    must("guard", map.advise(GUARD))?;
    must("munmap", sys::munmap(map.page(0), PAGE))?;
    let fixed = map::ANON | libc::MAP_FIXED;
    must(
        "mmap",
        sys::mmap(map.page(0), 2 * PAGE, map::RW, fixed, -1, 0),
    )?;
    holds("new memory has none", map.part(0, 2).is_zero())?;
    dies("the rest has", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(2)))
    })?;
    must(
        "mlock of locked memory",
        sys::call(libc::SYS_mlock, [map.page(0), PAGE]),
    )?;
    refused(
        "a guard over it",
        map.part(0, 1).advise(GUARD),
        libc::EINVAL,
    )
}

fn guards_are_inherited() -> Verdict {
    let map = filled(3)?;
    must("guard", map.part(1, 1).advise(GUARD))?;
    dies("the child", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(1)))
    })?;
    lives("a child that removes it", || {
        i32::from(map.advise(UNGUARD) != Ok(0) || mem::peek(map.page(1)) != 0)
    })?;
    dies("the parent's stays", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(1)))
    })
}

fn guards_do_not_split() -> Verdict {
    let map = filled(9)?;
    for page in (1..9).step_by(2) {
        must("guard", map.part(page, 1).advise(GUARD))?;
    }
    same("mappings", vmas::within(map.start, map.end()).len(), 1)
}

fn populate_fills_for_reading_and_writing() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    same("at first", map.present(), vec![false; 4])?;
    must("read", map.part(0, 2).advise(POPULATE_READ))?;
    must("write", map.part(2, 1).advise(POPULATE_WRITE))?;
    same("then", map.present(), vec![true, true, true, false])?;
    let flags = map::ANON | libc::MAP_POPULATE;
    let whole = must("mmap", Map::with(3, map::RW, flags, -1))?;
    same("MAP_POPULATE", whole.present(), vec![true; 3])?;
    holds("zeros", map.is_zero() && whole.is_zero())
}

fn populate_stops_where_it_must() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    must("mprotect", sys::mprotect(map.page(2), PAGE, map::R))?;
    refused(
        "writing to what is read-only",
        map.advise(POPULATE_WRITE),
        libc::EINVAL,
    )?;
    same(
        "what came before",
        map.present(),
        vec![true, true, false, false],
    )?;
    must("munmap", sys::munmap(map.page(2), PAGE))?;
    refused("a hole", map.advise(POPULATE_READ), libc::ENOMEM)?;
    must("guard", map.part(1, 1).advise(GUARD))?;
    refused(
        "a guard",
        map.part(0, 2).advise(POPULATE_WRITE),
        libc::EFAULT,
    )
}

fn cold_and_pageout_lose_nothing() -> Verdict {
    let map = filled(4)?;
    must("cold", map.advise(COLD))?;
    must("pageout", map.advise(PAGEOUT))?;
    must("willneed", map.advise(libc::MADV_WILLNEED))?;
    holds("all is there", map.holds(1))
}

fn unknown_advice_is_refused_even_for_nothing() -> Verdict {
    let map = filled(1)?;
    let nothing = Map { pages: 0, ..map };
    refused("unknown", nothing.advise(99), libc::EINVAL)?;
    same("known", nothing.advise(libc::MADV_DONTNEED), Ok(0))?;
    refused(
        "an odd address",
        Map {
            start: map.start + 1,
            pages: 0,
        }
        .advise(4),
        libc::EINVAL,
    )
}
