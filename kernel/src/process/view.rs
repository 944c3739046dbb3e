//! What `/proc` shows of processes.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt::{self, Write};
use core::ops::Range;

use super::{Process, current, layout, status, tree, usage::Usage};
use crate::fs::procfs::registry::{
    ProcessFacts, Processes, Refused, What, register, set_processes,
};
use crate::fs::{InodeRef, OpenFile};
use crate::mm::{MmUserRef, inject};
use crate::task::{Name, TaskMm};

/// Adds what this layer has to say to `/proc`.
pub(super) fn init() {
    set_processes(&AllProcesses);
    layout::init();
    status::init();
    register("stat", What::ProcessText(stat));
    register("oom_score", What::ProcessText(oom_score));
    register(
        "oom_score_adj",
        What::ProcessSetting(oom_score_adj, set_oom_score_adj),
    );
    register("fail-nth", What::ProcessSetting(fail_nth, set_fail_nth));
}

/// Lets programs break entries of their own page tables (`damage` on the command line).
pub fn allow_damage() {
    register("damage", What::ProcessSetting(|_, _| Ok(()), set_damage));
}

/// Takes the address of a page that is there, in hexadecimal.
fn set_damage(process: &dyn ProcessFacts, text: &str) -> Result<(), Refused> {
    let addr = u64::from_str_radix(text, 16).map_err(|_| Refused::Invalid)?;
    let addr = addr::VirtAddr::new(addr);
    let mm = process.mm().ok_or(Refused::Gone)?;
    if !addr.is_user() || !mm.damage_entry(addr.page()) {
        return Err(Refused::Invalid);
    }
    Ok(())
}

struct AllProcesses;

impl Processes for AllProcesses {
    fn find(&self, pid: u32) -> Option<Arc<dyn ProcessFacts>> {
        let process: Arc<dyn ProcessFacts> = tree::find(pid)?;
        Some(process)
    }

    fn next(&self, from: u32) -> Option<u32> {
        tree::next_pid(from)
    }

    fn own(&self) -> u32 {
        current().pid()
    }
}

impl ProcessFacts for Process {
    fn name(&self) -> Name {
        self.task().map_or_else(Name::new, |task| task.name())
    }

    fn set_name(&self, name: &str) {
        if let Some(task) = self.task() {
            task.set_name(name);
        }
    }

    fn mm(&self) -> Option<MmUserRef> {
        match &*self.task()?.mm_slot().lock() {
            TaskMm::User(mm) => Some(mm.clone()),
            _ => None,
        }
    }

    fn exe(&self) -> Vec<u8> {
        self.program().exe
    }

    fn cwd(&self) -> InodeRef {
        Process::cwd(self)
    }

    fn arguments(&self) -> Range<u64> {
        self.program().arguments
    }

    fn file(&self, fd: i32) -> Option<Arc<OpenFile>> {
        Process::file(self, fd)
    }

    fn next_fd(&self, from: i32) -> Option<i32> {
        self.with_files(|files| files.next(from))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The process behind a view; every view is one.
pub fn process_of(facts: &dyn ProcessFacts) -> Option<&Process> {
    facts.as_any().downcast_ref()
}

/// The first fields of the line, up to the CPU times; those that follow are not kept.
fn stat(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let Some(process) = process_of(facts) else {
        return Ok(());
    };
    let pid = process.pid();
    let Some(family) = tree::family(pid) else {
        return Ok(());
    };
    let usage = Usage::of(process);
    let state = if tree::has_ended(pid) { 'Z' } else { 'R' };
    write!(out, "{pid} ({}) {state} ", facts.name())?;
    write!(
        out,
        "{} {} {} 0 -1 0 ",
        family.parent, family.group, family.session
    )?;
    write!(out, "{} 0 {} 0 ", usage.min_faults, usage.maj_faults)?;
    writeln!(out, "{} 0", usage.cpu_ns / 10_000_000)
}

fn oom_score(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", process_of(facts).map_or(0, Process::oom_score))
}

fn oom_score_adj(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let adj = process_of(facts).map_or(0, |process| process.oom.adj());
    writeln!(out, "{adj}")
}

fn set_oom_score_adj(facts: &dyn ProcessFacts, text: &str) -> Result<(), Refused> {
    let adj = text.parse().map_err(|_| Refused::Invalid)?;
    let set = process_of(facts).is_some_and(|process| process.oom.set_adj(adj));
    set.then_some(()).ok_or(Refused::Invalid)
}

/// Shows how many allocations of the asking task were still to come until one fails, 0 if it has, and
/// disarms: the text itself needs memory.
fn fail_nth(_: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let left = inject::left();
    inject::disarm();
    writeln!(out, "{left}")
}

/// Makes an allocation of the task that writes fail; nobody can do that for others.
fn set_fail_nth(facts: &dyn ProcessFacts, text: &str) -> Result<(), Refused> {
    let nth = text.parse().map_err(|_| Refused::Invalid)?;
    let own = process_of(facts).is_some_and(|process| process.pid() == current().pid());
    own.then(|| inject::arm(nth)).ok_or(Refused::Invalid)
}
