//! Sockets of this machine: streams, datagrams, packets; names, connections, messages with open files in them.

use super::events::{eventfd, give, polled, take};
use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "unixes",
    about: "sockets: names, connections, messages, rights",
    cases: &[
        ("streams_connect_and_carry", streams_connect_and_carry),
        ("backlogs_are_bounded", backlogs_are_bounded),
        ("names_that_are_files", names_that_are_files),
        (
            "names_that_stand_for_themselves",
            names_that_stand_for_themselves,
        ),
        ("datagrams_keep_their_borders", datagrams_keep_their_borders),
        (
            "states_are_polled_as_on_linux",
            states_are_polled_as_on_linux,
        ),
        ("ends_are_told_once", ends_are_told_once),
        ("peeks_take_nothing", peeks_take_nothing),
        ("files_travel_in_messages", files_travel_in_messages),
        ("too_little_room_for_files", too_little_room_for_files),
        ("senders_are_told", senders_are_told),
        ("circles_of_sockets_go", circles_of_sockets_go),
        ("deep_chains_of_sockets_go", deep_chains_of_sockets_go),
        ("waits_have_ends", waits_have_ends),
        ("all_is_waited_for", all_is_waited_for),
        ("several_messages_at_once", several_messages_at_once),
        ("bad_input", bad_input),
        ("much_goes_through_whole", much_goes_through_whole),
    ],
};

const STREAM: i32 = libc::SOCK_STREAM;
const DGRAM: i32 = libc::SOCK_DGRAM;
const PACKET: i32 = libc::SOCK_SEQPACKET;
const NONBLOCK: i32 = libc::SOCK_NONBLOCK;
const DONTWAIT: u64 = libc::MSG_DONTWAIT as u64;
const NOSIGNAL: u64 = libc::MSG_NOSIGNAL as u64;

fn socket(kind: i32) -> sys::Result<i32> {
    sys::call(libc::SYS_socket, [1, kind as u64, 0]).map(|fd| fd as i32)
}

fn pair(kind: i32) -> sys::Result<[i32; 2]> {
    let mut ends = [0_i32; 2];
    let args = [1, kind as u64, 0, sys::at(&mut ends)];
    sys::call(libc::SYS_socketpair, args)?;
    Ok(ends)
}

/// Calls with an address: `bind`, `connect`.
fn named(call: i64, fd: i32, name: &[u8]) -> sys::Result {
    let mut address = [1_u8, 0].to_vec();
    address.extend_from_slice(name);
    let len = address.len() as u64;
    sys::call(call, [fd as u64, sys::at(&mut address[..]), len])
}

fn listen(fd: i32, backlog: u64) -> sys::Result {
    sys::call(libc::SYS_listen, [fd as u64, backlog])
}

fn accept(fd: i32) -> sys::Result<i32> {
    sys::call(libc::SYS_accept4, [fd as u64, 0, 0, 0]).map(|fd| fd as i32)
}

fn send(fd: i32, text: &[u8], flags: u64) -> sys::Result {
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

fn receive(fd: i32, room: usize, flags: u64) -> sys::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; room];
    let args = [fd as u64, sys::at(&mut bytes[..]), room as u64, flags, 0, 0];
    let count = sys::call(libc::SYS_recvfrom, args)?;
    bytes.truncate(count as usize);
    Ok(bytes)
}

/// Which name `getsockname` or `getpeername` tells.
fn name_of(call: i64, fd: i32) -> sys::Result<Vec<u8>> {
    let mut address = [0_u8; 110];
    let mut len = 110_u32;
    sys::call(call, [fd as u64, sys::at(&mut address), sys::at(&mut len)])?;
    Ok(address[2..len as usize].to_vec())
}

fn option(fd: i32, which: i32) -> sys::Result<i32> {
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

fn set_option(fd: i32, which: i32, value: i32) -> sys::Result {
    let mut value = value;
    let args = [fd as u64, 1, which as u64, sys::at(&mut value), 4];
    sys::call(libc::SYS_setsockopt, args)
}

fn streams_connect_and_carry() -> Verdict {
    let server = must("socket", socket(STREAM))?;
    refused("no name yet", listen(server, 4), libc::EINVAL)?;
    must("bind", named(libc::SYS_bind, server, b"\0streams"))?;
    let client = must("socket", socket(STREAM))?;
    let connect = |fd| named(libc::SYS_connect, fd, b"\0streams");
    refused("nobody listens", connect(client), libc::ECONNREFUSED)?;
    must("listen", listen(server, 4))?;
    same("it listens", option(server, libc::SO_ACCEPTCONN), Ok(1))?;
    let pid = must(
        "fork",
        child::start(|| {
            let done = connect(client).is_ok() && send(client, b"hello", 0) == Ok(5);
            i32::from(!(done && receive(client, 9, 0) == Ok(b"you".to_vec())))
        }),
    )?;
    let end = must("accept", accept(server))?;
    same("a greeting", receive(end, 9, 0), Ok(b"hello".to_vec()))?;
    same(
        "its name",
        name_of(libc::SYS_getsockname, end),
        Ok(b"\0streams".to_vec()),
    )?;
    same(
        "a client has none",
        name_of(libc::SYS_getpeername, end),
        Ok(vec![]),
    )?;
    let mut cred = [0_i32; 3];
    let mut len = 12_u32;
    let args = [
        end as u64,
        1,
        libc::SO_PEERCRED as u64,
        sys::at(&mut cred),
        sys::at(&mut len),
    ];
    must("peercred", sys::call(libc::SYS_getsockopt, args))?;
    same("who it is", cred[0], pid)?;
    must("answer", send(end, b"you", 0))?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )?;
    must("close", sys::close(client))?;
    same("the end", receive(end, 9, 0), Ok(vec![]))?;
    refused("nobody there", send(end, b"x", NOSIGNAL), libc::EPIPE)?;
    refused("twice", connect(end), libc::EISCONN)
}

fn backlogs_are_bounded() -> Verdict {
    let server = must("socket", socket(STREAM | NONBLOCK))?;
    must("bind", named(libc::SYS_bind, server, b"\0backlog"))?;
    must("listen", listen(server, 1))?;
    refused("nobody yet", accept(server), libc::EAGAIN)?;
    let mut clients = vec![];
    for _ in 0..3 {
        clients.push(must("socket", socket(STREAM | NONBLOCK))?);
    }
    let connect = |fd| named(libc::SYS_connect, fd, b"\0backlog");
    same("one", connect(clients[0]), Ok(0))?;
    same("two", connect(clients[1]), Ok(0))?;
    refused("full", connect(clients[2]), libc::EAGAIN)?;
    must("sent before it is accepted", send(clients[0], b"early", 0))?;
    let end = must("accept", accept(server))?;
    same("it waits", receive(end, 9, 0), Ok(b"early".to_vec()))?;
    same("room again", connect(clients[2]), Ok(0))?;
    must("close", sys::close(server))?;
    refused(
        "never accepted",
        receive(clients[1], 9, 0),
        libc::ECONNRESET,
    )?;
    same("the accepted lives", send(clients[0], b"x", 0), Ok(1))
}

fn names_that_are_files() -> Verdict {
    let path = format!("/tmp/probe-socket-{}", sys::getpid());
    let _ = std::fs::create_dir("/tmp");
    let (server, client) = (
        must("socket", socket(STREAM))?,
        must("socket", socket(STREAM))?,
    );
    let connect = || named(libc::SYS_connect, client, path.as_bytes());
    refused("no such file", connect(), libc::ENOENT)?;
    must("bind", named(libc::SYS_bind, server, path.as_bytes()))?;
    let told = name_of(libc::SYS_getsockname, server);
    same(
        "its name, with a NUL",
        told,
        Ok(format!("{path}\0").into_bytes()),
    )?;
    refused(
        "taken",
        named(libc::SYS_bind, client, path.as_bytes()),
        libc::EADDRINUSE,
    )?;
    refused(
        "named already",
        named(libc::SYS_bind, server, b"/tmp/other"),
        libc::EINVAL,
    )?;
    let kind = std::fs::symlink_metadata(&path).map(|facts| {
        use std::os::unix::fs::FileTypeExt;
        facts.file_type().is_socket()
    });
    same("a socket in the tree", kind.ok(), Some(true))?;
    let opened = std::fs::File::open(&path).map_err(|error| error.raw_os_error());
    same(
        "not to be opened",
        opened.err().flatten(),
        Some(libc::ENXIO),
    )?;
    refused("nobody listens", connect(), libc::ECONNREFUSED)?;
    must("listen", listen(server, 4))?;
    let datagram = must("socket", socket(DGRAM))?;
    let other = named(libc::SYS_connect, datagram, path.as_bytes());
    refused("of another kind", other, libc::EPROTOTYPE)?;
    same("connect", connect(), Ok(0))?;
    let moved = format!("{path}-moved");
    must(
        "rename",
        std::fs::rename(&path, &moved).map_err(|_| sys::Errno(0)),
    )?;
    let second = must("socket", socket(STREAM))?;
    same(
        "by its new name",
        named(libc::SYS_connect, second, moved.as_bytes()),
        Ok(0),
    )?;
    must("close", sys::close(server))?;
    let third = must("socket", socket(STREAM))?;
    let late = named(libc::SYS_connect, third, moved.as_bytes());
    refused("the file stays, nobody is there", late, libc::ECONNREFUSED)?;
    must(
        "remove",
        std::fs::remove_file(&moved).map_err(|_| sys::Errno(0)),
    )?;
    let root = named(libc::SYS_connect, third, b"/");
    refused("a directory", root, libc::ECONNREFUSED)
}

fn names_that_stand_for_themselves() -> Verdict {
    let (a, b) = (
        must("socket", socket(DGRAM))?,
        must("socket", socket(DGRAM))?,
    );
    must("bind", named(libc::SYS_bind, a, b"\0x\0y"))?;
    refused(
        "taken",
        named(libc::SYS_bind, b, b"\0x\0y"),
        libc::EADDRINUSE,
    )?;
    let stream = must("socket", socket(STREAM))?;
    must(
        "but not for streams",
        named(libc::SYS_bind, stream, b"\0x\0y"),
    )?;
    must("any name", named(libc::SYS_bind, b, b""))?;
    let name = must("name", name_of(libc::SYS_getsockname, b))?;
    holds("five digits", name.len() == 6 && name[0] == 0)?;
    must("again", named(libc::SYS_bind, b, b""))?;
    same("no other", name_of(libc::SYS_getsockname, b), Ok(name))?;
    must("close", sys::close(a))?;
    let c = must("socket", socket(DGRAM))?;
    must("free again", named(libc::SYS_bind, c, b"\0x\0y")).map(|_| ())
}

fn datagrams_keep_their_borders() -> Verdict {
    let [a, b] = must("pair", pair(DGRAM))?;
    for text in [&b"one"[..], b"", b"three"] {
        same("send", send(a, text, 0), Ok(text.len() as u64))?;
    }
    same("cut", receive(b, 2, 0), Ok(b"on".to_vec()))?;
    same("empty", receive(b, 9, 0), Ok(vec![]))?;
    let args = [b as u64, 0, 0, libc::MSG_TRUNC as u64 | DONTWAIT, 0, 0];
    same(
        "how long it was",
        sys::call(libc::SYS_recvfrom, args),
        Ok(5),
    )?;
    refused("no more", receive(b, 9, DONTWAIT), libc::EAGAIN)?;
    // To a name, and from one.
    let (server, client) = (
        must("socket", socket(DGRAM))?,
        must("socket", socket(DGRAM | NONBLOCK))?,
    );
    must("bind", named(libc::SYS_bind, server, b"\0letters"))?;
    refused("to nobody", send(client, b"x", 0), libc::ENOTCONN)?;
    let mut address = *b"\x01\0\0letters";
    let (text, len) = (b"hi", address.len() as u64);
    let to = [
        client as u64,
        text.as_ptr() as u64,
        2,
        0,
        sys::at(&mut address),
        len,
    ];
    same("to a name", sys::call(libc::SYS_sendto, to), Ok(2))?;
    let (mut bytes, mut from, mut room) = ([0_u8; 9], [7_u8; 20], 20_u32);
    let args = [
        server as u64,
        sys::at(&mut bytes),
        9,
        0,
        sys::at(&mut from),
        sys::at(&mut room),
    ];
    same("arrives", sys::call(libc::SYS_recvfrom, args), Ok(2))?;
    same("from nobody", room, 0)?;
    must("connect", named(libc::SYS_connect, client, b"\0letters"))?;
    let mut sent = 0;
    while send(client, b"x", 0).is_ok() {
        sent += 1;
    }
    same("so many wait", sent, 11)?;
    same("and no more may be sent", polled(client, 4, 0), Ok(0))?;
    must("receive", receive(server, 1, 0))?;
    same("one may", polled(client, 4, 0), Ok(4))?;
    must("close", sys::close(server))?;
    refused("it has gone", send(client, b"x", 0), libc::ECONNREFUSED)?;
    refused("and is forgotten", send(client, b"x", 0), libc::ENOTCONN)
}

fn states_are_polled_as_on_linux() -> Verdict {
    let all = 0x3fff;
    for (kind, alone) in [(STREAM, 0x314), (DGRAM, 0x304), (PACKET, 0x314)] {
        let lone = must("socket", socket(kind))?;
        same("alone", polled(lone, all, 0), Ok(alone))?;
        let [a, b] = must("pair", pair(kind))?;
        same("connected", polled(a, all, 0), Ok(0x304))?;
        must("send", send(b, b"x", 0))?;
        same("readable", polled(a, all, 0), Ok(0x345))?;
        must("receive", receive(a, 1, 0))?;
        must("shut", sys::call(libc::SYS_shutdown, [a as u64, 1]))?;
        let half = if kind == DGRAM { 0x304 } else { 0x2345 };
        same("the other is half closed", polled(b, all, 0), Ok(half))?;
        refused("writes", send(a, b"x", NOSIGNAL), libc::EPIPE)?;
        must("shut", sys::call(libc::SYS_shutdown, [a as u64, 0]))?;
        same("shut", polled(a, all, 0), Ok(0x2355))?;
        refused("writes", send(b, b"x", NOSIGNAL), libc::EPIPE)?;
        let [a, b] = must("pair", pair(kind))?;
        must("close", sys::close(b))?;
        let gone = if kind == DGRAM { 0x304 } else { 0x2355 };
        same("the other has gone", polled(a, all, 0), Ok(gone))?;
    }
    Ok(())
}

fn ends_are_told_once() -> Verdict {
    let [a, b] = must("pair", pair(STREAM))?;
    must("send", send(a, b"unread", 0))?;
    must("send", send(b, b"abc", 0))?;
    must("close", sys::close(b))?;
    same("what was sent", receive(a, 9, 0), Ok(b"abc".to_vec()))?;
    refused(
        "then that something is lost",
        receive(a, 9, 0),
        libc::ECONNRESET,
    )?;
    same("then the end", receive(a, 9, 0), Ok(vec![]))?;
    let [a, b] = must("pair", pair(STREAM))?;
    must("send", send(a, b"unread", 0))?;
    must("close", sys::close(b))?;
    same(
        "as an option",
        option(a, libc::SO_ERROR),
        Ok(libc::ECONNRESET),
    )?;
    same("once", option(a, libc::SO_ERROR), Ok(0))?;
    user::probe::dies("a write without the flag", libc::SIGPIPE, || {
        let mut default = [0_u64; 4];
        let args = [libc::SIGPIPE as u64, sys::at(&mut default), 0, 8];
        let _ = sys::call(libc::SYS_rt_sigaction, args);
        send(a, b"x", 0).map_or(2, |_| 3)
    })
}

fn peeks_take_nothing() -> Verdict {
    let peek = libc::MSG_PEEK as u64;
    let [a, b] = must("pair", pair(STREAM))?;
    must("send", send(a, b"abc", 0))?;
    must("send", send(a, b"def", 0))?;
    same("across borders", receive(b, 5, peek), Ok(b"abcde".to_vec()))?;
    same("again", receive(b, 9, peek), Ok(b"abcdef".to_vec()))?;
    same("a part", receive(b, 2, 0), Ok(b"ab".to_vec()))?;
    same(
        "what is left",
        receive(b, 9, peek | DONTWAIT),
        Ok(b"cdef".to_vec()),
    )?;
    let mut count = 0_i32;
    must(
        "FIONREAD",
        sys::call(
            libc::SYS_ioctl,
            [b as u64, libc::FIONREAD, sys::at(&mut count)],
        ),
    )?;
    same("its length", count, 4)?;
    same("all", receive(b, 9, 0), Ok(b"cdef".to_vec()))
}

#[repr(C)]
#[derive(Default)]
struct Header {
    name: u64,
    namelen: u64,
    iov: u64,
    iovlen: u64,
    control: u64,
    controllen: u64,
    flags: u64,
}

/// Sends one byte with these descriptors.
fn send_files(fd: i32, files: &[i32]) -> sys::Result {
    let mut byte = *b"f";
    let mut vector = [sys::at(&mut byte), 1];
    let mut control = vec![0_u64; 2 + files.len().div_ceil(2)];
    let len = 16 + 4 * files.len() as u64;
    control[0] = len;
    control[1] = 1 | 1 << 32;
    for (index, file) in files.iter().enumerate() {
        control[2 + index / 2] |= u64::from(*file as u32) << (index % 2 * 32);
    }
    let mut header = Header {
        iov: sys::at(&mut vector),
        iovlen: 1,
        control: sys::at(&mut control[..]),
        controllen: len,
        ..Header::default()
    };
    sys::call(
        libc::SYS_sendmsg,
        [fd as u64, sys::at(&mut header), NOSIGNAL],
    )
}

/// Receives with room for so many bytes of control data: the bytes, that data as it was filled, and the flags.
fn receive_files(fd: i32, room: u64, flags: u64) -> sys::Result<(u64, Vec<u32>, u64)> {
    let mut bytes = [0_u8; 16];
    let mut vector = [sys::at(&mut bytes), 16];
    let mut control = [0_u32; 64];
    let mut header = Header {
        iov: sys::at(&mut vector),
        iovlen: 1,
        control: sys::at(&mut control),
        controllen: room,
        ..Header::default()
    };
    let count = sys::call(libc::SYS_recvmsg, [fd as u64, sys::at(&mut header), flags])?;
    let filled = control[..header.controllen as usize / 4].to_vec();
    Ok((count, filled, header.flags & 0xffff_ffff))
}

fn files_travel_in_messages() -> Verdict {
    for kind in [STREAM, DGRAM, PACKET] {
        let [a, b] = must("pair", pair(kind))?;
        let file = must("eventfd", eventfd(7, 0))?;
        must("plain", send(a, b"before", 0))?;
        same("send", send_files(a, &[file, file]), Ok(1))?;
        must("close", sys::close(file))?;
        must("after", send(a, b"after", 0))?;
        let (count, control, flags) = must("receive", receive_files(b, 64, 0))?;
        // A stream goes on into the message with the files, and stops behind it.
        let (count, control, flags) = match kind {
            STREAM => (count - 6, control, flags),
            _ => {
                same("the first has none", (count, control.len()), (6, 0))?;
                must("receive", receive_files(b, 64, 0))?
            }
        };
        same("bytes", (count, flags), (1, 0))?;
        same("the head", &control[..4], &[24, 0, 1, 1])?;
        same("one of them", take(control[4] as i32), Ok(7))?;
        same(
            "is the other",
            give(control[5] as i32, 3).and_then(|_| take(control[4] as i32)),
            Ok(3),
        )?;
        let (count, control, _) = must("receive", receive_files(b, 64, 0))?;
        same("the rest has none", (count, control.len()), (5, 0))?;
    }
    let [a, b] = must("pair", pair(STREAM))?;
    refused("no descriptor", send_files(a, &[99]), libc::EBADF)?;
    refused("too many", send_files(a, &[a; 254]), libc::EINVAL)?;
    same("as many as may be", send_files(a, &[a; 253]), Ok(1))?;
    let cloexec = libc::MSG_CMSG_CLOEXEC as u64;
    let (_, control, flags) = must("receive", receive_files(b, 24, cloexec))?;
    same(
        "cut, and closed on exec",
        flags,
        libc::MSG_CTRUNC as u64 | cloexec,
    )?;
    let first = u64::from(control[4]);
    same(
        "the flag",
        sys::call(libc::SYS_fcntl, [first, libc::F_GETFD as u64, 0]),
        Ok(1),
    )
}

fn too_little_room_for_files() -> Verdict {
    let [a, b] = must("pair", pair(DGRAM))?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("send", send_files(a, &[writer]))?;
    must("close", sys::close(writer))?;
    same("the file is on its way", polled(reader, 1, 0), Ok(0))?;
    let (_, control, flags) = must("receive", receive_files(b, 16, 0))?;
    same(
        "no room",
        (control.len(), flags),
        (0, libc::MSG_CTRUNC as u64),
    )?;
    same("so it was closed", polled(reader, 1, 0), Ok(0x10))?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("send", send_files(a, &[writer]))?;
    must("close", sys::close(writer))?;
    same(
        "read takes no files",
        sys::read(b, sys::at(&mut [0_u8]), 1),
        Ok(1),
    )?;
    same("closed too", polled(reader, 1, 0), Ok(0x10))
}

fn senders_are_told() -> Verdict {
    let [a, b] = must("pair", pair(DGRAM))?;
    must("ask", set_option(b, libc::SO_PASSCRED, 1))?;
    same("asked", option(b, libc::SO_PASSCRED), Ok(1))?;
    let pid = must(
        "fork",
        child::start(|| i32::from(send(a, b"me", 0) != Ok(2))),
    )?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )?;
    let (count, control, _) = must("receive", receive_files(b, 64, 0))?;
    same("bytes", count, 2)?;
    same("who", &control[..5], &[28, 0, 1, 2, pid as u32])
}

/// Sockets that are only in each other's messages, or in their own, are let go.
fn circles_of_sockets_go() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    for _ in 0..50 {
        let [a, b] = must("pair", pair(STREAM))?;
        must("itself", send_files(a, &[b]))?;
        must("and the other", send_files(b, &[a, writer]))?;
        must("close", sys::close(a))?;
        must("close", sys::close(b))?;
    }
    must("close", sys::close(writer))?;
    // Another socket that goes makes the kernel look.
    let [a, b] = must("pair", pair(STREAM))?;
    must("close", sys::close(a))?;
    must("close", sys::close(b))?;
    same(
        "the pipe's end has gone with them",
        polled(reader, 1, 2000),
        Ok(0x10),
    )
}

/// A socket in a socket in a socket …
fn deep_chains_of_sockets_go() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut inner = writer;
    for _ in 0..3000 {
        let [a, b] = must("pair", pair(DGRAM))?;
        must("send", send_files(a, &[inner]))?;
        must("close", sys::close(inner))?;
        must("close", sys::close(a))?;
        inner = b;
    }
    must("close", sys::close(inner))?;
    same("all of it", polled(reader, 1, 2000), Ok(0x10))
}

fn waits_have_ends() -> Verdict {
    let [a, b] = must("pair", pair(STREAM))?;
    let mut time = [0_u64, 20_000];
    let args = [
        a as u64,
        1,
        libc::SO_RCVTIMEO as u64,
        sys::at(&mut time),
        16,
    ];
    must("set", sys::call(libc::SYS_setsockopt, args))?;
    let start = sys::now_ms();
    refused("nothing came", receive(a, 1, 0), libc::EAGAIN)?;
    holds("it waited", sys::now_ms() - start >= 15)?;
    lives("a reader is woken", || {
        let writer = child::start(|| {
            let _ = sys::sleep_ms(20);
            i32::from(send(a, b"x", 0) != Ok(1))
        });
        let got = receive(b, 1, 0) == Ok(b"x".to_vec());
        i32::from(!got || writer.and_then(child::wait) != Ok(Ended::Exited(0)))
    })
}

fn all_is_waited_for() -> Verdict {
    let [a, b] = must("pair", pair(STREAM))?;
    let pid = must(
        "fork",
        child::start(|| {
            for piece in [&b"ab"[..], b"cd", b"ef"] {
                let _ = sys::sleep_ms(5);
                if send(a, piece, 0).is_err() {
                    return 1;
                }
            }
            0
        }),
    )?;
    let all = libc::MSG_WAITALL as u64;
    same("six bytes", receive(b, 6, all), Ok(b"abcdef".to_vec()))?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )?;
    must("send", send(a, b"xy", 0))?;
    must("close", sys::close(a))?;
    same("or the end", receive(b, 6, all), Ok(b"xy".to_vec()))
}

fn several_messages_at_once() -> Verdict {
    let [a, b] = must("pair", pair(DGRAM))?;
    let mut texts = [*b"one", *b"two"];
    let mut vectors = texts.each_mut().map(|text| [sys::at(text), 3]);
    let mut messages = [[0_u64; 8]; 2];
    for (message, vector) in messages.iter_mut().zip(&mut vectors) {
        message[2] = sys::at(vector);
        message[3] = 1;
    }
    let at = sys::at(&mut messages);
    same(
        "sent",
        sys::call(libc::SYS_sendmmsg, [a as u64, at, 2, 0]),
        Ok(2),
    )?;
    same("lengths", [messages[0][7], messages[1][7]], [3, 3])?;
    texts = [[0; 3]; 2];
    let args = [b as u64, sys::at(&mut messages), 2, DONTWAIT, 0];
    same("received", sys::call(libc::SYS_recvmmsg, args), Ok(2))?;
    same("bytes", texts, [*b"one", *b"two"])?;
    refused("no more", sys::call(libc::SYS_recvmmsg, args), libc::EAGAIN)
}

fn bad_input() -> Verdict {
    let call = |kind: u64, protocol: u64| sys::call(libc::SYS_socket, [1, kind, protocol]);
    refused(
        "no such family",
        sys::call(libc::SYS_socket, [77, 1, 0]),
        libc::EAFNOSUPPORT,
    )?;
    refused("no such type", call(11, 0), libc::EINVAL)?;
    refused("not a type of it", call(4, 0), libc::ESOCKTNOSUPPORT)?;
    refused("no such protocol", call(1, 2), libc::EPROTONOSUPPORT)?;
    refused("no such flag", call(0x10_0001, 0), libc::EINVAL)?;
    refused("no descriptor", listen(99, 1), libc::EBADF)?;
    let file = must("eventfd", eventfd(0, 0))?;
    refused("no socket", listen(file, 1), libc::ENOTSOCK)?;
    refused("no socket", send(file, b"x", 0), libc::ENOTSOCK)?;
    let lone = must("socket", socket(STREAM))?;
    refused("not connected", receive(lone, 1, 0), libc::EINVAL)?;
    refused("not connected", send(lone, b"x", NOSIGNAL), libc::ENOTCONN)?;
    refused(
        "no peer",
        name_of(libc::SYS_getpeername, lone),
        libc::ENOTCONN,
    )?;
    refused("does not listen", accept(lone), libc::EINVAL)?;
    refused(
        "no such end",
        sys::call(libc::SYS_shutdown, [lone as u64, 3]),
        libc::EINVAL,
    )?;
    refused("no name", named(libc::SYS_connect, lone, b""), libc::EINVAL)?;
    refused(
        "a long name",
        named(libc::SYS_bind, lone, &[b'a'; 109]),
        libc::EINVAL,
    )?;
    refused("no such option", option(lone, 999), libc::ENOPROTOOPT)?;
    refused(
        "not to be set",
        set_option(lone, libc::SO_TYPE, 1),
        libc::ENOPROTOOPT,
    )?;
    same("its type", option(lone, libc::SO_TYPE), Ok(STREAM))?;
    same("its family", option(lone, libc::SO_DOMAIN), Ok(1))?;
    let datagram = must("socket", socket(DGRAM))?;
    refused("does not listen", listen(datagram, 1), libc::EOPNOTSUPP)?;
    refused("does not accept", accept(datagram), libc::EOPNOTSUPP)?;
    let [a, b] = must("pair", pair(STREAM))?;
    let bad = [a as u64, 8, 4, 0, 0, 0];
    refused(
        "a bad address",
        sys::call(libc::SYS_sendto, bad),
        libc::EFAULT,
    )?;
    must("send", send(a, b"kept", 0))?;
    let bad = [b as u64, 8, 4, 0, 0, 0];
    refused(
        "a bad buffer",
        sys::call(libc::SYS_recvfrom, bad),
        libc::EFAULT,
    )?;
    same(
        "loses nothing of a stream",
        receive(b, 9, 0),
        Ok(b"kept".to_vec()),
    )?;
    let long = vec![0_u8; 300_000];
    let [a, _b] = must("pair", pair(PACKET))?;
    refused("too long", send(a, &long, 0), libc::EMSGSIZE)
}

/// Every byte of a stream arrives, in order, whatever the sizes of the pieces are.
fn much_goes_through_whole() -> Verdict {
    const SIZE: usize = 2 << 20;
    let [a, b] = must("pair", pair(STREAM))?;
    let byte = |at: usize| (at % 251) as u8;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::close(b);
            let bytes: Vec<u8> = (0..SIZE).map(byte).collect();
            let (mut sent, mut size) = (0, 1);
            while sent < SIZE {
                let end = SIZE.min(sent + size);
                match send(a, &bytes[sent..end], 0) {
                    Ok(count) => sent += count as usize,
                    Err(_) => return 1,
                }
                size = (size * 7 + 3) % 90_000 + 1;
            }
            0
        }),
    )?;
    must("close", sys::close(a))?;
    let (mut got, mut room) = (0, 5000);
    loop {
        let bytes = must("receive", receive(b, room, 0))?;
        if bytes.is_empty() {
            break;
        }
        holds(
            "in order",
            bytes
                .iter()
                .enumerate()
                .all(|(index, found)| *found == byte(got + index)),
        )?;
        got += bytes.len();
        room = (room * 5 + 1) % 70_000 + 1;
    }
    same("all of it", got, SIZE)?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )
}
