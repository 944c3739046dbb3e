//! Sockets: connected pairs on this machine, and nothing else.

use abi::Errno;
use abi::file::OpenFlags;

use super::{SysResult, args, fd, file};
use crate::arch::trapframe::TrapFrame;
use crate::fs::socketpair;

/// Unix-domain sockets, the only domain.
const AF_UNIX: u64 = 1;
/// A stream of bytes.
const SOCK_STREAM: u64 = 1;
/// Messages, in order.
const SOCK_SEQPACKET: u64 = 5;
/// The bits of the type that are not flags.
const TYPE_MASK: u64 = 0xf;
/// A write to a closed socket raises no signal.
const MSG_NOSIGNAL: u64 = 0x4000;

/// `socketpair(domain, type, protocol, fds)`.
pub fn socketpair(frame: &mut TrapFrame) -> SysResult {
    let [domain, kind, protocol, fds, ..] = frame.args();
    let flags = OpenFlags::from_bits_retain((kind & !TYPE_MASK) as u32);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL);
    }
    if domain != AF_UNIX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if protocol > 1 {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let pair = match kind & TYPE_MASK {
        SOCK_STREAM => socketpair::streams(flags),
        SOCK_SEQPACKET => socketpair::packets(flags),
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    fd::insert_pair(fds, pair, flags)
}

/// `recvfrom(fd, buf, len, flags, addr, addr_len)`: the sender has no address to tell.
pub fn recvfrom(frame: &mut TrapFrame) -> SysResult {
    let [fd, _, _, flags, _, addr_len] = frame.args();
    check(fd, flags, 0)?;
    let received = file::read(frame)?;
    args::write_optional(addr_len, &0_u32)?;
    Ok(received)
}

/// `sendto(fd, buf, len, flags, addr, addr_len)`: the receiver is the other end.
pub fn sendto(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, len, flags, addr, _] = frame.args();
    check(fd, flags, MSG_NOSIGNAL)?;
    if addr != 0 {
        return Err(Errno::EISCONN);
    }
    file::write_quietly(fd, buf, len, flags & MSG_NOSIGNAL != 0)
}

fn check(fd: u64, flags: u64, known: u64) -> Result<(), Errno> {
    if !args::file(fd)?.file().is_socket() {
        return Err(Errno::ENOTSOCK);
    }
    if flags & !known == 0 {
        Ok(())
    } else {
        Err(Errno::EOPNOTSUPP)
    }
}
