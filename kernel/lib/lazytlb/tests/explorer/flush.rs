//! Flushing: the generation is raised, who may hold a stale translation is interrupted, and only
//! when all have answered is anything free again.

use addr::PageRange;
use lazytlb::{CpuTlb, Flush, FlushRequest, Standing, needs_ipi, receive};

use crate::state::{Doing, FlushStage, INIT};
use crate::step::{Broken, Kernel, id, place};

impl Kernel {
    /// Edits the tables and raises the generation.
    pub(crate) fn begin_flush(
        &mut self,
        cpu: u8,
        mm: u8,
        range: Option<PageRange>,
        freed_tables: bool,
        teardown: bool,
    ) {
        self.state.mm(mm).generation += 1;
        self.state.mm(mm).has_tables &= !freed_tables;
        let flush = FlushRequest {
            mm: id(mm),
            generation: u64::from(self.state.mm(mm).generation),
            range,
            freed_tables,
        };
        let stage = FlushStage::Local;
        self.state.cpu(cpu).doing = Doing::Flushing {
            flush,
            teardown,
            stage,
        };
    }

    pub(crate) fn flush(
        &mut self,
        cpu: u8,
        flush: FlushRequest,
        teardown: bool,
        stage: FlushStage,
    ) {
        let next = match stage {
            FlushStage::Local => {
                if !(teardown && self.broken == Broken::LeavingAtTeardown) {
                    self.flush_here(cpu, &flush);
                }
                FlushStage::Remote
            }
            FlushStage::Remote => {
                self.interrupt_others(cpu, &flush);
                FlushStage::Wait
            }
            FlushStage::Wait => return self.flushed(cpu, &flush, teardown),
        };
        self.state.cpu(cpu).doing = Doing::Flushing {
            flush,
            teardown,
            stage: next,
        };
    }

    fn flush_here(&mut self, cpu: u8, flush: &FlushRequest) {
        let tlb = self.state.cpu(cpu).tlb.expect("no switch is under way");
        if needs_ipi(&Standing::On(tlb), flush) {
            self.answer(cpu, flush);
        }
    }

    fn interrupt_others(&mut self, cpu: u8, flush: &FlushRequest) {
        let mask = self.state.mm(place(flush.mm)).mask;
        let in_mask = |other: &u8| *other != cpu && mask & 1 << other != 0;
        for other in (0..self.state.cpu_count).filter(in_mask) {
            if self.needs_ipi(other, flush) {
                self.state.cpu(other).ipi = Some(*flush);
            }
        }
    }

    fn needs_ipi(&mut self, other: u8, flush: &FlushRequest) -> bool {
        let standing = match self.state.cpu(other).tlb {
            None if self.broken == Broken::SwitchingIpi => return false,
            None => Standing::Switching,
            Some(tlb) => Standing::On(tlb),
        };
        let freed_tables = flush.freed_tables && self.broken != Broken::LazyIpi;
        needs_ipi(
            &standing,
            &FlushRequest {
                freed_tables,
                ..*flush
            },
        )
    }

    /// Does what a request asks of this CPU; interrupts are off.
    pub(crate) fn answer(&mut self, cpu: u8, request: &FlushRequest) {
        let mm = place(request.mm);
        let tlb = self.state.cpu(cpu).tlb.expect("no switch is under way");
        let current = self.state.mm(mm).generation;
        match receive(&tlb, request, u64::from(current)) {
            Flush::Elsewhere => self.state.mm(mm).mask &= !(1 << cpu),
            Flush::Nothing => {}
            Flush::Pages(_) => self.flush_selectively(cpu, tlb, request, request.generation),
            Flush::All if self.broken == Broken::SelectiveFlush && request.range.is_some() => {
                self.flush_selectively(cpu, tlb, request, u64::from(current));
            }
            Flush::All => {
                self.write_cr3(cpu, mm);
                self.publish(cpu, mm, current);
            }
            Flush::LoadInit => {
                self.write_cr3(cpu, INIT);
                self.publish(cpu, INIT, 0);
            }
        }
    }

    /// Forgets the request's pages; what the TLB missed before, it still misses.
    fn flush_selectively(&mut self, cpu: u8, tlb: CpuTlb, request: &FlushRequest, seen_gen: u64) {
        let this = self.state.cpu(cpu);
        if u64::from(this.fresh) + 1 == request.generation {
            this.fresh += 1;
        }
        this.tlb = Some(CpuTlb { seen_gen, ..tlb });
    }

    /// Everybody has answered: what was unhooked is freed.
    fn flushed(&mut self, cpu: u8, flush: &FlushRequest, teardown: bool) {
        let generation = flush.generation as u8;
        let number = place(flush.mm);
        let mm = self.state.mm(number);
        mm.flushed = mm.flushed.max(generation);
        if flush.freed_tables {
            mm.tables_freed = mm.tables_freed.max(generation);
        }
        if teardown {
            self.torn_down(number);
        }
        self.state.cpu(cpu).doing = Doing::Running;
    }

    /// The users' memory is gone, and with it the one reference that they held together.
    pub(crate) fn torn_down(&mut self, mm: u8) {
        self.state.mm(mm).has_memory = false;
        self.drop_count(mm);
    }
}
