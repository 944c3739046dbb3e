//! Sockets of this machine: made, named, connected, shut. [`super::message`] sends and receives, [`super::sockopt`] sets options.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::OpenFlags;
use abi::net::{AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM};
use unix::{Address, Given, address::nameless};

use super::{SysResult, args, fd, names};
use crate::arch::trapframe::TrapFrame;
use crate::fs::eventfd::downcast;
use crate::fs::unix::{Endpoint, Kind, Socket, SocketError, names as sockets};
use crate::fs::{self, OpenFile};
use crate::mm::uaccess;
use crate::process::creds;

/// The bits of the type that are not flags.
const TYPE_MASK: u64 = 0xf;
/// Types are below this.
const TYPES: u64 = 11;
/// Families are below this.
const FAMILIES: u64 = 46;
/// The longest address of any family.
const MAX_ADDRESS: i32 = 128;

/// `socket(domain, type, protocol)`.
pub fn socket(frame: &mut TrapFrame) -> SysResult {
    let [domain, kind, protocol, ..] = frame.args();
    let (kind, flags) = kind_of(domain, kind, protocol)?;
    let socket = fs::unix::socket(kind, flags.difference(OpenFlags::CLOEXEC));
    fd::insert_new(socket, flags.contains(OpenFlags::CLOEXEC))
}

/// `socketpair(domain, type, protocol, fds)`.
pub fn socketpair(frame: &mut TrapFrame) -> SysResult {
    let [domain, kind, protocol, fds, ..] = frame.args();
    let (kind, flags) = kind_of(domain, kind, protocol)?;
    fd::insert_pair(fds, fs::unix::pair(kind, flags), flags)
}

fn kind_of(domain: u64, kind: u64, protocol: u64) -> Result<(Kind, OpenFlags), Errno> {
    let (domain, protocol) = (u64::from(domain as u32), protocol as u32);
    let flags = OpenFlags::from_bits_retain((kind & !TYPE_MASK) as u32);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let kind = kind & TYPE_MASK;
    if domain < FAMILIES && kind >= TYPES {
        return Err(Errno::EINVAL);
    }
    if domain != u64::from(AF_UNIX) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let kind = match kind as u32 {
        SOCK_STREAM => Kind::Stream,
        SOCK_DGRAM | SOCK_RAW => Kind::Datagram,
        SOCK_SEQPACKET => Kind::Packets,
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    Ok((kind, flags))
}

/// An open socket, as a call uses it.
pub(super) struct Used {
    file: Arc<OpenFile>,
}

impl Used {
    /// Returns the socket that `fd` stands for.
    pub(super) fn new(fd: u64) -> Result<Self, Errno> {
        let file = args::opened_file(fd)?;
        match downcast::<Socket>(&file) {
            Some(_) => Ok(Self { file }),
            None => Err(Errno::ENOTSOCK),
        }
    }

    /// Returns the socket itself.
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        let socket = downcast::<Socket>(&self.file);
        socket
            .expect("it was looked at when it was found")
            .endpoint()
    }

    /// Returns whether its calls do not wait.
    pub(super) fn is_nonblocking(&self) -> bool {
        self.file.flags().contains(OpenFlags::NONBLOCK)
    }
}

/// Reads an address of any family.
pub(super) fn read_address(addr: u64, len: u64) -> Result<Vec<u8>, Errno> {
    let len = len as i32;
    if !(0..=MAX_ADDRESS).contains(&len) {
        return Err(Errno::EINVAL);
    }
    let mut bytes = alloc::vec![0; len as usize];
    match uaccess::copy_from_user_partial(&mut bytes, addr) < bytes.len() {
        true => Err(Errno::EFAULT),
        false => Ok(bytes),
    }
}

/// Stores an address where there is room for as much as the number at `len_addr` says, and its whole length there.
pub(super) fn write_address(addr: u64, len_addr: u64, bytes: &[u8]) -> Result<(), Errno> {
    let room = args::read::<i32>(len_addr)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    uaccess::copy_to_user(addr, &bytes[..room.min(bytes.len())])?;
    args::write(len_addr, &(bytes.len() as u32))
}

/// Returns the bytes of a name; a socket without one has its family.
pub(super) fn bytes_of(name: Option<Arc<Address>>) -> Vec<u8> {
    name.map_or_else(|| nameless().to_vec(), |name| name.to_bytes())
}

/// Finds the socket that an address names.
pub(super) fn find(address: &[u8], kind: Kind) -> Result<Arc<Endpoint>, Errno> {
    match Address::parse(address).map_err(|unix::address::Invalid| Errno::EINVAL)? {
        Given::Nothing => Err(Errno::EINVAL),
        Given::Name(Address::Abstract(name)) => Ok(sockets::find_abstract(&name, kind)?),
        Given::Name(Address::Path(path)) => {
            let inode = names::socket_file(&path)?;
            Ok(sockets::find_file(&inode, kind)?)
        }
    }
}

/// `bind(fd, address, length)`.
pub fn bind(frame: &mut TrapFrame) -> SysResult {
    let [fd, addr, len, ..] = frame.args();
    let used = Used::new(fd)?;
    let bytes = read_address(addr, len)?;
    let endpoint = used.endpoint();
    match Address::parse(&bytes).map_err(|unix::address::Invalid| Errno::EINVAL)? {
        Given::Nothing => endpoint.bind_any()?,
        Given::Name(_) if endpoint.name().is_some() => return Err(Errno::EINVAL),
        Given::Name(Address::Abstract(name)) => endpoint.bind_abstract(name)?,
        Given::Name(Address::Path(path)) => {
            let inode = names::make_socket_file(&path)?;
            endpoint.bind_file(&inode, path)?;
        }
    }
    Ok(0)
}

/// `listen(fd, backlog)`.
pub fn listen(frame: &mut TrapFrame) -> SysResult {
    let [fd, backlog, ..] = frame.args();
    let used = Used::new(fd)?;
    used.endpoint()
        .listen(backlog as u32, creds::current_peer_ucred())?;
    Ok(0)
}

/// `connect(fd, address, length)`.
pub fn connect(frame: &mut TrapFrame) -> SysResult {
    let [fd, addr, len, ..] = frame.args();
    let used = Used::new(fd)?;
    let bytes = read_address(addr, len)?;
    let endpoint = used.endpoint();
    if endpoint.kind == Kind::Datagram && bytes.starts_with(&[0, 0]) {
        endpoint.disconnect();
        return Ok(0);
    }
    let to = find(&bytes, endpoint.kind)?;
    let patience = endpoint.options.send_patience(used.is_nonblocking());
    endpoint.connect(&to, creds::current_peer_ucred(), patience)?;
    Ok(0)
}

/// `accept(fd, address, length)`.
pub fn accept(frame: &mut TrapFrame) -> SysResult {
    let [fd, addr, len, ..] = frame.args();
    accept_with(fd, addr, len, 0)
}

/// `accept4(fd, address, length, flags)`.
pub fn accept4(frame: &mut TrapFrame) -> SysResult {
    let [fd, addr, len, flags, ..] = frame.args();
    accept_with(fd, addr, len, flags as u32)
}

fn accept_with(fd: u64, addr: u64, len: u64, flags: u32) -> SysResult {
    let flags = OpenFlags::from_bits_retain(flags);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL);
    }
    let used = Used::new(fd)?;
    let endpoint = used.endpoint();
    let patience = endpoint.options.receive_patience(used.is_nonblocking());
    let kept = flags.difference(OpenFlags::CLOEXEC);
    let (file, accepted) = endpoint.accept(kept, patience)?;
    if addr != 0 {
        let name = accepted.peer_name().unwrap_or_default();
        write_address(addr, len, &bytes_of(name))?;
    }
    fd::insert_new(file, flags.contains(OpenFlags::CLOEXEC))
}

/// `getsockname(fd, address, length)`.
pub fn getsockname(frame: &mut TrapFrame) -> SysResult {
    let [fd, addr, len, ..] = frame.args();
    let used = Used::new(fd)?;
    write_address(addr, len, &bytes_of(used.endpoint().name()))?;
    Ok(0)
}

/// `getpeername(fd, address, length)`.
pub fn getpeername(frame: &mut TrapFrame) -> SysResult {
    let [fd, addr, len, ..] = frame.args();
    let used = Used::new(fd)?;
    let name = used.endpoint().peer_name()?;
    write_address(addr, len, &bytes_of(name))?;
    Ok(0)
}

/// `shutdown(fd, how)`.
pub fn shutdown(frame: &mut TrapFrame) -> SysResult {
    let [fd, how, ..] = frame.args();
    let used = Used::new(fd)?;
    let how = match how as u32 {
        how @ 0..=2 => how as u8 + 1,
        _ => return Err(Errno::EINVAL),
    };
    used.endpoint().shutdown(how)?;
    Ok(0)
}

/// The number that a call gives for what happened to a socket, as `SO_ERROR` tells it.
pub(super) fn number_of(error: Option<SocketError>) -> i32 {
    error.map_or(0, |error| -(Errno::from(error).to_result() as i32))
}
