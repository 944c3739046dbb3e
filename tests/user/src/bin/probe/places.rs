//! Where programs find their parts from one start to the next, and who may ask for the same (VM-4, VM-9, EX-5).

use std::process::Command;

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, holds, must, same};
use user::{sys, vmas};

pub(crate) const TOPIC: Topic = Topic {
    name: "places",
    about: "random addresses, and personality to turn them off",
    cases: &[
        ("asking_changes_nothing", asking_changes_nothing),
        ("a_persona_is_returned_by_the_next_call", persona_is_kept),
        ("bits_without_a_meaning_are_kept", meaningless_bits_are_kept),
        ("the_same_places_on_demand", same_places_on_demand),
        ("grandchildren_inherit_a_persona", persona_is_inherited),
        ("places_begin_pages", places_begin_pages),
        (
            "all_of_user_space_can_be_used",
            all_of_user_space_can_be_used,
        ),
    ],
};

/// How often a program is started to see whether its places change.
const STARTS: usize = 6;
const NO_RANDOMIZE: u64 = libc::ADDR_NO_RANDOMIZE as u64;
const ASK: u64 = 0xffff_ffff;

/// Prints where this program's stack, a mapping, its heap and its code begin, and its persona.
pub(crate) fn tell_own() -> i32 {
    let stack = mem::stack_pointer();
    let mapping = Map::anon(1, map::R).map_or(0, |map| map.start);
    let heap = sys::call(libc::SYS_brk, [0]).unwrap_or(0);
    let code = tell_own as fn() -> i32 as usize as u64;
    let persona = personality(ASK).unwrap_or(0);
    println!("{stack:x} {mapping:x} {heap:x} {code:x} {persona:x}");
    0
}

/// Starts itself a few times and tells which places changed.
pub(crate) fn compare() -> i32 {
    let all: Result<Vec<_>, String> = (0..STARTS).map(|_| places()).collect();
    match all {
        Ok(all) => {
            let changes = |part: usize| all.iter().any(|places| places[part] != all[0][part]);
            println!(
                "places: stack changes {}, mappings change {}, heap changes {}, code changes {}",
                changes(0),
                changes(1),
                changes(2),
                changes(3)
            );
            0
        }
        Err(error) => {
            println!("places: {error}");
            1
        }
    }
}

fn personality(persona: u64) -> sys::Result {
    sys::call(libc::SYS_personality, [persona])
}

/// Starts this program anew and returns what it tells.
pub(crate) fn places() -> Result<Vec<u64>, String> {
    let path = std::env::current_exe().unwrap_or_else(|_| "/bin/probe".into());
    let output = Command::new(path)
        .arg("where")
        .output()
        .map_err(|error| format!("spawn: {error}"))?;
    same("its exit code", output.status.code(), Some(0))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text
        .split_whitespace()
        .map(|word| u64::from_str_radix(word, 16));
    let words: Result<Vec<u64>, _> = words.collect();
    words
        .ok()
        .filter(|words| words.len() == 5)
        .ok_or_else(|| format!("it told {text:?}"))
}

fn asking_changes_nothing() -> Verdict {
    let before = must("personality", personality(ASK))?;
    same("the answer", personality(ASK), Ok(before))
}

fn persona_is_kept() -> Verdict {
    let before = must("personality", personality(ASK))?;
    same("the old one", personality(NO_RANDOMIZE), Ok(before))?;
    same("the new one", personality(ASK), Ok(NO_RANDOMIZE))?;
    same("the new one again", personality(0), Ok(NO_RANDOMIZE))?;
    same("none", personality(ASK), Ok(0))
}

fn meaningless_bits_are_kept() -> Verdict {
    must("personality", personality(0x9000_0000))?;
    same("they", personality(ASK), Ok(0x9000_0000))
}

fn same_places_on_demand() -> Verdict {
    must("personality", personality(NO_RANDOMIZE))?;
    let first = places()?;
    for _ in 1..STARTS {
        same("the places", places()?, first.clone())?;
    }
    Ok(())
}

fn persona_is_inherited() -> Verdict {
    must("personality", personality(NO_RANDOMIZE))?;
    same("the child's", places()?[4], NO_RANDOMIZE)
}

fn places_begin_pages() -> Verdict {
    for _ in 0..STARTS {
        let places = places()?;
        same("the mapping", places[1] % 4096, 0)?;
        same("the heap", places[2] % 4096, 0)?;
        let top = 0x7fff_ffff_f000_u64;
        holds(
            "the stack is within 17 GiB of the top",
            (top - (17 << 30)..top).contains(&places[0]),
        )?;
        holds("the mapping is below it", places[1] < places[0])?;
    }
    Ok(())
}

const END: u64 = 0x7fff_ffff_f000;

/// Where nothing is left below the stack's room, that room is used, from below and up to the last page (VM-4).
fn all_of_user_space_can_be_used() -> Verdict {
    let stack = vmas::stack().ok_or("no [stack]")?;
    let taken = take_all()?;
    // Where nothing is placed at random the stack is the last there is.
    if stack.end != END {
        let above = |(at, size): &(u64, u64)| *at >= stack.end && *size >= 3 * PAGE;
        let found = taken.iter().copied().find(above);
        let (high, size) = found.ok_or("nothing was put above the stack")?;
        must("a hole", sys::munmap(high + size - PAGE, PAGE))?;
        must("a lower hole", sys::munmap(high, PAGE))?;
        same("the lower one first", none(PAGE), Ok(high))?;
        same("then the other", none(PAGE), Ok(high + size - PAGE))?;
    }
    // Room to read the map.
    let room = taken.iter().find(|(_, size)| *size <= 1 << 30);
    let (room, size) = *room.ok_or("no piece to give back")?;
    must("munmap", sys::munmap(room, size))?;
    let all = vmas::own();
    let gaps = all
        .windows(2)
        .map(|pair| (pair[0].end, pair[1].start.min(END)))
        .filter(|(start, end)| end > start && !(*start..*end).contains(&room));
    let large = gaps.filter(|(start, end)| end - start > 256 * PAGE).count();
    same("gaps that are left", large, 0)
}

fn none(size: u64) -> sys::Result {
    let flags = ANON | libc::MAP_NORESERVE;
    sys::mmap(0, size, map::NONE, flags, -1, 0)
}

/// Maps what there is in pieces as large as possible.
fn take_all() -> Result<Vec<(u64, u64)>, String> {
    let mut taken = Vec::with_capacity(4096);
    let mut size = 1 << 46;
    while size >= PAGE {
        match none(size) {
            Ok(at) if taken.len() < 4096 => taken.push((at, size)),
            Ok(_) => return Err("too many pieces".to_owned()),
            Err(_) => size /= 2,
        }
    }
    Ok(taken)
}
