//! `madvise` (VM-12): page by page, on through holes, and stopping where an advice does not fit.

use crate::model::{Back, Data, Known, Lock, Model, Page, READ, WRITE, errno};
use crate::ops::Op;
use crate::plan::{EFAULT, EINVAL, ENOMEM, Plan, Want, ranged};

const FREE: i32 = 8;
const KEEPONFORK: i32 = 19;
const COLD: i32 = 20;
const PAGEOUT: i32 = 21;
const POPULATE_READ: i32 = 22;
const POPULATE_WRITE: i32 = 23;
const GUARD_INSTALL: i32 = 102;
const GUARD_REMOVE: i32 = 103;

const ADVICES: &[i32] = &[
    libc::MADV_DONTNEED,
    libc::MADV_DONTNEED,
    libc::MADV_DONTNEED,
    FREE,
    FREE,
    libc::MADV_NORMAL,
    libc::MADV_RANDOM,
    libc::MADV_SEQUENTIAL,
    libc::MADV_WILLNEED,
    libc::MADV_DONTFORK,
    libc::MADV_DONTFORK,
    libc::MADV_DOFORK,
    libc::MADV_WIPEONFORK,
    libc::MADV_WIPEONFORK,
    KEEPONFORK,
    libc::MADV_HUGEPAGE,
    libc::MADV_NOHUGEPAGE,
    libc::MADV_DONTDUMP,
    libc::MADV_DODUMP,
    COLD,
    PAGEOUT,
    POPULATE_READ,
    POPULATE_WRITE,
    POPULATE_WRITE,
    GUARD_INSTALL,
    GUARD_INSTALL,
    GUARD_INSTALL,
    GUARD_REMOVE,
    5,
    99,
];

/// Gives the advice that a request is about.
pub(crate) fn pick(op: &Op) -> i32 {
    ADVICES[(op.dice >> 4) as usize % ADVICES.len()]
}

/// Plans one advice.
pub(crate) fn plan(model: &mut Model, op: &Op) -> Plan {
    let advice = pick(op);
    let want = match advice {
        5 | 99 => EINVAL,
        POPULATE_READ | POPULATE_WRITE => populate(model, op, advice == POPULATE_WRITE),
        _ => walk(model, op, advice),
    };
    let act = ranged(libc::SYS_madvise, op.page, op.count, advice as u64);
    vec![(act, Want::Is(want))]
}

fn walk(model: &mut Model, op: &Op, advice: i32) -> u64 {
    model.seam(op.page);
    let mut answer = 0;
    for at in op.page..op.page + op.count {
        let Some(page) = &mut model.pages[at] else {
            answer = ENOMEM;
            continue;
        };
        if let Err(code) = follow(page, advice) {
            model.seam(at);
            return errno(code);
        }
        // Nothing is lost without swap, but clean pages of shared memory may go and come back.
        if advice == PAGEOUT
            && let Back::Shared(object, index) = page.back
            && let Some(resident) = model.objects[object].pages.get_mut(index)
            && resident.1 == Known::Yes
        {
            resident.1 = Known::Unsure;
        }
    }
    model.seam(op.page + op.count);
    answer
}

fn follow(page: &mut Page, advice: i32) -> Result<(), i32> {
    let anon = page.back == Back::Anon;
    let locked = page.lock != Lock::No;
    let fits = match advice {
        libc::MADV_DONTNEED | COLD | PAGEOUT | GUARD_INSTALL => !locked,
        FREE => !locked && anon,
        libc::MADV_WIPEONFORK => anon,
        _ => true,
    };
    if !fits {
        return Err(libc::EINVAL);
    }
    match advice {
        libc::MADV_DONTNEED => drop_data(page),
        GUARD_INSTALL => {
            drop_data(page);
            page.guard = true;
        }
        GUARD_REMOVE => page.guard = false,
        FREE => {
            if let Data::Is(value) = page.data {
                page.data = Data::Perhaps(value);
            }
            if page.present == Known::Yes {
                page.present = Known::Unsure;
            }
        }
        libc::MADV_DONTFORK => page.dont_fork = true,
        libc::MADV_DOFORK => page.dont_fork = false,
        libc::MADV_WIPEONFORK => page.wipe = true,
        KEEPONFORK => page.wipe = false,
        libc::MADV_HUGEPAGE | libc::MADV_NOHUGEPAGE => page.huge = advice as u8,
        _ => {}
    }
    Ok(())
}

/// Drops a page's private data; the markers of guards stay.
fn drop_data(page: &mut Page) {
    page.data = Data::Fresh;
    page.present = Known::No;
}

fn populate(model: &mut Model, op: &Op, write: bool) -> u64 {
    for at in op.page..op.page + op.count {
        let Some(page) = model.pages[at] else {
            return ENOMEM;
        };
        let needed = if write { WRITE } else { READ };
        if page.prot & needed == 0 {
            return EINVAL;
        }
        if page.guard || model.is_beyond(&page) {
            return EFAULT;
        }
        model.touch(at);
    }
    0
}
