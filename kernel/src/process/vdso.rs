//! The vDSO: two pages that every program finds mapped, one with code, one with what that reads.
//!
//! The pages are made once, the same for all; `[vdso]` in `/proc/PID/maps` is a mapping of them, at a random place as other mappings are.
//! The counters of all CPUs are taken to agree, as the kernel takes them itself.

use alloc::sync::Arc;
use core::fmt;

use addr::{Frame, PAGE_SIZE};
use pte::Prot;
use vma::VmFlags;

use crate::arch::{cpu, timer, vdso};
use crate::locks::{Once, SpinLock, rank};
use crate::mm::backing::{PageSource, SourceError, SourceId};
use crate::mm::frame::{self, Owner};
use crate::mm::rmap::Mappings;
use crate::mm::{MapBacking, MapError, MapKind, MapRequest, Mm, physmap};
use crate::time;

/// Pages of the mapping.
const PAGES: u64 = 2;
/// Which of them holds the data.
const DATA: usize = 1;

/// The two pages, as what is mapped.
struct Vdso {
    frames: [Frame; PAGES as usize],
    data: SpinLock<vdso::Data, { rank::SOURCE }>,
    mappings: Mappings,
}

static VDSO: Once<Option<Arc<Vdso>>> = Once::new();

/// Makes the pages, if they have not been made; `None` if there was no memory for them.
fn pages() -> Option<&'static Arc<Vdso>> {
    VDSO.call_once(Vdso::new).as_ref()
}

/// Maps them for a new program; returns where, or `None` if there is nothing to map.
pub fn map(mm: &Mm) -> Result<Option<u64>, MapError> {
    let Some(vdso) = pages() else {
        return Ok(None);
    };
    let request = MapRequest {
        addr: 0,
        len: PAGES * PAGE_SIZE,
        prot: Prot::READ | Prot::EXEC,
        kind: MapKind::Hint,
        flags: VmFlags::MAYREAD | VmFlags::MAYEXEC,
        populate: false,
        backing: MapBacking::File {
            source: vdso.clone(),
            page: 0,
        },
    };
    mm.map(&request).map(Some)
}

/// The wall clock was set.
pub fn clock_set() {
    if let Some(vdso) = pages() {
        vdso.publish();
    }
}

impl Vdso {
    fn new() -> Option<Arc<Self>> {
        let image = ::vdso::build(vdso::code(), &vdso::functions());
        let image = image.expect("the code fits into its page");
        let frames = [
            frame::alloc_zeroed(Owner::PageCache)?,
            frame::alloc_zeroed(Owner::PageCache)?,
        ];
        physmap::write(frames[0], 0, &image);
        let (start, factor) = timer::scale();
        let vdso = Self {
            frames,
            data: SpinLock::new(vdso::Data {
                start,
                factor,
                tells_cpu: cpu::tells_number().into(),
                ..vdso::Data::default()
            }),
            mappings: Mappings::new(),
        };
        vdso.publish();
        Some(Arc::new(vdso))
    }

    /// Lets programs see what is so now. Their view is odd in between.
    fn publish(&self) {
        let mut data = self.data.lock();
        let odd = data.version.wrapping_add(1);
        physmap::write(self.frames[DATA], 0, &odd.to_le_bytes());
        data.boot_realtime = time::realtime_at_boot_ns();
        data.version = odd;
        physmap::write(self.frames[DATA], 0, &data.to_bytes());
        data.version = odd.wrapping_add(1);
        physmap::write(self.frames[DATA], 0, &data.version.to_le_bytes());
    }
}

impl PageSource for Vdso {
    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("[vdso]")
    }

    fn id(&self) -> SourceId {
        SourceId::default()
    }

    fn page(&self, index: u64) -> Result<Frame, SourceError> {
        let frame = self.cached(index).ok_or(SourceError::BeyondEnd)?;
        frame::get(frame);
        Ok(frame)
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}

impl Vdso {
    fn cached(&self, index: u64) -> Option<Frame> {
        self.frames.get(usize::try_from(index).ok()?).copied()
    }
}
