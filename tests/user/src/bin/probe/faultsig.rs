//! What a handler is told of each fault (PF-11), cell by cell: signal, code, address, vector, error code, CR2.

use user::crash;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, holds, must, same};
use user::signals::{self, notes};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "faultsig",
    about: "what a handler is told of each fault, row by row of the table in PF-11",
    cases: &[
        ("unmapped", unmapped),
        ("read_only", read_only),
        ("no_access", no_access),
        ("no_exec", no_exec),
        ("kernel_addresses", kernel_addresses),
        ("not_canonical", not_canonical),
        ("stack_not_canonical", stack_not_canonical),
        ("privileged", privileged),
        ("software_interrupts", software_interrupts),
        ("breakpoint", || {
            row(crash::int3, libc::SIGTRAP, SI_KERNEL, At::Nowhere, 3, 0)
        }),
        ("icebp", icebp),
        ("single_step", || {
            row(crash::single_step, libc::SIGTRAP, 2, At::Rip, 1, 0)
        }),
        ("divide", || {
            row(crash::divide_by_zero, libc::SIGFPE, 1, At::Rip, 0, 0)
        }),
        ("x87_divide", || {
            row(crash::x87_divide, libc::SIGFPE, 3, At::Rip, 16, 0)
        }),
        ("sse_divide", sse_divide),
        ("undefined", || {
            row(crash::ud2, libc::SIGILL, 2, At::Rip, 6, 0)
        }),
        ("alignment", alignment),
        ("movaps", || {
            row(
                crash::movaps_unaligned,
                libc::SIGSEGV,
                SI_KERNEL,
                At::Nowhere,
                13,
                0,
            )
        }),
        ("selectors", selectors),
        ("past_the_end_of_a_file", past_the_end_of_a_file),
        ("cr2_is_the_last_page_fault", cr2_is_the_last_page_fault),
        ("top_of_user_space", top_of_user_space),
    ],
};

const SI_KERNEL: i32 = 128;
const KERNEL: u64 = 0xffff_ffff_8000_0000;
const USER_END: u64 = 0x7fff_ffff_f000;
const NOT_CANONICAL: u64 = 0x8000_0000_0000;

/// What `si_addr` is.
#[derive(Clone, Copy)]
enum At {
    /// This very byte, which is also CR2.
    Byte(u64),
    /// The instruction pointer in the frame.
    Rip,
    /// 0.
    Nowhere,
}

/// Catches every signal of a fault.
fn catch() -> Verdict {
    for signal in [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
    ] {
        must("install", signals::install(signal, signals::recover, 0, 0))?;
    }
    Ok(())
}

/// Does `work`, which faults once, and compares what the handler was told.
fn row(
    work: impl FnOnce() -> i32,
    signal: i32,
    code: i32,
    at: At,
    vector: u64,
    error: u64,
) -> Verdict {
    catch()?;
    let _ = work();
    let told = notes();
    let [got_signal, got_code, addr, trapno, err, cr2, rip] = told[..] else {
        return Err(format!(
            "the handler ran {} times, not once",
            told.len() / 7
        ));
    };
    same("signal", got_signal, signal as u64)?;
    same("si_code", got_code, code as u64)?;
    match at {
        At::Byte(byte) => {
            same("si_addr", addr, byte)?;
            same("cr2", cr2, byte)?;
        }
        At::Rip => same("si_addr", addr, rip)?,
        At::Nowhere => same("si_addr", addr, 0)?,
    }
    same("trapno", trapno, vector)?;
    same("err", err, error)
}

fn page_fault(work: fn(u64) -> i32, addr: u64, code: i32, error: u64) -> Verdict {
    row(
        || work(addr),
        libc::SIGSEGV,
        code,
        At::Byte(addr),
        14,
        error,
    )
    .map_err(|why| format!("{addr:#x}, error {error:#x}: {why}"))
}

fn protection(work: fn() -> i32, error: u64) -> Verdict {
    row(work, libc::SIGSEGV, SI_KERNEL, At::Nowhere, 13, error)
}

/// Maps pages of memory.
fn pages(count: u64, prot: i32) -> Result<u64, String> {
    Ok(must("mmap", Map::anon(count, prot))?.start)
}

fn unmapped() -> Verdict {
    let hole = pages(1, map::RW)?;
    must("munmap", sys::munmap(hole, PAGE))?;
    for addr in [hole + 123, hole, hole + PAGE - 1, 0, 8] {
        page_fault(crash::read, addr, 1, 4)?;
        page_fault(crash::write, addr, 1, 6)?;
        page_fault(crash::jump, addr, 1, 0x14)?;
    }
    Ok(())
}

fn read_only() -> Verdict {
    let untouched = pages(1, map::R)?;
    page_fault(crash::write, untouched + 5, 2, 6)?;
    let present = pages(1, map::RW)?;
    mem::poke(present, 1);
    must("mprotect", sys::mprotect(present, PAGE, map::R))?;
    page_fault(crash::write, present + 77, 2, 7)
}

fn no_access() -> Verdict {
    let page = pages(1, libc::PROT_NONE)?;
    page_fault(crash::read, page + 1, 2, 4)?;
    page_fault(crash::write, page + 2, 2, 6)?;
    let held = pages(1, map::RW)?;
    mem::poke(held, 1);
    must("mprotect", sys::mprotect(held, PAGE, libc::PROT_NONE))?;
    page_fault(crash::read, held + 3, 2, 4)?;
    page_fault(crash::write, held + 4, 2, 6)
}

fn no_exec() -> Verdict {
    let touched = pages(1, map::RW)?;
    mem::poke(touched, 0xc3);
    page_fault(crash::jump, touched, 2, 0x15)?;
    page_fault(crash::jump, pages(1, map::R)? + 16, 2, 0x15)
}

fn kernel_addresses() -> Verdict {
    for addr in [KERNEL, KERNEL + 0x1234, 0xffff_8880_0000_0000, u64::MAX] {
        page_fault(crash::read, addr, 1, 5)?;
        page_fault(crash::write, addr, 1, 7)?;
    }
    page_fault(crash::jump, KERNEL, 1, 0x15)?;
    page_fault(crash::read, USER_END, 1, 5)?;
    page_fault(crash::jump, USER_END, 1, 0x15)
}

fn not_canonical() -> Verdict {
    for addr in [NOT_CANONICAL, 0xffff_7fff_ffff_ffff] {
        for work in [crash::read, crash::write, crash::jump] {
            let work = || work(addr);
            row(work, libc::SIGSEGV, SI_KERNEL, At::Nowhere, 13, 0)?;
        }
    }
    Ok(())
}

/// Processors raise #SS, QEMU's translator #GP.
fn stack_not_canonical() -> Verdict {
    row(
        crash::rbp_noncanonical,
        libc::SIGBUS,
        SI_KERNEL,
        At::Nowhere,
        12,
        0,
    )
    .or_else(|_| protection(crash::rbp_noncanonical, 0))
}

fn privileged() -> Verdict {
    for work in [
        crash::hlt,
        crash::cli,
        crash::port_in,
        crash::mov_cr3,
        crash::mov_cr0,
        crash::rdmsr,
        crash::lgdt,
    ] {
        protection(work, 0)?;
    }
    Ok(())
}

/// The error code names the gate: number times 8, and 2 for the interrupt table. QEMU's translator multiplies
/// by a gate's 16 bytes.
fn software_interrupts() -> Verdict {
    gate(crash::int_20, 0x20)?;
    gate(crash::int_8, 8)?;
    gate(crash::int_14, 14)?;
    row(crash::int_4, libc::SIGSEGV, SI_KERNEL, At::Nowhere, 4, 0)
}

fn gate(work: fn() -> i32, number: u64) -> Verdict {
    protection(work, number * 8 + 2).or_else(|_| protection(work, number * 16 + 2))
}

/// Emulators do not all know the undocumented opcode.
fn icebp() -> Verdict {
    row(crash::icebp, libc::SIGTRAP, 1, At::Rip, 1, 0)
        .or_else(|_| row(crash::icebp, libc::SIGILL, 2, At::Rip, 6, 0))
}

/// Emulators do not all raise SSE's exceptions.
fn sse_divide() -> Verdict {
    let outcome = row(crash::sse_divide, libc::SIGFPE, 3, At::Rip, 19, 0);
    unless_it_never_came(outcome)
}

/// Emulators do not all check alignment.
fn alignment() -> Verdict {
    let outcome = row(crash::alignment_check, libc::SIGBUS, 1, At::Nowhere, 17, 0);
    unless_it_never_came(outcome)
}

fn unless_it_never_came(outcome: Verdict) -> Verdict {
    match outcome {
        Err(why) if why.contains("ran 0 times") => Ok(()),
        other => other,
    }
}

fn selectors() -> Verdict {
    protection(crash::bad_selector, 0x1238)?;
    protection(crash::kernel_selector, 0x10)
}

fn past_the_end_of_a_file() -> Verdict {
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let count = size.div_ceil(PAGE);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    for (flags, prot) in [(libc::MAP_PRIVATE, map::RW), (libc::MAP_SHARED, map::R)] {
        let start = must("mmap", Map::with(count + 2, prot, flags, fd))?.start;
        let addr = start + count * PAGE + 9;
        let read = || crash::read(addr);
        row(read, libc::SIGBUS, 2, At::Byte(addr), 14, 4)?;
        if prot == map::RW {
            let write = || crash::write(addr);
            row(write, libc::SIGBUS, 2, At::Byte(addr), 14, 6)?;
        }
    }
    Ok(())
}

/// A #GP leaves the last page fault's address in the frame.
fn cr2_is_the_last_page_fault() -> Verdict {
    page_fault(crash::read, 0x1230, 1, 4)?;
    let _ = crash::hlt();
    let told = notes();
    holds("the handler ran", told.len() == 7)?;
    same("trapno", told[3], 13)?;
    same("cr2", told[5], 0x1230)?;
    must("raise", signals::install(libc::SIGUSR1, signals_word, 0, 0))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("a later signal's trapno and cr2", notes(), vec![13, 0x1230])
}

fn signals_word(event: &mut signals::Event) {
    signals::note(event.context[signals::word::TRAPNO]);
    signals::note(event.context[signals::word::CR2]);
}

/// SY-4: the call returns to the first byte past user space, which cannot be fetched.
fn top_of_user_space() -> Verdict {
    row(
        crash::syscall_at_the_top,
        libc::SIGSEGV,
        1,
        At::Byte(USER_END),
        14,
        0x15,
    )
}
