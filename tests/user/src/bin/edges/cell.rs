//! One cell: a call made by a child, and what became of it.

use user::child::{self, Ended};
use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::{sys, vmas};

/// Where the arena begins, on every kernel.
pub(crate) const ARENA: u64 = 0x3000_0000_0000;
/// How many pages the arena has room for.
pub(crate) const ROOM: u64 = 64;
/// The end of user space.
pub(crate) const END: u64 = 0x7fff_ffff_f000;
/// An address in the kernel's direct map.
pub(crate) const KERNEL: u64 = 0xffff_8880_0000_0000;

/// Is what the cells share: a word that children answer in, and the arena as it was.
pub(crate) struct Cells {
    answer: Map,
    shape: String,
}

impl Cells {
    /// Lays out the arena: pages 0 to 3 read-write, 4 free, 5 read-only, 6 without access, 7 shared, the rest free.
    pub(crate) fn new() -> Result<Self, sys::Errno> {
        let fixed = libc::MAP_FIXED;
        let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let at = |page: u64| ARENA + page * PAGE;
        sys::mmap(ARENA, 4 * PAGE, map::RW, ANON | fixed, -1, 0)?;
        sys::mmap(at(5), PAGE, map::R, ANON | fixed, -1, 0)?;
        sys::mmap(at(6), PAGE, map::NONE, ANON | fixed, -1, 0)?;
        sys::mmap(at(7), PAGE, map::RW, shared | fixed, -1, 0)?;
        mem::poke(ARENA, 1);
        let answer = Map::with(1, map::RW, shared, -1)?;
        Ok(Self {
            answer,
            shape: shape(),
        })
    }

    /// Makes one call in a child and says what became of it.
    pub(crate) fn cell(&self, number: i64, args: [u64; 6]) -> String {
        let ended = child::run(|| {
            let result = sys::raw(number, args);
            mem::poke64(self.answer.start, result as u64);
            i32::from(shape() != self.shape)
        });
        match ended {
            Ok(Ended::Exited(code)) => {
                let star = if code == 0 { "" } else { "*" };
                format!("{}{star}", told(mem::peek64(self.answer.start)))
            }
            other => format!("{other:?}")
                .trim_start_matches("Ok(")
                .trim_end_matches(')')
                .to_owned(),
        }
    }

    /// Prints a line of cells.
    pub(crate) fn line(&self, title: &str, number: i64, cells: impl IntoIterator<Item = [u64; 6]>) {
        let cells: Vec<String> = cells
            .into_iter()
            .map(|args| self.cell(number, args))
            .collect();
        println!("{title}: {}", cells.join(" "));
    }
}

/// Writes an answer: an error, a place in the arena, or that it went well.
fn told(value: u64) -> String {
    let negative = value.wrapping_neg();
    if (1..4096).contains(&negative) {
        return format!("{:?}", sys::Errno(negative as i32)).replace(' ', "");
    }
    if (ARENA..ARENA + ROOM * PAGE).contains(&value) {
        return format!("+{:x}", value - ARENA);
    }
    "ok".into()
}

/// Describes the arena's map by protections only: neighbours that look alike count as one.
fn shape() -> String {
    let mut text = String::new();
    let mut last = None;
    for line in vmas::within(ARENA, ARENA + ROOM * PAGE) {
        let follows = last == Some((line.start, line.perms.clone()));
        if !follows {
            text += &format!("{:x} {} ", line.start, line.perms);
        }
        text += &format!("{:x};", line.end);
        if follows {
            text = text.replace(
                &format!("{:x};{:x};", line.start, line.end),
                &format!("{:x};", line.end),
            );
        }
        last = Some((line.end, line.perms));
    }
    text
}
