//! Sockets that nobody can reach any more.
//!
//! A message may carry open sockets. One that waits in a queue of a socket that itself is only on its way, in its own queue even,
//! is never received: the two keep each other alive. What is alive begins with what somebody holds besides messages.

use alloc::vec::Vec;

/// A socket that is in at least one message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Node {
    /// How many references to it there are.
    pub references: usize,
    /// How many of them are in messages.
    pub in_flight: usize,
    /// The sockets among these that are in the messages that wait for it; one for each time.
    pub holds: Vec<usize>,
}

/// Returns which of the sockets can be reached neither from outside nor through messages that can be received.
pub fn garbage(nodes: &[Node]) -> Vec<usize> {
    // How many references to each come from the queues of candidates.
    let mut inside = alloc::vec![0_usize; nodes.len()];
    let is_candidate = |node: &Node| node.references == node.in_flight;
    for node in nodes.iter().filter(|node| is_candidate(node)) {
        for held in &node.holds {
            inside[*held] += 1;
        }
    }
    let is_outside =
        |(node, inside): (&Node, &usize)| !is_candidate(node) || node.in_flight > *inside;
    let mut alive: Vec<bool> = nodes.iter().zip(&inside).map(is_outside).collect();
    let mut reached: Vec<usize> = (0..nodes.len()).filter(|at| alive[*at]).collect();
    while let Some(at) = reached.pop() {
        for held in &nodes[at].holds {
            if !core::mem::replace(&mut alive[*held], true) {
                reached.push(*held);
            }
        }
    }
    (0..nodes.len()).filter(|at| !alive[*at]).collect()
}
