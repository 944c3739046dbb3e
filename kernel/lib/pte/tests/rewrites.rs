//! Every rewrite of an entry, over every combination of flags.

use addr::Frame;
use proptest::prelude::*;
use pte::{Access, Prot, Pte, PteFlags, PteState};

/// Frame numbers at both ends of the field and with a mixed pattern.
const FRAMES: [u64; 4] = [0, 1, 0xa5_5a5a_a5a5, (1 << 40) - 1];

/// A method that changes one flag.
type Rewrite = fn(Pte) -> Pte;

/// A method that reads one flag.
type Question = fn(Pte) -> bool;

/// Calls `check` with every combination of the thirteen flags.
fn for_each_flags(mut check: impl FnMut(PteFlags)) {
    let bits: Vec<PteFlags> = PteFlags::all().iter().collect();
    for choice in 0..1_u32 << bits.len() {
        let chosen = bits
            .iter()
            .enumerate()
            .filter(|(index, _)| choice >> index & 1 == 1);
        check(chosen.fold(PteFlags::empty(), |all, (_, bit)| all | *bit));
    }
}

/// Calls `check` with every combination of flags on every frame of [`FRAMES`].
fn for_each_entry(mut check: impl FnMut(Pte)) {
    for_each_flags(|flags| {
        for frame in FRAMES {
            check(Pte::new(Frame::new(frame), flags));
        }
    });
}

/// Returns every protection.
fn prots() -> impl Iterator<Item = Prot> {
    (0..8).map(Prot::from_bits_truncate)
}

/// Says whether the entry holds a page that `mprotect` rewrites.
fn holds_page(entry: Pte) -> bool {
    matches!(entry.state(), PteState::Present | PteState::ProtNone)
}

#[test]
fn there_are_fourteen_flags_and_none_of_them_lies_in_the_frame_number() {
    assert_eq!(PteFlags::all().iter().count(), 14);
    assert_eq!(PteFlags::all().bits() & 0x000f_ffff_ffff_f000, 0);
}

#[test]
fn frame_and_flags_come_back_unchanged() {
    for_each_flags(|flags| {
        for number in FRAMES {
            let entry = Pte::new(Frame::new(number), flags);
            assert_eq!(entry.frame().number(), number);
            assert_eq!(entry.flags(), flags);
            assert_eq!(Pte::from_raw(entry.raw()), entry);
        }
    });
}

#[test]
fn every_entry_has_exactly_one_state() {
    for_each_entry(|entry| {
        let present = entry.flags().contains(PteFlags::PRESENT);
        let hidden = !present && entry.flags().contains(PteFlags::GLOBAL);
        let expected = match (entry.raw(), present, hidden) {
            (0, _, _) => PteState::None,
            (_, true, _) => PteState::Present,
            (_, _, true) => PteState::ProtNone,
            _ => PteState::Special,
        };
        assert_eq!(entry.state(), expected, "{entry:?}");
        assert_eq!(entry.is_present(), expected == PteState::Present);
        assert_eq!(entry.is_prot_none(), expected == PteState::ProtNone);
        assert_eq!(entry.is_none(), expected == PteState::None);
    });
}

#[test]
fn hf_18_a_new_protection_never_makes_an_entry_writable() {
    for_each_entry(|entry| {
        for prot in prots() {
            let after = entry.with_prot(prot);
            assert!(
                entry.is_writable() || !after.is_writable(),
                "{entry:?} {prot:?}"
            );
        }
    });
}

#[test]
fn hf_18_no_detour_of_protections_gives_back_the_right_to_write() {
    for_each_flags(|flags| {
        let entry = Pte::new(Frame::new(7), flags);
        for (first, second) in prots().flat_map(|a| prots().map(move |b| (a, b))) {
            let after = entry.with_prot(first).with_prot(second);
            let kept = first.contains(Prot::WRITE) && second.contains(Prot::WRITE);
            let right = entry.is_writable() && (kept || !holds_page(entry));
            assert_eq!(
                after.is_writable(),
                right,
                "{entry:?} {first:?} then {second:?}"
            );
        }
    });
}

#[test]
fn a_new_protection_keeps_the_frame_and_all_that_is_known_about_it() {
    let kept = PteFlags::USER
        | PteFlags::PWT
        | PteFlags::PCD
        | PteFlags::ACCESSED
        | PteFlags::DIRTY
        | PteFlags::HUGE
        | PteFlags::ANON
        | PteFlags::ZERO
        | PteFlags::LAZY;
    for_each_entry(|entry| {
        for prot in prots() {
            let after = entry.with_prot(prot);
            assert_eq!(after.frame(), entry.frame(), "{entry:?} {prot:?}");
            assert_eq!(
                after.flags() & kept,
                entry.flags() & kept,
                "{entry:?} {prot:?}"
            );
        }
    });
}

#[test]
fn hf_17_no_protection_hides_the_page_and_any_other_shows_it_again() {
    for_each_entry(|entry| {
        for prot in prots().filter(|_| holds_page(entry)) {
            let expected = if prot.is_empty() {
                PteState::ProtNone
            } else {
                PteState::Present
            };
            assert_eq!(
                entry.with_prot(prot).state(),
                expected,
                "{entry:?} {prot:?}"
            );
        }
    });
}

#[test]
fn a_new_protection_leaves_entries_without_a_page_alone() {
    for_each_entry(|entry| {
        for prot in prots().filter(|_| !holds_page(entry)) {
            assert_eq!(entry.with_prot(prot), entry, "{prot:?}");
        }
    });
}

#[test]
fn a_new_protection_permits_no_access_it_does_not_name() {
    for_each_entry(|entry| {
        for prot in prots().filter(|_| holds_page(entry)) {
            let after = entry.with_prot(prot);
            let user = entry.is_user();
            assert_eq!(after.permits(Access::Read, true), user && !prot.is_empty());
            assert_eq!(
                after.permits(Access::Fetch, true),
                user && prot.contains(Prot::EXEC)
            );
            assert!(!after.permits(Access::Write, true) || prot.contains(Prot::WRITE));
        }
    });
}

#[test]
fn pf_5_a_leaf_permits_what_its_present_user_write_and_nx_bits_say() {
    for_each_entry(|entry| {
        for (access, user) in Access::ALL
            .into_iter()
            .flat_map(|a| [(a, false), (a, true)])
        {
            let mut needed = PteFlags::PRESENT;
            needed.set(PteFlags::WRITE, access == Access::Write);
            needed.set(PteFlags::USER, user);
            let refused = access == Access::Fetch && entry.flags().contains(PteFlags::NX);
            let expected = entry.flags().contains(needed) && !refused;
            assert_eq!(
                entry.permits(access, user),
                expected,
                "{entry:?} {access:?}"
            );
        }
    });
}

#[test]
fn each_small_rewrite_changes_its_own_bit_only() {
    let rewrites: [(Rewrite, PteFlags, bool); 6] = [
        (Pte::wrprotect, PteFlags::WRITE, false),
        (Pte::mkwrite, PteFlags::WRITE, true),
        (Pte::mkclean, PteFlags::DIRTY, false),
        (Pte::mkdirty, PteFlags::DIRTY, true),
        (Pte::mkold, PteFlags::ACCESSED, false),
        (Pte::mkyoung, PteFlags::ACCESSED, true),
    ];
    for_each_entry(|entry| {
        for (rewrite, bit, value) in rewrites {
            let mut expected = entry.flags();
            expected.set(bit, value);
            assert_eq!(rewrite(entry), Pte::new(entry.frame(), expected));
        }
    });
}

#[test]
fn each_question_reads_its_own_bit() {
    let questions: [(Question, PteFlags); 7] = [
        (Pte::is_writable, PteFlags::WRITE),
        (Pte::is_user, PteFlags::USER),
        (Pte::is_dirty, PteFlags::DIRTY),
        (Pte::is_accessed, PteFlags::ACCESSED),
        (Pte::is_huge, PteFlags::HUGE),
        (Pte::is_anon, PteFlags::ANON),
        (Pte::is_zero_page, PteFlags::ZERO),
    ];
    for_each_entry(|entry| {
        for (question, bit) in questions {
            assert_eq!(question(entry), entry.flags().contains(bit));
        }
        assert_eq!(entry.executable(), !entry.flags().contains(PteFlags::NX));
    });
}

#[test]
fn kh_4_only_tables_of_the_user_half_may_be_walked_for_users() {
    let (user, kernel) = (Pte::table(Frame::new(5)), Pte::kernel_table(Frame::new(5)));
    assert!(user.is_user() && user.is_writable() && user.is_present() && user.executable());
    assert!(!kernel.is_user() && kernel.is_writable() && kernel.is_present());
    assert_eq!(
        (user.frame(), kernel.frame()),
        (Frame::new(5), Frame::new(5))
    );
}

#[test]
fn debug_output_names_state_frame_and_flags() {
    let entry = Pte::new(Frame::new(0x12), PteFlags::PRESENT | PteFlags::NX);
    assert_eq!(
        format!("{entry:?}"),
        "Pte(Present Frame(0x12000) PRESENT | NX)"
    );
    assert_eq!(format!("{:?}", Pte::EMPTY), "Pte(none)");
}

proptest! {
    #[test]
    fn any_64_bits_have_a_state_and_survive_a_round_trip(raw: u64, bits in 0_u8..8) {
        let entry = Pte::from_raw(raw);
        prop_assert_eq!(entry.raw(), raw);
        let _ = entry.state();
        let after = entry.with_prot(Prot::from_bits_truncate(bits));
        let touched = (PteFlags::PRESENT | PteFlags::WRITE | PteFlags::GLOBAL | PteFlags::NX).bits();
        prop_assert_eq!(after.raw() & !touched, raw & !touched);
    }
}

#[test]
fn a_large_page_consists_of_small_ones_with_the_same_rights() {
    let flags =
        PteFlags::PRESENT | PteFlags::WRITE | PteFlags::USER | PteFlags::ANON | PteFlags::NX;
    let leaf = Pte::new(Frame::new(0x1200), flags);
    let large = leaf.large();
    assert!(large.is_huge());
    for number in 0..512 {
        let small = large.small(number);
        assert_eq!(small.frame(), Frame::new(0x1200 + number));
        assert_eq!(small.flags(), flags);
    }
}
