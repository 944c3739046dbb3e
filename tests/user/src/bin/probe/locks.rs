//! mlock and its kin: what is filled, what is inherited, what locked memory refuses.

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "locks",
    about: "mlock, mlock2, mlockall: filled at once or on a fault, not inherited",
    cases: &[
        ("mlock_fills", mlock_fills),
        ("mlock_stops_at_a_hole", mlock_stops_at_a_hole),
        (
            "mlock_of_what_cannot_be_filled",
            mlock_of_what_cannot_be_filled,
        ),
        ("onfault_fills_later", onfault_fills_later),
        ("locked_mappings_are_filled", locked_mappings_are_filled),
        ("everything_to_come", everything_to_come),
        ("everything_there_is", everything_there_is),
        ("children_have_no_locks", children_have_no_locks),
        ("locked_memory_is_not_dropped", locked_memory_is_not_dropped),
        ("becoming_writable_fills", becoming_writable_fills),
        ("locks_and_unlocks_merge", locks_and_unlocks_merge),
    ],
};

fn lock(map: Map) -> sys::Result {
    sys::call(libc::SYS_mlock, [map.start, map.bytes()])
}

fn unlock(map: Map) -> sys::Result {
    sys::call(libc::SYS_munlock, [map.start, map.bytes()])
}

fn lock_all(flags: i32) -> sys::Result {
    sys::call(libc::SYS_mlockall, [flags as u64])
}

/// Says whether a range is locked: MADV_DONTNEED refuses it then.
fn is_locked(map: Map) -> bool {
    map.advise(libc::MADV_DONTNEED) == Err(sys::Errno(libc::EINVAL))
}

fn mlock_fills() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    must("mlock", lock(map.part(1, 2)))?;
    same(
        "what is there",
        map.present(),
        vec![false, true, true, false],
    )?;
    holds("it is locked", is_locked(map.part(1, 1)))?;
    must("munlock", unlock(map))?;
    same(
        "what is still there",
        map.present(),
        vec![false, true, true, false],
    )?;
    holds("it is not locked", !is_locked(map))?;
    must(
        "an odd address",
        sys::call(libc::SYS_mlock, [map.page(1) + 5, 1]),
    )?;
    same("its page", map.part(1, 1).present(), vec![true])
}

fn mlock_stops_at_a_hole() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    must("munmap", sys::munmap(map.page(2), PAGE))?;
    refused("mlock", lock(map), libc::ENOMEM)?;
    holds("before the hole it is locked", is_locked(map.part(1, 1)))?;
    holds("behind it is not", !is_locked(map.part(3, 1)))?;
    refused("munlock", unlock(map), libc::ENOMEM)?;
    holds(
        "before the hole it is not any more",
        !is_locked(map.part(1, 1)),
    )
}

fn mlock_of_what_cannot_be_filled() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    must("mprotect", sys::mprotect(map.page(2), PAGE, map::NONE))?;
    refused("mlock", lock(map), libc::ENOMEM)?;
    same(
        "before it all is filled",
        map.part(0, 2).present(),
        vec![true; 2],
    )?;
    same("behind it nothing", map.part(3, 1).present(), vec![false])?;
    holds("all of it is locked", is_locked(map.part(3, 1)))
}

fn onfault_fills_later() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::RW))?;
    must(
        "mlock2",
        sys::call(libc::SYS_mlock2, [map.start, map.bytes(), 1]),
    )?;
    same("what is there", map.present(), vec![false; 3])?;
    mem::poke(map.page(1), 1);
    same("a touch later", map.present(), vec![false, true, false])?;
    holds("it is locked", is_locked(map))?;
    refused(
        "unknown flags",
        sys::call(libc::SYS_mlock2, [map.start, PAGE, 2]),
        libc::EINVAL,
    )
}

fn locked_mappings_are_filled() -> Verdict {
    let map = must("mmap", Map::with(3, map::RW, ANON | libc::MAP_LOCKED, -1))?;
    same("what is there", map.present(), vec![true; 3])?;
    holds("it is locked", is_locked(map))?;
    let none = must("mmap", Map::with(2, map::NONE, ANON | libc::MAP_LOCKED, -1))?;
    same("what may not be touched", none.present(), vec![false; 2])
}

fn everything_to_come() -> Verdict {
    let before = must("mmap", Map::apart(2, 2, map::RW))?;
    must("mlockall", lock_all(libc::MCL_FUTURE))?;
    same("what was", before.present(), vec![false; 2])?;
    let map = must("mmap", Map::anon(3, map::RW))?;
    same("what came", map.present(), vec![true; 3])?;
    must("mlockall", lock_all(libc::MCL_FUTURE | libc::MCL_ONFAULT))?;
    let later = must("mmap", Map::anon(3, map::RW))?;
    same("what came later", later.present(), vec![false; 3])?;
    holds("both are locked", is_locked(map) && is_locked(later))?;
    must("munlockall", sys::call(libc::SYS_munlockall, []))?;
    holds("neither is", !is_locked(map) && !is_locked(later))?;
    let last = must("mmap", Map::anon(3, map::RW))?;
    same("what comes after that", last.present(), vec![false; 3])
}

fn everything_there_is() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::RW))?;
    let none = must("mmap", Map::apart(2, 2, map::NONE))?;
    must("mlockall", lock_all(libc::MCL_CURRENT))?;
    same("what is there", map.present(), vec![true; 3])?;
    same("what may not be touched", none.present(), vec![false; 2])?;
    let later = must("mmap", Map::anon(2, map::RW))?;
    same("what comes", later.present(), vec![false; 2])?;
    refused("no flags", lock_all(0), libc::EINVAL)?;
    refused(
        "a modifier alone",
        lock_all(libc::MCL_ONFAULT),
        libc::EINVAL,
    )?;
    refused("unknown flags", lock_all(8), libc::EINVAL)
}

fn children_have_no_locks() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::RW))?;
    must("mlock", lock(map))?;
    must("mlockall", lock_all(libc::MCL_FUTURE))?;
    lives("the child", || {
        let fresh = Map::anon(2, map::RW).map(|map| map.present());
        i32::from(is_locked(map) || fresh != Ok(vec![false; 2]))
    })?;
    holds("the parent's is locked", is_locked(map))
}

fn locked_memory_is_not_dropped() -> Verdict {
    let map = must("mmap", Map::apart(2, 2, map::RW))?;
    map.fill(1);
    must("mlock", lock(map))?;
    for advice in [4, 8, 20, 21, 102] {
        refused(
            &format!("advice {advice}"),
            map.advise(advice),
            libc::EINVAL,
        )?;
    }
    refused(
        "msync",
        sys::call(
            libc::SYS_msync,
            [map.start, PAGE, libc::MS_INVALIDATE as u64],
        ),
        libc::EBUSY,
    )?;
    holds("it is there", map.holds(1))?;
    must("munmap", sys::munmap(map.start, map.bytes())).map(drop)
}

fn becoming_writable_fills() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::NONE))?;
    refused("mlock", lock(map), libc::ENOMEM)?;
    must("read-only", map.protect(map::R))?;
    same("read-only", map.present(), vec![false; 3])?;
    must("writable", map.protect(map::RW))?;
    same("writable", map.present(), vec![true; 3])
}

fn locks_and_unlocks_merge() -> Verdict {
    let map = must("mmap", Map::apart(5, 2, map::RW))?;
    map.fill(1);
    let pieces = || user::vmas::within(map.start, map.end()).len();
    must("mlock", lock(map.part(1, 2)))?;
    same("with the middle locked", pieces(), 3)?;
    must("mlock", lock(map))?;
    same("with all locked", pieces(), 1)?;
    must("munlock", unlock(map.part(4, 1)))?;
    same("with the end unlocked", pieces(), 2)
}
