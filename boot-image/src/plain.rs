//! Takes terminal control sequences out of a log: the firmware's, before the kernel has the port.

/// Where in a sequence the log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and `[`: parameters follow, a letter or sign ends them.
    Parameters,
}

/// The filter, which remembers a sequence cut in two by a chunk's end.
#[derive(Debug, Default)]
pub struct Plain(State);

impl Plain {
    /// Returns the bytes that are not part of a control sequence.
    pub fn filter(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .filter(|&byte| self.keeps(byte))
            .collect()
    }

    fn keeps(&mut self, byte: u8) -> bool {
        let (next, keeps) = match (self.0, byte) {
            (_, 0x1b) => (State::Escape, false),
            (State::Escape, b'[') => (State::Parameters, false),
            (State::Parameters, b'0'..=b'?') => (State::Parameters, false),
            (State::Escape | State::Parameters, _) => (State::Text, false),
            (State::Text, _) => (State::Text, true),
        };
        self.0 = next;
        keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_and_text_stays_wherever_a_chunk_ends() {
        let log = b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe\r\n\x1b[0m[    0.1] on\n";
        for cut in 0..log.len() {
            let mut plain = Plain::default();
            let mut kept = plain.filter(&log[..cut]);
            kept.extend(plain.filter(&log[cut..]));
            assert_eq!(kept, b"BdsDxe\r\n[    0.1] on\n", "cut at {cut}");
        }
    }
}
