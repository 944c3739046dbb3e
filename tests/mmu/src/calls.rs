//! The calls that take more than a line: madvise, mremap, mlock and its family; files that become
//! shorter, and programs that have to end.

use addr::{PAGE_SIZE, PageRange};
use vma::VmFlags;

use crate::check;
use crate::mm::counters::ALLOC_FAILURES_INJECTED;
use crate::mm::frame;
use crate::mm::madvise::Advice;
use crate::mm::mremap::RemapRequest;
use crate::mm::place::{ALL_USER, user_pages};
use crate::model::lock::lock_flags;
use crate::model::{Refusal, remap as model};
use crate::program::{At, Locking, Remap};
use crate::run::{LARGEST, Wrong, agree, refusal, resolve};
use crate::settle::settle;
use crate::sim::mmu::{self, During, during};
use crate::world::World;

/// madvise.
pub fn advise(
    world: &mut World,
    who: usize,
    (at, len): (At, u64),
    advice: Advice,
) -> Result<(), Wrong> {
    let Some(range) = user_pages(resolve(&world.processes[who].space, at), len) else {
        return Ok(());
    };
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let what = match advice {
        Advice::Free => During::Free,
        Advice::GuardInstall => During::Guard,
        Advice::Remove => During::Truncate,
        _ => During::Discard,
    };
    let is_flags = matches!(advice, Advice::Flags { .. });
    let (has_room, failures) = (frame::has_room(1), ALLOC_FAILURES_INJECTED.get());
    let got = during(what, || process.mm.advise(range, advice)).map_err(refusal);
    if is_flags && tight && (!has_room || ALLOC_FAILURES_INJECTED.get() > failures) {
        // Refused before anything was done.
        return agree("madvise", got, Err(Refusal::NoMemory));
    }
    let mut after = process.space.clone();
    let expected = after.advise(range, advice);
    let takes_memory = matches!(advice, Advice::GuardInstall | Advice::Populate(_));
    let refused = tight && takes_memory && got == Err(Refusal::NoMemory);
    match (refused, advice) {
        // Guards and pages went in as far as it went.
        (true, _) => settle(process, range),
        (false, Advice::Populate(_)) => {
            settle(process, range);
            if got == Ok(()) {
                check::is_filled(process, &numbers(range).collect::<Vec<_>>())?;
            }
        }
        (false, _) => process.space = after,
    }
    if refused {
        return Ok(());
    }
    agree("madvise", got, expected)
}

fn numbers(range: PageRange) -> std::ops::Range<u64> {
    range.start.number()..range.end.number()
}

/// mremap.
pub fn remap(world: &mut World, who: usize, remap: &Remap) -> Result<(), Wrong> {
    let space = &world.processes[who].space;
    let request = RemapRequest {
        addr: resolve(space, remap.at),
        old_len: remap.old_len,
        new_len: remap.new_len,
        may_move: remap.may_move,
        fixed: remap.fixed,
        dont_unmap: remap.dont_unmap,
        new_addr: resolve(space, remap.to),
    };
    let tight = world.is_tight();
    let expected = space.remap(&request);
    if expected.answer.is_ok() && request.new_len > LARGEST * PAGE_SIZE {
        return Ok(());
    }
    let process = &mut world.processes[who];
    let got = during(During::Remap, || process.mm.remap(&request)).map_err(refusal);
    let got = got.map(|address| address / PAGE_SIZE);
    let states = expected.states;
    if tight && got == Err(Refusal::NoMemory) && got != expected.answer {
        let is_there = |space: &&_| check::has_mappings(&process.mm, space);
        if !is_there(&&process.space) {
            let found = states.iter().find(is_there).cloned();
            process.space = found.ok_or("mremap failed half-way, in no order that makes sense")?;
        }
        return Ok(());
    }
    if let Some(last) = states.last() {
        process.space = last.clone();
    }
    if let Ok(start) = got
        && let Some(added) = model::added(&request, start)
    {
        settle(process, added);
        if !tight {
            check::is_filled(process, &process.space.filled_pages(added))?;
        }
    }
    agree("mremap", got, expected.answer)
}

/// mlock, mlock2 and munlock.
pub fn lock(
    world: &mut World,
    who: usize,
    (at, len): (At, u64),
    how: Locking,
) -> Result<(), Wrong> {
    let Some(range) = user_pages(resolve(&world.processes[who].space, at), len) else {
        return Ok(());
    };
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let got = during(During::Protect, || match how {
        Locking::Off => process.mm.unlock(range),
        _ => process.mm.lock(range, how == Locking::OnFault),
    });
    let got = got.map_err(refusal);
    let flags = match how {
        Locking::Off => VmFlags::empty(),
        _ => lock_flags(how == Locking::OnFault),
    };
    let expected = process.space.lock(range, flags);
    settle(process, range);
    if tight && got == Err(Refusal::TryAgain) {
        return Ok(());
    }
    if how == Locking::Now && !tight {
        let end = process.space.fillable(range);
        if expected.is_ok() {
            check::is_filled(process, &(range.start.number()..end).collect::<Vec<_>>())?;
        }
    }
    agree("mlock", got, expected)
}

/// mlockall and munlockall.
pub fn lock_all(
    world: &mut World,
    who: usize,
    (now, future): (bool, bool),
    how: Locking,
) -> Result<(), Wrong> {
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    if how == Locking::Off {
        process.mm.unlock_all();
        process.space.lock_all(VmFlags::empty());
        process.space.future = VmFlags::empty();
        return Ok(());
    }
    let on_fault = how == Locking::OnFault;
    let got = during(During::Protect, || {
        process.mm.lock_all(now, future, on_fault)
    });
    let flags = lock_flags(on_fault);
    process.space.future = match future {
        true => flags,
        false => VmFlags::empty(),
    };
    if now {
        process.space.lock_all(flags);
        settle(process, ALL_USER);
        if !on_fault && !tight {
            check::is_filled(process, &process.space.filled_pages(ALL_USER))?;
        }
    }
    agree("mlockall", got.map_err(refusal), Ok(()))
}

/// Gives a file another length.
pub fn resize(world: &mut World, number: usize, pages: u64) {
    let (file, object) = &world.files[number];
    during(During::Truncate, || file.resize(pages as usize));
    object
        .borrow_mut()
        .pages
        .resize(pages as usize, Default::default());
    // Private copies of what is no longer there are gone (HF-13), and do not come back with it.
    for process in &mut world.processes {
        process.space.forget_beyond_end(object);
    }
}

/// Takes the memory of a process that has to end, looks whether it is gone, and ends it.
pub fn reap(world: &mut World, who: usize) -> Result<(), Wrong> {
    let process = &world.processes[who];
    let before = process.mm.rss_pages();
    let freed = during(During::Reap, || process.mm.reap());
    check::is_reaped(process)?;
    if process.mm.rss_pages() + freed != before {
        return Err(format!(
            "reaping {freed} pages of {before} leaves {}",
            process.mm.rss_pages()
        ));
    }
    if !world.relies_on_use {
        mmu::audit();
    }
    check::no_crimes()?;
    frame::check()?;
    world.exit(who);
    if world.processes.is_empty() {
        world.start();
    }
    Ok(())
}
