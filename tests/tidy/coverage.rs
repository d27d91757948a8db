//! The rule for `tests/coverage.md`: each line can be read, each item of the seed documents stands there once, each test that
//! is named exists, and the numbers at its top are those of its rows.
//!
//! Whether a test really shows what its row says is for people to read. That it was not renamed or removed is checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::{Source, Token, behind, matches, tokens};

const FILE: &str = "tests/coverage.md";

/// How many items each seed document has, from S0 on.
const SEEDS: &[u8] = &[57, 62, 21, 44, 8];

/// What the lines with the numbers begin with.
const NUMBERS: [&str; 3] = ["shown", "partly", "not built"];

/// An item of a seed document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    seed: u8,
    number: u8,
}

impl FromStr for Item {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seed, number) = text.strip_prefix('S').and_then(|rest| rest.split_once('-')).ok_or(())?;
        let item = Self { seed: seed.parse().map_err(drop)?, number: number.parse().map_err(drop)? };
        if item.to_string() == text { Ok(item) } else { Err(()) }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S{}-{:02}", self.seed, self.number)
    }
}

/// What the file says.
#[derive(Debug, Default)]
struct Coverage<'t> {
    /// At its top.
    numbers: BTreeMap<&'t str, usize>,
    left_out: BTreeSet<Item>,
    /// Each with its line, which of `NUMBERS` it belongs to, and its tests.
    rows: Vec<(usize, Item, &'static str, Vec<&'t str>)>,
}

/// All that is wrong with the file.
pub(super) fn what_is_said_to_be_shown_is_shown(sources: &[Source]) -> Vec<String> {
    let Some(source) = sources.iter().find(|source| source.path == FILE) else {
        return vec![format!("{FILE}: nothing says which items of the seed documents are shown by which tests")];
    };
    let (found, mut wrong) = read(&source.text);
    wrong.extend(items_stand_once_and_in_order(&found));
    for what in NUMBERS {
        let there = found.rows.iter().filter(|(_, _, kind, _)| *kind == what).count();
        if found.numbers.get(what) != Some(&there) {
            wrong.push(format!("{FILE}: `- {what}: {there}` should stand at the top"));
        }
    }
    // Many items are shown by the same test.
    let named: BTreeSet<&str> = found.rows.iter().flat_map(|(.., tests)| tests.iter().copied()).collect();
    let gone: BTreeSet<&str> = named.into_iter().filter(|test| !exists(sources, test)).collect();
    for (line, item, _, tests) in &found.rows {
        let gone = tests.iter().filter(|test| gone.contains(*test));
        wrong.extend(gone.map(|test| format!("{FILE}:{line}: {item}: there is no test `{test}`")));
    }
    wrong
}

fn read(text: &str) -> (Coverage<'_>, Vec<String>) {
    let (mut found, mut wrong, mut seed) = (Coverage::default(), Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        let understood = match (seed, line.strip_prefix("## ")) {
            (_, Some(title)) => {
                let next = seed.map_or(0, |seed: u8| seed + 1);
                seed = Some(next);
                title.starts_with(&format!("S{next}: "))
            }
            (None, None) => read_top(&mut found, line).is_some(),
            (Some(_), None) if ["", "| item | what | shown by |", "|---|---|---|"].contains(&line) => true,
            (Some(seed), None) => {
                row(line).filter(|(item, ..)| item.seed == seed).is_some_and(|(item, kind, tests)| {
                    found.rows.push((number, item, kind, tests));
                    true
                })
            }
        };
        if !understood {
            wrong.push(format!("{FILE}:{number}: cannot be read: {line}"));
        }
    }
    (found, wrong)
}

/// A line before the first table: a number, what is left out, or anything that is no row.
fn read_top<'t>(found: &mut Coverage<'t>, line: &'t str) -> Option<()> {
    let Some((what, rest)) = line.strip_prefix("- ").and_then(|line| line.split_once(": ")) else {
        return (!line.starts_with(['|', '-'])).then_some(());
    };
    if what == "left out" {
        found.left_out = rest.split(", ").map(|item| item.parse().ok()).collect::<Option<_>>()?;
    } else {
        found.numbers.insert(NUMBERS.contains(&what).then_some(what)?, rest.parse().ok()?);
    }
    Some(())
}

/// `| S0-01 | what it is | by what it is shown |`
fn row(line: &str) -> Option<(Item, &'static str, Vec<&str>)> {
    let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let [item, what, shown] = cells.split(" | ").collect::<Vec<_>>().try_into().ok()?;
    let item = item.parse().ok()?;
    if what.is_empty() || cells.matches('|').count() != 2 {
        return None;
    }
    if let Some(reason) = shown.strip_prefix("not built: ") {
        return (!reason.is_empty()).then_some((item, NUMBERS[2], vec![]));
    }
    if let Some(partly) = shown.strip_prefix("partly: ") {
        let tests = partly.find("; `").filter(|end| *end > 0)? + 2;
        return Some((item, NUMBERS[1], named(&partly[tests..])?));
    }
    Some((item, NUMBERS[0], named(shown)?))
}

fn named(tests: &str) -> Option<Vec<&str>> {
    tests.split(", ").map(|test| test.strip_prefix('`')?.strip_suffix('`')).collect()
}

fn items_stand_once_and_in_order(found: &Coverage<'_>) -> Vec<String> {
    let pairs = found.rows.iter().zip(found.rows.iter().skip(1));
    let unordered = pairs.filter(|((_, before, ..), (_, item, ..))| before >= item);
    let mut wrong: Vec<String> = unordered
        .map(|(_, (line, item, ..))| format!("{FILE}:{line}: {item} stands there twice or out of order"))
        .collect();
    let all: BTreeSet<Item> =
        (0..).zip(SEEDS).flat_map(|(seed, last)| (1..=*last).map(move |number| Item { seed, number })).collect();
    let rows: BTreeSet<Item> = found.rows.iter().map(|(_, item, ..)| *item).collect();
    for item in all.union(&rows).chain(&found.left_out).collect::<BTreeSet<_>>() {
        let why = match (all.contains(item), rows.contains(item), found.left_out.contains(item)) {
            (false, ..) => "is no item of a seed document",
            (true, true, true) => "has a row and is left out",
            (true, false, false) => "has no row and is not left out",
            _ => continue,
        };
        wrong.push(format!("{FILE}: {item} {why}"));
    }
    wrong
}

/// Whether there is a test of this name, as `cargo test -- --list` prints it. Those of `tests/it` begin with `it`.
fn exists(sources: &[Source], name: &str) -> bool {
    let mut parts: Vec<&str> = name.split("::").collect();
    let Some(test) = parts.pop() else { return false };
    let (top, root, modules) = match parts.split_first() {
        Some((&"it", below)) => ("tests/it", "main", below),
        _ => ("src", "lib", &parts[..]),
    };
    // The last modules may be written inside the file of those before them.
    (0..=modules.len()).any(|files| {
        let inner = if files == 0 { root.to_owned() } else { modules[..files].join("/") };
        let paths = [format!("{top}/{inner}.rs"), format!("{top}/{inner}/mod.rs")];
        sources.iter().filter(|source| paths.contains(&source.path)).any(|source| {
            let code = tokens(&source.text);
            let mut code = &code[..];
            for module in &modules[files..] {
                let begins = |i: &usize| code[*i].is("mod") && matches(code, i + 1, &format!("{module} {{"));
                let Some(open) = top_level(code).find(begins) else {
                    return false;
                };
                code = &code[open + 3..behind(code, open + 2) - 1];
            }
            let is_it = |i: usize| code[i].is("fn") && matches(code, i + 1, &format!("{test} (")) && is_test(code, i);
            top_level(code).any(is_it)
        })
    })
}

/// Where the tokens stand that are in no module inside this code.
fn top_level(code: &[Token]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    (0..code.len()).filter(move |&i| {
        let is_outside = i >= end;
        if is_outside && code[i].is("mod") && code.get(i + 2).is_some_and(|open| open.is("{")) {
            end = behind(code, i + 2);
        }
        is_outside
    })
}

/// Whether an attribute of the function at `at` makes it a test.
fn is_test(code: &[Token], at: usize) -> bool {
    let mut end = if at > 0 && code[at - 1].is("async") { at - 1 } else { at };
    while end > 0 && code[end - 1].is("]") {
        let Some(open) = (0..end).rev().find(|&i| matches(code, i, "# [") && behind(code, i + 1) == end) else {
            return false;
        };
        if code[open..end].iter().any(|token| token.is("test")) {
            return true;
        }
        end = open;
    }
    false
}

const UNIT: &str = "//! a\nfn f() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    #[expect(x)]\n    fn it_works() {}\n    fn aid() {}\n    \
                    proptest! {\n        /// Always.\n        #[test]\n        fn it_always_works(x in y) {}\n    }\n}\n";
const FLOW: &str = "//! b\n#[tokio::test]\nasync fn it_flows() {}\n";

/// A repository whose only row that is worth reading is `row`.
fn with(row: &str, top: &str) -> Vec<Source> {
    let mut text = format!("# Coverage\n\n{top}\n- left out: S4-08\n");
    for (seed, last) in SEEDS.iter().enumerate() {
        let _ = write!(text, "\n## S{seed}: a seed\n\n| item | what | shown by |\n|---|---|---|\n");
        for number in 1..=*last - u8::from(seed == 4) {
            let usual = format!("| S{seed}-{number:02} | what it is | not built: mail |");
            let line = if (seed, number) == (0, 2) { row } else { &usual };
            let _ = writeln!(text, "{line}");
        }
    }
    super::house(&[("src/a/b.rs", UNIT), ("tests/it/flow.rs", FLOW), (FILE, &text)])
}

#[track_caller]
fn check(row: &str, kind: &str, complaints: &[&str]) {
    let number = |what| usize::from(kind == what);
    let top = format!("- shown: {}\n- partly: {}\n- not built: 190", number("shown"), number("partly"));
    assert_eq!(what_is_said_to_be_shown_is_shown(&with(row, &top)), complaints, "{row}");
}

#[test]
fn a_row_says_what_shows_its_item() {
    check("| S0-02 | x | `a::b::tests::it_works`, `it::flow::it_flows` |", "shown", &[]);
    check("| S0-02 | x | partly: the rest; really; `a::b::tests::it_always_works` |", "partly", &[]);
}

#[test]
fn a_test_that_is_gone_is_found() {
    for test in ["a::b::it_works", "a::b::tests::aid", "a::tests::it_works", "it::it_flows", "a::b::f", "gone", "it"] {
        let complaint = format!("tests/coverage.md:13: S0-02: there is no test `{test}`");
        check(&format!("| S0-02 | x | `a::b::tests::it_works`, `{test}` |"), "shown", &[&complaint]);
    }
}

#[test]
fn a_row_that_cannot_be_read_is_found() {
    for row in [
        "S0-02",
        "| S0-02 | x |",
        "| S0-2 | x | `it::flow::it_flows` |",
        "| S1-02 | x | `it::flow::it_flows` |",
        "| S0-02 | x | it::flow::it_flows |",
        "| S0-02 | x | partly: the rest |",
        "| S0-02 | x | not built |",
        "| S0-02 | x | y | `it::flow::it_flows` |",
    ] {
        let complaints = [
            &format!("tests/coverage.md:13: cannot be read: {row}"),
            "tests/coverage.md: S0-02 has no row and is not left out",
        ];
        check(row, "none", &complaints);
    }
}

#[test]
fn an_item_that_stands_twice_or_nowhere_is_found() {
    let top = "- shown: 1\n- partly: 0\n- not built: 190";
    let twice = with("| S0-01 | x | `it::flow::it_flows` |", top);
    assert_eq!(
        what_is_said_to_be_shown_is_shown(&twice),
        [
            "tests/coverage.md:13: S0-01 stands there twice or out of order",
            "tests/coverage.md: S0-02 has no row and is not left out"
        ]
    );
    let strange = with("| S0-58 | x | `it::flow::it_flows` |", top);
    assert!(
        what_is_said_to_be_shown_is_shown(&strange)
            .contains(&"tests/coverage.md: S0-58 is no item of a seed document".to_owned())
    );
    assert_eq!(what_is_said_to_be_shown_is_shown(&[]).len(), 1);
}

#[test]
fn numbers_that_are_not_those_of_the_rows_are_found() {
    let wrong = with("| S0-02 | x | `it::flow::it_flows` |", "- shown: 2\n- not built: 190");
    assert_eq!(
        what_is_said_to_be_shown_is_shown(&wrong),
        [
            "tests/coverage.md: `- shown: 1` should stand at the top",
            "tests/coverage.md: `- partly: 0` should stand at the top"
        ]
    );
}
