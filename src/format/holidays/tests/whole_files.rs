//! Whole files: what is listed, what is refused and why.

use std::path::Path;

use proptest::prelude::*;

use crate::format::holidays::{COMPLAINTS_MAX, DAYS_MAX, DEPTH_MAX, EVENTS_MAX, FILE_MAX, Read, read};

fn said(text: &str) -> Read {
    read(text.as_bytes(), Path::new("ch.ics"), 2026..=2028)
}

fn event(lines: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n")
}

fn listed(read: &Read) -> Vec<String> {
    read.holidays.iter().map(|(day, name)| format!("{day} {name}")).collect()
}

#[track_caller]
fn check(lines: &str, days: &[&str]) {
    let read = said(&event(lines));
    assert_eq!(
        (listed(&read), read.complaints.as_slice()),
        (days.iter().map(|day| (*day).to_owned()).collect(), [].as_slice())
    );
}

/// Nothing is listed, and this is why.
#[track_caller]
fn refused(text: &str, complaints: &[&str]) {
    let read = said(text);
    assert_eq!(listed(&read), Vec::<String>::new());
    assert_eq!(read.complaints.iter().map(ToString::to_string).collect::<Vec<_>>(), complaints);
}

const CHRISTMAS: &str = "DTSTART;VALUE=DATE:20261225";
const DAY: &str = "\n  hint: holidays are whole days, such as `DTSTART;VALUE=DATE:20261225`";

#[test]
fn a_file_as_calendars_export_it() {
    let text = "\u{feff}BEGIN:VCALENDAR\r\nPRODID:-//Example//EN\r\nCALSCALE:GREGORIAN\r\nBEGIN:VTIMEZONE\r\n\
        TZID:Europe/Zurich\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\n\
        END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1@example\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART;VALUE=DATE:20200101\r\nDTEND;VALUE=DATE:20200102\r\nRRULE:FREQ=YEARLY\r\nEXDATE;VALUE=DATE:20270101\r\n\
        SUMMARY;LANGUAGE=de:Neu\r\n jahr\\, Z\u{fc}rich\r\nTRANSP:TRANSPARENT\r\nBEGIN:VALARM\r\nDURATION:PT5M\r\n\
        END:VALARM\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261227\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";
    let read = said(text);
    assert_eq!(read.complaints, []);
    let days = [
        "2026-01-01 Neujahr, Z\u{fc}rich",
        "2026-12-25 holiday",
        "2026-12-26 holiday",
        "2028-01-01 Neujahr, Z\u{fc}rich",
    ];
    assert_eq!(listed(&read), days);
}

#[test]
fn days_are_listed_in_the_years_asked_for() {
    check("DTSTART:20251231\nDTEND:20260103\nSUMMARY:Off", &["2026-01-01 Off", "2026-01-02 Off"]);
    check("DTSTART:20240229\nRRULE:FREQ=YEARLY\nSUMMARY:Leap", &["2028-02-29 Leap"]);
    check("DTSTART:20250101", &[]);
    check("DTSTART:20281231\nDTEND:20290102\nRRULE:FREQ=YEARLY\nSUMMARY: ", &["2028-12-31 holiday"]);
}

#[test]
fn the_length_is_an_end_or_a_duration() {
    check("DTSTART:20261231\nDURATION:P1D", &["2026-12-31 holiday"]);
    check("DTSTART:20261231\nDTEND:20270102", &["2026-12-31 holiday", "2027-01-01 holiday"]);
    assert_eq!(said(&event("DTSTART:20261231\nDURATION:P1W")).holidays.len(), 7);
    assert_eq!(said(&event("DTSTART:20260101\nDURATION:P366D")).holidays.len(), 366);
    refused(
        &event("DTSTART:20261231\nDURATION:P1D\nDTEND:20270101"),
        &["ch.ics:5:1: DURATION: is there besides DTEND"],
    );
    for bad in ["", "P", "PD", "P0D", "-P1D", "P+1D", "P1DT1H", "PT24H", "P367D", "P99999999999999999999W"] {
        let hint = "\n  hint: it is written `P1D` or `P1W` and is at most a year";
        let what = format!("ch.ics:5:1: DURATION: `{bad}` is not a number of days{hint}");
        refused(&event(&format!("DTSTART:20261231\nDURATION:{bad}")), &[&what]);
    }
}

#[test]
fn a_cancelled_event_is_no_holiday() {
    check(&format!("{CHRISTMAS}\nSTATUS:CANCELLED"), &[]);
    check(&format!("{CHRISTMAS}\nSTATUS:CONFIRMED"), &["2026-12-25 holiday"]);
}

#[test]
fn an_event_that_is_not_understood_is_a_complaint_with_its_line() {
    let time = format!("ch.ics:4:1: DTSTART: `20261225T090000` is not a whole day{DAY}");
    refused(&event("DTSTART;TZID=Europe/Zurich:20261225T090000"), &[&time]);
    refused(
        &event("DTSTART;VALUE=DATE-TIME:20261225"),
        &[&format!("ch.ics:4:1: DTSTART: `20261225` is not a whole day{DAY}")],
    );
    let hint = "\n  hint: write its dates out, one VEVENT for each year";
    let rule = format!("ch.ics:5:1: RRULE: `BYDAY=4TH` is not understood in a rule{hint}");
    refused(&event(&format!("{CHRISTMAS}\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH")), &[&rule]);
    for name in ["RDATE", "EXRULE", "RECURRENCE-ID"] {
        let what = format!("ch.ics:5:1: {name}: is not understood, so this event is left out{hint}");
        refused(&event(&format!("{CHRISTMAS}\n{name}:20270101")), &[&what]);
    }
    refused(&event("SUMMARY:x"), &[&format!("ch.ics:3:1: VEVENT: has no DTSTART{DAY}")]);
    refused(&event(&format!("{CHRISTMAS}\n{CHRISTMAS}")), &["ch.ics:5:1: DTSTART: is there twice, first in line 4"]);
    refused(
        &event(&format!("{CHRISTMAS}\nEXDATE:20261225,x")),
        &[&format!("ch.ics:5:1: EXDATE: `x` is not a whole day{DAY}")],
    );
    let end = "ch.ics:5:1: DTEND: is not after DTSTART; it is the day after the last";
    refused(&event(&format!("{CHRISTMAS}\nDTEND:20261225")), &[end]);
    let long = "ch.ics:5:1: DTEND: is more than 366 days after DTSTART";
    refused(&event(&format!("{CHRISTMAS}\nDTEND:20271227")), &[long]);
    let other = "ch.ics:5:1: RRULE: the rule is about another day than the first, 2026-12-25";
    refused(&event(&format!("{CHRISTMAS}\nRRULE:FREQ=YEARLY;BYMONTH=11")), &[other]);
    refused(&event(&format!("{CHRISTMAS}\nwhat")), &["ch.ics:5:1: is not a line of a calendar, which is `NAME:VALUE`"]);
}

#[test]
fn the_other_events_of_the_file_are_read() {
    let text = event("DTSTART:x\nEND:VEVENT\nBEGIN:VJOURNAL\nEND:VJOURNAL\nBEGIN:VEVENT\nDTSTART:20261225");
    let read = said(&text);
    assert_eq!(listed(&read), ["2026-12-25 holiday"]);
    let complaints: Vec<String> = read.complaints.iter().map(ToString::to_string).collect();
    let journal = "ch.ics:6:1: BEGIN: `VJOURNAL` is not understood; holidays are VEVENTs";
    assert_eq!(complaints, [&format!("ch.ics:4:1: DTSTART: `x` is not a whole day{DAY}"), journal]);
}

#[test]
fn what_is_no_whole_calendar_is_said() {
    refused("", &["ch.ics:1:1: is not a calendar: it has no `BEGIN:VCALENDAR`"]);
    refused("<html>", &["ch.ics:1:1: is not a line of a calendar, which is `NAME:VALUE`"]);
    refused("BEGIN:VCARD\nEND:VCARD", &["ch.ics:1:1: BEGIN: `VCARD` is outside of a calendar"]);
    refused("DTSTART:20261225", &["ch.ics:1:1: DTSTART: is outside of a calendar"]);
    let cut = "ch.ics:3:1: BEGIN: `VEVENT` has no end; the file may be cut off";
    refused(&format!("BEGIN:VCALENDAR\n\nBEGIN:VEVENT\n{CHRISTMAS}\n"), &[cut]);
    let end = "ch.ics:4:1: END: `VCALENDAR` was not begun, or something in it has no end";
    refused(&format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{CHRISTMAS}\nEND:VCALENDAR\n"), &[end]);
    refused("BEGIN:VCALENDAR\nCALSCALE:JULIAN\nEND:VCALENDAR", &["ch.ics:2:1: CALSCALE: is not GREGORIAN"]);
}

#[test]
fn what_is_too_much_is_said() {
    let large = "ch.ics:1:1: is larger than 1048576 bytes, too large for a list of holidays";
    refused(&"A:b\n".repeat(FILE_MAX / 4 + 1), &[large]);
    let read = said(&"hello\n".repeat(COMPLAINTS_MAX + 3));
    assert_eq!(read.complaints.len(), COMPLAINTS_MAX + 1);
    assert_eq!(read.complaints.last().map(|last| last.what.as_str()), Some("3 more complaints follow"));
    let nested = "BEGIN:VCALENDAR\n".to_owned() + &"BEGIN:X-A\n".repeat(DEPTH_MAX);
    refused(&nested, &["ch.ics:9:1: BEGIN: components are nested too deeply"]);
    let last = |events: String| {
        said(&format!("BEGIN:VCALENDAR\n{events}END:VCALENDAR")).complaints.pop().map(|last| last.what)
    };
    let one = "BEGIN:VEVENT\nDTSTART:20261225\nEND:VEVENT\n";
    assert_eq!(last(one.repeat(EVENTS_MAX)), None);
    assert_eq!(last(one.repeat(EVENTS_MAX + 1)), Some("there are more than 5000 events".to_owned()));
    let year = "BEGIN:VEVENT\nDTSTART:20260101\nDTEND:20270101\nEND:VEVENT\n";
    assert_eq!(last(year.repeat(DAYS_MAX / 365 + 1)), Some("there are more than 50000 days off".to_owned()));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes: Vec<u8>,
        near in "((BEGIN|END|DTSTART|DTEND|DURATION|RRULE|EXDATE|[A-Z]);?:(VCALENDAR|VEVENT|FREQ=YEARLY;|P[0-9]D|[0-9]{8}|.)\n ?)*",
        years: (i16, i16),
    ) {
        for bytes in [bytes.as_slice(), near.as_bytes(), event(&near).as_bytes()] {
            let read = read(bytes, Path::new("x"), years.0..=years.1);
            prop_assert!(read.holidays.keys().all(|day| (years.0..=years.1).contains(&day.year())));
        }
    }

    #[test]
    fn each_day_of_an_event_is_listed_and_no_other(first in 0..900_i32, length in 1..40_i32) {
        use jiff::ToSpan as _;
        let first = jiff::civil::date(2026, 1, 1) + first.days();
        let behind = first + length.days();
        let text = event(&format!("DTSTART:{}\nDTEND:{}", first.strftime("%Y%m%d"), behind.strftime("%Y%m%d")));
        let days = first.series(1.day()).take_while(|day| *day < behind).filter(|day| day.year() <= 2028);
        prop_assert_eq!(said(&text).holidays.into_keys().collect::<Vec<_>>(), days.collect::<Vec<_>>());
    }
}
