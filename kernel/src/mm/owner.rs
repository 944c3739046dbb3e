//! Who the frames of memory belong to: each exactly one class, and the classes add up to the machine's memory.

/// Who a frame belongs to.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Not RAM, or kept by the firmware.
    Firmware,
    /// In the buddy allocator.
    Free,
    /// The kernel image, boot's leftovers and other frames that are never freed.
    Kernel,
    /// The frame table.
    FrameTable,
    /// The archive that the root file system comes from.
    Initramfs,
    /// A page table of any level.
    PageTable,
    /// Anonymous memory of a program, private or shared.
    Anon,
    /// A page of a file.
    PageCache,
    /// A kernel stack.
    Kstack,
    /// A slab of one of the heap's size classes.
    Slab,
    /// The heap's arena and its large blocks.
    Heap,
    /// The shared zero page.
    Zero,
    /// A page of a pipe.
    Pipe,
}

/// All owners with the name they are counted under.
pub const OWNERS: [(Owner, &str); 13] = [
    (Owner::Firmware, "frames_firmware"),
    (Owner::Free, "frames_free"),
    (Owner::Kernel, "frames_kernel"),
    (Owner::FrameTable, "frames_frame_table"),
    (Owner::Initramfs, "frames_initramfs"),
    (Owner::PageTable, "frames_page_table"),
    (Owner::Anon, "frames_anon"),
    (Owner::PageCache, "frames_page_cache"),
    (Owner::Kstack, "frames_kstack"),
    (Owner::Slab, "frames_slab"),
    (Owner::Heap, "frames_heap"),
    (Owner::Zero, "frames_zero"),
    (Owner::Pipe, "frames_pipe"),
];
