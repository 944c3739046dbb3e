//! From a path to an open file.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::file::OpenFlags;
use cred::Wanted;
use cred::access::is_owner;

use super::caller::{Caller, Forbidden};
use super::dev::{Device, Memory};
use super::directory::Directory;
use super::file::{File, IoError, OpenFile};
use super::filesystem::{self, FsRef, NoSpace};
use super::host::Host;
use super::inode::{Attributes, Inode, InodeRef, Kind, Metadata};
use super::mount::{Location, MountFlags};
use super::namespace::{self, ChangeError};
use super::page_cache::PageCache;
use super::path::{Follow, Last, Limits, PathError, Place, Target, target};
use super::pipe::PipeEnd;
use super::procfs::open::OpenProc;
use super::regular::Regular;
use super::seals::Seals;
use super::tty::file::{TtyFile, TtyOpenError};
use super::write_access::{BeingRun, WriteAccess};

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
    /// The flags contradict each other, or the file cannot do what they ask for.
    Invalid,
    /// It may not be used like that.
    Denied,
    /// It is not the caller's, who wants to leave no trace.
    NotOwner,
    /// It is mounted for reading.
    ReadOnly,
    /// It is being run.
    BeingRun,
}

/// How a file is to be opened.
#[derive(Clone, Copy)]
pub struct How {
    /// `O_*`.
    pub flags: OpenFlags,
    /// Permission bits of a file that is made, before the umask.
    pub mode: u32,
    /// Where the path may not lead.
    pub limits: Limits,
}

/// There is nothing at the path's end.
const NOT_FOUND: PathError = PathError(vfs::walk::PathError::NotFound);

/// Opens `path`, seen from the directory `base`.
pub fn open(
    caller: &Caller,
    base: &Location,
    path: &[u8],
    how: How,
) -> Result<Arc<OpenFile>, OpenError> {
    let flags = how.flags;
    if flags.contains(OpenFlags::PATH) {
        let kept = OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW;
        let flags = flags & (kept | OpenFlags::CLOEXEC);
        return open_named(caller, base, path, How { flags, ..how });
    }
    if flags.contains(OpenFlags::TMPFILE) {
        return open_nameless(caller, base, path, how);
    }
    if !flags.contains(OpenFlags::CREAT) {
        return open_named(caller, base, path, how);
    }
    if flags.contains(OpenFlags::DIRECTORY) {
        return Err(OpenError::Invalid);
    }
    match target(caller, base, path, follow(flags), how.limits)? {
        Target::Found(_) if flags.contains(OpenFlags::EXCL) => Err(OpenError::Exists),
        Target::Found(file) => open_file(caller, file, flags),
        Target::Missing(place) => create(caller, &place, how),
    }
}

fn open_named(
    caller: &Caller,
    base: &Location,
    path: &[u8],
    how: How,
) -> Result<Arc<OpenFile>, OpenError> {
    match target(caller, base, path, follow(how.flags), how.limits)? {
        Target::Found(file) => open_file(caller, file, how.flags),
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
fn create(caller: &Caller, place: &Place, how: How) -> Result<Arc<OpenFile>, OpenError> {
    if place.slash || !matches!(place.last, Last::Name(_)) {
        return Err(OpenError::IsDirectory);
    }
    namespace::check_add(caller, place)?;
    let inode = new_regular(caller, &place.dir, how.mode)?;
    let file = Location {
        mount: place.dir.mount.clone(),
        inode,
    };
    match namespace::add(place, &file.inode) {
        Ok(()) => {
            let opened = open_new(file, how.flags)?;
            opened.was_made.store(true, Relaxed);
            Ok(opened)
        }
        Err(ChangeError::Exists) if !how.flags.contains(OpenFlags::EXCL) => {
            // Somebody else was faster: it is theirs.
            let Last::Name(name) = &place.last else {
                return Err(OpenError::IsDirectory);
            };
            open_named(caller, &place.dir, name, how)
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a regular file that the caller has just made.
fn open_new(file: Location, flags: OpenFlags) -> Result<Arc<OpenFile>, OpenError> {
    let access = write_access(&file, flags)?;
    let regular = Regular::new(file.inode.clone(), keeps_atime(&file, flags));
    Ok(OpenFile::at(file, access, regular, flags))
}

/// Makes a regular file that has no name and opens it (`O_TMPFILE`).
fn open_nameless(
    caller: &Caller,
    base: &Location,
    path: &[u8],
    how: How,
) -> Result<Arc<OpenFile>, OpenError> {
    let flags = how.flags;
    let is_made = flags.contains(OpenFlags::CREAT);
    if !flags.writes() || !flags.contains(OpenFlags::DIRECTORY) || is_made {
        return Err(OpenError::Invalid);
    }
    let directory = match target(caller, base, path, follow(flags), how.limits)? {
        Target::Found(file) => file,
        Target::Missing(_) => return Err(OpenError::Path(NOT_FOUND)),
    };
    if !directory.is_directory() {
        return Err(OpenError::NotDirectory);
    }
    if directory.mount.is_read_only() {
        return Err(OpenError::ReadOnly);
    }
    caller.may(&directory, Wanted::CHANGE_NAMES)?;
    if directory.names().is_none() {
        return Err(OpenError::NotSupported);
    }
    let inode = new_regular(caller, &directory, how.mode)?;
    let label = alloc::format!("#{}", inode.ino);
    inode.set_label(Some(&directory.inode), label.as_bytes());
    inode.set_linkable(!flags.contains(OpenFlags::EXCL));
    let mount = directory.mount;
    open_new(Location { mount, inode }, flags)
}

fn new_regular(caller: &Caller, directory: &Location, mode: u32) -> Result<InodeRef, NoSpace> {
    let mode = abi::linux::S_IFREG | mode & 0o7777;
    let facts = caller.new_file(directory, mode);
    empty_file(&directory.fs, Attributes::of(facts))
}

/// Makes an empty regular file that has no name yet.
pub fn empty_file(fs: &FsRef, attributes: Attributes) -> Result<InodeRef, NoSpace> {
    let cache = PageCache::new(fs, &[]);
    Inode::new(fs, Kind::Regular(cache), attributes)
}

/// Makes a regular file without a name and opens it (`memfd_create`).
pub fn memory_file(
    caller: &Caller,
    name: &[u8],
    permissions: u32,
    seals: Seals,
) -> Result<Arc<OpenFile>, OpenError> {
    let facts = cred::Facts {
        mode: permissions,
        uid: caller.cred.uid.fs,
        gid: caller.cred.gid.fs,
    };
    let inode = empty_file(&FsRef::Built(&filesystem::NAMELESS), Attributes::of(facts))?;
    inode.set_label(None, &[b"memfd:", name].concat());
    inode.set_seals(seals);
    let regular = Regular::new(inode.clone(), false);
    let flags = OpenFlags::RDWR | OpenFlags::LARGEFILE;
    // Nobody's writing to it is in the way of its being run.
    Ok(OpenFile::at(Location::nowhere(inode), None, regular, flags))
}

/// Opens a file that exists, in the order of Linux's checks.
pub fn open_file(
    caller: &Caller,
    file: Location,
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, OpenError> {
    let is_link = file.file_type() == abi::linux::S_IFLNK;
    let changes = flags.writes() || flags.intersects(OpenFlags::TRUNC | OpenFlags::CREAT);
    if flags.contains(OpenFlags::CREAT) && file.is_directory() {
        return Err(OpenError::IsDirectory);
    }
    if flags.contains(OpenFlags::DIRECTORY) && !file.is_directory() {
        return Err(OpenError::NotDirectory);
    }
    if flags.contains(OpenFlags::PATH) {
        let named = NameOnly(file.inode.clone());
        return Ok(OpenFile::at(file, None, named, flags));
    }
    if is_link {
        return Err(OpenError::IsLink);
    }
    if changes && file.is_directory() {
        return Err(OpenError::IsDirectory);
    }
    check_use(caller, &file, flags)?;
    open_kind(caller, file, flags)
}

/// Decides whether the caller may open it like that.
fn check_use(caller: &Caller, file: &Location, flags: OpenFlags) -> Result<(), OpenError> {
    let forbidden = file.mount.flags();
    let is_device = matches!(file.inode.kind, Kind::Device(_) | Kind::Block(_));
    if is_device && forbidden.contains(MountFlags::NO_DEV) {
        return Err(OpenError::Denied);
    }
    let writes = flags.writes() || flags.contains(OpenFlags::ACCMODE);
    let truncates = flags.contains(OpenFlags::TRUNC) && file.cache().is_some();
    let is_stored = file.cache().is_some() || file.is_directory();
    if (writes || truncates) && is_stored && file.mount.is_read_only() {
        return Err(OpenError::ReadOnly);
    }
    let mut wanted = Wanted::NOTHING;
    if flags.reads() || flags.contains(OpenFlags::ACCMODE) {
        wanted = wanted.and(Wanted::READ);
    }
    if writes || truncates {
        wanted = wanted.and(Wanted::WRITE);
    }
    caller.may(file, wanted)?;
    match flags.contains(OpenFlags::NOATIME) && !is_owner(&caller.cred, file.facts()) {
        true => Err(OpenError::NotOwner),
        false => Ok(()),
    }
}

fn write_access(file: &Location, flags: OpenFlags) -> Result<Option<WriteAccess>, OpenError> {
    let wanted = flags.writes() && file.cache().is_some();
    Ok(wanted.then(|| WriteAccess::new(file)).transpose()?)
}

fn keeps_atime(file: &Location, flags: OpenFlags) -> bool {
    flags.contains(OpenFlags::NOATIME)
        || file.mount.flags().contains(MountFlags::NO_ATIME)
        || file.mount.is_read_only()
}

fn open_kind(
    caller: &Caller,
    file: Location,
    flags: OpenFlags,
) -> Result<Arc<OpenFile>, OpenError> {
    let inode = file.inode.clone();
    if flags.contains(OpenFlags::DIRECT) && inode.cache().is_none() {
        return Err(OpenError::Invalid);
    }
    Ok(match &inode.kind {
        Kind::Directory(_) => OpenFile::at(file, None, Directory::new(inode), flags),
        Kind::Device(Device::Host(way)) => {
            let way = *way;
            let host = Host::open(inode, way).ok_or(OpenError::NoDevice)?;
            OpenFile::at(file, None, host, flags)
        }
        Kind::Device(Device::Other(_)) | Kind::Block(_) | Kind::Socket => {
            return Err(OpenError::NoDevice);
        }
        Kind::Device(device) if device.is_terminal() => {
            let device = *device;
            OpenFile::at(file, None, TtyFile::open(inode, device, flags)?, flags)
        }
        Kind::Device(device) => {
            let device = *device;
            OpenFile::at(file, None, Memory::new(inode, device), flags)
        }
        Kind::Proc(_) if inode.is_directory() => {
            OpenFile::at(file, None, Directory::new(inode), flags)
        }
        Kind::Proc(node) => {
            let node = *node;
            OpenFile::at(file, None, OpenProc::new(inode, node)?, flags)
        }
        Kind::Regular(_) => {
            let access = write_access(&file, flags)?;
            if flags.contains(OpenFlags::TRUNC) {
                // Whoever may empty a file without writing to it is in the way of its being run as well.
                let _access = WriteAccess::new(&file)?;
                inode.truncate(0).map_err(OpenError::Truncate)?;
                inode.drop_set_ids(&caller.cred);
            }
            let regular = Regular::new(inode, keeps_atime(&file, flags));
            OpenFile::at(file, access, regular, flags)
        }
        Kind::Fifo(_) => PipeEnd::open(file, flags)?,
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

impl From<Forbidden> for OpenError {
    fn from(Forbidden: Forbidden) -> Self {
        Self::Denied
    }
}

impl From<BeingRun> for OpenError {
    fn from(BeingRun: BeingRun) -> Self {
        Self::BeingRun
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
