//! From a request to system calls and accesses, each with the answer that Linux gives; the model moves on with them.

use std::sync::atomic::{AtomicU64, Ordering};

use user::mem::PAGE;

use crate::model::{Back, Joined, Known, Lock, Model, PAGES, READ, WRITE, errno};
use crate::ops::{Kind, Op};
use crate::{advice, locks, pages, remap};

/// Is one thing to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// A system call; addresses inside the arena are page numbers with `AT` added.
    Call(i64, [Arg; 6]),
    /// A mapping without MAP_FIXED at this page: what lands elsewhere is taken away again.
    Hint { page: usize, count: usize, prot: u8 },
    /// `mremap` with leave to move, to `size` pages; what moved is brought back to `to`.
    Grow {
        page: usize,
        count: usize,
        size: usize,
        to: usize,
    },
    /// `mincore` as a mask of the pages that are there.
    Core { page: usize, count: usize },
    /// The break goes up by so many pages, is written to, and goes back, twice.
    Break(u64),
    /// Reads the first (or the last) word of a page.
    Load {
        page: usize,
        last: bool,
        by_call: bool,
    },
    /// Writes the first (or the last) word of a page.
    Store {
        page: usize,
        last: bool,
        value: u64,
        by_call: bool,
    },
    /// Jumps to a page.
    Fetch(usize),
    /// The arena as `/proc/self/maps` shows it.
    Look,
}

/// Is an argument of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg {
    /// A number.
    N(u64),
    /// A page of the arena.
    At(usize),
    /// The program's own file, open for reading.
    File,
}

/// Is what the answer has to be.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// Exactly this.
    Is(u64),
    /// One of two: not part of the hash.
    Either(u64, u64),
    /// Bits, and which of them count.
    Bits(u64, u64),
    /// This text.
    Shape(String),
}

/// Is a list of things to do and their answers.
pub(crate) type Plan = Vec<(Act, Want)>;

/// How many bytes each of the arena's pages stands for.
static UNIT: AtomicU64 = AtomicU64::new(PAGE);
/// A quarter of a large page: requests cut large pages, and put them together.
const QUARTER: u64 = 512 << 10;

/// Lets each page of the arena be a quarter of a large one, from now on.
pub(crate) fn enlarge() {
    UNIT.store(QUARTER, Ordering::Relaxed);
}

/// Gives the size of one of the arena's pages.
pub(crate) fn unit() -> u64 {
    UNIT.load(Ordering::Relaxed)
}

/// What a call gives that returns an address in the arena, relative to it.
pub(crate) fn at(page: usize) -> u64 {
    page as u64 * unit()
}

/// What stands for an address outside the arena.
pub(crate) const ELSEWHERE: u64 = 0xe15e_0000;

pub(crate) const EINVAL: u64 = errno(libc::EINVAL);
pub(crate) const ENOMEM: u64 = errno(libc::ENOMEM);
pub(crate) const EFAULT: u64 = errno(libc::EFAULT);

/// Makes a call of three arguments over a range.
pub(crate) fn ranged(number: i64, page: usize, count: usize, third: u64) -> Act {
    let len = Arg::N(at(count));
    let none = Arg::N(0);
    Act::Call(
        number,
        [Arg::At(page), len, Arg::N(third), none, none, none],
    )
}

/// Plans one request, forks excepted.
pub(crate) fn plan(model: &mut Model, op: &Op) -> Plan {
    match op.kind {
        Kind::MapAnon | Kind::MapShared | Kind::MapFile => map_fixed(model, op),
        Kind::MapHint => map_hint(model, op),
        Kind::MapNoReplace => map_no_replace(model, op),
        Kind::Unmap => {
            model.unmap(op.page, op.count);
            vec![(ranged(libc::SYS_munmap, op.page, op.count, 0), Want::Is(0))]
        }
        Kind::Protect => {
            let prot = prot(op.dice);
            let answer = protect(model, op.page, op.count, prot);
            let act = ranged(libc::SYS_mprotect, op.page, op.count, u64::from(prot));
            vec![(act, Want::Is(answer))]
        }
        Kind::Move => remap::move_only(model, op),
        Kind::Grow => remap::grow(model, op),
        Kind::GrowInPlace => remap::grow_in_place(model, op),
        Kind::Shrink => remap::shrink(model, op),
        Kind::Resize => remap::resize(model, op),
        Kind::Duplicate => remap::duplicate(model, op),
        Kind::BadRemap => remap::bad(op),
        Kind::Advise => advice::plan(model, op),
        Kind::Lock | Kind::LockOnFault | Kind::Unlock => locks::plan(model, op),
        Kind::Sync => sync(model, op),
        Kind::Core => pages::core(model, op),
        Kind::Break => vec![(Act::Break(op.size as u64), Want::Is(0))],
        Kind::Read => (op.page..op.page + op.count)
            .flat_map(|page| pages::read(model, page, op.dice & 1 == 0))
            .collect(),
        Kind::Write => (op.page..op.page + op.count)
            .flat_map(|page| pages::write(model, page, op.dice))
            .collect(),
        Kind::Fetch => pages::fetch(model, op.page),
        Kind::Look => vec![pages::look(model)],
        Kind::Fork => Vec::new(),
    }
}

/// Picks a protection, read-write half of the time.
pub(crate) fn prot(dice: u64) -> u8 {
    match dice >> 8 & 15 {
        0..=6 => READ | WRITE,
        7..=9 => READ,
        10 | 11 => 0,
        12 => WRITE,
        13 => READ | 4,
        14 => READ | WRITE | 4,
        _ => 4,
    }
}

fn map_fixed(model: &mut Model, op: &Op) -> Plan {
    let (page, count, mut prot) = (op.page, op.count, prot(op.dice));
    let mut flags = libc::MAP_FIXED as u64;
    let mut rest = [Arg::N(u64::MAX), Arg::N(0)];
    match op.kind {
        Kind::MapAnon => {
            flags |= (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
            model.map(page, count, prot, |_| Back::Anon);
        }
        Kind::MapShared => {
            flags |= (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64;
            let object = model.objects.len();
            let pages = vec![(0, Known::No); count];
            model.objects.push(crate::model::Object { pages });
            model.map(page, count, prot, |index| Back::Shared(object, index));
        }
        _ => {
            let shared = op.dice >> 20 & 1 == 1;
            let from = (op.dice >> 24) as usize % model.file.words.len();
            flags |= if shared {
                libc::MAP_SHARED
            } else {
                libc::MAP_PRIVATE
            } as u64;
            rest = [Arg::File, Arg::N((model.file.first + from as u64) * PAGE)];
            if shared {
                prot &= !WRITE;
            }
            model.map(page, count, prot, |index| Back::File {
                page: from + index,
                shared,
            });
        }
    }
    // MAP_POPULATE and MAP_LOCKED fill the pages and do not mind if some cannot be.
    match op.dice >> 32 & 15 {
        0 => {
            flags |= libc::MAP_POPULATE as u64;
            let _ = locks::populate(model, page, count);
        }
        1 => {
            flags |= libc::MAP_LOCKED as u64;
            for slot in model.pages[page..page + count].iter_mut().flatten() {
                slot.lock = Lock::Full;
            }
            let _ = locks::populate(model, page, count);
        }
        2 => flags |= libc::MAP_NORESERVE as u64,
        _ => {}
    }
    let args = [
        Arg::At(page),
        Arg::N(at(count)),
        Arg::N(prot.into()),
        Arg::N(flags),
        rest[0],
        rest[1],
    ];
    vec![(Act::Call(libc::SYS_mmap, args), Want::Is(at(page)))]
}

fn map_hint(model: &mut Model, op: &Op) -> Plan {
    let (page, count, prot) = (op.page, op.count, prot(op.dice));
    let want = if model.is_free(page, count) {
        model.map(page, count, prot, |_| Back::Anon);
        at(page)
    } else {
        ELSEWHERE
    };
    vec![(Act::Hint { page, count, prot }, Want::Is(want))]
}

fn map_no_replace(model: &mut Model, op: &Op) -> Plan {
    let (page, count, prot) = (op.page, op.count, prot(op.dice));
    let flags = libc::MAP_FIXED_NOREPLACE | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let want = if model.is_free(page, count) {
        model.map(page, count, prot, |_| Back::Anon);
        at(page)
    } else {
        errno(libc::EEXIST)
    };
    let rest = [Arg::N(u64::MAX), Arg::N(0)];
    let args = [
        Arg::At(page),
        Arg::N(at(count)),
        Arg::N(prot.into()),
        Arg::N(flags as u64),
        rest[0],
        rest[1],
    ];
    vec![(Act::Call(libc::SYS_mmap, args), Want::Is(want))]
}

/// VM-10: what lies before a hole, or before what may not be written, stays changed.
fn protect(model: &mut Model, start: usize, count: usize, prot: u8) -> u64 {
    model.seam(start);
    let mut filling = true;
    let mut answer = 0;
    let mut at = start;
    while at < start + count {
        let Some(page) = &mut model.pages[at] else {
            answer = ENOMEM;
            break;
        };
        if prot & WRITE != 0 && !page.may_write() {
            answer = errno(libc::EACCES);
            break;
        }
        let becomes_writable = page.prot & WRITE == 0 && prot & WRITE != 0;
        page.prot = prot;
        // Locked private memory is filled when it becomes writable, as far as that goes.
        if becomes_writable && page.is_private() && page.lock == Lock::Full {
            let stuck = page.guard;
            let stuck = stuck || model.pages[at].is_some_and(|page| model.is_beyond(&page));
            filling &= !stuck;
            if filling {
                model.touch(at);
            } else if let Some(page) = &mut model.pages[at]
                && page.present == Known::No
            {
                page.present = Known::Unsure;
            }
        }
        at += 1;
    }
    model.seam(at.min(PAGES - 1));
    answer
}

fn sync(model: &Model, op: &Op) -> Plan {
    let flags = [
        libc::MS_SYNC,
        libc::MS_ASYNC,
        libc::MS_INVALIDATE,
        libc::MS_SYNC | libc::MS_ASYNC,
    ];
    let flags = flags[op.dice as usize % 4];
    let range = &model.pages[op.page..op.page + op.count];
    let is_locked = range.iter().flatten().any(|page| page.lock != Lock::No);
    let want = if flags == libc::MS_SYNC | libc::MS_ASYNC {
        EINVAL
    } else if flags == libc::MS_INVALIDATE && is_locked {
        errno(libc::EBUSY)
    } else if model.is_full(op.page, op.count) {
        0
    } else {
        ENOMEM
    };
    vec![(
        ranged(libc::SYS_msync, op.page, op.count, flags as u64),
        Want::Is(want),
    )]
}

/// Says whether a request has to be left out because its answer is the kernel's choice.
pub(crate) fn is_unsure(joined: Joined) -> bool {
    joined == Joined::Unsure
}
