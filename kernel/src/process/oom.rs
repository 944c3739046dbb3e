//! Out of memory: clean pages of files go first; then somebody ends so that the others can go on (HF-19).
//!
//! The program that finds no frame is seldom the one that took them. Who ends is the decision of the
//! pure crate `oom`. Its private memory is taken at once, even while it sleeps; the rest comes back when
//! it has ended, for which everybody else waits. Whoever does not end in time is passed over from then on.
//! Init is never chosen.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicI16, AtomicU32,
    Ordering::{AcqRel, Relaxed, Release},
};

use abi::Signal;
use log::warn;
use oom::{Candidate, Choice, Life};

use super::{ExitStatus, Process, tree};
use crate::log::limit::{Allowed, RateLimit};
use crate::mm::counters::OOM_KILLS;
use crate::mm::frame::{self, Owner};
use crate::mm::{MmUserRef, audit, reclaim};
use crate::task::{self, TaskRef};
use crate::time;

/// Ticks that a process which is ending is waited for, all waiters together.
const PATIENCE: u32 = 100;

/// What a fault that found no frame is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Try again: there is memory by now, or there was time for somebody's to come back.
    TryAgain,
    /// End: the caller itself has to, or nobody else may be chosen.
    End,
}

/// A process's part in it.
pub struct OomState {
    /// What its owner wants: `oom_score_adj`.
    adj: AtomicI16,
    /// Ticks it has been waited for.
    waited: AtomicU32,
    /// Whether its end was reported.
    chosen: AtomicBool,
}

impl OomState {
    /// Nothing was said about the process.
    pub const fn new() -> Self {
        Self::with_adj(0)
    }

    /// A child's state: it inherits what its owner wants.
    pub fn for_child(&self) -> Self {
        Self::with_adj(self.adj())
    }

    const fn with_adj(adj: i16) -> Self {
        Self {
            adj: AtomicI16::new(adj),
            waited: AtomicU32::new(0),
            chosen: AtomicBool::new(false),
        }
    }

    fn wait_once(&self) {
        self.waited.fetch_add(1, AcqRel);
    }

    /// Returns `oom_score_adj`.
    pub fn adj(&self) -> i16 {
        self.adj.load(Relaxed)
    }

    /// Sets it; false where it is out of range.
    pub fn set_adj(&self, adj: i16) -> bool {
        let valid = (oom::NEVER..=oom::FIRST).contains(&adj);
        if valid {
            self.adj.store(adj, Relaxed);
        }
        valid
    }
}

/// What somebody looks for memory for.
#[derive(Clone, Copy)]
struct Want<'a> {
    what: &'a str,
    /// Frames without which it cannot go on.
    frames: u64,
    /// Who has fewer frames than this is not ended for it.
    least: u64,
}

/// Makes room for the current process, which found no frame for `what` and holds no spin lock.
pub fn make_room(what: &str) -> Verdict {
    make_room_for(Want {
        what,
        frames: 1,
        least: 0,
    })
}

/// Makes room for a new process or thread, which needs so many frames; returns whether to try again.
///
/// Many small processes are no reason to end one of them: then it is the newcomer that is refused. False also where
/// there is room, so that the want was of something else.
pub fn make_room_to_fork(frames: u64) -> bool {
    let want = Want {
        what: "fork",
        frames,
        least: frame::total() / oom::FEW,
    };
    !frame::has_room(frames) && make_room_for(want) == Verdict::TryAgain
}

fn make_room_for(want: Want<'_>) -> Verdict {
    // Told to end already: it does so on its way to user mode.
    if task::current().fatal_signal().is_some() {
        return Verdict::End;
    }
    if frame::has_room(want.frames) || reclaim::reclaim(reclaim::BATCH) >= reclaim::BATCH {
        return Verdict::TryAgain;
    }
    let Some(turn) = Turn::take() else {
        return wait_a_tick();
    };
    // While this CPU looked for clean pages, another one's choice may have made room: more than the few pages
    // that were just found, which a program may need to get on at all.
    if frame::has_room(want.frames.max(reclaim::BATCH)) {
        return Verdict::TryAgain;
    }
    let suspects = suspects();
    let candidates = suspects.iter().map(Suspect::candidate);
    let candidates = candidates.filter(|one| one.is_worth_it(want.least));
    match oom::choose(&mut candidates.collect::<Vec<_>>(), frame::total()) {
        Choice::Nobody => return Verdict::End,
        Choice::End(pid) => {
            let chosen = suspects.iter().find(|suspect| suspect.process.pid() == pid);
            let chosen = chosen.expect("the choice is one of the candidates");
            report(want.what, &suspects);
            if chosen.end() > 0 {
                return Verdict::TryAgain;
            }
        }
        Choice::WaitFor(pid) => {
            let awaited = suspects
                .iter()
                .filter(|suspect| suspect.process.pid() == pid);
            awaited.for_each(|suspect| suspect.process.oom.wait_once());
        }
    }
    if task::current().fatal_signal().is_some() {
        return Verdict::End;
    }
    drop((suspects, turn));
    wait_a_tick()
}

/// Lets some time pass, in which memory may come back.
fn wait_a_tick() -> Verdict {
    // Interrupted: the current process has to end as well, and does so on its way to user mode.
    let _ = time::sleep_until(time::now_ns() + time::TICK_NS);
    Verdict::TryAgain
}

/// The right to choose who ends: one at a time, so that one shortage costs one process.
struct Turn;

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

impl Turn {
    fn take() -> Option<Self> {
        (!IS_TAKEN.swap(true, AcqRel)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_TAKEN.store(false, Release);
    }
}

/// A process that could end.
struct Suspect {
    process: Arc<Process>,
    /// Its process group.
    group: u32,
    task: TaskRef,
    mm: MmUserRef,
}

/// Everybody who has memory, but init.
fn suspects() -> Vec<Suspect> {
    let all = tree::find_all(|pid, _| pid != tree::INIT);
    all.into_iter().filter_map(Suspect::new).collect()
}

impl Suspect {
    fn new(process: Arc<Process>) -> Option<Self> {
        let (task, mm) = (process.task()?, process.mm()?);
        let group = tree::family(process.pid())?.group;
        Some(Self {
            process,
            group,
            task,
            mm,
        })
    }

    fn candidate(&self) -> Candidate {
        let oom = &self.process.oom;
        Candidate {
            pid: self.process.pid(),
            group: self.group,
            frames: self.mm.rss_pages() + self.mm.table_pages(),
            adj: oom.adj(),
            life: match self.process.is_ending() {
                false => Life::Lives,
                true if oom.waited.load(Relaxed) > PATIENCE => Life::Stuck,
                true => Life::Ends,
            },
        }
    }

    /// Ends it and takes its private memory; returns how many pages came back at once.
    fn end(&self) -> u64 {
        let (name, pid) = (self.task.name(), self.process.pid());
        let kib = |pages: u64| pages * 4;
        let (rss, tables, adj) = (
            kib(self.mm.rss_pages()),
            kib(self.mm.table_pages()),
            self.process.oom.adj(),
        );
        if self.process.oom.chosen.swap(true, AcqRel) {
            return 0;
        }
        OOM_KILLS.inc();
        warn!(target: "oom", "Out of memory: Killed process {pid} ({name}) rss:{rss}kB pgtables:{tables}kB oom_score_adj:{adj}");
        self.process.end(ExitStatus::Signaled(Signal::KILL));
        // One user is each thread, one the reference here: memory that other processes use too stays.
        if self.mm.users() > self.process.threads() + 1 {
            return 0;
        }
        let reaped = self.mm.reap();
        warn!(target: "oom", "oom_reaper: reaped process {pid} ({name}), {}kB came back at once, {}kB are left", kib(reaped), kib(self.mm.rss_pages()));
        reaped
    }
}

/// Reports in full: with hundreds of processes they take longer than the ends that they tell of.
static REPORTS: RateLimit = RateLimit::new(10);

/// Tells who asked, where all memory is, and who could end.
fn report(what: &str, suspects: &[Suspect]) {
    match REPORTS.ask(time::now_ns()) {
        Allowed::No => return,
        Allowed::Yes => {}
        Allowed::After(count) => {
            warn!(target: "oom", "{count} reports like the next were left out");
        }
    }
    let (name, pid) = (task::current().name(), super::pid_for_log());
    warn!(target: "oom", "{name} invoked oom-killer: pid={pid}, {what}, order=0, {} frames free", frame::count(Owner::Free));
    let mut line = arrayvec::ArrayString::<512>::new();
    audit::for_each_owner(|owner, frames| {
        // A name that does not fit is cut: better than no line.
        let _ = core::fmt::Write::write_fmt(&mut line, format_args!(" {owner}:{frames}"));
    });
    warn!(target: "oom", "Mem-Info:{line}");
    warn!(target: "oom", "[  pid  ]      rss pgtables oom_score_adj name");
    for suspect in suspects {
        let (pid, name) = (suspect.process.pid(), suspect.task.name());
        let (rss, tables) = (suspect.mm.rss_pages(), suspect.mm.table_pages());
        let adj = suspect.process.oom.adj();
        warn!(target: "oom", "[{pid:7}] {rss:8} {tables:8} {adj:13} {name}");
    }
}

impl Process {
    /// Returns what it is worth to the choice, from 0 to 2000 as Linux shows it in `oom_score`.
    pub fn oom_score(&self) -> u64 {
        let Some(mm) = self.mm() else { return 0 };
        let frames = mm.rss_pages() + mm.table_pages();
        oom::score(frames, self.oom.adj(), frame::total())
    }
}
