//! Load averages go where the load is.

use clocks::load::Averages;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_steady_load_becomes_the_average() {
    let mut averages = Averages::new();
    for second in 0..7200 {
        averages.update(second * SECOND, 3);
    }
    assert_eq!(averages.scaled(), [3 << 16; 3]);
    // After a minute of nothing 1/e of it is left in the first average, more in the others.
    for second in 7200..7256 {
        averages.update(second * SECOND, 0);
    }
    let [one, five, fifteen] = averages.scaled();
    let expected = (3 << 16) as f64 * (-1.0_f64).exp();
    assert!((one as f64 - expected).abs() < 0.05 * expected, "{one}");
    assert!(one < five && five < fifteen && fifteen < 3 << 16);
}

#[test]
fn periods_nobody_saw_count() {
    let (mut often, mut once) = (Averages::new(), Averages::new());
    for second in 0..=600 {
        often.update(second * SECOND, 1);
    }
    once.update(600 * SECOND, 1);
    assert_eq!(often.scaled(), once.scaled());
    assert_eq!(often.update(600 * SECOND, 9), 605 * SECOND);
    // However long ago: it takes no longer than that.
    once.update(u64::MAX / 2, 0);
    assert_eq!(once.scaled(), [0; 3]);
}
