//! What a tree of files decides: where a path leads, what a name in a directory stands for, whether
//! a file may be moved, which pages of a file are in memory, where a position moves to.
//!
//! Nothing here knows what a file is made of: paths are walked through any [`walk::World`], directories
//! hold any value, a page is the number of a frame.
//!
//! Reading order: [`walk`], [`directory`], [`rename`], [`pages`], [`seek`], [`options`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod directory;
pub mod options;
pub mod pages;
pub mod rename;
pub mod seek;
pub mod walk;

/// Longest path with its NUL.
pub const PATH_MAX: usize = 4096;
/// Longest single name.
pub const NAME_MAX: usize = 255;
