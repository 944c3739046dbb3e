//! One file for each subcommand of `./x`.

mod build;
mod check;
mod image;
mod run;
mod symbolise;
mod test;

use anyhow::Result;

use crate::cli::{Cli, Command};

/// Does what the command line says and returns this program's exit code.
pub fn dispatch(cli: Cli) -> Result<u8> {
    match cli.chosen() {
        Command::Run(args) => run::run(&args),
        Command::Test(args) => test::test(&args),
        Command::Build => build::build().map(|()| 0),
        Command::Image(args) => image::image(&args).map(|()| 0),
        Command::Symbolise(args) => symbolise::symbolise(&args).map(|()| 0),
        Command::Check => check::check().map(|()| 0),
    }
}
