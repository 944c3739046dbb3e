//! Skeleton: boots, says so on port 0xe9's serial sibling, and leaves through isa-debug-exit.
#![no_std]
#![no_main]

use bootloader_api::{BootInfo, BootloaderConfig, config::Mapping};

static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.mappings.physical_memory = Some(Mapping::FixedAddress(0xffff_8880_0000_0000));
    config.mappings.dynamic_range_start = Some(0xffff_f000_0000_0000);
    config.mappings.dynamic_range_end = Some(0xffff_f0ff_ffff_ffff);
    config.kernel_stack_size = 64 * 1024;
    config
};
bootloader_api::entry_point!(kernel_main, config = &CONFIG);

fn kernel_main(_boot_info: &'static mut BootInfo) -> ! {
    for byte in b"Lodger skeleton booted\n" {
        // SAFETY: writing to COM1's data register has no effect on memory.
        unsafe { x86_64::instructions::port::Port::new(0x3f8).write(*byte) };
    }
    // SAFETY: isa-debug-exit's port; ends the virtual machine with code 33.
    unsafe { x86_64::instructions::port::Port::new(0xf4).write(0x10_u32) };
    loop {
        x86_64::instructions::hlt();
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {
        x86_64::instructions::hlt();
    }
}
