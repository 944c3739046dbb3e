//! Every mode, class, wish and capability that matters, against a model written another way.

use cred::access::{is_owner, may_take_name};
use cred::change::{after_write, chmod, chown, new_file};
use cred::{Cap, CapSet, Cred, Facts, Wanted, may};

const FILE: u32 = 0o100_000;
const DIR: u32 = 0o040_000;
const OWNER: u32 = 1000;
const GROUP: u32 = 100;

fn with(mut cred: Cred, caps: &[Cap]) -> Cred {
    for cap in caps {
        cred.caps.effective = cred.caps.effective.with(*cap);
    }
    cred
}

/// The owner, somebody of the group, somebody with the group as a second one, a stranger.
fn people() -> [(Cred, u32); 4] {
    [
        (Cred::user(OWNER, 1, &[]), 6),
        (Cred::user(2000, GROUP, &[]), 3),
        (Cred::user(2000, 1, &[7, GROUP, 3]), 3),
        (Cred::user(2000, 1, &[99, 101]), 0),
    ]
}

#[test]
fn bits_of_one_class_decide_and_capabilities_help() {
    for kind in [FILE, DIR] {
        for permissions in 0..0o1000 {
            let file = Facts {
                mode: kind | permissions,
                uid: OWNER,
                gid: GROUP,
            };
            for (person, shift) in people() {
                for wanted in 0..8 {
                    let by_bits = permissions >> shift & wanted == wanted;
                    let ask = |cred: &Cred| may(cred, file, Wanted::from_bits(wanted)).is_ok();
                    assert_eq!(ask(&person), by_bits);
                    let some_x = permissions & 0o111 != 0;
                    let overrides = kind == DIR || wanted & 1 == 0 || some_x;
                    let root = with(person.clone(), &[Cap::DacOverride]);
                    assert_eq!(ask(&root), by_bits || overrides, "{permissions:o} {wanted}");
                    let searches = match kind {
                        DIR => wanted & 2 == 0,
                        _ => wanted == 4,
                    };
                    let reader = with(person.clone(), &[Cap::DacReadSearch]);
                    assert_eq!(ask(&reader), by_bits || searches);
                }
            }
        }
    }
}

#[test]
fn sticky_directories_keep_names_for_owners() {
    for sticky in [0, 0o1000] {
        for (dir_owner, file_owner) in [(1, 2), (1, 5), (5, 2), (5, 5)] {
            let dir = Facts {
                mode: DIR | 0o777 | sticky,
                uid: dir_owner,
                gid: 0,
            };
            let file = Facts {
                mode: FILE,
                uid: file_owner,
                gid: 0,
            };
            let allowed = sticky == 0 || dir_owner == 5 || file_owner == 5;
            let me = Cred::user(5, 5, &[]);
            assert_eq!(may_take_name(&me, dir, file).is_ok(), allowed);
            assert_eq!(may_take_name(&with(me, &[Cap::Fowner]), dir, file), Ok(()));
        }
    }
}

#[test]
fn new_files_take_the_directory_s_group_where_it_says_so() {
    let me = Cred::user(5, 6, &[8]);
    let dir = |mode| Facts {
        mode: DIR | mode,
        uid: 0,
        gid: 7,
    };
    let plain = new_file(&me, dir(0o777), FILE | 0o2755);
    assert_eq!((plain.uid, plain.gid, plain.mode), (5, 6, FILE | 0o2755));
    let below = new_file(&me, dir(0o2777), DIR | 0o755);
    assert_eq!((below.gid, below.mode), (7, DIR | 0o2755));
    // A program of somebody else's group does not run as that group.
    assert_eq!(new_file(&me, dir(0o2777), FILE | 0o2755).mode, FILE | 0o755);
    assert_eq!(
        new_file(&me, dir(0o2777), FILE | 0o2745).mode,
        FILE | 0o2745
    );
    let root = with(me, &[Cap::Fsetid]);
    assert_eq!(
        new_file(&root, dir(0o2777), FILE | 0o2755).mode,
        FILE | 0o2755
    );
}

#[test]
fn permissions_are_the_owner_s_to_change() {
    let file = Facts {
        mode: FILE | 0o644,
        uid: OWNER,
        gid: GROUP,
    };
    let stranger = Cred::user(1, GROUP, &[]);
    assert!(chmod(&stranger, file, 0o777).is_err());
    assert!(!is_owner(&stranger, file));
    assert_eq!(chmod(&Cred::root(), file, 0o6755), Ok(FILE | 0o6755));
    // An owner outside the file's group cannot make a program that runs as the group.
    let outside = Cred::user(OWNER, 1, &[]);
    assert_eq!(chmod(&outside, file, 0o6755), Ok(FILE | 0o4755));
    let inside = Cred::user(OWNER, 1, &[GROUP]);
    assert_eq!(chmod(&inside, file, 0o6755), Ok(FILE | 0o6755));
}

#[test]
fn owners_change_only_to_their_own_groups() {
    let file = Facts {
        mode: FILE | 0o6755,
        uid: OWNER,
        gid: GROUP,
    };
    let owner = Cred::user(OWNER, 1, &[2]);
    let give = |cred: &Cred, uid, gid| chown(cred, file, uid, gid);
    assert!(give(&owner, Some(2000), None).is_err());
    assert!(give(&owner, None, Some(3)).is_err());
    let given = give(&owner, Some(OWNER), Some(2)).expect("to an own group");
    assert_eq!((given.mode, given.gid), (FILE | 0o755, 2));
    let root = give(&Cred::root(), Some(7), Some(8)).expect("root may");
    assert_eq!((root.mode, root.uid, root.gid), (FILE | 0o755, 7, 8));
    // Mandatory-locking bits of old: a group that may not execute.
    let locked = Facts {
        mode: FILE | 0o2644,
        ..file
    };
    let kept = chown(&Cred::root(), locked, Some(7), None).expect("root may");
    assert_eq!(kept.mode, FILE | 0o2644);
    let dir = Facts {
        mode: DIR | 0o6755,
        ..file
    };
    let dir = chown(&Cred::root(), dir, Some(7), None).expect("root may");
    assert_eq!(dir.mode, DIR | 0o6755);
}

#[test]
fn writing_takes_set_id_bits_except_from_those_who_may_set_them() {
    let file = |mode| Facts {
        mode: FILE | mode,
        uid: OWNER,
        gid: GROUP,
    };
    let owner = Cred::user(OWNER, GROUP, &[]);
    assert_eq!(after_write(&owner, file(0o6755)), FILE | 0o755);
    assert_eq!(after_write(&owner, file(0o2644)), FILE | 0o2644);
    let stranger = Cred::user(1, 1, &[]);
    assert_eq!(after_write(&stranger, file(0o2644)), FILE | 0o644);
    assert_eq!(after_write(&Cred::root(), file(0o6755)), FILE | 0o6755);
}

#[test]
fn access_asks_for_the_real_ids() {
    let mut setuid = Cred::user(5, 6, &[]);
    setuid.uid.effective = 0;
    setuid.uid.fs = 0;
    setuid.caps.permitted = CapSet::ALL;
    setuid.caps.effective = CapSet::ALL;
    let real = setuid.for_access();
    assert_eq!((real.uid.fs, real.gid.fs), (5, 6));
    assert!(real.caps.effective.is_empty());
    setuid.uid.real = 0;
    setuid.caps.effective = CapSet::EMPTY;
    assert_eq!(setuid.for_access().caps.effective, CapSet::ALL);
}
