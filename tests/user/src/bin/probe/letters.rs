//! Messages through sockets: their borders, what goes with them, and what becomes of open files in them.

use super::events::{eventfd, give, polled, take};
use super::sockets::*;
use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "letters",
    about: "sockets: messages, and files in them",
    cases: &[
        ("datagrams_keep_their_borders", datagrams_keep_their_borders),
        ("peeks_take_nothing", peeks_take_nothing),
        ("files_travel_in_messages", files_travel_in_messages),
        ("too_little_room_for_files", too_little_room_for_files),
        ("senders_are_told", senders_are_told),
        ("circles_of_sockets_go", circles_of_sockets_go),
        ("deep_chains_of_sockets_go", deep_chains_of_sockets_go),
        ("waits_have_ends", waits_have_ends),
        ("all_is_waited_for", all_is_waited_for),
        ("several_messages_at_once", several_messages_at_once),
    ],
};

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
