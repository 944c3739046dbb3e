//! Who a process is while it runs a program: what set-user-id bits and exec make of it, what it may set itself, whom it may reach.

use super::access::{Denied, Facts};
use super::setid::KEEP_CAPS;
use super::{Cap, CapSet, Caps, Cred};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;
/// `securebits`: user id 0 gives no capabilities at exec.
pub const NO_ROOT: u32 = 1 << 0;
/// `securebits`: no capabilities can be made ambient.
pub const NO_AMBIENT_RAISE: u32 = 1 << 6;
/// All `securebits`; of each pair the upper one locks the lower.
const SECUREBITS: u32 = 0xff;
/// The locks among them.
const LOCKS: u32 = 0xaa;

/// What executing a program makes of somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Execed {
    /// Who it is from then on.
    pub cred: Cred,
    /// Whether the program has rights that its user has not (`AT_SECURE`).
    pub secure: bool,
}

/// Decides who runs `program`; its set-id bits count if `honours_bits`.
pub fn exec(old: &Cred, program: Facts, honours_bits: bool) -> Execed {
    let mut new = old.clone();
    if honours_bits && program.mode & SETUID != 0 {
        new.uid.effective = program.uid;
    }
    if honours_bits && program.mode & (SETGID | GROUP_EXECUTE) == SETGID | GROUP_EXECUTE {
        new.gid.effective = program.gid;
    }
    let is_setid = new.uid.effective != old.uid.real || new.gid.effective != old.gid.real;
    new.uid.saved = new.uid.effective;
    new.uid.fs = new.uid.effective;
    new.gid.saved = new.gid.effective;
    new.gid.fs = new.gid.effective;
    let roots = old.securebits & NO_ROOT == 0;
    let is_root = roots && (new.uid.effective == 0 || new.uid.real == 0);
    let takes_effect = roots && new.uid.effective == 0;
    let caps = &mut new.caps;
    if is_setid {
        caps.ambient = CapSet::EMPTY;
    }
    caps.permitted = match is_root {
        true => old.caps.bounding.union(old.caps.inheritable),
        false => CapSet::EMPTY,
    }
    .union(caps.ambient);
    caps.effective = match takes_effect {
        true => caps.permitted,
        false => caps.ambient,
    };
    let grew = !caps.ambient.includes(caps.permitted);
    let secure = is_setid || new.uid.real != 0 && (takes_effect || grew);
    new.securebits &= !KEEP_CAPS;
    Execed { cred: new, secure }
}

/// Decides whether `cred` may send signals to somebody.
pub fn may_signal(cred: &Cred, target: &Cred) -> bool {
    let to = [target.uid.real, target.uid.saved];
    to.contains(&cred.uid.effective) || to.contains(&cred.uid.real) || cred.has(Cap::Kill)
}

/// Decides whether `cred` may look into somebody's memory and change their limits: it is the same user, with no more rights.
/// `dumpable` says whether the other one permits that to its own user.
pub fn may_inspect(cred: &Cred, target: &Cred, dumpable: bool, by_fs_ids: bool) -> bool {
    let of = |ids: super::Ids| if by_fs_ids { ids.fs } else { ids.real };
    let all = |ids: super::Ids, id| [ids.real, ids.effective, ids.saved] == [id; 3];
    let same = all(target.uid, of(cred.uid)) && all(target.gid, of(cred.gid));
    cred.has(Cap::SysPtrace)
        || same && dumpable && cred.caps.permitted.includes(target.caps.permitted)
}

/// Decides whether `cred` may change somebody's limits (`prlimit`).
pub fn may_limit(cred: &Cred, target: &Cred) -> bool {
    let all = |ids: super::Ids, id| [ids.real, ids.effective, ids.saved] == [id; 3];
    let same = all(target.uid, cred.uid.real) && all(target.gid, cred.gid.real);
    same || cred.has(Cap::SysResource)
}

/// Decides whether `cred` may change how somebody is scheduled.
pub fn may_schedule(cred: &Cred, target: &Cred) -> bool {
    let own = cred.uid.effective;
    own == target.uid.effective || own == target.uid.real || cred.has(Cap::SysNice)
}

/// `capset`: decides about new effective, permitted and inheritable capabilities.
pub fn set_caps(
    cred: &Cred,
    effective: CapSet,
    permitted: CapSet,
    inheritable: CapSet,
) -> Result<Cred, Denied> {
    let old = cred.caps;
    let own = old.inheritable.union(old.permitted);
    let inherits = (cred.has(Cap::Setpcap) || own.includes(inheritable))
        && old.inheritable.union(old.bounding).includes(inheritable);
    if !(inherits && old.permitted.includes(permitted) && permitted.includes(effective)) {
        return Err(Denied);
    }
    let kept = permitted.intersection(inheritable);
    let caps = Caps {
        effective,
        permitted,
        inheritable,
        bounding: old.bounding,
        ambient: old.ambient.intersection(kept),
    };
    Ok(Cred {
        caps,
        ..cred.clone()
    })
}

/// `PR_CAPBSET_DROP`: takes a capability out of the bounding set.
pub fn drop_bounding(cred: &Cred, cap: CapSet) -> Result<Cred, Denied> {
    if !cred.has(Cap::Setpcap) {
        return Err(Denied);
    }
    let mut new = cred.clone();
    new.caps.bounding = new.caps.bounding.difference(cap);
    Ok(new)
}

/// `PR_CAP_AMBIENT_RAISE`: lets a capability stay across exec.
pub fn raise_ambient(cred: &Cred, cap: CapSet) -> Result<Cred, Denied> {
    let caps = cred.caps;
    let has = caps.permitted.intersection(caps.inheritable).includes(cap);
    if !has || cred.securebits & NO_AMBIENT_RAISE != 0 {
        return Err(Denied);
    }
    let mut new = cred.clone();
    new.caps.ambient = caps.ambient.union(cap);
    Ok(new)
}

/// `PR_SET_SECUREBITS`: what is locked stays, and locks do.
pub fn set_securebits(cred: &Cred, bits: u32) -> Result<Cred, Denied> {
    let old = cred.securebits;
    let locked = (old & LOCKS) >> 1;
    let unlocks = old & LOCKS & !bits != 0;
    if locked & (old ^ bits) != 0 || unlocks || bits & !SECUREBITS != 0 || !cred.has(Cap::Setpcap) {
        return Err(Denied);
    }
    Ok(Cred {
        securebits: bits,
        ..cred.clone()
    })
}

/// `PR_SET_KEEPCAPS`: whether capabilities stay when the last user id of root goes, until the next exec.
pub fn set_keep_caps(cred: &Cred, keeps: bool) -> Result<Cred, Denied> {
    if cred.securebits & KEEP_CAPS << 1 != 0 {
        return Err(Denied);
    }
    let mut new = cred.clone();
    new.securebits = match keeps {
        true => new.securebits | KEEP_CAPS,
        false => new.securebits & !KEEP_CAPS,
    };
    Ok(new)
}
