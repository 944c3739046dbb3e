//! Every access and instruction that must kill (PF-11), each by its signal.

use user::child::{self, Ended};
use user::crash::{self, SURVIVED};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, must, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "faults",
    about: "accesses and instructions that kill, row by row of the table in PF-11",
    cases: &[
        ("unmapped_read", unmapped_read),
        ("unmapped_write", unmapped_write),
        ("unmapped_fetch", unmapped_fetch),
        ("null_read", || reading(0)),
        ("null_write", || writing(8)),
        ("null_call", || fetching(0)),
        ("read_only_write_untouched", read_only_write_untouched),
        ("read_only_write_present", read_only_write_present),
        ("own_code_write", own_code_write),
        ("none_untouched", none_untouched),
        ("none_with_data_read", none_with_data_read),
        ("none_with_data_write", none_with_data_write),
        ("no_exec_touched", no_exec_touched),
        ("no_exec_untouched", no_exec_untouched),
        ("no_exec_stack", no_exec_stack),
        ("kernel_image_read", || reading(KERNEL_IMAGE)),
        ("kernel_image_write", || writing(KERNEL_IMAGE)),
        ("kernel_image_fetch", || fetching(KERNEL_IMAGE)),
        ("direct_map_read", || reading(DIRECT_MAP)),
        ("direct_map_write", || writing(DIRECT_MAP)),
        ("kernel_stacks_read", || reading(KERNEL_STACKS)),
        ("kernel_last_byte_read", || reading(u64::MAX)),
        ("first_byte_past_user_read", || reading(USER_END)),
        ("first_byte_past_user_fetch", || fetching(USER_END)),
        ("last_canonical_byte_write", || writing(LAST_CANONICAL)),
        ("noncanonical_read", || reading(NONCANONICAL)),
        ("noncanonical_write", || writing(NONCANONICAL)),
        ("noncanonical_jump", || fetching(NONCANONICAL)),
        ("noncanonical_high_read", || reading(0xffff_7fff_ffff_ffff)),
        ("noncanonical_push", || {
            stack_segment(crash::push_noncanonical)
        }),
        ("noncanonical_frame", || {
            stack_segment(crash::rbp_noncanonical)
        }),
        ("straddling_the_end", straddling_the_end),
        ("hlt", || segv(crash::hlt)),
        ("cli", || segv(crash::cli)),
        ("port_in", || segv(crash::port_in)),
        ("port_out", || segv(crash::port_out)),
        ("mov_cr3", || segv(crash::mov_cr3)),
        ("mov_cr0", || segv(crash::mov_cr0)),
        ("rdmsr", || segv(crash::rdmsr)),
        ("wrmsr", || segv(crash::wrmsr)),
        ("lgdt", || segv(crash::lgdt)),
        ("swapgs", swapgs),
        ("int_20", || segv(crash::int_20)),
        ("int_8", || segv(crash::int_8)),
        ("int_14", || segv(crash::int_14)),
        ("int_4", || segv(crash::int_4)),
        ("bad_selector", || segv(crash::bad_selector)),
        ("kernel_selector", || segv(crash::kernel_selector)),
        ("iret_to_kernel", || segv(crash::iret_to_kernel)),
        ("iret_noncanonical", || segv(crash::iret_noncanonical)),
        ("movaps_unaligned", || segv(crash::movaps_unaligned)),
        ("int3", || dies("int3", libc::SIGTRAP, crash::int3)),
        ("icebp", icebp),
        ("single_step", || {
            dies("single step", libc::SIGTRAP, crash::single_step)
        }),
        ("divide_by_zero", || {
            dies("1 / 0", libc::SIGFPE, crash::divide_by_zero)
        }),
        ("divide_overflow", || {
            dies("MIN / -1", libc::SIGFPE, crash::divide_overflow)
        }),
        ("sse_divide", sse_divide),
        ("x87_divide", || {
            dies("x87 1 / 0 unmasked", libc::SIGFPE, crash::x87_divide)
        }),
        ("ud2", || dies("ud2", libc::SIGILL, crash::ud2)),
        ("alignment_check", alignment_check),
        ("bad_mxcsr", bad_mxcsr),
        ("syscall_at_the_top", || segv(crash::syscall_at_the_top)),
        ("file_past_end_private", || past_end(libc::MAP_PRIVATE)),
        ("file_past_end_shared", || past_end(libc::MAP_SHARED)),
        ("file_past_end_write", past_end_write),
        ("endless_recursion", endless_recursion),
    ],
};

const KERNEL_IMAGE: u64 = 0xffff_ffff_8000_0000;
const DIRECT_MAP: u64 = 0xffff_8880_0000_0000;
const KERNEL_STACKS: u64 = 0xffff_c900_0000_0000;
const USER_END: u64 = 0x7fff_ffff_f000;
const LAST_CANONICAL: u64 = 0x7fff_ffff_ffff;
const NONCANONICAL: u64 = 0x8000_0000_0000;

fn segv(work: fn() -> i32) -> Verdict {
    dies("this instruction", libc::SIGSEGV, work)
}

fn reading(addr: u64) -> Verdict {
    dies(&format!("a read of {addr:#x}"), libc::SIGSEGV, || {
        i32::from(mem::peek(addr))
    })
}

fn writing(addr: u64) -> Verdict {
    dies(&format!("a write to {addr:#x}"), libc::SIGSEGV, || {
        mem::poke(addr, 1);
        SURVIVED
    })
}

fn fetching(addr: u64) -> Verdict {
    dies(&format!("a jump to {addr:#x}"), libc::SIGSEGV, || {
        mem::run(addr, 0) as i32
    })
}

/// Gives an address that was mapped a moment ago.
fn unmapped() -> Result<u64, String> {
    let map = must("mmap", Map::anon(1, map::RW))?;
    map.fill(1);
    must("munmap", sys::munmap(map.start, PAGE))?;
    Ok(map.start + 5)
}

fn unmapped_read() -> Verdict {
    reading(unmapped()?)
}

fn unmapped_write() -> Verdict {
    writing(unmapped()?)
}

fn unmapped_fetch() -> Verdict {
    fetching(unmapped()?)
}

fn read_only_write_untouched() -> Verdict {
    writing(must("mmap", Map::anon(1, map::R))?.start + 9)
}

fn read_only_write_present() -> Verdict {
    let map = must("mmap", Map::anon(1, map::R))?;
    same("an untouched page", mem::peek(map.start), 0)?;
    writing(map.start + 9)
}

fn own_code_write() -> Verdict {
    writing(own_code_write as *const () as u64)
}

fn none_untouched() -> Verdict {
    let map = must("mmap", Map::anon(1, map::NONE))?;
    reading(map.start)?;
    writing(map.start)
}

fn none_with_data() -> Result<u64, String> {
    let map = must("mmap", Map::anon(1, map::RW))?;
    map.fill(42);
    must("mprotect", map.protect(map::NONE))?;
    Ok(map.start)
}

fn none_with_data_read() -> Verdict {
    reading(none_with_data()?)
}

fn none_with_data_write() -> Verdict {
    writing(none_with_data()?)
}

fn no_exec_touched() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    mem::poke(map.start, RET);
    fetching(map.start)
}

fn no_exec_untouched() -> Verdict {
    fetching(must("mmap", Map::anon(1, map::RW))?.start)
}

fn no_exec_stack() -> Verdict {
    let mut code = [RET; 16];
    fetching(sys::at(&mut code))
}

/// The opcode of `ret`.
const RET: u8 = 0xc3;

fn straddling_the_end() -> Verdict {
    let map = must("mmap", Map::apart(1, 1, map::RW))?;
    dies("a read over the end of a mapping", libc::SIGSEGV, || {
        mem::peek64(map.end() - 4) as i32
    })
}

/// The machine says #SS, so Linux sends SIGBUS; an emulator that says #GP makes it SIGSEGV.
fn stack_segment(work: fn() -> i32) -> Verdict {
    either(
        "a push or frame that is not canonical",
        work,
        &[Ended::Killed(libc::SIGBUS), Ended::Killed(libc::SIGSEGV)],
    )
}

fn either(what: &str, work: fn() -> i32, allowed: &[Ended]) -> Verdict {
    let ended = must("fork", child::run(work))?;
    if allowed.contains(&ended) {
        Ok(())
    } else {
        Err(format!("{what}: got {ended:?}, want one of {allowed:?}"))
    }
}

/// `swapgs` is privileged: #GP.
fn swapgs() -> Verdict {
    segv(crash::swapgs)
}

/// Emulators do not all know the undocumented opcode.
fn icebp() -> Verdict {
    either(
        "icebp",
        crash::icebp,
        &[Ended::Killed(libc::SIGTRAP), Ended::Killed(libc::SIGILL)],
    )
}

/// Emulators do not all check alignment.
fn alignment_check() -> Verdict {
    either(
        "AC and an odd address",
        crash::alignment_check,
        &[Ended::Killed(libc::SIGBUS), Ended::Exited(SURVIVED)],
    )
}

/// Emulators do not all raise SSE's exceptions.
fn sse_divide() -> Verdict {
    let allowed = [Ended::Killed(libc::SIGFPE), Ended::Exited(SURVIVED)];
    either("1.0 / 0.0 unmasked", crash::sse_divide, &allowed)
}

/// Emulators do not all look at MXCSR's reserved bits.
fn bad_mxcsr() -> Verdict {
    either(
        "reserved MXCSR bits",
        crash::bad_mxcsr,
        &[Ended::Killed(libc::SIGSEGV), Ended::Exited(SURVIVED)],
    )
}

/// Maps the program's own file and two pages more; gives the first page past its end.
fn page_past_end(prot: i32, flags: i32) -> Result<u64, String> {
    let file = std::fs::File::open(std::env::current_exe().map_err(|e| e.to_string())?)
        .map_err(|e| e.to_string())?;
    let size = file.metadata().map_err(|e| e.to_string())?.len();
    let pages = size.div_ceil(PAGE);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    let map = must("mmap of a file", Map::with(pages + 2, prot, flags, fd))?;
    same("the file's first byte", mem::peek(map.start), 0x7f)?;
    Ok(map.page(pages))
}

fn past_end(flags: i32) -> Verdict {
    let addr = page_past_end(map::R, flags)?;
    dies("a read past the end of a file", libc::SIGBUS, || {
        i32::from(mem::peek(addr))
    })
}

fn past_end_write() -> Verdict {
    let addr = page_past_end(map::RW, libc::MAP_PRIVATE)?;
    dies("a write past the end of a file", libc::SIGBUS, || {
        mem::poke(addr + 100, 1);
        SURVIVED
    })
}

fn endless_recursion() -> Verdict {
    dies("endless recursion", libc::SIGSEGV, || {
        crash::recurse(0) as i32
    })
}
