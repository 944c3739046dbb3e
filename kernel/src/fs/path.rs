//! From a path to a node.
//!
//! One component at a time. A symbolic link puts its target in front of what is left; a component
//! with something behind it, if only a slash, must be a directory. Everybody is root and may search
//! every directory.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::node::Node;
use super::tree;

/// Longest path with its NUL.
pub const PATH_MAX: usize = 4096;
/// Longest single name.
const NAME_MAX: usize = 255;
/// Links followed before a path counts as a loop.
const MAX_LINKS: usize = 40;

/// Whether a link in the last place is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// The result is what the link stands for.
    Yes,
    /// The result is the link itself.
    No,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathError {
    /// A directory on the way does not exist, or the path is empty.
    NotFound,
    /// Everything exists but the last name.
    LastMissing,
    /// Something on the way is not a directory.
    NotDirectory,
    /// The path, or a name in it, is too long.
    TooLong,
    /// Too many links.
    Loop,
}

/// Finds what `path` stands for, seen from the directory `base`.
pub fn resolve(
    base: &'static Node,
    path: &[u8],
    follow: Follow,
) -> Result<&'static Node, PathError> {
    if path.is_empty() {
        return Err(PathError::NotFound);
    }
    if path.len() >= PATH_MAX {
        return Err(PathError::TooLong);
    }
    let mut walk = Walk {
        node: start(base, path),
        rest: Cow::Borrowed(path),
        links: 0,
    };
    while walk.step(follow)? {}
    Ok(walk.node)
}

/// A walk that has come to `node` and has `rest` before it.
struct Walk<'a> {
    node: &'static Node,
    rest: Cow<'a, [u8]>,
    links: usize,
}

impl Walk<'_> {
    /// Takes one component; returns false where none is left.
    fn step(&mut self, follow: Follow) -> Result<bool, PathError> {
        let begin = self.rest.iter().take_while(|byte| **byte == b'/').count();
        let end = begin
            + self.rest[begin..]
                .iter()
                .take_while(|byte| **byte != b'/')
                .count();
        if begin == end {
            return Ok(false);
        }
        let is_last = end == self.rest.len();
        let next = self.lookup(&self.rest[begin..end], is_last)?;
        match next.link_target() {
            Some(target) if !is_last || follow == Follow::Yes => self.follow(&target, end)?,
            _ if !is_last && !next.is_directory() => return Err(PathError::NotDirectory),
            _ => {
                self.node = next;
                self.drop_front(end);
            }
        }
        Ok(true)
    }

    fn lookup(&self, name: &[u8], is_last: bool) -> Result<&'static Node, PathError> {
        if name.len() > NAME_MAX {
            return Err(PathError::TooLong);
        }
        match name {
            _ if !self.node.is_directory() => Err(PathError::NotDirectory),
            b"." => Ok(self.node),
            b".." => Ok(self.node.parent()),
            _ => self.node.child(name).ok_or(match is_last {
                true => PathError::LastMissing,
                false => PathError::NotFound,
            }),
        }
    }

    /// Goes on with a link's target and then with what lies behind the link.
    fn follow(&mut self, target: &[u8], end: usize) -> Result<(), PathError> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(PathError::Loop);
        }
        if target.is_empty() {
            return Err(PathError::NotFound);
        }
        let rest: Vec<u8> = [target, &self.rest[end..]].concat();
        if rest.len() >= PATH_MAX {
            return Err(PathError::TooLong);
        }
        self.node = start(self.node, &rest);
        self.rest = Cow::Owned(rest);
        Ok(())
    }

    fn drop_front(&mut self, len: usize) {
        match &mut self.rest {
            Cow::Borrowed(rest) => *rest = &rest[len..],
            Cow::Owned(rest) => drop(rest.drain(..len)),
        }
    }
}

fn start(base: &'static Node, path: &[u8]) -> &'static Node {
    if path.starts_with(b"/") {
        tree::root()
    } else {
        base
    }
}
