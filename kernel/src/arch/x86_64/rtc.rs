//! The clock chip that runs while the machine is off: what date it is when the kernel boots.
//!
//! The chip updates its registers once a second and says so beforehand; two equal readings outside such
//! a moment are consistent. Waiting is bounded: a missing chip means no date, not a hang.

use super::port::{CMOS_DATA, CMOS_INDEX};

/// How often to ask whether an update is over: it takes 2 ms, one question about 1 µs.
const PATIENCE: u32 = 100_000;

const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
/// Status A: registers are about to change.
const UPDATING: u8 = 0x80;
/// Status B: hours are 0–23.
const HOURS_24: u8 = 0x02;
/// Status B: numbers are binary, not two decimal digits.
const BINARY: u8 = 0x04;
/// Hour: afternoon, in 12-hour mode.
const PM: u8 = 0x80;

/// Seconds, minutes, hours, day, month, year within the century.
type Reading = [u8; 6];
const REGISTERS: Reading = [0x00, 0x02, 0x04, 0x07, 0x08, 0x09];

/// Returns the seconds since 1970 (UTC), or `None` if no chip answers sensibly.
pub fn unix_time() -> Option<u64> {
    let reading = stable_reading()?;
    let status = register(STATUS_B);
    let [second, minute, _, day, month, year] = reading.map(|value| number(value, status));
    let hour = hour_of_day(reading[2], status);
    if second > 60
        || minute > 59
        || hour > 23
        || !(1..=31).contains(&day)
        || !(1..=12).contains(&month)
    {
        return None;
    }
    let days = days_since_1970(2000 + year, month, day);
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn stable_reading() -> Option<Reading> {
    let mut last = None;
    for _ in 0..10 {
        wait_for_update()?;
        let reading = REGISTERS.map(register);
        if last == Some(reading) {
            return last;
        }
        last = Some(reading);
    }
    None
}

fn wait_for_update() -> Option<()> {
    (0..PATIENCE)
        .any(|_| register(STATUS_A) & UPDATING == 0)
        .then_some(())
}

fn register(index: u8) -> u8 {
    CMOS_INDEX.write(index);
    CMOS_DATA.read()
}

fn number(value: u8, status: u8) -> u64 {
    let decimal = (value >> 4) * 10 + (value & 0xf);
    u64::from(if status & BINARY == 0 { decimal } else { value })
}

fn hour_of_day(value: u8, status: u8) -> u64 {
    if status & HOURS_24 != 0 {
        return number(value, status);
    }
    let afternoon = if value & PM != 0 { 12 } else { 0 };
    number(value & !PM, status) % 12 + afternoon
}

/// Counts days in the Gregorian calendar, with years that begin in March so that leap days come last.
const fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_before_month = (month * 153 + 2) / 5;
    year * 365 + leap_days + days_before_month + day - 1 - DAYS_TO_1970
}

/// The same count for 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;

const _: () = {
    assert!(days_since_1970(1970, 1, 1) == 0);
    assert!(days_since_1970(2000, 2, 29) == 11_016);
    assert!(days_since_1970(2026, 11, 20) == 20_777);
};
