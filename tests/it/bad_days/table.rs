//! All bad days of people that are known, and where each is played: as the catalogue of inputs has its rows. One that
//! nothing plays is for a later release, and says which words of the program it waits for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where a row is played.
enum Shown {
    /// By these tests.
    By(&'static [&'static str]),
    /// In part by these tests; the rest waits for what is named.
    Partly(&'static [&'static str], &'static str),
    /// Not yet: it waits for what is named.
    Later(&'static str),
}

use Shown::{By, Later, Partly};

/// Number, what happens, and where it is played.
const ROWS: &[(usize, &str, Shown)] = &[
    (1, "the state directory is not mounted at start", By(&["TODO"])),
];

#[test]
fn every_bad_day_is_played_or_says_what_it_waits_for() {
    let numbers: Vec<usize> = ROWS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=41).collect::<Vec<_>>());
    let tests = tests_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"));
    let mut wrong = Vec::new();
    for (number, what, shown) in ROWS {
        let (by, waits) = match shown {
            By(tests) => (*tests, None),
            Partly(tests, waits) => (*tests, Some(*waits)),
            Later(waits) => (&[][..], Some(*waits)),
        };
        let absent = by.iter().filter(|name| !tests.contains(**name));
        wrong.extend(absent.map(|name| format!("row {number} ({what}): there is no test `{name}`")));
        if by.is_empty() && waits.is_none_or(str::is_empty) {
            wrong.push(format!("row {number} ({what}): nothing plays it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of all functions behind `#[test]` in a directory.
fn tests_of(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tests_of(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let after = text.split("#[test]").skip(1);
            let name = |rest: &str| Some(rest.split_once("fn ")?.1.split('(').next()?.to_owned());
            found.extend(after.filter_map(name));
        }
    }
    found
}
