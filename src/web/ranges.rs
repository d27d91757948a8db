//! Which part of a file a client gets: validators, conditions and ranges of RFC 9110.
//!
//! Pure: computes a [`Selected`] from the request headers and the file's metadata.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, header};

/// The metadata of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its inode number.
    pub inode: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Its change time: seconds since 1970 and nanoseconds.
    pub changed: (i64, i64),
}

/// What a client gets of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All of it.
    Whole,
    /// This many bytes, from the first number on.
    Part(u64, u64),
    /// Nothing: the client has the current file.
    NotModified,
    /// Nothing: its precondition failed.
    PreconditionFailed,
    /// Nothing: the range is outside of the file.
    OutOfRange,
}

impl Known {
    /// Different for any two states of one of our files, which are never changed in place.
    pub fn tag(&self) -> String {
        let (seconds, rest) = self.changed;
        format!("\"{:x}-{:x}-{seconds:x}.{rest:x}\"", self.inode, self.length)
    }

    /// Its change time, to the second.
    fn second(&self) -> SystemTime {
        // Anything before the epoch counts as the epoch: HTTP cannot express it.
        SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(self.changed.0).unwrap_or_default())
    }

    /// The `Last-Modified` header.
    pub fn modified(&self) -> String {
        httpdate::fmt_http_date(self.second())
    }

    /// Whether a date is exactly the file's. It is not enough that the file is older: a restored file is new to a
    /// client with a later one.
    fn is_of(&self, date: &str) -> bool {
        httpdate::parse_http_date(date).is_ok_and(|date| date == self.second())
    }

    /// Which part of the file a request gets, checking the conditions in the order of RFC 9110 (13.2.2).
    pub fn share(&self, headers: &HeaderMap) -> Selected {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let tag = self.tag();
        let names_it = |tags: &str| tags == "*" || tags.split(',').any(|one| one.trim() == tag);
        let names_it_weakly = |tags: &str| names_it(&tags.replace("W/", ""));
        let is_other = match (text(header::IF_MATCH), text(header::IF_UNMODIFIED_SINCE)) {
            (Some(tags), _) => !names_it(tags),
            (None, Some(date)) => !self.is_of(date),
            (None, None) => false,
        };
        if is_other {
            return Selected::PreconditionFailed;
        }
        let is_known = match (text(header::IF_NONE_MATCH), text(header::IF_MODIFIED_SINCE)) {
            (Some(tags), _) => names_it_weakly(tags),
            (None, Some(date)) => self.is_of(date),
            (None, None) => false,
        };
        if is_known {
            return Selected::NotModified;
        }
        let holds = text(header::IF_RANGE).is_none_or(|that| that == tag || self.is_of(that));
        match text(header::RANGE) {
            Some(range) if holds => self.part(range),
            _ => Selected::Whole,
        }
    }

    /// A single range; for several, or an invalid one, everything is sent, as RFC 9110 (14.2) allows.
    fn part(&self, range: &str) -> Selected {
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Selected::Whole;
        };
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        let from_to = match (first.trim(), last.trim()) {
            ("", last) => number(last).map(|last| (self.length.saturating_sub(last), u64::MAX)),
            (first, "") => number(first).map(|first| (first, u64::MAX)),
            (first, last) => number(first).zip(number(last)).filter(|(first, last)| first <= last),
        };
        let Some((first, last)) = from_to else { return Selected::Whole };
        match self.length.checked_sub(first) {
            None | Some(0) => Selected::OutOfRange,
            Some(left) => Selected::Part(first, left.min((last - first).saturating_add(1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T12:00:00Z.
    const FILE: Known = Known { inode: 7, length: 1000, changed: (1_795_176_000, 5) };

    fn share(headers: &[(HeaderName, &str)]) -> Selected {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, value.parse().expect("a value"));
        }
        FILE.share(&map)
    }

    #[test]
    fn ranges_are_what_clients_resume_with() {
        for (range, wanted) in [
            ("bytes=0-9", Selected::Part(0, 10)),
            ("bytes=990-", Selected::Part(990, 10)),
            ("bytes=-10", Selected::Part(990, 10)),
            ("bytes=0-5000", Selected::Part(0, 1000)),
            ("bytes=1000-", Selected::OutOfRange),
            ("bytes=-0", Selected::OutOfRange),
            ("bytes=-5000", Selected::Part(0, 1000)),
            ("bytes=0-0", Selected::Part(0, 1)),
            ("bytes=9-1", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=+1-2", Selected::Whole),
            ("bytes=0-99999999999999999999", Selected::Whole),
            ("bytes=0-1,5-6", Selected::Whole),
            ("lines=0-1", Selected::Whole),
            ("bytes=x", Selected::Whole),
        ] {
            assert_eq!(share(&[(header::RANGE, range)]), wanted, "{range}");
        }
    }

    #[test]
    fn what_a_client_has_is_known_by_tag_or_by_just_its_date() {
        let (tag, date) = (FILE.tag(), FILE.modified());
        assert_eq!(date, "Fri, 20 Nov 2026 12:00:00 GMT");
        let later = "Fri, 20 Nov 2026 12:00:01 GMT";
        let earlier = "Fri, 20 Nov 2026 11:59:59 GMT";
        for (headers, wanted) in [
            (&[(header::IF_NONE_MATCH, tag.as_str())][..], Selected::NotModified),
            (&[(header::IF_NONE_MATCH, &format!("\"x\", W/{tag}"))], Selected::NotModified),
            (&[(header::IF_NONE_MATCH, "\"x\"")], Selected::Whole),
            (&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, &date)], Selected::Whole),
            (&[(header::IF_MODIFIED_SINCE, &date)], Selected::NotModified),
            // This client's file is newer: the present one was restored since.
            (&[(header::IF_MODIFIED_SINCE, later)], Selected::Whole),
            (&[(header::IF_MODIFIED_SINCE, earlier)], Selected::Whole),
            (&[(header::IF_MATCH, &tag)], Selected::Whole),
            (&[(header::IF_MATCH, "\"x\"")], Selected::PreconditionFailed),
            (&[(header::IF_UNMODIFIED_SINCE, earlier)], Selected::PreconditionFailed),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, &tag)], Selected::Part(1, 999)),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, &date)], Selected::Part(1, 999)),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, "\"x\"")], Selected::Whole),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, later)], Selected::Whole),
        ] {
            assert_eq!(share(headers), wanted, "{headers:?}");
        }
    }

    #[test]
    fn two_states_of_a_file_have_two_tags() {
        let others = [
            Known { inode: 8, ..FILE },
            Known { length: 1001, ..FILE },
            Known { changed: (FILE.changed.0 + 1, 5), ..FILE },
            Known { changed: (FILE.changed.0, 6), ..FILE },
        ];
        for other in others {
            assert_ne!(other.tag(), FILE.tag());
        }
    }

    #[test]
    fn nothing_is_sent_of_an_empty_file_and_no_range_of_it_fits() {
        let empty = Known { length: 0, ..FILE };
        assert_eq!(empty.part("bytes=0-"), Selected::OutOfRange);
        assert_eq!(empty.share(&HeaderMap::new()), Selected::Whole);
    }
}
