//! madvise, page by page: on through holes, and no further where an advice does not fit.

use std::cell::RefCell;
use std::rc::Rc;

use addr::PageRange;
use pte::Access;
use vma::VmFlags;

use super::ops::numbers;
use super::space::{Object, Page, Shown};
use super::{Refusal, Space};
use crate::mm::madvise::Advice;

impl Space {
    /// Takes advice.
    ///
    /// # Errors
    /// As madvise.
    pub fn advise(&mut self, range: PageRange, advice: Advice) -> Result<(), Refusal> {
        match advice {
            Advice::Populate(access) => self.populate(range, access),
            Advice::Remove => self.punch(range),
            _ => self.follow(range, advice),
        }
    }

    fn follow(&mut self, range: PageRange, advice: Advice) -> Result<(), Refusal> {
        let mut mapped = 0;
        for (_, page) in self.pages.range_mut(numbers(range)) {
            if !accepts(page, advice) {
                return Err(Refusal::Invalid);
            }
            mapped += 1;
            match advice {
                Advice::Flags { set, clear } => page.flags = page.flags.difference(clear) | set,
                Advice::DontNeed { .. } => page.own = None,
                Advice::GuardInstall => {
                    page.own = None;
                    page.guard = true;
                }
                Advice::GuardRemove => page.guard = false,
                // It is there until somebody needs the memory.
                Advice::Free => page.given_up = page.own.is_some(),
                _ => {}
            }
        }
        if mapped == range.len() {
            Ok(())
        } else {
            Err(Refusal::NoMemory)
        }
    }

    /// MADV_POPULATE_READ and _WRITE.
    fn populate(&mut self, range: PageRange, access: Access) -> Result<(), Refusal> {
        let needed = match access {
            Access::Write => VmFlags::WRITE,
            _ => VmFlags::READ,
        };
        let mut next = range.start.number();
        while next < range.end.number() {
            let page = self.pages.get(&next).ok_or(Refusal::NoMemory)?;
            if !page.flags.contains(needed) {
                return Err(Refusal::Invalid);
            }
            if page.guard || page.contents().is_none() {
                return Err(Refusal::Fault);
            }
            next += 1;
        }
        Ok(())
    }

    /// MADV_REMOVE: of the things that can be mapped here only shared anonymous memory has holes.
    fn punch(&mut self, range: PageRange) -> Result<(), Refusal> {
        let mut next = range.start.number();
        while next < range.end.number() {
            let page = self.pages.get(&next).ok_or(Refusal::NoMemory)?;
            let Shown::Of(object, index) = &page.shown else {
                return Err(Refusal::Invalid);
            };
            if page.flags.contains(VmFlags::LOCKED) {
                return Err(Refusal::Invalid);
            }
            if page.is_private() {
                return Err(Refusal::Access);
            }
            if object.borrow().is_file {
                return Err(Refusal::Invalid);
            }
            if let Some(cells) = object.borrow_mut().pages.get_mut(*index as usize) {
                *cells = Default::default();
            }
            next += 1;
        }
        Ok(())
    }
}

impl Space {
    /// Lets go of what was given up and is no longer there.
    pub fn lose(&mut self, is_there: impl Fn(u64) -> bool) {
        let given_up = self.pages.iter_mut().filter(|(_, page)| page.given_up);
        for (_, page) in given_up.filter(|(number, _)| !is_there(**number)) {
            page.own = None;
            page.given_up = false;
        }
    }

    /// Drops the private copies of pages of `object` beyond its end.
    pub fn forget_beyond_end(&mut self, object: &Rc<RefCell<Object>>) {
        for page in self.pages.values_mut() {
            if let Shown::Of(of, index) = &page.shown
                && Rc::ptr_eq(of, object)
                && *index >= object.borrow().pages.len() as u64
            {
                page.own = None;
            }
        }
    }
}

fn accepts(page: &Page, advice: Advice) -> bool {
    let locked = page.flags.contains(VmFlags::LOCKED);
    let is_anon = matches!(page.shown, Shown::Zeros(_));
    match advice {
        Advice::Flags { set, .. } => is_anon || !set.contains(VmFlags::WIPEONFORK),
        Advice::DontNeed { locked: allowed } => allowed || !locked,
        Advice::Free => is_anon && !locked,
        Advice::GuardInstall => !locked,
        Advice::Hint { evicts } => !(evicts && locked),
        _ => true,
    }
}
