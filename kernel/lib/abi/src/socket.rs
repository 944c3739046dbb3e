//! Sockets as system calls carry them. Numbers are those of `linux-raw-sys`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct msghdr`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of recvmsg(2)")]
pub struct MsgHdr {
    pub name: u64,
    pub namelen: u32,
    pub pad: u32,
    pub iov: u64,
    pub iovlen: u64,
    pub control: u64,
    pub controllen: u64,
    pub flags: u32,
    pub rest: u32,
}

const _: () = assert!(size_of::<MsgHdr>() == 56);

/// `struct cmsghdr`: the head of a piece of control data.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct CmsgHdr {
    /// Bytes, with this head.
    pub len: u64,
    /// Whose it is.
    pub level: i32,
    /// What it is.
    pub kind: i32,
}

/// `struct ucred`: who sent something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of unix(7)")]
pub struct Ucred {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Ucred {
    /// Nobody.
    pub const NOBODY: Self = Self {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
}

/// `SOL_SOCKET`.
pub const SOL_SOCKET: u32 = 1;
/// Control data: descriptors.
pub const SCM_RIGHTS: i32 = 1;
/// Control data: who sent it.
pub const SCM_CREDENTIALS: i32 = 2;
/// The most descriptors in one message.
pub const SCM_MAX_FD: usize = 253;
/// Wait for one message only (`recvmmsg`).
pub const MSG_WAITFORONE: u32 = 0x1_0000;
