//! `classify` over its whole domain, each class against its own rule.

use addr::{USER_END, VirtAddr};
use fault::{Class, Context, ErrorCode, classify, reported_error};
use pte::Access;

/// Addresses on both sides of every border.
const ADDRESSES: [u64; 8] = [
    0,
    0x40_0000,
    USER_END - 1,
    USER_END,
    1 << 47,
    0xffff_8880_0000_0000,
    0xffff_ffff_8000_0000,
    u64::MAX,
];

/// Calls `check` with every error code and every combination of circumstances.
fn for_each_context(mut check: impl FnMut(&Context, Class)) {
    for addr in ADDRESSES.map(VirtAddr::new) {
        for (code, state) in (0..128).flat_map(|code| (0..64).map(move |state| (code, state))) {
            let bit = |index: u32| state >> index & 1 == 1;
            let context = Context {
                addr,
                error: ErrorCode::from_bits_retain(code),
                from_user: bit(0),
                ac: bit(1),
                smap: bit(2),
                interrupts_on: bit(3),
                may_sleep: bit(4),
                has_mm: bit(5),
            };
            check(&context, classify(&context));
        }
    }
}

/// Says whether the address is user space's, in the words of PF-3.
fn is_user_address(context: &Context) -> bool {
    context.addr.as_u64() < 0x7fff_ffff_f000
}

#[test]
fn pf_3_the_address_and_not_the_mode_chooses_the_path() {
    for_each_context(|context, class| {
        let kernel_path = match class {
            Class::KernelSpuriousCandidate | Class::KernelAddress => true,
            Class::SupervisorFetch
            | Class::ReservedBit
            | Class::SmapViolation
            | Class::NoContext
            | Class::User(_) => false,
            Class::ImplicitSupervisor => return,
        };
        assert_eq!(kernel_path, !is_user_address(context), "{context:?}");
    });
}

#[test]
fn pf_2_an_access_by_the_cpu_itself_is_never_the_programs_fault() {
    for_each_context(|context, class| {
        if context.from_user && !context.error.contains(ErrorCode::USER) {
            let signal_or_fixup = matches!(
                class,
                Class::KernelAddress | Class::NoContext | Class::User(_)
            );
            assert!(!signal_or_fixup, "{context:?} {class:?}");
        } else {
            assert_ne!(class, Class::ImplicitSupervisor, "{context:?}");
        }
    });
}

#[test]
fn pf_5_only_a_plain_write_or_fetch_protection_fault_of_the_kernel_may_be_stale() {
    for_each_context(|context, class| {
        let plain = matches!(context.error.bits(), 0b00011 | 0b10001);
        let expected = plain && !is_user_address(context);
        assert_eq!(
            class == Class::KernelSpuriousCandidate,
            expected,
            "{context:?}"
        );
    });
}

#[test]
fn pf_4_every_access_of_user_mode_to_a_kernel_address_is_a_bad_area() {
    for_each_context(|context, class| {
        if context.error.contains(ErrorCode::USER) && !is_user_address(context) {
            assert_eq!(class, Class::KernelAddress, "{context:?}");
        }
    });
}

#[test]
fn pf_6_a_supervisor_fetch_from_user_space_comes_before_everything_else() {
    for_each_context(|context, class| {
        let expected = is_user_address(context)
            && !context.error.contains(ErrorCode::USER)
            && context.error.contains(ErrorCode::FETCH);
        assert_eq!(class == Class::SupervisorFetch, expected, "{context:?}");
    });
}

#[test]
fn pf_6_a_reserved_bit_is_never_taken_for_anything_that_can_be_repaired() {
    for_each_context(|context, class| {
        if context.error.contains(ErrorCode::RSVD) {
            assert!(
                !matches!(
                    class,
                    Class::User(_)
                        | Class::NoContext
                        | Class::SmapViolation
                        | Class::KernelSpuriousCandidate
                ),
                "{context:?} {class:?}"
            );
        } else {
            assert_ne!(class, Class::ReservedBit, "{context:?}");
        }
    });
}

#[test]
fn pf_6_smap_refuses_the_kernel_unless_ac_is_set() {
    for_each_context(|context, class| {
        let refused = context.smap && !context.ac && !context.error.contains(ErrorCode::USER);
        if refused {
            let goes_on = matches!(class, Class::User(_) | Class::NoContext);
            assert!(!goes_on, "{context:?} {class:?}");
        } else {
            assert_ne!(class, Class::SmapViolation, "{context:?}");
        }
    });
}

#[test]
fn pf_6_a_fault_is_handled_only_where_the_task_may_sleep_and_owns_user_memory() {
    for_each_context(|context, class| {
        let fit = context.may_sleep && context.has_mm && context.interrupts_on;
        match class {
            Class::User(_) => assert!(fit, "{context:?}"),
            Class::NoContext => assert!(!fit, "{context:?}"),
            _ => {}
        }
    });
}

#[test]
fn pf_6_whatever_is_no_kernel_bug_and_can_be_handled_is_handled() {
    for_each_context(|context, class| {
        let user = context.error.contains(ErrorCode::USER);
        let user_copy = !context.from_user
            && (context.ac || !context.smap)
            && !context.error.contains(ErrorCode::FETCH);
        let fit = context.may_sleep && context.has_mm && context.interrupts_on;
        let sound = !context.error.contains(ErrorCode::RSVD) && is_user_address(context);
        let expected = sound && fit && (user || user_copy);
        assert_eq!(
            matches!(class, Class::User(_)),
            expected,
            "{context:?} {class:?}"
        );
    });
}

#[test]
fn the_access_of_a_user_fault_is_that_of_its_error_code() {
    for_each_context(|context, class| {
        if let Class::User(access) = class {
            let write = context.error.contains(ErrorCode::WRITE);
            let fetch = context.error.contains(ErrorCode::FETCH) && !write;
            assert_eq!(access == Access::Write, write, "{context:?}");
            assert_eq!(access == Access::Fetch, fetch, "{context:?}");
        }
    });
}

#[test]
fn v_kh_the_reported_code_does_not_tell_whether_a_kernel_address_is_mapped() {
    for_each_context(|context, _| {
        let raw = context.error.bits();
        let expected = if is_user_address(context) {
            raw
        } else {
            raw | 1
        };
        assert_eq!(reported_error(context), expected, "{context:?}");
    });
}

#[test]
fn an_error_code_reads_as_a_sentence() {
    let words = |bits| ErrorCode::from_bits_retain(bits).to_string();
    assert_eq!(words(0), "supervisor read, page not present");
    assert_eq!(words(6), "user write, page not present");
    assert_eq!(words(0x15), "user instruction fetch, protection violation");
    assert_eq!(
        words(0x69),
        "supervisor read, protection violation, reserved bit set in a page table, \
         protection key, shadow stack"
    );
}
