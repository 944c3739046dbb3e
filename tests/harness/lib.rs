//! What a VM test is written with: build once, boot a machine, look at its log.
//!
//! ```no_run
//! use harness::{Exit, Vm};
//!
//! let outcome = Vm::new().init("probe", &["cow"]).memory("64M").boot();
//! outcome.expect_pass();
//! outcome.line_containing("probe: ");
//! assert_eq!(outcome.counter("frames_user"), 0);
//! ```
//!
//! - [`vm`]: the machine's builder; [`outcome`]: what it left, with the assertions.
//! - [`host`]: the same programs on the host's own Linux, and the comparison of the two.
//! - [`project`](mod@project): what was built for the machines.
//!
//! At most two machines run at once, in all test programs together, and each is bounded in time. A failed
//! assertion shows the end of the log and the `./x run …` line that repeats the run.

pub mod host;
pub mod outcome;
pub mod project;
pub mod vm;

pub use boot_image::Exit;
pub use boot_image::initramfs::Entry;
pub use host::{host_run, host_run_in, same_as_linux};
pub use outcome::Outcome;
pub use vm::{Answer, Vm};
