//! Random mappings against an array that says what every page should be (VM-19).
//!
//! No page is touched directly: the kernel is asked to copy from and to it, and EFAULT is the answer "no".

use user::map::{self, ANON, Map};
use user::mem::PAGE;
use user::probe::{Verdict, lives, must, same};
use user::sys;

const PAGES: u64 = 64;
const ROUNDS: u32 = 600;

/// What a page should be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Page {
    Absent,
    Mapped { prot: i32, value: u8 },
}

struct Model {
    map: Map,
    pages: [Page; PAGES as usize],
    random: u64,
    pipe: [i32; 2],
}

pub(crate) fn random_against_model() -> Verdict {
    let map = must("mmap", Map::apart(PAGES, 4, map::NONE))?;
    let pipe = must("pipe", sys::pipe())?;
    let fresh = Page::Mapped {
        prot: map::NONE,
        value: 0,
    };
    let mut model = Model {
        map,
        pages: [fresh; PAGES as usize],
        random: 0x9e37_79b9_7f4a_7c15,
        pipe,
    };
    for round in 0..ROUNDS {
        model
            .step()
            .map_err(|why| format!("round {round}: {why}"))?;
        if round % 20 == 0 {
            model
                .check()
                .map_err(|why| format!("round {round}: {why}"))?;
        }
        if round % 100 == 50 {
            lives("a child sees the same", || {
                i32::from(model.check().is_err())
            })?;
        }
    }
    model.check()
}

impl Model {
    fn next(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn step(&mut self) -> Verdict {
        let first = self.next(PAGES);
        let count = 1 + self.next((PAGES - first).min(12));
        let prot = [map::NONE, map::R, map::RW, map::RX, map::RW][self.next(5) as usize];
        match self.next(8) {
            0 | 1 => self.map(first, count, prot),
            2 => self.unmap(first, count),
            3 | 4 => self.protect(first, count, prot),
            _ => self.store(first, count),
        }
    }

    fn range(&mut self, first: u64, count: u64) -> &mut [Page] {
        &mut self.pages[first as usize..(first + count) as usize]
    }

    fn map(&mut self, first: u64, count: u64, prot: i32) -> Verdict {
        let addr = self.map.page(first);
        must(
            "mmap",
            sys::mmap(addr, count * PAGE, prot, ANON | libc::MAP_FIXED, -1, 0),
        )?;
        self.range(first, count)
            .fill(Page::Mapped { prot, value: 0 });
        Ok(())
    }

    fn unmap(&mut self, first: u64, count: u64) -> Verdict {
        must("munmap", sys::munmap(self.map.page(first), count * PAGE))?;
        self.range(first, count).fill(Page::Absent);
        Ok(())
    }

    /// A hole stops mprotect, and what came before it stays changed.
    fn protect(&mut self, first: u64, count: u64, new: i32) -> Verdict {
        let got = sys::mprotect(self.map.page(first), count * PAGE, new);
        let mut want = Ok(0);
        for page in self.range(first, count) {
            let Page::Mapped { prot, .. } = page else {
                want = Err(sys::Errno(libc::ENOMEM));
                break;
            };
            *prot = new;
        }
        same("mprotect", got, want)
    }

    fn store(&mut self, first: u64, count: u64) -> Verdict {
        for index in first..first + count {
            let new = self.next(256) as u8;
            let got = self.put(index, new)?;
            match &mut self.pages[index as usize] {
                Page::Mapped { prot, value } if *prot & libc::PROT_WRITE != 0 => {
                    same("a store", got, true)?;
                    *value = new;
                }
                page => same(&format!("a store to {page:?}"), got, false)?,
            }
        }
        Ok(())
    }

    /// Has the kernel write a byte to a page; whether it could.
    fn put(&self, index: u64, value: u8) -> Result<bool, String> {
        let [reader, writer] = self.pipe;
        let mut byte = [value];
        must("write", sys::write(writer, sys::at(&mut byte), 1))?;
        match sys::read(reader, self.map.page(index), 1) {
            Ok(1) => Ok(true),
            Err(sys::Errno(libc::EFAULT)) => {
                must("drain", sys::read(reader, sys::at(&mut byte), 1)).map(|_| false)
            }
            other => Err(format!("read into page {index}: {other:?}")),
        }
    }

    /// Has the kernel read a byte of a page.
    fn get(&self, index: u64) -> Result<Option<u8>, String> {
        let [reader, writer] = self.pipe;
        let mut byte = [0_u8];
        match sys::write(writer, self.map.page(index), 1) {
            Ok(1) => must("read", sys::read(reader, sys::at(&mut byte), 1)).map(|_| Some(byte[0])),
            Err(sys::Errno(libc::EFAULT)) => Ok(None),
            other => Err(format!("write from page {index}: {other:?}")),
        }
    }

    fn check(&self) -> Verdict {
        for (index, page) in (0..).zip(self.pages) {
            let want = match page {
                Page::Mapped { prot, value } if prot != map::NONE => Some(value),
                _ => None,
            };
            same(&format!("page {index}, {page:?}"), self.get(index)?, want)?;
        }
        Ok(())
    }
}
