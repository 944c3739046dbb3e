//! From a path to a file, one component at a time.
//!
//! A symbolic link puts its target in front of what is left; a component with something behind it,
//! if only a slash, must be a directory, and one that the walker may search.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::{NAME_MAX, PATH_MAX};

/// Links followed before a path counts as a loop.
const MAX_LINKS: usize = 40;

/// Files as a walk sees them, and who walks.
pub trait World {
    /// A file, at one place of the tree.
    type Node: Clone;

    /// Returns whether it is a directory.
    fn is_directory(&self, node: &Self::Node) -> bool;

    /// Returns whether the walker may look up names in this directory.
    fn may_search(&self, directory: &Self::Node) -> bool;

    /// Returns what a name in this directory stands for; never asked for `.` and `..`.
    fn child(&self, directory: &Self::Node, name: &[u8]) -> Option<Self::Node>;

    /// Returns the directory it is in; the root of everything is in itself.
    fn parent(&self, node: &Self::Node) -> Self::Node;

    /// Returns what a link stands for; `None` if it is no link.
    fn link(&self, node: &Self::Node) -> Option<Link<Self::Node>>;

    /// Returns whether both are one file at one place.
    fn is_same(&self, one: &Self::Node, other: &Self::Node) -> bool;

    /// Returns whether no mount lies between them.
    fn is_same_mount(&self, one: &Self::Node, other: &Self::Node) -> bool;
}

/// What a link stands for.
pub enum Link<N> {
    /// Another path.
    Path(Vec<u8>),
    /// A file, whatever its name may be now.
    Node(N),
}

/// Whether a link in the last place is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// The result is what the link stands for.
    Yes,
    /// The result is the link itself.
    No,
}

/// Where a walk may not go (`RESOLVE_*` of openat2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Follows no link: they count as loops.
    pub no_links: bool,
    /// Follows no link that leads to a file without a path.
    pub no_magic_links: bool,
    /// Never leaves the directory where it begins.
    pub beneath: bool,
    /// Takes the directory where it begins for the root.
    pub in_root: bool,
    /// Never comes to another mount.
    pub one_mount: bool,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathError {
    /// Something on the way does not exist, or the path is empty.
    NotFound,
    /// Something on the way is not a directory.
    NotDirectory,
    /// A directory on the way may not be searched.
    Denied,
    /// The path, or a name in it, is too long.
    TooLong,
    /// Too many links.
    Loop,
    /// It leads where the walk may not go.
    Escapes,
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
    pub dir: N,
    /// What is looked up there.
    pub last: Last,
    /// Whether slashes follow: then only a directory will do.
    pub slash: bool,
}

/// Where a path leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target<N> {
    /// To something that exists.
    Found(N),
    /// To a name that is free, in a directory that exists.
    Missing(Place<N>),
}

/// Where a walk begins, and what it keeps to.
#[derive(Clone, Copy)]
pub struct Start<'a, N> {
    /// Where absolute paths begin, and what `..` never leads out of.
    pub root: &'a N,
    /// Where relative paths begin.
    pub base: &'a N,
    /// Where it may not go.
    pub limits: Limits,
}

/// Finds the file that `path` stands for.
pub fn resolve<W: World>(
    world: &W,
    start: Start<'_, W::Node>,
    path: &[u8],
    follow: Follow,
) -> Result<W::Node, PathError> {
    match target(world, start, path, follow)? {
        Target::Found(node) => Ok(node),
        Target::Missing(_) => Err(PathError::NotFound),
    }
}

/// Finds the directory that the last component of `path` is in; that one is not looked at.
pub fn place<W: World>(
    world: &W,
    start: Start<'_, W::Node>,
    path: &[u8],
) -> Result<Place<W::Node>, PathError> {
    Walk::new(world, start, path)?.reach_last()
}

/// Finds what `path` stands for, or where it would be made.
pub fn target<W: World>(
    world: &W,
    start: Start<'_, W::Node>,
    path: &[u8],
    follow: Follow,
) -> Result<Target<W::Node>, PathError> {
    let mut walk = Walk::new(world, start, path)?;
    loop {
        let place = walk.reach_last()?;
        let found = match &place.last {
            Last::Root | Last::Dot => Some(place.dir.clone()),
            Last::DotDot => Some(walk.up()?),
            Last::Name(name) => walk.down(name)?,
        };
        let Some(node) = found else {
            return Ok(Target::Missing(place));
        };
        match world.link(&node) {
            Some(link) if place.slash || follow == Follow::Yes => {
                let rest: &[u8] = if place.slash { b"/" } else { b"" };
                if let Some(node) = walk.follow(link, rest)? {
                    return directory_if(world, node, place.slash).map(Target::Found);
                }
            }
            _ => return directory_if(world, node, place.slash).map(Target::Found),
        }
    }
}

fn directory_if<W: World>(world: &W, node: W::Node, wanted: bool) -> Result<W::Node, PathError> {
    match wanted && !world.is_directory(&node) {
        true => Err(PathError::NotDirectory),
        false => Ok(node),
    }
}

/// A walk that has come to `at` and has `rest` before it.
struct Walk<'a, W: World> {
    world: &'a W,
    root: W::Node,
    limits: Limits,
    at: W::Node,
    rest: Cow<'a, [u8]>,
    links: usize,
}

impl<'a, W: World> Walk<'a, W> {
    fn new(world: &'a W, start: Start<'_, W::Node>, path: &'a [u8]) -> Result<Self, PathError> {
        match path.len() {
            0 => return Err(PathError::NotFound),
            PATH_MAX.. => return Err(PathError::TooLong),
            _ => {}
        }
        let limits = start.limits;
        let root = match limits.in_root || limits.beneath {
            true => start.base,
            false => start.root,
        };
        let mut walk = Self {
            world,
            root: root.clone(),
            limits,
            at: start.base.clone(),
            rest: Cow::Borrowed(path),
            links: 0,
        };
        walk.begin(path)?;
        Ok(walk)
    }

    /// Goes to the root if `path` begins there.
    fn begin(&mut self, path: &[u8]) -> Result<(), PathError> {
        if path.first() == Some(&b'/') {
            if self.limits.beneath {
                return Err(PathError::Escapes);
            }
            self.at = self.on_one_mount(self.root.clone())?;
        }
        Ok(())
    }

    /// Goes on until one component is left.
    fn reach_last(&mut self) -> Result<Place<W::Node>, PathError> {
        loop {
            let begin = slashes(&self.rest);
            let len = self.rest[begin..]
                .iter()
                .take_while(|byte| **byte != b'/')
                .count();
            let end = begin + len;
            if len > 0 && !self.world.is_directory(&self.at) {
                return Err(PathError::NotDirectory);
            }
            if len > 0 && !self.world.may_search(&self.at) {
                return Err(PathError::Denied);
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
            b".." => self.up()?,
            name => self.down(name)?.ok_or(PathError::NotFound)?,
        };
        match self.world.link(&next) {
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

    /// The directory that this one is in; the root is in itself.
    fn up(&self) -> Result<W::Node, PathError> {
        match self.world.is_same(&self.at, &self.root) {
            true if self.limits.beneath => Err(PathError::Escapes),
            true => Ok(self.at.clone()),
            false => self.on_one_mount(self.world.parent(&self.at)),
        }
    }

    fn down(&self, name: &[u8]) -> Result<Option<W::Node>, PathError> {
        let child = self.world.child(&self.at, name);
        child.map(|child| self.on_one_mount(child)).transpose()
    }

    fn on_one_mount(&self, next: W::Node) -> Result<W::Node, PathError> {
        match self.limits.one_mount && !self.world.is_same_mount(&self.at, &next) {
            true => Err(PathError::Escapes),
            false => Ok(next),
        }
    }

    /// Goes on with a link's target and then with `rest`; a link to a file itself leads there.
    fn follow(&mut self, link: Link<W::Node>, rest: &[u8]) -> Result<Option<W::Node>, PathError> {
        self.links += 1;
        if self.links > MAX_LINKS || self.limits.no_links {
            return Err(PathError::Loop);
        }
        let target = match link {
            Link::Node(_) if self.limits.no_magic_links => return Err(PathError::Loop),
            // It could lead anywhere.
            Link::Node(_) if self.limits.beneath || self.limits.in_root => {
                return Err(PathError::Escapes);
            }
            Link::Node(node) => return self.on_one_mount(node).map(Some),
            Link::Path(path) => path,
        };
        if target.is_empty() {
            return Err(PathError::NotFound);
        }
        self.begin(&target)?;
        self.rest = Cow::Owned([&target, rest].concat());
        Ok(None)
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
