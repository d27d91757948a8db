//! Durations and sizes as people write them: `7d`, `90s`, `64MiB`.
//!
//! A quantity is a whole number and a unit, nothing else: no sign, no fraction, no sum. A missing unit is never
//! guessed, and nothing wraps: a value that does not fit is refused.

use std::fmt;
use std::time::Duration;

/// Text that is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {what}: {why}", text.escape_default())]
pub struct BadQuantity {
    /// The text.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// Which rule it breaks.
    pub why: &'static str,
}

/// Units of time from the largest to the smallest, in milliseconds.
const TIME: [(&str, u64); 6] =
    [("w", 7 * 24 * 3_600_000), ("d", 24 * 3_600_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size from the largest to the smallest, in bytes.
const BYTES: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Splits a quantity and finds its unit.
fn read(text: &str, what: &'static str, units: &[(&str, u64)], no_unit: &'static str) -> Result<u64, BadQuantity> {
    let bad = |why| BadQuantity { text: text.to_owned(), what, why };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(bad("it must begin with a whole number"));
    }
    if unit.is_empty() {
        return Err(bad(no_unit));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(bad(match unit.as_bytes().first() {
            Some(b'.' | b',') => "it must be a whole number; write it in a smaller unit",
            Some(b' ') => "the unit must stand right behind the number",
            _ => no_unit,
        }));
    };
    let number: u64 = number.parse().map_err(|_| bad("the number is too large"))?;
    number.checked_mul(*factor).ok_or_else(|| bad("the number is too large"))
}

/// Reads `7d`, `2h`, `30m`, `90s`, `500ms`, `1w`.
///
/// # Errors
/// If the text is not one whole number with one of these units, or is too large for 64 bits.
pub fn duration(text: &str) -> Result<Duration, BadQuantity> {
    let why = "it needs one of the units ms, s, m, h, d, w";
    read(text, "duration", &TIME, why).map(Duration::from_millis)
}

/// Reads `64MiB`, `8GiB`, `512B`.
///
/// # Errors
/// If the text is not one whole number with one of these units, or is too large for 64 bits.
pub fn size(text: &str) -> Result<u64, BadQuantity> {
    read(text, "size", &BYTES, "it needs one of the units B, KiB, MiB, GiB, TiB")
}

/// A quantity in the largest unit that needs no fraction.
struct Shown(u64, &'static [(&'static str, u64)], &'static str);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, units, zero) = *self;
        match units.iter().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", value / factor),
            None => f.write_str(zero),
        }
    }
}

/// Formats a duration so that [`duration`] reads it back; anything below a millisecond is dropped.
pub fn show_duration(value: Duration) -> String {
    Shown(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), &TIME, "0s").to_string()
}

/// A duration for people, in one or two units: `350ms`, `42s`, `1h 24m`, `3d`. It is rounded up, so that nothing is said to
/// be over before it is.
pub fn about_duration(value: Duration) -> String {
    const MINUTE: u128 = 60_000;
    const HOUR: u128 = 60 * MINUTE;
    const DAY: u128 = 24 * HOUR;
    let millis = value.as_millis();
    let of = |large: u128, small: u128, units: [&str; 2]| {
        let parts = millis.div_ceil(small);
        let (whole, rest) = (parts * small / large, parts % (large / small));
        if rest == 0 { format!("{whole}{}", units[0]) } else { format!("{whole}{} {rest}{}", units[0], units[1]) }
    };
    match millis {
        0..1_000 => format!("{millis}ms"),
        1_000..=59_000 => format!("{}s", millis.div_ceil(1_000)),
        59_001..=3_599_000 => of(MINUTE, 1_000, ["m", "s"]),
        3_599_001..=86_340_000 => of(HOUR, MINUTE, ["h", "m"]),
        _ => of(DAY, HOUR, ["d", "h"]),
    }
}

/// Formats a size so that [`size`] reads it back.
pub fn show_size(value: u64) -> String {
    Shown(value, &BYTES, "0B").to_string()
}

/// A size for people, with at most one digit behind the point: `1.2 MiB`. It is cut, never rounded up.
pub fn about_size(value: u64) -> String {
    match BYTES.iter().find(|(_, factor)| value >= *factor) {
        None | Some((_, 1)) => format!("{value} B"),
        Some((unit, factor)) => {
            let tenths = u128::from(value) * 10 / u128::from(*factor);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_for_people_is_never_shorter_than_it_is() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (59_000, "59s"),
            (59_001, "1m"),
            (61_000, "1m 1s"),
            (3_599_000, "59m 59s"),
            (3_599_001, "1h"),
            (7_199_000, "2h"),
            (5_000_000, "1h 24m"),
            (86_340_000, "23h 59m"),
            (86_340_001, "1d"),
            (90_000_000, "1d 1h"),
            (93_784_000, "1d 3h"),
            (30 * 86_400_000, "30d"),
        ] {
            assert_eq!(about_duration(Duration::from_millis(millis)), text, "{millis}");
        }
    }

    #[test]
    fn a_size_for_people_is_short() {
        let sizes = [0, 1_023, 1_024, 1_600, 1_048_575, 5 << 20, u64::MAX];
        let told = ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1023.9 KiB", "5.0 MiB", "16777215.9 TiB"];
        assert_eq!(sizes.map(about_size), told);
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        for (text, seconds) in [("7d", 604_800), ("1w", 604_800), ("2h", 7_200), ("30m", 1_800), ("90s", 90), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "7", "d", "7 d", " 7d", "7d ", "-7d", "+7d", "1.5h", "1h30m", "7D", "7days", "7µs", "٧d"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_count_in_powers_of_two_and_say_so() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("8GiB"), Ok(8 << 30));
        assert_eq!(size("1TiB"), Ok(1 << 40));
        assert_eq!(size("512B"), Ok(512));
        for text in ["", "64", "64MB", "64M", "64mib", "64 MiB", "MiB", "0x40MiB", "1e3B"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_does_not_wrap() {
        assert!(duration("18446744073709551615w").is_err());
        assert!(duration("99999999999999999999999s").is_err());
        assert!(size("16777216TiB").is_err());
        assert_eq!(size("16777215TiB"), Ok(16_777_215 << 40));
    }

    #[test]
    fn the_largest_fitting_unit_is_written() {
        assert_eq!(show_duration(Duration::from_hours(24)), "1d");
        assert_eq!(show_duration(Duration::from_mins(90)), "90m");
        assert_eq!(show_duration(Duration::ZERO), "0s");
        assert_eq!(show_size(64 << 20), "64MiB");
        assert_eq!(show_size((64 << 20) + 1), "67108865B");
        assert_eq!(show_size(0), "0B");
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(ms: u64) {
            let value = Duration::from_millis(ms);
            prop_assert_eq!(duration(&show_duration(value)), Ok(value));
        }

        #[test]
        fn a_written_size_reads_back(bytes: u64) {
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _ = (duration(&text), size(&text));
        }
    }
}
