//! What the boot passes on: examples, models, and any input whatever.

mod command_line;
mod cpio;
mod memory;
