//! `fsck` has teeth: each thing it compares is broken once, must be named, and is made good again.

use core::fmt::{self, Write};
use core::sync::atomic::Ordering::Relaxed;

use addr::{PAGE_SIZE, Page, VirtAddr};
use arrayvec::ArrayString;
use log::info;
use pte::{Prot, Pte, PteFlags};

use super::address_spaces::mm_with_word;
use crate::mm::frame::{self, Owner};
use crate::mm::shared_anon::SharedAnon;
use crate::mm::{Mm, PageSource, commit, fsck, tamper, zero_frame};
use crate::smp::stop;

const USER: u64 = 0x40_0000;

/// Breaks one thing after the other.
pub(super) fn fsck() {
    let mm = mm_with_word(USER, 7, Prot::READ | Prot::WRITE);
    clean("a fresh address space");
    let mut named = entries(&mm);
    named += counts(&mm);
    named += frames();
    drop(mm);
    clean("the end");
    info!(target: "test", "fsck ok: {named} kinds of damage named");
}

fn page() -> Page {
    VirtAddr::new(USER).page()
}

/// Insists that nothing is wrong, and that something was compared.
fn clean(when: &str) {
    let report = stop::alone(|| fsck::run(&mut |what| panic!("{when}: {what}")));
    assert!(report.busy == 0, "{when}: nobody is at work: {report}");
}

/// Insists that there is exactly one kind of finding, which says `words`.
fn names(words: &str) -> u32 {
    let mut told = ArrayString::<1024>::new();
    let mut tell = |what: fmt::Arguments<'_>| {
        // What does not fit is not looked at.
        let _ = writeln!(told, "{what}");
    };
    let report = stop::alone(|| fsck::run(&mut tell));
    assert!(report.findings > 0, "nothing was noticed, not: {words}");
    assert!(told.contains(words), "it was not named ({words}): {told}");
    1
}

/// Entries that do not fit their mapping, each in place of the right one.
fn entries(mm: &Mm) -> u32 {
    let right = tamper::entry(mm, page(), 1, Pte::EMPTY);
    let with = |flags: PteFlags| Pte::new(right.frame(), flags);
    let plain = PteFlags::PRESENT | PteFlags::USER | PteFlags::NX;
    let anon = plain | PteFlags::ANON;
    let zero = plain | PteFlags::ZERO;
    let mut named = 0;
    for (entry, words) in [
        (with(anon - PteFlags::USER), "is the supervisor's"),
        (with(anon - PteFlags::NX), "right to execute"),
        (with(anon | PteFlags::PCD), "bits that no user page has"),
        (with(anon - PteFlags::PRESENT), "neither present nor hidden"),
        (right.with_prot(Prot::empty()), "hidden where it is not"),
        (with(plain), "is no source's page"),
        (with(zero), "shows the zero page wrongly"),
        (
            Pte::new(zero_frame(), zero | PteFlags::WRITE),
            "is writable",
        ),
        (Pte::new(mm.root(), anon), "is no private page's"),
    ] {
        tamper::entry(mm, page(), 1, entry);
        named += names(words);
    }
    tamper::entry(mm, page(), 1, right);
    clean("entries made good");
    // The page next to the mapping.
    let beside = Page::new(page().number() + 1);
    tamper::entry(mm, beside, 1, right);
    named += names("lies in no mapping");
    tamper::entry(mm, beside, 1, Pte::EMPTY);
    for level in [2, 3, 4] {
        let link = tamper::entry(mm, page(), level, Pte::EMPTY);
        tamper::entry(mm, page(), level, link.wrprotect());
        named += names("does not link a table");
        tamper::entry(mm, page(), level, link);
    }
    clean("links made good");
    named
}

/// Counts that are one off.
fn counts(mm: &Mm) -> u32 {
    let mut named = 0;
    for (n, words) in [
        (1, "rss of Anon is 2, and 1 entries"),
        (-1, "rss of Anon is 0, and 1 entries"),
    ] {
        tamper::rss(mm, n);
        named += names(words);
        tamper::rss(mm, -n);
    }
    tamper::tables(mm, true);
    named += names("tables below the PML4");
    tamper::tables(mm, false);
    for level in [1, 2, 3] {
        let word = frame::info(tamper::table_of(mm, page(), level)).word();
        word.fetch_add(1, Relaxed);
        named += names("counts 2 entries and has 1");
        word.fetch_sub(1, Relaxed);
    }
    let groups = frame::info(tamper::table_of(mm, page(), 1)).links().0;
    let before = groups.swap(0, Relaxed);
    named += names("its group said to be empty");
    groups.store(before, Relaxed);
    commit::charge(1).expect("one page can be promised");
    named += names("pages are promised to mappings, which are charged for");
    commit::uncharge(1);
    clean("counts made good");
    named
}

/// References and frames that are lost, or too many.
fn frames() -> u32 {
    let mm = mm_with_word(USER, 8, Prot::READ | Prot::WRITE);
    let frame = tamper::entry(&mm, page(), 1, Pte::EMPTY);
    tamper::entry(&mm, page(), 1, frame);
    let word = frame::info(frame.frame()).word();
    let mut named = 0;
    for (n, words) in [
        (1, "2 references, 1 entries"),
        (u32::MAX, "0 references, 1 entries"),
    ] {
        word.fetch_add(n, Relaxed);
        named += names(words);
        word.fetch_sub(n, Relaxed);
    }
    drop(mm);
    clean("references made good");
    // Frames that nobody knows of.
    let leak = |owner: Owner| frame::alloc_zeroed(owner).expect("memory for a test");
    let anon = leak(Owner::Anon);
    named += names("the others leaked");
    frame::free(anon);
    let table = leak(Owner::PageTable);
    named += names("frames are page tables, but only");
    frame::free(table);
    let cached = leak(Owner::PageCache);
    frame::info(cached).word().store(0, Relaxed);
    named += names("0 references, 0 entries");
    frame::free(cached);
    let object = SharedAnon::new(PAGE_SIZE, false).expect("memory for a test");
    let shared = object.page(0).expect("memory for a test");
    named += names("2 references, 0 entries");
    frame::put(shared);
    clean("a page of shared memory that nobody maps");
    drop(object);
    clean("nothing leaked");
    named
}
