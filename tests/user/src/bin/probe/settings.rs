//! `/proc/sys`: what is set there and what comes of it. Linux is only asked to show its values: they are the machine's.

use std::fs::{self, OpenOptions};
use std::io::Write;

use user::fsys::{fails, io, mapped};
use user::lodger;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

use crate::places::places;

pub(crate) const TOPIC: Topic = Topic {
    name: "settings",
    about: "what /proc/sys shows and changes",
    cases: &[
        ("numbers", numbers),
        ("refused_values", refused_values),
        ("map_count", map_count),
        ("promises_come_back", promises_come_back),
        ("overcommit", overcommit),
        ("random_places", random_places),
        ("dropped_caches", dropped_caches),
    ],
};

const NAMES: [&str; 5] = [
    "vm/max_map_count",
    "vm/mmap_min_addr",
    "vm/overcommit_memory",
    "vm/overcommit_ratio",
    "kernel/randomize_va_space",
];

fn read(name: &str) -> Result<u64, String> {
    let text = io(name, fs::read_to_string(format!("/proc/sys/{name}")))?;
    let number = text.strip_suffix('\n').ok_or("no line end")?;
    number.parse().map_err(|error| format!("{name}: {error}"))
}

fn write(name: &str, value: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).open(format!("/proc/sys/{name}"))?;
    file.write_all(value.as_bytes())
}

/// Puts a setting back when it goes, whatever the case has found.
struct Changed {
    name: &'static str,
    before: u64,
}

fn change(name: &'static str, value: u64) -> Result<Changed, String> {
    let before = read(name)?;
    io(name, write(name, &format!("{value}\n")))?;
    same(name, read(name)?, value)?;
    Ok(Changed { name, before })
}

impl Drop for Changed {
    fn drop(&mut self) {
        let _ = write(self.name, &self.before.to_string());
    }
}

fn numbers() -> Verdict {
    for name in NAMES {
        read(name)?;
    }
    let entries = io("list", fs::read_dir("/proc/sys/vm"))?;
    let names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    for name in NAMES.iter().filter_map(|name| name.strip_prefix("vm/")) {
        let times = names.iter().filter(|listed| *listed == name).count();
        same(name, times, 1)?;
    }
    holds(
        "the heuristic, or a stricter mode",
        read("vm/overcommit_memory")? <= 2,
    )
}

/// From here on only Lodger is asked: its settings are the test's own.
fn refused_values() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    for name in NAMES {
        let before = read(name)?;
        for value in ["x", "1x", "-1", "99999999999", " "] {
            fails(value, write(name, value), libc::EINVAL)?;
        }
        same(name, read(name)?, before)?;
    }
    fails("mode", write("vm/overcommit_memory", "3"), libc::EINVAL)?;
    fails("fixed", write("vm/mmap_min_addr", "4096"), libc::EINVAL)?;
    fails("caches", write("vm/drop_caches", "5"), libc::EINVAL)
}

fn map_count() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    let lines = io("maps", fs::read_to_string("/proc/self/maps"))?;
    let limit = lines.lines().count() as u64 + 10;
    let _changed = change("vm/max_map_count", limit)?;
    let map = must("mmap", Map::anon(100, map::RW))?;
    let mut protected = 0;
    let refusal = loop {
        match sys::mprotect(map.page(2 * protected + 1), PAGE, map::R) {
            Ok(_) => protected += 1,
            Err(errno) => break errno,
        }
    };
    same("the limit", refusal, sys::Errno(libc::ENOMEM))?;
    holds("is near", (3..=10).contains(&protected))
}

/// Reads a line of `/proc/meminfo`, in pages.
fn pages_in(name: &str) -> Result<u64, String> {
    let text = io("meminfo", fs::read_to_string("/proc/meminfo"))?;
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    number
        .map(|kib| kib * 1024 / PAGE)
        .ok_or_else(|| format!("no {name}"))
}

/// What was promised to programs that are gone is promised to nobody, grown stacks included.
fn promises_come_back() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    let before = pages_in("Committed_AS:")?;
    holds("this program's own are counted", before > 20)?;
    for _ in 0..5 {
        lives("a child", || {
            i32::from(mem::touch_below_stack(1 << 20) != 77)
        })?;
    }
    same("afterwards", pages_in("Committed_AS:")?, before)
}

fn overcommit() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    let total = pages_in("MemTotal:")?;
    let limit = pages_in("CommitLimit:")?;
    same("half of it", limit, total / 2)?;
    let anon = |pages| Map::anon(pages, map::RW).map(|map| sys::munmap(map.start, map.bytes()));
    refused("more than there is", anon(total + 1), libc::ENOMEM)?;
    must("all there is", anon(total))?.ok();
    {
        let _always = change("vm/overcommit_memory", 1)?;
        must("anything", anon(100 * total))?.ok();
    }
    let _never = change("vm/overcommit_memory", 2)?;
    refused("all there is", anon(total), libc::ENOMEM)?;
    refused("more than half", anon(limit), libc::ENOMEM)?;
    let shared = Map::with(
        limit,
        map::RW,
        libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        -1,
    );
    refused("without reserve", shared, libc::ENOMEM)?;
    must("to read", Map::anon(limit, map::R))?;
    let _all = change("vm/overcommit_ratio", 200)?;
    must("twice", anon(limit + limit / 2))?.ok();
    Ok(())
}

/// Starts this program again and again, and asks each where its parts are.
fn random_places() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    let starts = || -> Result<Vec<Vec<u64>>, String> { (0..4).map(|_| places()).collect() };
    let vary = |starts: &[Vec<u64>], part: usize| {
        let first = starts[0][part];
        starts.iter().any(|places| places[part] != first)
    };
    let _off = change("kernel/randomize_va_space", 0)?;
    let all = starts()?;
    holds("nothing varies", all.iter().all(|places| *places == all[0]))?;
    let _some = change("kernel/randomize_va_space", 1)?;
    let all = starts()?;
    holds("the stack varies", vary(&all, 0))?;
    holds("the heap does not", !vary(&all, 2))?;
    let _more = change("kernel/randomize_va_space", 2)?;
    holds("now it does", vary(&starts()?, 2))
}

fn dropped_caches() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    let own = io("own path", std::env::current_exe())?;
    let bytes = io("read", fs::read(&own))?;
    let file = io("open", fs::File::open(&own))?;
    let map = mapped(&file, 40, map::R, libc::MAP_PRIVATE)?;
    let sum = || {
        (0..40)
            .map(|page| u64::from(mem::peek(map.page(page))))
            .sum::<u64>()
    };
    let before = sum();
    io("drop", write("vm/drop_caches", "3"))?;
    same("what is mapped stays", sum(), before)?;
    same("and is the file", mem::peek(map.page(39)), bytes[39 * 4096])
}
