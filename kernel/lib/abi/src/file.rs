//! Files: open flags, file status, directory entries, vectors, polling and terminals.

use bitflags::bitflags;
use linux_raw_sys::general as raw;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

bitflags! {
    /// Flags of `open` and its relatives besides the access mode.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OpenFlags: u32 {
        /// Opened for writing only.
        const WRONLY = raw::O_WRONLY;
        /// Opened for reading and writing.
        const RDWR = raw::O_RDWR;
        /// Creates the file where it is missing.
        const CREAT = raw::O_CREAT;
        /// Fails where the file exists already.
        const EXCL = raw::O_EXCL;
        /// Does not make a terminal the controlling one.
        const NOCTTY = raw::O_NOCTTY;
        /// Empties the file.
        const TRUNC = raw::O_TRUNC;
        /// Writes at the end.
        const APPEND = raw::O_APPEND;
        /// Never blocks.
        const NONBLOCK = raw::O_NONBLOCK;
        /// Must be a directory.
        const DIRECTORY = raw::O_DIRECTORY;
        /// The last component may not be a symbolic link.
        const NOFOLLOW = raw::O_NOFOLLOW;
        /// Closed by execve.
        const CLOEXEC = raw::O_CLOEXEC;
        /// Names the file without opening it.
        const PATH = raw::O_PATH;
        /// Makes a file that has no name.
        const TMPFILE = raw::O_TMPFILE & !raw::O_DIRECTORY;
        /// Transfers bypass caches.
        const DIRECT = raw::O_DIRECT;
        /// Reading leaves no trace.
        const NOATIME = raw::O_NOATIME;
        /// Lengths of 64 bits: always so.
        const LARGEFILE = 0o100_000;
        /// Sends a signal when something can be done.
        const ASYNC = raw::FASYNC;
        /// Other bits are kept.
        const _ = !0;
    }
}

impl OpenFlags {
    /// The two bits that hold the access mode.
    pub const ACCMODE: Self = Self::from_bits_retain(raw::O_ACCMODE);

    /// Says whether the mode allows reading; the fourth mode, which has no name, allows nothing.
    pub const fn reads(self) -> bool {
        matches!(self.bits() & raw::O_ACCMODE, raw::O_RDONLY | raw::O_RDWR)
    }

    /// Says whether the mode allows writing.
    pub const fn writes(self) -> bool {
        matches!(self.bits() & raw::O_ACCMODE, raw::O_WRONLY | raw::O_RDWR)
    }
}

/// `close_range`: the table is the thread's own from now on.
pub const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
/// `close_range`: marks the descriptors instead of closing them.
pub const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

/// `struct stat`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of stat(2)")]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub nlink: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub pad: u32,
    pub rdev: u64,
    pub size: u64,
    pub blksize: u64,
    pub blocks: u64,
    pub atime: [u64; 2],
    pub mtime: [u64; 2],
    pub ctime: [u64; 2],
    pub unused: [u64; 3],
}

/// `struct statx_timestamp`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of statx(2)")]
pub struct StatxTimestamp {
    pub sec: i64,
    pub nsec: u32,
    pub pad: i32,
}

/// `struct statx`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of statx(2)")]
pub struct Statx {
    pub mask: u32,
    pub blksize: u32,
    pub attributes: u64,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub mode: u16,
    pub pad: u16,
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub attributes_mask: u64,
    pub atime: StatxTimestamp,
    pub btime: StatxTimestamp,
    pub ctime: StatxTimestamp,
    pub mtime: StatxTimestamp,
    pub rdev: [u32; 2],
    pub dev: [u32; 2],
    /// Mount, direct I/O and atomic-write facts; none is reported.
    pub rest: [u64; 14],
}

/// `struct statfs`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of statfs(2)")]
pub struct Statfs {
    pub kind: u64,
    pub bsize: u64,
    pub blocks: u64,
    pub bfree: u64,
    pub bavail: u64,
    pub files: u64,
    pub ffree: u64,
    pub fsid: [u32; 2],
    pub namelen: u64,
    pub frsize: u64,
    pub flags: u64,
    pub spare: [u64; 4],
}

/// `struct iovec`: a span of user memory.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Iovec {
    /// First address.
    pub base: u64,
    /// Bytes.
    pub len: u64,
}

/// `struct flock`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Flock {
    /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
    pub kind: i16,
    /// What the start is counted from.
    pub whence: i16,
    /// Filler.
    pub pad: u32,
    /// The first byte.
    pub start: i64,
    /// How many bytes; 0 for all that follow.
    pub len: i64,
    /// Who holds it.
    pub pid: i32,
    /// Filler.
    pub rest: u32,
}

/// `struct pollfd`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct PollFd {
    /// Descriptor; negative ones are passed over.
    pub fd: i32,
    /// What is asked for.
    pub events: u16,
    /// What is so.
    pub revents: u16,
}

/// The fixed head of `struct linux_dirent64`; the name and a NUL follow.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C, packed)]
pub struct DirentHead {
    /// Number of the file.
    pub ino: u64,
    /// Where the next entry begins.
    pub off: u64,
    /// Bytes of the whole record.
    pub reclen: u16,
    /// `DT_*`.
    pub kind: u8,
}

/// `struct termios` of the kernel.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of termios(3)")]
pub struct Termios {
    pub iflag: u32,
    pub oflag: u32,
    pub cflag: u32,
    pub lflag: u32,
    pub line: u8,
    pub cc: [u8; 19],
}

/// `struct termio`: what came before, with half of the flags and fewer characters.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of termio(7)")]
pub struct Termio {
    pub iflag: u16,
    pub oflag: u16,
    pub cflag: u16,
    pub lflag: u16,
    pub line: u8,
    pub cc: [u8; 8],
    pub pad: u8,
}

impl From<Termios> for Termio {
    fn from(all: Termios) -> Self {
        Self {
            iflag: all.iflag as u16,
            oflag: all.oflag as u16,
            cflag: all.cflag as u16,
            lflag: all.lflag as u16,
            line: all.line,
            cc: core::array::from_fn(|index| all.cc[index]),
            pad: 0,
        }
    }
}

impl Termio {
    /// Returns what `old` becomes with this: what has no place here stays.
    pub fn over(&self, old: Termios) -> Termios {
        let low = |old: u32, new: u16| old & !0xffff | u32::from(new);
        let mut new = Termios {
            iflag: low(old.iflag, self.iflag),
            oflag: low(old.oflag, self.oflag),
            cflag: low(old.cflag, self.cflag),
            lflag: low(old.lflag, self.lflag),
            line: self.line,
            ..old
        };
        new.cc[..self.cc.len()].copy_from_slice(&self.cc);
        new
    }
}

/// `struct termios2`: speeds besides.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of termios(3)")]
pub struct Termios2 {
    pub termios: Termios,
    pub ispeed: u32,
    pub ospeed: u32,
}

/// `struct winsize`.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are those of ioctl_tty(2)")]
pub struct Winsize {
    pub rows: u16,
    pub columns: u16,
    pub xpixel: u16,
    pub ypixel: u16,
}
