//! What goes beside the bytes of a message: open files, and who sends it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::socket::{CmsgHdr, SCM_CREDENTIALS, SCM_MAX_FD, SCM_RIGHTS, SOL_SOCKET, Ucred};
use cred::Cap;
use zerocopy::{FromBytes, IntoBytes};

use super::{args, fd};
use crate::fs::OpenFile;
use crate::fs::unix::Ancillary;
use crate::fs::unix::rights::Rights;
use crate::mm::uaccess;
use crate::process::{self, creds, tree};

/// The most control data of one message.
const MAX_CONTROL: u64 = 131_072;
const HEAD: usize = size_of::<CmsgHdr>();

/// Reads the control data of a message that is to be sent.
pub(super) fn read_control(addr: u64, len: u64) -> Result<Ancillary, Errno> {
    if len > MAX_CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let mut bytes = alloc::vec![0; len as usize];
    if uaccess::copy_from_user_partial(&mut bytes, addr) < bytes.len() {
        return Err(Errno::EFAULT);
    }
    let mut files = Vec::new();
    let mut cred = creds::current_ucred();
    let mut rest = &bytes[..];
    while let Ok((head, _)) = CmsgHdr::read_from_prefix(rest) {
        let len = usize::try_from(head.len).map_err(|_| Errno::EINVAL)?;
        if len < HEAD || len > rest.len() {
            return Err(Errno::EINVAL);
        }
        let data = &rest[HEAD..len];
        match (head.level, head.kind) {
            (level, _) if level != SOL_SOCKET as i32 => {}
            (_, SCM_RIGHTS) => add_files(data, &mut files)?,
            (_, SCM_CREDENTIALS) => cred = checked(data)?,
            _ => return Err(Errno::EINVAL),
        }
        rest = &rest[len.next_multiple_of(8).min(rest.len())..];
    }
    Ok(Ancillary {
        rights: Rights::new(files)?,
        cred,
    })
}

fn add_files(data: &[u8], files: &mut Vec<Arc<OpenFile>>) -> Result<(), Errno> {
    let numbers = data.chunks_exact(4);
    if files.len() + numbers.len() > SCM_MAX_FD {
        return Err(Errno::EINVAL);
    }
    for number in numbers {
        let fd = number.try_into().map_or(-1, i32::from_ne_bytes);
        files.push(args::file(fd as u64)?);
    }
    Ok(())
}

/// Who a program says it is: it must be itself, or allowed to say so.
fn checked(data: &[u8]) -> Result<Ucred, Errno> {
    let said = Ucred::read_from_bytes(data).map_err(|_| Errno::EINVAL)?;
    if said.uid == u32::MAX || said.gid == u32::MAX {
        return Err(Errno::EINVAL);
    }
    let cred = creds::cred();
    let is_own = |ids: cred::Ids, id: u32| [ids.real, ids.effective, ids.saved].contains(&id);
    let is_allowed = (said.pid == process::current().pid() || cred.has(Cap::SysAdmin))
        && (is_own(cred.uid, said.uid) || cred.has(Cap::Setuid))
        && (is_own(cred.gid, said.gid) || cred.has(Cap::Setgid));
    if !is_allowed {
        return Err(Errno::EPERM);
    }
    match tree::find(said.pid) {
        Some(_) => Ok(said),
        None => Err(Errno::ESRCH),
    }
}

/// Control data on its way to a program.
pub(super) struct Control {
    start: u64,
    at: u64,
    left: u64,
    /// Whether something did not fit.
    pub(super) is_cut: bool,
}

impl Control {
    /// Begins at `start`, where there is room for `len` bytes.
    pub(super) fn new(start: u64, len: u64) -> Self {
        Self {
            start,
            at: start,
            left: if start == 0 { 0 } else { len },
            is_cut: false,
        }
    }

    /// Returns how much room was used.
    pub(super) fn used(&self) -> u64 {
        self.at - self.start
    }

    /// Adds a piece, cut where the room ends.
    pub(super) fn put(&mut self, kind: i32, data: &[u8]) -> Result<(), Errno> {
        if self.left < HEAD as u64 {
            self.is_cut = true;
            return Ok(());
        }
        let room = (self.left as usize - HEAD).min(data.len());
        self.is_cut |= room < data.len();
        self.put_head(kind, room)?;
        uaccess::copy_to_user(self.at + HEAD as u64, &data[..room])?;
        self.advance(room);
        Ok(())
    }

    /// Gives the files descriptors, as many as there is room for, and adds those.
    pub(super) fn put_files(
        &mut self,
        files: Vec<Arc<OpenFile>>,
        close_on_exec: bool,
    ) -> Result<(), Errno> {
        if files.is_empty() {
            return Ok(());
        }
        let room = (self.left as usize).saturating_sub(HEAD) / size_of::<i32>();
        let mut given = Vec::new();
        let count = files.len();
        for file in files.into_iter().take(room) {
            match fd::insert_new(file, close_on_exec) {
                Ok(fd) => given.push(fd as i32),
                Err(_) => break,
            }
        }
        self.is_cut |= given.len() < count;
        if given.is_empty() {
            return Ok(());
        }
        let bytes = given.as_bytes();
        self.put_head(SCM_RIGHTS, bytes.len())?;
        uaccess::copy_to_user(self.at + HEAD as u64, bytes)?;
        self.advance(bytes.len());
        Ok(())
    }

    fn put_head(&self, kind: i32, len: usize) -> Result<(), Errno> {
        let head = CmsgHdr {
            len: (HEAD + len) as u64,
            level: SOL_SOCKET as i32,
            kind,
        };
        args::write(self.at, &head)
    }

    fn advance(&mut self, len: usize) {
        let space = ((HEAD + len).next_multiple_of(8) as u64).min(self.left);
        self.at += space;
        self.left -= space;
    }
}
