//! How a run ended, and how that is told to others.
//!
//! The kernel writes one byte `v` to QEMU's isa-debug-exit device and QEMU exits with `(v << 1) | 1`.
//! QEMU's own 0 and 1 (closed, bad option) are therefore never a kernel's word and never a success.
//! A machine without that device says the byte in its last line.

use std::fmt;

/// The way a virtual machine's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Init ended with status 0 and every audit held.
    Pass,
    /// Init ended with another status, or was killed.
    Fail,
    /// The kernel panicked.
    Panic,
    /// The kernel met a fault of its own and stopped with an oops.
    Oops,
    /// The power-off audit found memory that nobody gave back.
    Leak,
    /// The kernel's watchdog saw no progress.
    Watchdog,
    /// The run was still going when its time was up; the emulator was ended.
    Timeout,
    /// The emulator ended by itself, with this code: the kernel had no say (a triple fault under QEMU gives 0).
    Qemu(i32),
}

/// One line for each code the kernel can give: QEMU's exit code, what it means, our exit code.
const CODES: [(i32, Exit, u8); 6] = [
    (33, Exit::Pass, 0),
    (35, Exit::Fail, 1),
    (37, Exit::Panic, 101),
    (39, Exit::Oops, 102),
    (41, Exit::Leak, 103),
    (43, Exit::Watchdog, 104),
];
const TIMEOUT_CODE: u8 = 124;
const QEMU_CODE: u8 = 125;

impl Exit {
    /// Reads QEMU's exit code.
    pub fn from_qemu(code: i32) -> Self {
        CODES
            .iter()
            .find(|row| row.0 == code)
            .map_or(Self::Qemu(code), |row| row.1)
    }

    /// Gives the exit code with which `boot-image run` ends.
    pub fn process_code(self) -> u8 {
        match self {
            Self::Timeout => TIMEOUT_CODE,
            Self::Qemu(_) => QEMU_CODE,
            told => CODES
                .iter()
                .find(|row| row.1 == told)
                .map_or(QEMU_CODE, |row| row.2),
        }
    }
}

/// How the kernel's last line begins on a machine that it cannot end.
const LAST_WORDS: &str = "* the machine ended: 0x";

/// Looks for the kernel's last line in what comes over a serial line, piece by piece.
#[derive(Debug, Default)]
pub struct LastLine {
    line: Vec<u8>,
}

impl LastLine {
    /// Returns how the machine ended once its last line is complete.
    pub fn look(&mut self, bytes: &[u8]) -> Option<Exit> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                let found = Exit::from_last_line(String::from_utf8_lossy(&line).trim_end());
                if found.is_some() {
                    return found;
                }
            } else {
                self.line.push(byte);
            }
        }
        None
    }
}

impl Exit {
    fn from_last_line(line: &str) -> Option<Self> {
        let byte = i32::from_str_radix(line.strip_prefix(LAST_WORDS)?, 16).ok()?;
        Some(Self::from_qemu((byte << 1) | 1))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("passed"),
            Self::Fail => f.write_str("init did not end with status 0"),
            Self::Panic => f.write_str("kernel panic"),
            Self::Oops => f.write_str("kernel oops"),
            Self::Leak => f.write_str("the audit at power-off failed"),
            Self::Watchdog => f.write_str("the kernel's watchdog fired"),
            Self::Timeout => f.write_str("timed out"),
            Self::Qemu(0) => {
                f.write_str("the machine reset itself (triple fault), or QEMU was closed")
            }
            Self::Qemu(code) => write!(f, "the emulator ended by itself with code {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_debug_exit_byte_becomes_its_own_exit_code() {
        let told = |byte: i32| Exit::from_qemu((byte << 1) | 1).process_code();
        let codes: Vec<u8> = (0x10..=0x15).map(told).collect();
        assert_eq!(codes, [0, 1, 101, 102, 103, 104]);
    }

    #[test]
    fn only_the_pass_byte_is_a_success() {
        let passes: Vec<i32> = (0..=255)
            .filter(|&code| Exit::from_qemu(code).process_code() == 0)
            .collect();
        assert_eq!(passes, [33]);
    }

    #[test]
    fn qemu_ending_by_itself_is_told_apart_from_a_timeout() {
        assert_eq!(Exit::from_qemu(0).process_code(), 125);
        assert_eq!(Exit::from_qemu(1).process_code(), 125);
        assert_eq!(Exit::Timeout.process_code(), 124);
    }

    #[test]
    fn a_last_line_is_found_however_it_is_cut() {
        let text = b"hello\n  * the machine ended: 0x10\n* the machine ended: 0x13\r\n";
        for cut in 0..text.len() {
            let mut line = LastLine::default();
            let first = line.look(&text[..cut]);
            assert_eq!((first, line.look(&text[cut..])), (None, Some(Exit::Oops)));
        }
    }

    #[test]
    fn an_unfinished_line_is_not_the_last_one() {
        let mut line = LastLine::default();
        assert_eq!(line.look(b"* the machine ended: 0x1"), None);
        assert_eq!(line.look(b"0\n"), Some(Exit::Pass));
    }
}
