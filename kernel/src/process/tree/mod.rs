//! Who is whose child, which process is in which group, and what is left of those that ended.
//!
//! One lock guards it all: births, deaths and waits are rare beside everything else. What is
//! removed is returned, so that it is dropped with no lock held.
//!
//! This file: the numbers, and who is found by one. [`children`]: what a parent learns of its children. [`end`](mod@end): what an
//! end does to the family. [`groups`]: process groups and sessions. [`kthreads`]: kernel threads, which are nobody's.

pub mod children;
pub mod end;
pub mod groups;
pub mod kthreads;

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;

use super::Process;
use super::stop::Change;
use super::usage::Usage;
use crate::locks::{SpinLock, rank};
use crate::task::Task;

pub use children::{Children, Event, Look, NoChild, Outcome, Selector};
pub use end::{end, leave_to_others, rename_maker};
pub use groups::{GroupError, is_orphaned, new_session, session_of_group, set_group};
pub use kthreads::{find_kthread, next_kthread, number_kthreads};

/// The process that gets the children of those that end.
pub const INIT: u32 = 1;
/// The numbers wrap here.
pub const PID_MAX: u32 = 1 << 22;

static TREE: SpinLock<Tree, { rank::TREE }> = SpinLock::new(Tree {
    nodes: BTreeMap::new(),
    threads: BTreeMap::new(),
    kthreads: BTreeMap::new(),
    kthreads_bound: 0,
    last_pid: 0,
});

struct Tree {
    nodes: BTreeMap<u32, TreeNode>,
    /// The processes of the threads that do not have their process's number.
    threads: BTreeMap<u32, Arc<Process>>,
    /// The kernel threads; also some that have ended.
    kthreads: BTreeMap<u32, Weak<Task>>,
    /// From how many of these on those that are gone are looked for.
    kthreads_bound: usize,
    last_pid: u32,
}

struct TreeNode {
    process: Arc<Process>,
    family: Family,
    /// The thread of the parent whose child it is.
    maker: u32,
    /// What the parent is sent at its end.
    exit_signal: Option<Signal>,
    /// Whether it has executed a program since its parent made it.
    execed: bool,
    ended: Option<end::Ended>,
    /// What the parent has not yet heard of, while it lives.
    change: Option<Change>,
    /// What ended children used that this process has waited for.
    children: Usage,
}

/// To whom a process belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Family {
    /// Its parent; 0 for init.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
}

/// Whose child a new process is, and what that is told of its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Birth {
    /// The parent.
    pub parent: u32,
    /// The thread of the parent that made it.
    pub maker: u32,
    /// The process whose group and session it gets.
    pub model: u32,
    /// What the parent is sent at its end.
    pub exit_signal: Option<Signal>,
}

impl Family {
    /// That of a kernel thread.
    const NOBODYS: Self = Self {
        parent: 0,
        group: 0,
        session: 0,
    };

    /// Returns whether this parent stands outside its child's group, but in the same session.
    fn links(&self, child: &Self) -> bool {
        self.group != child.group && self.session == child.session
    }
}

/// Why a process or thread was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotInserted {
    /// Somebody has the number that was asked for, perhaps since [`check_free`].
    Taken,
    /// It was said not to be wanted.
    Unwanted,
}

/// Takes the next free number.
pub fn new_pid() -> u32 {
    TREE.lock().next_number()
}

/// Says whether `number` could be a new process's.
pub fn check_free(number: u32) -> Result<u32, NotInserted> {
    let tree = TREE.lock();
    match tree.is_free(number) {
        true => Ok(number),
        false => Err(NotInserted::Taken),
    }
}

/// Takes a number for a thread of `process`, under which it can be found from now on: `number`, or the next free one.
///
/// # Errors
/// The number is another's.
pub fn new_thread(process: &Arc<Process>, number: Option<u32>) -> Result<u32, NotInserted> {
    let mut tree = TREE.lock();
    let tid = match number {
        Some(number) if !tree.is_free(number) => return Err(NotInserted::Taken),
        Some(number) => number,
        None => tree.next_number(),
    };
    tree.threads.insert(tid, process.clone());
    Ok(tid)
}

/// Gives the number of a thread back.
pub fn forget_thread(tid: u32) {
    let process = TREE.lock().threads.remove(&tid);
    drop(process);
}

/// Adds a process, if it `is_wanted` still; `birth` is `None` for init, which leads its own group and session.
///
/// The question is asked at the instant from which [`for_members`] finds it: who was found before knows the answer.
pub fn insert(
    process: Arc<Process>,
    birth: Option<Birth>,
    is_wanted: impl FnOnce() -> bool,
) -> Result<(), NotInserted> {
    let pid = process.pid();
    let mut tree = TREE.lock();
    if !tree.is_free(pid) {
        return Err(NotInserted::Taken);
    }
    if !is_wanted() {
        return Err(NotInserted::Unwanted);
    }
    let model = birth.and_then(|birth| Some((birth, tree.nodes.get(&birth.model)?.family)));
    let family = match model {
        Some((birth, family)) => Family {
            parent: birth.parent,
            ..family
        },
        None => Family {
            parent: 0,
            group: pid,
            session: pid,
        },
    };
    process.parent.store(family.parent, Relaxed);
    let node = TreeNode {
        process,
        family,
        maker: birth.map_or(0, |birth| birth.maker),
        exit_signal: birth.map_or(Some(Signal::CHLD), |birth| birth.exit_signal),
        execed: false,
        ended: None,
        change: None,
        children: Usage::default(),
    };
    tree.nodes.insert(pid, node);
    Ok(())
}

/// Notes that a process executes a program: its end is told by SIGCHLD, and its parent moves it to no other group (EX-3).
pub fn note_exec(pid: u32) {
    if let Some(node) = TREE.lock().nodes.get_mut(&pid) {
        node.execed = true;
        node.exit_signal = Some(Signal::CHLD);
    }
}

/// Returns what the parent of a process is sent at its end.
pub fn exit_signal(pid: u32) -> Option<Signal> {
    TREE.lock().nodes.get(&pid)?.exit_signal
}

/// Returns the number that was given out last.
pub fn last_number() -> u32 {
    TREE.lock().last_pid
}

/// Returns the process with this number, ended or not.
pub fn find(pid: u32) -> Option<Arc<Process>> {
    TREE.lock().nodes.get(&pid).map(|node| node.process.clone())
}

/// Returns the process with this number, or that of the thread with this number.
pub fn find_by_tid(tid: u32) -> Option<Arc<Process>> {
    let tree = TREE.lock();
    let process = tree.nodes.get(&tid).map(|node| &node.process);
    process.or_else(|| tree.threads.get(&tid)).cloned()
}

/// Returns every process that `wanted` accepts, but the ended ones.
pub fn find_all(wanted: impl Fn(u32, &Family) -> bool) -> Vec<Arc<Process>> {
    let tree = TREE.lock();
    let live = tree.nodes.iter().filter(|(_, node)| node.ended.is_none());
    live.filter(|(pid, node)| wanted(**pid, &node.family))
        .map(|(_, node)| node.process.clone())
        .collect()
}

/// Calls `visit` with every process that `wanted` accepts, ended ones included, at one instant: nobody is born or ends
/// meanwhile. `visit` must not ask the tree.
pub fn for_members(
    wanted: impl Fn(u32, &Family) -> bool,
    mut visit: impl FnMut(&Process, &Family),
) {
    let tree = TREE.lock();
    for (pid, node) in &tree.nodes {
        if wanted(*pid, &node.family) {
            visit(&node.process, &node.family);
        }
    }
}

/// Returns the lowest number of a process at or above `from`.
pub fn next_pid(from: u32) -> Option<u32> {
    TREE.lock().nodes.range(from..).next().map(|(pid, _)| *pid)
}

/// Returns whether a process has ended and waits to be waited for.
pub fn has_ended(pid: u32) -> bool {
    let tree = TREE.lock();
    tree.nodes
        .get(&pid)
        .is_some_and(|node| node.ended.is_some())
}

/// Returns how many processes and further threads there are, ended ones included.
pub fn count() -> usize {
    let tree = TREE.lock();
    tree.nodes.len() + tree.threads.len()
}

/// Returns to whom the process with this number, or of the thread with this number, belongs.
pub fn family(number: u32) -> Option<Family> {
    let tree = TREE.lock();
    let of_thread = || tree.nodes.get(&tree.threads.get(&number)?.pid());
    let Some(node) = tree.nodes.get(&number).or_else(of_thread) else {
        return tree.is_kthread(number).then_some(Family::NOBODYS);
    };
    Some(node.family)
}

/// Returns what the ended children of a process used, as far as it waited for them.
pub fn children_usage(pid: u32) -> Usage {
    TREE.lock()
        .nodes
        .get(&pid)
        .map(|node| node.children)
        .unwrap_or_default()
}

impl Tree {
    fn is_free(&self, number: u32) -> bool {
        !self.nodes.contains_key(&number)
            && !self.threads.contains_key(&number)
            && !self.is_kthread(number)
    }

    fn next_number(&mut self) -> u32 {
        loop {
            self.last_pid = self.last_pid % PID_MAX + 1;
            if self.is_free(self.last_pid) {
                return self.last_pid;
            }
        }
    }
}
