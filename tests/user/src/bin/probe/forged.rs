//! Frames that were tampered with: rt_sigreturn takes nothing that only the kernel may have (SF-3, SF-6).

use user::child::{self, Ended};
use user::crash::SURVIVED;
use user::frames;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, must, same};
use user::signals::{self, Event, note, notes, word};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "forged",
    about: "signal frames with the wrong things in them",
    cases: &[
        ("fp_state_is_in_the_frame", fp_state_is_in_the_frame),
        ("vectors_are_in_the_frame", vectors_are_in_the_frame),
        ("fp_state_is_optional", fp_state_is_optional),
        ("a_bad_fp_state_can_be_caught", a_bad_fp_state_can_be_caught),
        ("forged_fp_states", forged_fp_states),
        ("forged_segments", forged_segments),
        ("forged_flags", forged_flags),
        ("forged_addresses", forged_addresses),
        ("a_frame_that_is_not_there", a_frame_that_is_not_there),
        ("random_frames", random_frames),
    ],
};

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4]
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// SF-3. What is in the frame comes back: a handler changes MXCSR.
fn fp_state_is_in_the_frame() -> Verdict {
    fn change(event: &mut Event) {
        let has_header = event.context[word::FLAGS] & 1 != 0;
        note(event.context[word::FLAGS] & 6);
        let state = event.fp_state();
        note(u32_at(state, 24).into());
        if has_header {
            let size = u32_at(state, 480) as usize;
            let marks = u32_at(state, 464) == 0x4650_5853
                && u32_at(state, 468) as usize == size + 4
                && u32_at(state, size) == 0x4650_5845;
            note(u64::from(marks));
        } else {
            note(1);
        }
        state[25] |= 0x60;
    }
    must("install", signals::install(libc::SIGUSR1, change, 0, 0))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("flags, MXCSR, marks", notes(), vec![6, 0x1f80, 1])?;
    same("MXCSR as the handler left it", frames::mxcsr(), 0x7f80)
}

/// A handler has vector registers of its own, and may change those of the interrupted code.
fn vectors_are_in_the_frame() -> Verdict {
    /// XMM5 in the FXSAVE image.
    const XMM5: usize = 160 + 5 * 16;
    fn look(event: &mut Event) {
        note(frames::exchange_vector()[0]);
        event.fp_state()[XMM5] = 99;
    }
    must("install", signals::install(libc::SIGUSR1, look, 0, 0))?;
    for turn in 1..=3 {
        let mut vector: [u8; 32] = std::array::from_fn(|at| at as u8 * turn);
        let mut want = vector;
        want[0] = 99;
        frames::raise_with_vector(libc::SIGUSR1, &mut vector);
        same("the vector afterwards", vector, want)?;
    }
    same("how often", notes().len(), 3)
}

/// The registers are the frame's by then, the FP state is the one of a start.
fn a_bad_fp_state_can_be_caught() -> Verdict {
    fn spoil(event: &mut Event) {
        event.context[word::FPSTATE] = 0x1000;
    }
    /// What can be loaded before the fault does not stay.
    fn cut(event: &mut Event) {
        event.fp_state()[25] |= 0x60;
        cut_off(event);
    }
    fn look(event: &mut Event) {
        note(event.code() as u64);
        note(event.addr());
        let state = event.fp_state();
        note(u32_at(state, 24).into());
    }
    must("install", signals::install(libc::SIGSEGV, look, 0, 0))?;
    for handler in [spoil as signals::Handler, cut] {
        must("install", signals::install(libc::SIGUSR1, handler, 0, 0))?;
        frames::set_mxcsr(0x3f80);
        must("raise", signals::raise(libc::SIGUSR1))?;
        same("si_code, si_addr, MXCSR", notes(), vec![128, 0, 0x1f80])?;
        same("MXCSR", frames::mxcsr(), 0x1f80)?;
    }
    Ok(())
}

fn fp_state_is_optional() -> Verdict {
    fn forget(event: &mut Event) {
        event.context[word::FPSTATE] = 0;
    }
    must("install", signals::install(libc::SIGUSR1, forget, 0, 0))?;
    frames::set_mxcsr(0x3f80);
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("MXCSR", frames::mxcsr(), 0x1f80)
}

/// Runs `forge` in a handler of SIGUSR1 in a child; how does that end?
fn forged(forge: signals::Handler) -> sys::Result<Ended> {
    child::run(move || {
        let _ = signals::install(libc::SIGUSR1, forge, 0, 0);
        let _ = signals::raise(libc::SIGUSR1);
        SURVIVED
    })
}

fn forged_is_deadly(what: &str, forge: signals::Handler) -> Verdict {
    same(what, forged(forge), Ok(Ended::Killed(libc::SIGSEGV)))
}

fn forged_is_harmless(what: &str, forge: signals::Handler) -> Verdict {
    same(what, forged(forge), Ok(Ended::Exited(SURVIVED)))
}

fn has_header(event: &Event) -> bool {
    event.context[word::FLAGS] & 1 != 0
}

/// Moves the FP state to where the memory ends before it does.
fn cut_off(event: &mut Event) {
    // The last of the registers is what is not there.
    let mapped = if has_header(event) { 576 } else { 400 };
    let Ok(room) = Map::anon(2, map::RW) else {
        return;
    };
    let at = room.page(1) - mapped;
    for (offset, byte) in (0..mapped).zip(event.fp_state()) {
        mem::poke(at + offset, *byte);
    }
    let _ = sys::munmap(room.page(1), PAGE);
    event.context[word::FPSTATE] = at;
}

fn forged_fp_states() -> Verdict {
    forged_is_deadly("an address that is not mapped", |event| {
        event.context[word::FPSTATE] = 0x1000;
    })?;
    forged_is_deadly("a kernel address", |event| {
        event.context[word::FPSTATE] = 0xffff_8880_0000_0000;
    })?;
    forged_is_deadly("an odd address", |event| {
        event.context[word::FPSTATE] += 8;
    })?;
    forged_is_deadly("memory that ends within it", cut_off)?;
    forged_is_harmless("memory that nobody has touched", |event| {
        if let Ok(room) = Map::anon(1, map::RW) {
            event.context[word::FPSTATE] = room.start;
        }
    })?;
    forged_is_harmless("no first mark", |event| event.fp_state()[464] = 0)?;
    forged_is_harmless("no second mark", |event| {
        if has_header(event) {
            let state = event.fp_state();
            let size = u32_at(state, 480) as usize;
            state[size] = 0;
        }
    })?;
    forged_is_harmless("no parts wanted", |event| {
        event.fp_state()[472..480].fill(0);
    })?;
    // What follows needs an XSAVE header to be wrong about.
    let wrong: [(&str, signals::Handler); 3] = [
        ("parts that do not exist", |event| bad_header(event, 519)),
        ("a compact format", |event| bad_header(event, 527)),
        ("reserved bytes in the header", |event| {
            bad_header(event, 530)
        }),
    ];
    for (what, forge) in wrong {
        forged_is_deadly(what, forge)?;
    }
    // Emulators do not all look at MXCSR's reserved bits.
    let mxcsr = forged(|event| event.fp_state()[27] = 0xff);
    let ends = [
        Ok(Ended::Killed(libc::SIGSEGV)),
        Ok(Ended::Exited(SURVIVED)),
    ];
    holds("reserved MXCSR bits", ends.contains(&mxcsr))
}

/// Breaks a byte of the XSAVE header; without one there is nothing to break, and the frame goes instead.
fn bad_header(event: &mut Event, byte: usize) {
    if has_header(event) {
        event.fp_state()[byte] = 0x80;
    } else {
        event.context[word::FPSTATE] = 0x1000;
    }
}

const SEGMENT_SS: u64 = 0xffff << 48;

fn forged_segments() -> Verdict {
    forged_is_deadly("the kernel's code segment", |event| {
        event.context[word::SEGMENTS] = event.context[word::SEGMENTS] & !0xffff | 0x10;
    })?;
    forged_is_deadly("a code segment that is not there", |event| {
        event.context[word::SEGMENTS] = event.context[word::SEGMENTS] & !0xffff | 0x1234;
    })?;
    forged_is_deadly("a stack segment that is not there", |event| {
        event.context[word::SEGMENTS] = event.context[word::SEGMENTS] & !SEGMENT_SS | 0x1238 << 48;
    })?;
    forged_is_harmless("the same, without the flag that makes it count", |event| {
        event.context[word::SEGMENTS] = event.context[word::SEGMENTS] & !SEGMENT_SS | 0x1238 << 48;
        event.context[word::FLAGS] &= !4;
    })?;
    forged_is_harmless("privilege levels of the kernel", |event| {
        event.context[word::SEGMENTS] &= !(3 | 3 << 48);
    })?;
    // What a handler is told of the bad segment: the fault is the program's own.
    must(
        "install",
        signals::install(libc::SIGSEGV, tell_and_exit, 0, 0),
    )?;
    let pid = must("fork", sys::fork())?;
    if pid == 0 {
        let bad = |event: &mut Event| {
            event.context[word::SEGMENTS] = event.context[word::SEGMENTS] & !0xffff | 0x10;
        };
        let _ = signals::install(libc::SIGUSR1, bad, 0, 0);
        let _ = signals::raise(libc::SIGUSR1);
        sys::exit(1);
    }
    same(
        "SI_KERNEL, #GP, its selector",
        child::wait(pid),
        Ok(Ended::Exited(55)),
    )
}

fn tell_and_exit(event: &mut Event) {
    let right = event.code() == 128
        && event.addr() == 0
        && event.context[word::TRAPNO] == 13
        && event.context[word::ERR] == 0x10;
    sys::exit(if right { 55 } else { 56 });
}

/// IF stays on, IOPL 0, NT and VM off; what a program may set it gets.
fn forged_flags() -> Verdict {
    fn all(event: &mut Event) {
        // Not the trap flag, and no alignment checks.
        event.context[word::RFLAGS] = !(0x100 | 0x4_0000);
    }
    fn none(event: &mut Event) {
        event.context[word::RFLAGS] = 0;
    }
    must("install", signals::install(libc::SIGUSR1, all, 0, 0))?;
    let flags = frames::raise_and_read_flags(libc::SIGUSR1);
    same("all set", flags & !0x1_0000, 0xed7)?;
    must("install", signals::install(libc::SIGUSR1, none, 0, 0))?;
    same(
        "none set",
        frames::raise_and_read_flags(libc::SIGUSR1),
        0x202,
    )
}

fn forged_addresses() -> Verdict {
    let forgeries: [(&str, signals::Handler); 4] = [
        ("rip not canonical", |event| {
            event.context[word::RIP] = 1 << 47
        }),
        ("rip in the kernel", |event| {
            event.context[word::RIP] = 0xffff_ffff_8000_0000
        }),
        ("rip nowhere", |event| event.context[word::RIP] = 0x10),
        ("rsp not canonical", |event| {
            event.context[word::RSP] = 1 << 47
        }),
    ];
    for (what, forge) in forgeries {
        let ended = forged(forge);
        let deaths = [
            Ok(Ended::Killed(libc::SIGSEGV)),
            Ok(Ended::Killed(libc::SIGBUS)),
        ];
        holds(what, deaths.contains(&ended))?;
    }
    Ok(())
}

fn a_frame_that_is_not_there() -> Verdict {
    for rsp in [
        0x1000,
        0,
        1 << 47,
        0xffff_ffff_8000_0000,
        u64::MAX,
        0x7fff_ffff_ef00,
    ] {
        dies(
            &format!("rt_sigreturn with rsp {rsp:#x}"),
            libc::SIGSEGV,
            || frames::sigreturn_at(rsp),
        )?;
    }
    Ok(())
}

/// Frames full of noise: whatever they do to their program, the kernel lives.
fn random_frames() -> Verdict {
    let page = must("mmap", Map::anon(4, map::RW))?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..60 {
        for at in 0..page.bytes() / 8 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let byte = (state >> 33) as u8;
            mem::poke(page.start + at * 8, byte);
            mem::poke(page.start + at * 8 + (state >> 45) % 8, byte);
        }
        let ended = must("fork", child::run(|| frames::sigreturn_at(page.page(1))))?;
        holds("noise ends by a signal", matches!(ended, Ended::Killed(_)))?;
    }
    Ok(())
}
