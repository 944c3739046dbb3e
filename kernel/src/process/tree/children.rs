//! What a parent learns of its children, and how the ended ones are forgotten.

use alloc::sync::Arc;

use abi::Signal;

use super::{TREE, Tree, TreeNode};
use crate::process::stop::Change;
use crate::process::usage::Usage;
use crate::process::{ExitStatus, Process};

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

/// Which kinds of children a wait is for: a *clone* tells its end by another signal than SIGCHLD, or by none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Children {
    /// Those that are no clones.
    Plain,
    /// Clones (`__WCLONE`).
    Clones,
    /// Both (`__WALL`).
    All,
}

/// What a wait looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// The process that waits.
    pub parent: u32,
    /// Which of its children.
    pub selector: Selector,
    /// Which kinds of them.
    pub children: Children,
    /// Only those of this thread (`__WNOTHREAD`).
    pub maker: Option<u32>,
    /// Children that ended.
    pub ended: bool,
    /// Children that stopped.
    pub stopped: bool,
    /// Children that go on.
    pub continued: bool,
    /// Whether it can be waited for the same once more (`WNOWAIT`).
    pub keeps: bool,
}

/// What happened to a child.
pub struct Event {
    /// Its number.
    pub pid: u32,
    /// What.
    pub outcome: Outcome,
    /// What it and, if it has ended, its own children used.
    pub usage: Usage,
    /// The child; if it has ended and is forgotten, perhaps the last reference.
    pub process: Arc<Process>,
}

/// What may happen to a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It ended.
    Ended(ExitStatus),
    /// It lives.
    Changed(Change),
}

/// There is no such child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoChild;

/// Returns what happened to the first child that there is news of; `None` if there is none yet.
pub fn look(look: &Look) -> Result<Option<Event>, NoChild> {
    let mut tree = TREE.lock();
    let mut any = false;
    let mut found = None;
    let meant = tree
        .nodes
        .iter()
        .filter(|(pid, node)| look.means(**pid, node));
    for (pid, node) in meant {
        // An ended child that the wait is not for is as good as none.
        any |= node.ended.is_none() || look.ended;
        if let Some(outcome) = look.news(node) {
            found = Some((*pid, outcome));
            break;
        }
    }
    match found {
        Some((pid, outcome)) => Ok(tree.report(look, pid, outcome)),
        None if any => Ok(None),
        None => Err(NoChild),
    }
}

/// Notes what happened to a process that lives, and returns its parent and the number of that one's thread which made it.
pub fn note_change(pid: u32, change: Change) -> Option<(Arc<Process>, u32)> {
    let mut tree = TREE.lock();
    let node = tree.nodes.get_mut(&pid)?;
    node.change = Some(change);
    let (parent, maker) = (node.family.parent, node.maker);
    let parent = tree.nodes.get(&parent)?;
    Some((parent.process.clone(), maker))
}

impl Look {
    fn means(&self, pid: u32, node: &TreeNode) -> bool {
        let selected = match self.selector {
            Selector::Any => true,
            Selector::Pid(wanted) => pid == wanted,
            Selector::Group(group) => node.family.group == group,
        };
        let is_clone = node.exit_signal != Some(Signal::CHLD);
        let fits = match self.children {
            Children::Plain => !is_clone,
            Children::Clones => is_clone,
            Children::All => true,
        };
        let is_own = self.maker.is_none_or(|maker| maker == node.maker);
        node.family.parent == self.parent && selected && fits && is_own
    }

    fn news(&self, node: &TreeNode) -> Option<Outcome> {
        if let Some(ended) = node.ended {
            return self.ended.then_some(Outcome::Ended(ended.status));
        }
        let change = node.change.filter(|change| match change {
            Change::Stopped(_) => self.stopped,
            Change::Continued => self.continued,
        })?;
        Some(Outcome::Changed(change))
    }
}

impl Tree {
    /// Makes the report of a child and, unless it is kept, forgets what it tells.
    fn report(&mut self, look: &Look, pid: u32, outcome: Outcome) -> Option<Event> {
        let node = self.nodes.get_mut(&pid)?;
        let ended = node.ended;
        let usage = ended.map_or_else(Usage::default, |ended| ended.usage + node.children);
        let process = node.process.clone();
        if !look.keeps {
            node.change = None;
            if ended.is_some() {
                self.nodes.remove(&pid);
                if let Some(parent) = self.nodes.get_mut(&look.parent) {
                    parent.children = parent.children + usage;
                }
            }
        }
        Some(Event {
            pid,
            outcome,
            usage,
            process,
        })
    }
}
