//! The program behind `./x`: reads the command line, does one thing, says how it went.

use std::process::ExitCode;

use boot_image::cli::Cli;
use boot_image::{commands, tell};

fn main() -> ExitCode {
    match commands::dispatch(Cli::from_args()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
