//! The first process.

use alloc::string::String;
use alloc::sync::Arc;

use abi::file::OpenFlags;
use abi::process::Persona;
use bootinfo::CommandLine;
use bootinfo::command_line::FailAlloc;
use cred::Cred;
use exec::args::Strings;
use sigstate::SignalState;

use super::exec::base_name;
use super::image::{self, ExecRequest, ExecveError, Image, Target};
use super::layout;
use super::power::{self, Ending};
use super::thread::Thread;
use super::{Process, Program, terminal, tree, view};
use crate::arch::trapframe::TrapFrame;
use crate::fs::path::Limits;
use crate::fs::{self, Caller, How};
use crate::mm::mm_struct::MmLimits;
use crate::mm::{OutOfMemory, inject};
use crate::sched;
use crate::task::NewUser;

/// The program that runs unless the command line names another.
const DEFAULT_INIT: &str = "/init";
/// What init finds in its environment.
const ENVIRONMENT: [&str; 3] = ["HOME=/", "TERM=linux", "PATH=/bin:/sbin:/usr/bin:/usr/sbin"];

/// Starts init as the command line says, or says why that cannot be done and ends the machine.
pub fn start_init(cmdline: &CommandLine) {
    view::init();
    terminal::init();
    fs::unix::set_sender(super::creds::current_ucred);
    let path = cmdline.init.as_deref().unwrap_or(DEFAULT_INIT);
    let argv = [path]
        .into_iter()
        .chain(cmdline.init_args.iter().map(String::as_str));
    match load(path, argv) {
        Ok(image) => match start(image, path) {
            Ok(()) => {
                log::info!(target: "process", "init is {path}");
                arm_failure(cmdline);
            }
            Err(OutOfMemory) => refuse(path, "out of memory"),
        },
        Err(error) => refuse(path, words(error)),
    }
}

/// From now on counts towards the allocation that the command line wants to fail.
fn arm_failure(cmdline: &CommandLine) {
    let Some(FailAlloc { nth, site }) = &cmdline.fail_alloc else {
        return;
    };
    let found = |name: &str| inject::SITES.iter().find(|(_, known)| *known == name);
    match site.as_deref().map(found) {
        None => inject::arm_everybody(*nth, None),
        Some(Some((site, _))) => inject::arm_everybody(*nth, Some(*site)),
        Some(None) => {
            let known = inject::SITES.map(|(_, name)| name);
            log::warn!(target: "process", "command line: no such place in failalloc; there are {known:?}");
        }
    }
}

fn load<'a>(path: &str, argv: impl Iterator<Item = &'a str>) -> Result<Image, ExecveError> {
    let caller = Caller::kernel();
    let target = Target::Named(fs::root(), path.into(), fs::Follow::Yes);
    let found = image::find(&caller, &target)?;
    let request = ExecRequest {
        path: path.into(),
        can_reopen: true,
        honours_bits: false,
        argv: Strings::of(argv.map(str::as_bytes))?,
        envp: Strings::of(ENVIRONMENT.map(str::as_bytes))?,
        caller,
        limits: MmLimits::DEFAULT,
        layout: layout::choose(Persona::empty()),
    };
    image::load(found, request)
}

fn start(image: Image, path: &str) -> Result<(), OutOfMemory> {
    let Image {
        mm,
        entry,
        sp,
        exe,
        arguments,
        environment,
        ..
    } = image;
    let process = Arc::new(Process::empty(
        tree::new_pid(),
        SignalState::new(true),
        Arc::new(Cred::root()),
    ));
    assert!(process.pid() == tree::INIT, "init is the first process");
    let cred = process.cred();
    let thread = Arc::new(Thread::new(process.clone(), process.pid(), cred));
    thread.reset_for_program(Program {
        exe: Some(exe),
        arguments,
        environment,
    });
    open_console(&process);
    let task = NewUser {
        name: &base_name(path.as_bytes()),
        mm,
        frame: TrapFrame::user_entry(entry, sp),
        owner: thread,
        copy_fpu: false,
        fs_base: 0,
        gs_base: 0,
    }
    .spawn()?;
    process.group.lock().begin(task.clone());
    tree::insert(process, None, || true).expect("nobody has the first number");
    tree::number_kthreads();
    sched::start(&task);
    Ok(())
}

/// Gives init the console as its first three descriptors.
fn open_console(process: &Process) {
    let limit = process.fd_limit();
    let how = How {
        flags: OpenFlags::RDWR,
        mode: 0,
        limits: Limits::default(),
    };
    let console = fs::open(&Caller::kernel(), &fs::root(), b"/dev/console", how)
        .expect("the tree has a console");
    for _ in 0..3 {
        let inserted = process.with_files(|files| files.insert(console.clone(), false, 0, limit));
        let inserted = inserted.map_err(|refused| refused.why);
        inserted.expect("an empty table has room");
    }
}

fn refuse(path: &str, why: &str) -> ! {
    log::error!(target: "process", "init {path} cannot be started: {why}");
    power::end(Ending::NoInit)
}

fn words(error: ExecveError) -> &'static str {
    match error {
        ExecveError::Path(_) => "no such file in the initramfs",
        ExecveError::BeingWritten => "somebody writes to it",
        ExecveError::NotExecutable | ExecveError::IsLink | ExecveError::Unreachable => {
            "not an executable file"
        }
        ExecveError::Format(error) => error.words(),
        ExecveError::Script(_) => "its first line names no interpreter",
        ExecveError::TooManyScripts => "scripts run by scripts",
        ExecveError::TooBig => "its arguments are too long",
        ExecveError::Map(_) => "it does not fit into the address space",
        ExecveError::OutOfMemory => "out of memory",
        ExecveError::Ends => "it has to end",
    }
}
