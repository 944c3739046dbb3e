//! Sockets of this machine: their names, how they come together, what they are ready for, how they end.

use super::events::{eventfd, polled};
use super::sockets::*;
use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "unixes",
    about: "sockets: names, connections, states",
    cases: &[
        ("streams_connect_and_carry", streams_connect_and_carry),
        ("backlogs_are_bounded", backlogs_are_bounded),
        ("names_that_are_files", names_that_are_files),
        (
            "names_that_stand_for_themselves",
            names_that_stand_for_themselves,
        ),
        (
            "states_are_polled_as_on_linux",
            states_are_polled_as_on_linux,
        ),
        ("ends_are_told_once", ends_are_told_once),
        ("bad_input", bad_input),
        ("much_goes_through_whole", much_goes_through_whole),
    ],
};

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
