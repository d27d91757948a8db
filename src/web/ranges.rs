//! Which part of a file a client gets: validators, conditions and ranges of RFC 9110.
//!
//! Pure: computes a [`Selected`] from the request headers and the file's metadata.
//!
//! Several ranges in one request are a way to ask for much with few bytes (RFC 9110, 17.15). So what is selected never
//! has more bytes than the file, and at most [`PARTS_MAX`] parts.

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, header};

/// Most parts in one answer: each has a head of its own and is read by itself. Whoever asks for more gets the whole
/// file. librepo, which fetches zchunk files so, then asks for half as many.
pub const PARTS_MAX: usize = 16;

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

/// Consecutive bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The position of the first one.
    pub from: u64,
    /// How many.
    pub length: u64,
}

impl Part {
    /// The position after the last one.
    fn end(self) -> u64 {
        self.from + self.length
    }

    /// The `Content-Range` header, of a file with so many bytes (RFC 9110, 14.4).
    pub fn content_range(self, whole: u64) -> String {
        format!("bytes {}-{}/{whole}", self.from, self.end().saturating_sub(1))
    }
}

/// What a client gets of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All of it.
    Whole,
    /// A part of it.
    Part(Part),
    /// Two to [`PARTS_MAX`] parts, in the order in which they were asked for. There are other bytes between any two.
    Parts(Vec<Part>),
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
            Some(range) if holds => self.ranges(range),
            _ => Selected::Whole,
        }
    }

    /// The bytes that are sent of the file, if they are: none, or as many parts as were selected.
    pub fn parts(&self, selected: &Selected) -> Vec<Part> {
        match selected {
            Selected::Whole => vec![Part { from: 0, length: self.length }],
            Selected::Part(part) => vec![*part],
            Selected::Parts(parts) => parts.clone(),
            Selected::NotModified | Selected::PreconditionFailed | Selected::OutOfRange => vec![],
        }
    }

    /// What a `Range` header selects. For an invalid one, or one that asks for too much, everything is sent, as
    /// RFC 9110 (14.2) allows.
    fn ranges(&self, header: &str) -> Selected {
        let Some(list) = header.strip_prefix("bytes=") else { return Selected::Whole };
        // A list may have empty elements (RFC 9110, 5.6.1.2).
        let ranges = list.split(',').map(str::trim).filter(|range| !range.is_empty());
        let Some(asked) = ranges.map(|range| self.range(range)).collect::<Option<Vec<_>>>() else {
            return Selected::Whole;
        };
        let found: Vec<Part> = asked.iter().copied().filter(|part| part.length > 0).collect();
        let sum: u128 = found.iter().map(|part| u128::from(part.length)).sum();
        match merged(&found).as_slice() {
            [] if asked.is_empty() => Selected::Whole,
            [] => Selected::OutOfRange,
            // More than there is: some bytes are asked for repeatedly.
            _ if sum > u128::from(self.length) => Selected::Whole,
            [part] => Selected::Part(*part),
            parts if parts.len() <= PARTS_MAX => Selected::Parts(parts.to_vec()),
            _ => Selected::Whole,
        }
    }

    /// The part that one range of a list selects, empty if it is outside of the file (RFC 9110, 14.1.2); `None` if it is
    /// not a range.
    fn range(&self, range: &str) -> Option<Part> {
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = match (first.trim(), last.trim()) {
            ("", last) => (self.length.saturating_sub(number(last)?), u64::MAX),
            (first, "") => (number(first)?, u64::MAX),
            (first, last) => (number(first)?, number(last)?),
        };
        let count = last.checked_sub(first)?.saturating_add(1);
        let left = self.length.saturating_sub(first);
        Some(Part { from: first, length: left.min(count) })
    }
}

/// The same bytes in as few parts as possible: those that overlap or touch become one, which stands where the first of
/// them did (RFC 9110, 15.3.7.2).
fn merged(parts: &[Part]) -> Vec<Part> {
    let mut rising: Vec<(usize, Part)> = parts.iter().copied().enumerate().collect();
    rising.sort_by_key(|(_, part)| part.from);
    let mut merged: Vec<(usize, Part)> = Vec::new();
    for (place, part) in rising {
        match merged.last_mut() {
            Some((first, last)) if part.from <= last.end() => {
                *first = place.min(*first);
                last.length = last.length.max(part.end() - last.from);
            }
            _ => merged.push((place, part)),
        }
    }
    merged.sort_by_key(|(place, _)| *place);
    merged.into_iter().map(|(_, part)| part).collect()
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

    fn part(from: u64, length: u64) -> Selected {
        Selected::Part(Part { from, length })
    }

    fn parts(parts: &[(u64, u64)]) -> Selected {
        Selected::Parts(parts.iter().map(|&(from, length)| Part { from, length }).collect())
    }

    #[test]
    fn ranges_are_what_clients_resume_with() {
        for (range, wanted) in [
            ("bytes=0-9", part(0, 10)),
            ("bytes=990-", part(990, 10)),
            ("bytes=-10", part(990, 10)),
            ("bytes=0-5000", part(0, 1000)),
            ("bytes=1000-", Selected::OutOfRange),
            ("bytes=-0", Selected::OutOfRange),
            ("bytes=-5000", part(0, 1000)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=9-1", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=+1-2", Selected::Whole),
            ("bytes=0-99999999999999999999", Selected::Whole),
            ("bytes=", Selected::Whole),
            ("bytes= , ,", Selected::Whole),
            ("lines=0-1", Selected::Whole),
            ("bytes=x", Selected::Whole),
        ] {
            assert_eq!(share(&[(header::RANGE, range)]), wanted, "{range}");
        }
    }

    #[test]
    fn several_ranges_are_parts_in_the_order_in_which_they_were_asked_for() {
        for (range, wanted) in [
            ("bytes=0-1,5-6", parts(&[(0, 2), (5, 2)])),
            ("bytes=5-6,0-1", parts(&[(5, 2), (0, 2)])),
            ("bytes= 0 - 1 ,, 990- ,", parts(&[(0, 2), (990, 10)])),
            ("bytes=-10,0-0", parts(&[(990, 10), (0, 1)])),
            // What overlaps or touches is one, at the place of its first.
            ("bytes=0-9,10-19", part(0, 20)),
            ("bytes=0-9,5-19", part(0, 20)),
            ("bytes=0-99,10-19,990-", parts(&[(0, 100), (990, 10)])),
            ("bytes=20-29,500-,0-5,10-19,6-9", parts(&[(0, 30), (500, 500)])),
            ("bytes=0-9,11-19", parts(&[(0, 10), (11, 9)])),
            ("bytes=0-499,500-", part(0, 1000)),
            // What is outside of the file is left out.
            ("bytes=0-9,2000-,20-29", parts(&[(0, 10), (20, 10)])),
            ("bytes=2000-,20-29,-0", part(20, 10)),
            ("bytes=1000-,2000-3000", Selected::OutOfRange),
            // One that is invalid makes all of them invalid.
            ("bytes=0-9,9-1", Selected::Whole),
            ("bytes=0-9,x,20-29", Selected::Whole),
            ("bytes=2000-,5", Selected::Whole),
        ] {
            assert_eq!(share(&[(header::RANGE, range)]), wanted, "{range}");
        }
    }

    #[test]
    fn ranges_that_ask_for_too_much_get_the_file_once() {
        let single = |count: usize| {
            let ranges: Vec<_> = (0..count).map(|n| format!("{0}-{0}", 2 * n)).collect();
            share(&[(header::RANGE, &format!("bytes={}", ranges.join(",")))])
        };
        let most: Vec<_> = (0..PARTS_MAX as u64).map(|n| (2 * n, 1)).collect();
        assert_eq!(single(PARTS_MAX), parts(&most));
        assert_eq!(single(PARTS_MAX + 1), Selected::Whole);
        // Those that are merged count once.
        let touching: Vec<_> = (0..200).map(|n| format!("{n}-{n}")).collect();
        assert_eq!(
            share(&[(header::RANGE, &format!("bytes=990-,{}", touching.join(",")))]),
            parts(&[(990, 10), (0, 200)])
        );
        for range in ["bytes=0-,0-", "bytes=0-499,400-", "bytes=0-998,0-0,999-,5-6"] {
            assert_eq!(share(&[(header::RANGE, range)]), Selected::Whole, "{range}");
        }
        let huge = Known { length: u64::MAX, ..FILE };
        assert_eq!(huge.ranges("bytes=0-,1-,2-"), Selected::Whole);
        assert_eq!(huge.ranges("bytes=5-18446744073709551615"), part(5, u64::MAX - 5));
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
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, &tag)], part(1, 999)),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, &date)], part(1, 999)),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, "\"x\"")], Selected::Whole),
            (&[(header::RANGE, "bytes=1-"), (header::IF_RANGE, later)], Selected::Whole),
            (&[(header::RANGE, "bytes=0-0,5-5"), (header::IF_RANGE, &tag)], parts(&[(0, 1), (5, 1)])),
            (&[(header::RANGE, "bytes=0-0,5-5"), (header::IF_RANGE, "\"x\"")], Selected::Whole),
            (&[(header::RANGE, "bytes=0-0,5-5"), (header::IF_NONE_MATCH, &tag)], Selected::NotModified),
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
        assert_eq!(empty.ranges("bytes=0-"), Selected::OutOfRange);
        assert_eq!(empty.ranges("bytes=0-0,5-,-1"), Selected::OutOfRange);
        assert_eq!(empty.share(&HeaderMap::new()), Selected::Whole);
    }
}
