//! Offsets as measured (SF-1), the round trip, and every place a frame can go (SF-2).

use core::mem::offset_of;

use abi::linux::{SA_RESTORER, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use abi::siginfo::SigInfo;
use abi::signal::{SigAction, SigAltStack};
use abi::{SigSet, Signal};
use sigframe::{
    Entry, Frame, Placement, Registers, SigContext, StackError, TrapInfo, UContext, build,
    check_stack, enter, is_on_stack, place, restore, told,
};
use sigstate::Delivery;

const RSP: u64 = 0x7fff_0000_1238;

fn registers() -> Registers {
    Registers {
        r8: 8,
        r9: 9,
        r10: 10,
        r11: 11,
        r12: 12,
        r13: 13,
        r14: 14,
        r15: 15,
        rdi: 1,
        rsi: 2,
        rbp: 3,
        rbx: 4,
        rdx: 5,
        rax: 6,
        rcx: 7,
        rsp: RSP,
        rip: 0x40_1000,
        // Interrupts on, all that a program may set, and the bit that is always one.
        rflags: 0x5_0fd7,
        cs: 0x33,
        gs: 0,
        fs: 0,
        ss: 0x2b,
    }
}

fn built(has_xstate: bool) -> (Frame, Entry) {
    (
        build(&delivery(), registers(), TRAP, AT, has_xstate),
        enter(&delivery(), registers().rflags, AT.frame),
    )
}

fn restored(mut context: UContext, rflags: u64) -> Registers {
    restore(&mut context, rflags);
    context.mcontext.registers
}

fn delivery() -> Delivery {
    Delivery {
        signal: Signal::SEGV,
        action: SigAction {
            handler: 0x40_2000,
            flags: SA_RESTORER.into(),
            restorer: 0x40_3000,
            mask: SigSet::EMPTY,
        },
        info: SigInfo::fault(Signal::SEGV, 2, 0xdead),
        mask: SigSet::EMPTY.with(Signal::TERM),
        blocked: SigSet::EMPTY.with(Signal::TERM),
        stack: SigAltStack::NONE,
    }
}

const TRAP: TrapInfo = TrapInfo {
    trapno: 14,
    error: 7,
    cr2: 0xdead,
};

const AT: Placement = Placement {
    frame: 0x7fff_0000_0008,
    fpstate: 0x7fff_0000_0400,
};

#[test]
fn the_offsets_are_those_measured_on_linux() {
    assert_eq!((Frame::WHOLE, Frame::INFO_AT), (440, 312));
    assert_eq!(offset_of!(Frame, context), 8);
    assert_eq!(offset_of!(UContext, stack), 16);
    assert_eq!(offset_of!(UContext, mcontext), 40);
    assert_eq!(offset_of!(UContext, mask), 296);
    for (offset, want) in [
        (offset_of!(SigContext, registers.r8), 0),
        (offset_of!(SigContext, registers.r15), 56),
        (offset_of!(SigContext, registers.rdi), 64),
        (offset_of!(SigContext, registers.rsi), 72),
        (offset_of!(SigContext, registers.rbp), 80),
        (offset_of!(SigContext, registers.rbx), 88),
        (offset_of!(SigContext, registers.rdx), 96),
        (offset_of!(SigContext, registers.rax), 104),
        (offset_of!(SigContext, registers.rcx), 112),
        (offset_of!(SigContext, registers.rsp), 120),
        (offset_of!(SigContext, registers.rip), 128),
        (offset_of!(SigContext, registers.rflags), 136),
        (offset_of!(SigContext, registers.cs), 144),
        (offset_of!(SigContext, registers.gs), 146),
        (offset_of!(SigContext, registers.fs), 148),
        (offset_of!(SigContext, registers.ss), 150),
        (offset_of!(SigContext, err), 152),
        (offset_of!(SigContext, trapno), 160),
        (offset_of!(SigContext, oldmask), 168),
        (offset_of!(SigContext, cr2), 176),
        (offset_of!(SigContext, fpstate), 184),
    ] {
        assert_eq!(offset, want);
    }
}

#[test]
fn a_handler_starts_with_three_arguments_and_clean_flags() {
    let (frame, entry) = built(true);
    assert_eq!(entry.rdi, 11);
    assert_eq!(entry.rsi, AT.frame + 312);
    assert_eq!(entry.rdx, AT.frame + 8);
    assert_eq!((entry.rip, entry.rsp), (0x40_2000, AT.frame));
    assert_eq!(entry.rflags & (1 << 8 | 1 << 10 | 1 << 16), 0);
    assert_eq!(entry.rflags & 1 << 9, 1 << 9, "interrupts stay on");
    assert_eq!(frame.pretcode, 0x40_3000);
    assert_eq!(frame.context.flags, 7);
    let mcontext = frame.context.mcontext;
    assert_eq!((mcontext.err, mcontext.trapno), (7, 14));
    assert_eq!((mcontext.cr2, mcontext.fpstate), (0xdead, AT.fpstate));
    assert_eq!(mcontext.oldmask, frame.context.mask.bits());
}

#[test]
fn without_xsave_the_flag_is_absent() {
    let (frame, _) = built(false);
    assert_eq!(frame.context.flags, 6);
}

#[test]
fn without_restorer_no_handler_could_return() {
    let mut delivery = delivery();
    assert!(delivery.can_return());
    delivery.action.flags = !delivery.action.flags;
    assert!(!delivery.can_return());
}

#[test]
fn what_goes_into_a_frame_comes_back_from_it() {
    let (frame, entry) = built(true);
    assert_eq!(restored(frame.context, entry.rflags), registers());
    assert_eq!(frame.context.mask, delivery().mask);
    assert_eq!(frame.context.mcontext.fpstate, AT.fpstate);
    assert_eq!(frame.context.stack, SigAltStack::NONE);
}

#[test]
fn every_selector_comes_back_with_the_privilege_of_a_program() {
    let (mut frame, _) = built(true);
    for selector in 0..=u16::MAX {
        frame.context.mcontext.registers.cs = selector;
        frame.context.mcontext.registers.ss = selector;
        for flags in [0, 4] {
            frame.context.flags = flags;
            let back = restored(frame.context, 0x202);
            assert_eq!((back.cs & 3, back.ss & 3), (3, 3));
            assert_eq!(back.cs, selector | 3);
            let strict = flags == 4 || back.cs != 0x33;
            assert_eq!(back.ss, if strict { selector | 3 } else { 0x2b });
        }
    }
}

#[test]
fn each_flag_comes_from_the_frame_or_stays_as_it_is() {
    const PROGRAMS: u64 = 0x5_0dd5;
    let (mut frame, _) = built(true);
    for bit in 0..64 {
        for (in_frame, in_force) in [(false, false), (false, true), (true, false), (true, true)] {
            frame.context.mcontext.registers.rflags = u64::from(in_frame) << bit;
            let now = u64::from(in_force) << bit;
            let back = restored(frame.context, now).rflags >> bit & 1 == 1;
            let want = if PROGRAMS >> bit & 1 == 1 {
                in_frame
            } else {
                in_force
            };
            assert_eq!(back, want, "bit {bit}");
        }
    }
}

fn stack(flags: u32) -> SigAltStack {
    SigAltStack {
        sp: 0x10_0000,
        flags,
        pad: 0,
        size: 0x2000,
    }
}

#[test]
fn a_frame_lies_below_the_red_zone_aligned_as_after_a_call() {
    for rsp in RSP..RSP + 128 {
        for fp_size in [512, 580, 836] {
            let at = place(rsp, &SigAltStack::NONE, true, fp_size).expect("it fits");
            assert_eq!(at.frame % 16, 8);
            assert_eq!(at.fpstate % 64, 0);
            assert!(at.fpstate + fp_size as u64 <= rsp - 128);
            assert!(at.frame + 440 <= at.fpstate);
            assert!(
                rsp - at.frame < 128 + fp_size as u64 + 440 + 64 + 24,
                "no waste"
            );
        }
    }
}

#[test]
fn the_alternate_stack_is_entered_from_its_top_without_a_red_zone() {
    let at = place(RSP, &stack(0), true, 836).expect("it fits");
    assert_eq!(at.fpstate, (0x10_2000 - 836) & !63);
    assert!(is_on_stack(at.frame, &stack(0)));
    let stays = place(RSP, &stack(0), false, 836).expect("it fits");
    assert!(!is_on_stack(stays.frame, &stack(0)));
}

#[test]
fn on_the_alternate_stack_a_handler_stays_where_it_is() {
    let rsp = 0x10_1800;
    let at = place(rsp, &stack(0), true, 836).expect("it fits");
    assert!(at.frame < rsp - 128 && is_on_stack(at.frame, &stack(0)));
}

#[test]
fn a_frame_that_leaves_the_alternate_stack_has_no_place() {
    assert_eq!(place(0x10_0400, &stack(0), true, 836), None);
    assert_eq!(place(0x10_0400, &stack(0), false, 836), None);
    let tiny = SigAltStack {
        size: 0x400,
        ..stack(0)
    };
    assert_eq!(place(RSP, &tiny, true, 836), None);
    assert!(place(RSP, &tiny, false, 836).is_some());
}

#[test]
fn a_stack_that_disarms_itself_is_never_in_use() {
    let stack = stack(SS_AUTODISARM);
    assert!(!is_on_stack(0x10_1000, &stack));
    let at = place(0x10_1000, &stack, true, 512).expect("it fits");
    assert!(at.frame > 0x10_1000, "entered from its top again");
    assert_eq!(told(0x10_1000, &stack).flags, SS_AUTODISARM);
}

#[test]
fn what_sigaltstack_tells() {
    assert_eq!(told(RSP, &SigAltStack::NONE).flags, SS_DISABLE);
    assert_eq!(told(RSP, &stack(0)).flags, 0);
    assert_eq!(told(0x10_2000, &stack(0)).flags, SS_ONSTACK);
    assert_eq!(
        told(0x10_0000, &stack(0)).flags,
        0,
        "the lowest byte is below"
    );
    assert_eq!(told(RSP, &stack(SS_ONSTACK)).flags, 0);
}

#[test]
fn what_sigaltstack_accepts() {
    let old = stack(0);
    let small = SigAltStack { size: 2047, ..old };
    assert_eq!(
        check_stack(0x10_1000, &old, stack(0)),
        Err(StackError::InUse)
    );
    assert_eq!(check_stack(0x10_1000, &old, small), Err(StackError::InUse));
    assert_eq!(check_stack(RSP, &old, small), Err(StackError::TooSmall));
    assert_eq!(check_stack(RSP, &old, stack(4)), Err(StackError::Invalid));
    assert_eq!(check_stack(RSP, &old, stack(3)), Err(StackError::Invalid));
    for flags in [0, SS_ONSTACK, SS_AUTODISARM, SS_AUTODISARM | SS_ONSTACK] {
        assert_eq!(check_stack(RSP, &old, stack(flags)), Ok(stack(flags)));
    }
    let off = check_stack(RSP, &old, stack(SS_DISABLE)).expect("disabling is allowed");
    assert_eq!((off.sp, off.size), (0, 0));
}

#[test]
fn no_address_makes_placing_panic() {
    for rsp in [0, 1, 127, 128, 1000, u64::MAX, 1 << 63] {
        for sp in [0, 1, u64::MAX, u64::MAX - 100] {
            for size in [0, 1, 2048, u64::MAX] {
                let stack = SigAltStack {
                    sp,
                    flags: 0,
                    pad: 0,
                    size,
                };
                let _ = place(rsp, &stack, true, 836);
                let _ = told(rsp, &stack);
            }
        }
    }
}
