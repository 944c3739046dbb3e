//! The kernel at work, by the crate's decisions: switches, and getting onto an mm.

use lazytlb::{Load, MmId, MmSwitch, enter_lazy, plan_load};

use crate::rules::{Broken, Pcids, Rules};
use crate::state::{Doing, INIT, LoadStage, State, TaskMm, Tlb, Why};

/// A state, and the rules it changes by.
pub(crate) struct Kernel {
    pub(crate) state: State,
    pub(crate) rules: Rules,
}

impl Kernel {
    pub(crate) fn is_without(&self, rule: Broken) -> bool {
        self.rules.broken == rule
    }

    /// Returns the mm that a running task stands on.
    pub(crate) fn active(&mut self, cpu: u8, mm: TaskMm) -> u8 {
        match mm {
            TaskMm::User(mm) | TaskMm::Lazy(mm) => mm,
            TaskMm::Guest => self.tlb(cpu).loaded,
            TaskMm::Off => unreachable!("a running task stands on an mm"),
        }
    }

    pub(crate) fn tlb(&mut self, cpu: u8) -> Tlb {
        self.state.cpu(cpu).tlb.expect("no switch is under way")
    }

    // The context switch.

    pub(crate) fn switch(&mut self, cpu: u8, to: u8) {
        let from = std::mem::replace(&mut self.state.cpu(cpu).current, to);
        let (prev, next) = (self.state.task(from).mm, self.state.task(to).mm);
        let row = MmSwitch::plan(prev.is_user(), next.is_user());
        let active = self.active(cpu, prev);
        if row.enters_lazy() {
            self.enter_lazy(cpu);
        }
        if row.grabs() {
            self.state.task(to).mm = self.borrow(active, Broken::Grab);
        }
        if row.transfers() {
            self.state.task(to).mm = std::mem::replace(&mut self.state.task(from).mm, TaskMm::Off);
        }
        if row.drops_later() {
            let borrowed = std::mem::replace(&mut self.state.task(from).mm, TaskMm::Off);
            self.end_borrow(cpu, borrowed);
        }
        self.state.cpu(cpu).doing = match next {
            TaskMm::User(mm) if row.switches() => loading(mm, Why::Switch),
            _ => Doing::Tail,
        };
    }

    /// What a borrower of `mm` has; takes a reference where borrowers hold one.
    pub(crate) fn borrow(&mut self, mm: u8, unless: Broken) -> TaskMm {
        if !self.rules.lifetime.counts() {
            return TaskMm::Guest;
        }
        if !self.is_without(unless) {
            self.state.mm(mm).count += 1;
        }
        TaskMm::Lazy(mm)
    }

    pub(crate) fn enter_lazy(&mut self, cpu: u8) {
        let mut tlb = self.tlb(cpu);
        if enter_lazy(&tlb.record()) {
            tlb.lazy = true;
            self.state.cpu(cpu).tlb = Some(tlb);
            if self.is_without(Broken::StickyMask) {
                self.state.mm(tlb.loaded).mask &= !(1 << cpu);
            }
        }
    }

    /// Gives a borrow up; its reference goes when CR3 is off the mm.
    pub(crate) fn end_borrow(&mut self, cpu: u8, borrowed: TaskMm) {
        let TaskMm::Lazy(mm) = borrowed else { return };
        if self.is_without(Broken::DeferredDrop) {
            self.drop_count(cpu, mm);
        } else {
            self.state.cpu(cpu).stash = Some(mm);
        }
    }

    pub(crate) fn tail(&mut self, cpu: u8) {
        self.state.cpu(cpu).doing = Doing::Running;
        if let Some(mm) = self.state.cpu(cpu).stash.take() {
            self.drop_count(cpu, mm);
        }
    }

    // Getting onto an mm.

    pub(crate) fn load(&mut self, cpu: u8, mm: u8, why: Why, stage: LoadStage) {
        let next = match stage {
            LoadStage::Announce => Some(self.announce(cpu, mm)),
            LoadStage::Decide { before } => {
                let read = self.state.mm(mm).generation;
                self.decide(before, mm, read)
            }
            LoadStage::LeaveTooLate { before, read } => {
                self.leave(cpu, mm, before);
                self.decide(before, mm, read)
            }
            LoadStage::Write { read } => {
                self.write_cr3(cpu, mm, read);
                Some(LoadStage::Publish { read })
            }
            LoadStage::Publish { read } => {
                if self.is_without(Broken::Announcing) {
                    self.set_mask_bit(cpu, mm);
                }
                self.publish(cpu, mm, read);
                None
            }
        };
        self.state.cpu(cpu).doing = match next {
            Some(stage) => Doing::Loading { mm, why, stage },
            None => Doing::Tail,
        };
    }

    /// Leaves the lazy state, or tells the others that this CPU switches.
    fn announce(&mut self, cpu: u8, mm: u8) -> LoadStage {
        let before = self.tlb(cpu);
        let lazy_on_it = before.loaded == mm && before.lazy;
        if lazy_on_it && self.is_without(Broken::LeavingLazyFirst) {
            let read = self.state.mm(mm).generation;
            return LoadStage::LeaveTooLate { before, read };
        }
        self.leave(cpu, mm, before);
        LoadStage::Decide { before }
    }

    fn leave(&mut self, cpu: u8, mm: u8, before: Tlb) {
        if before.loaded == mm {
            self.state.cpu(cpu).tlb = Some(Tlb {
                lazy: false,
                ..before
            });
        } else if !self.is_without(Broken::Announcing) {
            self.state.cpu(cpu).tlb = None;
            self.set_mask_bit(cpu, mm);
        }
    }

    fn set_mask_bit(&mut self, cpu: u8, mm: u8) {
        if !self.is_without(Broken::MaskBit) {
            self.state.mm(mm).mask |= 1 << cpu;
        }
    }

    fn decide(&mut self, before: Tlb, mm: u8, read: u8) -> Option<LoadStage> {
        match plan_load(&before.record(), id(mm), u64::from(read)) {
            Load::Keep | Load::LeaveLazy => None,
            Load::Reload if self.is_without(Broken::GenerationCheck) => None,
            Load::Reload | Load::Switch => Some(LoadStage::Write { read }),
        }
    }

    /// Writes CR3 for an mm whose generation was `read`: what the TLB knows of it then is new, or what its PCID has kept.
    fn write_cr3(&mut self, cpu: u8, mm: u8, read: u8) {
        let fresh = match self.kept(cpu, mm, read) {
            Some(fresh) => fresh,
            None => self.state.mm(mm).generation,
        };
        let this = self.state.cpu(cpu);
        (this.cr3, this.fresh) = (mm, fresh);
    }

    /// Changes the PCID; returns how new what it keeps is. What it keeps of another mm is not new at all.
    fn kept(&mut self, cpu: u8, mm: u8, read: u8) -> Option<u8> {
        if self.rules.pcids == Pcids::None {
            return None;
        }
        let rule = self.rules.broken;
        let this = self.state.cpu(cpu);
        if let Some(last) = usize::from(this.slots.in_use()).checked_sub(1) {
            this.held[last] = Some((this.cr3, this.fresh));
        }
        let tag = this.slots.load(id(mm), u64::from(read));
        let number = usize::from(tag.pcid).checked_sub(1)?;
        let keep = match rule {
            Broken::SlotGeneration => {
                tag.keep || this.held[number].is_some_and(|held| held.0 == mm)
            }
            Broken::SlotRecycling => tag.keep || tag.recycled,
            _ => tag.keep,
        };
        let (owner, fresh) = this.held[number].filter(|_| keep)?;
        Some(if owner == mm { fresh } else { 0 })
    }

    /// Drops what the TLB knows of the loaded mm, whose generation is `current`.
    pub(crate) fn reload(&mut self, cpu: u8, mm: u8, current: u8) {
        self.state.cpu(cpu).fresh = self.state.mm(mm).generation;
        self.caught_up(cpu, current);
        self.publish(cpu, mm, current);
    }

    /// Notes that the PCID in use has nothing older than `seen_gen`.
    pub(crate) fn caught_up(&mut self, cpu: u8, seen_gen: u8) {
        if self.rules.pcids != Pcids::None {
            self.state.cpu(cpu).slots.caught_up(u64::from(seen_gen));
        }
    }

    pub(crate) fn publish(&mut self, cpu: u8, mm: u8, read: u8) {
        self.state.cpu(cpu).tlb = Some(Tlb {
            loaded: mm,
            seen_gen: read,
            lazy: false,
        });
    }

    /// Loads `init_mm`, with interrupts off.
    pub(crate) fn load_init(&mut self, cpu: u8) {
        self.write_cr3(cpu, INIT, 0);
        self.publish(cpu, INIT, 0);
    }
}

pub(crate) fn loading(mm: u8, why: Why) -> Doing {
    let stage = LoadStage::Announce;
    Doing::Loading { mm, why, stage }
}

pub(crate) fn id(mm: u8) -> MmId {
    MmId::new(u64::from(mm))
}
