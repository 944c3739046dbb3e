//! munmap and mprotect: what they cut, what they leave, which requests they refuse (VM-7, VM-8, VM-10).

use std::os::fd::AsRawFd;

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, lives, must, refused, same};
use user::{fsys, sys, vmas};

pub(crate) const TOPIC: Topic = Topic {
    name: "changes",
    about: "munmap and mprotect at their edges",
    cases: &[
        ("unmap_errors", unmap_errors),
        ("unmap_of_holes_succeeds", unmap_of_holes_succeeds),
        ("unmap_the_middle", unmap_the_middle),
        ("unmap_spans_several", unmap_spans_several),
        (
            "unmap_keeps_neighbours_in_one_table",
            unmap_keeps_neighbours_in_one_table,
        ),
        ("unmapped_then_mapped_is_zero", unmapped_then_mapped_is_zero),
        ("protect_errors", protect_errors),
        ("protect_splits_and_merges", protect_splits_and_merges),
        ("protect_stops_at_a_hole", protect_stops_at_a_hole),
        (
            "protect_stops_where_a_right_is_missing",
            protect_stops_where_a_right_is_missing,
        ),
        (
            "protect_reaches_down_to_the_start",
            protect_reaches_down_to_the_start,
        ),
        ("protect_takes_effect", protect_takes_effect),
        ("write_only_is_readable", write_only_is_readable),
        ("code_can_be_made", code_can_be_made),
    ],
};

const END: u64 = 0x7fff_ffff_f000;

fn unmap_errors() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    refused(
        "an odd address",
        sys::munmap(map.start + 1, PAGE),
        libc::EINVAL,
    )?;
    refused("length 0", sys::munmap(map.start, 0), libc::EINVAL)?;
    refused("past the end", sys::munmap(END, PAGE), libc::EINVAL)?;
    refused(
        "over the end",
        sys::munmap(END - PAGE, 2 * PAGE),
        libc::EINVAL,
    )?;
    refused(
        "a length that wraps",
        sys::munmap(map.start, u64::MAX - PAGE),
        libc::EINVAL,
    )?;
    refused(
        "the kernel's half",
        sys::munmap(0xffff_8880_0000_0000, PAGE),
        libc::EINVAL,
    )?;
    must("one byte unmaps a page", sys::munmap(map.start, 1))?;
    same("the other page lives", mem::peek(map.page(1)), 0)?;
    dies("the page", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(0)))
    })
}

fn unmap_of_holes_succeeds() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    must("munmap", sys::munmap(map.start, map.bytes()))?;
    must("munmap of nothing", sys::munmap(map.start, map.bytes()))?;
    must(
        "munmap of a lot of nothing",
        sys::munmap(0x10_0000_0000, 1 << 30),
    )
    .map(drop)
}

fn unmap_the_middle() -> Verdict {
    let map = must("mmap", Map::apart(5, 2, map::RW))?;
    map.fill(1);
    must("munmap", sys::munmap(map.page(1), 3 * PAGE))?;
    same("first", mem::peek(map.page(0)), 1)?;
    same("last", mem::peek(map.page(4)), 5)?;
    for page in 1..4 {
        dies("a page between", libc::SIGSEGV, || {
            i32::from(mem::peek(map.page(page)))
        })?;
    }
    same("the pieces", vmas::within(map.start, map.end()).len(), 2)
}

fn unmap_spans_several() -> Verdict {
    let map = must("mmap", Map::apart(6, 2, map::RW))?;
    must("mprotect", sys::mprotect(map.page(2), PAGE, map::R))?;
    must("munmap a hole", sys::munmap(map.page(4), PAGE))?;
    must("munmap over all", sys::munmap(map.page(1), 4 * PAGE))?;
    same("the pieces", vmas::within(map.start, map.end()).len(), 2)?;
    dies("a page between", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(2)))
    })
}

/// Freeing one mapping's pages may not free the page table that a neighbour needs.
fn unmap_keeps_neighbours_in_one_table() -> Verdict {
    let map = must("mmap", Map::anon(1024, map::RW))?;
    let boundary = (map.start / (2 << 20) + 1) * (2 << 20);
    mem::poke(boundary, 5);
    mem::poke(boundary - PAGE, 6);
    must(
        "munmap below",
        sys::munmap(map.start, boundary - PAGE - map.start),
    )?;
    same("just below the boundary", mem::peek(boundary - PAGE), 6)?;
    must("munmap the last below", sys::munmap(boundary - PAGE, PAGE))?;
    same("just above it", mem::peek(boundary), 5)
}

fn unmapped_then_mapped_is_zero() -> Verdict {
    for round in 0..50 {
        let map = must("mmap", Map::anon(32, map::RW))?;
        holds("fresh memory is zero", map.is_zero())?;
        map.fill(round + 1);
        (0..32).for_each(|page| mem::poke64(map.page(page) + PAGE - 8, u64::MAX));
        must("munmap", sys::munmap(map.start, map.bytes()))?;
    }
    Ok(())
}

fn protect_errors() -> Verdict {
    let map = must("mmap", Map::apart(2, 2, map::RW))?;
    refused(
        "an odd address",
        sys::mprotect(map.start + 1, PAGE, map::R),
        libc::EINVAL,
    )?;
    same("length 0", sys::mprotect(map.start, 0, map::R), Ok(0))?;
    refused(
        "a length that wraps",
        sys::mprotect(map.start, u64::MAX - PAGE, map::R),
        libc::ENOMEM,
    )?;
    refused(
        "unknown bits",
        sys::mprotect(map.start, PAGE, 0x40),
        libc::EINVAL,
    )?;
    refused(
        "nothing there",
        sys::mprotect(map.end(), PAGE, map::R),
        libc::ENOMEM,
    )?;
    refused(
        "the kernel's half",
        sys::mprotect(0xffff_8880_0000_0000, PAGE, map::RW),
        libc::ENOMEM,
    )?;
    map.fill(4);
    holds("it is as it was", map.holds(4))
}

/// VM-6, VM-7, VM-10: one piece, three, one.
fn protect_splits_and_merges() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::RW))?;
    let pieces = || vmas::within(map.start, map.end());
    same("at first", pieces().len(), 1)?;
    must("mprotect", sys::mprotect(map.page(1), PAGE, map::R))?;
    let perms: Vec<String> = pieces().into_iter().map(|line| line.perms).collect();
    same(
        "the middle read-only",
        perms,
        vec!["rw-p".to_owned(), "r--p".to_owned(), "rw-p".to_owned()],
    )?;
    must("mprotect back", sys::mprotect(map.page(1), PAGE, map::RW))?;
    same("at last", pieces().len(), 1)
}

fn protect_stops_at_a_hole() -> Verdict {
    let map = must("mmap", Map::apart(5, 2, map::RW))?;
    map.fill(1);
    must("munmap", sys::munmap(map.page(2), PAGE))?;
    refused("mprotect", map.protect(map::R), libc::ENOMEM)?;
    dies("a page before the hole is read-only", libc::SIGSEGV, || {
        mem::poke(map.page(1), 1);
        0
    })?;
    lives("a page after it is writable", || {
        mem::poke(map.page(3), 1);
        0
    })
}

/// VM-3, VM-10: a shared mapping of what was opened to be read never becomes writable, a private one may.
fn protect_stops_where_a_right_is_missing() -> Verdict {
    let dir = fsys::Scratch::new()?;
    let path = dir.path("file");
    fsys::io("write", std::fs::write(&path, [7_u8; 4096]))?;
    let reader = fsys::io("open", std::fs::File::open(&path))?;
    let map = must("mmap", Map::apart(6, 2, map::R))?;
    let put = |page: u64, flags: i32| {
        let flags = flags | libc::MAP_FIXED;
        let at = sys::mmap(map.page(page), PAGE, map::R, flags, reader.as_raw_fd(), 0);
        must("mmap of the file", at)
    };
    put(1, libc::MAP_PRIVATE)?;
    put(3, libc::MAP_SHARED)?;
    refused("all", map.protect(map::RW), libc::EACCES)?;
    let lines = vmas::within(map.start, map.end());
    let perms: Vec<&str> = lines.iter().map(|line| &line.perms[..]).collect();
    same(
        "rights",
        perms,
        vec!["rw-p", "rw-p", "rw-p", "r--s", "r--p"],
    )?;
    mem::poke(map.page(1), 8);
    same("the file", mem::peek(map.page(3)), 7)?;
    must("to run", map.part(3, 1).protect(map::RX)).map(drop)
}

/// VM-10: PROT_GROWSDOWN takes in what a growing mapping has become below the address.
fn protect_reaches_down_to_the_start() -> Verdict {
    let down = libc::PROT_GROWSDOWN;
    let map = must("mmap", Map::apart(400, 8, map::NONE))?;
    must("munmap", sys::munmap(map.start, map.bytes()))?;
    let flags = map::ANON | libc::MAP_FIXED | libc::MAP_GROWSDOWN;
    let top = map.part(390, 2);
    must(
        "a growing mapping",
        sys::mmap(top.start, top.bytes(), map::RW, flags, -1, 0),
    )?;
    mem::poke(map.page(380), 1);
    must(
        "mprotect of the last page",
        sys::mprotect(map.page(391), PAGE, map::R | down),
    )?;
    let lines = vmas::within(map.start, map.end());
    let pieces: Vec<_> = lines
        .iter()
        .map(|line| (line.start, line.perms.as_str()))
        .collect();
    same("the pieces", pieces, vec![(map.page(380), "r--p")])?;
    let plain = must("mmap", Map::apart(3, 2, map::RW))?;
    let none_grows = |bits| sys::mprotect(plain.page(1), PAGE, map::R | bits);
    refused("of another", none_grows(down), libc::EINVAL)?;
    refused("upwards", none_grows(libc::PROT_GROWSUP), libc::EINVAL)?;
    refused(
        "both ways",
        none_grows(down | libc::PROT_GROWSUP),
        libc::EINVAL,
    )?;
    same(
        "which is as it was",
        vmas::within(plain.start, plain.end()).len(),
        1,
    )
}

fn protect_takes_effect() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    for round in 0..20 {
        map.fill(round);
        must("mprotect", map.protect(map::R))?;
        holds("it is readable", map.holds(round))?;
        let ended = child::run(|| {
            mem::poke(map.start, 1);
            0
        });
        same(
            "a write",
            must("fork", ended)?,
            Ended::Killed(libc::SIGSEGV),
        )?;
        must("mprotect", map.protect(map::RW))?;
    }
    Ok(())
}

/// PF-9: x86 cannot write without reading.
fn write_only_is_readable() -> Verdict {
    let map = must("mmap", Map::anon(1, libc::PROT_WRITE))?;
    same("a read of fresh write-only memory", mem::peek(map.start), 0)?;
    mem::poke(map.start, 3);
    same("and of written", mem::peek(map.start), 3)
}

fn code_can_be_made() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    let code = [0x48, 0x8d, 0x47, 0x05, 0xc3]; // lea rax, [rdi + 5]; ret
    (0..)
        .zip(code)
        .for_each(|(at, byte)| mem::poke(map.start + at, byte));
    must("mprotect", map.protect(map::RX))?;
    same("its result", mem::run(map.start, 37), 42)?;
    must("mprotect", map.protect(map::RWX))?;
    mem::poke(map.start + 3, 6);
    same("its result, changed", mem::run(map.start, 37), 43)
}
