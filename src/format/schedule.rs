//! A calendar of whole days for others to subscribe to (RFC 5545): the schedule of releases.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

/// No line is longer, in bytes, its end not counted.
const LINE_MAX: usize = 75;

/// Something on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// What no other one has, and what it keeps when it is put off.
    pub id: String,
    /// The day.
    pub on: Date,
    /// One line for people.
    pub title: String,
    /// More of it; may be empty.
    pub text: String,
    /// When it was written down.
    pub changed: Timestamp,
}

/// A calendar that is called `name`.
pub fn calendar(name: &str, days: impl IntoIterator<Item = Day>) -> String {
    let mut text = String::new();
    let begin = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rolloutd//schedule//EN", "METHOD:PUBLISH"];
    for one in begin {
        line(&mut text, one);
    }
    line(&mut text, &format!("X-WR-CALNAME:{}", escaped(name)));
    for Day { id, on, title, text: more, changed } in days {
        let next = on.checked_add(1.day()).unwrap_or(on);
        line(&mut text, "BEGIN:VEVENT");
        line(&mut text, &format!("UID:release-{}@rolloutd", escaped(&id)));
        line(&mut text, &format!("DTSTAMP:{}", changed.strftime("%Y%m%dT%H%M%SZ")));
        line(&mut text, &format!("DTSTART;VALUE=DATE:{}", on.strftime("%Y%m%d")));
        line(&mut text, &format!("DTEND;VALUE=DATE:{}", next.strftime("%Y%m%d")));
        line(&mut text, &format!("SUMMARY:{}", escaped(&title)));
        if !more.is_empty() {
            line(&mut text, &format!("DESCRIPTION:{}", escaped(&more)));
        }
        line(&mut text, "TRANSP:TRANSPARENT");
        line(&mut text, "END:VEVENT");
    }
    line(&mut text, "END:VCALENDAR");
    text
}

/// Writes a line, folded where it is too long: between two characters, and never within one.
fn line(text: &mut String, whole: &str) {
    let mut room = LINE_MAX;
    for letter in whole.chars() {
        if letter.len_utf8() > room {
            text.push_str("\r\n ");
            room = LINE_MAX - 1;
        }
        room -= letter.len_utf8();
        let _ = write!(text, "{letter}");
    }
    text.push_str("\r\n");
}

/// Text as a property has it: whatever would end it or start another one is escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => escaped.extend(['\\', letter]),
            '\n' => escaped.push_str("\\n"),
            _ if letter.is_control() => {}
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(title: &str, text: &str) -> Day {
        Day {
            id: "UMD-3.1.0".into(),
            on: "2027-12-31".parse().expect("a day"),
            title: title.into(),
            text: text.into(),
            changed: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_day_is_an_event_that_takes_no_time() {
        let text = calendar("Example, repository", [day("the last; of 2027", "bdii, dpm\r\nBEGIN:VEVENT")]);
        insta::assert_snapshot!(text.replace('\r', ""));
        assert_eq!(text.matches("\r\n").count(), text.lines().count());
    }

    #[test]
    fn a_long_line_is_folded_between_characters() {
        let title = "zürich ".repeat(40);
        let text = calendar("x", [day(title.trim_end(), "")]);
        assert!(text.lines().all(|line| line.len() <= LINE_MAX), "{text}");
        assert!(text.replace("\r\n ", "").contains(&format!("SUMMARY:{}", title.trim_end())));
    }
}
