//! Shows an address space in the format of `/proc/PID/maps` (VM-17).

use core::fmt::{self, Write};

use addr::{PAGE_SIZE, Page};
use vma::{VmFlags, Vma};

use super::Mm;
use super::backing::{MapBacking, SourceId};

impl Mm {
    /// Writes one line for each mapping; takes mmap_lock for reading.
    pub fn describe_maps(&self, out: &mut dyn Write) -> fmt::Result {
        self.map
            .read()
            .vmas
            .iter()
            .try_for_each(|vma| line(vma, out))
    }
}

/// One mapping's line, for reports that cannot allocate.
pub type VmaText = arrayvec::ArrayString<160>;

impl Mm {
    /// Describes the mapping that contains `page`; `None` if there is none, or mmap_lock is taken.
    pub fn describe_vma(&self, page: Page) -> Option<VmaText> {
        let map = self.map.try_read()?;
        let mut text = VmaText::new();
        // A name that does not fit is cut: better than no line.
        let _ = line(map.vmas.find(page)?, &mut text);
        while text.ends_with('\n') {
            text.pop();
        }
        Some(text)
    }
}

impl Mm {
    /// Names the file whose mapping contains `page`, and where that lies, for the line of a death (PF-13):
    /// `probe[401000+5000]`. `None` for other memory, or while mmap_lock is taken.
    pub fn describe_object(&self, page: Page) -> Option<VmaText> {
        let map = self.map.try_read()?;
        let vma = map.vmas.find(page)?;
        let MapBacking::File { source, .. } = &vma.backing else {
            return None;
        };
        let mut path = VmaText::new();
        // A name that does not fit is cut, as above.
        let _ = source.write_name(&mut path);
        let name = path.rsplit('/').next().unwrap_or_default();
        let (start, end) = (vma.range.start.start(), vma.range.end.start());
        let mut text = VmaText::new();
        let size = end.as_u64() - start.as_u64();
        let _ = write!(text, "{name}[{start:x}+{size:x}]");
        Some(text)
    }
}

/// Writes the line of one mapping.
pub(super) fn line(vma: &Vma<MapBacking>, out: &mut dyn Write) -> fmt::Result {
    let (start, end) = (vma.range.start.start(), vma.range.end.start());
    let letter = |flag, letter| {
        if vma.flags.contains(flag) {
            letter
        } else {
            '-'
        }
    };
    let (offset, id) = match &vma.backing {
        MapBacking::File { source, page } => (page * PAGE_SIZE, source.id()),
        MapBacking::Anon { .. } => (0, SourceId::default()),
    };
    let (major, minor) = (id.dev >> 8 & 0xfff, id.dev & 0xff);
    let mut head = arrayvec::ArrayString::<80>::new();
    write!(
        head,
        "{start:08x}-{end:08x} {}{}{}{} {offset:08x} {major:02x}:{minor:02x} {} ",
        letter(VmFlags::READ, 'r'),
        letter(VmFlags::WRITE, 'w'),
        letter(VmFlags::EXEC, 'x'),
        if vma.flags.contains(VmFlags::SHARED) {
            's'
        } else {
            'p'
        },
        id.ino,
    )?;
    // The path begins in column 73, as programs that cut by column expect.
    match &vma.backing {
        MapBacking::File { source, .. } => {
            write!(out, "{head:<73}")?;
            source.write_name(out)?;
            writeln!(out)
        }
        MapBacking::Anon { .. } if vma.flags.contains(VmFlags::STACK) => {
            writeln!(out, "{head:<73}[stack]")
        }
        MapBacking::Anon { .. } if vma.flags.contains(VmFlags::HEAP) => {
            writeln!(out, "{head:<73}[heap]")
        }
        MapBacking::Anon { .. } => writeln!(out, "{head}"),
    }
}
