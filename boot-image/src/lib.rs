//! Builds Lodger and the programs that run inside it, packs bootable images, runs them under QEMU and
//! reads the logs. `./x` is this program's shell; the VM tests use it as a library.
//!
//! Reading order, along the way of one `./x run`:
//!
//! - [`cli`]: the command line; [`commands`]: one file for each subcommand.
//! - [`mod@build`]: everything a machine needs, from [`cargo`] (kernel and Rust programs), [`programs`]
//!   (all programs, C too), [`initramfs`] (the cpio archive) and [`image`] (disk images).
//! - [`launch`]: which image, initramfs and command line a run gets; [`static_elf`]: is the reader's own
//!   program one that can run.
//! - [`qemu`]: the machine as a QEMU command; [`bochs`]: as a configuration of Bochs; [`vm`]: its process, bounded in time; [`tether`]: nothing
//!   outlives us; [`terminal`]: the keyboard is the guest's; [`mod@exit`]: how it ended; [`symbols`]: names for a backtrace.
//! - Helpers: [`project`] (where things lie), [`fresh`], [`lock`], [`scratch`], [`ovmf`],
//!   [`accel`], [`plain`] (a log without a terminal's control codes), [`tell`].

pub mod accel;
pub mod bochs;
pub mod build;
pub mod cargo;
pub mod cli;
pub mod commands;
pub mod exit;
pub mod frames;
pub mod fresh;
pub mod image;
pub mod initramfs;
pub mod launch;
pub mod lock;
pub mod ovmf;
pub mod plain;
pub mod programs;
pub mod project;
pub mod qemu;
pub mod root;
pub mod scratch;
pub mod static_elf;
pub mod symbols;
pub mod tell;
pub mod terminal;
pub mod tether;
pub mod vm;

pub use exit::Exit;
