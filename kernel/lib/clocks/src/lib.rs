//! What becomes of time before a program sees it: how CPU time is divided ([`split`](mod@split)), when an interval timer rings and how
//! often it would have ([`timer`]), how busy the machine was ([`load`]).
#![no_std]
#![forbid(unsafe_code)]

pub mod load;
pub mod split;
pub mod timer;
