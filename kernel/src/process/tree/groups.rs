//! Process groups and sessions.

use super::{INIT, TREE, TreeNode};

/// Why a process group was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupError {
    /// Neither the caller nor a child of it.
    NoProcess,
    /// A session leader, or another session's group.
    NotAllowed,
    /// The child has executed a program since.
    Execed,
    /// The number is a thread's.
    NoLeader,
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
    let own = tree.nodes.get(&caller).ok_or(GroupError::NoProcess)?;
    let session = own.family.session;
    let node = match tree.nodes.get(&pid) {
        Some(node) => node,
        None if tree.threads.contains_key(&pid) => return Err(GroupError::NoLeader),
        None => return Err(GroupError::NoProcess),
    };
    let family = node.family;
    if family.parent == caller {
        if family.session != session {
            return Err(GroupError::NotAllowed);
        }
        if node.execed {
            return Err(GroupError::Execed);
        }
    } else if pid != caller {
        return Err(GroupError::NoProcess);
    }
    let is_there = |node: &TreeNode| node.family.group == group && node.family.session == session;
    let exists = group == pid || tree.nodes.values().any(is_there);
    if family.session == pid || !exists {
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
