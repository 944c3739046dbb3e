//! Who is whose child, which process is in which group, and what is left of those that ended.
//!
//! One lock guards it all: births, deaths and waits are rare beside everything else. What is
//! removed is returned, so that it is dropped with no lock held.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::stop::Change;
use super::usage::Usage;
use super::wait::Interest;
use super::{ExitStatus, Process};
use crate::locks::{SpinLock, rank};

/// The process that gets the children of those that end.
pub const INIT: u32 = 1;
/// The numbers wrap here.
const PID_MAX: u32 = 1 << 22;

static TREE: SpinLock<Tree, { rank::TREE }> = SpinLock::new(Tree {
    nodes: BTreeMap::new(),
    threads: BTreeMap::new(),
    last_pid: 0,
});

struct Tree {
    nodes: BTreeMap<u32, TreeNode>,
    /// The processes of the threads that do not have their process's number.
    threads: BTreeMap<u32, Arc<Process>>,
    last_pid: u32,
}

struct TreeNode {
    process: Arc<Process>,
    family: Family,
    ended: Option<Ended>,
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

impl Family {
    /// Returns whether this parent stands outside its child's group, but in the same session.
    fn links(&self, child: &Self) -> bool {
        self.group != child.group && self.session == child.session
    }
}

/// What a process leaves behind.
#[derive(Clone, Copy, Debug)]
struct Ended {
    status: ExitStatus,
    usage: Usage,
}

/// Which children a wait is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selector {
    /// Every child.
    Any,
    /// One child.
    Pid(u32),
    /// Those of a process group.
    Group(u32),
}

/// A child that ended and is now forgotten.
pub struct Reaped {
    /// Its number.
    pub pid: u32,
    /// How it ended.
    pub status: ExitStatus,
    /// What it and its own children used.
    pub usage: Usage,
    _process: Arc<Process>,
}

/// There is no such child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoChild;

/// Why a process group was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupError {
    /// Neither the caller nor a child of it.
    NoProcess,
    /// A session leader, or another session's group.
    NotAllowed,
}

/// Takes the next free number.
pub fn new_pid() -> u32 {
    TREE.lock().next_number()
}

/// Takes the next free number for a thread of `process`, under which it can be found from now on.
pub fn new_thread(process: &Arc<Process>) -> u32 {
    let mut tree = TREE.lock();
    let tid = tree.next_number();
    tree.threads.insert(tid, process.clone());
    tid
}

/// Gives the number of a thread back.
pub fn forget_thread(tid: u32) {
    let process = TREE.lock().threads.remove(&tid);
    drop(process);
}

/// Adds a process; `parent` is `None` for init, which leads its own group and session.
pub fn insert(process: Arc<Process>, parent: Option<u32>) {
    let pid = process.pid();
    let mut tree = TREE.lock();
    let family = match parent.and_then(|parent| Some((parent, tree.nodes.get(&parent)?.family))) {
        Some((parent, family)) => Family { parent, ..family },
        None => Family {
            parent: 0,
            group: pid,
            session: pid,
        },
    };
    let node = TreeNode {
        process,
        family,
        ended: None,
        change: None,
        children: Usage::default(),
    };
    tree.nodes.insert(pid, node);
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

/// Returns the lowest number of a process at or above `from`.
pub fn next_pid(from: u32) -> Option<u32> {
    TREE.lock().nodes.range(from..).next().map(|(pid, _)| *pid)
}

/// Returns whether a process has ended and waits to be waited for.
pub fn has_ended(pid: u32) -> bool {
    let tree = TREE.lock();
    let node = tree.nodes.get(&pid);
    node.is_some_and(|node| node.ended.is_some())
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
    let node = tree.nodes.get(&number).or_else(of_thread)?;
    Some(node.family)
}

/// Returns what the ended children of a process used, as far as it waited for them.
pub fn children_usage(pid: u32) -> Usage {
    let tree = TREE.lock();
    let node = tree.nodes.get(&pid);
    node.map(|node| node.children).unwrap_or_default()
}

/// Marks a process as ended, gives its children to init, and returns who must be told.
///
/// With `forgotten` (its parent does not care) nothing is left for anybody to wait for.
pub fn end(pid: u32, status: ExitStatus, usage: Usage, forgotten: bool) -> Mourners {
    let mut tree = TREE.lock();
    let Some(own) = tree.nodes.get(&pid).map(|node| node.family) else {
        return Mourners::default();
    };
    let mut orphaned_dead = false;
    let mut unlinked = Vec::new();
    for node in tree
        .nodes
        .values_mut()
        .filter(|node| node.family.parent == pid)
    {
        if own.links(&node.family) && !unlinked.contains(&node.family.group) {
            unlinked.push(node.family.group);
        }
        node.family.parent = INIT;
        orphaned_dead |= node.ended.is_some();
    }
    if tree
        .nodes
        .get(&own.parent)
        .is_some_and(|parent| parent.family.links(&own))
    {
        unlinked.push(own.group);
    }
    let Some(node) = tree.nodes.get_mut(&pid) else {
        return Mourners::default();
    };
    node.ended = Some(Ended { status, usage });
    let parent = node.family.parent;
    let removed = if forgotten {
        tree.nodes.remove(&pid)
    } else {
        None
    };
    Mourners {
        parent: tree.nodes.get(&parent).map(|node| node.process.clone()),
        init: tree
            .nodes
            .get(&INIT)
            .filter(|_| orphaned_dead)
            .map(|node| node.process.clone()),
        unlinked,
        _removed: removed.map(|node| node.process),
    }
}

/// Who must be told that a process ended.
#[derive(Default)]
pub struct Mourners {
    /// Its parent.
    pub parent: Option<Arc<Process>>,
    /// Init, if it got ended children to wait for.
    pub init: Option<Arc<Process>>,
    /// Groups that have lost a member, or a parent outside, who could have continued them.
    pub unlinked: Vec<u32>,
    _removed: Option<Arc<Process>>,
}

/// Forgets one ended child of `parent` and returns it; `None` if those selected all live.
pub fn reap(parent: u32, selector: Selector) -> Result<Option<Reaped>, NoChild> {
    let mut tree = TREE.lock();
    let mut any = false;
    let mut found = None;
    for (pid, node) in tree
        .nodes
        .iter()
        .filter(|(pid, node)| selector.selects(parent, **pid, node))
    {
        any = true;
        if let Some(ended) = node.ended {
            found = Some((*pid, ended));
            break;
        }
    }
    let Some((pid, ended)) = found else {
        return if any { Ok(None) } else { Err(NoChild) };
    };
    let node = tree.nodes.remove(&pid).ok_or(NoChild)?;
    let usage = ended.usage + node.children;
    if let Some(parent) = tree.nodes.get_mut(&parent) {
        parent.children = parent.children + usage;
    }
    Ok(Some(Reaped {
        pid,
        status: ended.status,
        usage,
        _process: node.process,
    }))
}

/// Notes what happened to a process that lives, and returns its parent.
pub fn note_change(pid: u32, change: Change) -> Option<Arc<Process>> {
    let mut tree = TREE.lock();
    let node = tree.nodes.get_mut(&pid)?;
    node.change = Some(change);
    let parent = node.family.parent;
    tree.nodes.get(&parent).map(|node| node.process.clone())
}

/// Takes what happened to one of the children of `parent` that live.
pub fn take_change(parent: u32, selector: Selector, interest: Interest) -> Option<(u32, Change)> {
    let mut tree = TREE.lock();
    tree.nodes
        .iter_mut()
        .filter(|(pid, node)| node.ended.is_none() && selector.selects(parent, **pid, node))
        .find_map(|(pid, node)| {
            let change = node.change.filter(|change| interest.wants(*change))?;
            node.change = None;
            Some((*pid, change))
        })
}

/// Returns whether no member of the group has a parent that could continue it.
pub fn is_orphaned(group: u32) -> bool {
    let tree = TREE.lock();
    let linked = |node: &TreeNode| {
        let parent = node.family.parent;
        node.family.group == group
            && node.ended.is_none()
            && parent != INIT
            && tree
                .nodes
                .get(&parent)
                .is_some_and(|parent| parent.family.links(&node.family))
    };
    !tree.nodes.values().any(linked)
}

/// Returns the session of a process group; `None` if it has no members, not even ended ones.
pub fn session_of_group(group: u32) -> Option<u32> {
    let tree = TREE.lock();
    let mut families = tree.nodes.values().map(|node| &node.family);
    Some(families.find(|family| family.group == group)?.session)
}

/// Moves `pid`, the caller or a child of it, into `group`.
pub fn set_group(caller: u32, pid: u32, group: u32) -> Result<(), GroupError> {
    let mut tree = TREE.lock();
    let session = tree
        .nodes
        .get(&caller)
        .ok_or(GroupError::NoProcess)?
        .family
        .session;
    let family = tree.nodes.get(&pid).ok_or(GroupError::NoProcess)?.family;
    if pid != caller && family.parent != caller {
        return Err(GroupError::NoProcess);
    }
    let exists = group == pid
        || tree
            .nodes
            .values()
            .any(|node| node.family.group == group && node.family.session == session);
    if family.session != session || family.session == pid || !exists {
        return Err(GroupError::NotAllowed);
    }
    if let Some(node) = tree.nodes.get_mut(&pid) {
        node.family.group = group;
    }
    Ok(())
}

/// Makes `pid` the leader of a new session and group.
pub fn new_session(pid: u32) -> Result<(), GroupError> {
    let mut tree = TREE.lock();
    if tree.nodes.values().any(|node| node.family.group == pid) {
        return Err(GroupError::NotAllowed);
    }
    let node = tree.nodes.get_mut(&pid).ok_or(GroupError::NoProcess)?;
    node.family.group = pid;
    node.family.session = pid;
    Ok(())
}

impl Tree {
    fn next_number(&mut self) -> u32 {
        loop {
            self.last_pid = self.last_pid % PID_MAX + 1;
            let number = self.last_pid;
            if !self.nodes.contains_key(&number) && !self.threads.contains_key(&number) {
                return number;
            }
        }
    }
}

impl Selector {
    fn selects(self, parent: u32, pid: u32, node: &TreeNode) -> bool {
        node.family.parent == parent
            && match self {
                Self::Any => true,
                Self::Pid(wanted) => pid == wanted,
                Self::Group(group) => node.family.group == group,
            }
    }
}
