//! Key rings and the signing key: can they be read, and will their signatures be accepted?
//!
//! A key that cannot sign today is a note while its ring has another one, so that a key which expires overnight does
//! not keep the daemon from starting; a ring without any usable key is a complaint. Revoked keys are different: a
//! revocation must take effect immediately on reload, above all if the stolen key is the only one, or its only signing
//! subkey. So a ring in which every key is revoked is valid; nothing is accepted there, and nothing that these keys
//! signed moves. Nothing here decides about packages: that is `domain/trust`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::files;
use super::mentions::{Exception, Mention, Purpose};
use super::reader::Outcome;
use super::settings::Adopted;
use crate::domain::names::TreeName;
use crate::format::complaint::{Findings, Spot};
use crate::format::openpgp::{CertSummary, KEY_FILE_MAX, Keyring};
use crate::format::repofile::METADATA_KEY;
use crate::format::signing::Signer;

/// A key that expires within this time is reported: its successor has to reach every client first.
const EXPIRY_NOTICE: Duration = Duration::from_hours(90 * 24);

/// What is known about the key ring of one tree.
#[derive(Default)]
struct Ring<'o> {
    /// The first file named for it.
    at: Option<&'o Spot>,
    /// All of them, with their content.
    files: Vec<(&'o Mention, Vec<u8>)>,
    /// Certificates by fingerprint, and what they can be used for.
    certs: BTreeMap<String, Use>,
    /// Whether a file could not be read, so that the ring may hold more.
    incomplete: bool,
    /// Keys that cannot sign, until it is known how serious that is.
    unusable: Vec<(&'o Spot, String)>,
}

/// What a certificate can be used for today.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Signs,
    /// It cannot sign, because it or its signing subkey is revoked.
    Revoked,
    /// It cannot sign for another reason.
    Nothing,
}

/// Checks every key that the configuration names.
pub fn look(outcome: &Outcome, now: Timestamp, findings: &mut Findings) {
    let mut rings: BTreeMap<(usize, TreeName), Ring<'_>> = BTreeMap::new();
    let signs = outcome.notebook.mentions.iter().any(|mention| mention.purpose == Purpose::SigningKey);
    for mention in &outcome.notebook.mentions {
        match &mention.purpose {
            Purpose::Ring { distribution, trees } => {
                if signs && mention.path.file_name().is_some_and(|name| name == METADATA_KEY) {
                    let what = format!(
                        "`{METADATA_KEY}` is the published name of the [signing] key, so clients would not get this one"
                    );
                    findings.complain(&mention.at, what, Some("give this file another name".to_owned()));
                }
                let content = ring_file(mention, findings);
                for tree in trees {
                    let ring = rings.entry((*distribution, tree.clone())).or_default();
                    ring.at.get_or_insert(&mention.at);
                    match &content {
                        Some(bytes) => ring.files.push((mention, bytes.clone())),
                        None => ring.incomplete = true,
                    }
                }
            }
            Purpose::SigningKey => signing_key(mention, now, findings),
            _ => {}
        }
    }
    for ((distribution, _), ring) in &mut rings {
        let excepted = |fingerprint: &str| {
            let mut exceptions = outcome.notebook.exceptions.iter();
            exceptions
                .any(|e| e.distribution == *distribution && e.legacy.until > now && e.legacy.fingerprint == fingerprint)
        };
        ring.read(&excepted, now, findings);
    }
    for ring in rings.values() {
        ring.judge(findings);
    }
    for exception in &outcome.notebook.exceptions {
        let of = rings.iter().filter(|((distribution, _), _)| *distribution == exception.distribution);
        look_at_exception(exception, of.map(|(_, ring)| ring), now, findings);
    }
    for exception in &outcome.notebook.adopted {
        let Adopted { tree, code, until } = &exception.adopted;
        if *until <= now {
            // Whatever still needs it is held; it must not keep the daemon from starting, or nobody could take it out.
            let hint = "set a new date; or take those packages out with `rolloutctl drop`, and remove the exception"
                .to_owned();
            findings.note(
                &exception.at,
                format!("this exception has expired: {tree} must not have such packages ({code})"),
                Some(hint),
            );
        } else {
            let what = format!("{tree} keeps packages that the gate refuses ({code}) until {}", moment(*until));
            findings.note(&exception.at, what, None);
        }
    }
    for (number, distribution) in &outcome.distributions {
        for (tree, wanted) in &distribution.min_signers {
            let Some(ring) = rings.get(&(*number, tree.clone())) else { continue };
            if !ring.incomplete && ring.certs.len() < *wanted {
                let at = outcome.places.of(&format!("distribution[{number}].min_signers.{tree}"));
                let what = format!("`{tree}` requires {wanted} signers, but its ring has {}", ring.certs.len());
                findings.complain(&at, what, None);
            }
        }
    }
}

impl Ring<'_> {
    /// Reads all files as one ring, as the gate does: one file may say something about a key in another.
    fn read(&mut self, excepted: &dyn Fn(&str) -> bool, now: Timestamp, findings: &mut Findings) {
        let label = |mention: &Mention| mention.path.display().to_string();
        let files: Vec<_> = self.files.iter().map(|(mention, bytes)| (label(mention), bytes.clone())).collect();
        let ring = match Keyring::read(&files) {
            Ok(ring) => ring,
            Err(complaints) => {
                self.incomplete = true;
                for complaint in complaints {
                    let of = self.files.iter().find(|(mention, _)| label(mention) == complaint.label);
                    if let Some((mention, _)) = of {
                        findings.complain(&mention.at, complaint.to_string(), None);
                    }
                }
                return;
            }
        };
        let certs = ring.certs(now);
        for (mention, _) in &self.files {
            let held = ring.held_by(&label(mention));
            if held.len() > 1 {
                let revoked = certs.iter().filter(|cert| cert.revoked && held.contains(&cert.fingerprint)).count();
                let what = format!("{} {}", label(mention), content_of_ring(held.len(), revoked));
                findings.note(&mention.at, what, None);
            }
            for cert in certs.iter().filter(|cert| held.contains(&cert.fingerprint)) {
                let good_for = match cert {
                    cert if cert.can_sign => Use::Signs,
                    cert if cert.revoked || cert.spent => Use::Revoked,
                    cert if excepted(&cert.fingerprint) => Use::Signs,
                    _ => Use::Nothing,
                };
                if good_for != Use::Signs {
                    self.unusable.push((&mention.at, format!("{} cannot sign: {}", name(cert), why(cert))));
                }
                if cert.can_sign {
                    expiry(&mention.at, cert, now, findings);
                    if !cert.remarks.is_empty() {
                        let what = format!("{} can sign only with some of its keys: {}", name(cert), why(cert));
                        findings.note(&mention.at, what, None);
                    }
                }
                self.certs.insert(cert.fingerprint.clone(), good_for);
            }
        }
    }

    fn judge(&self, findings: &mut Findings) {
        let only = |good_for: Use| self.certs.values().all(|known| *known == good_for);
        let signs = self.certs.values().any(|known| *known == Use::Signs);
        let all_revoked = only(Use::Revoked) && !self.certs.is_empty();
        let hopeless = !self.incomplete && !signs && !all_revoked;
        for (at, what) in &self.unusable {
            if hopeless {
                findings.complain(at, what.clone(), None);
            } else {
                findings.note(at, what.clone(), None);
            }
        }
        if all_revoked && let Some(at) = self.at {
            let what = "every key of this ring is revoked: nothing is accepted, and nothing they signed moves";
            findings.note(at, what.to_owned(), None);
        }
    }
}

/// How many of a file's certificates are trusted.
fn content_of_ring(all: usize, revoked: usize) -> String {
    let are = |number: usize| format!("{number} {}", if number == 1 { "is" } else { "are" });
    match all.saturating_sub(revoked) {
        _ if revoked == 0 => format!("holds {all} certificates, all trusted"),
        0 => format!("holds {all} certificates, all revoked"),
        trusted => format!("holds {all} certificates: {} trusted, {} revoked", are(trusted), are(revoked)),
    }
}

/// The content of one file; problems with the file itself are reported at once.
fn ring_file(mention: &Mention, findings: &mut Findings) -> Option<Vec<u8>> {
    let bytes = match files::content(&mention.path, KEY_FILE_MAX) {
        Ok((bytes, _)) => bytes,
        Err(trouble) => {
            findings.trouble(&mention.at, trouble);
            return None;
        }
    };
    if let Some(trouble) = files::changeable_by_others(&mention.path) {
        findings.trouble(&mention.at, trouble);
    }
    Some(bytes)
}

fn expiry(at: &Spot, cert: &CertSummary, now: Timestamp, findings: &mut Findings) {
    if let Some(end) = cert.expiry
        && end.duration_since(now).unsigned_abs() <= EXPIRY_NOTICE
    {
        findings.note(at, format!("{} expires on {}", name(cert), day(end)), None);
    }
}

fn signing_key(mention: &Mention, now: Timestamp, findings: &mut Findings) {
    let (bytes, metadata) = match files::content(&mention.path, KEY_FILE_MAX) {
        Ok(content) => content,
        Err(trouble) => return findings.trouble(&mention.at, trouble),
    };
    if let Some(trouble) = files::open_to_others(&mention.path, &metadata) {
        findings.trouble(&mention.at, trouble);
    }
    let signer = match Signer::read(&bytes, now) {
        Ok(signer) => signer,
        Err(error) => return findings.complain(&mention.at, format!("{}: {error}", mention.path.display()), None),
    };
    let public = signer.public_key_armored().as_bytes().to_vec();
    for cert in Keyring::read(&[(String::new(), public)]).map(|ring| ring.certs(now)).unwrap_or_default() {
        expiry(&mention.at, &cert, now, findings);
    }
}

/// An exception must be about an existing key, and must not have expired; it is always listed.
fn look_at_exception<'r, 'o: 'r>(
    exception: &Exception,
    mut rings: impl Iterator<Item = &'r Ring<'o>> + Clone,
    now: Timestamp,
    findings: &mut Findings,
) {
    let legacy = &exception.legacy;
    let known = rings.clone().any(|ring| ring.incomplete || ring.certs.contains_key(&legacy.fingerprint));
    if !known && rings.next().is_some() {
        let what = format!("{} is not in any ring of this distribution", legacy.fingerprint);
        findings.complain(&exception.key_at, what, None);
    }
    if legacy.until <= now {
        let hint = "remove the exception, or set a new date".to_owned();
        findings.complain(&exception.at, "this exception has expired".to_owned(), Some(hint));
    } else {
        let lifted: Vec<&str> = legacy.allow.iter().map(|lifted| lifted.as_str()).collect();
        let what = format!(
            "weak signatures by {} are accepted before {}: {}",
            legacy.fingerprint,
            moment(legacy.until),
            lifted.join(", ")
        );
        findings.note(&exception.at, what, None);
    }
}

fn name(cert: &CertSummary) -> String {
    match cert.user_ids.first() {
        Some(user_id) => format!("{} ({user_id})", cert.fingerprint),
        None => cert.fingerprint.clone(),
    }
}

fn why(cert: &CertSummary) -> String {
    match cert.remarks.as_slice() {
        [] if cert.revoked => "it is revoked".to_owned(),
        [] => "it has no key for signing".to_owned(),
        remarks => remarks.join("; "),
    }
}

/// The day, if the moment is its beginning in UTC.
fn moment(at: Timestamp) -> String {
    if at.as_second().rem_euclid(24 * 3600) == 0 { day(at) } else { at.to_string() }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_says_how_many_of_its_certificates_are_trusted() {
        for (all, revoked, says) in [
            (2, 0, "holds 2 certificates, all trusted"),
            (3, 1, "holds 3 certificates: 2 are trusted, 1 is revoked"),
            (3, 2, "holds 3 certificates: 1 is trusted, 2 are revoked"),
            (2, 2, "holds 2 certificates, all revoked"),
        ] {
            assert_eq!(content_of_ring(all, revoked), says);
        }
    }
}
