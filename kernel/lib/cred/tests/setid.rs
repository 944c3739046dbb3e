//! The `setuid` family for every combination of a few ids, against the rules written as sets; capabilities go and come with root's ids.

use cred::program::{exec, may_signal, set_caps, set_keep_caps, set_securebits};
use cred::setid::{Kind, set, set_all, set_fs, set_real_effective};
use cred::{Cap, CapSet, Caps, Cred, Facts, Ids};

const SOME: [u32; 4] = [0, 1, 2, 3];

fn user(real: u32, effective: u32, saved: u32) -> Cred {
    let mut cred = Cred::user(0, 0, &[]);
    cred.uid = Ids {
        real,
        effective,
        saved,
        fs: effective,
    };
    cred
}

fn people() -> impl Iterator<Item = Cred> {
    let triples = SOME
        .iter()
        .flat_map(|r| SOME.iter().flat_map(move |e| SOME.map(|s| (*r, *e, s))));
    triples.flat_map(|(real, effective, saved)| {
        let plain = user(real, effective, saved);
        let mut able = plain.clone();
        able.caps = Caps::ROOT;
        [plain, able]
    })
}

#[test]
fn nobody_gets_an_id_that_is_not_his() {
    for cred in people() {
        let Ids {
            real,
            effective,
            saved,
            ..
        } = cred.uid;
        let may = cred.has(Cap::Setuid);
        for id in SOME {
            let done = set(&cred, Kind::User, id);
            assert_eq!(done.is_ok(), may || [real, saved].contains(&id));
            for other in [None].into_iter().chain(SOME.map(Some)) {
                let done = set_real_effective(&cred, Kind::User, Some(id), other);
                let fits = [real, effective].contains(&id)
                    && other.is_none_or(|other| [real, effective, saved].contains(&other));
                assert_eq!(done.is_ok(), may || fits);
                if let Ok(new) = done {
                    assert_eq!(new.uid.saved, new.uid.effective);
                    assert_eq!(new.uid.fs, new.uid.effective);
                }
                let done = set_all(&cred, Kind::User, [Some(id), other, None]);
                let has = |id: u32| [real, effective, saved].contains(&id);
                assert_eq!(done.is_ok(), may || has(id) && other.is_none_or(has));
            }
        }
    }
}

#[test]
fn an_effective_id_that_is_not_the_real_one_is_saved() {
    let cred = user(1, 2, 3);
    let back = set_real_effective(&cred, Kind::User, None, Some(1)).expect("the real one");
    assert_eq!(back.uid.saved, 3);
    let other = set_real_effective(&cred, Kind::User, None, Some(3)).expect("the saved one");
    assert_eq!(other.uid.saved, 3);
    let mut able = cred;
    able.caps = Caps::ROOT;
    let other = set_real_effective(&able, Kind::User, None, Some(9)).expect("anybody");
    assert_eq!(other.uid.saved, 9);
}

#[test]
fn capabilities_go_with_the_ids_of_root() {
    let root = Cred::root();
    let gone = set(&root, Kind::User, 5).expect("root may");
    assert!(gone.caps.effective.is_empty() && gone.caps.permitted.is_empty());
    let for_a_while = set_all(&root, Kind::User, [None, Some(5), None]).expect("root may");
    assert!(for_a_while.caps.effective.is_empty());
    assert_eq!(for_a_while.caps.permitted, CapSet::ALL);
    let back = set_all(&for_a_while, Kind::User, [None, Some(0), None]).expect("it is his");
    assert_eq!(back.caps.effective, CapSet::ALL);
    let keeping = set_keep_caps(&root, true).expect("nothing is locked");
    let kept = set(&keeping, Kind::User, 5).expect("root may");
    assert!(kept.caps.effective.is_empty());
    assert_eq!(kept.caps.permitted, CapSet::ALL);
    let files = set_fs(&root, Kind::User, 5).expect("root may");
    assert!(!files.has(Cap::DacOverride) && files.has(Cap::Kill));
    assert_eq!(set_fs(&files, Kind::User, 0), Ok(root));
}

#[test]
fn programs_run_as_their_bits_say() {
    let me = Cred::user(5, 6, &[]);
    let file = |mode: u32| Facts {
        mode: 0o100_000 | mode,
        uid: 0,
        gid: 9,
    };
    let plain = exec(&me, file(0o755), true);
    assert_eq!((plain.cred, plain.secure), (me.clone(), false));
    let as_root = exec(&me, file(0o4755), true);
    assert!(as_root.secure && as_root.cred.has(Cap::Setuid));
    assert_eq!((as_root.cred.uid.real, as_root.cred.uid.saved), (5, 0));
    let ignored = exec(&me, file(0o4755), false);
    assert_eq!((ignored.cred, ignored.secure), (me.clone(), false));
    let as_group = exec(&me, file(0o2755), true);
    assert_eq!((as_group.cred.gid.effective, as_group.secure), (9, true));
    // A group that may not execute it: the bit means something else.
    assert!(!exec(&me, file(0o2745), true).secure);
    let mut dropped = Cred::root();
    dropped.caps = Caps::USER;
    assert_eq!(
        exec(&dropped, file(0o755), true).cred.caps.effective,
        CapSet::ALL
    );
    dropped.securebits = cred::program::NO_ROOT;
    assert!(
        exec(&dropped, file(0o755), true)
            .cred
            .caps
            .effective
            .is_empty()
    );
}

#[test]
fn signals_go_to_the_same_user() {
    for cred in people() {
        for target in people() {
            let mine = [cred.uid.real, cred.uid.effective];
            let theirs = [target.uid.real, target.uid.saved];
            let same = mine.iter().any(|id| theirs.contains(id));
            assert_eq!(may_signal(&cred, &target), same || cred.has(Cap::Kill));
        }
    }
}

#[test]
fn capabilities_never_grow() {
    let root = Cred::root();
    let one = CapSet::EMPTY.with(Cap::Kill);
    let less = set_caps(&root, one, one, one).expect("fewer");
    assert!(set_caps(&less, CapSet::EMPTY, CapSet::ALL, one).is_err());
    assert!(set_caps(&less, CapSet::ALL, one, one).is_err());
    let two = one.with(Cap::Chown);
    assert!(
        set_caps(&less, one, one, two).is_err(),
        "without CAP_SETPCAP"
    );
    assert!(set_caps(&root, one, one, two).is_ok());
}

#[test]
fn locked_bits_stay() {
    let root = Cred::root();
    let locked = set_securebits(&root, 0x22).expect("root may");
    assert!(set_securebits(&locked, 0x02).is_err(), "a lock stays");
    assert!(set_securebits(&locked, 0x32).is_err(), "and what it locks");
    assert!(set_keep_caps(&locked, true).is_err());
    assert!(set_securebits(&root, 0x100).is_err());
    assert!(set_securebits(&Cred::user(1, 1, &[]), 1).is_err());
}
