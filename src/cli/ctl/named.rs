//! Packages that are named by files: a list, a package, a directory of packages, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::exit::{Exit, Failure};
use crate::cli::verify;

/// The longest list. A rollout has a few thousand packages at most, and a name some fifty bytes.
const LIST_MAX: u64 = 1 << 20;

/// The packages that these files name, in their order.
///
/// # Errors
/// With the file that cannot be read, or that names none.
pub(super) fn packages(files: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let found = match file.to_str() {
            Some("-") => list(io::stdin().lock()),
            _ if file.is_dir() => in_directory(file),
            _ if is_package(file) => verify::nevra_of(file).map(|nevra| vec![nevra.to_string()]),
            _ => File::open(file).map_err(|e| e.to_string()).and_then(list),
        };
        let found =
            found.and_then(|found| if found.is_empty() { Err("it names no package".to_owned()) } else { Ok(found) });
        all.extend(found.map_err(|why| Failure::new(Exit::Usage, format!("{}: {why}", file.display())))?);
    }
    Ok(all)
}

fn is_package(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "rpm")
}

/// Every package that lies in a directory, by what its header says.
fn in_directory(dir: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut files: Vec<PathBuf> = entries.map_err(|e| e.to_string())?.iter().map(std::fs::DirEntry::path).collect();
    files.retain(|file| is_package(file));
    files.sort();
    let name = |file: &PathBuf| match verify::nevra_of(file) {
        Ok(nevra) => Ok(nevra.to_string()),
        Err(why) => Err(format!("{}: {why}", file.display())),
    };
    files.iter().map(name).collect()
}

/// One package a line; what follows a `#` is a remark. Names of package files count as names of packages.
fn list(from: impl Read) -> Result<Vec<String>, String> {
    let mut text = String::new();
    from.take(LIST_MAX + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > LIST_MAX {
        return Err(format!("it is longer than {LIST_MAX} bytes"));
    }
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    // `DISTRIBUTION=PACKAGE` has slashes, too.
    let names = lines.filter(|line| !line.is_empty()).map(|line| match line.rsplit_once('/') {
        Some((_, name)) if !line.contains('=') => name,
        _ => line,
    });
    Ok(names.map(|name| name.strip_suffix(".rpm").unwrap_or(name).to_owned()).collect())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make what lies there")]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_package_a_line_and_remarks() {
        let text = "# of the build\nbdii-5.2.22-1.el6.noarch\numd/3/sl5/i386=a-1-1.i386\n\n  /srv/new/b-1-1.x86_64.rpm  # new\nbdii-*\n";
        let names = ["bdii-5.2.22-1.el6.noarch", "umd/3/sl5/i386=a-1-1.i386", "b-1-1.x86_64", "bdii-*"];
        assert_eq!(list(text.as_bytes()), Ok(names.map(str::to_owned).to_vec()));
        assert!(list(&vec![b'a'; 2 << 20][..]).is_err());
    }

    #[test]
    fn what_names_no_package_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("list");
        std::fs::write(&file, "# none\n").expect("written");
        std::fs::write(dir.path().join("junk.rpm"), "junk").expect("written");
        for (path, word) in
            [(file, "it names no package"), (dir.path().to_owned(), "junk.rpm"), ("none".into(), "none: ")]
        {
            let failure = packages(std::slice::from_ref(&path)).expect_err("nothing");
            assert!(failure.message.contains(word), "{}", failure.message);
        }
    }
}
