//! `./x symbolise`: names for the addresses in a log.

use std::io::{self, Read, Write};

use anyhow::{Result, ensure};

use crate::cargo;
use crate::cli::SymboliseArgs;
use crate::symbols::Symboliser;

/// Copies standard input to standard output and puts names in.
pub(super) fn symbolise(args: &SymboliseArgs) -> Result<()> {
    let kernel = args
        .kernel
        .clone()
        .unwrap_or_else(|| cargo::kernel_path(cargo::RELEASE));
    ensure!(
        kernel.exists(),
        "{} is missing: ./x build makes it",
        kernel.display()
    );
    let mut symbols = Symboliser::new(kernel);
    let mut buffer = [0; 1 << 16];
    loop {
        let count = io::stdin().read(&mut buffer)?;
        if count == 0 {
            return Ok(io::stdout().write_all(&symbols.finish())?);
        }
        io::stdout().write_all(&symbols.filter(&buffer[..count]))?;
    }
}
