//! What the end of a process or thread does to the family: who gets its children, who must be told.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;

use super::{INIT, TREE, Tree};
use crate::process::usage::Usage;
use crate::process::{ExitStatus, Process};

/// What a process leaves behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) usage: Usage,
}

/// Who must be told that a process ended.
#[derive(Default)]
pub struct Mourners {
    /// Its parent, and the number of that one's thread which made it.
    pub parent: Option<(Arc<Process>, u32)>,
    /// Who gets its children, and those of them that have ended already.
    pub heir: Option<(Arc<Process>, Vec<u32>)>,
    /// Its children that live: they may want to know.
    pub left: Vec<Arc<Process>>,
    /// Groups that have lost a member, or a parent outside, who could have continued them.
    pub unlinked: Vec<u32>,
    _removed: Option<Arc<Process>>,
}

/// Marks a process as ended, gives its children away, and returns who must be told.
///
/// With `forgotten` (its parent does not care) nothing is left for anybody to wait for.
pub fn end(pid: u32, status: ExitStatus, usage: Usage, forgotten: bool) -> Mourners {
    let mut tree = TREE.lock();
    let own = tree.nodes.get(&pid).map(|node| (node.family, node.maker));
    let Some((own, maker)) = own else {
        return Mourners::default();
    };
    let heir = tree.heir(own.parent);
    let (mut dead, mut left, mut unlinked) = (Vec::new(), Vec::new(), Vec::new());
    let children = tree.nodes.iter_mut();
    for (child, node) in children.filter(|(_, node)| node.family.parent == pid) {
        if own.links(&node.family) && !unlinked.contains(&node.family.group) {
            unlinked.push(node.family.group);
        }
        node.family.parent = heir;
        node.process.parent.store(heir, Relaxed);
        node.maker = heir;
        // Whoever gets it asked for no other signal.
        node.exit_signal = Some(Signal::CHLD);
        match node.ended {
            Some(_) => dead.push(*child),
            None => left.push(node.process.clone()),
        }
    }
    let parent = tree.nodes.get(&own.parent);
    if parent.is_some_and(|parent| parent.family.links(&own)) {
        unlinked.push(own.group);
    }
    if let Some(node) = tree.nodes.get_mut(&pid) {
        node.ended = Some(Ended { status, usage });
    }
    let removed = match forgotten {
        true => tree.nodes.remove(&pid),
        false => None,
    };
    let process = |pid: u32| Some(tree.nodes.get(&pid)?.process.clone());
    Mourners {
        parent: process(own.parent).zip(Some(maker)),
        heir: process(heir).filter(|_| !dead.is_empty()).zip(Some(dead)),
        left,
        unlinked,
        _removed: removed.map(|node| node.process),
    }
}

/// Forgets an ended child whose parent does not care.
pub fn forget(pid: u32) -> Option<Arc<Process>> {
    let mut tree = TREE.lock();
    tree.nodes.get(&pid).filter(|node| node.ended.is_some())?;
    Some(tree.nodes.remove(&pid)?.process)
}

/// Returns an ended process, how it ended, and what it used.
pub fn ended(pid: u32) -> Option<(Arc<Process>, ExitStatus, Usage)> {
    let tree = TREE.lock();
    let node = tree.nodes.get(&pid)?;
    let ended = node.ended?;
    Some((node.process.clone(), ended.status, ended.usage))
}

/// The thread `tid` of a process that goes on has ended: its children are those of `other` now. Returns those that live.
pub fn leave_to_others(pid: u32, tid: u32, other: u32) -> Vec<Arc<Process>> {
    let mut tree = TREE.lock();
    let children = tree.nodes.values_mut();
    let of_thread = children.filter(|node| node.family.parent == pid && node.maker == tid);
    let mut left = Vec::new();
    for node in of_thread {
        node.maker = other;
        if node.ended.is_none() {
            left.push(node.process.clone());
        }
    }
    left
}

/// Makes the children of a thread those of its process's first thread, whose number it takes.
pub fn rename_maker(pid: u32, tid: u32) {
    drop(leave_to_others(pid, tid, pid));
}

impl Tree {
    /// Finds who gets the children of a child of `parent` that ends: the next ancestor that asked for it, else init.
    fn heir(&self, parent: u32) -> u32 {
        let mut next = parent;
        while let Some(node) = self.nodes.get(&next) {
            if node.ended.is_none() && node.process.is_subreaper() {
                return next;
            }
            next = node.family.parent;
        }
        INIT
    }
}
