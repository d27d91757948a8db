//! Reads published packages again to find flipped bits.
//!
//! A file whose size and time are unchanged looks untouched, and librepo, createrepo_c and this daemon's other checks
//! believe that. Only reading it tells.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aws_lc_rs::digest;

use super::tree;
use crate::domain::checksum::Sha256;

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Checks that a package file in a tree has the accepted bytes. `known` are files read just now, by device and inode:
/// one that several trees share is read once.
///
/// # Errors
/// What is wrong with it, as a fragment.
pub fn compare(dir: &Path, place: &str, sha256: Sha256, known: &mut BTreeSet<(u64, u64)>) -> Result<(), String> {
    let mut file = tree::open_beneath(dir, Path::new(place)).map_err(|error| error.sentence())?;
    let words = |error: std::io::Error| format!("it cannot be read: {error}");
    let meta = file.metadata().map_err(words)?;
    if !meta.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if known.contains(&(meta.dev(), meta.ino())) {
        return Ok(());
    }
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => sum.update(piece.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(words(error)),
        }
    }
    let found = hex::encode(sum.finish());
    if found != sha256.to_hex() {
        return Err(format!("its SHA-256 is {found}, but {sha256} was accepted"));
    }
    known.insert((meta.dev(), meta.ino()));
    Ok(())
}
