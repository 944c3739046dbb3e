//! Handlers that mend what went wrong, and stacks for them (PF-12, SG-7, SF-2).

use user::child::{self, Ended};
use user::crash;
use user::frames;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, lives, must, refused, same};
use user::signals::{self, Event, note, notes, word};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "repair",
    about: "handlers that mend a fault, alternate stacks",
    cases: &[
        ("mprotect_and_return", mprotect_and_return),
        ("mmap_and_return", mmap_and_return),
        ("another_rip_and_rax", another_rip_and_rax),
        ("a_thousand_pages", a_thousand_pages),
        ("in_a_child", in_a_child),
        ("nested_faults", nested_faults),
        ("blocked_faults_kill", blocked_faults_kill),
        ("ignored_faults_kill", ignored_faults_kill),
        ("stack_overflow_without_stack", stack_overflow_without_stack),
        ("stack_overflow_with_stack", stack_overflow_with_stack),
        ("alt_stack_rules", alt_stack_rules),
        ("alt_stack_in_use", alt_stack_in_use),
        ("alt_stack_disarms_itself", alt_stack_disarms_itself),
        ("alt_stack_overflow", alt_stack_overflow),
        ("red_zone", red_zone),
    ],
};

fn page_of(addr: u64) -> u64 {
    addr & !(PAGE - 1)
}

fn make_writable(event: &mut Event) {
    note(event.code() as u64);
    let _ = sys::mprotect(page_of(event.addr()), PAGE, map::RW);
}

fn mprotect_and_return() -> Verdict {
    let page = must("mmap", Map::anon(1, map::R))?;
    must(
        "install",
        signals::install(libc::SIGSEGV, make_writable, 0, 0),
    )?;
    mem::poke(page.start + 100, 42);
    same("what was written", mem::peek(page.start + 100), 42)?;
    same("handled once, as ACCERR", notes(), vec![2])
}

fn map_there(event: &mut Event) {
    note(event.code() as u64);
    let flags = map::ANON | libc::MAP_FIXED;
    let _ = sys::mmap(page_of(event.addr()), PAGE, map::RW, flags, -1, 0);
}

fn mmap_and_return() -> Verdict {
    let page = must("mmap", Map::apart(1, 1, map::NONE))?;
    must("munmap", sys::munmap(page.start, PAGE))?;
    must("install", signals::install(libc::SIGSEGV, map_there, 0, 0))?;
    same("read", mem::peek(page.start + 5), 0)?;
    mem::poke(page.start + 5, 7);
    same("read again", mem::peek(page.start + 5), 7)?;
    same("handled once, as MAPERR", notes(), vec![1])
}

fn another_rip_and_rax() -> Verdict {
    fn skip(event: &mut Event) {
        signals::go_on(event);
        event.context[word::RAX] = 77;
    }
    must("install", signals::install(libc::SIGILL, skip, 0, 0))?;
    same("rax", crash::undefined_with_rax(), 77)
}

/// Every page of a range that begins without access is opened by the handler, twice.
fn a_thousand_pages() -> Verdict {
    fn open(event: &mut Event) {
        let _ = sys::mprotect(page_of(event.addr()), PAGE, map::RW);
    }
    let range = must("mmap", Map::anon(1000, map::NONE))?;
    must("install", signals::install(libc::SIGSEGV, open, 0, 0))?;
    for round in 1..=2 {
        range.fill(round);
        holds("what was written is there", range.holds(round))?;
        must("mprotect", range.protect(map::NONE))?;
    }
    Ok(())
}

fn in_a_child() -> Verdict {
    let page = must("mmap", Map::anon(1, map::R))?;
    lives("a child with its parent's handler", || {
        let _ = signals::install(libc::SIGSEGV, make_writable, 0, 0);
        mem::poke(page.start, 1);
        i32::from(mem::peek(page.start) != 1)
    })?;
    must(
        "install",
        signals::install(libc::SIGSEGV, make_writable, 0, 0),
    )?;
    let pid = must("fork", sys::fork())?;
    if pid == 0 {
        mem::poke(page.start, 1);
        sys::exit(i32::from(mem::peek(page.start)));
    }
    same("inherited", child::wait(pid), Ok(Ended::Exited(1)))?;
    same("in the parent nothing was handled", notes(), vec![])?;
    mem::poke(page.start, 9);
    same("but it can", notes(), vec![2])
}

/// The handler itself faults, three deep.
fn nested_faults() -> Verdict {
    fn deeper(event: &mut Event) {
        note(event.addr());
        if event.addr() < 0x3000 {
            let _ = crash::read(event.addr() + PAGE);
        }
        signals::go_on(event);
    }
    must(
        "install",
        signals::install(libc::SIGSEGV, deeper, signals::NODEFER, 0),
    )?;
    let _ = crash::read(0x1000);
    same("addresses", notes(), vec![0x1000, 0x2000, 0x3000])?;
    dies(
        "deferred, the second fault is the end",
        libc::SIGSEGV,
        || {
            let _ = signals::install(libc::SIGSEGV, deeper, 0, 0);
            crash::read(0x1000)
        },
    )
}

/// PF-12.
fn blocked_faults_kill() -> Verdict {
    dies("SIGSEGV, handled but blocked", libc::SIGSEGV, || {
        let _ = signals::install(libc::SIGSEGV, signals::recover, 0, 0);
        let _ = signals::set_mask(u64::MAX);
        crash::read(8)
    })?;
    dies("SIGILL, blocked", libc::SIGILL, || {
        let _ = signals::set_mask(u64::MAX);
        crash::ud2()
    })
}

fn ignored_faults_kill() -> Verdict {
    for (signal, work) in [
        (libc::SIGSEGV, crash::hlt as fn() -> i32),
        (libc::SIGFPE, crash::divide_by_zero),
        (libc::SIGTRAP, crash::int3),
    ] {
        dies("an ignored fault", signal, || {
            let mut ignore = [1, 0, 0, 0];
            let _ = signals::set_action(signal, &mut ignore);
            work()
        })?;
    }
    Ok(())
}

/// SG-7: the frame cannot be written, and that is the end, not a loop.
fn stack_overflow_without_stack() -> Verdict {
    dies("endless recursion", libc::SIGSEGV, || {
        let _ = signals::install(libc::SIGSEGV, signals::go_on, 0, 0);
        crash::recurse(0) as i32
    })
}

fn stack_overflow_with_stack() -> Verdict {
    fn leave(event: &mut Event) {
        let below = event.context[word::RSP].abs_diff(event.addr()) < 64 * 1024;
        let (own, stack) = (
            std::ptr::from_ref(event) as u64,
            event.context[word::STACK_SP],
        );
        let on_stack = own > stack && own < stack + event.context[word::STACK_SIZE];
        sys::exit(i32::from(event.code() == 1 && below && on_stack) + 20);
    }
    let stack = must("mmap", Map::anon(16, map::RW))?;
    let ended = child::run(|| {
        let _ = signals::alt_stack(stack.start, 0, stack.bytes());
        let _ = signals::install(libc::SIGSEGV, leave, signals::ONSTACK, 0);
        crash::recurse(0) as i32
    });
    same(
        "the handler saw MAPERR near rsp",
        ended,
        Ok(Ended::Exited(21)),
    )
}

const DISABLE: u32 = libc::SS_DISABLE as u32;
const ON_STACK: u32 = libc::SS_ONSTACK as u32;
const AUTODISARM: u32 = 1 << 31;

fn alt_stack_rules() -> Verdict {
    let room = must("mmap", Map::anon(4, map::RW))?;
    must("disable", signals::alt_stack(0, DISABLE, 0))?;
    let off = [0, u64::from(DISABLE), 0];
    same("disabled", signals::present_alt_stack(), Ok(off))?;
    for size in [0, 2047] {
        refused(
            "too small",
            signals::alt_stack(room.start, 0, size),
            libc::ENOMEM,
        )?;
    }
    refused(
        "unknown flags",
        signals::alt_stack(room.start, 8, PAGE),
        libc::EINVAL,
    )?;
    same(
        "the one before",
        signals::alt_stack(room.start, 0, 2048),
        Ok(off),
    )?;
    let on = [room.start, 0, 2048];
    same("enabled", signals::present_alt_stack(), Ok(on))?;
    same(
        "ONSTACK is accepted",
        signals::alt_stack(room.start, ON_STACK, PAGE),
        Ok(on),
    )?;
    let now = [room.start, 0, PAGE];
    same("and not told", signals::present_alt_stack(), Ok(now))?;
    lives("a child inherits it", || {
        i32::from(signals::present_alt_stack() != Ok(now))
    })?;
    refused(
        "a bad address",
        sys::call(libc::SYS_sigaltstack, [8, 0]),
        libc::EFAULT,
    )
}

fn alt_stack_in_use() -> Verdict {
    fn look(event: &mut Event) {
        let own = std::ptr::from_ref(event) as u64;
        let (stack, size) = (
            event.context[word::STACK_SP],
            event.context[word::STACK_SIZE],
        );
        note(u64::from(own > stack && own < stack + size));
        note(signals::present_alt_stack().map_or(99, |stack| stack[1]));
        let refused = signals::alt_stack(0, DISABLE, 0);
        note(refused.map_or_else(|errno| errno.0 as u64, |_| 0));
    }
    let room = must("mmap", Map::anon(8, map::RW))?;
    must(
        "sigaltstack",
        signals::alt_stack(room.start, 0, room.bytes()),
    )?;
    must(
        "install",
        signals::install(libc::SIGUSR1, look, signals::ONSTACK, 0),
    )?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same(
        "on it, said so, kept",
        notes(),
        vec![1, u64::from(ON_STACK), libc::EPERM as u64],
    )?;
    must("install", signals::install(libc::SIGUSR1, look, 0, 0))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("without SA_ONSTACK", notes()[..2].to_vec(), vec![0, 0])
}

fn alt_stack_disarms_itself() -> Verdict {
    fn look(event: &mut Event) {
        note(signals::present_alt_stack().map_or(99, |stack| stack[1]));
        note(event.context[word::STACK_SIZE]);
    }
    let room = must("mmap", Map::anon(8, map::RW))?;
    let armed = [room.start, u64::from(AUTODISARM), room.bytes()];
    must(
        "sigaltstack",
        signals::alt_stack(room.start, AUTODISARM, room.bytes()),
    )?;
    same("armed", signals::present_alt_stack(), Ok(armed))?;
    must(
        "install",
        signals::install(libc::SIGUSR1, look, signals::ONSTACK, 0),
    )?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("inside", notes(), vec![u64::from(DISABLE), room.bytes()])?;
    same("armed again", signals::present_alt_stack(), Ok(armed))
}

/// SF-2: a frame that does not fit kills, even where there is memory below.
fn alt_stack_overflow() -> Verdict {
    let room = must("mmap", Map::anon(16, map::RW))?;
    let (stack, size) = (room.page(8), room.bytes() / 2);
    dies(
        "a frame where only 256 bytes are left",
        libc::SIGSEGV,
        || {
            let _ = signals::alt_stack(stack, 0, size);
            let _ = signals::install(libc::SIGUSR1, signals::go_on, signals::ONSTACK, 0);
            frames::raise_at(libc::SIGUSR1, stack + 256)
        },
    )?;
    same(
        "nothing was written below the stack",
        room_is_zero(&room),
        true,
    )
}

fn room_is_zero(room: &Map) -> bool {
    (0..8).all(|page| mem::peek(room.page(page) + PAGE - 8) == 0)
}

fn red_zone() -> Verdict {
    fn place(event: &mut Event) {
        let frame = std::ptr::from_ref(event.context) as u64 - 8;
        let (rsp, fpstate) = (event.context[word::RSP], event.context[word::FPSTATE]);
        note(u64::from(frame % 16 == 8));
        note(u64::from(fpstate % 64 == 0 && fpstate >= frame + 440));
        note(u64::from(fpstate + 512 <= rsp - 128));
    }
    must("install", signals::install(libc::SIGUSR1, place, 0, 0))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("alignment, order, red zone", notes(), vec![1, 1, 1])
}
