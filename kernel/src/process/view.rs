//! What `/proc` shows of processes.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt::{self, Write};
use core::ops::Range;
use core::sync::atomic::Ordering::Relaxed;

use super::{
    Process, Thread, current, kernel_thread, layout, limits, machine, settings, stat, status, tree,
};
use crate::fs::procfs::registry::{
    ProcessFacts, Processes, Refused, What, register, set_processes,
};
use crate::fs::{Location, OpenFile};
use crate::mm::{MmUserRef, inject};
use crate::task::Name;

/// Adds what this layer has to say to `/proc`.
pub(super) fn init() {
    set_processes(&AllProcesses);
    layout::init();
    status::init();
    stat::init();
    machine::init();
    settings::init();
    limits::init();
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
    fn find(&self, number: u32) -> Option<Arc<dyn ProcessFacts>> {
        if let Some(process) = tree::find(number) {
            return Some(process);
        }
        let Some(process) = tree::find_by_tid(number) else {
            return Some(kernel_thread::find(number)?);
        };
        let task = process.task_of(number)?;
        let thread = Arc::downcast::<Thread>(task.owner()?.clone()).ok()?;
        Some(thread)
    }

    fn next(&self, from: u32) -> Option<u32> {
        let found = [tree::next_pid(from), tree::next_kthread(from)];
        found.into_iter().flatten().min()
    }

    fn next_thread(&self, pid: u32, from: u32) -> Option<u32> {
        match tree::find_by_tid(pid) {
            Some(process) => process.next_tid(from),
            None => (from <= pid && tree::find_kthread(pid).is_some()).then_some(pid),
        }
    }

    fn own(&self) -> u32 {
        current().pid()
    }

    fn own_thread(&self) -> u32 {
        super::current_thread().tid()
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
        Process::mm(self)
    }

    fn exe(&self) -> Option<Location> {
        Some(self.program().exe?.file().clone())
    }

    fn cwd(&self) -> Location {
        Process::cwd(self)
    }

    fn root(&self) -> Location {
        Process::root(self)
    }

    fn owner(&self) -> (u32, u32) {
        match self.dumpable.load(Relaxed) {
            true => {
                let cred = self.cred();
                (cred.uid.effective, cred.gid.effective)
            }
            false => (0, 0),
        }
    }

    fn arguments(&self) -> Range<u64> {
        self.program().arguments
    }

    fn file(&self, fd: i32) -> Option<Arc<OpenFile>> {
        Process::file(self, fd)
    }

    fn closes_on_exec(&self, fd: i32) -> bool {
        self.with_files(|files| files.closes_on_exec(fd)) == Some(true)
    }

    fn next_fd(&self, from: i32) -> Option<i32> {
        self.with_files(|files| files.next(from))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A thread has a name and a state of its own; in all else it shows its process.
impl ProcessFacts for Thread {
    fn name(&self) -> Name {
        let task = self.process().task_of(self.tid());
        task.map_or_else(Name::new, |task| task.name())
    }

    fn set_name(&self, name: &str) {
        if let Some(task) = self.process().task_of(self.tid()) {
            task.set_name(name);
        }
    }

    fn mm(&self) -> Option<MmUserRef> {
        self.process().mm()
    }

    fn exe(&self) -> Option<Location> {
        ProcessFacts::exe(self.process())
    }

    fn cwd(&self) -> Location {
        self.process().cwd()
    }

    fn root(&self) -> Location {
        self.process().root()
    }

    fn owner(&self) -> (u32, u32) {
        ProcessFacts::owner(self.process())
    }

    fn arguments(&self) -> Range<u64> {
        self.process().program().arguments
    }

    fn file(&self, fd: i32) -> Option<Arc<OpenFile>> {
        self.process().file(fd)
    }

    fn closes_on_exec(&self, fd: i32) -> bool {
        ProcessFacts::closes_on_exec(self.process(), fd)
    }

    fn next_fd(&self, from: i32) -> Option<i32> {
        self.process().with_files(|files| files.next(from))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The process behind a view: every view is one, or of a thread of one, or of a kernel thread.
pub fn process_of(facts: &dyn ProcessFacts) -> Option<&Process> {
    let of_thread = || Some(facts.as_any().downcast_ref::<Thread>()?.process());
    facts.as_any().downcast_ref().or_else(of_thread)
}

/// The number in the path of a view: a process's or a thread's.
pub fn number_of(facts: &dyn ProcessFacts) -> Option<u32> {
    match facts.as_any().downcast_ref::<Thread>() {
        Some(thread) => Some(thread.tid()),
        None => Some(process_of(facts)?.pid()),
    }
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
