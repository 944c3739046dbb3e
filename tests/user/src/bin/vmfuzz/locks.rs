//! Locking pages, and filling them, which locking does.

use crate::model::{Lock, Model};
use crate::ops::{Kind, Op};
use crate::plan::{ENOMEM, Plan, Want, ranged};

/// Is a page that could not be filled.
pub(crate) struct Stuck;

/// Finds pages as `mlock` does: private writable ones for writing, others for reading; stops at the first that cannot be.
pub(crate) fn populate(model: &mut Model, start: usize, count: usize) -> Result<(), Stuck> {
    for at in start..start + count {
        let Some(page) = model.pages[at] else {
            continue;
        };
        if page.lock == Lock::OnFault {
            continue;
        }
        if page.prot == 0 || page.guard || model.is_beyond(&page) {
            return Err(Stuck);
        }
        model.touch(at);
    }
    Ok(())
}

/// Plans a lock or unlock.
pub(crate) fn plan(model: &mut Model, op: &Op) -> Plan {
    let (number, lock, third) = match op.kind {
        Kind::Lock => (libc::SYS_mlock, Lock::Full, 0),
        Kind::LockOnFault => (libc::SYS_mlock2, Lock::OnFault, 1),
        _ => (libc::SYS_munlock, Lock::No, 0),
    };
    model.seam(op.page);
    let mut want = 0;
    let mut end = op.page;
    while end < op.page + op.count {
        let Some(page) = &mut model.pages[end] else {
            want = ENOMEM;
            break;
        };
        page.lock = lock;
        end += 1;
    }
    model.seam(end);
    if want == 0 && lock != Lock::No && populate(model, op.page, op.count).is_err() {
        want = ENOMEM;
    }
    vec![(ranged(number, op.page, op.count, third), Want::Is(want))]
}
