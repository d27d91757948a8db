//! The admin's file, and what an editor's accident or a template's mistake makes of it.
//!
//! - There are settings, or there are complaints, and never both or neither.
//! - Every complaint has its place inside the file, in the order of the file, and fits on its lines.
//! - What is accepted is TOML to another reader too, and a comment or a blank line changes nothing.
//! - What the admin decided is complete: directories are absolute, apart from one another, names stand once.
//! - The same text says the same twice.

use std::collections::BTreeSet;
use std::path::Path;

use rolloutd::config::reader::{self, Outcome as Read};
use rolloutd::config::settings::Settings;

use super::Outcome;

/// Longer texts are left alone: where debug assertions are on, each section compares every two keys that it knows, so
/// that thousands of sections take more than a second, which they do not elsewhere.
const LENGTH_MAX: usize = 16 * 1024;

pub fn target(data: &[u8]) -> Outcome {
    if data.len() > LENGTH_MAX {
        return Outcome::Refused;
    }
    let text = String::from_utf8_lossy(data);
    let file = Path::new("rolloutd.toml");
    let read = reader::read(&text, file);
    let again = reader::read(&text, file);
    assert_eq!((&read.settings, &read.complaints), (&again.settings, &again.complaints), "the same text twice");
    complaints(&text, &read);
    let Some(settings) = read.settings else { return Outcome::Refused };
    complete(&settings);
    if let Err(error) = text.parse::<toml::Table>() {
        panic!("accepted, and it is no TOML: {error}");
    }
    for more in ["\n# a comment \u{fc}\n", "\n\n\t \n"] {
        let longer = format!("{text}{more}");
        if longer.len() <= reader::TEXT_MAX {
            assert_eq!(reader::load(&longer, file).as_ref(), Ok(&settings), "a comment or a blank changes something");
        }
    }
    let elsewhere = reader::load(&text, Path::new("/etc/other.toml")).expect("a file may have any name");
    assert_eq!(Settings { source: settings.source.clone(), ..elsewhere }, settings);
    Outcome::Taken
}

fn complaints(text: &str, read: &Read) {
    assert_eq!(read.settings.is_some(), read.complaints.is_empty(), "settings or complaints: {:?}", read.complaints);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut before = (0, 0);
    for complaint in &read.complaints {
        let at = &complaint.at;
        assert!((1..=lines.len()).contains(&at.line), "{complaint}");
        let width = lines[at.line - 1].chars().count();
        assert!((1..=width + 1).contains(&at.column), "column {} of {width}: {complaint}", at.column);
        assert!(before <= (at.line, at.column), "in the order of the file: {complaint}");
        before = (at.line, at.column);
        assert!(!complaint.what.is_empty());
        let shown = complaint.to_string();
        let most = 1 + usize::from(complaint.hint.is_some());
        assert!(shown.lines().count() <= most, "more lines than it is told on: {shown:?}");
        let bad = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(bad), "a terminal would obey it: {shown:?}");
        assert_eq!(complaint.to_json()["line"], at.line);
    }
}

fn complete(settings: &Settings) {
    let site = &settings.site;
    for path in [&site.root, &site.state] {
        assert!(path.is_absolute(), "{}", path.display());
    }
    assert!(!site.state.starts_with(&site.root) && !site.root.starts_with(&site.state), "{site:?}");
    assert!(!settings.distributions.is_empty(), "nothing is rolled out");
    let paths: BTreeSet<_> = settings.distributions.iter().map(|distribution| &distribution.path).collect();
    assert_eq!(paths.len(), settings.distributions.len(), "a distribution stands twice");
    for distribution in &settings.distributions {
        let trees: BTreeSet<_> = distribution.trees.iter().collect();
        assert!(trees.len() >= 2 && trees.len() == distribution.trees.len(), "{:?}", distribution.trees);
        for tree in &distribution.trees {
            let ring = distribution.keys.get(tree).expect("every tree has a ring");
            assert!(!ring.is_empty() && ring.iter().all(|key| key.is_absolute()), "{ring:?}");
            assert!(distribution.policy(tree).min_signers >= 1);
        }
        assert!(distribution.legacy.iter().all(|legacy| !legacy.allow.is_empty() && !legacy.fingerprint.is_empty()));
    }
    let hooks: BTreeSet<_> = settings.webhooks.iter().map(|hook| &hook.name).collect();
    assert_eq!(hooks.len(), settings.webhooks.len(), "a webhook stands twice");
    let files = settings.webhooks.iter().flat_map(|hook| &hook.secrets).chain(settings.tokens.iter().map(|t| &t.file));
    files.for_each(|file| assert!(file.is_absolute(), "{}", file.display()));
    assert!(settings.intake.jobs >= 1 && settings.intake.max_package >= 1024);
}
