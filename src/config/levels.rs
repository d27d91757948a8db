//! `[service_levels]`: what the site has agreed with those who use it.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::values::span;
use crate::domain::levels::LevelPolicy;
use crate::format::document::Section;
use crate::format::quantity;

/// How far back it is looked.
const WITHIN: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(24 * 366);

/// Below this, nothing is ever in time; above it, nobody waits for it.
const TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 31);

/// What was agreed.
pub fn policy(mut section: Section<'_, '_>) -> Option<LevelPolicy> {
    let within = span(&mut section, "within", LevelPolicy::default().within, &WITHIN);
    let availability = share(&mut section, "available");
    let reliability = share(&mut section, "reliable");
    let promote_within = time(&mut section, "promote_within");
    let withdraw_within = time(&mut section, "withdraw_within");
    let tell_within = time(&mut section, "tell_within");
    let deliver_within = time(&mut section, "deliver_within");
    section.close();
    // What is wrong with one of them has been said, and then there are no settings.
    Some(LevelPolicy {
        within: within?,
        availability,
        reliability,
        promote_within,
        withdraw_within,
        tell_within,
        deliver_within,
    })
}

/// A share of time, as it is written in agreements: `"99.5%"`.
fn share(section: &mut Section<'_, '_>, key: &'static str) -> Option<u32> {
    section.get(key)?.read(hundredths)
}

fn hundredths(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{}` is not a share of time; write it like \"99.5%\"", text.escape_default());
    let number = text.strip_suffix('%').ok_or_else(wrong)?.trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return Err(wrong());
    }
    let part: u32 = format!("{part:0<2}").parse().map_err(|_| wrong())?;
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    match whole * 100 + part {
        share @ 1..=10_000 => Ok(share),
        _ => Err(format!("{text} is not between 0.01% and 100%")),
    }
}

fn time(section: &mut Section<'_, '_>, key: &'static str) -> Option<Duration> {
    section.get(key)?.quantity(quantity::duration, |span| quantity::show_duration(*span), &TIME, "10m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_in_agreements() {
        for (text, share) in [("95%", 9_500), ("99.5%", 9_950), ("99.95 %", 9_995), ("100%", 10_000), ("0.01%", 1)] {
            assert_eq!(hundredths(text), Ok(share), "{text}");
        }
        for text in
            ["95", "", "%", "100.01%", "0%", "0.001%", "99.999%", "-5%", "+5%", "1e2%", "9 5%", "101%", ".5%", "5.%"]
        {
            assert!(hundredths(text).is_err(), "{text}");
        }
    }
}
