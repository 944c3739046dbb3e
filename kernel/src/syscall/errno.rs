//! The errors of the layers below as Linux's numbers.

use abi::Errno;
use cred::Denied;
use sigframe::StackError;

use crate::fs::caller::Forbidden;
use crate::fs::epoll::{ControlError, Presence};
use crate::fs::fdtable::{FdError, Refused};
use crate::fs::lock::LockError as FileLockError;
use crate::fs::mounting::MountError;
use crate::fs::pipe::ResizeError;
use crate::fs::seals::SealError;
use crate::fs::tty::file::TtyOpenError;
use crate::fs::tty::jobs::JobError;
use crate::fs::unix::SocketError;
use crate::fs::user_buf::BadAddress;
use crate::fs::write_access::BeingRun;
use crate::fs::xattr::XattrError;
use crate::fs::{ChangeError, IoError, OpenError, PathError};
use crate::mm::madvise::AdviseError;
use crate::mm::mlock::{LockError, SyncError};
use crate::mm::mremap::RemapError;
use crate::mm::uaccess::{CstrError, Efault};
use crate::mm::{MapError, OutOfMemory, ProtectError, UnmapError};
use crate::process::fork::CloneError;
use crate::process::futex::FutexError;
use crate::process::image::ExecveError;
use crate::process::limits::LimitError;
use crate::process::pi::PiError;
use crate::process::signal::SendError;
use crate::process::tree::GroupError;
use crate::process::wait::WaitError;
use vfs::walk;

/// The number for an alternate signal stack that is refused.
pub fn bad_stack(error: StackError) -> Errno {
    match error {
        StackError::InUse => Errno::EPERM,
        StackError::Invalid => Errno::EINVAL,
        StackError::TooSmall => Errno::ENOMEM,
    }
}

/// The number for what somebody may not do.
pub fn denied(Denied: Denied) -> Errno {
    Errno::EPERM
}

/// Gives every error of an operation its number, one line each.
macro_rules! errnos {
    ($error:ident { $($case:pat => $errno:expr,)+ }) => {
        impl From<$error> for Errno {
            fn from(error: $error) -> Self {
                match error {
                    $($case => $errno,)+
                }
            }
        }
    };
}

errnos!(RemapError {
    RemapError::Invalid => Self::EINVAL,
    RemapError::Fault => Self::EFAULT,
    RemapError::NoMemory => Self::ENOMEM,
    RemapError::TooMuchLocked => Self::EAGAIN,
});

errnos!(AdviseError {
    AdviseError::Invalid => Self::EINVAL,
    AdviseError::NoMemory => Self::ENOMEM,
    AdviseError::TooMany => Self::EAGAIN,
    AdviseError::Access => Self::EACCES,
    AdviseError::Fault => Self::EFAULT,
    AdviseError::Interrupted => Self::EINTR,
});

errnos!(LockError {
    LockError::NoMemory => Self::ENOMEM,
    LockError::TryAgain => Self::EAGAIN,
});

errnos!(SyncError {
    SyncError::NotMapped => Self::ENOMEM,
    SyncError::Busy => Self::EBUSY,
});

errnos!(Efault { Efault => Self::EFAULT, });
errnos!(BadAddress { BadAddress => Self::EFAULT, });
errnos!(OutOfMemory { OutOfMemory => Self::ENOMEM, });

errnos!(CstrError {
    CstrError::Fault => Self::EFAULT,
    CstrError::TooLong => Self::ENAMETOOLONG,
});

errnos!(PathError {
    PathError(walk::PathError::NotFound) => Self::ENOENT,
    PathError(walk::PathError::NotDirectory) => Self::ENOTDIR,
    PathError(walk::PathError::TooLong) => Self::ENAMETOOLONG,
    PathError(walk::PathError::Loop) => Self::ELOOP,
    PathError(walk::PathError::Denied) => Self::EACCES,
    PathError(walk::PathError::Escapes) => Self::EXDEV,
});

errnos!(ResizeError {
    ResizeError::Invalid => Self::EINVAL,
    ResizeError::NotPermitted => Self::EPERM,
    ResizeError::Busy => Self::EBUSY,
});
errnos!(OpenError {
    OpenError::Path(error) => error.into(),
    OpenError::Exists => Self::EEXIST,
    OpenError::IsDirectory => Self::EISDIR,
    OpenError::NotDirectory => Self::ENOTDIR,
    OpenError::IsLink => Self::ELOOP,
    OpenError::Change(error) => error.into(),
    OpenError::Truncate(error) => error.into(),
    OpenError::NoDevice => Self::ENXIO,
    OpenError::Interrupted => Self::RESTART_SYS,
    OpenError::NotSupported => Self::EOPNOTSUPP,
    OpenError::Terminal(error) => error.into(),
    OpenError::Invalid => Self::EINVAL,
    OpenError::Denied => Self::EACCES,
    OpenError::NotOwner => Self::EPERM,
    OpenError::ReadOnly => Self::EROFS,
    OpenError::BeingRun => Self::ETXTBSY,
});

errnos!(TtyOpenError {
    TtyOpenError::NoDevice => Self::ENXIO,
    TtyOpenError::Busy => Self::EBUSY,
    TtyOpenError::Io => Self::EIO,
    TtyOpenError::TooMany => Self::ENOSPC,
    TtyOpenError::OutOfMemory => Self::ENOMEM,
});

errnos!(JobError {
    JobError::NotOwn => Self::ENOTTY,
    JobError::NotPermitted => Self::EPERM,
    JobError::NoGroup => Self::ESRCH,
});

errnos!(ChangeError {
    ChangeError::Path(error) => error.into(),
    ChangeError::NotFound => Self::ENOENT,
    ChangeError::Exists => Self::EEXIST,
    ChangeError::NotDirectory => Self::ENOTDIR,
    ChangeError::IsDirectory => Self::EISDIR,
    ChangeError::NotEmpty => Self::ENOTEMPTY,
    ChangeError::Invalid => Self::EINVAL,
    ChangeError::Busy => Self::EBUSY,
    ChangeError::OtherFileSystem => Self::EXDEV,
    ChangeError::NotPermitted => Self::EPERM,
    ChangeError::Denied => Self::EACCES,
    ChangeError::ReadOnly => Self::EROFS,
    ChangeError::NoSpace => Self::ENOSPC,
    ChangeError::OutOfMemory => Self::ENOMEM,
});

errnos!(FileLockError {
    FileLockError::WouldBlock => Self::EAGAIN,
    FileLockError::Deadlock => Self::EDEADLK,
    FileLockError::Interrupted => Self::RESTART_SYS,
    FileLockError::OutOfMemory => Self::ENOLCK,
});

errnos!(XattrError {
    XattrError::NotSupported => Self::EOPNOTSUPP,
    XattrError::Denied => Self::EACCES,
    XattrError::NotPermitted => Self::EPERM,
    XattrError::NoData => Self::ENODATA,
    XattrError::Exists => Self::EEXIST,
    XattrError::NoSpace => Self::ENOSPC,
    XattrError::OutOfMemory => Self::ENOMEM,
});

errnos!(MountError {
    MountError::NoSuchKind => Self::ENODEV,
    MountError::Invalid => Self::EINVAL,
    MountError::NotDirectory => Self::ENOTDIR,
    MountError::Busy => Self::EBUSY,
    MountError::NotFound => Self::ENOENT,
    MountError::Loop => Self::ELOOP,
    MountError::NoSpace => Self::ENOSPC,
});

errnos!(Forbidden { Forbidden => Self::EACCES, });
errnos!(BeingRun { BeingRun => Self::ETXTBSY, });

errnos!(IoError {
    IoError::BadAddress => Self::EFAULT,
    IoError::NotOpenForThat => Self::EBADF,
    IoError::IsDirectory => Self::EISDIR,
    IoError::NotDirectory => Self::ENOTDIR,
    IoError::WouldBlock => Self::EAGAIN,
    IoError::Interrupted => Self::RESTART_SYS,
    IoError::BrokenPipe => Self::EPIPE,
    IoError::NotSeekable => Self::ESPIPE,
    IoError::Invalid => Self::EINVAL,
    IoError::BeyondEnd => Self::ENXIO,
    IoError::TooLong => Self::EMSGSIZE,
    IoError::NotPermitted => Self::EPERM,
    IoError::TooLarge => Self::EFBIG,
    IoError::NoSpace => Self::ENOSPC,
    IoError::Socket(error) => error.into(),
    IoError::NoProcess => Self::ESRCH,
    IoError::Io => Self::EIO,
    IoError::Canceled => Self::ECANCELED,
    IoError::OutOfMemory => Self::ENOMEM,
});

errnos!(ControlError {
    ControlError::Presence(Presence::Exists) => Self::EEXIST,
    ControlError::Presence(Presence::Missing) => Self::ENOENT,
    ControlError::Presence(Presence::Invalid) => Self::EINVAL,
    ControlError::NotPollable => Self::EPERM,
    ControlError::Loop => Self::ELOOP,
    ControlError::TooMany => Self::ENOSPC,
    ControlError::OutOfMemory => Self::ENOMEM,
});

errnos!(SocketError {
    SocketError::BadAddress => Self::EFAULT,
    SocketError::WouldBlock => Self::EAGAIN,
    SocketError::Interrupted => Self::RESTART_SYS,
    SocketError::InterruptedInTime => Self::EINTR,
    SocketError::BrokenPipe | SocketError::Shut => Self::EPIPE,
    SocketError::Reset => Self::ECONNRESET,
    SocketError::Refused => Self::ECONNREFUSED,
    SocketError::NotConnected => Self::ENOTCONN,
    SocketError::IsConnected => Self::EISCONN,
    SocketError::WrongKind => Self::EPROTOTYPE,
    SocketError::NotPermitted => Self::EPERM,
    SocketError::Invalid => Self::EINVAL,
    SocketError::NotSupported => Self::EOPNOTSUPP,
    SocketError::InUse => Self::EADDRINUSE,
    SocketError::TooLong => Self::EMSGSIZE,
    SocketError::TooManyFiles => Self::ETOOMANYREFS,
    SocketError::OutOfMemory => Self::ENOMEM,
});

errnos!(SealError {
    SealError::Sealed => Self::EPERM,
    SealError::Busy => Self::EBUSY,
});

errnos!(FdError {
    FdError::LimitReached => Self::EMFILE,
    FdError::OutOfMemory => Self::ENOMEM,
});

impl From<Refused> for Errno {
    fn from(refused: Refused) -> Self {
        refused.why.into()
    }
}

errnos!(MapError {
    MapError::Invalid => Self::EINVAL,
    MapError::NoMemory => Self::ENOMEM,
    MapError::Exists => Self::EEXIST,
    MapError::TooMuchLocked => Self::EAGAIN,
});

errnos!(UnmapError {
    UnmapError::Invalid => Self::EINVAL,
    UnmapError::TooMany => Self::ENOMEM,
});

errnos!(ProtectError {
    ProtectError::Invalid => Self::EINVAL,
    ProtectError::NoMemory => Self::ENOMEM,
    ProtectError::Access => Self::EACCES,
});

errnos!(ExecveError {
    ExecveError::Path(error) => error.into(),
    ExecveError::NotExecutable => Self::EACCES,
    ExecveError::BeingWritten => Self::ETXTBSY,
    ExecveError::IsLink => Self::ELOOP,
    ExecveError::Unreachable => Self::ENOENT,
    ExecveError::Format(exec::ExecError::TooLow) => Self::EPERM,
    ExecveError::Format(_) | ExecveError::Script(_) => Self::ENOEXEC,
    ExecveError::TooManyScripts => Self::ELOOP,
    ExecveError::TooBig => Self::E2BIG,
    ExecveError::Map(_) | ExecveError::OutOfMemory => Self::ENOMEM,
    ExecveError::Ends => Self::EAGAIN,
});

errnos!(CloneError {
    CloneError::OutOfMemory => Self::ENOMEM,
    CloneError::Busy => Self::RESTART_NOINTR,
    CloneError::Taken => Self::EEXIST,
    CloneError::TooMany => Self::EAGAIN,
    CloneError::NoDescriptor(error) => error.into(),
    CloneError::BadAddress => Self::EFAULT,
});

errnos!(WaitError {
    WaitError::NoChild => Self::ECHILD,
    WaitError::Interrupted => Self::RESTART_SYS,
});

errnos!(SendError {
    SendError::NoProcess => Self::ESRCH,
    SendError::NotAllowed => Self::EPERM,
    SendError::Full => Self::EAGAIN,
});

errnos!(GroupError {
    GroupError::NoProcess => Self::ESRCH,
    GroupError::NotAllowed => Self::EPERM,
    GroupError::Execed => Self::EACCES,
    GroupError::NoLeader => Self::EINVAL,
});

errnos!(LimitError {
    LimitError::Invalid | LimitError::NotEnforced => Self::EINVAL,
    LimitError::NotAllowed => Self::EPERM,
});

errnos!(PiError {
    // Whatever interrupts it, it is made again: the priority was lent for nothing.
    PiError::Futex(FutexError::Interrupted) => Self::RESTART_NOINTR,
    PiError::Futex(error) => error.into(),
    PiError::Deadlock => Self::EDEADLK,
    PiError::Taken => Self::EAGAIN,
    PiError::NoOwner => Self::ESRCH,
    PiError::NotOwner => Self::EPERM,
});

errnos!(FutexError {
    FutexError::BadAddress => Self::EFAULT,
    FutexError::Changed => Self::EAGAIN,
    FutexError::TimedOut => Self::ETIMEDOUT,
    FutexError::Interrupted => Self::RESTART_SYS,
    FutexError::OutOfMemory => Self::ENOMEM,
});
