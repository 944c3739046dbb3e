//! The map as a program reads it: what is one mapping, what are two, and how a line is written (VM-6, VM-7, VM-17).

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, holds, lives, must, same};
use user::{fsys, sys, vmas};

pub(crate) const TOPIC: Topic = Topic {
    name: "shapes",
    about: "joined and split mappings, /proc/self/maps",
    cases: &[
        ("three_become_one", three_become_one),
        ("different_kinds_stay_apart", different_kinds_stay_apart),
        ("different_objects_stay_apart", different_objects_stay_apart),
        (
            "pieces_of_a_file_join_where_they_continue",
            pieces_of_a_file_join,
        ),
        (
            "pieces_of_a_file_keep_their_offset",
            pieces_keep_their_offset,
        ),
        ("moved_pieces_join_again", moved_pieces_join_again),
        ("a_child_has_the_same_map", a_child_has_the_same_map),
        (
            "lines_are_written_as_on_linux",
            lines_are_written_as_on_linux,
        ),
        ("names_of_what_has_none", names_of_what_has_none),
    ],
};

const FIXED: i32 = libc::MAP_FIXED;
const SHARED: i32 = libc::MAP_SHARED | libc::MAP_ANONYMOUS;

/// Tells a range's mappings: first page, page behind, rights, and the offset in pages where there is a file.
fn shape(map: Map) -> String {
    let lines = vmas::within(map.start, map.end());
    let told = lines.iter().map(|line| {
        let page = |addr: u64| (addr - map.start) / PAGE;
        let offset = match line.inode {
            0 => String::new(),
            _ => format!("@{}", line.offset / PAGE),
        };
        format!(
            "{}-{}{}{offset}",
            page(line.start),
            page(line.end),
            line.perms
        )
    });
    told.collect::<Vec<_>>().join(" ")
}

fn shape_is(what: &str, map: Map, want: &str) -> Verdict {
    same(what, shape(map).as_str(), want)
}

fn put(map: Map, prot: i32, flags: i32, fd: i32, offset: u64) -> Verdict {
    let at = sys::mmap(
        map.start,
        map.bytes(),
        prot,
        flags | FIXED,
        fd,
        offset * PAGE,
    );
    same("mmap", at, Ok(map.start))
}

/// Gives room where nothing is mapped.
fn room(pages: u64) -> Result<Map, String> {
    let map = must("mmap", Map::apart(pages, 4, map::NONE))?;
    must("munmap", sys::munmap(map.start, map.bytes()))?;
    Ok(map)
}

/// Makes a file without a name, some pages long.
fn file(name: &str) -> Result<i32, String> {
    let fd = must("memfd_create", fsys::memfd(name, 0))?;
    must(
        "ftruncate",
        sys::call(libc::SYS_ftruncate, [fd as u64, 64 * PAGE]),
    )?;
    Ok(fd)
}

fn three_become_one() -> Verdict {
    let map = room(6)?;
    put(map.part(0, 2), map::RW, ANON, -1, 0)?;
    put(map.part(4, 2), map::RW, ANON, -1, 0)?;
    shape_is("two", map, "0-2rw-p 4-6rw-p")?;
    put(map.part(2, 2), map::RW, ANON, -1, 0)?;
    shape_is("one", map, "0-6rw-p")?;
    must("mprotect", map.part(1, 4).protect(map::R))?;
    shape_is("three", map, "0-1rw-p 1-5r--p 5-6rw-p")?;
    must("mprotect", map.part(1, 2).protect(map::RW))?;
    shape_is("two, elsewhere", map, "0-3rw-p 3-5r--p 5-6rw-p")?;
    must("mprotect", map.part(3, 2).protect(map::RW))?;
    shape_is("one again", map, "0-6rw-p")
}

fn different_kinds_stay_apart() -> Verdict {
    let map = room(8)?;
    put(map.part(0, 2), map::RW, ANON, -1, 0)?;
    put(map.part(2, 2), map::RW, ANON | libc::MAP_NORESERVE, -1, 0)?;
    put(map.part(4, 2), map::RW, SHARED, -1, 0)?;
    put(map.part(6, 1), map::RW, ANON | libc::MAP_GROWSDOWN, -1, 0)?;
    put(map.part(7, 1), map::RW, ANON, -1, 0)?;
    let told: Vec<(u64, u64)> = vmas::within(map.start, map.end())
        .iter()
        .map(|line| {
            (
                (line.start - map.start) / PAGE,
                (line.end - map.start) / PAGE,
            )
        })
        .collect();
    same(
        "the mappings",
        told,
        vec![(0, 2), (2, 4), (4, 6), (6, 7), (7, 8)],
    )
}

/// Two shared mappings are two objects, however alike they look.
fn different_objects_stay_apart() -> Verdict {
    let map = room(4)?;
    put(map.part(0, 2), map::RW, SHARED, -1, 0)?;
    put(map.part(2, 2), map::RW, SHARED, -1, 0)?;
    same("mappings", vmas::within(map.start, map.end()).len(), 2)?;
    let (one, two) = (file("one")?, file("two")?);
    put(map.part(0, 2), map::R, libc::MAP_SHARED, one, 0)?;
    put(map.part(2, 2), map::R, libc::MAP_SHARED, two, 2)?;
    same(
        "mappings of files",
        vmas::within(map.start, map.end()).len(),
        2,
    )
}

fn pieces_of_a_file_join() -> Verdict {
    let map = room(8)?;
    let fd = file("pieces")?;
    put(map.part(0, 2), map::R, libc::MAP_PRIVATE, fd, 10)?;
    put(map.part(4, 2), map::R, libc::MAP_PRIVATE, fd, 14)?;
    put(map.part(2, 2), map::R, libc::MAP_PRIVATE, fd, 12)?;
    shape_is("one", map, "0-6r--p@10")?;
    put(map.part(6, 2), map::R, libc::MAP_PRIVATE, fd, 17)?;
    shape_is("a page left out", map, "0-6r--p@10 6-8r--p@17")?;
    put(map.part(6, 2), map::R, libc::MAP_SHARED, fd, 16)?;
    same(
        "shared beside private",
        vmas::within(map.start, map.end()).len(),
        2,
    )
}

fn pieces_keep_their_offset() -> Verdict {
    let map = room(8)?;
    let fd = file("offsets")?;
    put(map, map::RW, libc::MAP_SHARED, fd, 3)?;
    (0..8).for_each(|page| mem::poke(map.page(page), page as u8 + 1));
    must("munmap", sys::munmap(map.page(2), 2 * PAGE))?;
    shape_is("a hole", map, "0-2rw-s@3 4-8rw-s@7")?;
    must("mprotect", map.part(5, 1).protect(map::R))?;
    shape_is("pieces", map, "0-2rw-s@3 4-5rw-s@7 5-6r--s@8 6-8rw-s@9")?;
    let back = must(
        "mmap",
        sys::mmap(0, 64 * PAGE, map::R, libc::MAP_SHARED, fd, 0),
    )?;
    let bytes: Vec<u8> = (3..11).map(|page| mem::peek(back + page * PAGE)).collect();
    same("the file", bytes, (1..=8).collect::<Vec<u8>>())?;
    same("through a piece", mem::peek(map.page(5)), 6)
}

fn moved_pieces_join_again() -> Verdict {
    let map = room(12)?;
    let fd = file("moved")?;
    put(map.part(0, 4), map::R, libc::MAP_SHARED, fd, 20)?;
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let moved = |from: u64, to: u64| {
        let args = [
            map.page(from),
            2 * PAGE,
            2 * PAGE,
            flags as u64,
            map.page(to),
        ];
        must("mremap", sys::call(libc::SYS_mremap, args))
    };
    moved(2, 8)?;
    shape_is("apart", map, "0-2r--s@20 8-10r--s@22")?;
    moved(8, 2)?;
    shape_is("together", map, "0-4r--s@20")?;
    moved(0, 4)?;
    shape_is("the wrong way round", map, "2-4r--s@22 4-6r--s@20")
}

fn a_child_has_the_same_map() -> Verdict {
    let map = room(10)?;
    let fd = file("inherited")?;
    put(map.part(0, 2), map::RW, ANON, -1, 0)?;
    put(map.part(2, 2), map::NONE, ANON, -1, 0)?;
    put(map.part(4, 2), map::RX, libc::MAP_PRIVATE, fd, 5)?;
    put(map.part(6, 2), map::RW, SHARED, -1, 0)?;
    let text = || std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    // Reading allocates: the first time the heap may still grow.
    let _ = (text(), text());
    let before = text();
    lives("the child's", || i32::from(text() != before))
}

fn lines_are_written_as_on_linux() -> Verdict {
    let _ = must("brk", sys::call(libc::SYS_brk, [0]))?;
    let map = must("mmap", Map::apart(1, 2, map::RWX))?;
    let low = must(
        "mmap",
        sys::mmap(0x20_0000, PAGE, map::R, ANON | FIXED, -1, 0),
    )?;
    let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let line = |start: u64, end: u64| format!("{start:08x}-{end:08x}");
    holds(
        "eight digits at least",
        text.contains(&format!(
            "{} r--p 00000000 00:00 0 \n",
            line(low, low + PAGE)
        )),
    )?;
    holds(
        "a blank at the end where there is no name",
        text.contains(&format!(
            "{} rwxp 00000000 00:00 0 \n",
            line(map.start, map.end())
        )),
    )?;
    let is_right = |line: &&str| {
        let at_73 = |rest: &str| line.find(rest) == Some(73) || line.len() < 73;
        match line.split_whitespace().nth(5) {
            Some(name) => at_73(name),
            None => line.ends_with(' ') && !line.ends_with("  "),
        }
    };
    let wrong: Vec<&str> = text.lines().filter(|line| !is_right(line)).collect();
    same("lines whose name is not in column 73", wrong, vec![])?;
    let numbers =
        |line: &&str| line.len() > 40 && line[..40].contains(|c: char| c.is_ascii_uppercase());
    same(
        "lines with capitals",
        text.lines().filter(numbers).count(),
        0,
    )
}

fn names_of_what_has_none() -> Verdict {
    let name_at = |addr: u64| {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let start = format!("{addr:08x}-");
        let line = text
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap_or_default();
        line.get(73..).unwrap_or_default().to_owned()
    };
    let shared = must("mmap", Map::with(1, map::RW, SHARED, -1))?;
    same(
        "shared memory",
        name_at(shared.start).as_str(),
        "/dev/zero (deleted)",
    )?;
    let fd = file("a name")?;
    let of_file = must("mmap", Map::with(1, map::R, libc::MAP_SHARED, fd))?;
    same(
        "a file in memory",
        name_at(of_file.start).as_str(),
        "/memfd:a name (deleted)",
    )?;
    let private = must("mmap", Map::anon(1, map::R))?;
    same("private memory", name_at(private.start).as_str(), "")?;
    let heap = must("brk", sys::call(libc::SYS_brk, [0]))?;
    must("brk", sys::call(libc::SYS_brk, [heap + PAGE]))?;
    let all = vmas::own();
    let line = all
        .iter()
        .find(|line| (line.start..line.end).contains(&heap));
    same(
        "the heap",
        line.map(|line| line.name.as_str()),
        Some("[heap]"),
    )
}
