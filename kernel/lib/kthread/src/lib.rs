//! The life of a kernel thread, as its owner and the thread itself change it (KT-1 … KT-3).
//!
//! A [`State`] is one small word. Owner and thread change it in single steps, each a function from one
//! word to the next; the kernel applies them to an atomic. What must happen besides (mark, wake, sleep) is
//! said at each step, and the order matters:
//!
//! ```text
//! owner:   change the word ── wake the thread ── wait for what `park_answer` or `has_exited` says
//! thread:  mark itself asleep ── look at the word ── sleep, or take the mark back
//! ```
//!
//! The thread looks after it has marked itself, the owner wakes after it has changed the word: so either
//! the thread sees the change or the owner sees the mark, and no wish is slept through.
//!
//! There are two kinds of sleep, and of wake-ups: that for something to do, which anybody may end, and that
//! of a thread which is parked or was not started. Only start, unpark and stop wake it there.
#![no_std]
#![forbid(unsafe_code)]

mod state;

pub use state::{Begin, First, ParkRefused, ParkStep, State};
