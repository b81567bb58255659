//! The clock of a transport stream: ninety thousand ticks a second, counted with 33 bits.

/// Times have 33 bits, and go round.
pub(super) const ROUND: i64 = 1 << 33;
pub(super) const PER_SECOND: f64 = 90_000.0;

/// How far one group may be from the next, in ticks, over what was not sent. What is farther is another clock.
pub(super) const ON: i64 = 10 * 90_000;

/// From one time to another, the shorter way round.
pub(super) fn since(from: u64, time: u64) -> i64 {
    let ahead = time.cast_signed().wrapping_sub(from.cast_signed()).rem_euclid(ROUND);
    if ahead > ROUND / 2 { ahead - ROUND } else { ahead }
}

/// A time that is so much later.
pub(super) fn round(time: u64, by: i64) -> u64 {
    time.cast_signed().wrapping_add(by).rem_euclid(ROUND).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_round() {
        assert_eq!(since(10, 100), 90);
        assert_eq!(since((1 << 33) - 10, 80), 90);
        assert_eq!(since(100, 10), -90);
        assert_eq!((round(10, -20), round((1 << 33) - 10, 30)), ((1 << 33) - 10, 20));
    }
}
