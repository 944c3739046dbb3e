//! What `/proc/self/smaps` says of the pages of a mapping.

use user::figures::{figures, keys, status_figure, text, words};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, code, holds, lives, must, same};
use user::{lodger, sys};

pub(crate) const TOPIC: Topic = Topic {
    name: "accounts",
    about: "smaps tells the truth about each mapping in Linux's words",
    cases: &[
        ("smaps_words", smaps_words),
        ("private_memory", private_memory),
        ("memory_shared_with_a_child", memory_shared_with_a_child),
        ("shared_memory", shared_memory),
        ("given_up_memory", given_up_memory),
        ("locked_memory", locked_memory),
        ("hidden_memory", hidden_memory),
        ("flags_in_letters", flags_in_letters),
    ],
};

const SMAPS: &str = "Size KernelPageSize MMUPageSize Rss Pss Pss_Dirty Shared_Clean Shared_Dirty Private_Clean \
    Private_Dirty Referenced Anonymous KSM LazyFree AnonHugePages ShmemPmdMapped FilePmdMapped Shared_Hugetlb \
    Private_Hugetlb Swap SwapPss Locked THPeligible VmFlags";

/// The lines of `smaps` about the mapping that begins at `start`, the first one included.
fn about(start: u64) -> Result<Vec<String>, String> {
    let text = text("/proc/self/smaps")?;
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("{start:08x}-")));
    let head = lines.next().ok_or("the mapping is not there")?.to_owned();
    let rest = lines.take_while(|line| {
        !line
            .split(' ')
            .next()
            .is_some_and(|word| word.contains('-'))
    });
    Ok([head].into_iter().chain(rest.map(str::to_owned)).collect())
}

/// Compares some figures of the mapping at `start`, in KiB; what is not named is 0.
fn mapping(what: &str, start: u64, wanted: &[(&str, u64)]) -> Verdict {
    let lines = about(start)?;
    let found = figures(lines.iter().map(String::as_str));
    for key in [
        "Rss",
        "Pss",
        "Shared_Clean",
        "Shared_Dirty",
        "Private_Clean",
        "Private_Dirty",
        "Anonymous",
        "Locked",
    ] {
        let wanted = wanted.iter().find(|(name, _)| *name == key);
        let wanted = wanted.map_or(0, |(_, value)| *value);
        same(
            &format!("{what}: {key}"),
            found.get(key).copied(),
            Some(wanted),
        )?;
    }
    Ok(())
}

fn smaps_words() -> Verdict {
    let map = must("map", Map::apart(4, 2, map::RW))?;
    let lines = about(map.start)?;
    same(
        "the words",
        keys(&lines[1..].join("\n")).join(" "),
        words(SMAPS),
    )?;
    same("size", lines[1].as_str(), "Size:                 16 kB")?;
    same("page", lines[2].as_str(), "KernelPageSize:        4 kB")?;
    holds(
        "column",
        lines[19].starts_with("Private_Hugetlb:       0 kB"),
    )
}

fn private_memory() -> Verdict {
    let map = must("map", Map::apart(8, 2, map::RW))?;
    mapping("untouched", map.start, &[])?;
    for page in [5, 6] {
        same("zero", mem::peek(map.page(page)), 0)?;
    }
    mapping("the zero page is nobody's", map.start, &[])?;
    for page in [0, 1, 7] {
        mem::poke(map.page(page), 1);
    }
    let three = [
        ("Rss", 12),
        ("Pss", 12),
        ("Private_Dirty", 12),
        ("Anonymous", 12),
    ];
    mapping("three written", map.start, &three)?;
    must("munmap", sys::munmap(map.page(1), PAGE))?;
    let one = [
        ("Rss", 4),
        ("Pss", 4),
        ("Private_Dirty", 4),
        ("Anonymous", 4),
    ];
    mapping("cut", map.start, &one)?;
    mapping("the rest", map.page(2), &one)
}

fn memory_shared_with_a_child() -> Verdict {
    let map = must("map", Map::apart(4, 2, map::RW))?;
    map.fill(1);
    lives("a child", || {
        code((|| {
            let shared = [
                ("Rss", 16),
                ("Pss", 8),
                ("Shared_Dirty", 16),
                ("Anonymous", 16),
            ];
            mapping("in the child", map.start, &shared)?;
            mem::poke(map.start, 2);
            let written = [
                ("Rss", 16),
                ("Pss", 10),
                ("Shared_Dirty", 12),
                ("Private_Dirty", 4),
                ("Anonymous", 16),
            ];
            mapping("one written", map.start, &written)
        })())
    })?;
    let alone = [
        ("Rss", 16),
        ("Pss", 16),
        ("Private_Dirty", 16),
        ("Anonymous", 16),
    ];
    mapping("alone again", map.start, &alone)
}

fn shared_memory() -> Verdict {
    let map = must(
        "map",
        Map::with(4, map::RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
    )?;
    mem::poke(map.start, 1);
    mem::poke(map.page(1), 1);
    same("zero", mem::peek(map.page(3)), 0)?;
    let alone = [
        ("Rss", 12),
        ("Pss", 12),
        ("Private_Dirty", 8),
        ("Private_Clean", 4),
    ];
    mapping("alone", map.start, &alone)?;
    lives("a child", || {
        code((|| {
            mapping("the child has touched nothing", map.start, &[])?;
            mem::poke(map.start, 2);
            let one = [("Rss", 4), ("Pss", 2), ("Shared_Dirty", 4)];
            mapping("one touched", map.start, &one)
        })())
    })
}

fn given_up_memory() -> Verdict {
    let map = must("map", Map::apart(4, 2, map::RW))?;
    map.fill(1);
    must("madvise", map.advise(libc::MADV_FREE))?;
    mem::poke(map.start, 2);
    let figures = [
        ("Rss", 16),
        ("Pss", 16),
        ("Private_Clean", 12),
        ("Private_Dirty", 4),
        ("Anonymous", 16),
    ];
    mapping("one written again", map.start, &figures)?;
    // Linux counts these in batches.
    let lines = about(map.start)?;
    let is_line = lines
        .iter()
        .any(|line| line == "LazyFree:             12 kB");
    holds("LazyFree", is_line || !lodger::here())
}

fn locked_memory() -> Verdict {
    let map = must("map", Map::apart(4, 2, map::RW))?;
    let before = status_figure("VmLck")?;
    must(
        "mlock",
        sys::call(libc::SYS_mlock, [map.start, map.bytes()]),
    )?;
    let figures = [
        ("Rss", 16),
        ("Pss", 16),
        ("Private_Dirty", 16),
        ("Anonymous", 16),
        ("Locked", 16),
    ];
    mapping("locked", map.start, &figures)?;
    same("VmLck", status_figure("VmLck")? - before, 16)
}

fn hidden_memory() -> Verdict {
    let map = must("map", Map::apart(2, 2, map::RW))?;
    map.fill(1);
    must("mprotect", map.protect(map::NONE))?;
    let figures = [
        ("Rss", 8),
        ("Pss", 8),
        ("Private_Dirty", 8),
        ("Anonymous", 8),
    ];
    mapping("PROT_NONE keeps the pages", map.start, &figures)
}

fn flags_in_letters() -> Verdict {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    for (prot, flags, advice, letters) in [
        (map::RW, map::ANON, None, "rd wr mr mw me ac"),
        (map::NONE, map::ANON, None, "mr mw me"),
        (map::RX, map::ANON, None, "rd ex mr mw me"),
        (
            map::RW,
            map::ANON | libc::MAP_NORESERVE,
            None,
            "rd wr mr mw me nr",
        ),
        (map::RW, shared, None, "rd wr sh mr mw me ms"),
        (
            map::RW,
            map::ANON,
            Some(libc::MADV_DONTFORK),
            "rd wr mr mw me dc ac",
        ),
        (
            map::RW,
            map::ANON,
            Some(libc::MADV_WIPEONFORK),
            "rd wr mr mw me ac wf",
        ),
        (
            map::RW,
            map::ANON,
            Some(libc::MADV_DONTDUMP),
            "rd wr mr mw me ac dd",
        ),
        (
            map::RW,
            map::ANON,
            Some(libc::MADV_SEQUENTIAL),
            "rd wr mr mw me sr ac",
        ),
        (
            map::RW,
            map::ANON,
            Some(libc::MADV_RANDOM),
            "rd wr mr mw me rr ac",
        ),
    ] {
        let hole = must("a hole", Map::apart(1, 2, map::NONE))?;
        let fixed = flags | libc::MAP_FIXED;
        must("map", sys::mmap(hole.start, PAGE, prot, fixed, -1, 0))?;
        if let Some(advice) = advice {
            must("madvise", hole.advise(advice))?;
        }
        let lines = about(hole.start)?;
        same(
            letters,
            lines.last().cloned(),
            Some(format!("VmFlags: {letters} ")),
        )?;
    }
    Ok(())
}
