//! Warns of expiring keys early enough: their successors have to reach every client first.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// This many days ahead. Some sites need a year's notice, and the last week is an emergency.
pub const WARN_DAYS: [i64; 4] = [7, 30, 90, 400];

const DAY: i64 = 24 * 60 * 60;

/// What was already said of each key.
#[derive(Debug, Default)]
pub struct Expiries {
    /// The limit that was reached, in days; -1 for the expiry itself.
    said: BTreeMap<String, i64>,
}

impl Expiries {
    /// The warnings due now for keys with these expiry times, by fingerprint: one for each limit reached.
    pub fn due(&mut self, ends: &BTreeMap<String, Timestamp>, now: Timestamp) -> Vec<String> {
        self.said.retain(|key, _| ends.contains_key(key));
        let mut words = Vec::new();
        for (key, end) in ends {
            let left = end.as_second().saturating_sub(now.as_second());
            let limit = if left <= 0 { Some(-1) } else { WARN_DAYS.into_iter().find(|days| left <= days * DAY) };
            let Some(limit) = limit else {
                self.said.remove(key);
                continue;
            };
            if self.said.insert(key.clone(), limit).is_none_or(|before| limit < before) {
                let day = end.strftime("%F");
                words.push(match left / DAY {
                    _ if left <= 0 => format!("the key {key} expired on {day}"),
                    0 => format!("the key {key} expires on {day}, within a day"),
                    1 => format!("the key {key} expires on {day}, in a day"),
                    days => format!("the key {key} expires on {day}, in {days} days"),
                });
            }
        }
        words
    }
}

/// What is wrong with a metadata signing key that has expired while the daemon runs: it keeps signing, since clients
/// that have its signatures accept no unsigned metadata, and those that check the date refuse what it signs.
pub fn of_signing(until: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let until = until.filter(|until| *until <= now)?;
    Some(format!(
        "the key that signs metadata expired on {}, and clients that check the signature refuse it; put a valid \
         key, or this one with a later date, into the file that signing.key names, and reload",
        until.strftime("%F")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(n: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + n * DAY).expect("a time")
    }

    #[test]
    fn a_signing_key_that_has_ended_is_named_and_no_other() {
        assert_eq!(of_signing(None, days(1)), None);
        assert_eq!(of_signing(Some(days(2)), days(1)), None);
        assert!(of_signing(Some(days(1)), days(1)).is_some_and(|why| why.contains("expired on 2023-11-15")));
    }

    #[test]
    fn each_limit_is_said_once() {
        let mut expiries = Expiries::default();
        let ends = BTreeMap::from([("AB".to_owned(), days(500))]);
        let said: Vec<(i64, String)> = (0..=502)
            .flat_map(|day| expiries.due(&ends, days(day)).into_iter().map(move |words| (day, words)))
            .collect();
        let at: Vec<i64> = said.iter().map(|(day, _)| *day).collect();
        assert_eq!(at, [100, 410, 470, 493, 500]);
        assert_eq!(said[1].1, "the key AB expires on 2025-03-28, in 90 days");
        assert_eq!(said[4].1, "the key AB expired on 2025-03-28");
    }

    #[test]
    fn a_start_says_where_things_stand_and_an_extension_begins_anew() {
        let mut expiries = Expiries::default();
        let mut ends = BTreeMap::from([("AB".to_owned(), days(20)), ("CD".to_owned(), days(1000))]);
        assert_eq!(expiries.due(&ends, days(0)).len(), 1);
        assert_eq!(expiries.due(&ends, days(1)).len(), 0);
        ends.insert("AB".to_owned(), days(900));
        assert_eq!(expiries.due(&ends, days(1)).len(), 0);
        assert_eq!(expiries.due(&ends, days(880)).len(), 2, "both are near then");
        ends.clear();
        assert_eq!(expiries.due(&ends, days(881)).len(), 0);
    }
}
