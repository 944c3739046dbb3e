//! Editing of a line that has not ended: erasing, reprinting, the next character taken literally, and the end itself.

use abi::linux::{
    ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHONL, ECHOPRT, IEXTEN, IUTF8, VEOF, VEOL, VEOL2, VERASE,
    VKILL, VLNEXT, VREPRINT, VWERASE,
};

use crate::buffer::END;
use crate::line::{Line, Out};
use crate::screen::is_continuation;

const BACKSPACE: u8 = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Line {
    /// Does what a special character of a line asks for; returns false for an ordinary one.
    pub(crate) fn edit(&mut self, byte: u8, out: &mut dyn Out) -> bool {
        let settings = self.settings;
        let extended = |index| settings.local(IEXTEN) && settings.is(index, byte);
        if settings.is(VERASE, byte) {
            self.erase(Erase::Character, out);
        } else if settings.is(VKILL, byte) {
            self.kill(out);
        } else if extended(VWERASE) {
            self.erase(Erase::Word, out);
        } else if extended(VLNEXT) {
            self.literal(out);
        } else if extended(VREPRINT) && settings.local(ECHO) {
            self.reprint(byte, out);
        } else if byte == b'\n' {
            if settings.local(ECHO | ECHONL) {
                self.echo_raw(b'\n', out);
            }
            self.buffer.end_line(b'\n');
        } else if settings.is(VEOF, byte) {
            self.buffer.end_line(END);
        } else if settings.is(VEOL, byte) || extended(VEOL2) {
            if settings.local(ECHO) {
                self.begin_line();
                self.echo(byte, out);
            }
            self.buffer.end_line(byte);
        } else {
            return false;
        }
        true
    }

    fn literal(&mut self, out: &mut dyn Out) {
        self.literal_next = true;
        if self.settings.local(ECHO) {
            self.finish_erasing(out);
            if self.settings.local(ECHOCTL) {
                self.echo_raw(b'^', out);
                self.echo_raw(BACKSPACE, out);
            }
        }
    }

    fn reprint(&mut self, byte: u8, out: &mut dyn Out) {
        self.finish_erasing(out);
        self.echo(byte, out);
        self.echo_raw(b'\n', out);
        for place in self.buffer.editing() {
            let byte = self.buffer.at(place);
            self.echo(byte, out);
        }
    }

    /// Forgets the whole line; how that looks is a matter of three flags.
    fn kill(&mut self, out: &mut dyn Out) {
        let settings = self.settings;
        let line = self.buffer.editing();
        if line.is_empty() {
            return;
        }
        let is_wiped = [ECHOK, ECHOKE, ECHOE]
            .iter()
            .all(|flag| settings.local(*flag));
        if settings.local(ECHO) && is_wiped {
            return self.erase(Erase::Line, out);
        }
        self.buffer.cut(line.start);
        if settings.local(ECHO) {
            self.finish_erasing(out);
            self.echo(settings.termios.cc[VKILL as usize], out);
            if settings.local(ECHOK) {
                self.echo_raw(b'\n', out);
            }
        }
    }

    fn erase(&mut self, what: Erase, out: &mut dyn Out) {
        if !self.buffer.is_editing() {
            return;
        }
        let mut in_word = false;
        while self.buffer.is_editing() {
            let Some((start, byte)) = self.last_character() else {
                break;
            };
            if what == Erase::Word {
                let is_of_word = is_alphanumeric(byte) || byte == b'_';
                if !is_of_word && in_word {
                    break;
                }
                in_word |= is_of_word;
            }
            let end = self.buffer.editing().end;
            self.buffer.cut(start);
            if self.settings.local(ECHO) {
                self.show_erased(what, byte, start..end, out);
            }
            if what == Erase::Character {
                break;
            }
        }
        if !self.buffer.is_editing() && self.settings.local(ECHO) {
            self.finish_erasing(out);
        }
    }

    /// Where the last character begins, and its first byte; `None` for a piece of one.
    fn last_character(&self) -> Option<(usize, u8)> {
        let line = self.buffer.editing();
        let utf8 = self.settings.input(IUTF8);
        let is_first = |place: &usize| !(utf8 && is_continuation(self.buffer.at(*place)));
        let place = line.rev().find(is_first)?;
        Some((place, self.buffer.at(place)))
    }

    fn show_erased(
        &mut self,
        what: Erase,
        byte: u8,
        places: core::ops::Range<usize>,
        out: &mut dyn Out,
    ) {
        let settings = self.settings;
        if settings.local(ECHOPRT) {
            if !self.erasing {
                self.echo_raw(b'\\', out);
                self.erasing = true;
            }
            self.echo(byte, out);
            for place in places.skip(1) {
                // Still there: the place was cut off, not overwritten.
                let byte = self.buffer.at(place);
                self.echo_raw(byte, out);
                self.screen.step_back(1);
            }
        } else if what == Erase::Character && !settings.local(ECHOE) {
            self.echo(settings.termios.cc[VERASE as usize], out);
        } else if byte == b'\t' {
            self.wipe_tab(out);
        } else {
            let is_shown_as_two = byte.is_ascii_control() && settings.local(ECHOCTL);
            if is_shown_as_two {
                self.wipe(out);
            }
            if !byte.is_ascii_control() || settings.local(ECHOCTL) {
                self.wipe(out);
            }
        }
    }

    fn wipe(&mut self, out: &mut dyn Out) {
        for byte in [BACKSPACE, b' ', BACKSPACE] {
            self.echo_raw(byte, out);
        }
    }

    /// Goes back to where a tab that was just cut off began: as far as the characters before it let it reach.
    fn wipe_tab(&mut self, out: &mut dyn Out) {
        let (mut columns, mut after_tab) = (0, false);
        for place in self.buffer.editing().rev() {
            match self.buffer.at(place) {
                b'\t' => {
                    after_tab = true;
                    break;
                }
                byte if byte.is_ascii_control() => {
                    columns += if self.settings.local(ECHOCTL) { 2 } else { 0 };
                }
                byte => {
                    let utf8 = self.settings.input(IUTF8);
                    columns += usize::from(!(utf8 && is_continuation(byte)));
                }
            }
        }
        let width = self.screen.tab_width(columns, after_tab);
        (0..width).for_each(|_| out.put(BACKSPACE));
        self.screen.step_back(width);
    }

    /// Ends the `\…/` that shows erased characters.
    pub(crate) fn finish_erasing(&mut self, out: &mut dyn Out) {
        if core::mem::take(&mut self.erasing) {
            self.echo_raw(b'/', out);
        }
    }
}

/// Letters and digits of Latin 1.
const fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7)
}
