//! From a path to a file, one component at a time.
//!
//! A symbolic link puts its target in front of what is left; a component with something behind it,
//! if only a slash, must be a directory. Everybody is root and may search every directory.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::{NAME_MAX, PATH_MAX};

/// Links followed before a path counts as a loop.
const MAX_LINKS: usize = 40;

/// A file as a walk sees it.
pub trait Node {
    /// Returns whether it is a directory.
    fn is_directory(&self) -> bool;

    /// Returns what a name in this directory stands for; never asked for `.` and `..`.
    fn child(self: &Arc<Self>, name: &[u8]) -> Option<Arc<Self>>;

    /// Returns the directory it is in; the root is in itself.
    fn parent(self: &Arc<Self>) -> Arc<Self>;

    /// Returns what a link stands for; `None` if it is no link.
    fn link(&self) -> Option<Link<Self>>;
}

/// What a link stands for.
pub enum Link<N: ?Sized> {
    /// Another path.
    Path(Vec<u8>),
    /// A file, whatever its name may be now.
    Node(Arc<N>),
}

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
    /// Something on the way does not exist, or the path is empty.
    NotFound,
    /// Something on the way is not a directory.
    NotDirectory,
    /// The path, or a name in it, is too long.
    TooLong,
    /// Too many links.
    Loop,
}

/// The last component of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Last {
    /// There is none: the path is all slashes.
    Root,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// A name, which may or may not exist.
    Name(Vec<u8>),
}

/// The directory that the last component of a path is looked up in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<N> {
    /// The directory.
    pub dir: Arc<N>,
    /// What is looked up there.
    pub last: Last,
    /// Whether slashes follow: then only a directory will do.
    pub slash: bool,
}

/// Where a path leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target<N> {
    /// To something that exists.
    Found(Arc<N>),
    /// To a name that is free, in a directory that exists.
    Missing(Place<N>),
}

/// Finds the file that `path` stands for, seen from the directory `base`.
pub fn resolve<N: Node>(
    root: &Arc<N>,
    base: &Arc<N>,
    path: &[u8],
    follow: Follow,
) -> Result<Arc<N>, PathError> {
    match target(root, base, path, follow)? {
        Target::Found(node) => Ok(node),
        Target::Missing(_) => Err(PathError::NotFound),
    }
}

/// Finds the directory that the last component of `path` is in; that one is not looked at.
pub fn place<N: Node>(root: &Arc<N>, base: &Arc<N>, path: &[u8]) -> Result<Place<N>, PathError> {
    Walk::new(root, base, path)?.reach_last()
}

/// Finds what `path` stands for, or where it would be made.
pub fn target<N: Node>(
    root: &Arc<N>,
    base: &Arc<N>,
    path: &[u8],
    follow: Follow,
) -> Result<Target<N>, PathError> {
    let mut walk = Walk::new(root, base, path)?;
    loop {
        let place = walk.reach_last()?;
        let found = match &place.last {
            Last::Root | Last::Dot => Some(place.dir.clone()),
            Last::DotDot => Some(place.dir.parent()),
            Last::Name(name) => place.dir.child(name),
        };
        let Some(node) = found else {
            return Ok(Target::Missing(place));
        };
        match node.link() {
            Some(link) if place.slash || follow == Follow::Yes => {
                let rest: &[u8] = if place.slash { b"/" } else { b"" };
                if let Some(node) = walk.follow(link, rest)? {
                    return directory_if(node, place.slash).map(Target::Found);
                }
            }
            _ => return directory_if(node, place.slash).map(Target::Found),
        }
    }
}

fn directory_if<N: Node>(node: Arc<N>, wanted: bool) -> Result<Arc<N>, PathError> {
    match wanted && !node.is_directory() {
        true => Err(PathError::NotDirectory),
        false => Ok(node),
    }
}

/// A walk that has come to `at` and has `rest` before it.
struct Walk<'a, N> {
    root: &'a Arc<N>,
    at: Arc<N>,
    rest: Cow<'a, [u8]>,
    links: usize,
}

impl<'a, N: Node> Walk<'a, N> {
    fn new(root: &'a Arc<N>, base: &Arc<N>, path: &'a [u8]) -> Result<Self, PathError> {
        match path.len() {
            0 => Err(PathError::NotFound),
            PATH_MAX.. => Err(PathError::TooLong),
            _ => Ok(Self {
                root,
                at: start(root, base, path),
                rest: Cow::Borrowed(path),
                links: 0,
            }),
        }
    }

    /// Goes on until one component is left.
    fn reach_last(&mut self) -> Result<Place<N>, PathError> {
        loop {
            let begin = slashes(&self.rest);
            let len = self.rest[begin..]
                .iter()
                .take_while(|byte| **byte != b'/')
                .count();
            let end = begin + len;
            if len > 0 && !self.at.is_directory() {
                return Err(PathError::NotDirectory);
            }
            if len > NAME_MAX {
                return Err(PathError::TooLong);
            }
            let trailing = slashes(&self.rest[end..]);
            if end + trailing == self.rest.len() {
                return Ok(Place {
                    dir: self.at.clone(),
                    last: last(&self.rest[begin..end]),
                    slash: trailing > 0,
                });
            }
            self.step(begin, end)?;
        }
    }

    /// Takes the component `begin..end`, which has another one behind it.
    fn step(&mut self, begin: usize, end: usize) -> Result<(), PathError> {
        let next = match &self.rest[begin..end] {
            b"." => self.at.clone(),
            b".." => self.at.parent(),
            name => self.at.child(name).ok_or(PathError::NotFound)?,
        };
        match next.link() {
            Some(link) => {
                let rest = self.rest[end..].to_vec();
                if let Some(node) = self.follow(link, &rest)? {
                    self.at = node;
                    self.rest = Cow::Owned(rest);
                }
            }
            None => {
                self.at = next;
                match &mut self.rest {
                    Cow::Borrowed(rest) => *rest = &rest[end..],
                    Cow::Owned(rest) => drop(rest.drain(..end)),
                }
            }
        }
        Ok(())
    }

    /// Goes on with a link's target and then with `rest`; a link to a file itself leads there.
    fn follow(&mut self, link: Link<N>, rest: &[u8]) -> Result<Option<Arc<N>>, PathError> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(PathError::Loop);
        }
        let target = match link {
            Link::Node(node) => return Ok(Some(node)),
            Link::Path(path) => path,
        };
        if target.is_empty() {
            return Err(PathError::NotFound);
        }
        let path: Vec<u8> = [&target, rest].concat();
        if path.len() >= PATH_MAX {
            return Err(PathError::TooLong);
        }
        self.at = start(self.root, &self.at, &path);
        self.rest = Cow::Owned(path);
        Ok(None)
    }
}

fn start<N: Node>(root: &Arc<N>, base: &Arc<N>, path: &[u8]) -> Arc<N> {
    match path.first() {
        Some(b'/') => root.clone(),
        _ => base.clone(),
    }
}

fn slashes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'/').count()
}

fn last(name: &[u8]) -> Last {
    match name {
        b"" => Last::Root,
        b"." => Last::Dot,
        b".." => Last::DotDot,
        name => Last::Name(name.to_vec()),
    }
}
