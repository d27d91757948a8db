//! An entry: as it is about to be written, as it was read, and the end of the chain that it makes.

use aws_lc_rs::digest;
use jiff::Timestamp;

use crate::domain::checksum::Sha256;

/// What is written next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// When it was decided.
    pub at: Timestamp,
    /// Who caused it.
    pub who: String,
    /// Why, one sentence; may be empty.
    pub why: String,
    /// What, as JSON with a version; opaque here.
    pub body: String,
    /// What it is about, for the index; empty in an entry that was read.
    pub about: Vec<String>,
}

/// An entry as it stands in the logbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// What it says.
    pub draft: Draft,
    /// The hash of the chain up to and with it.
    pub hash: Sha256,
}

/// An entry while it is being read; nothing of it is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'r> {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who caused it.
    pub who: &'r str,
    /// Why, one sentence; may be empty.
    pub why: &'r str,
    /// What, as JSON with a version; opaque here.
    pub body: &'r str,
    /// The hash of the chain up to and with it.
    pub hash: Sha256,
}

impl Row<'_> {
    /// A copy that can be kept.
    pub(super) fn to_recorded(self) -> Recorded {
        let (who, why, body) = (self.who.to_owned(), self.why.to_owned(), self.body.to_owned());
        Recorded { seq: self.seq, draft: Draft { at: self.at, who, why, body, about: vec![] }, hash: self.hash }
    }
}

impl Recorded {
    /// The same without a copy.
    pub(super) fn as_row(&self) -> Row<'_> {
        let Draft { at, who, why, body, .. } = &self.draft;
        Row { seq: self.seq, at: *at, who, why, body, hash: self.hash }
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last entry; 0 for an empty logbook.
    pub seq: u64,
    /// Its hash; zeros for an empty logbook.
    pub hash: Sha256,
}

impl Default for Head {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Head {
    /// The head of an empty logbook.
    pub const EMPTY: Self = Self { seq: 0, hash: Sha256([0; 32]) };

    /// The head after one more entry, whose `at`, `who`, `why` and `body` are given as they stand in its row. `room` is
    /// kept for the next one: hashing one piece takes less time than hashing nine.
    pub(super) fn after(self, texts: [&str; 4], room: &mut Vec<u8>) -> Self {
        let seq = self.seq + 1;
        room.clear();
        room.extend_from_slice(&self.hash.0);
        room.extend_from_slice(&seq.to_be_bytes());
        for text in texts {
            room.extend_from_slice(&(text.len() as u64).to_be_bytes());
            room.extend_from_slice(text.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, room).as_ref());
        Self { seq, hash: Sha256(hash) }
    }
}
