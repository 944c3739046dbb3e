//! `decide` over its whole domain: the table, the rules, and what follows from carrying
//! the answer out.

use fault::{Backed, FaultAction, Mapped, check_access, decide};
use pte::Access;
use vma::VmFlags;

const BACKINGS: [Backed; 2] = [Backed::Anon, Backed::File];

const STATES: [Mapped; 12] = [
    Mapped::Settling,
    Mapped::None,
    Mapped::ProtNone,
    Mapped::Guard,
    Mapped::Zero { writable: false },
    Mapped::Zero { writable: true },
    Mapped::Anon {
        writable: false,
        sole_owner: false,
    },
    Mapped::Anon {
        writable: false,
        sole_owner: true,
    },
    Mapped::Anon {
        writable: true,
        sole_owner: false,
    },
    Mapped::Anon {
        writable: true,
        sole_owner: true,
    },
    Mapped::File { writable: false },
    Mapped::File { writable: true },
];

/// The flags that the decision looks at.
const RELEVANT: VmFlags = VmFlags::RIGHTS.union(VmFlags::SHARED);

/// One input of `decide`.
#[derive(Clone, Copy, Debug)]
struct Input {
    flags: VmFlags,
    backed: Backed,
    mapped: Mapped,
    access: Access,
}

impl Input {
    fn decide(self) -> FaultAction {
        decide(self.flags, self.backed, self.mapped, self.access)
    }

    fn is_write(self) -> bool {
        self.access == Access::Write
    }

    /// Whether writes are seen by others.
    fn is_shared(self) -> bool {
        self.flags.contains(VmFlags::SHARED) && self.backed == Backed::File
    }

    /// Whether the check before the decision lets the access through.
    fn is_legal(self) -> bool {
        check_access(self.flags, self.access, false).is_ok()
    }

    /// Whether mapping and entry can meet if the kernel kept all its promises.
    fn is_sound(self) -> bool {
        match (self.is_shared(), self.backed, self.mapped) {
            (_, _, Mapped::ProtNone | Mapped::Zero { writable: true }) => false,
            (_, _, Mapped::None | Mapped::Guard) => true,
            (true, _, mapped) => matches!(mapped, Mapped::File { .. }),
            (false, Backed::Anon, mapped) => !matches!(mapped, Mapped::File { .. }),
            (false, Backed::File, mapped) => {
                matches!(
                    mapped,
                    Mapped::Anon { .. } | Mapped::File { writable: false }
                )
            }
        }
    }
}

/// Calls `check` with every input whose flags are chosen from `flags`.
fn for_each_input_with(flags: VmFlags, mut check: impl FnMut(Input)) {
    let all = (0..=flags.bits()).filter(|bits| bits & !flags.bits() == 0);
    for flags in all.map(VmFlags::from_bits_retain) {
        for (backed, mapped) in BACKINGS
            .iter()
            .flat_map(|backed| STATES.iter().map(move |mapped| (*backed, *mapped)))
        {
            for access in Access::ALL {
                check(Input {
                    flags,
                    backed,
                    mapped,
                    access,
                });
            }
        }
    }
}

/// Calls `check` with every input that differs in something relevant.
fn for_each_input(check: impl FnMut(Input)) {
    for_each_input_with(RELEVANT, check);
}

/// Carries `action` out on an entry and returns what it holds then. Panics if the action
/// needs something that is not there.
fn carry_out(action: FaultAction, before: Mapped) -> Mapped {
    let own = Mapped::Anon {
        writable: true,
        sole_owner: true,
    };
    match (action, before) {
        (FaultAction::MapZero, Mapped::None) => Mapped::Zero { writable: false },
        (FaultAction::MapFile { writable }, Mapped::None) => Mapped::File { writable },
        (FaultAction::NewAnon | FaultAction::CopyFile, Mapped::None) => own,
        (FaultAction::UpgradeZero, Mapped::Zero { .. }) => own,
        (FaultAction::Copy, Mapped::Anon { .. } | Mapped::File { .. }) => own,
        (
            FaultAction::Reuse,
            Mapped::Anon {
                sole_owner: true, ..
            },
        ) => own,
        // What another CPU makes of it meanwhile.
        (FaultAction::Wait, Mapped::Settling) => own,
        (FaultAction::MkWriteShared, Mapped::File { .. }) => Mapped::File { writable: true },
        (FaultAction::Refuse, Mapped::Guard) => Mapped::Guard,
        (FaultAction::Touch | FaultAction::Spurious, same) => same,
        impossible => panic!("an action does not fit the entry: {impossible:?}"),
    }
}

/// Whether an entry lets `access` through; the right to execute is the mapping's affair.
fn permits(mapped: Mapped, access: Access) -> bool {
    match mapped {
        Mapped::None | Mapped::ProtNone | Mapped::Guard => false,
        Mapped::Settling => access != Access::Write,
        Mapped::Zero { writable } | Mapped::Anon { writable, .. } | Mapped::File { writable } => {
            writable || access != Access::Write
        }
    }
}

/// Whether the entry allows writes.
fn is_writable(mapped: Mapped) -> bool {
    permits(mapped, Access::Write)
}

#[test]
fn the_domain_has_1152_inputs() {
    let mut inputs = 0;
    for_each_input(|_| inputs += 1);
    assert_eq!(inputs, 16 * 2 * 12 * 3);
}

#[test]
fn only_the_rights_and_the_sharing_of_a_mapping_matter() {
    for other in VmFlags::all().difference(RELEVANT).iter() {
        for_each_input_with(RELEVANT | other, |input| {
            let plain = Input {
                flags: input.flags & RELEVANT,
                ..input
            };
            assert_eq!(input.decide(), plain.decide(), "{input:?}");
        });
    }
}

#[test]
fn every_answer_fits_the_entry_and_lets_a_legal_access_through_at_once() {
    for_each_input(|input| {
        let action = input.decide();
        let after = carry_out(action, input.mapped);
        if input.is_legal() && input.mapped == Mapped::Guard {
            assert_eq!(action, FaultAction::Refuse, "{input:?}");
        } else if input.is_legal() && input.is_sound() {
            assert_ne!(action, FaultAction::Spurious, "{input:?}");
            assert!(permits(after, input.access), "{input:?} {action:?}");
        }
    });
}

#[test]
fn an_answer_that_does_not_help_is_called_spurious() {
    for_each_input(|input| {
        let action = input.decide();
        let helps = permits(carry_out(action, input.mapped), input.access);
        assert!(
            helps || matches!(action, FaultAction::Spurious | FaultAction::Refuse),
            "{input:?} {action:?}"
        );
    });
}

#[test]
fn an_access_that_the_mapping_forbids_changes_nothing() {
    for_each_input(|input| {
        if !input.is_legal() {
            assert_eq!(input.decide(), FaultAction::Spurious, "{input:?}");
        }
    });
}

#[test]
fn hf_18_only_a_write_to_a_writable_mapping_makes_an_entry_writable() {
    for_each_input(|input| {
        let after = carry_out(input.decide(), input.mapped);
        if is_writable(after) && !is_writable(input.mapped) {
            assert!(input.is_write(), "{input:?}");
            assert!(input.flags.contains(VmFlags::WRITE), "{input:?}");
        }
    });
}

#[test]
fn hf_5_the_zero_page_is_never_written_copied_or_reused() {
    for_each_input(|input| {
        if let Mapped::Zero { .. } = input.mapped {
            let action = input.decide();
            let allowed = [
                FaultAction::UpgradeZero,
                FaultAction::Touch,
                FaultAction::Spurious,
            ];
            assert!(allowed.contains(&action), "{input:?} {action:?}");
            assert!(
                !input.is_write() || action != FaultAction::Touch,
                "{input:?}"
            );
        }
    });
}

#[test]
fn hf_7_a_private_mapping_never_writes_to_the_files_own_page() {
    for_each_input(|input| {
        let action = input.decide();
        if !input.is_shared() && input.is_write() {
            let after = carry_out(action, input.mapped);
            let refused = matches!(action, FaultAction::Spurious | FaultAction::Refuse);
            assert!(
                refused || !matches!(after, Mapped::File { .. }),
                "{input:?} {action:?}"
            );
        }
        if !input.is_shared() {
            assert_ne!(action, FaultAction::MapFile { writable: true }, "{input:?}");
            assert_ne!(action, FaultAction::MkWriteShared, "{input:?}");
        }
    });
}

#[test]
fn hf_6_a_shared_mapping_never_gets_memory_of_its_own() {
    for_each_input(|input| {
        let action = input.decide();
        if input.is_shared() {
            let private = [
                FaultAction::MapZero,
                FaultAction::NewAnon,
                FaultAction::UpgradeZero,
                FaultAction::CopyFile,
                FaultAction::Copy,
                FaultAction::Reuse,
            ];
            assert!(!private.contains(&action), "{input:?} {action:?}");
        }
    });
}

#[test]
fn hf_7_an_anonymous_page_is_reused_by_its_only_owner_and_copied_by_any_other() {
    for_each_input(|input| {
        let Mapped::Anon {
            writable: false,
            sole_owner,
        } = input.mapped
        else {
            assert_ne!(input.decide(), FaultAction::Reuse, "{input:?}");
            return;
        };
        if input.is_write() && input.is_legal() && !input.is_shared() {
            let expected = if sole_owner {
                FaultAction::Reuse
            } else {
                FaultAction::Copy
            };
            assert_eq!(input.decide(), expected, "{input:?}");
        }
    });
}

#[test]
fn reading_never_costs_a_frame_of_anonymous_memory() {
    for_each_input(|input| {
        let after = carry_out(input.decide(), input.mapped);
        let was = matches!(input.mapped, Mapped::Anon { .. });
        let is = matches!(after, Mapped::Anon { .. });
        assert!(input.is_write() || was == is, "{input:?}");
    });
}

#[test]
fn an_entry_that_already_permits_the_access_is_only_touched() {
    for_each_input(|input| {
        if input.is_legal() && input.is_sound() && permits(input.mapped, input.access) {
            assert_eq!(input.decide(), FaultAction::Touch, "{input:?}");
        }
    });
}

#[test]
fn the_table_at_the_head_of_decide_is_what_it_does() {
    const MISSING: Mapped = Mapped::None;
    const ZERO: Mapped = Mapped::Zero { writable: false };
    const ALONE: Mapped = Mapped::Anon {
        writable: false,
        sole_owner: true,
    };
    const AMONG: Mapped = Mapped::Anon {
        writable: false,
        sole_owner: false,
    };
    const OWN: Mapped = Mapped::Anon {
        writable: true,
        sole_owner: true,
    };
    const CACHED: Mapped = Mapped::File { writable: false };
    const MADE: Mapped = Mapped::File { writable: true };
    let (private, shared) = (VmFlags::RIGHTS, RELEVANT);
    use FaultAction::*;
    let rows = [
        // hf_4, hf_11, hf_12: nothing there yet
        (private, Backed::Anon, MISSING, MapZero, NewAnon),
        (
            private,
            Backed::File,
            MISSING,
            MapFile { writable: false },
            CopyFile,
        ),
        (
            shared,
            Backed::File,
            MISSING,
            MapFile { writable: false },
            MapFile { writable: true },
        ),
        // hf_4, hf_7: something there
        (private, Backed::Anon, ZERO, Touch, UpgradeZero),
        (private, Backed::Anon, ALONE, Touch, Reuse),
        (private, Backed::Anon, AMONG, Touch, Copy),
        (private, Backed::Anon, OWN, Touch, Touch),
        (private, Backed::Anon, Mapped::Settling, Touch, Wait),
        (private, Backed::File, Mapped::Settling, Touch, Wait),
        (private, Backed::File, ALONE, Touch, Reuse),
        (private, Backed::File, AMONG, Touch, Copy),
        (private, Backed::File, CACHED, Touch, Copy),
        (shared, Backed::File, CACHED, Touch, MkWriteShared),
        (shared, Backed::File, MADE, Touch, Touch),
    ];
    for (flags, backed, mapped, on_read, on_write) in rows {
        assert_eq!(
            decide(flags, backed, mapped, Access::Read),
            on_read,
            "{mapped:?}"
        );
        assert_eq!(
            decide(flags, backed, mapped, Access::Fetch),
            on_read,
            "{mapped:?}"
        );
        assert_eq!(
            decide(flags, backed, mapped, Access::Write),
            on_write,
            "{mapped:?}"
        );
    }
}
