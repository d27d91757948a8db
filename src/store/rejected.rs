//! Files that were refused, and why.
//!
//! ```text
//! <state>/rejected/<distribution>/<what>-<name>        the file as it was uploaded
//! <state>/rejected/<distribution>/<what>-<name>.why    code, rule, finding and remedy, for people
//! ```
//!
//! `<what>` is the first half of the file's SHA-256, or its inode number when it could not be read;
//! `<name>` is the last part of the uploaded path with everything but letters, digits and `._+-`
//! replaced. A refused file keeps its bytes, so that its owner can look at it; it leaves the tree,
//! so that nobody fetches it. What cannot be moved (another file system, and no plain file or larger
//! than the limit) stays where it is and is not looked at again until it changes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::disk::{self, Access, Disk, DiskError};
use crate::domain::checksum::Sha256;
use crate::domain::refusal::Refusal;

/// Longest file name that is kept; with the prefix it stays below the 255 bytes of a file name.
const NAME_KEPT: usize = 180;

/// Where a refused file goes.
pub fn place(dir: &Path, sha256: Option<Sha256>, inode: u64, uploaded: &Path) -> PathBuf {
    let what = sha256.map_or_else(|| format!("inode{inode}"), |sum| sum.to_hex().chars().take(16).collect());
    let name = uploaded.file_name().unwrap_or_default().as_encoded_bytes();
    let plain = |b: &u8| if b.is_ascii_alphanumeric() || b"._+-".contains(b) { char::from(*b) } else { '_' };
    let name: String = name.iter().take(NAME_KEPT).map(plain).collect();
    dir.join(format!("{what}-{name}"))
}

/// Moves a refused file out of the tree and writes the reason beside it.
///
/// Returns `false` when it had to stay where it is.
///
/// # Errors
/// With the path at fault; the file is then still in one of the two places.
pub fn put_aside(
    disk: &dyn Disk,
    upload: &Path,
    to: &Path,
    refusal: &Refusal,
    max_copy: u64,
) -> Result<bool, DiskError> {
    let dir = to.parent().unwrap_or(Path::new("."));
    disk.make_dir(dir)?;
    let mut why = to.as_os_str().to_owned();
    why.push(".why");
    disk::put(disk, Path::new(&why), explain(upload, refusal).as_bytes(), Access::Owner)?;
    match disk.rename(upload, to) {
        Ok(()) => {}
        Err(error) if error.is_not_found() => return Ok(true),
        Err(error) if error.wants_copy() => {
            let meta = std::fs::symlink_metadata(upload).map_err(|e| DiskError::new("look at", upload, e))?;
            if !meta.is_file() || meta.len() > max_copy {
                return Ok(false);
            }
            disk.remove(to)?;
            disk::link_or_copy(disk, upload, to)?;
            disk.sync_dir(dir)?;
            disk.remove(upload)?;
        }
        Err(error) => return Err(error),
    }
    disk.sync_dir(dir)?;
    Ok(true)
}

fn explain(upload: &Path, refusal: &Refusal) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "file:    {}", upload.display().to_string().escape_default());
    let _ = writeln!(text, "code:    {}", refusal.code);
    let _ = writeln!(text, "rule:    {}", refusal.code.rule());
    let _ = writeln!(text, "found:   {}", refusal.detail.escape_debug());
    let _ = writeln!(text, "to mend: {}", refusal.code.remedy());
    text
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;
    use crate::domain::refusal::Code;

    #[test]
    fn a_refused_file_leaves_the_tree_with_its_reason_beside_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let upload = dir.path().join("we ird\n.rpm");
        disk::put(&Kernel::default(), &upload, b"junk", Access::Everybody).expect("written");
        let to = place(&dir.path().join("rejected/d"), Some(Sha256([0xab; 32])), 1, &upload);
        assert!(to.ends_with("rejected/d/abababababababab-we_ird_.rpm"));
        let refusal = Refusal::new(Code::NotRpm, "begins with `junk`");
        assert!(put_aside(&Kernel::default(), &upload, &to, &refusal, 100).expect("moved"));
        assert!(!upload.exists());
        assert_eq!(std::fs::read(&to).expect("kept"), b"junk");
        let why =
            std::fs::read_to_string(dir.path().join("rejected/d/abababababababab-we_ird_.rpm.why")).expect("said");
        assert!(why.contains("code:    not_rpm"), "{why}");
    }
}
