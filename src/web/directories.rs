//! The pages that list a directory of the trees, so that every address of a tree opens in a browser.
//!
//! They show what is served: regular files and directories whose names do not begin with a dot, and no links. The content
//! of the disk decides, not the logbook, as with any web server; clients read `repomd.xml`.

use std::path::Path;

use askama::Template;
use axum::response::Response;
use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::pages;
use crate::format::repofile;
use crate::store::tree;

/// Most entries on a page. A letter below `Packages/` of the largest public repositories has a few thousand.
const SHOWN_MAX: usize = 10_000;

/// What a directory holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    /// Directories first, each kind in the order of the names.
    entries: Vec<Entry>,
    /// Whether there is more than a page can show.
    is_cut: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    is_file: bool,
    name: String,
    bytes: u64,
    changed: Timestamp,
}

impl Entry {
    fn link(&self) -> String {
        format!("{}{}", repofile::url_part(&self.name), self.slash())
    }

    fn slash(&self) -> &'static str {
        if self.is_file { "" } else { "/" }
    }

    fn moment(&self) -> String {
        pages::moment(self.changed)
    }
}

#[derive(Template)]
#[template(path = "directory.html")]
struct Page {
    site: String,
    path: String,
    listing: Listing,
    /// Whether there is a directory above that is served.
    has_parent: bool,
}

/// Lists a directory below `root`, or `root` itself; `None` if there is none.
pub fn list(root: &Path, relative: &Path) -> Option<Listing> {
    let mut dir = Dir::new(tree::open_dir_beneath(root, relative).ok()?).ok()?;
    let (mut entries, mut is_cut) = (Vec::new(), false);
    while let Some(entry) = dir.read() {
        let entry = entry.ok()?;
        // A name that is no UTF-8 has no address that is served.
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let Ok(stat) = statat(dir.fd().ok()?, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let is_file = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => true,
            FileType::Directory => false,
            _ => continue,
        };
        if entries.len() == SHOWN_MAX {
            is_cut = true;
            break;
        }
        let changed = Timestamp::from_second(stat.st_mtime).unwrap_or_default();
        let bytes = u64::try_from(stat.st_size).unwrap_or_default();
        entries.push(Entry { is_file, name: name.to_owned(), bytes, changed });
    }
    entries.sort();
    Some(Listing { entries, is_cut })
}

/// The page of a directory: `path` as the browser shows it, with a slash at the end.
pub fn page(site: String, path: String, listing: Listing, has_parent: bool) -> Response {
    let mut page = pages::page(&Page { site, path, listing, has_parent });
    let keeping = axum::http::HeaderValue::from_static("no-cache");
    page.headers_mut().insert(axum::http::header::CACHE_CONTROL, keeping);
    page
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make what lies there")]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_is_listed_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        for name in ["repodata", "Packages", ".rolloutd"] {
            std::fs::create_dir(path(name)).expect("made");
        }
        for name in ["c++ <b>.repo", ".hidden"] {
            std::fs::write(path(name), "text").expect("written");
        }
        std::os::unix::fs::symlink("/etc", path("link")).expect("linked");
        let listing = list(dir.path(), Path::new("")).expect("a directory");
        let names: Vec<&str> = listing.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, ["Packages", "repodata", "c++ <b>.repo"]);
        assert_eq!(listing.entries.last().map(Entry::link).as_deref(), Some("c%2B%2B%20%3Cb%3E.repo"));
        assert!(!listing.is_cut);
        for none in ["link", "c++ <b>.repo", "missing"] {
            assert_eq!(list(dir.path(), Path::new(none)), None, "{none}");
        }
    }

    #[test]
    fn the_page_of_a_directory_is_as_it_was() {
        let entry = |is_file, name: &str, bytes| Entry {
            is_file,
            name: name.to_owned(),
            bytes,
            changed: Timestamp::from_second(1_795_176_000).expect("a time"),
        };
        let entries = vec![entry(false, "repodata", 4096), entry(true, "UMD3_SL6_x86_64_Testing.repo", 312)];
        let page = Page {
            site: "Example software repository".to_owned(),
            path: "/sw/testing/umd/3/sl6/x86_64/".to_owned(),
            listing: Listing { entries, is_cut: true },
            has_parent: true,
        };
        insta::assert_snapshot!(page.render().expect("it renders"));
    }
}
