//! What `/proc/self/pagemap` says of each page.

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, code, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "pagemap",
    about: "a word for each page says whether it is there, whose it is, and where",
    cases: &[
        ("pagemap_bits", pagemap_bits),
        ("pagemap_edges", pagemap_edges),
    ],
};

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const FILE: u64 = 1 << 61;
const GUARD: u64 = 1 << 58;
const EXCLUSIVE: u64 = 1 << 56;
const BITS: u64 = PRESENT | SWAPPED | FILE | GUARD | EXCLUSIVE;
const NUMBER: u64 = (1 << 55) - 1;
const MADV_GUARD_INSTALL: i32 = 102;

/// Reads the words of some pages.
fn page_words(map: &Map) -> Result<Vec<u64>, String> {
    let fd = must("open", sys::open(c"/proc/self/pagemap"))?;
    let mut words = vec![0_u64; map.pages as usize];
    let len = map.pages * 8;
    let args = [
        fd as u64,
        sys::at(&mut words[..]),
        len,
        map.start / PAGE * 8,
    ];
    same(
        "bytes",
        must("pread", sys::call(libc::SYS_pread64, args))?,
        len,
    )?;
    must("close", sys::close(fd))?;
    Ok(words)
}

fn pagemap_bits() -> Verdict {
    let map = must("map", Map::apart(6, 2, map::RW))?;
    same("zero", mem::peek(map.page(1)), 0)?;
    for page in [2, 3, 4, 5] {
        mem::poke(map.page(page), 1);
    }
    must("hide", sys::mprotect(map.page(3), PAGE, map::NONE))?;
    must("guard", map.part(4, 1).advise(MADV_GUARD_INSTALL))?;
    let words = page_words(&map)?;
    let bits = |words: &[u64]| words.iter().map(|word| word & BITS).collect::<Vec<_>>();
    let own = PRESENT | EXCLUSIVE;
    same(
        "bits",
        bits(&words),
        vec![0, PRESENT, own, own, SWAPPED | GUARD, own],
    )?;
    let frames = [1, 2, 3, 5].map(|page| words[page] & NUMBER);
    holds(
        "frames differ",
        (0..4).all(|at| frames[at] != 0 && !frames[..at].contains(&frames[at])),
    )?;
    lives("a child", || {
        code((|| {
            let shared = page_words(&map)?;
            let expected = vec![0, PRESENT, PRESENT, PRESENT, SWAPPED | GUARD, PRESENT];
            same("bits in the child", bits(&shared), expected)?;
            same("the same frame", shared[2] & NUMBER, words[2] & NUMBER)?;
            mem::poke(map.page(2), 2);
            let copied = page_words(&map)?[2];
            same("a copy", copied & BITS, own)?;
            holds("in another frame", copied & NUMBER != words[2] & NUMBER)
        })())
    })?;
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let map = must("map", Map::with(1, map::RW, shared, -1))?;
    mem::poke(map.start, 1);
    same(
        "shared memory",
        bits(&page_words(&map)?),
        vec![PRESENT | FILE | EXCLUSIVE],
    )
}

fn pagemap_edges() -> Verdict {
    let fd = must("open", sys::open(c"/proc/self/pagemap"))?;
    let mut words = [0_u64; 4];
    let read = |at: u64, to: &mut [u64], len: u64| {
        sys::call(libc::SYS_pread64, [fd as u64, sys::at(to), len, at])
    };
    refused("an odd place", read(4, &mut words, 8), libc::EINVAL)?;
    refused("an odd length", read(0, &mut words, 12), libc::EINVAL)?;
    same(
        "beyond the end",
        read(0x8000_0000_0000 / PAGE * 8, &mut words, 8),
        Ok(0),
    )?;
    let last = 0x7fff_ffff_f000 / PAGE * 8;
    same("the last one", read(last - 8, &mut words, 32), Ok(8))?;
    words[0] = 7;
    same("the first ones", read(0, &mut words, 32), Ok(32))?;
    same("nothing is there", words, [0; 4])
}
