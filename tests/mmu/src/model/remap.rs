//! mremap: where pages go. What it does is told as a list of states, since for want of memory it may end
//! after any of them.

use std::collections::BTreeMap;

use addr::{PAGE_SIZE, PageRange, USER_END};
use vma::VmFlags;

use super::space::Page;
use super::{Refusal, Space, Spot};
use crate::mm::MapKind;
use crate::mm::mremap::RemapRequest;

/// What a request leads to.
pub struct Remapped {
    /// What is answered: the first page of where it is, unless it is refused.
    pub answer: Result<u64, Refusal>,
    /// What is there after each step; the last is what is there in the end.
    pub states: Vec<Space>,
}

/// The request in pages.
struct Plan<'r> {
    request: &'r RemapRequest,
    old: u64,
    old_pages: u64,
    new_pages: u64,
}

impl Plan<'_> {
    fn old_end(&self) -> u64 {
        self.old + self.old_pages
    }
}

impl Space {
    /// Moves or resizes a mapping.
    pub fn remap(&self, request: &RemapRequest) -> Remapped {
        let mut states = Vec::new();
        let answer = self.try_remap(request, &mut states);
        Remapped { answer, states }
    }

    fn try_remap(&self, request: &RemapRequest, states: &mut Vec<Space>) -> Result<u64, Refusal> {
        let plan = check(request)?;
        let first = self.pages.get(&plan.old).ok_or(Refusal::Fault)?;
        if plan.old_pages == 0 && first.is_private() {
            return Err(Refusal::Invalid);
        }
        if request.fixed || request.dont_unmap {
            self.go_to(&plan, states)
        } else {
            self.resize(&plan, states)
        }
    }

    /// Whether `pages` pages from `page` on lie in one mapping.
    fn in_one(&self, page: u64, pages: u64) -> bool {
        pages <= self.run_end(page) - page
    }

    fn resize(&self, plan: &Plan<'_>, states: &mut Vec<Space>) -> Result<u64, Refusal> {
        let mut after = self.clone();
        if plan.old_pages >= plan.new_pages {
            after.cut_tail(plan)?;
            states.push(after);
            return Ok(plan.old);
        }
        if !self.in_one(plan.old, plan.old_pages) {
            return Err(Refusal::Fault);
        }
        let (end, new_end) = (plan.old_end(), plan.old + plan.new_pages);
        let at_end = plan.old_pages > 0 && end == self.run_end(plan.old);
        let is_free = self.pages.range(end..new_end).next().is_none();
        if at_end && is_free && new_end <= USER_END / PAGE_SIZE {
            let last = self.pages[&(end - 1)].clone();
            for page in end..new_end {
                after.pages.insert(page, last.further(page + 1 - end));
            }
            states.push(after);
            return Ok(plan.old);
        }
        if !plan.request.may_move {
            return Err(Refusal::NoMemory);
        }
        let to = self.spot(0, plan.new_pages)?;
        after.shift(plan.old, plan.old_pages, to, plan.new_pages, false);
        states.push(after);
        Ok(to)
    }

    fn go_to(&self, plan: &Plan<'_>, states: &mut Vec<Space>) -> Result<u64, Refusal> {
        let request = plan.request;
        let kept = plan.old_pages.min(plan.new_pages);
        let is_in_one = self.in_one(plan.old, kept);
        let is_move = plan.old_pages == plan.new_pages;
        if is_move && request.fixed && !is_in_one {
            return Ok(self.move_several(plan, states));
        }
        if !is_in_one {
            return Err(Refusal::Fault);
        }
        let to = match request.fixed {
            true => request.new_addr / PAGE_SIZE,
            false => self.spot(request.new_addr, plan.new_pages)?,
        };
        let mut after = self.clone();
        after.clear(to, plan.new_pages);
        states.push(after.clone());
        if !after.pages.contains_key(&plan.old) {
            return Err(Refusal::Fault);
        }
        if plan.old_pages > plan.new_pages {
            after.cut_tail(plan)?;
            states.push(after.clone());
        }
        after.shift(plan.old, kept, to, plan.new_pages, request.dont_unmap);
        states.push(after);
        Ok(to)
    }

    /// Unmaps what the old length has beyond the new one: a munmap, and refused as such.
    fn cut_tail(&mut self, plan: &Plan<'_>) -> Result<(), Refusal> {
        if plan.old_end() > USER_END / PAGE_SIZE && plan.old_pages > plan.new_pages {
            return Err(Refusal::Invalid);
        }
        self.clear(plan.old + plan.new_pages, plan.old_pages - plan.new_pages);
        Ok(())
    }

    fn move_several(&self, plan: &Plan<'_>, states: &mut Vec<Space>) -> u64 {
        let to = plan.request.new_addr / PAGE_SIZE;
        let mut after = self.clone();
        let mut at = plan.old;
        while let Some((&start, _)) = after.pages.range(at..plan.old_end()).next() {
            let end = after.run_end(start).min(plan.old_end());
            let place = to + (start - plan.old);
            after.clear(place, end - start);
            states.push(after.clone());
            after.shift(
                start,
                end - start,
                place,
                end - start,
                plan.request.dont_unmap,
            );
            states.push(after.clone());
            at = end;
        }
        to
    }

    /// Moves `pages` pages of one mapping from `from` to `to`, where `new_pages` are free for them.
    fn shift(&mut self, from: u64, pages: u64, to: u64, new_pages: u64, keep: bool) {
        let whole = self.run_start(from)..self.run_end(from);
        let first = self.pages[&from].clone();
        let mut moved = BTreeMap::new();
        for at in 0..new_pages {
            let mut page = match self.pages.get(&(from + at)) {
                Some(page) if at < pages => page.clone(),
                _ => first.further(at),
            };
            page.flags -= VmFlags::STACK | VmFlags::HEAP;
            moved.insert(to + at, page);
        }
        if keep {
            for (_, page) in self.pages.range_mut(whole) {
                page.flags -= VmFlags::LOCKED | VmFlags::LOCKONFAULT;
            }
            for (_, page) in self.pages.range_mut(from..from + pages) {
                *page = Page::new(page.flags, page.shown.clone());
            }
        } else {
            self.clear(from, pages);
        }
        self.pages.append(&mut moved);
    }

    fn spot(&self, hint: u64, pages: u64) -> Result<u64, Refusal> {
        match self.place(hint, pages * PAGE_SIZE, MapKind::Hint)?.0 {
            Spot::There(page) => Ok(page),
            Spot::Anywhere => self.highest(pages).ok_or(Refusal::NoMemory),
        }
    }
}

fn check(request: &RemapRequest) -> Result<Plan<'_>, Refusal> {
    let round = |len: u64| len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0) / PAGE_SIZE;
    let plan = Plan {
        request,
        old: request.addr / PAGE_SIZE,
        old_pages: round(request.old_len),
        new_pages: round(request.new_len),
    };
    let user = USER_END / PAGE_SIZE;
    let is_aligned = |address: u64| address.is_multiple_of(PAGE_SIZE);
    if !is_aligned(request.addr) || plan.new_pages == 0 || plan.new_pages > user {
        return Err(Refusal::Invalid);
    }
    if request.fixed || request.dont_unmap {
        let to = request.new_addr / PAGE_SIZE;
        let overlap = plan.old_end() > to && to + plan.new_pages > plan.old;
        let other_size = request.dont_unmap && plan.old_pages != plan.new_pages;
        let fits = is_aligned(request.new_addr) && to <= user - plan.new_pages;
        if !fits || !request.may_move || other_size || overlap {
            return Err(Refusal::Invalid);
        }
    }
    Ok(plan)
}

/// Returns the pages that a longer mapping has more than before.
#[must_use]
pub fn added(request: &RemapRequest, start: u64) -> Option<PageRange> {
    let round = |len: u64| len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0) / PAGE_SIZE;
    let (old, new) = (round(request.old_len), round(request.new_len));
    let range = |start, end| PageRange::new(addr::Page::new(start), addr::Page::new(end));
    (new > old).then(|| range(start + old, start + new))
}
