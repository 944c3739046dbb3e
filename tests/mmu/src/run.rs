//! Running a program on the kernel's code and on the model, and comparing the two after every step.

use std::cell::RefCell;
use std::rc::Rc;

use addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use pte::Prot;
use vma::VmFlags;

use crate::access::{remote, touch};
use crate::mm::madvise::Advice;
use crate::mm::place::ALL_USER;
use crate::mm::reclaim;
use crate::mm::shared_anon::SharedAnon;
use crate::mm::{MapBacking, MapRequest, PageSource, frame, large};
use crate::model::lock::LOCK;
use crate::model::ops::charged;
use crate::model::{Object, Refusal, Shown, Space, Spot};
use crate::program::{Act, At, Step, What};
use crate::settle::settle;
use crate::sim::cpu::{self, Random};
use crate::sim::mmu::{During, during, excuse_two_sizes_of_data};
use crate::world::{PROCESSES, World};
use crate::{calls, check};

/// The largest mapping that the model cares to list page by page.
pub const LARGEST: u64 = 1 << 13;
const MAY: VmFlags = VmFlags::MAYREAD
    .union(VmFlags::MAYWRITE)
    .union(VmFlags::MAYEXEC);

/// What is wrong, in words.
pub type Wrong = String;

/// Under which conditions a program runs.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Processors; each process stays on one, unless they share.
    pub cpus: usize,
    /// Each step of a process is done on whichever processor, as if it had a thread on each.
    pub shares: bool,
    /// What a TLB remembers wrongly counts only when it is used, or when its frame is freed.
    pub relies_on_use: bool,
    /// Whether every process is compared after every step, and not just now and then.
    pub thorough: bool,
    /// Whether memory comes in large pages where it can.
    pub has_large_pages: bool,
}

/// Runs `steps`; on failure returns the number of the step and what was wrong after it.
///
/// # Errors
/// Where the kernel and the model disagree, or the MMU saw what must not happen.
pub fn run(steps: &[(usize, Step)], conditions: Conditions) -> Result<(), (usize, Wrong)> {
    let mode = match conditions.has_large_pages {
        true => large::Mode::Always,
        false => large::Mode::Never,
    };
    large::set_mode(mode);
    // One of several processors splits for all.
    excuse_two_sizes_of_data(conditions.shares);
    let before = check::Frames::now();
    let mut world = World::new(conditions);
    for (at, (number, step)) in steps.iter().enumerate() {
        let who = step.who as usize % world.processes.len();
        if conditions.shares {
            world.move_to(
                who,
                Random::new(*number as u64).below(conditions.cpus as u64),
            );
        }
        let outcome = act(&mut world, who, step).and_then(|()| {
            check::after_step(&mut world, who, conditions.thorough || at % 32 == 31)
        });
        if let Err(wrong) = outcome {
            // A world that has gone wrong does not end in peace.
            std::mem::forget(world);
            return Err((*number, wrong));
        }
    }
    let last = steps.last().map_or(0, |(number, _)| *number);
    world.end();
    check::at_end(&before).map_err(|wrong| (last, wrong))
}

fn act(world: &mut World, who: usize, step: &Step) -> Result<(), Wrong> {
    world.forget_failure();
    match (&step.act, step.from_outside) {
        (Act::Touch(..), _) | (_, false) => world.run(who),
        (_, true) => world.near(who),
    }
    let space = &world.processes[who].space;
    match &step.act {
        Act::Map { .. } => map(world, who, &step.act),
        Act::Unmap(at, len) => {
            let at = resolve(space, *at);
            let process = &mut world.processes[who];
            let got = during(During::Unmap, || process.mm.unmap(at, *len));
            agree(
                "munmap",
                got.map_err(refusal),
                process.space.unmap(at, *len),
            )
        }
        Act::Protect(at, len, prot) => protect(world, who, resolve(space, *at), *len, *prot),
        Act::Remap(remap) => calls::remap(world, who, remap),
        Act::Lock(at, len, how) => calls::lock(world, who, (*at, *len), *how),
        Act::LockAll(now, future, how) => calls::lock_all(world, who, (*now, *future), *how),
        Act::Brk(above) => brk(world, who, *above),
        Act::Touch(at, access, pages, value) => {
            let at = resolve(space, *at);
            (0..*pages).try_for_each(|page| {
                touch(
                    world,
                    who,
                    at.wrapping_add(page * PAGE_SIZE),
                    *access,
                    value.wrapping_add(page),
                )
            })
        }
        Act::Remote(at, write, value) => remote(world, who, resolve(space, *at), *write, *value),
        Act::Fork => fork(world, who),
        Act::Exit => {
            world.exit(who);
            if world.processes.is_empty() {
                world.start();
            }
            Ok(())
        }
        Act::Pause => {
            world.pause();
            Ok(())
        }
        // What reaches into other processes' memory needs to interrupt other processors.
        Act::Resize(..) | Act::Reclaim(_) | Act::Advise(.., Advice::Remove)
            if world.has_others() =>
        {
            Ok(())
        }
        Act::Advise(at, len, advice) => calls::advise(world, who, (*at, *len), *advice),
        Act::Resize(file, pages) => {
            calls::resize(world, *file, *pages);
            Ok(())
        }
        Act::Reclaim(wanted) => {
            during(During::Reclaim, || reclaim::reclaim(*wanted));
            for process in &mut world.processes {
                let there = check::pages(&process.mm);
                process.space.lose(|page| there.contains(&page));
            }
            Ok(())
        }
        Act::Reap => calls::reap(world, who),
        Act::Fail(nth) => {
            world.arm(*nth as u32);
            Ok(())
        }
        Act::Hog(left) => {
            world.hog(*left);
            Ok(())
        }
        Act::Relent => {
            world.relent();
            Ok(())
        }
    }
}

/// Turns a place into an address, and lets the processors take an interest in it.
pub fn resolve(space: &Space, at: At) -> u64 {
    let address = match at {
        At::Exact(address) => address,
        At::Mapped(_, apart) if space.pages.is_empty() => apart as u64,
        At::Mapped(number, apart) => {
            let nth = number as usize % space.pages.len();
            let page = space.pages.keys().nth(nth).expect("counted around");
            (page * PAGE_SIZE).wrapping_add_signed(apart)
        }
    };
    cpu::notice(VirtAddr::new(address).page());
    address
}

/// Demands the answer that the model gives.
///
/// # Errors
/// Both answers, if they differ.
pub fn agree<T: PartialEq + std::fmt::Debug>(
    what: &str,
    got: Result<T, Refusal>,
    expected: Result<T, Refusal>,
) -> Result<(), Wrong> {
    if got == expected {
        Ok(())
    } else {
        Err(format!(
            "{what} returned {got:?}, should have returned {expected:?}"
        ))
    }
}

/// Names a kernel error by what it becomes for a program.
pub fn refusal(error: impl std::fmt::Debug) -> Refusal {
    match format!("{error:?}").as_str() {
        "Invalid" => Refusal::Invalid,
        "NoMemory" | "TooMany" | "OutOfMemory" => Refusal::NoMemory,
        "Exists" => Refusal::Exists,
        "Access" => Refusal::Access,
        "Fault" => Refusal::Fault,
        "TryAgain" => Refusal::TryAgain,
        other => panic!("the model knows no error `{other}`"),
    }
}

fn map(world: &mut World, who: usize, act: &Act) -> Result<(), Wrong> {
    let Act::Map {
        at,
        len,
        prot,
        kind,
        what,
        flags,
        populate,
    } = act
    else {
        unreachable!("called for a mapping")
    };
    let at = resolve(&world.processes[who].space, *at);
    let expected = world.processes[who].space.place(at, *len, *kind);
    if matches!(expected, Ok((_, pages)) if pages > LARGEST) {
        return Ok(());
    }
    let Some((backing, object, first, shared)) = backing(world, *what, *len, *flags) else {
        return Ok(());
    };
    let flags = *flags
        | MAY
        | if shared {
            VmFlags::SHARED
        } else {
            VmFlags::empty()
        };
    let request = MapRequest {
        addr: at,
        len: *len,
        prot: *prot,
        kind: *kind,
        flags,
        populate: *populate,
        backing,
    };
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let got = during(During::Unmap, || process.mm.map(&request)).map_err(refusal);
    drop(request);
    let flags = charged((flags | process.space.future).with_prot(*prot));
    if got == Err(Refusal::NoMemory) && (tight || *len / PAGE_SIZE > frame::total()) {
        return Ok(());
    }
    let (page, pages) = match (got, expected) {
        (Ok(got), Ok((Spot::There(page), pages))) if got == page * PAGE_SIZE => (page, pages),
        (Ok(got), Ok((Spot::Anywhere, pages)))
            if Some(got / PAGE_SIZE) == process.space.highest(pages) =>
        {
            (got / PAGE_SIZE, pages)
        }
        (Err(got), Err(expected)) if got == expected => return Ok(()),
        _ => {
            return Err(format!(
                "mmap returned {got:x?}, should have returned {expected:x?}"
            ));
        }
    };
    process.space.map(page, pages, flags, |at| match &object {
        Some(object) => Shown::Of(object.clone(), first + at),
        None => Shown::Zeros(page + at),
    });
    let range = range(page, page + pages);
    settle(process, range);
    let fills = *populate || flags & LOCK == VmFlags::LOCKED;
    if fills && !tight {
        check::is_filled(
            process,
            &(page..process.space.fillable(range)).collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

/// The pages from one number up to another.
pub fn range(start: u64, end: u64) -> PageRange {
    PageRange::new(Page::new(start), Page::new(end))
}

type Shows = (MapBacking, Option<Rc<RefCell<Object>>>, u64, bool);

fn backing(world: &World, what: What, len: u64, flags: VmFlags) -> Option<Shows> {
    Some(match what {
        What::Anon => (MapBacking::ANON, None, 0, false),
        What::SharedAnon => {
            let source = SharedAnon::new(len, !flags.contains(VmFlags::NORESERVE)).ok()?;
            let pages = vec![Default::default(); len.div_ceil(PAGE_SIZE).min(LARGEST) as usize];
            let reserved = !flags.contains(VmFlags::NORESERVE);
            let object = Object {
                ino: source.id().ino,
                is_file: false,
                charged: if reserved { len.div_ceil(PAGE_SIZE) } else { 0 },
                pages,
            };
            let backing = MapBacking::File { source, page: 0 };
            (backing, Some(Rc::new(RefCell::new(object))), 0, true)
        }
        What::File { file, page, shared } => {
            let (source, object) = world.files[file].clone();
            (
                MapBacking::File { source, page },
                Some(object),
                page,
                shared,
            )
        }
    })
}

fn protect(world: &mut World, who: usize, at: u64, len: u64, prot: Prot) -> Result<(), Wrong> {
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let got = during(During::Protect, || process.mm.protect(at, len, prot, false)).map_err(refusal);
    let mut after = process.space.clone();
    let expected = after.protect(at, len, prot);
    let refused = tight && got == Err(Refusal::NoMemory);
    if refused && (expected != got || !check::has_mappings(&process.mm, &after)) {
        return Ok(()); // Refused before anything was done; for a hole it would have gone up to that.
    }
    process.space = after;
    let (start, end) = (at / PAGE_SIZE, at.saturating_add(len).div_ceil(PAGE_SIZE));
    if start < end {
        settle(process, range(start, end));
    }
    agree("mprotect", got, expected)
}

fn brk(world: &mut World, who: usize, above: u64) -> Result<(), Wrong> {
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let new = process.space.brk_start.wrapping_add(above);
    let got = during(During::Unmap, || process.mm.brk(new));
    if tight && got == process.space.brk {
        return Ok(());
    }
    let flags = charged((VmFlags::HEAP | MAY).with_prot(Prot::READ | Prot::WRITE));
    let flags = flags | process.space.future;
    let expected = process.space.brk(new, flags, frame::total());
    settle(process, ALL_USER);
    agree("brk", Ok(got), Ok(expected))
}

fn fork(world: &mut World, who: usize) -> Result<(), Wrong> {
    if world.processes.len() == PROCESSES {
        return Ok(());
    }
    let process = &world.processes[who];
    match during(During::Fork, || process.mm.fork()) {
        Ok(mm) => {
            let space = process.space.fork();
            world.add(mm, space);
            Ok(())
        }
        Err(_) if world.is_tight() => Ok(()),
        Err(error) => Err(format!("fork: {error:?}")),
    }
}
