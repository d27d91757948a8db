//! The rules of the house that no compiler knows: who may know whom, what each file has to say first,
//! what may not stand in it. The rules are functions over sources held in memory, so that each is
//! also shown a small house that breaks it; the last test applies all of them to this repository.
//!
//! The order of floors is the order of `mod` lines in `src/lib.rs`, and of siblings that in their
//! `mod.rs`; there is no second list. Test modules are left out: they are never shipped, and they
//! may borrow from any floor what they need to prove something.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The items of the seed documents and the tests that show them.
#[path = "tidy/coverage.rs"]
mod coverage;

/// Names that say nothing about what a module owns.
const EMPTY_NAMES: &[&str] = &["common", "errors", "helpers", "imp", "misc", "types", "util", "utils"];

/// What marks work as unfinished, in code and in comments.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "TODO", "FIXME", "XXX", "Not yet written"];

/// Floors that get the time and the bytes handed to them.
const PURE: &[&str] = &["domain", "format", "process"];

/// What would make a pure floor ask the machine it runs on.
const IMPURE: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["SystemTime", "now"],
    &["Instant", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
    &["tokio"],
    &["async"],
    &["reqwest"],
    &["rusqlite"],
    &["rustix"],
];

/// What asks the system for the time.
const ASKS_FOR_TIME: [&str; 4] = ["Instant", "SystemTime", "Timestamp", "Zoned"];

/// The only file that may.
const CLOCK: &str = "src/link/clock.rs";

/// Floors that stand side by side: the first may not know the second, whatever their order.
const STRANGERS: &[(&str, &str)] = &[("link", "store"), ("store", "link"), ("process", "store"), ("process", "link")];

/// One file, by its path from the top of the repository.
struct Source {
    path: String,
    text: String,
}

/// A word or a single punctuation mark of Rust, with its line.
#[derive(Clone, Debug)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

/// The code of a file: no comments, no strings, no white space.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut line, mut found) = (0, 1, Vec::new());
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => i = (i..chars.len()).find(|&j| at(j) == '\n').unwrap_or(chars.len()),
            '/' if at(i + 1) == '*' => i = comment_end(&chars, i),
            '"' => i = string_end(&chars, i),
            // 'a' and '\n' are characters, 'a is a lifetime.
            '\'' if at(i + 1) == '\\' => {
                i = (i + 3..chars.len()).find(|&j| at(j) == '\'').map_or(chars.len(), |j| j + 1);
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            c if c.is_alphanumeric() || c == '_' => {
                i = (i..chars.len()).find(|&j| !at(j).is_alphanumeric() && at(j) != '_').unwrap_or(chars.len());
                let word: String = chars[start..i].iter().collect();
                let quote = (i..chars.len()).find(|&j| at(j) != '#').unwrap_or(chars.len());
                match word.as_str() {
                    "r" | "br" | "cr" if at(quote) == '"' => i = raw_string_end(&chars, quote, quote - i),
                    "b" | "c" if at(i) == '"' => i = string_end(&chars, i),
                    "r" if at(i) == '#' => i += 1,
                    _ => found.push(Token { text: word, line }),
                }
            }
            c => {
                i += 1;
                if !c.is_whitespace() {
                    found.push(Token { text: c.to_string(), line });
                }
            }
        }
        line += chars[start..i.min(chars.len())].iter().filter(|&&c| c == '\n').count();
    }
    found
}

/// Rust's block comments nest.
fn comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0_usize, start);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    i
}

fn string_end(chars: &[char], quote: usize) -> usize {
    let mut i = quote + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], quote: usize, hashes: usize) -> usize {
    let closes = |j: usize| {
        chars[j] == '"' && chars.get(j + 1..j + 1 + hashes).is_some_and(|tail| tail.iter().all(|&c| c == '#'))
    };
    (quote + 1..chars.len()).find(|&j| closes(j)).map_or(chars.len(), |j| j + 1 + hashes)
}

/// Whether `tokens` has the words and marks of `wanted`, written with blanks between, at `at`.
fn matches(tokens: &[Token], at: usize, wanted: &str) -> bool {
    let mut rest = tokens.get(at..).unwrap_or(&[]).iter();
    wanted.split(' ').all(|word| rest.next().is_some_and(|token| token.is(word)))
}

/// Just behind the bracket that closes the one at `open`.
fn behind(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// What is shipped: the code without its test modules.
fn shipped(code: &[Token]) -> Vec<Token> {
    let (mut i, mut kept) = (0, Vec::new());
    while i < code.len() {
        if let Some(open) = test_module(code, i) {
            i = behind(code, open);
        } else {
            kept.push(code[i].clone());
            i += 1;
        }
    }
    kept
}

/// Where the brace of a test module opens whose `#[cfg(test)]` begins at `at`.
fn test_module(code: &[Token], at: usize) -> Option<usize> {
    const MARK: &str = "# [ cfg ( test ) ]";
    if !matches(code, at, MARK) {
        return None;
    }
    let mut i = at;
    while matches(code, i, "# [") {
        i = behind(code, i + 1);
    }
    // What other test modules borrow is `pub(crate)` or `pub(super)`.
    i += if matches(code, i, "pub (") { behind(code, i + 1) - i } else { 0 };
    (code.get(i)?.is("mod") && code.get(i + 2)?.is("{")).then_some(i + 2)
}

/// The module that a file is: `src/store/tree.rs` is `store`, `tree`.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    if inner.starts_with("bin/") {
        return None;
    }
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    parts.pop_if(|last| matches!(last.as_str(), "lib" | "mod"));
    Some(parts)
}

/// Whether a test module written into another file has a line for this file: `src/a/tests/b.rs` belongs to `mod tests`
/// of `src/a/mod.rs`.
fn is_of_tests(sources: &[Source], module: &[String]) -> bool {
    let [above @ .., tests, name] = module else { return false };
    let line = format!("mod {name} ;");
    tests == "tests"
        && sources.iter().filter(|source| module_of(&source.path).as_deref() == Some(above)).any(|source| {
            let code = tokens(&source.text);
            (0..code.len()).any(|i| matches(&code, i, &line))
        })
}

/// The modules that each module declares, in its order.
fn declarations(sources: &[Source]) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut all = BTreeMap::new();
    for source in sources {
        let Some(module) = module_of(&source.path) else { continue };
        let code = shipped(&tokens(&source.text));
        let declares = |i: usize| matches(&code, i, "mod") && code.get(i + 2).is_some_and(|end| end.is(";"));
        let names = (0..code.len()).filter(|&i| declares(i)).map(|i| code[i + 1].text.clone()).collect();
        all.insert(module, names);
    }
    all
}

/// A path that names something of this crate: where it stands and where it leads.
#[derive(Debug)]
struct Mention {
    line: usize,
    to: Vec<String>,
    /// Written as `crate::{…}`, which hides who is known.
    grouped: bool,
}

/// Every `crate::`, `super::` and `self::` path in the shipped code of `module`.
fn mentions(module: &[String], code: &[Token]) -> Vec<Mention> {
    let mut found = Vec::new();
    // Modules written inside this file, each with the depth of braces at which it ends.
    let (mut inside, mut depth): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
    for (i, token) in code.iter().enumerate() {
        match token.text.as_str() {
            "{" => {
                if i >= 2 && code[i - 2].is("mod") {
                    inside.push((code[i - 1].text.clone(), depth));
                }
                depth += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                inside.pop_if(|(_, ends)| *ends == depth);
            }
            "crate" | "super" | "self" if matches(code, i + 1, ": :") && !(i > 0 && code[i - 1].is(":")) => {
                let here: Vec<String> = module.iter().chain(inside.iter().map(|(name, _)| name)).cloned().collect();
                let grouped = token.is("crate") && matches(code, i + 3, "{");
                let (paths, _) = paths(code, i);
                found.extend(paths.into_iter().map(|path| Mention {
                    line: token.line,
                    to: absolute(&here, &path),
                    grouped,
                }));
            }
            _ => {}
        }
    }
    found
}

/// The paths that begin at `at`, one for each member of a group, and where they end.
fn paths(code: &[Token], at: usize) -> (Vec<Vec<String>>, usize) {
    let Some(first) = code.get(at) else { return (Vec::new(), at) };
    let head = vec![first.text.clone()];
    if !matches(code, at + 1, ": :") {
        return (vec![head], at + 1);
    }
    let next = at + 3;
    if !matches(code, next, "{") {
        // A turbofish or a pointed bracket ends the path.
        if code.get(next).is_none_or(|token| !token.text.starts_with(|c: char| c.is_alphabetic() || c == '_')) {
            return (vec![head], next);
        }
        let (tails, end) = paths(code, next);
        return (tails.into_iter().map(|tail| [head.clone(), tail].concat()).collect(), end);
    }
    let end = behind(code, next);
    let (mut members, mut i) = (Vec::new(), next + 1);
    while i + 1 < end {
        let (tails, after) = paths(code, i);
        members.extend(tails.into_iter().map(|tail| [head.clone(), tail].concat()));
        i = (after..end).find(|&j| code[j].is(",")).map_or(end, |j| j + 1);
    }
    (members, end)
}

fn absolute(here: &[String], path: &[String]) -> Vec<String> {
    let mut to = here.to_vec();
    for part in path {
        match part.as_str() {
            "crate" => to.clear(),
            "self" => {}
            "super" => drop(to.pop()),
            name => to.push(name.to_owned()),
        }
    }
    to
}

fn imports_point_down(sources: &[Source]) -> Vec<String> {
    let declared = declarations(sources);
    let mut wrong = Vec::new();
    for source in sources {
        let Some(module) = module_of(&source.path) else { continue };
        for mention in mentions(&module, &shipped(&tokens(&source.text))) {
            let place = format!("{}:{}", source.path, mention.line);
            if mention.grouped {
                wrong.push(format!("{place}: `crate::{{…}}` hides who is known: one line for each floor"));
            }
            wrong.extend(upwards(&declared, &module, &mention.to).map(|why| format!("{place}: {why}")));
        }
    }
    // The members of a group are mentioned one by one.
    wrong.dedup();
    wrong
}

/// Why `from` may not know `to`, if it may not.
fn upwards(declared: &BTreeMap<Vec<String>, Vec<String>>, from: &[String], to: &[String]) -> Option<String> {
    let fork = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let (mine, theirs) = (from.get(fork)?, to.get(fork)?);
    let siblings = declared.get(&from[..fork])?;
    let floor = |name: &String| siblings.iter().position(|sibling| sibling == name);
    let strangers = fork == 0 && STRANGERS.contains(&(mine.as_str(), theirs.as_str()));
    let above = floor(theirs)? > floor(mine)?;
    (strangers || above).then(|| format!("`{mine}` may not know `{theirs}`"))
}

fn each_file_says_first_what_it_owns(sources: &[Source]) -> Vec<String> {
    let silent = |source: &&Source| !source.text.lines().next().is_some_and(|line| line.starts_with("//! "));
    let complaint = |source: &Source| format!("{}:1: no `//!` says what this file owns", source.path);
    rust(sources).filter(silent).map(complaint).collect()
}

fn nothing_is_left_unfinished(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in rust(sources).filter(|source| source.path.starts_with("src/")) {
        for (number, line) in (1..).zip(source.text.lines()) {
            for mark in UNFINISHED.iter().filter(|mark| line.contains(**mark)) {
                wrong.push(format!("{}:{number}: `{mark}`", source.path));
            }
        }
        let names = source.path.trim_end_matches(".rs").split('/');
        for name in names.filter(|name| EMPTY_NAMES.contains(name)) {
            wrong.push(format!("{}: a module called `{name}` says nothing about what it owns", source.path));
        }
    }
    wrong
}

fn domain_and_format_ask_nobody(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let pure = module_of(&source.path)
            .and_then(|module| module.into_iter().next())
            .filter(|floor| PURE.contains(&floor.as_str()));
        let Some(floor) = pure else { continue };
        let code = shipped(&tokens(&source.text));
        for i in 0..code.len() {
            let (led, _) = if code[i].is("std") { paths(&code, i) } else { (Vec::new(), i) };
            for impure in IMPURE {
                let here = matches(&code, i, &impure.join(" : : "))
                    || led
                        .iter()
                        .any(|path| path.iter().map(String::as_str).take(impure.len()).eq(impure.iter().copied()));
                if here {
                    let what = impure.join("::");
                    wrong.push(format!("{}:{}: `{floor}` is pure, and `{what}` is not", source.path, code[i].line));
                }
            }
        }
    }
    wrong
}

/// Everybody else is given the time, so that a test can set it.
fn only_the_clock_asks_for_the_time(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("src/") && source.path != CLOCK) {
        if module_of(&source.path).is_some_and(|module| is_of_tests(sources, &module)) {
            continue;
        }
        let code = shipped(&tokens(&source.text));
        for i in 0..code.len() {
            for kind in ASKS_FOR_TIME.iter().filter(|kind| matches(&code, i, &format!("{kind} : : now"))) {
                wrong.push(format!("{}:{}: `{kind}::now` outside {CLOCK}", source.path, code[i].line));
            }
        }
    }
    wrong
}

fn what_is_tested_is_what_is_shipped(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in rust(sources).filter(|source| source.path.starts_with("src/")) {
        let code = shipped(&tokens(&source.text));
        let asks = |i: &usize| {
            code[*i].is("cfg") && {
                let open = *i + 1 + usize::from(matches(&code, *i + 1, "!"));
                matches(&code, open, "(") && code[open..behind(&code, open)].iter().any(|token| token.is("test"))
            }
        };
        let places = (0..code.len()).filter(asks);
        wrong.extend(places.map(|i| format!("{}:{}: `cfg(test)` outside a test module", source.path, code[i].line)));
    }
    wrong
}

fn no_file_is_forgotten(sources: &[Source]) -> Vec<String> {
    let declared = declarations(sources);
    let it = sources.iter().find(|source| source.path == "tests/it/main.rs");
    let flows = it.map(|main| tokens(&main.text)).unwrap_or_default();
    let mut wrong = Vec::new();
    for source in rust(sources) {
        let known = if let Some(module) = module_of(&source.path) {
            module
                .split_last()
                .is_none_or(|(name, parent)| declared.get(parent).is_some_and(|children| children.contains(name)))
                || is_of_tests(sources, &module)
        } else if let Some(file) = source.path.strip_prefix("tests/it/") {
            let name = file.split(['/', '.']).next().unwrap_or(file);
            name == "main" || (0..flows.len()).any(|i| matches(&flows, i, &format!("mod {name}")))
        } else {
            true
        };
        if !known {
            wrong.push(format!("{}: no `mod` line leads to this file", source.path));
        }
    }
    wrong
}

/// A fixture is used when a program names it, or names the directory that it is read with. Scripts
/// and read-mes there tell how fixtures came about.
fn fixtures_are_used(sources: &[Source], fixtures: &[String]) -> Vec<String> {
    let named = |text: &str| sources.iter().any(|source| source.text.contains(text));
    let mut wrong = Vec::new();
    for path in fixtures {
        let file = path.rsplit('/').next().unwrap_or(path);
        let telling = file == "README.md" || extension(path) == "sh";
        let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]).skip(1);
        if !telling && !named(file) && !folders.any(named) {
            wrong.push(format!("{path}: no test reads this file"));
        }
    }
    wrong
}

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| extension(&source.path) == "rs")
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Paths of all files below `dir`, from the top of the repository, in order.
fn files_below(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)) else { return found };
    for entry in entries.map(|entry| entry.expect("a directory of the repository is readable")) {
        let path = format!("{dir}/{}", entry.file_name().to_str().expect("names in the repository are plain"));
        if entry.file_type().expect("a file of the repository can be looked at").is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// This repository's programs.
fn sources() -> Vec<Source> {
    let read = |path: String| {
        let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).expect("a source is readable");
        Source { text: String::from_utf8_lossy(&bytes).into_owned(), path }
    };
    let found: Vec<Source> = ["src", "tests", "benches"].into_iter().flat_map(files_below).map(read).collect();
    assert!(found.iter().any(|source| source.path == "src/lib.rs"), "these are not the sources of rolloutd");
    found
}

#[test]
fn this_repository_keeps_the_rules_of_the_house() {
    let sources = sources();
    let wrong = [
        imports_point_down(&sources),
        each_file_says_first_what_it_owns(&sources),
        nothing_is_left_unfinished(&sources),
        domain_and_format_ask_nobody(&sources),
        only_the_clock_asks_for_the_time(&sources),
        what_is_tested_is_what_is_shipped(&sources),
        no_file_is_forgotten(&sources),
        fixtures_are_used(&sources, &files_below("fixtures")),
        coverage::what_is_said_to_be_shown_is_shown(&sources),
    ]
    .concat();
    assert!(wrong.is_empty(), "{} rules broken:\n{}", wrong.len(), wrong.join("\n"));
}

/// A house of files: each a path and its text.
fn house(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|&(path, text)| Source { path: path.to_owned(), text: text.to_owned() }).collect()
}

/// Two floors and two pairs of siblings; `file` holds `text`.
fn house_with(file: &str, text: &str) -> Vec<Source> {
    let mut all = house(&[
        ("src/lib.rs", "//! a\npub mod domain;\npub mod store;\npub mod link;\npub mod web;\n"),
        ("src/domain/mod.rs", "//! b\npub mod names;\npub mod plan;\n"),
        ("src/store/mod.rs", "//! c\npub mod disk;\npub mod tree;\n"),
        ("src/link/mod.rs", "//! d\n"),
        ("src/web/mod.rs", "//! e\n"),
    ]);
    all.retain(|source| source.path != file);
    all.push(Source { path: file.to_owned(), text: text.to_owned() });
    all
}

#[track_caller]
fn check_imports(file: &str, text: &str, complaints: &[&str]) {
    assert_eq!(imports_point_down(&house_with(file, text)), complaints);
}

#[test]
fn a_floor_may_know_those_below_it() {
    check_imports("src/web/mod.rs", "//! e\nuse crate::domain::names::Name;\nuse crate::store::disk;\n", &[]);
    check_imports("src/store/tree.rs", "//! e\nuse super::disk::Disk;\nuse crate::domain::plan;\n", &[]);
}

#[test]
fn a_floor_that_knows_one_above_it_is_found() {
    check_imports(
        "src/domain/names.rs",
        "//! f\n\nuse crate::store::disk;\n",
        &["src/domain/names.rs:3: `domain` may not know `store`"],
    );
    check_imports(
        "src/domain/names.rs",
        "//! f\nfn f() { crate::web::serve(); }\n",
        &["src/domain/names.rs:2: `domain` may not know `web`"],
    );
}

#[test]
fn a_sibling_that_knows_a_later_one_is_found_however_it_is_written() {
    let complaint = ["src/store/disk.rs:2: `disk` may not know `tree`"];
    check_imports("src/store/disk.rs", "//! f\nuse super::tree::Tree;\n", &complaint);
    check_imports("src/store/disk.rs", "//! f\nuse super::{tree::Tree};\n", &complaint);
    check_imports("src/store/disk.rs", "//! f\nuse crate::store::{disk, tree};\n", &complaint);
    check_imports("src/store/disk.rs", "//! f\nuse super::super::store::tree::Tree;\n", &complaint);
    check_imports("src/store/disk.rs", "//! f\nmod inner { use super::super::tree::Tree; }\n", &complaint);
}

#[test]
fn store_and_link_are_strangers() {
    check_imports(
        "src/link/mod.rs",
        "//! d\nuse crate::store::disk;\n",
        &["src/link/mod.rs:2: `link` may not know `store`"],
    );
    check_imports(
        "src/store/disk.rs",
        "//! d\nuse crate::link;\n",
        &["src/store/disk.rs:2: `store` may not know `link`"],
    );
}

#[test]
fn a_group_behind_crate_is_found_and_looked_into() {
    check_imports(
        "src/domain/names.rs",
        "//! f\nuse crate::{domain::plan, store as s};\n",
        &[
            "src/domain/names.rs:2: `crate::{…}` hides who is known: one line for each floor",
            "src/domain/names.rs:2: `names` may not know `plan`",
            "src/domain/names.rs:2: `crate::{…}` hides who is known: one line for each floor",
            "src/domain/names.rs:2: `domain` may not know `store`",
        ],
    );
}

#[test]
fn comments_strings_and_test_modules_know_whom_they_like() {
    let text = "//! f\n// crate::store::x\n/* crate::store /* nested */ crate::web */\n\
        const A: &str = \"crate::store::\\\"x\"; const B: &str = r#\"crate::\"web\"#; const C: char = '\"';\n\
        fn f<'a>(x: &'a str) {}\n#[cfg(test)]\n#[expect(x)]\nmod tests { use crate::store::disk; fn g() { {} } }\n";
    check_imports("src/domain/names.rs", text, &[]);
    check_imports(
        "src/domain/names.rs",
        &format!("{text}use crate::web;\n"),
        &["src/domain/names.rs:9: `domain` may not know `web`"],
    );
}

#[test]
fn super_in_an_inline_module_is_the_file_itself() {
    check_imports(
        "src/store/disk.rs",
        "//! f\nmod inner { use super::Disk; }\nuse super::tree;\n",
        &["src/store/disk.rs:3: `disk` may not know `tree`"],
    );
}

#[test]
fn a_file_that_does_not_say_first_what_it_owns_is_found() {
    let complaint = ["tests/x.rs:1: no `//!` says what this file owns"];
    let said = |text| each_file_says_first_what_it_owns(&house(&[("tests/x.rs", text)]));
    assert!(said("//! Tells.\n").is_empty());
    assert_eq!(said(""), complaint);
    assert_eq!(said("#![allow(x)]\n//! Tells late.\n"), complaint);
    assert_eq!(said("/// Tells of the next item.\nfn f() {}\n"), complaint);
}

#[test]
fn unfinished_work_and_empty_names_are_found() {
    let said = |path, text| nothing_is_left_unfinished(&house(&[(path, text)]));
    assert_eq!(
        said("src/a.rs", "//! a\nfn f() { todo!() }\n// FIXME: soon\n"),
        ["src/a.rs:2: `todo!`", "src/a.rs:3: `FIXME`"]
    );
    assert!(said("src/a.rs", "//! a\nfn f(todo: u8) {}\n").is_empty());
    assert_eq!(
        said("src/utils/a.rs", "//! a\n"),
        ["src/utils/a.rs: a module called `utils` says nothing about what it owns",]
    );
    assert_eq!(said("src/store/types.rs", "//! a\n").len(), 1);
}

#[test]
fn a_pure_floor_that_asks_the_machine_is_found() {
    let said = |text: &str| domain_and_format_ask_nobody(&house(&[("src/format/x.rs", text)])).len();
    assert_eq!(said("//! a\nuse std::fmt;\nuse std::io::Read;\nuse jiff::Timestamp;\nfn f(now: Timestamp) {}\n"), 0);
    for impure in [
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "fn f() { std::net::TcpStream::connect(\"x\"); }",
        "fn f() { let now = jiff::Timestamp::now(); }",
        "fn f() { let now = std::time::SystemTime::now(); }",
        "async fn f() {}",
        "fn f() { tokio::spawn(g()); }",
    ] {
        assert_eq!(said(&format!("//! a\n{impure}\n")), 1, "{impure}");
    }
    assert_eq!(said("//! a\n#[cfg(test)]\nmod tests { use std::fs; }\n"), 0);
    assert!(domain_and_format_ask_nobody(&house(&[("src/store/x.rs", "//! a\nuse std::fs;\n")])).is_empty());
}

#[test]
fn whoever_asks_for_the_time_beside_the_clock_is_found() {
    let said = |path: &str, text: &str| only_the_clock_asks_for_the_time(&house(&[(path, text)]));
    for (kind, now) in [
        ("Instant", "std::time::Instant::now()"),
        ("Instant", "since.get_or_insert_with(Instant::now)"),
        ("SystemTime", "SystemTime::now()"),
        ("Timestamp", "jiff::Timestamp::now()"),
        ("Zoned", "Zoned::now()"),
    ] {
        let text = format!("//! a\nfn f() {{ {now}; }}\n");
        assert_eq!(said("src/daemon/x.rs", &text), [format!("src/daemon/x.rs:2: `{kind}::now` outside {CLOCK}")]);
        assert!(said(CLOCK, &text).is_empty() && said("tests/it/x.rs", &text).is_empty());
    }
    assert!(said("src/x.rs", "//! a\n#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }\n").is_empty());
    let above = ("src/x.rs", "//! a\n#[cfg(test)]\nmod tests { mod story; }\n");
    let story = ("src/x/tests/story.rs", "//! s\nfn f() { Instant::now(); }\n");
    assert!(only_the_clock_asks_for_the_time(&house(&[above, story])).is_empty());
    assert_eq!(only_the_clock_asks_for_the_time(&house(&[story])).len(), 1);
}

#[test]
fn code_that_is_other_code_under_test_is_found() {
    let said = |text| what_is_tested_is_what_is_shipped(&house(&[("src/x.rs", text)]));
    assert!(said("//! a\n#[cfg(unix)]\nfn f() {}\n#[cfg(test)]\npub(crate) mod tests {}\n").is_empty());
    assert_eq!(said("//! a\n#[cfg(test)]\nfn f() {}\n"), ["src/x.rs:2: `cfg(test)` outside a test module"]);
    assert_eq!(said("//! a\n#[cfg(not(test))]\nfn f() {}\n").len(), 1);
    assert_eq!(said("//! a\nfn f() { if cfg!(test) {} }\n").len(), 1);
}

#[test]
fn a_file_to_which_no_mod_line_leads_is_found() {
    assert!(no_file_is_forgotten(&house_with("src/store/disk.rs", "//! f\n")).is_empty());
    let complaint = ["src/store/lost.rs: no `mod` line leads to this file"];
    assert_eq!(no_file_is_forgotten(&house_with("src/store/lost.rs", "//! f\n")), complaint);
    let story = |line: &str| {
        let above = format!("//! a\n#[cfg(test)]\nmod tests {{ {line} }}\n");
        no_file_is_forgotten(&house(&[("src/x.rs", &above), ("src/x/tests/story.rs", "//! s\n")])).len()
    };
    // The house has its own files without a line, the same number each time.
    assert_eq!(story("mod other;"), story("mod story;") + 1);
    let it = |main| no_file_is_forgotten(&house(&[("tests/it/main.rs", main), ("tests/it/flow.rs", "//! f\n")]));
    assert!(it("//! m\nmod flow;\n").is_empty());
    assert_eq!(it("//! m\n// mod flow;\n"), ["tests/it/flow.rs: no `mod` line leads to this file"]);
}

#[test]
fn a_fixture_that_nothing_reads_is_found() {
    let said = |code: &str, fixture: &str| fixtures_are_used(&house(&[("tests/it/x.rs", code)]), &[fixture.to_owned()]);
    assert!(said("//! include_str!(\"../a.toml\")", "fixtures/birds/a.toml").is_empty());
    assert!(said("//! fixtures/birds", "fixtures/birds/bad/a.toml").is_empty());
    assert!(said("//! nothing", "fixtures/trees/build.sh").is_empty());
    assert_eq!(said("//! fixtures/", "fixtures/birds/a.toml"), ["fixtures/birds/a.toml: no test reads this file"]);
}
