//! Walks that keep to limits: `openat2` with `RESOLVE_*`, and other roots.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use user::fsys::{self, Scratch, io};
use user::probe::{Topic, Verdict, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "walks",
    about: "walks that keep to limits",
    cases: &[
        ("other_roots", other_roots),
        ("walks_with_limits", walks_with_limits),
    ],
};

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}

fn other_roots() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a directory", fs::create_dir_all(at("jail/in")))?;
    io("a file", fs::write(at("jail/f"), "x"))?;
    io("outside", fs::write(at("out"), "x"))?;
    std::os::unix::fs::symlink("/f", at("jail/in/link")).map_err(|error| error.to_string())?;
    let root = text(&at("jail"));
    io("there", std::env::set_current_dir(at("jail")))?;
    must(
        "chroot",
        sys::call(libc::SYS_chroot, [root.as_ptr() as u64]),
    )?;
    io("the file", fs::read("/f"))?;
    io("by a link", fs::read("/in/link"))?;
    fsys::fails("no way out", fs::metadata("/../out"), libc::ENOENT)?;
    fsys::fails(
        "nor from below",
        fs::metadata("/in/../../../out"),
        libc::ENOENT,
    )?;
    io("in", std::env::set_current_dir("/in"))?;
    same(
        "is called so",
        io("getcwd", std::env::current_dir())?,
        "/in".into(),
    )?;
    refused(
        "no file",
        sys::call(libc::SYS_chroot, [c"/f".as_ptr() as u64]),
        libc::ENOTDIR,
    )?;
    // Somebody who may do that gets out, as on Linux.
    io("above", std::env::set_current_dir("/"))?;
    must(
        "again",
        sys::call(libc::SYS_chroot, [c"/in".as_ptr() as u64]),
    )?;
    io("up", std::env::set_current_dir(".."))?;
    io("out", fs::metadata("out")).map(drop)
}

fn walks_with_limits() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a directory", fs::create_dir_all(at("d/in")))?;
    io("a file", fs::write(at("d/f"), "x"))?;
    for (target, name) in [("../d/f", "d/up"), ("/d/f", "d/abs"), ("f", "d/plain")] {
        std::os::unix::fs::symlink(target, at(name)).map_err(|error| error.to_string())?;
    }
    let base = must("the directory", fsys::open(&at("d"), libc::O_PATH, 0))?;
    let open = |path: &str, flags: i32, mode: u64, resolve: u64| {
        let (path, how) = (text(Path::new(path)), [flags as u64, mode, resolve]);
        let args = [base as u64, path.as_ptr() as u64, how.as_ptr() as u64, 24];
        sys::call(libc::SYS_openat2, args)
    };
    let walk = |path: &str, resolve: u64| open(path, libc::O_RDONLY, 0, resolve);
    must("plain", walk("f", 0))?;
    must("beneath", walk("in/../plain", libc::RESOLVE_BENEATH))?;
    for path in ["..", "../d/f", "up", "abs", "/"] {
        refused(path, walk(path, libc::RESOLVE_BENEATH), libc::EXDEV)?;
    }
    must("in the root", walk("/in/../../f", libc::RESOLVE_IN_ROOT))?;
    refused(
        "which is not there",
        walk("abs", libc::RESOLVE_IN_ROOT),
        libc::ENOENT,
    )?;
    refused(
        "no links",
        walk("plain", libc::RESOLVE_NO_SYMLINKS),
        libc::ELOOP,
    )?;
    let link = libc::O_PATH | libc::O_NOFOLLOW;
    must(
        "the link itself",
        open("plain", link, 0, libc::RESOLVE_NO_SYMLINKS),
    )?;
    refused(
        "magic",
        walk("/proc/self/exe", libc::RESOLVE_NO_MAGICLINKS),
        libc::ELOOP,
    )?;
    must("no magic", walk("plain", libc::RESOLVE_NO_MAGICLINKS))?;
    refused(
        "another mount",
        walk("/proc/version", libc::RESOLVE_NO_XDEV),
        libc::EXDEV,
    )?;
    must("this one", walk("in", libc::RESOLVE_NO_XDEV))?;
    refused(
        "both",
        walk("f", libc::RESOLVE_BENEATH | libc::RESOLVE_IN_ROOT),
        libc::EINVAL,
    )?;
    refused("unknown", walk("f", 0x100), libc::EINVAL)?;
    refused(
        "a mode for nothing",
        open("f", libc::O_RDONLY, 0o600, 0),
        libc::EINVAL,
    )?;
    refused(
        "an odd mode",
        open("new", libc::O_CREAT | libc::O_WRONLY, 0o10000, 0),
        libc::EINVAL,
    )?;
    refused("odd flags", open("f", 1 << 30, 0, 0), libc::EINVAL)?;
    let how = [0_u64; 4];
    let call = |size: u64| {
        let args = [base as u64, c"f".as_ptr() as u64, how.as_ptr() as u64, size];
        sys::call(libc::SYS_openat2, args)
    };
    must("longer", call(32))?;
    refused("shorter", call(16), libc::EINVAL)
}
