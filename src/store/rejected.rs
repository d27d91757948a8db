//! Files that were refused, and why.
//!
//! ```text
//! <state>/rejected/<distribution>/<what>-<name>        the file as it was uploaded
//! <state>/rejected/<distribution>/<what>-<name>.why    code, rule, finding and remedy, for people; by whom, since when,
//!                                                      how often
//! ```
//!
//! `<what>` is the first half of the file's SHA-256, or its inode number when it could not be read;
//! `<name>` is the last part of the uploaded path with everything but letters, digits and `._+-`
//! replaced. A refused file keeps its bytes, so that its owner can look at it; it leaves the tree,
//! so that nobody fetches it. What cannot be moved (another file system, and no plain file or larger
//! than the limit) stays where it is and is not looked at again until it changes. How long they are kept is the matter
//! of [`evidence`](super::evidence).

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk::{self, Access, Disk, DiskError, Wanted};
use crate::domain::checksum::Sha256;
use crate::domain::legible;
use crate::domain::refusal::{Code, Refusal};

/// Longest file name that is kept; with the prefix it stays below the 255 bytes of a file name.
const NAME_KEPT: usize = 180;

/// What a refused file is known by.
pub fn what(sha256: Option<Sha256>, inode: u64) -> String {
    sha256.map_or_else(|| format!("inode{inode}-"), |sum| sum.to_hex().chars().take(16).chain(['-']).collect())
}

/// Where a refused file goes.
pub fn place(dir: &Path, sha256: Option<Sha256>, inode: u64, uploaded: &Path) -> PathBuf {
    let what = what(sha256, inode);
    let name = uploaded.file_name().unwrap_or_default().as_encoded_bytes();
    let plain = |b: &u8| if b.is_ascii_alphanumeric() || b"._+-".contains(b) { char::from(*b) } else { '_' };
    let name: String = name.iter().take(NAME_KEPT).map(plain).collect();
    dir.join(format!("{what}{name}"))
}

/// What became of a file that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It lies beside its reason.
    Aside,
    /// It had to stay where it is.
    Stays,
    /// Another one has taken its place in the tree since it was refused. That one is left there, or given back.
    Another,
}

/// How a refused file is told from one that somebody has put in its place.
pub struct Known<'a> {
    /// Whether this is the file that was refused, perhaps under another name.
    pub is_it: &'a dyn Fn(&std::fs::Metadata) -> bool,
    /// Opens it, following no link.
    pub open: &'a dyn Fn() -> Result<std::fs::File, DiskError>,
    /// Removes it from the tree; false when another one lies there.
    pub clear: &'a dyn Fn() -> Result<bool, DiskError>,
}

/// Moves a refused file out of the tree and writes the reason beside it.
///
/// Whoever was told of the refusal may have uploaded a better file under that name by now. So what was moved is
/// looked at once more.
///
/// # Errors
/// With the path at fault; the file is then still in one of the two places.
pub fn put_aside(
    disk: &dyn Disk,
    upload: &Path,
    to: &Path,
    reason: &Reason,
    max_copy: u64,
    known: &Known<'_>,
) -> Result<Put, DiskError> {
    let dir = to.parent().unwrap_or(Path::new("."));
    disk.make_dir(dir)?;
    let mut why = to.as_os_str().to_owned();
    why.push(".why");
    let why = Path::new(&why);
    disk::put(disk, why, reason.to_string().as_bytes(), Access::Owner)?;
    let look = |path: &Path| std::fs::symlink_metadata(path).map_err(|e| DiskError::new("look at", path, e));
    match disk.rename(upload, to) {
        Ok(()) if (known.is_it)(&look(to)?) => {}
        Ok(()) => {
            give_back(disk, to, upload)?;
            disk.remove(why)?;
            return Ok(Put::Another);
        }
        Err(error) if error.is_not_found() => return Ok(Put::Aside),
        Err(error) if error.wants_copy() => {
            if !look(upload)?.is_file() {
                return Ok(Put::Stays);
            }
            let file = (known.open)()?;
            let meta = file.metadata().map_err(|e| DiskError::new("look at", upload, e))?;
            if !meta.is_file() || meta.len() > max_copy {
                return Ok(Put::Stays);
            }
            let wanted = Wanted { sha256: None, file_time: None, access: Access::Owner };
            disk::copy_over(disk, &file, upload, to, wanted)?;
            disk.sync_dir(dir)?;
            if !(known.clear)()? {
                disk.remove(to)?;
                disk.remove(why)?;
                return Ok(Put::Another);
            }
        }
        Err(error) => return Err(error),
    }
    disk.sync_dir(dir)?;
    Ok(Put::Aside)
}

/// Puts a file back under its name, or under one beside it when that is taken again.
fn give_back(disk: &dyn Disk, from: &Path, name: &Path) -> Result<(), DiskError> {
    let last = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let others = (1_u64..).map(|n| name.with_file_name(format!("again{n}-{last}")));
    for place in std::iter::once(name.to_owned()).chain(others) {
        match disk.link(from, &place) {
            Ok(()) => break,
            Err(error) if error.is_taken() => {}
            Err(error) => return Err(error),
        }
    }
    disk.remove(from)
}

/// What stands beside a refused file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The path below the directory of uploads under which it came first, escaped.
    pub file: String,
    /// The stable code; empty when nobody knows any more.
    pub code: String,
    /// What exactly was found, escaped.
    pub found: String,
    /// The user to whom it belonged.
    pub owner: Option<u32>,
    /// When it was refused first, by the time by which things wait for their removal.
    pub since: Option<Timestamp>,
    /// How often the same bytes came.
    pub times: u64,
}

impl Reason {
    /// That of a file that was refused just now.
    pub fn new(uploaded: &Path, refusal: &Refusal, owner: u32, since: Option<Timestamp>) -> Self {
        let file = uploaded.display().to_string().escape_default().to_string();
        let mut reason = Self { file, owner: Some(owner), since, times: 1, ..Self::default() };
        reason.refused(refusal);
        reason
    }

    /// The same bytes were refused with this word.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.code = refusal.code.to_string();
        self.found = legible::lines(&refusal.detail.escape_debug().to_string()).into_owned();
    }

    /// The rule and the remedy, of a code that is known.
    pub fn words(&self) -> Option<(&'static str, &'static str)> {
        let code: Code = self.code.parse().ok()?;
        Some((code.rule(), code.remedy()))
    }

    /// Reads what [`fmt::Display`] wrote; lines that are not there stay empty.
    pub fn read(text: &str) -> Self {
        let mut reason = Self { times: 1, ..Self::default() };
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match key {
                "file" => value.clone_into(&mut reason.file),
                "code" => value.clone_into(&mut reason.code),
                "found" => value.clone_into(&mut reason.found),
                "owner" => reason.owner = value.parse().ok(),
                "since" => reason.since = value.parse().ok(),
                "times" => reason.times = value.parse().unwrap_or(1),
                _ => {}
            }
        }
        reason
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "file:    {}", self.file)?;
        writeln!(f, "code:    {}", self.code)?;
        let (rule, remedy) = self.words().unwrap_or_default();
        writeln!(f, "rule:    {rule}")?;
        writeln!(f, "found:   {}", self.found)?;
        writeln!(f, "to mend: {remedy}")?;
        if let Some(owner) = self.owner {
            writeln!(f, "owner:   {owner}")?;
        }
        if let Some(since) = self.since {
            writeln!(f, "since:   {since}")?;
        }
        writeln!(f, "times:   {}", self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    const IT: Known<'_> = Known {
        is_it: &|_| true,
        open: &|| Err(DiskError::new("open", Path::new("a.rpm"), std::io::ErrorKind::NotFound.into())),
        clear: &|| Ok(true),
    };

    #[test]
    fn what_was_uploaded_in_place_of_a_refused_file_stays_in_the_tree() {
        let dir = tempfile::tempdir().expect("a directory");
        let upload = dir.path().join("a.rpm");
        disk::put(&Kernel::default(), &upload, b"a better one", Access::Everybody).expect("written");
        let to = place(&dir.path().join("rejected/d"), None, 1, &upload);
        let refusal = Reason::new(&upload, &Refusal::new(Code::NotRpm, "begins with `junk`"), 1, None);
        let another = Known { is_it: &|_| false, ..IT };
        let put = put_aside(&Kernel::default(), &upload, &to, &refusal, 100, &another).expect("given back");
        assert_eq!(put, Put::Another);
        assert_eq!(std::fs::read(&upload).expect("there"), b"a better one");
        assert_eq!(std::fs::read_dir(to.parent().expect("a directory")).expect("listed").count(), 0);

        // And one that was uploaded while that went on, too.
        Kernel::default().link(&upload, &dir.path().join("moved")).expect("linked");
        give_back(&Kernel::default(), &dir.path().join("moved"), &upload).expect("given back");
        assert_eq!(std::fs::read(dir.path().join("again1-a.rpm")).expect("there"), b"a better one");
    }

    #[test]
    fn a_refused_file_leaves_the_tree_with_its_reason_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let upload = dir.path().join("we ird\n.rpm");
        disk::put(&Kernel::default(), &upload, b"junk", Access::Everybody).expect("written");
        let to = place(&dir.path().join("rejected/d"), Some(Sha256([0xab; 32])), 1, &upload);
        assert!(to.ends_with("rejected/d/abababababababab-we_ird_.rpm"));
        let refusal = Reason::new(&upload, &Refusal::new(Code::NotRpm, "begins with `junk`"), 1, None);
        assert_eq!(put_aside(&Kernel::default(), &upload, &to, &refusal, 100, &IT).expect("moved"), Put::Aside);
        assert!(!upload.exists());
        assert_eq!(std::fs::read(&to).expect("kept"), b"junk");
        let why =
            std::fs::read_to_string(dir.path().join("rejected/d/abababababababab-we_ird_.rpm.why")).expect("said");
        assert!(why.contains("code:    not_rpm"), "{why}");
        assert_eq!(Reason::read(&why), refusal);
    }
}
