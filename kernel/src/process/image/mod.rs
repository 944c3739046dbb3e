//! A new address space for a program, complete before anybody lets go of the old one (EX-1).
//!
//! What goes where is decided by `exec::plan` and `exec::stack`; here it is mapped and written.

mod stack;

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;

use abi::linux::S_IFLNK;
use addr::{PAGE_SIZE, PageRange, VirtAddr};
use cred::Wanted;
use cred::program::Execed;
use exec::args::{Strings, TooBig};
use exec::layout::Layout;
use exec::shebang::{self, BadShebang};
use exec::{ExecError, Kind, LoadPlan, Segment};
use pte::Prot;
use vma::VmFlags;

use crate::fs::mount::MountFlags;
use crate::fs::write_access::{BeingWritten, Running};
use crate::fs::{Caller, Follow, Location, PathError, resolve};
use crate::mm::mm_struct::MmLimits;
use crate::mm::remote::RemoteFault;
use crate::mm::{MapBacking, MapError, MapKind, MapRequest, Mm, MmUserRef, OutOfMemory};

/// How much of a file that was written to is looked at for its headers.
const HEAD: usize = 32 << 10;
/// How many scripts may be run by scripts.
const MAX_SCRIPTS: usize = 5;
/// All a mapping of a program may ever be.
pub(super) const MAY_ALL: VmFlags = VmFlags::MAYREAD
    .union(VmFlags::MAYWRITE)
    .union(VmFlags::MAYEXEC);

/// What is to be run.
pub struct ExecRequest {
    /// The program's path, as it is told.
    pub path: Vec<u8>,
    /// Whether a script among the arguments could be opened by that path.
    pub can_reopen: bool,
    /// Arguments.
    pub argv: Strings,
    /// Environment.
    pub envp: Strings,
    /// Who wants it run.
    pub caller: Caller,
    /// Whether set-id bits count.
    pub honours_bits: bool,
    /// What the new address space may hold.
    pub limits: MmLimits,
    /// Where its parts go that are bound to no place.
    pub layout: Layout,
}

/// Which file is to be run.
#[derive(Clone)]
pub enum Target {
    /// What a path leads to from a directory.
    Named(Location, Vec<u8>, Follow),
    /// What is open.
    Open(Location),
}

/// A program in memory that nobody runs yet.
pub struct Image {
    /// Its address space.
    pub mm: MmUserRef,
    /// Its first instruction.
    pub entry: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// Its file, which others may not write to.
    pub exe: Running,
    /// Where its argument strings are.
    pub arguments: Range<u64>,
    /// Who its process is from then on.
    pub who: Execed,
    /// Where its environment is.
    pub environment: Range<u64>,
}

/// Why a program cannot be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecveError {
    /// Its path, or its interpreter's, leads nowhere.
    Path(PathError),
    /// It is not a regular file that may be executed.
    NotExecutable,
    /// Somebody has it open for writing.
    BeingWritten,
    /// It is a symbolic link, and is not to be.
    IsLink,
    /// It is a script that its interpreter could not open.
    Unreachable,
    /// It is no program this machine can run.
    Format(ExecError),
    /// Its first line names no interpreter.
    Script(BadShebang),
    /// Scripts run by scripts run by scripts.
    TooManyScripts,
    /// Arguments and environment are too long.
    TooBig,
    /// It does not fit into the address space.
    Map(MapError),
    /// No memory.
    OutOfMemory,
    /// The process has to end.
    Ends,
}

/// Finds a program: `execve` fails for its path before it looks at the arguments (EX-1).
pub fn find(caller: &Caller, target: &Target) -> Result<Found, ExecveError> {
    Found::new(caller, target)
}

/// Builds the image of a program that was found.
pub fn load(found: Found, mut request: ExecRequest) -> Result<Image, ExecveError> {
    let program = find_program(found, &mut request)?;
    let plan = exec::plan(&program.head, program.len())?;
    let interpreter = match plan.interpreter {
        Some(path) => Some(Found::new(&request.caller, &request.named(path))?),
        None => None,
    };
    let mm = Mm::new()?;
    let layout = &request.layout;
    mm.set_limits(request.limits);
    mm.lower_mappings(layout.mmap_shift);
    let (plan, start) = map_all(&mm, layout, plan, &program, interpreter.as_ref())?;
    mm.set_brk_start(layout.heap_start(&plan));
    mm.set_code_pages(plan.code_pages());
    let file = program.running.file();
    let honours = request.honours_bits && !file.mount.flags().contains(MountFlags::NO_SUID);
    let who = cred::program::exec(&request.caller.cred, file.facts(), honours);
    let vdso = super::vdso::map(&mm)?;
    let told = stack::Told {
        plan: &plan,
        start: &start,
        who: &who,
        vdso,
    };
    let stack = stack::write(&mm, &told, &request)?;
    Ok(Image {
        mm,
        entry: start.entry,
        sp: stack.sp,
        exe: program.running,
        arguments: stack.arg_start..stack.arg_end,
        who,
        environment: stack.arg_end..stack.env_end,
    })
}

/// A program's file, which others may not write to meanwhile.
pub struct Found {
    running: Running,
    /// Its first bytes, or all of them: what headers and names are read from.
    head: Cow<'static, [u8]>,
}

/// Where control goes first.
struct Start {
    entry: u64,
    /// Where the interpreter is; 0 without one.
    base: u64,
}

impl Found {
    fn new(caller: &Caller, target: &Target) -> Result<Self, ExecveError> {
        let file = match target {
            Target::Named(base, path, follow) => resolve(caller, base, path, *follow)?,
            Target::Open(file) => file.clone(),
        };
        if file.file_type() == S_IFLNK {
            return Err(ExecveError::IsLink);
        }
        let forbidden = file.mount.flags().contains(MountFlags::NO_EXEC);
        let may = !forbidden && caller.may(&file, Wanted::EXECUTE).is_ok();
        let cache = file.cache().filter(|_| may);
        let cache = cache.ok_or(ExecveError::NotExecutable)?;
        let running = Running::new(&file).map_err(|BeingWritten| ExecveError::BeingWritten)?;
        let head = match cache.unwritten() {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(cache.head(HEAD)?),
        };
        Ok(Self { running, head })
    }

    fn len(&self) -> u64 {
        self.running.file().metadata().size
    }
}

/// Finds the file to load, putting the interpreters of scripts before the arguments (EX-4).
fn find_program(mut found: Found, request: &mut ExecRequest) -> Result<Found, ExecveError> {
    let mut path = None;
    for _ in 0..=MAX_SCRIPTS {
        let Some(line) = shebang::parse(&found.head) else {
            return Ok(found);
        };
        let line = line.map_err(ExecveError::Script)?;
        if !request.can_reopen {
            return Err(ExecveError::Unreachable);
        }
        let interpreter = line.interpreter.to_vec();
        let script = path.as_ref().unwrap_or(&request.path);
        let head = [Some(&*interpreter), line.argument, Some(&**script)];
        let argv = head
            .into_iter()
            .flatten()
            .chain(request.argv.iter().skip(1));
        request.argv = Strings::of(argv)?;
        found = Found::new(&request.caller, &request.named(&interpreter))?;
        path = Some(interpreter);
    }
    Err(ExecveError::TooManyScripts)
}

/// Maps the program and its interpreter; returns the plan with final addresses.
fn map_all<'a>(
    mm: &Mm,
    layout: &Layout,
    plan: LoadPlan<'a>,
    program: &Found,
    interpreter: Option<&Found>,
) -> Result<(LoadPlan<'a>, Start), ExecveError> {
    let pie_base = interpreter.map(|_| layout.pie_base);
    let plan = place(mm, plan, pie_base)?;
    map_program(mm, &plan, program)?;
    let Some(interpreter) = interpreter else {
        let start = Start {
            entry: plan.entry,
            base: 0,
        };
        return Ok((plan, start));
    };
    let loader = place(mm, exec::plan(&interpreter.head, interpreter.len())?, None)?;
    map_program(mm, &loader, interpreter)?;
    let base = match loader.kind {
        Kind::Pie => loader.span.start.start().as_u64(),
        Kind::Fixed => 0,
    };
    let start = Start {
        entry: loader.entry,
        base,
    };
    Ok((plan, start))
}

/// Gives a position-independent program its place: `base`, or else one among the mappings.
fn place<'a>(mm: &Mm, plan: LoadPlan<'a>, base: Option<u64>) -> Result<LoadPlan<'a>, ExecveError> {
    let base = match (plan.kind, base) {
        (Kind::Fixed, _) => return Ok(plan),
        (Kind::Pie, Some(base)) => base,
        (Kind::Pie, None) => find_room(mm, &plan)?,
    };
    let base = base
        .checked_next_multiple_of(plan.align)
        .ok_or(ExecveError::OutOfMemory)?;
    Ok(plan.relocated(VirtAddr::new(base))?)
}

/// Finds where the whole program fits, aligned as it asks: by mapping that much and unmapping it.
fn find_room(mm: &Mm, plan: &LoadPlan<'_>) -> Result<u64, ExecveError> {
    let len = plan.span.len() * PAGE_SIZE;
    let len = len
        .checked_add(plan.align - PAGE_SIZE)
        .ok_or(ExecveError::OutOfMemory)?;
    let request = MapRequest {
        addr: 0,
        len,
        prot: Prot::empty(),
        kind: MapKind::Hint,
        flags: VmFlags::NORESERVE,
        populate: false,
        backing: MapBacking::ANON,
    };
    let addr = mm.map(&request)?;
    mm.unmap(addr, len)
        .expect("what was just mapped can be unmapped");
    Ok(addr)
}

fn map_program(mm: &Mm, plan: &LoadPlan<'_>, found: &Found) -> Result<(), ExecveError> {
    plan.segments
        .iter()
        .try_for_each(|segment| map_segment(mm, segment, found))
}

fn map_segment(mm: &Mm, segment: &Segment, found: &Found) -> Result<(), ExecveError> {
    let file = MapBacking::File {
        source: found.running.file().inode.clone(),
        page: segment.file_page,
    };
    map_pages(mm, segment.file_range(), segment.prot, file)?;
    map_pages(mm, segment.anon_range(), segment.prot, MapBacking::ANON)?;
    let tail = &segment.zero_tail;
    Ok(mm.zero_remote(tail.start, tail.end - tail.start)?)
}

fn map_pages(
    mm: &Mm,
    pages: PageRange,
    prot: Prot,
    backing: MapBacking,
) -> Result<(), ExecveError> {
    if pages.is_empty() {
        return Ok(());
    }
    let request = MapRequest {
        addr: pages.start.start().as_u64(),
        len: pages.len() * PAGE_SIZE,
        prot,
        kind: MapKind::FixedNoReplace,
        flags: MAY_ALL,
        populate: false,
        backing,
    };
    mm.map(&request)?;
    Ok(())
}

impl ExecRequest {
    /// Names a file as the running process does.
    fn named(&self, path: &[u8]) -> Target {
        Target::Named(self.caller.cwd.clone(), path.to_vec(), Follow::Yes)
    }
}

impl From<PathError> for ExecveError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<ExecError> for ExecveError {
    fn from(error: ExecError) -> Self {
        Self::Format(error)
    }
}

impl From<TooBig> for ExecveError {
    fn from(TooBig: TooBig) -> Self {
        Self::TooBig
    }
}

impl From<MapError> for ExecveError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl From<OutOfMemory> for ExecveError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// Writing to a mapping that was just made fails only for want of memory.
impl From<RemoteFault> for ExecveError {
    fn from(RemoteFault: RemoteFault) -> Self {
        Self::OutOfMemory
    }
}
