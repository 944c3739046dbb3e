//! What must be true, page by page, as simply as it can be said.
//!
//! - [`space`]: an address space as a map from page numbers to what is promised there.
//! - [`ops`]: what mapping, unmapping, protecting and their like do to it, and what they refuse.
//! - [`advice`], [`lock`], [`remap`]: madvise, mlock and its family, mremap.

pub mod advice;
pub mod lock;
pub mod ops;
pub mod remap;
pub mod space;

pub use ops::{Refusal, Spot};
pub use space::{Cells, Object, Reach, Shown, Space};
