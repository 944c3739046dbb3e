//! Options of sockets.

use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::net::{
    AF_UNIX, SO_ACCEPTCONN, SO_BROADCAST, SO_DEBUG, SO_DOMAIN, SO_DONTROUTE, SO_ERROR,
    SO_KEEPALIVE, SO_LINGER, SO_OOBINLINE, SO_PASSCRED, SO_PEERCRED, SO_PRIORITY, SO_PROTOCOL,
    SO_RCVBUF, SO_RCVBUFFORCE, SO_RCVLOWAT, SO_RCVTIMEO_NEW, SO_RCVTIMEO_OLD, SO_REUSEADDR,
    SO_REUSEPORT, SO_SNDBUF, SO_SNDBUFFORCE, SO_SNDLOWAT, SO_SNDTIMEO_NEW, SO_SNDTIMEO_OLD,
    SO_TIMESTAMP_OLD, SO_TYPE, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM,
};
use abi::socket::SOL_SOCKET;
use abi::time::Timeval;
use zerocopy::IntoBytes;

use super::socket::{Used, number_of};
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::unix::{Endpoint, Kind};
use crate::mm::uaccess;

/// The buffer sizes that nobody asked for, and the smallest and largest that are given.
const DEFAULT_BUFFER: u32 = 212_992;
const LEAST_SEND: u32 = 4608;
const LEAST_RECEIVE: u32 = 2304;
const MOST: u32 = 8 << 20;

/// `setsockopt(fd, level, option, value, length)`.
pub fn setsockopt(frame: &mut TrapFrame) -> SysResult {
    let [fd, level, option, value, len, _] = frame.args();
    let used = Used::new(fd)?;
    let len = usize::try_from(len as i32).map_err(|_| Errno::EINVAL)?;
    if level as u32 != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    set(used.endpoint(), option as u32, value, len)?;
    Ok(0)
}

fn set(endpoint: &Endpoint, option: u32, addr: u64, len: usize) -> Result<(), Errno> {
    if len < size_of::<i32>() {
        return Err(Errno::EINVAL);
    }
    let value = args::read::<i32>(addr)?;
    let options = &endpoint.options;
    match option {
        SO_SNDBUF | SO_SNDBUFFORCE => {
            let size = doubled(value, LEAST_SEND);
            endpoint.outgoing.limit.store(size as usize, Relaxed);
            endpoint.outgoing.room.wake_all();
        }
        SO_RCVBUF | SO_RCVBUFFORCE => {
            let size = doubled(value, LEAST_RECEIVE);
            options.receive_buffer.store(size, Relaxed);
        }
        SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW => {
            options.set_timeout(true, timeout(addr, len)?);
        }
        SO_SNDTIMEO_OLD | SO_SNDTIMEO_NEW => {
            options.set_timeout(false, timeout(addr, len)?);
        }
        SO_LINGER => {
            if len < size_of::<[u32; 2]>() {
                return Err(Errno::EINVAL);
            }
            let [on, seconds] = args::read::<[u32; 2]>(addr)?;
            options.linger[0].store(u32::from(on != 0), Relaxed);
            options.linger[1].store(if on != 0 { seconds } else { 0 }, Relaxed);
        }
        SO_DEBUG | SO_REUSEADDR | SO_DONTROUTE | SO_BROADCAST | SO_KEEPALIVE | SO_OOBINLINE
        | SO_PASSCRED | SO_REUSEPORT | SO_TIMESTAMP_OLD => options.set(option, value != 0),
        // They change nothing for sockets of this family.
        SO_PRIORITY | SO_RCVLOWAT => {}
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

/// What a buffer of `value` bytes takes with its overhead.
fn doubled(value: i32, least: u32) -> u32 {
    let value = value.cast_unsigned().min(MOST / 2);
    (value * 2).max(least)
}

fn timeout(addr: u64, len: usize) -> Result<u64, Errno> {
    if len < size_of::<Timeval>() {
        return Err(Errno::EINVAL);
    }
    let time = args::read::<Timeval>(addr)?;
    if !(0..1_000_000).contains(&time.usec) {
        return Err(Errno::EDOM);
    }
    // A time that is over before it begins is over at once.
    Ok(time.to_ns().unwrap_or(1))
}

/// `getsockopt(fd, level, option, value, length)`.
pub fn getsockopt(frame: &mut TrapFrame) -> SysResult {
    let [fd, level, option, value, len_addr, _] = frame.args();
    let used = Used::new(fd)?;
    let room = args::read::<i32>(len_addr)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    if level as u32 != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    let endpoint = used.endpoint();
    let options = &endpoint.options;
    let tell = |bytes: &[u8]| tell(value, len_addr, room, bytes);
    let number = match option as u32 {
        SO_TYPE => match endpoint.kind {
            Kind::Stream => SOCK_STREAM,
            Kind::Datagram => SOCK_DGRAM,
            Kind::Packets => SOCK_SEQPACKET,
        },
        SO_DOMAIN => AF_UNIX,
        SO_PROTOCOL | SO_PRIORITY => 0,
        SO_ERROR => number_of(endpoint.take_error()) as u32,
        SO_ACCEPTCONN => endpoint.is_listening().into(),
        SO_SNDBUF => endpoint.outgoing.limit.load(Relaxed) as u32,
        SO_RCVBUF => match options.receive_buffer.load(Relaxed) {
            0 => DEFAULT_BUFFER,
            size => size,
        },
        SO_RCVLOWAT | SO_SNDLOWAT => 1,
        SO_PEERCRED => return tell(endpoint.peer_cred().as_bytes()),
        SO_LINGER => {
            let linger = options.linger.each_ref().map(|word| word.load(Relaxed));
            return tell(linger.as_bytes());
        }
        option @ (SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW | SO_SNDTIMEO_OLD | SO_SNDTIMEO_NEW) => {
            let receiver = matches!(option, SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW);
            return tell(Timeval::from_ns(options.timeout(receiver)).as_bytes());
        }
        option @ (SO_DEBUG | SO_REUSEADDR | SO_DONTROUTE | SO_BROADCAST | SO_KEEPALIVE
        | SO_OOBINLINE | SO_PASSCRED | SO_REUSEPORT | SO_TIMESTAMP_OLD) => {
            options.is_on(option).into()
        }
        _ => return Err(Errno::ENOPROTOOPT),
    };
    tell(number.as_bytes())
}

fn tell(addr: u64, len_addr: u64, room: usize, bytes: &[u8]) -> SysResult {
    let len = room.min(bytes.len());
    uaccess::copy_to_user(addr, &bytes[..len])?;
    args::write(len_addr, &(len as u32))?;
    Ok(0)
}
