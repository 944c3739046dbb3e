//! The allocator against a bitmap: everything on small memories, random use on larger ones.

mod checked;
mod exhaustive;
mod hot;
mod model;
