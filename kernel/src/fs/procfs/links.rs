//! The links of `/proc`: to processes, to their files and directories.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use vfs::walk::Link;

use super::ProcNode;
use super::registry::processes;
use crate::fs::filesystem;
use crate::fs::mount::Location;

/// Returns what the link `node` stands for.
pub fn link(node: ProcNode) -> Option<Link<Location>> {
    let of = |pid| processes().and_then(|processes| processes.find(pid));
    let path = |path: Vec<u8>| Link::Path(path);
    let place = |found: Option<Location>| found.map_or(path(Vec::new()), Link::Node);
    Some(match node {
        ProcNode::Own => path(own_pid().to_string().into()),
        ProcNode::OwnThread => {
            let tid = processes().map_or(0, |processes| processes.own_thread());
            path(format!("{}/task/{tid}", own_pid()).into())
        }
        ProcNode::OwnMounts => path(b"self/mounts".to_vec()),
        ProcNode::Exe(pid) => place(of(pid).and_then(|process| process.exe())),
        ProcNode::Cwd(pid) => place(of(pid).map(|process| process.cwd())),
        ProcNode::RootLink(pid) => place(of(pid).map(|process| process.root())),
        ProcNode::Descriptor(pid, fd) => place(of(pid)?.file(fd)?.location()),
        _ => return None,
    })
}

/// Returns what `readlink` shows of the link `node` to somebody whose root is `root`: not always a path that
/// leads there.
pub fn link_text(node: ProcNode, root: &Location) -> Option<Vec<u8>> {
    match node {
        ProcNode::Descriptor(pid, fd) => {
            let file = processes()?.find(pid)?.file(fd)?;
            Some(match file.location() {
                Some(location) if !location.fs.is(&filesystem::PIPES) => location.shown_path(root),
                _ if !file.file().name().is_empty() => file.file().name().into(),
                _ => {
                    let kind = if file.file().is_socket() {
                        "socket"
                    } else {
                        "pipe"
                    };
                    format!("{kind}:[{}]", file.file().metadata().ino).into()
                }
            })
        }
        _ => match link(node)? {
            Link::Path(path) => Some(path),
            Link::Node(location) => Some(location.shown_path(root)),
        },
    }
}

fn own_pid() -> u32 {
    processes().map_or(0, |processes| processes.own())
}
