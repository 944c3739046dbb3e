//! `/proc`: the kernel's own facts as files, and its settings.
//!
//! Nothing in it is stored: a directory's names are found when somebody asks ([`child`], [`entry_after`]), a
//! file's contents are made when it is read ([`open`](mod@open)). The layers say what there is in [`registry`];
//! what mm and fs themselves have to say is in [`facts`]. What is known of processes comes from the
//! layer above through [`registry::Processes`].

mod descriptors;
pub mod facts;
mod links;
mod locks;
mod memory;
mod mounts;
pub mod open;
pub mod registry;
mod settings;
mod sys;
pub mod text;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::linux::{S_IFDIR, S_IFLNK, S_IFREG};
use vfs::directory::Name;

pub use facts::{init, write_memory};
pub use links::{link, link_text};
use registry::ProcessFacts;
pub use settings::parse_number;

use super::filesystem::{self, FsRef};
use super::inode::{Attributes, Inode, InodeRef, Kind};
use registry::{entry, find, processes};

/// A file of `/proc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcNode {
    /// `/proc`.
    Root,
    /// `/proc/self`.
    Own,
    /// `/proc/thread-self`.
    OwnThread,
    /// `/proc/mounts`.
    OwnMounts,
    /// `/proc/sys` or `/sys` and the directories below: the entry that begins with the path, and the path's length.
    Branch(Tree, usize, usize),
    /// `/proc/PID`.
    Process(u32),
    /// `/proc/PID/exe`.
    Exe(u32),
    /// `/proc/PID/cwd`.
    Cwd(u32),
    /// `/proc/PID/root`.
    RootLink(u32),
    /// `/proc/PID/task`.
    Threads(u32),
    /// `/proc/PID/fd`.
    Descriptors(u32),
    /// `/proc/PID/fd/N`.
    Descriptor(u32, i32),
    /// `/proc/PID/fdinfo`.
    DescriptorFacts(u32),
    /// `/proc/PID/fdinfo/N`.
    DescriptorFact(u32, i32),
    /// A file that some layer registered; of a process, or of none (0).
    Registered(usize, u32),
}

/// A tree of directories that the names of registered files make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tree {
    /// `/proc/sys`.
    Settings,
    /// `/sys`.
    Sys,
}

/// Makes what is in the directory of the process with this number.
type OfProcess = fn(u32) -> ProcNode;

/// The links and directories in a process's directory.
const LINKS: [(&str, OfProcess); 6] = [
    ("exe", ProcNode::Exe),
    ("cwd", ProcNode::Cwd),
    ("root", ProcNode::RootLink),
    ("fd", ProcNode::Descriptors),
    ("fdinfo", ProcNode::DescriptorFacts),
    ("task", ProcNode::Threads),
];
/// What is in `/proc` besides files and processes.
const FIXED: [(&str, ProcNode); 4] = [
    ("self", ProcNode::Own),
    ("thread-self", ProcNode::OwnThread),
    ("mounts", ProcNode::OwnMounts),
    ("sys", ProcNode::Branch(Tree::Settings, 0, 0)),
];
/// Where a listing of `/proc` comes to the processes.
const FIRST_PROCESS: u64 = 1 << 32;

impl ProcNode {
    /// Returns the type bits of `st_mode`.
    pub fn file_type(self) -> u32 {
        match self {
            Self::Root | Self::Branch(..) | Self::Process(_) => S_IFDIR,
            Self::Threads(_) | Self::Descriptors(_) | Self::DescriptorFacts(_) => S_IFDIR,
            Self::OwnThread | Self::OwnMounts => S_IFLNK,
            Self::Own | Self::Exe(_) | Self::Cwd(_) | Self::RootLink(_) | Self::Descriptor(..) => {
                S_IFLNK
            }
            Self::DescriptorFact(..) | Self::Registered(..) => S_IFREG,
        }
    }

    fn permissions(self) -> u32 {
        match self {
            Self::Root | Self::Branch(..) | Self::Process(_) | Self::Threads(_) => 0o555,
            Self::DescriptorFacts(_) => 0o555,
            Self::DescriptorFact(..) => 0o444,
            Self::Descriptors(_) => 0o500,
            Self::Registered(index, _) => entry(index).map_or(0, |entry| entry.permissions()),
            _ => 0o777,
        }
    }

    /// Returns its number: equal for equal files.
    pub fn ino(self) -> u64 {
        let of = |pid: u32, low: u64| u64::from(pid) << 32 | low;
        match self {
            Self::Root => 1,
            Self::Own => 2,
            Self::OwnThread => 3,
            Self::OwnMounts => 4,
            Self::Branch(Tree::Sys, _, 0) => 1,
            Self::Branch(_, index, len) => 0x10_0000 + (len as u64) * 0x1000 + index as u64,
            Self::Process(pid) => of(pid, 1),
            Self::Exe(pid) => of(pid, 2),
            Self::Cwd(pid) => of(pid, 3),
            Self::RootLink(pid) => of(pid, 4),
            Self::Descriptors(pid) => of(pid, 5),
            Self::Threads(pid) => of(pid, 6),
            Self::DescriptorFacts(pid) => of(pid, 7),
            // Two for each descriptor.
            Self::Descriptor(pid, fd) => of(pid, 0x1_0000 + 2 * fd as u64),
            Self::DescriptorFact(pid, fd) => of(pid, 0x1_0001 + 2 * fd as u64),
            Self::Registered(index, pid) => of(pid, 0x100 + index as u64),
        }
    }
}

/// Makes the directory `/proc`.
pub fn root() -> InodeRef {
    inode(ProcNode::Root)
}

/// Makes the directory `/sys`.
pub fn sys_root() -> InodeRef {
    inode(ProcNode::Branch(Tree::Sys, 0, 0))
}

fn inode(node: ProcNode) -> InodeRef {
    let mut attributes = Attributes::new(node.permissions());
    attributes.nlink = if node.file_type() == S_IFDIR { 2 } else { 1 };
    if let Some((uid, gid)) = node
        .pid()
        .and_then(|pid| Some(processes()?.find(pid)?.owner()))
    {
        attributes.uid = uid;
        attributes.gid = gid;
    }
    let fs = match node.is_of_sys() {
        true => &filesystem::SYS,
        false => &filesystem::PROC,
    };
    // Not counted as stored, so that the count of files stays what it is: see `Inode`'s drop.
    fs.count_file();
    Inode::numbered(node.ino(), &FsRef::Built(fs), Kind::Proc(node), attributes)
}

impl ProcNode {
    /// Returns the number of the process or thread it is about.
    fn pid(self) -> Option<u32> {
        match self {
            Self::Process(pid) | Self::Exe(pid) | Self::Cwd(pid) | Self::RootLink(pid) => Some(pid),
            Self::Threads(pid) | Self::Descriptors(pid) | Self::Descriptor(pid, _) => Some(pid),
            Self::DescriptorFacts(pid) | Self::DescriptorFact(pid, _) => Some(pid),
            Self::Registered(_, pid) if pid != 0 => Some(pid),
            _ => None,
        }
    }

    fn is_of_sys(self) -> bool {
        match self {
            Self::Branch(tree, ..) => tree == Tree::Sys,
            Self::Registered(index, _) => entry(index).is_some_and(|entry| entry.is_in(Tree::Sys)),
            _ => false,
        }
    }
}

/// Finds a name in the directory `node`.
pub fn child(directory: &InodeRef, node: ProcNode, name: &[u8]) -> Option<InodeRef> {
    let text = core::str::from_utf8(name).ok()?;
    let found = match node {
        ProcNode::Root => in_root(text)?,
        ProcNode::Branch(tree, first, len) => in_branch(tree, first, len, text)?,
        ProcNode::Process(pid) => in_process(pid, text)?,
        ProcNode::Threads(pid) => {
            let tid = number::<u32>(text)?;
            (processes()?.next_thread(pid, tid)? == tid).then_some(ProcNode::Process(tid))?
        }
        ProcNode::Descriptors(pid) | ProcNode::DescriptorFacts(pid) => {
            let fd = number::<i32>(text)?;
            processes()?.find(pid)?.file(fd)?;
            match node {
                ProcNode::Descriptors(_) => ProcNode::Descriptor(pid, fd),
                _ => ProcNode::DescriptorFact(pid, fd),
            }
        }
        _ => return None,
    };
    let inode = inode(found);
    inode.set_home(directory, &Name::from(name));
    Some(inode)
}

fn in_root(name: &str) -> Option<ProcNode> {
    if let Some((_, node)) = FIXED.iter().find(|(known, _)| *known == name) {
        return Some(*node);
    }
    if let Some(pid) = number::<u32>(name) {
        processes()?.find(pid)?;
        return Some(ProcNode::Process(pid));
    }
    let (index, _) = find(0, |entry| entry.is_of_machine() && entry.name == name)?;
    Some(ProcNode::Registered(index, 0))
}

fn in_process(pid: u32, name: &str) -> Option<ProcNode> {
    processes()?.find(pid)?;
    if let Some((_, node)) = LINKS.iter().find(|(known, _)| *known == name) {
        return Some(node(pid));
    }
    let (index, _) = find(0, |entry| entry.is_of_process() && entry.name == name)?;
    Some(ProcNode::Registered(index, pid))
}

/// Finds a name below the first `len` bytes of entry `first`'s path.
fn in_branch(tree: Tree, first: usize, len: usize, name: &str) -> Option<ProcNode> {
    let prefix = String::from(branch_path(first, len)) + name;
    let (index, found) = find(0, |entry| {
        let rest = entry.name.strip_prefix(&*prefix);
        entry.is_in(tree) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })?;
    Some(match found.name.len() == prefix.len() {
        true => ProcNode::Registered(index, 0),
        false => ProcNode::Branch(tree, index, prefix.len() + 1),
    })
}

fn branch_path(first: usize, len: usize) -> &'static str {
    entry(first).map_or("", |entry| entry.name.get(..len).unwrap_or(""))
}

/// A number as a name: no sign, no zeros in front.
fn number<T: core::str::FromStr + ToString>(name: &str) -> Option<T> {
    let number: T = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

/// Returns the first name in the directory `node` behind `cookie`: its own cookie, itself, its file.
pub fn entry_after(node: ProcNode, cookie: u64) -> Option<(u64, Vec<u8>, ProcNode)> {
    match node {
        ProcNode::Root => root_after(cookie),
        ProcNode::Process(pid) => {
            processes()?.find(pid)?;
            process_after(pid, cookie)
        }
        ProcNode::Branch(tree, first, len) => branch_after(tree, first, len, cookie),
        ProcNode::Threads(pid) => {
            // Cookies 0 to 2 are the dots', and no thread has number 0.
            let from = u32::try_from(cookie.max(2) - 1).ok()?;
            let tid = processes()?.next_thread(pid, from)?;
            Some((
                u64::from(tid) + 2,
                tid.to_string().into(),
                ProcNode::Process(tid),
            ))
        }
        ProcNode::Descriptors(pid) | ProcNode::DescriptorFacts(pid) => {
            // Cookies 0 to 2 are the dots'.
            let from = i32::try_from(cookie.max(2) - 2).ok()?;
            let fd = processes()?.find(pid)?.next_fd(from)?;
            let node = match node {
                ProcNode::Descriptors(_) => ProcNode::Descriptor(pid, fd),
                _ => ProcNode::DescriptorFact(pid, fd),
            };
            Some((fd as u64 + 3, fd.to_string().into(), node))
        }
        _ => None,
    }
}

fn root_after(cookie: u64) -> Option<(u64, Vec<u8>, ProcNode)> {
    let at = cookie.max(2) - 2;
    if let Some((name, node)) = FIXED.get(at as usize) {
        return Some((at + 3, name.as_bytes().to_vec(), *node));
    }
    if cookie < FIRST_PROCESS {
        let from = at as usize - FIXED.len();
        let found = find(from, registry::Entry::is_of_machine);
        if let Some((index, entry)) = found {
            let cookie = (index + FIXED.len() + 3) as u64;
            return Some((cookie, entry.name.into(), ProcNode::Registered(index, 0)));
        }
    }
    let from = u32::try_from(cookie.max(FIRST_PROCESS) - FIRST_PROCESS).ok()?;
    let pid = processes()?.next(from + 1)?;
    let cookie = FIRST_PROCESS + u64::from(pid);
    Some((cookie, pid.to_string().into(), ProcNode::Process(pid)))
}

fn process_after(pid: u32, cookie: u64) -> Option<(u64, Vec<u8>, ProcNode)> {
    let at = (cookie.max(2) - 2) as usize;
    if let Some((name, node)) = LINKS.get(at) {
        return Some((at as u64 + 3, name.as_bytes().to_vec(), node(pid)));
    }
    let (index, entry) = find(at - LINKS.len(), registry::Entry::is_of_process)?;
    let cookie = (index + LINKS.len() + 3) as u64;
    Some((cookie, entry.name.into(), ProcNode::Registered(index, pid)))
}

fn branch_after(
    tree: Tree,
    first: usize,
    len: usize,
    cookie: u64,
) -> Option<(u64, Vec<u8>, ProcNode)> {
    let prefix = branch_path(first, len);
    let name_of = |entry: &registry::Entry| {
        let rest = entry
            .name
            .strip_prefix(prefix)
            .filter(|_| entry.is_in(tree))?;
        let name = rest.split('/').next().unwrap_or(rest);
        // An entry that ends with a slash is a directory with nothing in it.
        Some(name).filter(|name| !name.is_empty())
    };
    let mut from = (cookie.max(2) - 2) as usize;
    loop {
        let (index, found) = find(from, |entry| name_of(entry).is_some())?;
        let name = name_of(&found)?;
        // A directory is shown with the first entry in it.
        let (earlier, _) = find(0, |entry| name_of(entry) == Some(name))?;
        if earlier == index {
            return Some((
                index as u64 + 3,
                name.into(),
                in_branch(tree, first, len, name)?,
            ));
        }
        from = index + 1;
    }
}

/// Finds the process that `/proc/PID` is about.
fn process(pid: u32) -> Option<Arc<dyn ProcessFacts>> {
    processes()?.find(pid)
}
