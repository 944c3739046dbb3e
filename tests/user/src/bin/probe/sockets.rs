//! Calls on sockets, for the cases about them.

use user::sys;

pub(super) const STREAM: i32 = libc::SOCK_STREAM;
pub(super) const DGRAM: i32 = libc::SOCK_DGRAM;
pub(super) const PACKET: i32 = libc::SOCK_SEQPACKET;
pub(super) const NONBLOCK: i32 = libc::SOCK_NONBLOCK;
pub(super) const DONTWAIT: u64 = libc::MSG_DONTWAIT as u64;
pub(super) const NOSIGNAL: u64 = libc::MSG_NOSIGNAL as u64;

pub(super) fn socket(kind: i32) -> sys::Result<i32> {
    sys::call(libc::SYS_socket, [1, kind as u64, 0]).map(|fd| fd as i32)
}

pub(super) fn pair(kind: i32) -> sys::Result<[i32; 2]> {
    let mut ends = [0_i32; 2];
    let args = [1, kind as u64, 0, sys::at(&mut ends)];
    sys::call(libc::SYS_socketpair, args)?;
    Ok(ends)
}

/// Calls with an address: `bind`, `connect`.
pub(super) fn named(call: i64, fd: i32, name: &[u8]) -> sys::Result {
    let mut address = [1_u8, 0].to_vec();
    address.extend_from_slice(name);
    let len = address.len() as u64;
    sys::call(call, [fd as u64, sys::at(&mut address[..]), len])
}

pub(super) fn listen(fd: i32, backlog: u64) -> sys::Result {
    sys::call(libc::SYS_listen, [fd as u64, backlog])
}

pub(super) fn accept(fd: i32) -> sys::Result<i32> {
    sys::call(libc::SYS_accept4, [fd as u64, 0, 0, 0]).map(|fd| fd as i32)
}

pub(super) fn send(fd: i32, text: &[u8], flags: u64) -> sys::Result {
    let args = [
        fd as u64,
        text.as_ptr() as u64,
        text.len() as u64,
        flags,
        0,
        0,
    ];
    sys::call(libc::SYS_sendto, args)
}

pub(super) fn receive(fd: i32, room: usize, flags: u64) -> sys::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; room];
    let args = [fd as u64, sys::at(&mut bytes[..]), room as u64, flags, 0, 0];
    let count = sys::call(libc::SYS_recvfrom, args)?;
    bytes.truncate(count as usize);
    Ok(bytes)
}

/// Which name `getsockname` or `getpeername` tells.
pub(super) fn name_of(call: i64, fd: i32) -> sys::Result<Vec<u8>> {
    let mut address = [0_u8; 110];
    let mut len = 110_u32;
    sys::call(call, [fd as u64, sys::at(&mut address), sys::at(&mut len)])?;
    Ok(address[2..len as usize].to_vec())
}

pub(super) fn option(fd: i32, which: i32) -> sys::Result<i32> {
    let (mut value, mut len) = (0_i32, 4_u32);
    let args = [
        fd as u64,
        1,
        which as u64,
        sys::at(&mut value),
        sys::at(&mut len),
    ];
    sys::call(libc::SYS_getsockopt, args)?;
    Ok(value)
}

pub(super) fn set_option(fd: i32, which: i32, value: i32) -> sys::Result {
    let mut value = value;
    let args = [fd as u64, 1, which as u64, sys::at(&mut value), 4];
    sys::call(libc::SYS_setsockopt, args)
}
