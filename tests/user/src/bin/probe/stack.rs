//! The stack that grows by being touched, and what stops it (SG-1…SG-6).

use user::child::{self, Ended};
use user::crash::SURVIVED;
use user::lodger::Meter;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, lives, must, same, told};
use user::{sys, vmas};

pub(crate) const TOPIC: Topic = Topic {
    name: "stack",
    about: "growth by any touch, its limit, the guard gap above a neighbour",
    cases: &[
        ("touch_3_mb_below_grows", || lives("3 MB", || below(3 * MB))),
        ("touch_7_mb_below_grows", || lives("7 MB", || below(7 * MB))),
        ("touch_9_mb_below_dies", || {
            dies("9 MB", libc::SIGSEGV, || below(9 * MB))
        }),
        ("in_steps_to_7_mb", || lives("steps", in_steps)),
        ("limit_counts_when_touched", limit_counts_when_touched),
        ("limit_raised_counts_too", limit_raised_counts_too),
        ("limit_is_inherited", limit_is_inherited),
        ("growth_is_one_vma", growth_is_one_vma),
        ("pages_between_stay_absent", pages_between_stay_absent),
        ("grown_pages_are_zero", || {
            lives("zero", grown_pages_are_zero)
        }),
        ("deep_recursion_keeps_its_frames", || {
            lives("6 MB of frames", deep_recursion)
        }),
        ("child_grows_its_own", child_grows_its_own),
        ("gap_255_dies", || {
            dies("one page down", libc::SIGSEGV, || {
                grow_above_neighbour(255, 1, map::RW)
            })
        }),
        ("gap_257_grows_by_one", gap_257_grows_by_one),
        ("gap_ignores_inaccessible", || {
            lives("one page down", || grow_above_neighbour(255, 1, map::NONE))
        }),
        ("gap_is_kept_by_placement", gap_is_kept_by_placement),
        ("mapping_in_the_gap_stops_it", mapping_in_the_gap_stops_it),
        ("protection_is_inherited", protection_is_inherited),
    ],
};

const MB: u64 = 1024 * 1024;

fn below(distance: u64) -> i32 {
    i32::from(mem::touch_below_stack(distance) != 77)
}

fn in_steps() -> i32 {
    (1..=28).map(|step| below(step * MB / 4)).sum()
}

/// SG-5: the limit is read at the fault, not at exec.
fn limit_counts_when_touched() -> Verdict {
    dies(
        "3 MB under a limit of 1 MB",
        libc::SIGSEGV,
        || match sys::set_soft_limit(libc::RLIMIT_STACK, MB) {
            Ok(_) => below(3 * MB) + SURVIVED,
            Err(_) => 1,
        },
    )
}

fn limit_raised_counts_too() -> Verdict {
    lives(
        "11 MB under a limit of 16 MB",
        || match sys::set_soft_limit(libc::RLIMIT_STACK, 16 * MB) {
            Ok(_) => below(11 * MB),
            Err(_) => 1,
        },
    )
}

fn limit_is_inherited() -> Verdict {
    lives("a parent with a small limit", || {
        let set = sys::set_soft_limit(libc::RLIMIT_STACK, MB);
        let ended = child::run(|| below(3 * MB) + SURVIVED);
        i32::from(set.is_err() || ended != Ok(Ended::Killed(libc::SIGSEGV)))
    })
}

fn growth_is_one_vma() -> Verdict {
    let before = vmas::stack().ok_or("no [stack] in /proc/self/maps")?;
    let far = mem::stack_pointer() - 3 * MB;
    same("zero there", mem::peek(far), 0)?;
    let after = vmas::stack().ok_or("no [stack] in /proc/self/maps")?;
    same("its end", after.end, before.end)?;
    same("its start", after.start, far / PAGE * PAGE)?;
    same("its protection", after.perms, "rw-p".to_owned())
}

/// SG-6: growth by 3 MB costs one page.
fn pages_between_stay_absent() -> Verdict {
    let mut meter = Meter::new();
    // The code itself lies on pages that come in on first use.
    let mut value = mem::touch_below_stack(256);
    let faults = meter.measure(|| value = mem::touch_below_stack(3 * MB));
    same("the byte", value, 77)?;
    told("faults", faults, 1)?;
    holds(
        "it counts as growth",
        meter
            .grew("fault_stack_growth")
            .is_none_or(|pages| pages > 0),
    )?;
    told("frames filled", meter.grew("fault_demand_zero"), 1)
}

fn grown_pages_are_zero() -> i32 {
    let bottom = (mem::stack_pointer() - 4 * MB) / PAGE * PAGE;
    i32::from(
        !Map {
            start: bottom,
            pages: 4 * MB / PAGE - 64,
        }
        .is_zero(),
    )
}

/// Fills 6 MB with frames; each checks on the way back that its own is as it was.
fn deep_recursion() -> i32 {
    fn down(bottom: u64) -> bool {
        let here = mem::stack_pointer();
        let frame = std::hint::black_box([here; 64]);
        let rest = here < bottom || down(bottom);
        rest && std::hint::black_box(&frame)
            .iter()
            .all(|word| *word == here)
    }
    i32::from(!down(mem::stack_pointer() - 6 * MB))
}

fn child_grows_its_own() -> Verdict {
    lives("the child", || below(5 * MB))?;
    let far = (mem::stack_pointer() - 5 * MB) / PAGE * PAGE;
    let stack = vmas::stack().ok_or("no [stack] in /proc/self/maps")?;
    holds("the parent's stack did not grow", stack.start > far)
}

/// Makes a one-page growing mapping `gap` pages above a neighbour and touches it page by page downwards.
fn grow_above_neighbour(gap: u64, touches: u64, neighbour: i32) -> i32 {
    let Ok(start) = growing_above(gap, neighbour) else {
        return 1;
    };
    for page in 1..=touches {
        mem::poke(start - page * PAGE, 7);
    }
    0
}

/// Lays out `neighbour | gap | growing page`; gives the growing page.
fn growing_above(gap: u64, neighbour: i32) -> sys::Result {
    let room = Map::apart(1, 1024, map::NONE)?;
    let below = room.start - 900 * PAGE;
    sys::mmap(below, PAGE, neighbour, map::ANON | libc::MAP_FIXED, -1, 0)?;
    let start = below + PAGE + gap * PAGE;
    let flags = map::ANON | libc::MAP_FIXED | libc::MAP_GROWSDOWN;
    sys::mmap(start, PAGE, map::RW, flags, -1, 0)
}

fn gap_257_grows_by_one() -> Verdict {
    lives("one page down", || grow_above_neighbour(257, 1, map::RW))?;
    dies("two pages down", libc::SIGSEGV, || {
        grow_above_neighbour(257, 2, map::RW)
    })
}

/// SG-4: a hint inside the gap below a growing mapping is moved.
fn gap_is_kept_by_placement() -> Verdict {
    let start = must("a growing mapping", growing_above(600, map::RW))?;
    let wish = start - 100 * PAGE;
    let got = must(
        "mmap with a hint",
        sys::mmap(wish, PAGE, map::RW, map::ANON, -1, 0),
    )?;
    holds(
        "the hint is moved out of the gap",
        got + PAGE <= start - 256 * PAGE || got > start,
    )?;
    let outside = start - 400 * PAGE;
    same(
        "a hint outside the gap",
        sys::mmap(outside, PAGE, map::RW, map::ANON, -1, 0),
        Ok(outside),
    )?;
    let fixed = sys::mmap(wish, PAGE, map::RW, map::ANON | libc::MAP_FIXED, -1, 0);
    same("a fixed mapping inside it", fixed, Ok(wish))
}

fn mapping_in_the_gap_stops_it() -> Verdict {
    dies("growth toward a mapping", libc::SIGSEGV, || {
        let here = mem::stack_pointer() / PAGE * PAGE;
        let wall = here - 2 * MB;
        if sys::mmap(wall, PAGE, map::RW, map::ANON | libc::MAP_FIXED, -1, 0) != Ok(wall) {
            return 1;
        }
        below(3 * MB / 2)
    })
}

/// A grown page has the protection of the mapping it grew from: no execution.
fn protection_is_inherited() -> Verdict {
    dies("running code on grown stack", libc::SIGSEGV, || {
        let far = mem::stack_pointer() - 2 * MB;
        mem::poke(far, 0xc3);
        mem::run(far, 0) as i32
    })
}
