//! What files carry besides bytes, and how long they may become: extended attributes, `RLIMIT_FSIZE`, appended writes.

use std::ffi::CString;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use user::fsys::{self, Scratch, both, filled, io, mapped};
use user::probe::{Topic, Verdict, dies, holds, must, refused, same};
use user::sys;

use super::permits::as_user;

pub(crate) const TOPIC: Topic = Topic {
    name: "extras",
    about: "extended attributes, bounds of size, flags of transfers",
    cases: &[
        ("attributes", attributes),
        ("attributes_of_others", attributes_of_others),
        ("size_limit", size_limit),
        ("flagged_transfers", flagged_transfers),
        ("advice", advice),
        ("who_is_told", who_is_told),
        ("made_or_found", made_or_found),
        ("a_mapping_is_an_access", a_mapping_is_an_access),
        ("old_listing", old_listing),
    ],
};

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}

fn set(path: &Path, name: &str, value: &[u8], flags: i32) -> sys::Result {
    let (path, name) = (text(path), text(Path::new(name)));
    let args = [
        path.as_ptr() as u64,
        name.as_ptr() as u64,
        value.as_ptr() as u64,
        value.len() as u64,
        flags as u64,
    ];
    sys::call(libc::SYS_setxattr, args)
}

fn get(path: &Path, name: &str, room: usize) -> sys::Result<Vec<u8>> {
    let (path, name) = (text(path), text(Path::new(name)));
    let mut value = vec![0; room];
    let args = [
        path.as_ptr() as u64,
        name.as_ptr() as u64,
        value.as_mut_ptr() as u64,
        room as u64,
    ];
    let len = sys::call(libc::SYS_getxattr, args)?;
    if room > 0 {
        value.truncate(len as usize);
    } else {
        value.resize(len as usize, 0);
    }
    Ok(value)
}

fn remove(path: &Path, name: &str) -> sys::Result {
    let (path, name) = (text(path), text(Path::new(name)));
    sys::call(
        libc::SYS_removexattr,
        [path.as_ptr() as u64, name.as_ptr() as u64],
    )
}

fn list(path: &Path) -> sys::Result<Vec<u8>> {
    let path = text(path);
    let mut names = vec![0; 256];
    let args = [path.as_ptr() as u64, names.as_mut_ptr() as u64, 256];
    names.truncate(sys::call(libc::SYS_listxattr, args)? as usize);
    Ok(names)
}

fn attributes() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    io("a file", fs::write(&path, "x"))?;
    refused("none yet", get(&path, "user.a", 9), libc::ENODATA)?;
    must("set", set(&path, "user.a", b"one", 0))?;
    same("get", get(&path, "user.a", 9), Ok(b"one".to_vec()))?;
    same(
        "its length",
        get(&path, "user.a", 0).map(|value| value.len()),
        Ok(3),
    )?;
    refused("too small", get(&path, "user.a", 2), libc::ERANGE)?;
    refused(
        "create",
        set(&path, "user.a", b"two", libc::XATTR_CREATE),
        libc::EEXIST,
    )?;
    must("replace", set(&path, "user.a", b"", libc::XATTR_REPLACE))?;
    same("empty", get(&path, "user.a", 9), Ok(Vec::new()))?;
    refused(
        "replace none",
        set(&path, "user.b", b"", libc::XATTR_REPLACE),
        libc::ENODATA,
    )?;
    refused("both", set(&path, "user.b", b"", 3), libc::ENODATA)?;
    refused("both", set(&path, "user.a", b"", 3), libc::EEXIST)?;
    refused("odd flags", set(&path, "user.a", b"", 4), libc::EINVAL)?;
    must("trusted", set(&path, "trusted.t", b"t", 0))?;
    let names = must("list", list(&path))?;
    let mut names: Vec<_> = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    same("both names", names, vec![&b"trusted.t"[..], b"user.a"])?;
    must("remove", remove(&path, "user.a"))?;
    refused("twice", remove(&path, "user.a"), libc::ENODATA)?;
    refused(
        "no such kind",
        set(&path, "other.a", b"", 0),
        libc::EOPNOTSUPP,
    )?;
    refused("no name", set(&path, "", b"", 0), libc::ERANGE)?;
    refused(
        "a long one",
        set(&path, &format!("user.{}", "x".repeat(251)), b"", 0),
        libc::ERANGE,
    )?;
    refused(
        "a long value",
        set(&path, "user.a", &[0; 65537], 0),
        libc::E2BIG,
    )
}

fn attributes_of_others() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    io("a file", fs::write(&path, "x"))?;
    must("set", set(&path, "user.a", b"one", 0))?;
    must("trusted", set(&path, "trusted.t", b"t", 0))?;
    must(
        "open the directory",
        sys::call(libc::SYS_chmod, [text(dir.root()).as_ptr() as u64, 0o755]),
    )?;
    as_user("a user", 1000, 1000, &[], || {
        same("may read", get(&path, "user.a", 9), Ok(b"one".to_vec()))?;
        refused("may not write", set(&path, "user.a", b"", 0), libc::EACCES)?;
        refused("nor remove", remove(&path, "user.a"), libc::EACCES)?;
        refused(
            "knows of no trusted ones",
            get(&path, "trusted.t", 9),
            libc::ENODATA,
        )?;
        refused(
            "and sets none",
            set(&path, "trusted.t", b"", 0),
            libc::EPERM,
        )?;
        same("nor sees them", list(&path), Ok(b"user.a\0".to_vec()))
    })
}

fn size_limit() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("f"))?;
    let fd = file.as_raw_fd() as u64;
    io("before", file.set_len(100))?;
    let limit = [50_u64, u64::MAX];
    let fsize = u64::from(libc::RLIMIT_FSIZE);
    must(
        "limit",
        sys::call(libc::SYS_setrlimit, [fsize, limit.as_ptr() as u64]),
    )?;
    let write = |at: u64| sys::call(libc::SYS_pwrite64, [fd, [7_u8; 20].as_ptr() as u64, 20, at]);
    same("below", write(0), Ok(20))?;
    same("up to it", write(40), Ok(10))?;
    dies("beyond", libc::SIGXFSZ, || write(50).map_or(1, |_| 2))?;
    dies("longer", libc::SIGXFSZ, || {
        sys::call(libc::SYS_ftruncate, [fd, 101]).map_or(1, |_| 2)
    })?;
    must("shorter", sys::call(libc::SYS_ftruncate, [fd, 60]))?;
    let ignore = [1_u64, 0, 0, 0];
    let signal = libc::SIGXFSZ as u64;
    must(
        "ignore",
        sys::call(
            libc::SYS_rt_sigaction,
            [signal, ignore.as_ptr() as u64, 0, 8],
        ),
    )?;
    refused("beyond", write(50), libc::EFBIG)?;
    refused(
        "longer",
        sys::call(libc::SYS_ftruncate, [fd, 61]),
        libc::EFBIG,
    )?;
    refused(
        "room",
        sys::call(libc::SYS_fallocate, [fd, 0, 0, 61]),
        libc::EFBIG,
    )?;
    same("as long as it was", io("stat", file.metadata())?.len(), 60)
}

fn flagged_transfers() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    io("a file", fs::write(&path, "abc"))?;
    let file = both(&path)?;
    let fd = file.as_raw_fd() as u64;
    let bytes = *b"12";
    let span = [bytes.as_ptr() as u64, 2];
    let write = |at: u64, flags: u64| {
        sys::call(
            libc::SYS_pwritev2,
            [fd, span.as_ptr() as u64, 1, at, 0, flags],
        )
    };
    same("at the end", write(0, libc::RWF_APPEND as u64), Ok(2))?;
    same("there", write(0, libc::RWF_SYNC as u64), Ok(2))?;
    same("at the position", write(u64::MAX, 0), Ok(2))?;
    same("all of it", io("read", fs::read(&path))?, b"12c12".to_vec())?;
    refused("unknown", write(0, 0x1000), libc::EOPNOTSUPP)?;
    refused("before the start", write(u64::MAX - 1, 0), libc::EINVAL)
}

fn advice() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("f"))?;
    let fd = file.as_raw_fd() as u64;
    must("advice", sys::call(libc::SYS_fadvise64, [fd, 0, 0, 3]))?;
    refused(
        "no such",
        sys::call(libc::SYS_fadvise64, [fd, 0, 0, 9]),
        libc::EINVAL,
    )?;
    refused(
        "no length",
        sys::call(libc::SYS_fadvise64, [fd, 0, u64::MAX, 0]),
        libc::EINVAL,
    )?;
    refused(
        "no file",
        sys::call(libc::SYS_fadvise64, [999, 0, 0, 0]),
        libc::EBADF,
    )?;
    must("ahead", sys::call(libc::SYS_readahead, [fd, 0, 4096]))?;
    must("sync", sys::call(libc::SYS_sync_file_range, [fd, 0, 0, 7]))?;
    refused(
        "flags",
        sys::call(libc::SYS_sync_file_range, [fd, 0, 0, 8]),
        libc::EINVAL,
    )?;
    must("all", sys::call(libc::SYS_syncfs, [fd]))?;
    let (reader, _writer) = io("a pipe", std::io::pipe())?;
    let pipe = reader.as_raw_fd() as u64;
    refused(
        "a pipe",
        sys::call(libc::SYS_fadvise64, [pipe, 0, 0, 0]),
        libc::ESPIPE,
    )?;
    refused(
        "a pipe",
        sys::call(libc::SYS_readahead, [pipe, 0, 1]),
        libc::EINVAL,
    )?;
    refused(
        "a pipe",
        sys::call(libc::SYS_sync_file_range, [pipe, 0, 1, 0]),
        libc::ESPIPE,
    )
}

fn who_is_told() -> Verdict {
    let (reader, _writer) = io("a pipe", std::io::pipe())?;
    let fd = reader.as_raw_fd() as u64;
    let control = |command: i32, argument: i64| {
        sys::call(libc::SYS_fcntl, [fd, command as u64, argument as u64])
    };
    same("nobody", control(libc::F_GETOWN, 0), Ok(0))?;
    let own = i64::from(sys::getpid());
    must("me", control(libc::F_SETOWN, own))?;
    same("is kept", control(libc::F_GETOWN, 0), Ok(own as u64))?;
    refused(
        "no such process",
        control(libc::F_SETOWN, 1 << 29),
        libc::ESRCH,
    )?;
    const SETSIG: i32 = 10;
    must("a signal", control(SETSIG, 10))?;
    same("is kept", control(SETSIG + 1, 0), Ok(10))?;
    refused("no signal", control(SETSIG, 65), libc::EINVAL)
}

fn made_or_found() -> Verdict {
    const CREATED_QUERY: u64 = 1028;
    let dir = Scratch::new()?;
    let path = dir.path("f");
    let flags = libc::O_CREAT | libc::O_RDWR;
    for want in [1, 0] {
        let fd = must("open", fsys::open(&path, flags, 0o600))? as u64;
        let made = sys::call(libc::SYS_fcntl, [fd, CREATED_QUERY, 0]);
        same("made", made, Ok(want))?;
        must("close", sys::call(libc::SYS_close, [fd]))?;
    }
    let both = fsys::open(dir.root(), flags | libc::O_TMPFILE, 0o600);
    refused("with a name and without", both, libc::EINVAL)
}

fn a_mapping_is_an_access() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 1, 1)?;
    let mut times = [1_u64, 0, 2, 0];
    let fd = file.as_raw_fd() as u64;
    let args = [fd, 0, sys::at(&mut times), 0];
    must("times", sys::call(libc::SYS_utimensat, args))?;
    let _map = mapped(&file, 1, libc::PROT_READ, libc::MAP_SHARED)?;
    let seen = io("stat", file.metadata())?.atime();
    holds("seen", seen > 2)
}

fn old_listing() -> Verdict {
    let dir = Scratch::new()?;
    drop(both(&dir.path("name"))?);
    let root = io("open", fs::File::open(dir.root()))?;
    let mut room = [0_u8; 256];
    let args = [root.as_raw_fd() as u64, sys::at(&mut room), 256];
    let len = must("getdents", sys::call(libc::SYS_getdents, args))? as usize;
    let mut rest = &room[..len];
    let mut seen = Vec::new();
    while let [_, .., _] = rest {
        let record = &rest[..usize::from(rest[16]) | usize::from(rest[17]) << 8];
        let end = record[18..].iter().position(|byte| *byte == 0);
        let name = &record[18..18 + end.unwrap_or(0)];
        seen.push((name.to_vec(), record.last().copied()));
        rest = &rest[record.len()..];
    }
    seen.sort();
    let want = [
        (".", libc::DT_DIR),
        ("..", libc::DT_DIR),
        ("name", libc::DT_REG),
    ];
    let want = want.map(|(name, kind)| (name.as_bytes().to_vec(), Some(kind)));
    same("names and types", seen, want.to_vec())
}
