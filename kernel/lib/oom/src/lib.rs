//! Out of memory: who has to end so that the others can go on (HF-19).
//!
//! [`points`] says how much would come back, moved by what somebody asked for in `oom_score_adj`;
//! [`choose`] takes the one with the most. Where nobody has much, many have little: then it takes the one with the most
//! of the process group that has the most together, so that a fork bomb pays for itself and not a bystander who happens to be
//! larger than each of its children. Whoever is ending already is waited for before anybody else is chosen, unless that
//! was in vain.
#![no_std]
#![forbid(unsafe_code)]

/// `oom_score_adj` of a process that is never chosen.
pub const NEVER: i16 = -1000;
/// The largest `oom_score_adj`: as if the process had all memory.
pub const FIRST: i16 = 1000;

/// A process that has less than this part of all memory has not much: it is not ended so that another one can begin, nor
/// before others of a group that has more.
pub const FEW: u64 = 16;

/// How far a process is on its way out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Life {
    /// It runs as long as it likes.
    Lives,
    /// It has been told to end.
    Ends,
    /// It has been told to end and waited for, in vain.
    Stuck,
}

/// A process that could end, and what that would bring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Candidate {
    /// Its number.
    pub pid: u32,
    /// Its process group.
    pub group: u32,
    /// Its pages in memory and its page tables, in frames.
    pub frames: u64,
    /// What its owner wants, from [`NEVER`] to [`FIRST`], in thousandths of all memory.
    pub adj: i16,
    /// Whether it is on its way out.
    pub life: Life,
}

impl Candidate {
    /// Whether it is to be asked at all by who does without anybody's end that brings less than `least` frames: those who
    /// are ending anyway, and those who have so many.
    pub const fn is_worth_it(&self, least: u64) -> bool {
        !matches!(self.life, Life::Lives) || self.frames >= least
    }
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Choice {
    /// Wait for this process, which is ending.
    WaitFor(u32),
    /// End this process.
    End(u32),
    /// There is nobody.
    Nobody,
}

/// Returns how suitable a candidate is on a machine of `total` frames; `None` for never.
pub fn points(candidate: &Candidate, total: u64) -> Option<i64> {
    if candidate.adj <= NEVER {
        return None;
    }
    let moved = i64::from(candidate.adj) * (total / 1000) as i64;
    Some(candidate.frames as i64 + moved)
}

/// Chooses among the candidates; of two equal ones the younger. They are left in another order.
///
/// O(n log n) for `n` candidates; nothing is allocated.
pub fn choose(candidates: &mut [Candidate], total: u64) -> Choice {
    let ending = candidates.iter().find(|one| one.life == Life::Ends);
    if let Some(ending) = ending {
        return Choice::WaitFor(ending.pid);
    }
    candidates.sort_unstable_by_key(|one| (one.group, one.pid));
    let groups = candidates.chunk_by(|one, other| one.group == other.group);
    let groups = groups.filter_map(|members| Group::of(members, total));
    let alone = groups.clone().map(|group| group.first).max();
    let together = groups.max_by_key(|group| (group.points, group.first));
    match (alone, together) {
        (Some((points, pid)), _) if points >= (total / FEW) as i64 => Choice::End(pid),
        (_, Some(group)) => Choice::End(group.first.1),
        _ => Choice::Nobody,
    }
}

/// The members of a process group who can be chosen.
struct Group {
    /// What they have together; who is protected takes nothing from it.
    points: i64,
    /// Who of them has the most points, and is the youngest of those: the points and the number.
    first: (i64, u32),
}

impl Group {
    fn of(members: &[Candidate], total: u64) -> Option<Self> {
        let living = members.iter().filter(|one| one.life == Life::Lives);
        let each = living.filter_map(|one| Some((points(one, total)?, one.pid)));
        Some(Self {
            points: each.clone().map(|(points, _)| points.max(0)).sum(),
            first: each.max()?,
        })
    }
}

/// Returns what `oom_score` shows: two thirds of a scale on which 1000 is all memory and the
/// adjustment moves it by as much again; 0 for who is never chosen.
pub fn score(frames: u64, adj: i16, total: u64) -> u64 {
    let candidate = Candidate {
        pid: 0,
        group: 0,
        frames,
        adj,
        life: Life::Lives,
    };
    let Some(points) = points(&candidate, total) else {
        return 0;
    };
    let thousandths = points * 1000 / total.max(1) as i64;
    ((1000 + thousandths) * 2 / 3).max(0) as u64
}
