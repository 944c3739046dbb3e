//! What is compared after every step.
//!
//! - every step: the mappings as `/proc/PID/maps` shows them, every page-table entry's rights and
//!   every page's contents against the model, and what the processors remember against the tables;
//! - now and then and at the end: references of frames against the entries that map them, entries
//!   in use of each table, resident pages, the frames' owners.

use std::collections::{BTreeMap, BTreeSet};

use addr::{Frame, Page};
use pte::Pte;
use vma::VmFlags;

use crate::mm::frame::{self, OWNERS, Owner};
use crate::mm::place::ALL_USER;
use crate::mm::{self, Mm, commit, fsck, physmap};
use crate::model::Shown;
use crate::model::Space;
use crate::model::space::{OFFSETS, Page as PromisedPage, Run};
use crate::run::Wrong;
use crate::settle;
use crate::sim::cpu::CPUS;
use crate::sim::memory::KERNEL_TABLES;
use crate::sim::mmu;
use crate::sim::tlb::Size;
use crate::sim::walk::{each_leaf, each_table};
use crate::world::{Process, World};

/// How many frames each owner has.
#[derive(PartialEq, Eq, Debug)]
pub struct Frames(Vec<(&'static str, u64)>);

impl Frames {
    /// Counts them.
    pub fn now() -> Self {
        Self(
            OWNERS
                .iter()
                .map(|&(owner, name)| (name, frame::count(owner)))
                .collect(),
        )
    }
}

/// Checks what `who` did, and everything else too if `all`.
///
/// # Errors
/// What is wrong first.
pub fn after_step(world: &mut World, who: usize, all: bool) -> Result<(), Wrong> {
    if !world.relies_on_use {
        mmu::audit();
    }
    no_crimes()?;
    if world.has_large_pages {
        // One write brings in 512 pages.
        world
            .processes
            .iter_mut()
            .for_each(|process| settle::settle(process, ALL_USER));
    }
    if let Some(process) = world.processes.get(who) {
        compare(process)?;
    }
    if all {
        world.processes.iter().try_for_each(compare)?;
        counts(world)?;
    }
    Ok(())
}

/// Checks that a program has left nothing behind.
///
/// # Errors
/// What is left.
pub fn at_end(before: &Frames) -> Result<(), Wrong> {
    no_crimes()?;
    frame::check()?;
    let now = Frames::now();
    if now == *before {
        Ok(())
    } else {
        Err(format!("frames leaked: before {before:?}, after {now:?}"))
    }
}

/// Checks that the MMU saw nothing that must not happen.
///
/// # Errors
/// What it saw.
pub fn no_crimes() -> Result<(), Wrong> {
    match mmu::crimes() {
        crimes if crimes.is_empty() => Ok(()),
        crimes => Err(crimes.join("; ")),
    }
}

fn compare(process: &Process) -> Result<(), Wrong> {
    mappings(&process.mm, &process.space)?;
    large_pages_are_data(&process.mm)?;
    let mut wrong = None;
    let mut shown = 0;
    each_small(&process.mm, |page, entry| {
        if wrong.is_none() {
            wrong = entry_is_right(&process.space, page, entry, &mut shown).err();
        }
    });
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let own = process
        .space
        .pages
        .values()
        .filter(|page| page.own.is_some() || page.guard)
        .count();
    if shown != own {
        return Err(format!(
            "{own} pages have contents of their own or a guard, but only {shown} an entry"
        ));
    }
    Ok(())
}

/// Nothing is fetched from what may be split while another processor remembers it.
fn large_pages_are_data(mm: &Mm) -> Result<(), Wrong> {
    let mut found = None;
    each_leaf(mm.root(), &mut |page, size, entry| {
        if size == Size::Large && entry.executable() {
            found = Some(page);
        }
    });
    found.map_or(Ok(()), |page| {
        Err(format!("{page:?} begins a large page that may be executed"))
    })
}

/// Returns the pages that have an entry.
#[must_use]
pub fn pages(mm: &Mm) -> BTreeSet<u64> {
    let mut pages = BTreeSet::new();
    each_small(mm, |page, _| {
        pages.insert(page.number());
    });
    pages
}

/// Calls `each` for every entry as if all pages were small.
pub fn each_small(mm: &Mm, mut each: impl FnMut(Page, Pte)) {
    each_leaf(mm.root(), &mut |page, size, entry| match size {
        Size::Small => each(page, entry),
        Size::Large => (0..512).for_each(|at| {
            let frame = entry.frame().add(at);
            each(
                Page::new(page.number() + at),
                Pte::new(frame, entry.flags()),
            );
        }),
    });
}

fn entry_is_right(space: &Space, page: Page, entry: Pte, own: &mut usize) -> Result<(), Wrong> {
    let accuse = |what: &str| Err(format!("{page:?} has {entry:?}: {what}"));
    let Some(promised) = space.pages.get(&page.number()) else {
        return accuse("nothing is mapped there");
    };
    if promised.guard != entry.is_guard() {
        return accuse("a guard is where none was put, or none where one was");
    }
    if entry.is_guard() {
        *own += 1;
        return Ok(());
    }
    let allows = |flag| promised.flags.contains(flag);
    if entry.is_present() && !promised.flags.is_accessible() {
        return accuse("no access is allowed");
    }
    if entry.is_writable() && !allows(VmFlags::WRITE) {
        return accuse("writes are not allowed");
    }
    if entry.is_present() && entry.executable() && !allows(VmFlags::EXEC) {
        return accuse("fetches are not allowed");
    }
    if entry.is_present() && !entry.is_user() {
        return accuse("it is not for users");
    }
    if entry.is_writable() && !allows(VmFlags::SHARED) && promised.own.is_none() {
        return accuse("a private page that nobody wrote is writable");
    }
    let frame = entry.frame();
    if entry.is_writable() && entry.is_anon() && frame::refs(frame) != 1 {
        return accuse("it is writable and has more than one owner");
    }
    let contents = OFFSETS.map(|offset| {
        let mut bytes = [0; 8];
        physmap::read(frame, offset, &mut bytes);
        u64::from_le_bytes(bytes)
    });
    if promised.contents() != Some(contents) {
        return Err(format!(
            "{page:?} has {entry:?}: it holds {contents:x?}, should hold {:x?}",
            promised.contents()
        ));
    }
    *own += usize::from(promised.own.is_some());
    Ok(())
}

/// Demands an entry for each of these pages.
///
/// # Errors
/// Which one has none.
pub fn is_filled(process: &Process, pages: &[u64]) -> Result<(), Wrong> {
    let mut missing: BTreeSet<u64> = pages.iter().copied().collect();
    each_small(&process.mm, |page, entry| {
        if entry.is_present() {
            missing.remove(&page.number());
        }
    });
    match missing.first() {
        None => Ok(()),
        Some(page) => Err(format!("{:?} was not brought in", Page::new(*page))),
    }
}

/// Demands that no private page of a reaped program is left, and that nothing comes back.
///
/// # Errors
/// What is left.
pub fn is_reaped(process: &Process) -> Result<(), Wrong> {
    let mut left = None;
    each_small(&process.mm, |page, _| {
        let promised = process.space.pages.get(&page.number());
        if promised.is_none_or(PromisedPage::is_private) {
            left = Some(page);
        }
    });
    if let Some(page) = left {
        return Err(format!("{page:?} is left of a program that was reaped"));
    }
    Ok(())
}

/// Says whether the mappings of `mm` are those of `space`.
pub fn has_mappings(mm: &Mm, space: &Space) -> bool {
    runs(mm) == space.runs()
}

fn runs(mm: &Mm) -> Vec<Run> {
    let mut text = String::new();
    mm.describe_maps(&mut text)
        .expect("a string takes any text");
    text.lines().map(parse).collect()
}

fn mappings(mm: &Mm, space: &Space) -> Result<(), Wrong> {
    let (got, expected) = (runs(mm), space.runs());
    if got == expected {
        return Ok(());
    }
    let odd = got
        .iter()
        .zip(&expected)
        .position(|(got, expected)| got != expected);
    let odd = odd.unwrap_or(got.len().min(expected.len()));
    Err(format!(
        "mapping {odd} of {} is {:x?}, should be {:x?} of {}",
        got.len(),
        got.get(odd),
        expected.get(odd),
        expected.len()
    ))
}

fn parse(line: &str) -> Run {
    let mut words = line.split_whitespace();
    let mut word = || words.next().expect("a line of maps has five words");
    let hex = |text: &str| u64::from_str_radix(text, 16).expect("a hexadecimal number");
    let (start, end) = word().split_once('-').expect("a range");
    let rights = word().to_owned();
    let offset = hex(word());
    word();
    let ino = word().parse().expect("an inode number");
    let range = (hex(start) / addr::PAGE_SIZE, hex(end) / addr::PAGE_SIZE);
    Run {
        range,
        rights,
        offset,
        ino,
    }
}

/// References, tables, resident pages and owners of everything.
fn counts(world: &World) -> Result<(), Wrong> {
    let mut mapped: BTreeMap<Frame, (u32, bool)> = BTreeMap::new();
    let mut tables = 0;
    for process in &world.processes {
        let mut resident = 0;
        each_small(&process.mm, |_, entry| {
            if !entry.is_zero_page() && !entry.is_guard() {
                let of = mapped.entry(entry.frame()).or_default();
                *of = (of.0 + 1, entry.is_anon());
                resident += 1;
            }
        });
        // Each large page has a table set aside for the day it is split.
        each_leaf(process.mm.root(), &mut |_, size, _| {
            tables += u64::from(size == Size::Large);
        });
        if resident != process.mm.rss_pages() {
            return Err(format!(
                "rss is {}, mapped are {resident}",
                process.mm.rss_pages()
            ));
        }
        tables += check_tables(&process.mm, world.was_tight)?;
    }
    promises(world)?;
    for (frame, (entries, private)) in mapped {
        let owner = frame::info(frame).owner();
        let own = match owner {
            Owner::Anon if private => 0,
            Owner::Anon | Owner::PageCache => 1, // its source's
            _ => return Err(format!("{frame:?}, which is mapped, is {owner:?}")),
        };
        if frame::refs(frame) != entries + own {
            return Err(format!(
                "{frame:?} ({owner:?}) has {} references; {entries} entries map it",
                frame::refs(frame)
            ));
        }
    }
    mm::audit().map_err(|error| error.to_string())?;
    kernel_check()?;
    // Lodgers keep the roots of processes that are gone.
    let counted = frame::count(Owner::PageTable) - KERNEL_TABLES;
    if !(tables..=tables + CPUS as u64).contains(&counted) {
        return Err(format!(
            "{counted} frames are page tables, {tables} are in use"
        ));
    }
    Ok(())
}

/// What is charged to the commitment: what the pages of all processes and the objects say.
fn promises(world: &World) -> Result<(), Wrong> {
    let mut objects = BTreeMap::new();
    let mut promised = 0;
    for page in world
        .processes
        .iter()
        .flat_map(|it| it.space.pages.values())
    {
        promised += u64::from(page.flags.contains(VmFlags::ACCOUNT));
        if let Shown::Of(object, _) = &page.shown {
            objects.insert(std::rc::Rc::as_ptr(object), object.borrow().charged);
        }
    }
    promised += objects.values().sum::<u64>();
    let counted = commit::committed();
    if counted == promised {
        Ok(())
    } else {
        Err(format!(
            "{counted} pages are committed, should be {promised}"
        ))
    }
}

/// The kernel's own check, which must find nothing either.
fn kernel_check() -> Result<(), Wrong> {
    let mut findings = String::new();
    fsck::run(&mut |finding| findings.push_str(&format!("fsck: {finding}; ")));
    if findings.is_empty() {
        Ok(())
    } else {
        Err(findings)
    }
}

/// Checks that each table knows how many entries it has; returns the number of tables.
fn check_tables(mm: &Mm, may_be_empty: bool) -> Result<u64, Wrong> {
    let (mut tables, mut wrong) = (0, None);
    each_table(mm.root(), &mut |level, table, entries| {
        tables += 1;
        let word = frame::info(table)
            .word()
            .load(std::sync::atomic::Ordering::Relaxed);
        if level < 4 && word != entries {
            wrong = Some(format!(
                "{table:?} of level {level} has {entries} entries, counts {word}"
            ));
        } else if level < 4 && entries == 0 && !may_be_empty {
            wrong = Some(format!(
                "{table:?} of level {level} is empty and still there"
            ));
        }
    });
    wrong.map_or(Ok(tables), Err)
}
