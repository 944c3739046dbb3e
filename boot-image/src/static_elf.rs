//! Checks that a reader's own file is a program Lodger can start, before a machine is booted for it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use elf::ElfBytes;
use elf::abi::{EM_X86_64, ET_DYN, ET_EXEC, PT_INTERP};
use elf::endian::LittleEndian;
use elf::file::Class;

use crate::programs::Program;

/// Reads the file's headers and names the program after it.
pub fn check(path: &Path) -> Result<Program> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if let Some(reason) = why_not(&bytes) {
        bail!("{} cannot run in Lodger: {reason}", path.display());
    }
    let name = path.file_name().context("a program has a name")?;
    Ok(Program {
        name: name.to_string_lossy().into_owned(),
        path: path.into(),
    })
}

/// Says in words why these bytes are not a static x86-64 Linux executable, or nothing if they are.
pub fn why_not(bytes: &[u8]) -> Option<&'static str> {
    let Ok(file) = ElfBytes::<LittleEndian>::minimal_parse(bytes) else {
        return Some("it is not an ELF file (a script needs its interpreter as the program)");
    };
    let header = file.ehdr;
    if header.class != Class::ELF64 || header.e_machine != EM_X86_64 {
        return Some("it is not for x86-64");
    }
    if header.e_type != ET_EXEC && header.e_type != ET_DYN {
        return Some("it is not an executable (an object file or a core dump)");
    }
    let Some(segments) = file.segments().filter(|segments| !segments.is_empty()) else {
        return Some("it has no program headers");
    };
    segments
        .iter()
        .any(|segment| segment.p_type == PT_INTERP)
        .then_some(
            "it is dynamically linked; link it with -static (Rust: -C target-feature=+crt-static)",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamically_linked_program_is_refused_with_the_flag_that_helps() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(why_not(&own).unwrap().contains("-static"));
    }

    #[test]
    fn a_script_is_refused() {
        assert!(why_not(b"#!/bin/sh\n").unwrap().contains("not an ELF file"));
    }

    #[test]
    fn another_machines_program_is_refused() {
        let mut own = fs::read(std::env::current_exe().unwrap()).unwrap();
        own[18] = 0xb7;
        assert_eq!(why_not(&own), Some("it is not for x86-64"));
    }

    #[test]
    fn every_cut_of_a_program_is_answered_and_none_panics() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in 0..4096 {
            assert!(why_not(&own[..length]).is_some(), "cut to {length} bytes");
        }
    }
}
