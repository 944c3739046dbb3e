//! Flushing: the generation is raised, who may hold a stale translation is interrupted, and only
//! when all have answered is anything free again.

use addr::{Page, PageRange};
use lazytlb::{Flush, FlushRequest, Standing, needs_ipi, receive};

use crate::kernel::{Kernel, id};
use crate::rules::{Broken, Pcids};
use crate::state::{Doing, FlushStage, Request, Then, Tlb};

impl Request {
    fn record(self) -> FlushRequest {
        let page = || PageRange::from_len(Page::new(7), 1);
        FlushRequest {
            mm: id(self.mm),
            generation: u64::from(self.generation),
            range: self.page.then(page).flatten(),
            freed_tables: self.freed_tables,
        }
    }
}

impl Kernel {
    /// Unmaps a page; a kernel thread does it as one more user.
    pub(crate) fn munmap(&mut self, cpu: u8, mm: u8, freed_tables: bool) {
        self.state.left.flushes -= 1;
        if !self.state.current(cpu).mm.is_user() {
            self.state.mm(mm).users += 1;
            self.state.current(cpu).putting = Some(mm);
        }
        self.begin_flush(cpu, mm, true, freed_tables, Then::Unmapped);
    }

    /// Edits the tables and raises the generation.
    pub(crate) fn begin_flush(
        &mut self,
        cpu: u8,
        number: u8,
        page: bool,
        freed_tables: bool,
        then: Then,
    ) {
        let mm = self.state.mm(number);
        mm.generation += 1;
        mm.has_tables &= !freed_tables;
        let flush = Request {
            mm: number,
            generation: mm.generation,
            page,
            freed_tables,
        };
        let stage = FlushStage::Local;
        self.state.cpu(cpu).doing = Doing::Flushing { flush, then, stage };
    }

    pub(crate) fn flush(&mut self, cpu: u8, flush: Request, then: Then, stage: FlushStage) {
        let next = match stage {
            FlushStage::Local => {
                let stays = then == Then::TornDown && self.is_without(Broken::LeavingAtTeardown);
                let tlb = self.tlb(cpu);
                if !stays && needs_ipi(&Standing::On(tlb.record()), &flush.record()) {
                    self.answer(cpu, &flush);
                } else if !stays {
                    self.follow(cpu, &flush);
                }
                FlushStage::Remote
            }
            FlushStage::Remote => {
                self.interrupt_others(cpu, &flush);
                FlushStage::Wait
            }
            FlushStage::Wait => return self.flushed(cpu, &flush, then),
        };
        let stage = next;
        self.state.cpu(cpu).doing = Doing::Flushing { flush, then, stage };
    }

    fn interrupt_others(&mut self, cpu: u8, flush: &Request) {
        let mask = self.state.mm(flush.mm).mask;
        let in_mask = |other: &u8| *other != cpu && mask & 1 << other != 0;
        for other in (0..self.state.cpu_count).filter(in_mask) {
            let is_up = self.state.cpu(other).doing != Doing::Offline;
            if is_up && self.needs_ipi(other, flush) {
                self.state.cpu(other).ipi[usize::from(cpu)] = Some(*flush);
            }
        }
    }

    fn needs_ipi(&mut self, other: u8, flush: &Request) -> bool {
        let tlb = self.state.cpu(other).tlb;
        let standing = match tlb {
            None if self.is_without(Broken::SwitchingIpi) => return false,
            None => Standing::Switching,
            Some(tlb) => Standing::On(tlb.record()),
        };
        let freed_tables = flush.freed_tables && !self.is_without(Broken::LazyIpi);
        let flush = Request {
            freed_tables,
            ..*flush
        };
        needs_ipi(&standing, &flush.record())
    }

    /// Does what a request asks of this CPU; interrupts are off.
    pub(crate) fn answer(&mut self, cpu: u8, request: &Request) {
        let mm = request.mm;
        let Some(tlb) = self.state.cpu(cpu).tlb else {
            // Interrupts should be off now: it looks as if the CPU were elsewhere.
            self.state.mm(mm).mask &= !(1 << cpu);
            return;
        };
        let current = self.state.mm(mm).generation;
        match receive(&tlb.record(), &request.record(), u64::from(current)) {
            Flush::Elsewhere => {
                self.state.mm(mm).mask &= !(1 << cpu);
                self.follow(cpu, request);
            }
            Flush::Nothing => {}
            Flush::Pages(_) => self.flush_selectively(cpu, tlb, request, request.generation),
            Flush::All if self.is_without(Broken::SelectiveFlush) && request.page => {
                self.flush_selectively(cpu, tlb, request, current);
            }
            Flush::All => {
                self.reload(cpu, mm, current);
            }
            Flush::LoadInit => self.load_init(cpu),
        }
    }

    /// Forgets the request's pages; what the TLB missed before, it still misses.
    fn flush_selectively(&mut self, cpu: u8, tlb: Tlb, request: &Request, seen_gen: u8) {
        let this = self.state.cpu(cpu);
        if this.fresh + 1 == request.generation {
            this.fresh += 1;
        }
        this.tlb = Some(Tlb { seen_gen, ..tlb });
        self.caught_up(cpu, seen_gen);
    }

    /// Takes single pages out of a PCID that is not in use; what the TLB missed before, it still misses.
    fn follow(&mut self, cpu: u8, request: &Request) {
        if self.rules.pcids != Pcids::Invpcid {
            return;
        }
        let current = u64::from(self.state.mm(request.mm).generation);
        let this = self.state.cpu(cpu);
        let Some((pcid, _)) = this.slots.follow(&request.record(), current) else {
            return;
        };
        if let Some((_, fresh)) = &mut this.held[usize::from(pcid) - 1]
            && *fresh + 1 == request.generation
        {
            *fresh += 1;
        }
    }

    /// Everybody has answered: what was unhooked is freed.
    fn flushed(&mut self, cpu: u8, flush: &Request, then: Then) {
        self.state.cpu(cpu).doing = Doing::Running;
        let mm = self.state.mm(flush.mm);
        if then == Then::Shot {
            mm.has_pml4 = false;
            return;
        }
        mm.flushed = mm.flushed.max(flush.generation);
        if flush.freed_tables {
            mm.tables_freed = mm.tables_freed.max(flush.generation);
        }
        if then == Then::TornDown {
            self.torn_down(cpu, flush.mm);
        }
    }
}
