//! What a tree shows or holds that the logbook does not know.
//!
//! A publication replaces what clients see. If that is not what was last published there, somebody has to confirm that
//! nothing is lost; so what the metadata lists is read here, whoever wrote it. [`super::distribution`] compares the
//! result with the logbook.
//!
//! What never happens: anything is written.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::publication;
use super::tree;
use crate::format::repomd::Repomd;

/// The package list of the largest known repository has a third of this, decompressed.
const LIST_MAX: u64 = 1 << 30;

/// The most files counted, and the deepest level searched: the number is only shown to people.
pub const FILES_MAX: usize = 100_000;
const DEPTH_MAX: usize = 16;

/// The most names in a sentence.
const NAMED_MOST: usize = 3;

/// The locations listed through a `repomd.xml`, whoever wrote it; `None` if its package list is missing, so that it
/// leads nowhere.
///
/// # Errors
/// Why it cannot be read.
pub fn locations(tree: &Path, repomd: &Repomd) -> Result<Option<BTreeSet<String>>, String> {
    let Some(primary) = repomd.get("primary") else { return Ok(None) };
    if std::fs::symlink_metadata(tree.join(&primary.location)).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    {
        return Ok(None);
    }
    let list = publication::content(tree, primary, primary.open_size.unwrap_or(LIST_MAX).min(LIST_MAX))?;
    read(list).map(Some).map_err(|why| format!("{}: {why}", primary.location))
}

/// The locations in a package list.
fn read(list: impl BufRead) -> Result<BTreeSet<String>, String> {
    let mut reader = Reader::from_reader(list);
    reader.config_mut().check_end_names = true;
    let mut found = BTreeSet::new();
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    let mut is_list = false;
    loop {
        match reader.read_event_into(&mut buffer).map_err(|error| error.to_string())? {
            Event::Start(start) => {
                is_list |= start.local_name().as_ref() == "metadata";
                depth += 1;
                found.extend(location(&start)?);
            }
            Event::Empty(start) => {
                is_list |= start.local_name().as_ref() == "metadata";
                found.extend(location(&start)?);
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::DocType(_) => return Err("it has a DOCTYPE".to_owned()),
            Event::Eof if depth == 0 && is_list => return Ok(found),
            Event::Eof => return Err("it is truncated, or not a list of packages".to_owned()),
            _ => {}
        }
        buffer.clear();
    }
}

fn location(start: &BytesStart<'_>) -> Result<Option<String>, String> {
    if start.local_name().as_ref() != "location" {
        return Ok(None);
    }
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.as_ref() == "href" {
            let text = quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
            return Ok(Some(text.into_owned()));
        }
    }
    Err("a location is invalid".to_owned())
}

/// RPM files anywhere in a tree whose paths `known` does not know, except those in hidden directories.
pub fn files(tree: &Path, known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![(String::new(), 0)];
    while let Some((below, depth)) = todo.pop() {
        // Whoever needs a directory that cannot be listed will report it.
        for entry in std::fs::read_dir(tree.join(&below)).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let place = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEPTH_MAX && !name.starts_with('.') => {
                    todo.push((place, depth + 1));
                }
                Ok(kind) if kind.is_file() && tree::is_rpm(&name) && !known(&place) => {
                    found.push(place);
                }
                _ => {}
            }
            if found.len() == FILES_MAX {
                return found;
            }
        }
    }
    found.sort();
    found
}

/// Some names for a sentence, abbreviated.
pub fn some(names: &[String]) -> String {
    let first: Vec<String> =
        names.iter().take(NAMED_MOST).map(|name| name.escape_debug().collect::<String>()).collect();
    let more = names.len().saturating_sub(NAMED_MOST);
    if more > 0 { format!("{} and {more} more", first.join(", ")) } else { first.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Disk as _, Kernel};
    use super::*;

    fn found(list: &str) -> Result<Vec<String>, String> {
        read(list.as_bytes()).map(|found| found.into_iter().collect())
    }

    #[test]
    fn whoever_wrote_a_list_its_locations_are_read() {
        let ours = crate::format::primary::head(0) + crate::format::primary::foot();
        assert_eq!(found(&ours), Ok(vec![]));
        let theirs = "<m:metadata xmlns:m='x' packages='2'><m:package><m:location href='a&amp;b.rpm'/></m:package>\
                      <package><location xml:base='http://x/' href=\"c.rpm\"></location></package></m:metadata>";
        assert_eq!(found(theirs), Ok(vec!["a&b.rpm".to_owned(), "c.rpm".to_owned()]));
        for bad in ["", "<html></html>", "<metadata>", "<metadata><location/></metadata>", "<!DOCTYPE a><metadata/>"] {
            assert!(found(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_that_are_known_or_no_packages_are_not_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["Packages/a/a.rpm", "b.rpm", "deep/er/c.rpm", "Packages/a/.d.rpm", ".rsync/e.rpm", "f.txt"] {
            let path = dir.path().join(name);
            Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
            std::fs::File::create(path).expect("made");
        }
        std::os::unix::fs::symlink("b.rpm", dir.path().join("g.rpm")).expect("linked");
        assert_eq!(files(dir.path(), |place| place == "Packages/a/a.rpm"), ["b.rpm", "deep/er/c.rpm"]);
        assert_eq!(files(&dir.path().join("none"), |_| false), Vec::<String>::new());
    }

    #[test]
    fn a_sentence_names_some_and_counts_the_rest() {
        let names = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!([some(&names(1)), some(&names(3)), some(&names(22))], ["0", "0, 1, 2", "0, 1, 2 and 19 more"]);
    }
}
