//! Files put together in one: a tar archive (POSIX.1-1988 `ustar`, with GNU's way to write long names).
//!
//! All files are plain, readable by everybody, and of the same time, so that the same content gives the same bytes.

/// The length of a header, and what everything is rounded up to.
const BLOCK: usize = 512;

/// The longest name that a header has room for.
const NAME_MAX: usize = 100;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path in the archive.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The archive of these files, in this order. `modified` is the time of all, in seconds since the epoch.
pub fn archive(members: &[Member], modified: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for Member { name, bytes } in members {
        if name.len() > NAME_MAX {
            let mut long = name.clone().into_bytes();
            long.push(0);
            put(&mut all, &header(b"././@LongLink", b'L', long.len(), 0), &long);
        }
        let begin = name.as_bytes().get(..NAME_MAX).unwrap_or(name.as_bytes());
        put(&mut all, &header(begin, b'0', bytes.len(), modified), bytes);
    }
    all.extend([0; 2 * BLOCK]);
    all
}

fn put(all: &mut Vec<u8>, header: &[u8; BLOCK], bytes: &[u8]) {
    all.extend(header);
    all.extend(bytes);
    all.resize(all.len().next_multiple_of(BLOCK), 0);
}

fn header(name: &[u8], kind: u8, size: usize, modified: u64) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut set = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    set(0, name);
    set(100, b"0000644\0");
    set(108, b"0000000\0");
    set(116, b"0000000\0");
    set(124, format!("{size:011o}\0").as_bytes());
    set(136, format!("{modified:011o}\0").as_bytes());
    // The sum is taken with blanks where it will stand.
    set(148, b"        ");
    set(156, &[kind]);
    set(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (to, from) in header.iter_mut().skip(148).zip(sum.as_bytes()) {
        *to = *from;
    }
    header
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_what_is_written() {
        let long = format!("document/{}.odt", "x".repeat(200));
        let member = |name: &str, bytes: &[u8]| Member { name: name.into(), bytes: bytes.to_vec() };
        let members = [member("document/a.odt", b"one"), member(&long, &[7; 1_000]), member("document/empty", b"")];
        let bytes = archive(&members, 1_700_000_000);
        assert_eq!((bytes.len() % BLOCK, archive(&members, 1_700_000_000)), (0, bytes.clone()));
        let tar = |words: &[&str]| {
            let child = Command::new("tar").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
            let mut child = child.expect("tar is everywhere");
            child.stdin.take().expect("a pipe").write_all(&bytes).expect("written");
            let out = child.wait_with_output().expect("it ends");
            assert!(out.status.success(), "{words:?}");
            out.stdout
        };
        let listed = String::from_utf8(tar(&["-tf", "-"])).expect("text");
        assert_eq!(listed.lines().collect::<Vec<_>>(), ["document/a.odt", long.as_str(), "document/empty"]);
        assert_eq!(tar(&["-xOf", "-", &long]), [7; 1_000]);
        assert_eq!(tar(&["-xOf", "-", "document/a.odt"]), b"one");
    }
}
