//! The channel to a command inside: frames, so that output, errors and ends can be told apart (the kernel's `fs/host.rs`).

use std::io::{self, Read, Write};

/// What the command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Bytes of its standard output.
    Output(&'a [u8]),
    /// Bytes of its standard error.
    Errors(&'a [u8]),
    /// Its exit status.
    Ended(u8),
}

/// Takes the frames apart, whatever the pieces in which they come.
#[derive(Debug, Default)]
pub struct Decoder(Vec<u8>);

impl Decoder {
    /// Takes more bytes and shows every frame that is complete.
    pub fn feed(&mut self, bytes: &[u8], show: &mut dyn FnMut(Frame<'_>)) {
        self.0.extend(bytes);
        let mut at = 0;
        while let [kind, len, rest @ ..] = &self.0[at..] {
            let Some(body) = rest.get(..usize::from(*len)) else {
                break;
            };
            match (kind, body) {
                (1, body) => show(Frame::Output(body)),
                (2, body) => show(Frame::Errors(body)),
                (3, [code]) => show(Frame::Ended(*code)),
                // It is ready.
                _ => {}
            }
            at += 2 + body.len();
        }
        self.0.drain(..at);
    }
}

/// Copies `from` in frames to its end, and tells that.
pub fn encode(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut frame = [0; 256];
    loop {
        let count = from.read(&mut frame[1..])?;
        frame[0] = count as u8;
        to.write_all(&frame[..=count])?;
        if count == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_wherever_a_piece_ends() {
        let stream = b"\x04\x00\x01\x03abc\x02\x01!\x01\x00\x03\x01\x2a";
        for cut in 0..stream.len() {
            let (mut output, mut errors, mut code) = (Vec::new(), Vec::new(), None);
            let mut decoder = Decoder::default();
            for piece in [&stream[..cut], &stream[cut..]] {
                decoder.feed(piece, &mut |frame| match frame {
                    Frame::Output(bytes) => output.extend(bytes),
                    Frame::Errors(bytes) => errors.extend(bytes),
                    Frame::Ended(status) => code = Some(status),
                });
            }
            assert_eq!(
                (output.as_slice(), errors.as_slice(), code),
                (&b"abc"[..], &b"!"[..], Some(42))
            );
        }
    }

    #[test]
    fn input_is_cut_into_frames_and_its_end_is_told() {
        let mut sent = Vec::new();
        encode(&mut &[7; 300][..], &mut sent).unwrap();
        assert_eq!(sent.len(), 300 + 3);
        assert_eq!((sent[0], sent[256], sent[302]), (255, 45, 0));
    }
}
