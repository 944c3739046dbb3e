//! How ids change: the `setuid` family, and what becomes of capabilities with them.
//!
//! Each function takes what is in force and returns what is to be. Without the capability only ids that one has already may be taken.

use super::access::Denied;
use super::{Cap, CapSet, Cred, Ids, NO_SETUID_FIXUP};

/// `securebits`: capabilities stay when the last user id of root goes.
pub const KEEP_CAPS: u32 = 1 << 4;

/// Which of the two kinds of ids is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// User ids.
    User,
    /// Group ids.
    Group,
}

/// `setuid`, `setgid`: all ids for who may, else the effective one back to the real or saved one.
pub fn set(cred: &Cred, kind: Kind, id: u32) -> Result<Cred, Denied> {
    let old = cred.ids(kind);
    let new = if cred.may_set(kind) {
        Ids::all(id)
    } else if id == old.real || id == old.saved {
        Ids {
            effective: id,
            fs: id,
            ..old
        }
    } else {
        return Err(Denied);
    };
    Ok(cred.with_ids(kind, new))
}

/// `setreuid`, `setregid`: real and effective id, `None` for one that stays.
pub fn set_real_effective(
    cred: &Cred,
    kind: Kind,
    real: Option<u32>,
    effective: Option<u32>,
) -> Result<Cred, Denied> {
    let old = cred.ids(kind);
    let may = cred.may_set(kind);
    let real_ok = |id: u32| id == old.real || id == old.effective;
    let effective_ok = |id: u32| real_ok(id) || id == old.saved;
    let fits = real.is_none_or(real_ok) && effective.is_none_or(effective_ok);
    if !may && !fits {
        return Err(Denied);
    }
    let effective_id = effective.unwrap_or(old.effective);
    let saves = real.is_some() || effective.is_some_and(|id| id != old.real);
    let new = Ids {
        real: real.unwrap_or(old.real),
        effective: effective_id,
        saved: if saves { effective_id } else { old.saved },
        fs: effective_id,
    };
    Ok(cred.with_ids(kind, new))
}

/// `setresuid`, `setresgid`: real, effective and saved id, `None` for one that stays.
pub fn set_all(cred: &Cred, kind: Kind, ids: [Option<u32>; 3]) -> Result<Cred, Denied> {
    let old = cred.ids(kind);
    let has = |id: u32| [old.real, old.effective, old.saved].contains(&id);
    if !cred.may_set(kind) && !ids.iter().flatten().all(|id| has(*id)) {
        return Err(Denied);
    }
    let [real, effective, saved] = ids;
    let effective = effective.unwrap_or(old.effective);
    let new = Ids {
        real: real.unwrap_or(old.real),
        effective,
        saved: saved.unwrap_or(old.saved),
        fs: effective,
    };
    Ok(cred.with_ids(kind, new))
}

/// `setfsuid`, `setfsgid`: what decides about files only.
pub fn set_fs(cred: &Cred, kind: Kind, id: u32) -> Result<Cred, Denied> {
    let old = cred.ids(kind);
    let has = [old.real, old.effective, old.saved, old.fs].contains(&id);
    if !has && !cred.may_set(kind) {
        return Err(Denied);
    }
    let mut new = cred.clone();
    *new.ids_mut(kind) = Ids { fs: id, ..old };
    if kind == Kind::User && cred.securebits & NO_SETUID_FIXUP == 0 {
        let caps = &mut new.caps;
        match (old.fs, id) {
            (0, 1..) => caps.effective = caps.effective.difference(CapSet::FILES),
            (1.., 0) => {
                let gained = caps.permitted.intersection(CapSet::FILES);
                caps.effective = caps.effective.union(gained);
            }
            _ => {}
        }
    }
    Ok(new)
}

impl Cred {
    /// Returns the ids of one kind.
    pub fn ids(&self, kind: Kind) -> Ids {
        match kind {
            Kind::User => self.uid,
            Kind::Group => self.gid,
        }
    }

    fn ids_mut(&mut self, kind: Kind) -> &mut Ids {
        match kind {
            Kind::User => &mut self.uid,
            Kind::Group => &mut self.gid,
        }
    }

    fn may_set(&self, kind: Kind) -> bool {
        self.has(match kind {
            Kind::User => Cap::Setuid,
            Kind::Group => Cap::Setgid,
        })
    }

    /// Returns it with other ids, and without what goes with those of root.
    fn with_ids(&self, kind: Kind, ids: Ids) -> Self {
        let mut new = self.clone();
        *new.ids_mut(kind) = ids;
        if kind == Kind::User && self.securebits & NO_SETUID_FIXUP == 0 {
            new.fix_up(self.uid);
        }
        new
    }

    fn fix_up(&mut self, old: Ids) {
        let has_root = |ids: Ids| [ids.real, ids.effective, ids.saved].contains(&0);
        let caps = &mut self.caps;
        if has_root(old) && !has_root(self.uid) {
            if self.securebits & KEEP_CAPS == 0 {
                caps.permitted = CapSet::EMPTY;
                caps.effective = CapSet::EMPTY;
            }
            caps.ambient = CapSet::EMPTY;
        }
        match (old.effective, self.uid.effective) {
            (0, 1..) => caps.effective = CapSet::EMPTY,
            (1.., 0) => caps.effective = caps.permitted,
            _ => {}
        }
    }
}
