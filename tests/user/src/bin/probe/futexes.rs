//! Futexes: who is woken, who is moved, whose word is whose.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;
use user::threads::{Helper, THREAD};

pub(crate) const TOPIC: Topic = Topic {
    name: "futexes",
    about: "waiting for words: bits, moves, words shared with other processes, words of the dead",
    cases: &[
        (
            "a_changed_word_is_not_waited_for",
            a_changed_word_is_not_waited_for,
        ),
        ("words_must_be_there", words_must_be_there),
        ("unknown_operations", unknown_operations),
        (
            "a_wake_wakes_as_many_as_it_says",
            a_wake_wakes_as_many_as_it_says,
        ),
        ("bits_choose_who_is_woken", bits_choose_who_is_woken),
        (
            "requeue_moves_who_is_not_woken",
            requeue_moves_who_is_not_woken,
        ),
        ("a_requeue_compares", a_requeue_compares),
        (
            "wake_op_changes_the_other_word",
            wake_op_changes_the_other_word,
        ),
        (
            "a_shared_word_has_many_addresses",
            a_shared_word_has_many_addresses,
        ),
        ("a_private_wake_stays_at_home", a_private_wake_stays_at_home),
        ("the_dead_mark_their_words", the_dead_mark_their_words),
        ("a_ring_of_words_has_an_end", a_ring_of_words_has_an_end),
    ],
};

const WAIT: i32 = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
const WAKE: i32 = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
const ALL: u64 = i32::MAX as u64;

/// The words that are waited for, and how many waits ended.
static WORDS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
static AWAKE: AtomicU32 = AtomicU32::new(0);

fn word(number: usize) -> u64 {
    std::ptr::from_ref(&WORDS[number]) as u64
}

fn futex(addr: u64, op: i32, value: u64, rest: [u64; 3]) -> sys::Result {
    let [timeout, other, bits] = rest;
    sys::call(
        libc::SYS_futex,
        [addr, op as u64, value, timeout, other, bits],
    )
}

fn plain(addr: u64, op: i32, value: u64) -> sys::Result {
    futex(addr, op, value, [0; 3])
}

extern "C" fn wait_at(addr: u64) -> u64 {
    let _ = plain(addr, WAIT, 0);
    AWAKE.fetch_add(1, SeqCst);
    0
}

extern "C" fn wait_for_bits(bits: u64) -> u64 {
    let op = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
    let _ = futex(word(0), op, 0, [0, 0, bits]);
    AWAKE.fetch_add(1, SeqCst);
    0
}

fn is_asleep(tid: i32) -> bool {
    let path = format!("/proc/self/task/{tid}/status");
    let status = std::fs::read_to_string(path).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tS"))
}

/// Starts helpers that each run `work` with one of the arguments and sleep by the time this returns.
fn sleepers(work: extern "C" fn(u64) -> u64, arguments: &[u64]) -> Result<Vec<Helper>, String> {
    let mut helpers = Vec::new();
    for argument in arguments {
        let helper = must("clone", Helper::start(THREAD, work, *argument))?;
        while !is_asleep(helper.number()) {
            let _ = sys::sleep_ms(1);
        }
        helpers.push(helper);
    }
    Ok(helpers)
}

/// Waits until so many have woken, and sees that no more do.
fn awake(count: u32) -> Verdict {
    while AWAKE.load(SeqCst) < count {
        let _ = sys::sleep_ms(1);
    }
    must("sleep", sys::sleep_ms(5))?;
    same("awake", AWAKE.load(SeqCst), count)
}

fn a_changed_word_is_not_waited_for() -> Verdict {
    WORDS[0].store(5, SeqCst);
    refused("a wait", plain(word(0), WAIT, 4), libc::EAGAIN)?;
    let mut soon = [0, 2_000_000_u64];
    let timed = futex(word(0), WAIT, 5, [sys::at(&mut soon), 0, 0]);
    refused("in time", timed, libc::ETIMEDOUT)?;
    same("nobody waits", plain(word(0), WAKE, ALL), Ok(0))
}

fn words_must_be_there() -> Verdict {
    let page = must("mmap", Map::anon(1, map::NONE))?.start;
    refused("askew", plain(word(0) + 1, WAIT, 0), libc::EINVAL)?;
    refused("a wait", plain(page, WAIT, 0), libc::EFAULT)?;
    must("munmap", sys::munmap(page, mem::PAGE))?;
    let shared = plain(page, libc::FUTEX_WAKE, 1);
    refused("a shared wake", shared, libc::EFAULT)?;
    same(
        "a private wake looks at nothing",
        plain(page, WAKE, 1),
        Ok(0),
    )
}

fn unknown_operations() -> Verdict {
    for op in [2, 127, libc::FUTEX_WAKE | libc::FUTEX_CLOCK_REALTIME] {
        refused("op", plain(word(0), op, 1), libc::ENOSYS)?;
    }
    let bits = libc::FUTEX_WAKE_BITSET;
    refused("no bits", plain(word(0), bits, 1), libc::EINVAL)
}

fn a_wake_wakes_as_many_as_it_says() -> Verdict {
    let helpers = sleepers(wait_at, &[word(0); 5])?;
    same("another word", plain(word(1), WAKE, ALL), Ok(0))?;
    same("two", plain(word(0), WAKE, 2), Ok(2))?;
    awake(2)?;
    same("the rest", plain(word(0), WAKE, ALL), Ok(3))?;
    awake(5)?;
    helpers.into_iter().for_each(Helper::join);
    Ok(())
}

fn bits_choose_who_is_woken() -> Verdict {
    let _helpers = sleepers(wait_for_bits, &[1, 2, 3, 4])?;
    let op = libc::FUTEX_WAKE_BITSET | libc::FUTEX_PRIVATE_FLAG;
    same("bit 1", futex(word(0), op, ALL, [0, 0, 2]), Ok(2))?;
    awake(2)?;
    same("bit 3", futex(word(0), op, ALL, [0, 0, 8]), Ok(0))?;
    same("anybody", plain(word(0), WAKE, ALL), Ok(2))?;
    awake(4)
}

fn requeue_moves_who_is_not_woken() -> Verdict {
    let op = libc::FUTEX_REQUEUE | libc::FUTEX_PRIVATE_FLAG;
    let _helpers = sleepers(wait_at, &[word(0); 5])?;
    let moved = futex(word(0), op, 1, [2, word(1), 0]);
    same("one woken, two moved", moved, Ok(3))?;
    awake(1)?;
    same("who was moved", plain(word(1), WAKE, ALL), Ok(2))?;
    awake(3)?;
    same("who was not", plain(word(0), WAKE, ALL), Ok(2))?;
    awake(5)?;
    refused(
        "fewer than none",
        futex(word(0), op, u64::MAX, [1, word(1), 0]),
        libc::EINVAL,
    )
}

fn a_requeue_compares() -> Verdict {
    let op = libc::FUTEX_CMP_REQUEUE | libc::FUTEX_PRIVATE_FLAG;
    let _helpers = sleepers(wait_at, &[word(0); 2])?;
    let other = futex(word(0), op, 0, [ALL, word(1), 9]);
    refused("another value", other, libc::EAGAIN)?;
    let moved = futex(word(0), op, 0, [ALL, word(1), 0]);
    same("the value", moved, Ok(2))?;
    awake(0)?;
    same("all were moved", plain(word(1), WAKE, ALL), Ok(2))?;
    awake(2)
}

fn wake_op_changes_the_other_word() -> Verdict {
    let op = libc::FUTEX_WAKE_OP | libc::FUTEX_PRIVATE_FLAG;
    let _helpers = sleepers(wait_at, &[word(0), word(1), word(1)])?;
    // Adds 7; wakes at the second word if it was 0.
    let encoded = 1 << 28 | 7 << 12;
    let woken = futex(word(0), op, ALL, [1, word(1), encoded]);
    same("one there, one here", woken, Ok(2))?;
    same("the word", WORDS[1].load(SeqCst), 7)?;
    awake(2)?;
    let woken = futex(word(0), op, ALL, [1, word(1), encoded]);
    same("it was not 0", woken, Ok(0))?;
    same("the word", WORDS[1].load(SeqCst), 14)?;
    let unknown = futex(word(0), op, ALL, [1, word(1), 7 << 28]);
    refused("unknown arithmetic", unknown, libc::ENOSYS)
}

/// Maps a page of a file in memory twice, and gives both addresses.
fn twins() -> Result<[u64; 2], String> {
    let name = c"twins".as_ptr() as u64;
    let fd = must("memfd_create", sys::call(libc::SYS_memfd_create, [name, 0]))? as i32;
    must(
        "ftruncate",
        sys::call(libc::SYS_ftruncate, [fd as u64, mem::PAGE]),
    )?;
    let once = || must("mmap", Map::with(1, map::RW, libc::MAP_SHARED, fd));
    Ok([once()?.start, once()?.start])
}

fn a_shared_word_has_many_addresses() -> Verdict {
    let [here, there] = twins()?;
    let waits = move || match plain(there + 8, libc::FUTEX_WAIT, 0) {
        Ok(0) => 3,
        _ => 4,
    };
    let pid = must("fork", child::start(waits))?;
    let mut woken = 0;
    while woken == 0 {
        must("sleep", sys::sleep_ms(1))?;
        same(
            "its neighbour",
            plain(here + 4, libc::FUTEX_WAKE, ALL),
            Ok(0),
        )?;
        woken = must("wake", plain(here + 8, libc::FUTEX_WAKE, ALL))?;
    }
    same("woken", woken, 1)?;
    same("its end", must("wait", child::wait(pid))?, Ended::Exited(3))
}

fn a_private_wake_stays_at_home() -> Verdict {
    let [here, there] = twins()?;
    let _helpers = sleepers(wait_at, &[here])?;
    same("by its other address", plain(there, WAKE, ALL), Ok(0))?;
    same("by its own", plain(here, WAKE, ALL), Ok(1))?;
    awake(1)
}

/// Writes a list of locks to `list`, the head first; each lock is held by whom `owners` name.
fn own_locks(list: u64, owners: &[u32], ring: bool) {
    let entry = |number: usize| list + 64 * number as u64;
    for (number, owner) in owners.iter().enumerate() {
        let last = number + 1 == owners.len();
        let next = match last {
            true if ring => entry(1),
            true => list,
            false => entry(number + 1),
        };
        mem::poke64(entry(number), next);
        mem::poke64(entry(number) + 8, u64::from(*owner));
    }
}

const WAITERS: u32 = 0x8000_0000;
const DIED: u32 = 0x4000_0000;

extern "C" fn die_with_locks(list: u64) -> u64 {
    let own = sys::raw(libc::SYS_gettid, [0; 6]) as u32;
    // The first entry is the head: its second word is the distance from an entry to its word, its third is pending.
    own_locks(list, &[0, own, own | WAITERS, 1, own], false);
    mem::poke64(list + 8, 8);
    mem::poke64(list + 16, 0);
    let _ = sys::raw(libc::SYS_set_robust_list, [list, 24, 0, 0, 0, 0]);
    0
}

fn the_dead_mark_their_words() -> Verdict {
    let list = must("mmap", Map::anon(1, map::RW))?.start;
    let helper = must("clone", Helper::start(THREAD, die_with_locks, list))?;
    helper.join();
    let words = [1, 2, 3, 4].map(|number| mem::peek64(list + 64 * number + 8) as u32);
    same("the words", words, [DIED, DIED | WAITERS, 1, DIED])
}

extern "C" fn die_with_a_ring(list: u64) -> u64 {
    let own = sys::raw(libc::SYS_gettid, [0; 6]) as u32;
    own_locks(list, &[0, own, own], true);
    mem::poke64(list + 8, 8);
    mem::poke64(list + 16, 0x10);
    let _ = sys::raw(libc::SYS_set_robust_list, [list, 24, 0, 0, 0, 0]);
    0
}

fn a_ring_of_words_has_an_end() -> Verdict {
    let list = must("mmap", Map::anon(1, map::RW))?.start;
    let helper = must("clone", Helper::start(THREAD, die_with_a_ring, list))?;
    helper.join();
    holds("it was walked", mem::peek64(list + 64 + 8) as u32 == DIED)
}
