//! Modes and commands, by enumeration and against the manual's figures.

use lapic::mode::{Given, reaches};
use lapic::{Command, Message, Mode, choose};

fn all_given() -> impl Iterator<Item = Given> {
    let flags = [false, true];
    let wishes = flags;
    let ids = [0, 7, 0xfe, 0xff, 0x100, u32::MAX - 1];
    flags.into_iter().flat_map(move |on| {
        flags.into_iter().flat_map(move |left_in_x2apic| {
            flags.into_iter().flat_map(move |has_x2apic| {
                wishes.into_iter().flat_map(move |wanted| {
                    ids.into_iter().map(move |largest_id| Given {
                        on,
                        left_in_x2apic,
                        has_x2apic,
                        wanted,
                        largest_id,
                    })
                })
            })
        })
    })
}

#[test]
fn a_mode_that_the_firmware_chose_stays() {
    for given in all_given().filter(|given| given.on && given.left_in_x2apic) {
        assert_eq!(choose(given), Ok(Mode::X2Apic), "{given:?}");
    }
}

#[test]
fn the_second_mode_is_taken_where_there_is_one_unless_nobody_wants_or_needs_it() {
    for given in all_given().filter(|given| given.on && !given.left_in_x2apic) {
        let taken = given.has_x2apic && (given.wanted || given.largest_id > 0xfe);
        let wanted = if taken { Mode::X2Apic } else { Mode::XApic };
        assert_eq!(choose(given), Ok(wanted), "{given:?}");
    }
}

#[test]
fn an_apic_that_is_off_is_an_error() {
    assert!(
        all_given()
            .filter(|given| !given.on)
            .all(|given| choose(given).is_err())
    );
}

#[test]
fn an_xapic_reaches_only_small_numbers() {
    assert!(reaches(Mode::XApic, 0xfe) && !reaches(Mode::XApic, 0xff));
    assert!(reaches(Mode::X2Apic, 0xff) && !reaches(Mode::X2Apic, u32::MAX));
}

/// The words that the manual and every boot loader write.
#[test]
fn commands_have_the_bits_of_the_manual() {
    let low = |message| Command { to: 3, message }.low();
    assert_eq!(low(Message::Init), 0x4500);
    assert_eq!(low(Message::StartUp(8)), 0x4608);
    assert_eq!(low(Message::Nmi), 0x4400);
    assert_eq!(low(Message::Interrupt(0xf1)), 0x40f1);
    let to = Command {
        to: 0x12,
        message: Message::Nmi,
    };
    assert_eq!(to.high(Mode::XApic), 0x1200_0000);
    assert_eq!(to.high(Mode::X2Apic), 0x12);
}
