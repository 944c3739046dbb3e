//! Sending to and receiving from sockets, with what goes beside the bytes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::linux::UIO_MAXIOV;
use abi::net::{
    MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_TRUNC,
    MSG_WAITALL, SO_PASSCRED,
};
use abi::socket::{MSG_WAITFORONE, MsgHdr, SCM_CREDENTIALS};
use abi::{Errno, Signal};
use zerocopy::IntoBytes;

use super::control::{Control, read_control};
use super::socket::{Used, bytes_of, find, read_address, write_address};
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::unix::{Ancillary, Endpoint, Kind, Received, SocketError, Wanted};
use crate::fs::user_buf::{UserBuf, UserSpan};
use crate::mm::uaccess;
use crate::process::{creds, signal};
use crate::time;

/// `struct mmsghdr`: a header, a length, and nothing.
const VECTOR_ENTRY: u64 = 64;
/// The most messages of one call.
const MAX_VECTOR: u64 = 1024;

/// `sendto(fd, buf, len, flags, addr, addr_len)`.
pub fn sendto(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, len, flags, addr, addr_len] = frame.args();
    let span = args::span(buf, len)?;
    let used = Used::new(fd)?;
    let address = match addr {
        0 => None,
        addr => Some(read_address(addr, addr_len)?),
    };
    let ancillary = Ancillary::from(creds::current_ucred());
    send(&used, &[span], address.as_deref(), ancillary, flags as u32)
}

/// `sendmsg(fd, message, flags)`.
pub fn sendmsg(frame: &mut TrapFrame) -> SysResult {
    let [fd, message, flags, ..] = frame.args();
    send_one(&Used::new(fd)?, message, flags as u32)
}

/// `sendmmsg(fd, messages, count, flags)`.
pub fn sendmmsg(frame: &mut TrapFrame) -> SysResult {
    let [fd, messages, count, flags, ..] = frame.args();
    let used = Used::new(fd)?;
    let mut sent = 0;
    for index in 0..u64::from(count as u32).min(MAX_VECTOR) {
        let at = messages + index * VECTOR_ENTRY;
        let outcome = send_one(&used, at, flags as u32)
            .and_then(|len| args::write(at + size_of::<MsgHdr>() as u64, &(len as u32)));
        match outcome {
            Ok(()) => sent += 1,
            Err(_) if sent > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

fn send_one(used: &Used, message: u64, flags: u32) -> SysResult {
    let message = args::read::<MsgHdr>(message)?;
    let spans = spans(&message)?;
    let address = match (message.name, message.namelen) {
        (0, _) | (_, 0) => None,
        (addr, len) => Some(read_address(addr, u64::from(len.min(128)))?),
    };
    let ancillary = match message.controllen {
        0 => Ancillary::from(creds::current_ucred()),
        len => read_control(message.control, len)?,
    };
    send(used, &spans, address.as_deref(), ancillary, flags)
}

fn spans(message: &MsgHdr) -> Result<Vec<UserSpan>, Errno> {
    if message.iovlen > u64::from(UIO_MAXIOV) {
        return Err(Errno::EMSGSIZE);
    }
    args::spans(message.iov, message.iovlen)
}

fn send(
    used: &Used,
    spans: &[UserSpan],
    address: Option<&[u8]>,
    ancillary: Ancillary,
    flags: u32,
) -> SysResult {
    let endpoint = used.endpoint();
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let to = receiver(endpoint, address)?;
    let nonblocking = used.is_nonblocking() || flags & MSG_DONTWAIT != 0;
    let patience = endpoint.options.send_patience(nonblocking);
    let mut from = UserBuf::new(spans);
    match endpoint.send(&mut from, to, ancillary, patience) {
        Err(error) if from.done() == 0 => {
            if error == SocketError::BrokenPipe && flags & MSG_NOSIGNAL == 0 {
                signal::raise(Signal::PIPE);
            }
            Err(error.into())
        }
        _ => Ok(from.done() as u64),
    }
}

/// Finds whom a message goes to, if that is not the other end.
fn receiver(endpoint: &Endpoint, address: Option<&[u8]>) -> Result<Option<Arc<Endpoint>>, Errno> {
    match (endpoint.kind, address) {
        (_, None) | (Kind::Packets, _) => Ok(None),
        (Kind::Datagram, Some(address)) => find(address, Kind::Datagram).map(Some),
        (Kind::Stream, Some(_)) => match endpoint.peer_name() {
            Ok(_) => Err(Errno::EISCONN),
            Err(_) => Err(Errno::EOPNOTSUPP),
        },
    }
}

/// `recvfrom(fd, buf, len, flags, addr, addr_len)`.
pub fn recvfrom(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, len, flags, addr, addr_len] = frame.args();
    let span = args::span(buf, len)?;
    let used = Used::new(fd)?;
    let (received, done) = receive(&used, &[span], flags as u32)?;
    if addr != 0 {
        write_address(addr, addr_len, &sender_of(&received))?;
    }
    Ok(told(&received, done, flags as u32) as u64)
}

/// `recvmsg(fd, message, flags)`.
pub fn recvmsg(frame: &mut TrapFrame) -> SysResult {
    let [fd, message, flags, ..] = frame.args();
    receive_one(&Used::new(fd)?, message, flags as u32)
}

/// `recvmmsg(fd, messages, count, flags, timeout)`: the timeout is looked at after each message, as on Linux.
pub fn recvmmsg(frame: &mut TrapFrame) -> SysResult {
    let [fd, messages, count, flags, timeout, _] = frame.args();
    let deadline = super::poll::deadline(timeout)?;
    let used = Used::new(fd)?;
    let mut flags = flags as u32;
    let mut received = 0;
    for index in 0..u64::from(count as u32).min(MAX_VECTOR) {
        let at = messages + index * VECTOR_ENTRY;
        let outcome = receive_one(&used, at, flags & !MSG_WAITFORONE)
            .and_then(|len| args::write(at + size_of::<MsgHdr>() as u64, &(len as u32)));
        match outcome {
            Ok(()) => received += 1,
            Err(_) if received > 0 => break,
            Err(error) => return Err(error),
        }
        if flags & MSG_WAITFORONE != 0 {
            flags |= MSG_DONTWAIT;
        }
        if deadline.is_some_and(|deadline| time::now_ns() >= deadline) {
            break;
        }
    }
    super::poll::tell_rest(timeout, deadline);
    Ok(received)
}

fn receive_one(used: &Used, at: u64, flags: u32) -> SysResult {
    let message = args::read::<MsgHdr>(at)?;
    let spans = spans(&message)?;
    let (mut received, done) = receive(used, &spans, flags)?;
    let namelen = match message.name {
        0 => None,
        addr => {
            let name = sender_of(&received);
            let room = name.len().min(message.namelen as usize);
            uaccess::copy_to_user(addr, &name[..room])?;
            Some(name.len() as u32)
        }
    };
    let mut control = Control::new(message.control, message.controllen);
    if let Some(cred) = received.cred.take()
        && used.endpoint().options.is_on(SO_PASSCRED)
    {
        control.put(SCM_CREDENTIALS, cred.as_bytes())?;
    }
    let files = core::mem::take(&mut received.files);
    control.put_files(files, flags & MSG_CMSG_CLOEXEC != 0)?;
    let mut out = flags & MSG_CMSG_CLOEXEC;
    if control.is_cut {
        out |= MSG_CTRUNC;
    }
    if received.len.is_some_and(|len| len > done) {
        out |= MSG_TRUNC;
    }
    let field = |offset: usize| at + offset as u64;
    if let Some(namelen) = namelen {
        args::write(field(core::mem::offset_of!(MsgHdr, namelen)), &namelen)?;
    }
    args::write(field(core::mem::offset_of!(MsgHdr, flags)), &out)?;
    args::write(
        field(core::mem::offset_of!(MsgHdr, controllen)),
        &control.used(),
    )?;
    Ok(told(&received, done, flags) as u64)
}

fn receive(used: &Used, spans: &[UserSpan], flags: u32) -> Result<(Received, usize), Errno> {
    let endpoint = used.endpoint();
    if flags & MSG_OOB != 0 {
        return Err(match endpoint.kind {
            Kind::Stream => Errno::EINVAL,
            _ => Errno::EOPNOTSUPP,
        });
    }
    let nonblocking = used.is_nonblocking() || flags & MSG_DONTWAIT != 0;
    let patience = endpoint.options.receive_patience(nonblocking);
    let wanted = Wanted {
        peek: flags & MSG_PEEK != 0,
        all: flags & MSG_WAITALL != 0,
    };
    let mut to = UserBuf::new(spans);
    let received = endpoint.receive(&mut to, wanted, patience)?;
    Ok((received, to.done()))
}

/// Who sent it, as an address; nothing of a sender without a name.
fn sender_of(received: &Received) -> Vec<u8> {
    match &received.from {
        None => Vec::new(),
        Some(name) => bytes_of(Some(name.clone())),
    }
}

/// What a receiver is told: with `MSG_TRUNC` the length of the message, whatever room there was.
fn told(received: &Received, done: usize, flags: u32) -> usize {
    match received.len {
        Some(len) if flags & MSG_TRUNC != 0 => len,
        _ => done,
    }
}
