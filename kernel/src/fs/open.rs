//! From a path to an open file.

use alloc::sync::Arc;

use abi::file::OpenFlags;

use super::dev::{Device, Memory};
use super::directory::Directory;
use super::file::{File, IoError, OpenFile};
use super::filesystem::{self, NoSpace};
use super::host::Host;
use super::inode::{Attributes, Inode, InodeRef, Kind, Metadata};
use super::namespace::{self, ChangeError};
use super::page_cache::PageCache;
use super::path::{Follow, Last, PathError, Place, Target, target};
use super::pipe::PipeEnd;
use super::procfs::open::OpenProc;
use super::regular::Regular;
use super::seals::Seals;
use super::tty::file::{TtyFile, TtyOpenError};

/// Why a file was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// The path leads nowhere.
    Path(PathError),
    /// It exists, and must not.
    Exists,
    /// It is a directory.
    IsDirectory,
    /// It is not a directory.
    NotDirectory,
    /// It is a link, which must not be followed.
    IsLink,
    /// It cannot be made.
    Change(ChangeError),
    /// It cannot be emptied.
    Truncate(IoError),
    /// The device is not there, or nobody reads the FIFO.
    NoDevice,
    /// The wait for somebody at a FIFO's other end was given up.
    Interrupted,
    /// The file system does not do that.
    NotSupported,
    /// It is a terminal, which has its own reasons.
    Terminal(TtyOpenError),
    /// The flags contradict each other.
    Invalid,
}

/// There is nothing at the path's end.
const NOT_FOUND: PathError = PathError(vfs::walk::PathError::NotFound);

/// Opens `path`, seen from the directory `base`; a file that is made gets these permission bits.
pub fn open(
    base: &InodeRef,
    path: &[u8],
    flags: OpenFlags,
    permissions: u32,
) -> Result<Arc<OpenFile>, OpenError> {
    if flags.contains(OpenFlags::PATH) {
        let kept = OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW;
        return open_named(base, path, flags & (kept | OpenFlags::CLOEXEC));
    }
    if flags.contains(OpenFlags::TMPFILE) {
        return open_nameless(base, path, flags, permissions);
    }
    if !flags.contains(OpenFlags::CREAT) {
        return open_named(base, path, flags);
    }
    if flags.contains(OpenFlags::DIRECTORY) {
        return Err(OpenError::Invalid);
    }
    match target(base, path, follow(flags))? {
        Target::Found(_) if flags.contains(OpenFlags::EXCL) => Err(OpenError::Exists),
        Target::Found(inode) => open_inode(&inode, flags),
        Target::Missing(place) => create(&place, flags, permissions),
    }
}

fn open_named(base: &InodeRef, path: &[u8], flags: OpenFlags) -> Result<Arc<OpenFile>, OpenError> {
    match target(base, path, follow(flags))? {
        Target::Found(inode) => open_inode(&inode, flags),
        Target::Missing(_) => Err(OpenError::Path(NOT_FOUND)),
    }
}

fn follow(flags: OpenFlags) -> Follow {
    let exclusive = flags.contains(OpenFlags::CREAT | OpenFlags::EXCL);
    match exclusive || flags.contains(OpenFlags::NOFOLLOW) {
        true => Follow::No,
        false => Follow::Yes,
    }
}

/// Makes a regular file at a free name and opens it, whatever its permissions are.
fn create(
    place: &Place<Inode>,
    flags: OpenFlags,
    permissions: u32,
) -> Result<Arc<OpenFile>, OpenError> {
    if place.slash || !matches!(place.last, Last::Name(_)) {
        return Err(OpenError::IsDirectory);
    }
    namespace::check_add(place)?;
    let inode = empty_file(place.dir.fs, permissions)?;
    match namespace::add(place, &inode) {
        Ok(()) => Ok(OpenFile::new(Regular::new(inode), flags)),
        Err(ChangeError::Exists) if !flags.contains(OpenFlags::EXCL) => {
            // Somebody else was faster: it is theirs.
            let Last::Name(name) = &place.last else {
                return Err(OpenError::IsDirectory);
            };
            open_named(&place.dir, name, flags)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes a regular file that has no name and opens it (`O_TMPFILE`).
fn open_nameless(
    base: &InodeRef,
    path: &[u8],
    flags: OpenFlags,
    permissions: u32,
) -> Result<Arc<OpenFile>, OpenError> {
    if !flags.writes() || !flags.contains(OpenFlags::DIRECTORY) {
        return Err(OpenError::Invalid);
    }
    let directory = match target(base, path, follow(flags))? {
        Target::Found(inode) => inode,
        Target::Missing(_) => return Err(OpenError::Path(NOT_FOUND)),
    };
    if !directory.is_directory() {
        return Err(OpenError::NotDirectory);
    }
    if directory.names().is_none() {
        return Err(OpenError::NotSupported);
    }
    let inode = empty_file(directory.fs, permissions)?;
    inode.set_label(alloc::format!("#{}", inode.ino).as_bytes());
    Ok(OpenFile::new(
        Regular::new(inode),
        flags.difference(OpenFlags::TMPFILE),
    ))
}

/// Makes an empty regular file that has no name yet.
pub fn empty_file(
    fs: &'static filesystem::FileSystem,
    permissions: u32,
) -> Result<InodeRef, NoSpace> {
    let cache = PageCache::new(fs, &[]);
    Inode::new(fs, Kind::Regular(cache), Attributes::new(permissions))
}

/// Makes a regular file without a name and opens it (`memfd_create`).
pub fn memory_file(
    name: &[u8],
    permissions: u32,
    seals: Seals,
) -> Result<Arc<OpenFile>, OpenError> {
    let inode = empty_file(&filesystem::NAMELESS, permissions)?;
    inode.set_label(&[b"memfd:", name].concat());
    inode.set_seals(seals);
    Ok(OpenFile::new(Regular::new(inode), OpenFlags::RDWR))
}

fn open_inode(inode: &InodeRef, flags: OpenFlags) -> Result<Arc<OpenFile>, OpenError> {
    let is_link = inode.file_type() == abi::linux::S_IFLNK;
    if flags.contains(OpenFlags::DIRECTORY) && !inode.is_directory() {
        return Err(OpenError::NotDirectory);
    }
    if flags.contains(OpenFlags::PATH) {
        return Ok(OpenFile::new(NameOnly(inode.clone()), flags));
    }
    if is_link {
        return Err(OpenError::IsLink);
    }
    let changes = flags.writes() || flags.intersects(OpenFlags::TRUNC | OpenFlags::CREAT);
    if changes && inode.is_directory() {
        return Err(OpenError::IsDirectory);
    }
    let inode = inode.clone();
    Ok(match &inode.kind {
        Kind::Directory(_) => OpenFile::new(Directory::new(inode), flags),
        Kind::Device(Device::Other(_)) => return Err(OpenError::NoDevice),
        Kind::Device(Device::Host(way)) => {
            let way = *way;
            let host = Host::open(inode, way).ok_or(OpenError::NoDevice)?;
            OpenFile::new(host, flags)
        }
        Kind::Device(device) if device.is_terminal() => {
            let device = *device;
            OpenFile::new(TtyFile::open(inode, device, flags)?, flags)
        }
        Kind::Device(device) => {
            let device = *device;
            OpenFile::new(Memory::new(inode, device), flags)
        }
        Kind::Proc(_) if inode.is_directory() => OpenFile::new(Directory::new(inode), flags),
        Kind::Proc(node) => {
            let node = *node;
            OpenFile::new(OpenProc::new(inode, node)?, flags)
        }
        Kind::Regular(_) => {
            if flags.contains(OpenFlags::TRUNC) {
                inode.truncate(0).map_err(OpenError::Truncate)?;
            }
            OpenFile::new(Regular::new(inode), flags)
        }
        Kind::Fifo(_) => PipeEnd::open(&inode, flags)?,
        Kind::Symlink(_) => return Err(OpenError::IsLink),
    })
}

impl From<TtyOpenError> for OpenError {
    fn from(error: TtyOpenError) -> Self {
        Self::Terminal(error)
    }
}

impl From<PathError> for OpenError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<ChangeError> for OpenError {
    fn from(error: ChangeError) -> Self {
        Self::Change(error)
    }
}

impl From<NoSpace> for OpenError {
    fn from(error: NoSpace) -> Self {
        Self::Change(error.into())
    }
}

/// A file that was named and not opened (`O_PATH`).
struct NameOnly(InodeRef);

impl File for NameOnly {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.0.clone())
    }
}
