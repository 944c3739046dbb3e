//! The break: byte-granular to the program, page-granular in memory, and never an error (VM-9).

use user::map::{self, ANON};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, lives, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "brk",
    about: "the break grows, shrinks and refuses by standing still",
    cases: &[
        ("asking_twice", asking_twice),
        ("grows_by_bytes", grows_by_bytes),
        ("grown_memory_is_zero", grown_memory_is_zero),
        ("shrink_and_regrow_is_zero", shrink_and_regrow_is_zero),
        ("past_it_is_nothing", past_it_is_nothing),
        ("absurd_wishes_leave_it", absurd_wishes_leave_it),
        ("stops_before_a_mapping", stops_before_a_mapping),
        ("child_has_its_own", child_has_its_own),
        ("data_limit", data_limit),
    ],
};

fn brk(addr: u64) -> u64 {
    sys::raw(libc::SYS_brk, [addr, 0, 0, 0, 0, 0]) as u64
}

fn asking_twice() -> Verdict {
    same("brk(0)", brk(0), brk(0))?;
    holds(
        "it lies in user space",
        (0x1_0000..0x7fff_ffff_f000).contains(&brk(0)),
    )
}

fn grows_by_bytes() -> Verdict {
    let start = brk(0);
    same("+100", brk(start + 100), start + 100)?;
    same("asked again", brk(0), start + 100)?;
    same("+5000", brk(start + 5000), start + 5000)?;
    mem::poke(start + 4999, 7);
    same("its last byte", mem::peek(start + 4999), 7)
}

fn grown_memory_is_zero() -> Verdict {
    let start = brk(0);
    same("a megabyte", brk(start + (1 << 20)), start + (1 << 20))?;
    let page = start.next_multiple_of(PAGE);
    holds(
        "it is zero",
        (0..(1 << 20) / PAGE - 1).all(|index| mem::peek64(page + index * PAGE) == 0),
    )
}

fn shrink_and_regrow_is_zero() -> Verdict {
    let start = brk(0).next_multiple_of(PAGE);
    same("grow", brk(start + 4 * PAGE), start + 4 * PAGE)?;
    (0..4).for_each(|page| mem::poke(start + page * PAGE, 9));
    same("shrink", brk(start + PAGE), start + PAGE)?;
    same("regrow", brk(start + 4 * PAGE), start + 4 * PAGE)?;
    let got: Vec<u8> = (0..4).map(|page| mem::peek(start + page * PAGE)).collect();
    same("the pages", got, vec![9, 0, 0, 0])
}

fn past_it_is_nothing() -> Verdict {
    let start = brk(0).next_multiple_of(PAGE);
    same("grow", brk(start + PAGE), start + PAGE)?;
    dies("a read past it", libc::SIGSEGV, || {
        i32::from(mem::peek(start + PAGE))
    })?;
    same("shrink", brk(start), start)?;
    dies("a read of what it gave back", libc::SIGSEGV, || {
        i32::from(mem::peek(start))
    })
}

fn absurd_wishes_leave_it() -> Verdict {
    let start = brk(0);
    for wish in [
        1,
        0x1000,
        0x7fff_ffff_f000,
        0x8000_0000_0000,
        1 << 63,
        u64::MAX,
    ] {
        same(&format!("brk({wish:#x})"), brk(wish), start)?;
    }
    Ok(())
}

fn stops_before_a_mapping() -> Verdict {
    let start = brk(0).next_multiple_of(PAGE);
    let wall = start + 16 * PAGE;
    same(
        "a mapping above",
        sys::mmap(wall, PAGE, map::RW, ANON | libc::MAP_FIXED, -1, 0),
        Ok(wall),
    )?;
    mem::poke(wall, 5);
    same("leaving a page", brk(wall - PAGE), wall - PAGE)?;
    same("touching it", brk(wall), wall - PAGE)?;
    same("over it", brk(wall + 8 * PAGE), wall - PAGE)?;
    same("the mapping", mem::peek(wall), 5)
}

fn child_has_its_own() -> Verdict {
    let start = brk(0);
    lives("the child grows", || {
        i32::from(brk(start + 8 * PAGE) != start + 8 * PAGE)
    })?;
    same("the parent's break", brk(0), start)
}

/// RLIMIT_DATA counts the break.
fn data_limit() -> Verdict {
    lives("under a limit", || {
        let start = brk(0);
        if sys::set_soft_limit(libc::RLIMIT_DATA, 1 << 20).is_err() {
            return 1;
        }
        i32::from(brk(start + (64 << 20)) != start)
    })
}
