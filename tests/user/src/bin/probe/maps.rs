//! mmap: where mappings land, what they contain, which requests are refused and how (VM-1…VM-16).

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::{sys, vmas};

#[path = "maps_model.rs"]
mod model;

pub(crate) const TOPIC: Topic = Topic {
    name: "maps",
    about: "mmap at its edges, and all of it against a model",
    cases: &[
        ("refused_requests", refused_requests),
        ("refused_addresses", refused_addresses),
        ("refused_types", refused_types),
        ("fresh_memory_is_zero", fresh_memory_is_zero),
        ("next_goes_below", next_goes_below),
        ("hint_is_taken_if_free", hint_is_taken_if_free),
        ("hint_busy_goes_elsewhere", hint_busy_goes_elsewhere),
        ("hint_too_low_is_raised", hint_too_low_is_raised),
        ("page_zero_is_roots", page_zero_is_roots),
        ("droppable_is_lost", droppable_is_lost),
        ("fixed_replaces", fixed_replaces),
        ("fixed_replaces_a_part", fixed_replaces_a_part),
        ("noreplace_refuses", noreplace_refuses),
        ("neighbours_merge", neighbours_merge),
        ("top_of_user_space", top_of_user_space),
        ("reservations_are_free", reservations_are_free),
        ("too_much_is_refused", too_much_is_refused),
        ("sparse_touches", sparse_touches),
        ("many_mappings", many_mappings),
        ("several_tables", several_tables),
        ("map_names", map_names),
        ("random_against_model", model::random_against_model),
    ],
};

const END: u64 = 0x7fff_ffff_f000;
const FIXED: i32 = ANON | libc::MAP_FIXED;

fn refused_requests() -> Verdict {
    refused(
        "length 0",
        sys::mmap(0, 0, map::RW, ANON, -1, 0),
        libc::EINVAL,
    )?;
    refused(
        "no fd, length 0",
        sys::mmap(0, 0, map::RW, libc::MAP_PRIVATE, -1, 0),
        libc::EBADF,
    )?;
    refused(
        "no fd",
        sys::mmap(0, PAGE, map::RW, libc::MAP_PRIVATE, 1000, 0),
        libc::EBADF,
    )?;
    refused(
        "odd offset",
        sys::mmap(0, PAGE, map::RW, ANON, -1, 5),
        libc::EINVAL,
    )?;
    refused(
        "length wraps",
        sys::mmap(0, u64::MAX - 100, map::RW, ANON, -1, 0),
        libc::ENOMEM,
    )?;
    refused(
        "all of user space and more",
        sys::mmap(0, 1 << 47, map::RW, ANON, -1, 0),
        libc::ENOMEM,
    )?;
    refused(
        "half of everything",
        sys::mmap(0, 1 << 63, map::NONE, ANON, -1, 0),
        libc::ENOMEM,
    )
}

fn refused_addresses() -> Verdict {
    let at = |addr, pages| sys::mmap(addr, pages * PAGE, map::RW, FIXED, -1, 0);
    refused("an odd address", at(0x1000_0001, 1), libc::EINVAL)?;
    refused("the page past the end", at(END, 1), libc::ENOMEM)?;
    refused("over the end", at(END - PAGE, 2), libc::ENOMEM)?;
    refused(
        "a non-canonical address",
        at(0x8000_0000_0000, 1),
        libc::ENOMEM,
    )?;
    refused(
        "the kernel's half",
        at(0xffff_8880_0000_0000, 1),
        libc::ENOMEM,
    )?;
    refused("the last page", at(0xffff_ffff_ffff_f000, 1), libc::ENOMEM)
}

fn refused_types() -> Verdict {
    let of = |flags| sys::mmap(0, PAGE, map::RW, flags, -1, 0);
    refused("no type", of(libc::MAP_ANONYMOUS), libc::EINVAL)?;
    refused(
        "shared and checked, without a file",
        of(libc::MAP_SHARED_VALIDATE | libc::MAP_ANONYMOUS),
        libc::EINVAL,
    )?;
    let growing = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN;
    refused("shared and growing", of(growing), libc::EINVAL)
}

fn fresh_memory_is_zero() -> Verdict {
    let map = must("mmap", Map::anon(64, map::RW))?;
    holds(
        "every word",
        (0..64 * PAGE / 8).all(|word| mem::peek64(map.start + word * 8) == 0),
    )
}

/// VM-4: first fit from above.
fn next_goes_below() -> Verdict {
    let first = must("mmap", sys::mmap(0, PAGE, map::RW, ANON, -1, 0))?;
    let hole = must("mmap", sys::mmap(0, 3 * PAGE, map::R, ANON, -1, 0))?;
    must("munmap", sys::munmap(hole + PAGE, PAGE))?;
    holds("below the first", hole < first)?;
    let filler = must("mmap", sys::mmap(0, PAGE, map::RW, ANON, -1, 0))?;
    same("the highest gap that fits", filler, hole + PAGE)
}

fn hint_is_taken_if_free() -> Verdict {
    let room = must("mmap", Map::apart(4, 8, map::NONE))?;
    must("munmap", sys::munmap(room.start, room.bytes()))?;
    let wish = room.page(1);
    same(
        "a free hint",
        sys::mmap(wish, PAGE, map::RW, ANON, -1, 0),
        Ok(wish),
    )?;
    let odd = room.page(3) + 123;
    same(
        "an odd hint",
        sys::mmap(odd, PAGE, map::RW, ANON, -1, 0),
        Ok(room.page(3)),
    )
}

fn hint_busy_goes_elsewhere() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    map.fill(9);
    let other = must("mmap", sys::mmap(map.page(1), PAGE, map::RW, ANON, -1, 0))?;
    holds("elsewhere", other + PAGE <= map.start || other >= map.end())?;
    holds("the old one is untouched", map.holds(9))?;
    must(
        "a hint outside user space",
        sys::mmap(0xffff_8880_0000_0000, PAGE, map::RW, ANON, -1, 0),
    )
    .map_or_else(
        |why| same("it is refused as too much", why.contains("ENOMEM"), true),
        |_| Ok(()),
    )
}

/// VM-4: whatever is below the lowest address rounds up to it, but nothing at all is no wish.
fn hint_too_low_is_raised() -> Verdict {
    let at = |hint| sys::mmap(hint, PAGE, map::RW, ANON, -1, 0);
    let free = must("no wish", at(PAGE - 1))?;
    holds("is served from above", free > 1 << 32)?;
    same("the second page", at(PAGE), Ok(0x1_0000))?;
    let again = must("the same again", at(PAGE))?;
    holds("is served from above", again > 1 << 32)
}

/// VM-15: who may do raw I/O may map the lowest page.
fn page_zero_is_roots() -> Verdict {
    same("mmap", sys::mmap(0, PAGE, map::RW, FIXED, -1, 0), Ok(0))?;
    lives("the page", || {
        let nothing = std::hint::black_box(8_u64);
        mem::poke(nothing, 3);
        i32::from(mem::peek(nothing) != 3)
    })
}

/// VM-2: droppable memory is private, and children do not get it.
fn droppable_is_lost() -> Verdict {
    let map = must("mmap", Map::with(2, map::RW, 8 | libc::MAP_ANONYMOUS, -1))?;
    map.fill(5);
    holds("it is memory", map.holds(5))?;
    lives("a child's is empty", || i32::from(!map.is_zero()))?;
    holds("the parent's is not", map.holds(5))
}

fn fixed_replaces() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    map.fill(9);
    same(
        "mmap fixed",
        sys::mmap(map.start, map.bytes(), map::RW, FIXED, -1, 0),
        Ok(map.start),
    )?;
    holds("the old contents are gone", map.is_zero())
}

fn fixed_replaces_a_part() -> Verdict {
    let map = must("mmap", Map::apart(5, 2, map::RW))?;
    map.fill(9);
    must(
        "mmap fixed",
        sys::mmap(map.page(2), PAGE, map::R, FIXED, -1, 0),
    )?;
    let got: Vec<u8> = (0..5).map(|page| mem::peek(map.page(page))).collect();
    same("the pages", got, vec![9, 10, 0, 12, 13])?;
    same("the pieces", vmas::within(map.start, map.end()).len(), 3)
}

fn noreplace_refuses() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::RW))?;
    let at = |addr, pages: u64| {
        sys::mmap(
            addr,
            pages * PAGE,
            map::RW,
            ANON | libc::MAP_FIXED_NOREPLACE,
            -1,
            0,
        )
    };
    refused("over all of it", at(map.start, 3), libc::EEXIST)?;
    refused("over its last page", at(map.page(2), 2), libc::EEXIST)?;
    same("just past it", at(map.end(), 1), Ok(map.end()))
}

fn neighbours_merge() -> Verdict {
    let map = must("mmap", Map::apart(3, 2, map::RW))?;
    must("munmap", sys::munmap(map.page(1), PAGE))?;
    same("apart", vmas::within(map.start, map.end()).len(), 2)?;
    must("mmap", sys::mmap(map.page(1), PAGE, map::RW, FIXED, -1, 0))?;
    same("together", vmas::within(map.start, map.end()).len(), 1)
}

fn top_of_user_space() -> Verdict {
    lives("a page at the top", || {
        let top = END - PAGE;
        if sys::mmap(top, PAGE, map::RW, FIXED, -1, 0) != Ok(top) {
            return 1;
        }
        mem::poke(END - 1, 9);
        i32::from(mem::peek(END - 1) != 9)
    })
}

/// VM-14: address space is not memory.
fn reservations_are_free() -> Verdict {
    const SIZE: u64 = 64 << 30;
    let none = must(
        "64 GiB of nothing",
        sys::mmap(0, SIZE, map::NONE, ANON, -1, 0),
    )?;
    let flags = ANON | libc::MAP_NORESERVE;
    let lazy = must("64 GiB on trust", sys::mmap(0, SIZE, map::RW, flags, -1, 0))?;
    mem::poke(lazy + SIZE / 2, 1);
    must(
        "a piece of the first",
        sys::mprotect(none + SIZE / 2, PAGE, map::RW),
    )?;
    mem::poke(none + SIZE / 2, 1);
    must("munmap", sys::munmap(none, SIZE))?;
    must("munmap", sys::munmap(lazy, SIZE)).map(drop)
}

fn too_much_is_refused() -> Verdict {
    refused(
        "64 TiB of memory",
        sys::mmap(0, 1 << 46, map::RW, ANON, -1, 0),
        libc::ENOMEM,
    )
}

fn sparse_touches() -> Verdict {
    let map = must(
        "1 GiB",
        Map::with(1 << 18, map::RW, ANON | libc::MAP_NORESERVE, -1),
    )?;
    let spots = (0..64).map(|spot| map.start + spot * (16 << 20) + spot * PAGE);
    spots
        .clone()
        .enumerate()
        .for_each(|(value, spot)| mem::poke(spot, value as u8));
    holds(
        "each spot keeps its value",
        spots
            .enumerate()
            .all(|(value, spot)| mem::peek(spot) == value as u8),
    )
}

fn many_mappings() -> Verdict {
    let map = must("mmap", Map::anon(2000, map::RW))?;
    for page in (0..2000).step_by(2) {
        must("mprotect", sys::mprotect(map.page(page), PAGE, map::R))?;
    }
    same("pieces", vmas::within(map.start, map.end()).len(), 2000)?;
    lives("a child has them all", || {
        i32::from(vmas::within(map.start, map.end()).len() != 2000)
    })?;
    must("munmap", sys::munmap(map.start, map.bytes())).map(drop)
}

/// Addresses far apart need tables of their own at every level.
fn several_tables() -> Verdict {
    let spots = [
        0x1_0000_0000,
        0x80_0000_0000,
        0x100_4000_0000,
        0x2000_0020_0000,
        0x5000_0000_0000,
    ];
    for (index, spot) in spots.into_iter().enumerate() {
        same(
            "mmap",
            sys::mmap(
                spot,
                2 * PAGE,
                map::RW,
                ANON | libc::MAP_FIXED_NOREPLACE,
                -1,
                0,
            ),
            Ok(spot),
        )?;
        mem::poke64(spot, index as u64);
    }
    let intact = || {
        spots
            .into_iter()
            .enumerate()
            .all(|(index, spot)| mem::peek64(spot) == index as u64)
    };
    holds("their values", intact())?;
    lives("a child has them", || {
        let saw = intact();
        mem::poke64(spots[2], 77);
        i32::from(!saw)
    })?;
    holds("their values still", intact())
}

fn map_names() -> Verdict {
    let all = vmas::own();
    let named = |name: &str| all.iter().filter(|line| line.name == name).count();
    same("[stack]", named("[stack]"), 1)?;
    let code = map_names as *const () as u64;
    let line = all
        .iter()
        .find(|line| (line.start..line.end).contains(&code))
        .ok_or("no line for this code")?;
    same("its protection", line.perms.as_str(), "r-xp")?;
    let exe = std::env::current_exe().map_err(|e| e.to_string())?;
    same(
        "its name",
        line.name.as_str(),
        exe.to_string_lossy().as_ref(),
    )?;
    holds(
        "lines are sorted and apart",
        all.windows(2).all(|pair| pair[0].end <= pair[1].start),
    )
}
