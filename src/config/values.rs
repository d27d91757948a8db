//! Single values: paths, addresses, dates, and what is wrong with other text.
//!
//! Everything here is about one value, or one compared with another; the readers know which key it belongs to.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::format::document::{Section, Value};
use crate::format::quantity;

/// A duration within `range`.
pub fn span(
    section: &mut Section<'_, '_>,
    key: &'static str,
    fallback: Duration,
    range: &RangeInclusive<Duration>,
) -> Option<Duration> {
    let Some(value) = section.get(key) else { return Some(fallback) };
    value.quantity(quantity::duration, |duration| quantity::show_duration(*duration), range, "24h")
}

/// The elements of a list, without duplicates.
pub fn set_of<T: PartialEq>(value: &Value<'_, '_>, read: impl Fn(&Value<'_, '_>) -> Option<T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for element in value.list()? {
        let Some(one) = read(&element) else { continue };
        if all.contains(&one) {
            element.complain("is listed twice", None);
        } else {
            all.push(one);
        }
    }
    Some(all)
}

/// One line for people.
pub fn words(value: &Value<'_, '_>) -> Option<String> {
    let text = value.text()?;
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        value.complain("must be one line of text", None);
        return None;
    }
    Some(text.to_owned())
}

/// An IP address and a port; names are not looked up, since their answer may change.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("`{}` is not an address and port such as 127.0.0.1:8640 or [::1]:8640", text.escape_default())
    })
}

/// An absolute path whose text already says where it leads.
pub fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let shown = text.escape_default();
    if !path.is_absolute() {
        return Err(format!("`{shown}` is not an absolute path; the daemon has no working directory"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("`{shown}` has a `..` in it; write the resolved path"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("`{shown}` has a control character"));
    }
    // Collecting the components drops `.`, double slashes and a trailing slash.
    Ok(path.components().collect())
}

/// An `http` or `https` URL that other parts can be appended to.
pub fn url(text: &str) -> Result<String, String> {
    let shown = text.escape_default();
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return Err(format!("`{shown}` does not begin with http:// or https://"));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(format!("`{shown}` has no host"));
    }
    if host.contains('@') {
        return Err("has a user name in it, which every client would send unencrypted".to_owned());
    }
    if text.contains(['?', '#']) {
        return Err(format!("`{shown}` has a `?` or `#`, so nothing can be appended to it"));
    }
    if !is_host(host) {
        return Err(format!("`{shown}` has no host and port such as repository.example.org, 192.0.2.7:8080 or [::1]"));
    }
    let path = rest.get(host.len()..).unwrap_or_default();
    let mut parts = path.strip_suffix('/').unwrap_or(path).split('/').skip(1);
    if parts.clone().any(|part| part.is_empty() || matches!(part, "." | "..")) {
        return Err(format!("`{shown}` has an empty part, `.` or `..` in its path; write the resolved path"));
    }
    if !parts.all(is_part) {
        return Err(format!(
            "the path of `{shown}` has characters other than letters, digits, - . _ ~ + and %xx; escape them with %"
        ));
    }
    Ok(text.to_owned())
}

/// A name or an address, and perhaps a port.
fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, port)) if inside.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
        Some(_) => return false,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|n| n > 0);
    is_name && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// A part of a path that every reader, including web servers and their patterns, takes literally.
fn is_part(part: &str) -> bool {
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [a, b, tail @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                // Some readers decode an encoded slash, dot or control character, and others do not.
                let byte = u8::from_str_radix(&format!("{}{}", char::from(*a), char::from(*b)), 16).unwrap_or_default();
                if byte < b' ' || b"/.\\\x7f".contains(&byte) {
                    return false;
                }
                tail
            }
            (b, tail) if b.is_ascii_alphanumeric() || b"-._~+".contains(b) => tail,
            _ => return false,
        };
    }
    true
}

/// 40 or 64 hexadecimal digits in upper case; spaces, as key tools print them, are dropped.
pub fn fingerprint(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    match (is_hex, digits.len()) {
        (true, 40 | 64) => Ok(digits.to_ascii_uppercase()),
        (true, 8 | 16) => Err(format!("`{digits}` is a key id, which can be forged; write the whole fingerprint")),
        _ => Err(format!("`{}` is not a fingerprint of 40 or 64 hexadecimal digits", text.escape_default())),
    }
}

/// The end of a day in UTC, or an instant.
pub fn date(value: &Value<'_, '_>) -> Option<Timestamp> {
    let text = value.date_text()?;
    let end_of = |day: jiff::civil::Date| day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let until = match text.parse::<jiff::civil::Date>() {
        Ok(day) if text.len() == 10 => end_of(day).map(|zoned| zoned.timestamp()),
        _ => text.parse::<Timestamp>().ok(),
    };
    if until.is_none() {
        let hint = "write \"2027-06-30\", which includes that whole day in UTC, or \"2027-06-30T12:00:00Z\"".to_owned();
        value.complain(format!("`{}` is not a date", text.escape_default()), Some(hint));
    }
    until
}

/// Names that must be unique.
#[derive(Default)]
pub struct Names(Vec<(String, usize)>);

impl Names {
    /// Complains if the name was used before.
    pub fn note(&mut self, name: &str, value: &Value<'_, '_>, what: &str) {
        match self.0.iter().find(|(other, _)| other == name) {
            Some((_, line)) => value.complain(format!("`{name}` {what}"), Some(format!("the first is on line {line}"))),
            None => self.0.push((name.to_owned(), value.spot().line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_where_it_leads() {
        assert_eq!(absolute("/srv//repo/./sw/"), Ok(PathBuf::from("/srv/repo/sw")));
        assert_eq!(absolute("/"), Ok(PathBuf::from("/")));
        for text in ["", "srv", "./srv", "/srv/../etc", "/srv\n", "~/srv"] {
            assert!(absolute(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_url_can_be_appended_to() {
        for text in [
            "http://a.example",
            "https://a.example:8443/sw",
            "http://[::1]:8640/",
            "http://[::1]/a/b/",
            "http://192.0.2.7/~sw/a+b_c-d.e",
            "http://a/%20",
            "http://a/%c3%a9",
        ] {
            assert_eq!(url(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "a.example",
            "ftp://a",
            "http://",
            "http:///sw",
            "http://:80",
            "http://u:p@a/",
            "http://a/?x",
            "http://a/#x",
            "http://a/ b",
            "http://a/é",
            // A router would take this for a pattern.
            "http://a/:x",
            "http://a/{x}",
            "http://a/{*x}",
            "http://a/*x",
            "http://a/*",
            "http://a/b:c",
            // Some readers would take this for another path.
            "http://a//",
            "http://a//b",
            "http://a/b//c",
            "http://a/./b",
            "http://a/../b",
            "http://a/%2e%2e/b",
            "http://a/b%2fc",
            "http://a/%",
            "http://a/%2",
            "http://a/%zz",
            "http://a/%00",
            "http://a/\u{202e}",
            "http://a/\u{1b}[2J",
            "http://a:x/",
            "http://a:0/",
            "http://a:99999/",
            "http://a:+80/",
            "http://a:80:80/",
            "http://[::1/",
            "http://[x]/",
            "http://[::1]x/",
            "http://é.example/",
            "http://a b/",
        ] {
            assert!(url(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_whole() {
        let digits = "0123456789abcdefABCD".repeat(2);
        assert_eq!(fingerprint(&digits).as_deref(), Ok(digits.to_ascii_uppercase().as_str()));
        assert_eq!(fingerprint("0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567").map(|f| f.len()), Ok(40));
        for text in ["", "0123456789ABCDEF", "01234567", "0x0123456789ABCDEF0123456789ABCDEF01234567"] {
            assert!(fingerprint(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        assert!(address("127.0.0.1:8640").is_ok() && address("[::]:80").is_ok());
        assert!(address("127.0.0.1").is_err() && address("localhost:8640").is_err());
    }
}
