//! Files that were refused, and why.
//!
//! ```text
//! <state>/rejected/<distribution>/<what>-<name>        the file as it was uploaded
//! <state>/rejected/<distribution>/<what>-<name>.why    code, rule, finding and remedy, for people; who uploaded it, since
//!                                                      when, how often
//! ```
//!
//! `<what>` is the first half of the file's SHA-256, or its inode number if it could not be read; `<name>` is the last
//! part of the uploaded path with everything but letters, digits and `._+-` replaced, and `.rpm` at its end. A refused
//! file keeps its bytes, so that its owner can look at it, but leaves the tree, so that nobody fetches it. What is kept
//! is a copy: the upload's own inode belongs to whoever made it. Of anything but a plain file, and of a file larger
//! than [`KEPT_MAX`], only the reason is kept. [`evidence`](super::evidence) decides how long they are kept.
//!
//! What never happens: an upload is read as a reason. No upload is stored under a name like a reason's, and a reason is
//! a plain file of the daemon's own user that nobody else can write to.

use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};

use super::disk::{self, Access, AtPath as _, Disk, DiskError, READ_UPLOAD};
use super::timed_read::TimedReader;
use crate::domain::checksum::Sha256;
use crate::domain::legible;
use crate::domain::moment::Elapsed;
use crate::domain::refusal::{Code, Refusal};

/// The longest part of a name that is kept; with the prefix it stays below the 255 bytes of a file name.
const NAME_KEPT: usize = 180;

/// The end of every refused file's name: never that of a reason, whatever its uploader called it.
const ENDING: &str = ".rpm";

/// The end of the name of a reason.
pub const WHY: &str = ".why";

/// The largest refused file of which a copy is kept; of larger ones there is only the reason. An uploader can make a
/// file of any size without writing a byte of it, so keeping one must be cheap.
pub const KEPT_MAX: u64 = 256 << 20;

/// Most bytes of a reason.
const REASON_MAX: u64 = 16 << 10;

/// Most characters kept of a path, and of what was found.
const PATH_KEPT: usize = 1_000;
const FOUND_KEPT: usize = 2_000;

/// The highest count that is believed.
const TIMES_MAX: u64 = 1_000_000_000_000;

/// How a refused file's name begins.
pub fn what(sha256: Option<Sha256>, inode: u64) -> String {
    sha256.map_or_else(|| format!("inode{inode}-"), |sum| sum.to_hex().chars().take(16).chain(['-']).collect())
}

/// The path under which a refused file is kept.
pub fn place(dir: &Path, sha256: Option<Sha256>, inode: u64, uploaded: &Path) -> PathBuf {
    let what = what(sha256, inode);
    let name = uploaded.file_name().unwrap_or_default().as_encoded_bytes();
    let name = name.strip_suffix(ENDING.as_bytes()).unwrap_or(name);
    let plain = |b: &u8| if b.is_ascii_alphanumeric() || b"._+-".contains(b) { char::from(*b) } else { '_' };
    let name: String = name.iter().take(NAME_KEPT).map(plain).collect();
    dir.join(format!("{what}{name}{ENDING}"))
}

/// What became of a refused file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was removed from where it was uploaded. Its reason is kept, and a copy of this many bytes if it was not too
    /// large.
    Aside(Option<u64>),
    /// It was replaced after it was refused. The new file is left for the next scan.
    Another,
}

/// The file that was moved aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is beside its old place, under this name.
    To(PathBuf),
    /// It no longer exists.
    Gone,
    /// It was a different file, which is now beside its old place and is examined later.
    Another,
}

/// How a refused file is told from one that replaced it.
pub struct Known<'a> {
    /// Whether this is the refused file, perhaps under another name.
    pub is_it: &'a dyn Fn(&std::fs::Metadata) -> bool,
    /// Moves it aside, within its directory.
    pub aside: &'a dyn Fn() -> Result<Taken, DiskError>,
    /// Opens it there, without following links or blocking.
    pub open: &'a dyn Fn(&Path) -> Result<std::fs::File, DiskError>,
    /// Removes it from where it was uploaded; false if a different file is there.
    pub clear: &'a dyn Fn() -> Result<bool, DiskError>,
}

/// Writes a reason, copies the refused file beside it unless it is too large or not a plain file, and removes the
/// upload.
///
/// The copy is the daemon's own file: whoever uploaded the original may still have it open. Somebody who heard of the
/// refusal may already have uploaded a better file under that name: that one stays.
///
/// # Errors
/// With the path that failed; the file is still where it was uploaded, perhaps under another name.
pub fn put_aside(
    disk: &dyn Disk,
    to: &Path,
    reason: &Reason,
    (sha256, max_copy): (Option<Sha256>, u64),
    known: &Known<'_>,
) -> Result<Put, DiskError> {
    // This comes first, since it fails if the daemon cannot write there, and is cheap.
    let aside = match (known.aside)()? {
        Taken::To(aside) => aside,
        Taken::Gone => return Ok(Put::Aside(None)),
        Taken::Another => return Ok(Put::Another),
    };
    let dir = to.parent().unwrap_or(Path::new("."));
    disk.make_dir(dir)?;
    // The reason is written last: where there is one, the copy is complete, so whoever finds it after a crash need not
    // copy again.
    let kept = match copy(disk, &aside, to, (sha256, max_copy.min(KEPT_MAX)), known)? {
        Copied::Whole(bytes) => Some(bytes),
        Copied::Not => None,
        // It is examined again under its present name.
        Copied::Changed => return Ok(Put::Another),
    };
    disk.sync_dir(dir)?;
    let mut why = to.as_os_str().to_owned();
    why.push(WHY);
    disk::put(disk, Path::new(&why), reason.to_string().as_bytes(), Access::Owner)?;
    disk.sync_dir(dir)?;
    disk.remove(&aside)?;
    Ok(Put::Aside(kept))
}

enum Copied {
    /// With its size.
    Whole(u64),
    /// It is too large, cannot be read, or is not a plain file.
    Not,
    /// It is not what was refused.
    Changed,
}

fn copy(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    (sha256, most): (Option<Sha256>, u64),
    known: &Known<'_>,
) -> Result<Copied, DiskError> {
    let lies = std::fs::symlink_metadata(from).at("look at", from)?;
    if !lies.is_file() || lies.len() > most {
        return Ok(Copied::Not);
    }
    let file = match (known.open)(from) {
        Ok(file) => file,
        Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => return Ok(Copied::Not),
        Err(error) => return Err(error),
    };
    let meta = file.metadata().at("look at", from)?;
    if !(known.is_it)(&meta) || !meta.is_file() || meta.len() > most {
        return Ok(Copied::Changed);
    }
    // A file that grows without end is not read without end.
    let source = file.try_clone().at("open again", from)?.take(meta.len().saturating_add(1));
    let mut source = TimedReader::begin(source).at(READ_UPLOAD, from)?;
    let mut fresh = disk.fresh(to.parent().unwrap_or(Path::new(".")), Access::Owner)?;
    let (mut sum, mut bytes) = (digest::Context::new(&digest::SHA256), 0_u64);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = source.read(&mut buffer).at(READ_UPLOAD, from)?;
        let piece = buffer.get(..n).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        bytes = bytes.saturating_add(piece.len() as u64);
        sum.update(piece);
        disk.write(&mut fresh, piece)?;
    }
    let after = file.metadata().at("look at", from)?;
    let is_other = sha256.is_some_and(|sha256| sha256.0 != *sum.finish().as_ref());
    if is_other || bytes != meta.len() || !(known.is_it)(&after) {
        return Ok(Copied::Changed);
    }
    fresh.file.set_modified(meta.modified().at("look at", from)?).at("set the time of", to)?;
    disk.sync(&fresh)?;
    disk.name(fresh, to)?;
    Ok(Copied::Whole(bytes))
}

/// The text of a reason, if this program can have written it; an upload is never taken for one, whatever its name.
///
/// # Errors
/// Why it is not a reason.
pub fn text_of(why: &Path) -> Result<String, String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(why, flags, Mode::empty()).map_err(|error| error.to_string())?;
    let file = std::fs::File::from(fd);
    let meta = file.metadata().map_err(|error| error.to_string())?;
    let us = disk::me();
    if !meta.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    if meta.uid() != us {
        return Err(format!("it belongs to {}, not to {}", disk::user(meta.uid()), disk::user(us)));
    }
    if meta.mode() & 0o022 != 0 {
        return Err("others can write to it".to_owned());
    }
    let mut text = String::new();
    let read = file.take(REASON_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > REASON_MAX {
        return Err(format!("it is longer than {REASON_MAX} bytes"));
    }
    Ok(text)
}

/// The reason stored beside a refused file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// The path in the drop directory under which it was first uploaded, escaped.
    pub file: String,
    /// The stable code; empty if unknown.
    pub code: String,
    /// What exactly was found, escaped.
    pub found: String,
    /// The user who owned it.
    pub owner: Option<u32>,
    /// When it was first refused, in elapsed time.
    pub since: Option<Elapsed>,
    /// The same by the wall clock, for people.
    pub refused_at: Option<Timestamp>,
    /// How many times the same bytes were refused.
    pub times: u64,
}

impl Reason {
    /// The reason for a file that was just refused.
    pub fn new(uploaded: &Path, refusal: &Refusal, owner: u32, since: Option<Elapsed>) -> Self {
        let file = cut(&uploaded.display().to_string().escape_default().to_string(), PATH_KEPT);
        let mut reason = Self { file, owner: Some(owner), since, times: 1, ..Self::default() };
        reason.refused(refusal);
        reason
    }

    /// Counts another refusal of the same bytes.
    pub fn refused(&mut self, refusal: &Refusal) {
        self.code = refusal.code.to_string();
        self.found = cut(&legible::line(&refusal.detail), FOUND_KEPT);
    }

    /// The rule and the remedy of a known code.
    pub fn words(&self) -> Option<(&'static str, &'static str)> {
        let code: Code = self.code.parse().ok()?;
        Some((code.rule(), code.remedy()))
    }

    /// Parses what [`fmt::Display`] wrote; missing lines stay empty. `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let mut reason = Self { times: 1, ..Self::default() };
        let mut seen = Vec::new();
        for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match key {
                "file" => value.clone_into(&mut reason.file),
                "code" => value.clone_into(&mut reason.code),
                "found" => value.clone_into(&mut reason.found),
                "owner" => reason.owner = Some(value.parse().ok()?),
                "since" => reason.since = Some(value.parse().ok()?),
                "refused" => reason.refused_at = Some(value.parse().ok()?),
                "times" => reason.times = value.parse().ok().filter(|times| (1..=TIMES_MAX).contains(times))?,
                _ => continue,
            }
            if seen.contains(&key) {
                return None;
            }
            seen.push(key);
        }
        Some(reason)
    }
}

/// The beginning of a text, and a mark if there was more.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
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
        if let Some(at) = self.refused_at {
            writeln!(f, "refused: {at}")?;
        }
        writeln!(f, "times:   {}", self.times)
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    /// Puts an upload aside as intake does; `is_it` says whether it is the one that was refused.
    fn put(upload: &Path, to: &Path, reason: &Reason, sha256: Option<Sha256>, is_it: bool) -> Put {
        let disk = Kernel::default();
        let aside = upload.with_file_name(".aside");
        let known = Known {
            is_it: &|_| is_it,
            aside: &|| disk.rename(upload, &aside).map(|()| Taken::To(aside.clone())),
            open: &|path| std::fs::File::open(path).map_err(|error| DiskError::new("open", path, error)),
            clear: &|| Ok(true),
        };
        put_aside(&disk, to, reason, (sha256, 1 << 40), &known).expect("put aside")
    }

    fn junk(upload: &Path) -> Reason {
        Reason::new(upload, &Refusal::new(Code::NotRpm, "begins with `junk`"), 1, None)
    }

    fn names(dir: &Path) -> usize {
        std::fs::read_dir(dir).expect("listed").count()
    }

    #[test]
    fn what_was_uploaded_in_place_of_a_refused_file_stays_where_it_was_uploaded() {
        let dir = tempfile::tempdir().expect("a directory");
        let upload = dir.path().join("a.rpm");
        // Another file, and the same one with other bytes than those that were refused.
        for (is_it, sha256) in [(false, None), (true, Some(Sha256([1; 32])))] {
            disk::put(&Kernel::default(), &upload, b"a better one", Access::Everybody).expect("written");
            let to = place(&dir.path().join("rejected/d"), None, 1, &upload);
            assert_eq!(put(&upload, &to, &junk(&upload), sha256, is_it), Put::Another);
            assert_eq!(std::fs::read(dir.path().join(".aside")).expect("there"), b"a better one");
            assert_eq!(names(to.parent().expect("a directory")), 0);
        }
    }

    #[test]
    fn a_refused_file_leaves_the_tree_with_its_reason_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let upload = dir.path().join("we ird\n.rpm");
        disk::put(&Kernel::default(), &upload, b"junk", Access::Everybody).expect("written");
        let to = place(&dir.path().join("rejected/d"), Some(Sha256([0xab; 32])), 1, &upload);
        assert!(to.ends_with("rejected/d/abababababababab-we_ird_.rpm"));
        // Its owner still has it open, and what they write there does not affect us.
        let mut open = std::fs::File::options().append(true).open(&upload).expect("opened");
        let refusal = junk(&upload);
        assert_eq!(put(&upload, &to, &refusal, None, true), Put::Aside(Some(4)));
        std::io::Write::write_all(&mut open, b"more").expect("written");
        assert!(!upload.exists());
        assert_eq!(std::fs::read(&to).expect("kept"), b"junk");
        assert_eq!(std::fs::metadata(&to).expect("kept").mode() & 0o777, 0o600);
        let why = text_of(&dir.path().join("rejected/d/abababababababab-we_ird_.rpm.why")).expect("said");
        assert!(why.contains("code:    not_rpm"), "{why}");
        assert_eq!(Reason::read(&why), Some(refusal));
    }

    #[test]
    fn what_is_no_file_or_too_large_leaves_its_reason_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let upload = dir.path().join("a.rpm");
        let place = dir.path().join("rejected/d");
        let make: [&dyn Fn(); 3] = [
            &|| {
                let mode = Mode::RUSR | Mode::WUSR;
                rustix::fs::mknodat(rustix::fs::CWD, &upload, rustix::fs::FileType::Fifo, mode, 0).expect("made");
            },
            &|| std::os::unix::fs::symlink("/etc/passwd", &upload).expect("linked"),
            &|| {
                disk::put(&Kernel::default(), &upload, b"", Access::Everybody).expect("written");
                let file = std::fs::File::options().write(true).open(&upload).expect("opened");
                file.set_len(KEPT_MAX + 1).expect("grown");
            },
        ];
        for (n, make) in make.iter().enumerate() {
            make();
            let to = super::place(&place, None, n as u64, &upload);
            assert_eq!(put(&upload, &to, &junk(&upload), None, true), Put::Aside(None), "{n}");
            assert_eq!((names(dir.path()), names(&place)), (1, n + 1), "{n}");
        }
    }

    #[test]
    fn no_upload_gets_the_name_of_a_reason() {
        let long = format!("{}.why{}.rpm", "x".repeat(NAME_KEPT - 4), "y".repeat(60));
        for name in [".cleared-by-rolloutd-1.why", "a.rpm.why", ".why", "a.why\n", "a.why.rpm", &long, ""] {
            for sha256 in [None, Some(Sha256([0xab; 32]))] {
                let to = place(Path::new("d"), sha256, u64::MAX, Path::new(name));
                let name = to.file_name().and_then(|name| name.to_str()).expect("a name");
                assert!(name.ends_with(ENDING) && name.len() + WHY.len() < 255, "{name}");
            }
        }
    }

    #[test]
    fn a_reason_is_never_what_this_program_does_not_write() {
        for text in
            ["owner:  -1", "owner: x", "since: tomorrow", "times: 0", "times: 99999999999999999999", "code: a\ncode: b"]
        {
            assert_eq!(Reason::read(text), None, "{text}");
        }
        // Reasons written before they recorded who and since when.
        assert_eq!(Reason::read("code:    unsigned\n").expect("read").code, "unsigned");
        // However long the path was, all of it is read back.
        let reason = Reason::new(
            &PathBuf::from("\u{fffd}".repeat(1_300)),
            &Refusal::new(Code::NotRpm, "é".repeat(9_000)),
            7,
            None,
        );
        assert!(reason.to_string().len() < 8 << 10);
        assert_eq!(Reason::read(&reason.to_string()), Some(reason));
    }
}
