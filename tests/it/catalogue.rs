//! The catalogue of hostile inputs: one row for each, with the verdict that is due.
//!
//! H is what is wrong with the container and its headers, S with signatures, digests and keys, N with names and
//! text, B what is no package at all. A row is a file, made here octet by octet or by OpenPGP's own builder, the
//! ring and the exceptions under which it arrives, and the one right answer: accepted, or a code. Each row has
//! exactly one thing wrong, and all else in it is as it should be: what is spoilt in a header is spoilt before
//! the header is hashed and signed, so that no digest and no signature gives it away.
//!
//! What the catalogue names and what is no file that could be judged stands in [`Table::elsewhere`], with the place
//! where it is tried. Here the rows are judged in this process; `attack.rs` shows them to a running daemon and
//! to `rolloutd verify`.
//!
//! `ROLLOUTD_LONG=1` cuts a package at each of its octets instead of at the interesting ones, and adds the largest
//! headers that take the longest.
#![expect(clippy::disallowed_methods, reason = "what expires or lies ahead is reckoned from now")]

mod headers;
mod keys;
mod lists;
mod names;
mod nothing;
mod payloads;
mod signatures;

pub(crate) use self::headers::hostile;
pub(crate) use self::names::AHEAD;

use crate::forge::{self, Draft, Hand, text};
use jiff::{SignedDuration, Timestamp};
use rolloutd::domain::refusal::Code;
use rolloutd::domain::trust::{Legacy, Lifted, Policy};
use rolloutd::format::header::{Extent, extent};
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::package::Package;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::serialize::SerializeInto as _;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

/// Rows of one distribution have one policy, and their keys lie in one ring.
pub(crate) const USUAL: &str = "usual";
/// Two signers are asked for.
pub(crate) const TWO_SIGNERS: &str = "pairs";
/// Only packages for one architecture.
pub(crate) const ONE_ARCH: &str = "onearch";
/// Packages that are too large to be listed with the others.
pub(crate) const LARGE: &str = "large";

/// Every distribution that the rows arrive in.
pub(crate) const DISTRIBUTIONS: [&str; 6] = [USUAL, TWO_SIGNERS, ONE_ARCH, LARGE, "adopted", "copies"];

/// The one right answer.
pub(crate) type Verdict = Result<(), Code>;

/// What arrives.
pub(crate) enum Input {
    /// These bytes.
    File(Vec<u8>),
    /// Whatever is made at the path that is given.
    Made(fn(&Path)),
}

/// One hostile input, or one good one that looks hostile.
pub(crate) struct Row {
    /// As in the catalogue.
    pub(crate) id: &'static str,
    /// What it is.
    pub(crate) what: String,
    pub(crate) input: Input,
    /// Key files of the ring.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Fingerprint and what is lifted for it.
    pub(crate) legacy: Option<(String, Vec<Lifted>)>,
    pub(crate) distribution: &'static str,
    /// The answer of a daemon.
    pub(crate) expected: Verdict,
    /// The answer of who knows nothing but the file, where that is another.
    pub(crate) alone: Option<Verdict>,
    /// Who has signed what is accepted.
    pub(crate) signers: BTreeSet<String>,
    /// What the verdict has to say beside it.
    pub(crate) notes: Vec<String>,
    /// What the metadata has to say of it.
    pub(crate) shows: Vec<String>,
    /// Bytes of its headers.
    pub(crate) header: u64,
}

impl Row {
    /// Other distribution, other policy, other ring.
    pub(crate) fn arriving_in(&mut self, distribution: &'static str) -> &mut Self {
        assert!(DISTRIBUTIONS.contains(&distribution));
        self.distribution = distribution;
        self
    }

    /// A dated exception for this key.
    pub(crate) fn allowing(&mut self, by: &Hand, allow: &[Lifted]) -> &mut Self {
        self.legacy = (!allow.is_empty()).then(|| (by.fingerprint(), allow.to_vec()));
        self
    }

    /// The ring is this, whoever has signed.
    pub(crate) fn ring(&mut self, certs: &[&Cert]) -> &mut Self {
        self.keys = certs.iter().map(|cert| cert.to_vec().unwrap()).collect();
        self
    }

    /// A daemon refuses what who knows nothing but the file would take.
    pub(crate) fn expecting(&mut self, code: Code) -> &mut Self {
        self.alone = Some(self.expected);
        self.expected = Err(code);
        self
    }

    /// Who knows nothing but the file refuses it with another code than a daemon.
    pub(crate) fn alone(&mut self, verdict: Verdict) -> &mut Self {
        self.alone = Some(verdict);
        self
    }

    pub(crate) fn noting(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn showing(&mut self, text: impl Into<String>) -> &mut Self {
        self.shows.push(text.into());
        self
    }

    /// The policy by which it is judged.
    pub(crate) fn policy(&self) -> Policy {
        let legacy = self.legacy.iter().map(|(fingerprint, allow)| Legacy {
            fingerprint: fingerprint.clone(),
            until: in_days(365),
            allow: allow.clone(),
        });
        Policy { legacy: legacy.collect(), min_signers: if self.distribution == TWO_SIGNERS { 2 } else { 1 } }
    }
}

/// All rows, as they are collected.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// What the catalogue names and is no row: id, what, and where it is tried.
    pub(crate) elsewhere: Vec<[&'static str; 3]>,
    drafts: usize,
}

impl Table {
    /// Every row of every section; made once for all tests.
    pub(crate) fn shared() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(Self::all)
    }

    fn all() -> Self {
        let mut table = Self::default();
        headers::rows(&mut table);
        lists::rows(&mut table);
        payloads::rows(&mut table);
        signatures::rows(&mut table);
        keys::rows(&mut table);
        names::rows(&mut table);
        nothing::rows(&mut table);
        table
    }

    /// Gives a draft a name that no other row has, since a second package of a name is refused for that alone.
    pub(crate) fn named(&mut self, draft: Draft) -> Draft {
        self.drafts += 1;
        draft.set(1000, Some(text(format!("row{}", self.drafts))))
    }

    /// A package of format 4 under a name of its own.
    pub(crate) fn draft(&mut self) -> Draft {
        self.named(Draft::new())
    }

    /// A package from before rpm 4.14 under a name of its own.
    pub(crate) fn old(&mut self) -> Draft {
        self.named(Draft::old())
    }

    /// A package of format 6 under a name of its own.
    pub(crate) fn six(&mut self) -> Draft {
        self.named(Draft::six())
    }

    fn row(&mut self, id: &'static str, what: &str, input: Input, by: &[&Hand], expected: Verdict) -> &mut Row {
        let header = match &input {
            Input::File(file) => header_bytes(file),
            Input::Made(_) => 0,
        };
        self.rows.push(Row {
            id,
            what: what.to_owned(),
            input,
            keys: by.iter().map(|hand| hand.public()).collect(),
            legacy: None,
            distribution: USUAL,
            expected,
            alone: None,
            signers: BTreeSet::new(),
            notes: Vec::new(),
            shows: Vec::new(),
            header,
        });
        self.rows.last_mut().unwrap()
    }

    /// A file that is accepted, signed by all of these.
    pub(crate) fn good(&mut self, id: &'static str, what: &str, by: &[&Hand], file: Vec<u8>) -> &mut Row {
        let row = self.row(id, what, Input::File(file), by, Ok(()));
        row.signers = by.iter().map(|hand| hand.fingerprint()).collect();
        row
    }

    /// A file that is refused, with these in the ring.
    pub(crate) fn bad(&mut self, id: &'static str, what: &str, code: Code, ring: &[&Hand], file: Vec<u8>) -> &mut Row {
        self.row(id, what, Input::File(file), ring, Err(code))
    }

    /// A file that is accepted when no code is due.
    pub(crate) fn due(
        &mut self,
        id: &'static str,
        what: &str,
        code: Option<Code>,
        by: &[&Hand],
        file: Vec<u8>,
    ) -> &mut Row {
        if let Some(code) = code { self.bad(id, what, code, by, file) } else { self.good(id, what, by, file) }
    }

    /// Something that is no plain file.
    pub(crate) fn made(&mut self, id: &'static str, what: &str, code: Code, make: fn(&Path)) -> &mut Row {
        self.row(id, what, Input::Made(make), &[usual()], Err(code))
    }

    /// What is tried in another place, and why not here.
    pub(crate) fn elsewhere(&mut self, id: &'static str, what: &'static str, place: &'static str) {
        self.elsewhere.push([id, what, place]);
    }
}

/// Bytes of both headers with all before them, or what there is of them.
fn header_bytes(file: &[u8]) -> u64 {
    let Ok(Extent::Known(layout)) = extent(file) else { return 0 };
    layout.main.end.min(file.len() as u64)
}

/// Who signs what is not about keys.
pub(crate) fn usual() -> &'static Hand {
    static HAND: OnceLock<Hand> = OnceLock::new();
    HAND.get_or_init(|| Hand::new("usual"))
}

/// When all this happens.
pub(crate) fn now() -> Timestamp {
    static NOW: OnceLock<Timestamp> = OnceLock::new();
    *NOW.get_or_init(|| Timestamp::from_second(Timestamp::now().as_second()).unwrap())
}

pub(crate) fn in_days(days: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * days)
}

/// The same as the text that the forge takes.
pub(crate) fn days_from_now(days: i64) -> String {
    in_days(days).to_string()
}

/// The verdict of the functions that daemon and `verify` call, and what it says beside it.
fn judge(row: &Row, file: &[u8]) -> (Verdict, BTreeSet<String>, Vec<String>) {
    let files: Vec<(String, Vec<u8>)> =
        row.keys.iter().enumerate().map(|(n, key)| (format!("key {n}"), key.clone())).collect();
    let ring = Keyring::read(&files).unwrap();
    // Who signed what is the first question, as `verify` has it.
    let judged = forge::read(file).and_then(|contents| {
        let mut accepted = contents.judge(&ring, &row.policy(), now())?;
        let package = Package::read(&contents.header, &contents.signature_header, &contents.layout)?;
        if !package.replaced_text.is_empty() {
            accepted.notes.push(format!("characters replaced in {}", package.replaced_text.join(", ")));
        }
        Ok(accepted)
    });
    match judged {
        Ok(accepted) => (Ok(()), accepted.fingerprints.into_iter().collect(), accepted.notes),
        Err(refusal) => (Err(refusal.code), BTreeSet::new(), vec![refusal.detail]),
    }
}

#[test]
fn every_row_gets_its_verdict_from_the_gate_itself() {
    let table = Table::shared();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in &table.rows {
        let Input::File(file) = &row.input else { continue };
        judged += 1;
        let (verdict, signers, notes) = judge(row, file);
        let right = row.alone.unwrap_or(row.expected);
        if verdict != right || signers != row.signers {
            wrong.push(format!("{} {}: {verdict:?} by {signers:?}, {right:?} is right: {notes:?}", row.id, row.what));
        }
        for note in &row.notes {
            if !notes.iter().any(|said| said.contains(note.as_str())) {
                wrong.push(format!("{} {}: nothing says `{note}`: {notes:?}", row.id, row.what));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged} rows\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 130, "{judged}");
}

/// What the catalogue has, so that no row of it is forgotten.
#[test]
fn every_number_of_the_catalogue_has_a_row_or_a_place_elsewhere() {
    let table = Table::shared();
    let have: BTreeSet<String> = table
        .rows
        .iter()
        .map(|row| row.id.to_owned())
        .chain(table.elsewhere.iter().map(|[id, ..]| (*id).to_owned()))
        .collect();
    let all = [("H", 30), ("S", 45), ("N", 18), ("B", 11)];
    let wanted: BTreeSet<String> =
        all.iter().flat_map(|(section, last)| (1..=*last).map(move |n| format!("{section}{n}"))).collect();
    assert_eq!(have, wanted);
}
