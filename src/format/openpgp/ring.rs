//! The certificates that a tree trusts: read from its key files, found by what a signature names, and described.
//!
//! Keys are found by fingerprint or key id and every candidate is tried (S41).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::{Fingerprint, KeyID};

use super::binding::{Gravity, bound_with_least_lifted, name_of, revocation, system_time, weaknesses_of_binding};
use crate::format::keyfile::{self, KeyComplaint, guarded, printable};

/// What is known about a certificate before anything is signed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertSummary {
    /// Upper-case hexadecimal.
    pub fingerprint: String,
    /// Its user ids, control characters replaced.
    pub user_ids: Vec<String>,
    /// When its last signing key expires or expired; `None` if never.
    pub expiry: Option<Timestamp>,
    /// Revoked as a whole, softly or hard.
    pub revoked: bool,
    /// Whether it could still sign if its longest-lasting key were not revoked.
    pub spent: bool,
    /// Its keys of signing algorithms, including the primary key.
    pub keys: Vec<KeySummary>,
    /// Whether one of its keys could sign a package that arrives at the given time.
    pub can_sign: bool,
    /// Why not, or what an exception would have to lift.
    pub remarks: Vec<String>,
}

/// What is known about one key of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySummary {
    /// Upper-case hexadecimal.
    pub fingerprint: String,
    /// When it or its certificate expires, if that can be determined.
    pub expiry: Option<Timestamp>,
    /// Whether it or its certificate is revoked.
    pub revoked: Option<Gravity>,
    /// Whether it may have signed packages: it is not certainly meant for something else.
    pub may_sign: bool,
}

/// The certificates that a tree trusts.
#[derive(Clone, Default)]
pub struct Keyring {
    certs: Vec<Cert>,
    /// Every key and subkey, bound or not, by its 64-bit id; several may share one.
    by_id: BTreeMap<KeyID, Vec<Candidate>>,
    /// The files that it was read from.
    files: Arc<[(String, Vec<u8>)]>,
    /// Which certificates are in which file.
    held: Arc<[(String, Vec<Fingerprint>)]>,
}

#[derive(Clone)]
struct Candidate {
    cert: usize,
    key: Fingerprint,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.certs.iter().map(fingerprint_of)).finish()
    }
}

impl Keyring {
    /// Reads certificates, armored or binary, any number in each file, or revocations of them.
    ///
    /// Copies of one certificate are merged, and a revocation counts whichever file it is in (S42).
    ///
    /// # Errors
    /// All complaints about all files; there is no ring then, since a ring that lacks a revocation is worse than none.
    pub fn read(files: &[(String, Vec<u8>)]) -> Result<Self, Vec<KeyComplaint>> {
        Self::read_but(files, &|_| false).map(|(ring, _)| ring)
    }

    /// The same, but files whose label `may_be_left_out` accepts are left out if they have no usable certificate. Also
    /// returns the complaints about those.
    ///
    /// # Errors
    /// All complaints about the files that count.
    pub fn read_but(
        files: &[(String, Vec<u8>)],
        may_be_left_out: &dyn Fn(&str) -> bool,
    ) -> Result<(Self, Vec<KeyComplaint>), Vec<KeyComplaint>> {
        let keyfile::Contents { certs, held, left_out } = keyfile::read(files, may_be_left_out)?;
        let counts = |label: &String| held.iter().any(|(file, _)| file == label);
        let files = files.iter().filter(|(label, _)| counts(label)).cloned().collect();
        Ok((Self { files, held: held.into(), ..Self::of(certs) }, left_out))
    }

    /// The files that it was read from, as [`Keyring::read`] takes them.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// The fingerprints of the certificates in a file.
    pub fn held_by(&self, label: &str) -> BTreeSet<String> {
        let files = self.held.iter().filter(|(file, _)| file == label);
        files.flat_map(|(_, held)| held).map(Fingerprint::to_hex).collect()
    }

    /// What clients get for a file: its certificates as rpm accepts them, one armored block each, including what the
    /// ring knows from other files, such as a revocation. `None` for a file without certificates.
    ///
    /// # Errors
    /// If the library cannot write what it has read.
    pub fn for_clients(&self, label: &str) -> Result<Option<Vec<u8>>, String> {
        let held = self.held_by(label);
        let certs = self.certs.iter().filter(|cert| held.contains(&fingerprint_of(cert)));
        let blocks = certs.map(|cert| guarded(|| keyfile::armored(cert)).and_then(|armored| armored));
        let text = blocks.collect::<Result<String, String>>()?;
        Ok((!text.is_empty()).then(|| text.into_bytes()))
    }

    /// A ring of certificates without files.
    pub(super) fn of(certs: Vec<Cert>) -> Self {
        let mut by_id: BTreeMap<KeyID, Vec<Candidate>> = BTreeMap::new();
        for (cert, of) in certs.iter().enumerate() {
            for key in of.keys() {
                let key = key.key().fingerprint();
                by_id.entry(KeyID::from(&key)).or_default().push(Candidate { cert, key });
            }
        }
        Self { certs, by_id, files: Arc::default(), held: Arc::default() }
    }

    /// All certificates in it; some may be designated revokers of others.
    pub(super) fn all(&self) -> &[Cert] {
        &self.certs
    }

    /// Whether it has no certificates; nothing can be accepted then.
    pub fn is_empty(&self) -> bool {
        self.certs.is_empty()
    }

    /// Its certificates, evaluated as of `at`, by fingerprint.
    pub fn certs(&self, at: Timestamp) -> Vec<CertSummary> {
        self.certs.iter().map(|cert| self.summary(cert, at)).collect()
    }

    fn summary(&self, cert: &Cert, at: Timestamp) -> CertSummary {
        let mut summary = CertSummary {
            fingerprint: fingerprint_of(cert),
            user_ids: cert.userids().map(|user_id| printable(user_id.userid().value())).collect(),
            expiry: None,
            revoked: false,
            spent: false,
            keys: Vec::new(),
            can_sign: false,
            remarks: Vec::new(),
        };
        let Some(moment) = system_time(at) else {
            summary.remarks.push(format!("{at} is not a time that OpenPGP can represent"));
            return summary;
        };
        summary.revoked =
            guarded(|| revocation(&self.certs, cert, &cert.primary_key().into(), at).is_some()).unwrap_or(true);
        let (mut ends, mut past, mut last) = (Vec::new(), None, Vec::new());
        // As if it signed now; encryption keys need no remark.
        for key in cert.keys().filter(|key| key.key().pk_algo().for_signing()) {
            let whose = name_of(cert, &key);
            let revoked =
                guarded(|| revocation(&self.certs, cert, &key, at)).unwrap_or_else(|why| Some((Gravity::Hard, why)));
            let (gravity, mut own_end) = (revoked.as_ref().map(|(gravity, _)| *gravity), None);
            let verdict = guarded(|| {
                let (lifts, bound) = bound_with_least_lifted(&key, moment).map_err(|why| format!("{whose}: {why}"))?;
                if !bound.for_signing {
                    return Ok(None);
                }
                own_end = bound.end;
                last.push((bound.end.unwrap_or(Timestamp::MAX), gravity));
                if let Some((_, how)) = revoked {
                    return Err(how);
                }
                if let Some(end) = bound.end.filter(|end| *end <= at) {
                    past = past.max(Some(end));
                    return Err(format!("{whose} expired on {end}"));
                }
                let weak = weaknesses_of_binding(lifts, &whose).into_iter().map(|weakness| match weakness.lifted_by {
                    Some(by) => format!("{} (a legacy exception would have to allow {by})", weakness.detail),
                    None => weakness.detail,
                });
                let weak: Vec<String> = weak.collect();
                Ok(Some((bound.end, weak)))
            });
            summary.keys.push(KeySummary {
                fingerprint: key.key().fingerprint().to_hex(),
                expiry: own_end,
                revoked: gravity,
                may_sign: !matches!(verdict, Ok(Ok(None))),
            });
            match verdict {
                Ok(Ok(Some((end, weak)))) => {
                    summary.can_sign |= weak.is_empty();
                    summary.remarks.extend(weak);
                    ends.push(end);
                }
                Ok(Ok(None)) => {}
                Ok(Err(why)) | Err(why) => summary.remarks.push(why),
            }
        }
        let longest = last.iter().map(|(end, _)| *end).max();
        let mut for_longest = last.iter().filter(|(end, _)| Some(*end) == longest);
        summary.spent = !summary.can_sign && longest.is_some() && for_longest.all(|(_, revoked)| revoked.is_some());
        // `None` is "never", so the latest of all.
        if !ends.contains(&None) {
            summary.expiry = ends.into_iter().flatten().max().or(past);
        }
        summary
    }

    /// The keys that may have made a signature, by the issuer it names; several only if two certificates have the same
    /// key, or two keys the same 64-bit id.
    pub(super) fn candidates(
        &self,
        issuer: &Issuer,
    ) -> impl Iterator<Item = (&Cert, ErasedKeyAmalgamation<'_, PublicParts>)> {
        let fingerprint = issuer.fingerprint.clone();
        self.by_id
            .get(&issuer.id)
            .into_iter()
            .flatten()
            .filter(move |candidate| fingerprint.as_ref().is_none_or(|wanted| *wanted == candidate.key))
            .filter_map(|candidate| {
                let cert = self.certs.get(candidate.cert)?;
                let key = cert.keys().find(|key| key.key().fingerprint() == candidate.key)?;
                Some((cert, key))
            })
    }
}

/// The issuer that a signature names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issuer {
    pub(super) id: KeyID,
    pub(super) fingerprint: Option<Fingerprint>,
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fingerprint {
            Some(fingerprint) => write!(f, "{fingerprint}"),
            None => write!(f, "{}", self.id),
        }
    }
}

/// Upper-case hexadecimal.
pub(super) fn fingerprint_of(cert: &Cert) -> String {
    cert.fingerprint().to_hex()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use jiff::SignedDuration;
    use sequoia_openpgp::anyhow;
    use sequoia_openpgp::cert::{CertBuilder, SubkeyRevocationBuilder};
    use sequoia_openpgp::packet::{Packet, UserID};
    use sequoia_openpgp::policy::StandardPolicy;
    use sequoia_openpgp::serialize::SerializeInto as _;
    use sequoia_openpgp::types::{KeyFlags, ReasonForRevocation};

    use super::*;
    use crate::domain::refusal::Code;
    use crate::format::keyfile::certificates::packets_of;
    use crate::format::keyfile::one_line;
    use crate::format::openpgp::claim::tests::{
        BORN, NOW, cert, claim, claim_at, claim_over, own_key, read, self_signed, since_born,
    };

    #[test]
    fn s41_of_two_keys_with_one_id_the_right_one_is_found_in_either_order() {
        let (right, wrong) = (cert(), cert());
        let id = right.keyid();
        let (claim, context) = claim(&right, id.clone(), b"text");
        // Really colliding keys would cost weeks to make; the index is told that these two collide.
        for first in [true, false] {
            let mut ring = read(&[&right, &wrong]);
            let other = ring.by_id.get(&wrong.keyid()).unwrap().clone();
            let same_id = ring.by_id.get_mut(&id).unwrap();
            same_id.extend(other);
            if first {
                same_id.reverse();
            }
            assert_eq!(claim.examine(&context, &ring, NOW).map(|s| s.fingerprint), Ok(fingerprint_of(&right)));
        }
        let mut only_the_wrong = read(&[&wrong]);
        let other = only_the_wrong.by_id.get(&wrong.keyid()).unwrap().clone();
        only_the_wrong.by_id.insert(id, other);
        assert_eq!(claim.examine(&context, &only_the_wrong, NOW).map_err(|r| r.code), Err(Code::BadSignature));
    }

    #[test]
    fn a_panic_of_the_library_is_an_error_of_the_file() {
        let result = guarded(|| -> u8 { panic!("as a long issuer subpacket once did") });
        assert_eq!(result, Err("the OpenPGP library failed on it".to_owned()));
    }

    #[test]
    fn a_ring_knows_its_files_and_whose_certificates_are_in_it() {
        let (one, other) = (cert(), cert());
        let files = [&one, &other].map(|cert| (fingerprint_of(cert), cert.to_vec().unwrap()));
        let ring = Keyring::read(&files).unwrap();
        assert_eq!(ring.files(), files);
        let mut fingerprints = [&one, &other].map(|cert| cert.fingerprint().to_hex());
        fingerprints.sort();
        assert_eq!(format!("{ring:?}"), format!("{fingerprints:?}"));
        assert!(!ring.is_empty());
        assert!(Keyring::default().is_empty());
    }

    #[test]
    fn armor_that_begins_or_ends_in_the_wrong_place_is_no_key_file() {
        let armored = String::from_utf8(cert().armored().to_vec().unwrap()).unwrap();
        let begin = armored.split_inclusive('\n').next().unwrap();
        let end = armored.trim_end().rsplit('\n').next().unwrap();
        for (file, what) in [
            (format!("{begin}{armored}"), "an armored block begins in line 2 inside another"),
            (format!("\n{end}\n{armored}"), "an armored block ends in line 2 that has not begun"),
            (armored.replace(end, ""), "its armor has no end"),
        ] {
            let complaints = Keyring::read(&[("file".to_owned(), file.into_bytes())]).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].what.starts_with(what), "{complaints:?}");
            assert_eq!(complaints[0].label, "file");
        }
    }

    #[test]
    fn s44_a_key_file_has_at_most_4_mib() {
        // Text before and after armor is skipped.
        let mut file = cert().armored().to_vec().unwrap();
        file.resize(4 * 1024 * 1024, b'\n');
        let read = |file: &[u8]| Keyring::read(&[("padded".to_owned(), file.to_vec())]);
        assert_eq!(read(&file).map(|ring| ring.certs.len()), Ok(1));
        file.push(b'\n');
        let complaints = read(&file).unwrap_err();
        assert_eq!(complaints[0].to_string(), "padded: larger than 4194304 bytes");
    }

    #[test]
    fn s44_a_key_file_has_at_most_1024_keys_and_20000_packets() {
        let key = Packet::from(own_key().parts_into_public()).to_vec().unwrap();
        let user_id = Packet::from(UserID::from("x")).to_vec().unwrap();
        let mut packets = Vec::new();
        // Several blocks in one file count together.
        assert_eq!(packets_of(&key.repeat(1000), &mut packets), Ok(()));
        assert_eq!(packets_of(&key.repeat(24), &mut packets), Ok(()));
        let too_many = Err("more than 1024 keys or 20000 packets: put them into several files".to_owned());
        assert_eq!(packets_of(&key, &mut packets.clone()), too_many);
        assert_eq!(packets_of(&user_id.repeat(18_976), &mut packets), Ok(()));
        assert_eq!(packets.len(), 20_000);
        assert_eq!(packets_of(&user_id, &mut packets), too_many);
    }

    #[test]
    fn s44_a_secret_key_is_named_as_such_whatever_its_version() {
        let complaint = |file: Vec<u8>| Keyring::read(&[("file".to_owned(), file)]).unwrap_err().remove(0).to_string();
        let secret = "file: holds a secret key: export the public key only (`gpg --armor --export KEY`), and keep the secret \
                      one elsewhere";
        assert_eq!(complaint(cert().as_tsk().to_vec().unwrap()), secret);
        // Packets of types 5 and 7, secret key and secret subkey, and 6, public key; of versions that do not exist.
        assert_eq!(complaint(vec![0xc5, 6, 99, 0, 0, 0, 0, 1]), secret);
        assert_eq!(complaint([cert().to_vec().unwrap(), vec![0xc7, 6, 99, 0, 0, 0, 0, 1]].concat()), secret);
        let unknown = complaint(vec![0xc6, 6, 99, 0, 0, 0, 0, 1]);
        let told = "file: packet 1 of it is a key of a version that is not supported: ";
        assert!(unknown.starts_with(told), "{unknown}");
    }

    #[test]
    fn what_another_program_keeps_beside_a_certificate_does_not_keep_it_out() {
        let cert = cert();
        // A trust packet as in gpg's ring files, and a private packet.
        for beside in [&[0xcc, 2, 0, 0][..], &[0xfc, 1, 7]] {
            let file = [&cert.to_vec().unwrap(), beside].concat();
            let ring = Keyring::read(&[("ring".to_owned(), file)]);
            let certs = ring.map(|ring| ring.certs.iter().map(fingerprint_of).collect());
            assert_eq!(certs, Ok(vec![fingerprint_of(&cert)]), "{beside:?}");
        }
        // A signature of a future version may be a revocation.
        let file = [&cert.to_vec().unwrap(), &[0xc2, 3, 99, 0, 0][..]].concat();
        let complaints = Keyring::read(&[("ring".to_owned(), file)]).unwrap_err();
        let what = &complaints[0].what;
        assert!(what.starts_with("packet 3 of it, a signature, cannot be read: "), "{what}");
    }

    #[test]
    fn a_ring_says_until_when_its_keys_can_sign() {
        let end = NOW.checked_add(SignedDuration::from_secs(60)).unwrap();
        let minute_more = end.checked_add(SignedDuration::from_secs(60)).unwrap();
        let signs = KeyFlags::empty().set_signing();
        let certifies = || CertBuilder::new().set_creation_time(SystemTime::from(BORN));
        let with_subkeys = |one: Duration, other: Duration| {
            certifies().add_subkey(signs.clone(), one, None).add_subkey(signs.clone(), other, None)
        };
        let limited = || with_subkeys(since_born(end), since_born(minute_more));
        let summary = |builder: CertBuilder, at| read(&[&builder.generate().unwrap().0]).certs(at).remove(0);
        let told = |builder, at| {
            let CertSummary { expiry, can_sign, revoked, remarks, .. } = summary(builder, at);
            assert!(!revoked);
            (expiry, can_sign, remarks.len())
        };
        assert_eq!(told(certifies(), NOW), (None, false, 0), "a key that signs no data is none that expires");
        let key = || certifies().set_primary_key_flags(KeyFlags::empty().set_certification().set_signing());
        assert_eq!(told(key(), NOW), (None, true, 0));
        assert_eq!(told(limited(), NOW), (Some(minute_more), true, 0));
        // One of the two has just expired.
        assert_eq!(told(limited(), end), (Some(minute_more), true, 1));
        let expired = summary(key().set_validity_period(since_born(NOW)), NOW);
        assert_eq!((expired.expiry, expired.can_sign), (Some(NOW), false));
        assert!(expired.remarks[0].ends_with(&format!(" expired on {NOW}")), "{:?}", expired.remarks);
    }

    #[test]
    fn a_ring_says_which_subkeys_are_revoked_and_whether_that_is_why_nothing_is_signed() {
        use ReasonForRevocation as Reason;
        let told = |subkeys: &[(Option<Duration>, Option<Reason>)], whole: Option<Duration>, at| {
            let mut builder = CertBuilder::new().set_creation_time(SystemTime::from(BORN)).set_validity_period(whole);
            for (span, _) in subkeys {
                builder = builder.add_subkey(KeyFlags::empty().set_signing(), *span, None);
            }
            builder = builder.add_subkey(KeyFlags::empty().set_transport_encryption(), None, None);
            let mut cert = builder.generate().unwrap().0;
            let primary = cert.primary_key().key().clone().parts_into_secret().unwrap();
            for (span, reason) in subkeys {
                let Some(reason) = reason else { continue };
                let policy = StandardPolicy::new();
                // Their order is not defined.
                let mut of_cert = cert.keys().with_policy(&policy, SystemTime::from(BORN)).subkeys();
                let is_it = |validity: Option<Duration>| validity == span.or(whole);
                let key = of_cert.find(|key| is_it(key.key_validity_period())).unwrap().key().clone();
                let revocation = SubkeyRevocationBuilder::new()
                    .set_signature_creation_time(SystemTime::from(BORN))
                    .unwrap()
                    .set_reason_for_revocation(*reason, b"why")
                    .unwrap()
                    .build(&mut primary.clone().into_keypair().unwrap(), &cert, &key, None)
                    .unwrap();
                cert = cert.insert_packets(revocation).unwrap().0;
            }
            let CertSummary { revoked, spent, can_sign, keys, .. } = read(&[&cert]).certs(at).remove(0);
            assert!(!revoked);
            let [primary, subkeys @ ..] = &keys[..] else { panic!("no primary key") };
            assert_eq!((&primary.fingerprint, primary.may_sign), (&fingerprint_of(&cert), false));
            let of_cert: Vec<String> = cert.keys().subkeys().map(|key| key.key().fingerprint().to_hex()).collect();
            assert!(subkeys.iter().all(|key| key.may_sign && of_cert.contains(&key.fingerprint)), "{subkeys:?}");
            let mut revoked: Vec<_> = subkeys.iter().map(|key| key.revoked).collect();
            revoked.sort();
            (can_sign, spent, revoked)
        };
        let (soft, hard) = (Some(Gravity::Soft), Some(Gravity::Hard));
        let (retired, stolen) = (Some(Reason::KeyRetired), Some(Reason::KeyCompromised));
        let gone = Some(since_born(NOW));
        assert_eq!(told(&[(None, None)], None, NOW), (true, false, vec![None]));
        assert_eq!(told(&[(None, retired), (None, None)], None, NOW), (true, false, vec![None, soft]));
        assert_eq!(told(&[(None, retired)], None, NOW), (false, true, vec![soft]));
        assert_eq!(told(&[(None, stolen)], None, NOW), (false, true, vec![hard]));
        assert_eq!(told(&[(None, Some(Reason::Unspecified))], None, NOW), (false, true, vec![hard]));
        // The one before it has expired, as it should.
        assert_eq!(told(&[(gone, None), (None, stolen)], None, NOW), (false, true, vec![None, hard]));
        // It is not the old revocation that keeps this one from signing, but its expiry.
        assert_eq!(told(&[(None, retired), (None, None)], gone, NOW), (false, false, vec![None, soft]));
        assert_eq!(told(&[], None, NOW), (false, false, vec![]));
    }

    #[test]
    fn s41_a_fingerprint_is_not_taken_for_another_with_the_same_id() {
        let (right, wrong) = (cert(), cert());
        let (by_id, context) = claim(&right, right.keyid(), b"text");
        let (by_fingerprint, _) = claim_over(&right, b"text", BORN, |builder| {
            builder.set_issuer(right.keyid()).unwrap().set_issuer_fingerprint(right.fingerprint()).unwrap()
        });
        let mut ring = read(&[&right, &wrong]);
        assert_eq!(by_fingerprint.examine(&context, &ring, NOW).map(|s| s.fingerprint), Ok(fingerprint_of(&right)));
        let other = ring.by_id.get(&wrong.keyid()).unwrap().clone();
        ring.by_id.insert(right.keyid(), other);
        let refusal = by_fingerprint.examine(&context, &ring, NOW).unwrap_err();
        assert_eq!(refusal.code, Code::UnknownKey);
        assert_eq!(refusal.detail, format!("made by {}, which is not in the ring", right.fingerprint()));
        let refusal = by_id.examine(&context, &Keyring::default(), NOW).unwrap_err();
        assert_eq!(refusal.detail, format!("made by {}, which is not in the ring", right.keyid()));
    }

    #[test]
    fn s41_of_several_keys_the_one_that_made_it_says_why_it_does_not_count() {
        let (right, wrong) = (own_key(), cert());
        let (claim, context) = claim_at(&self_signed(&right, |b| b), BORN, |b| b);
        let certifies = self_signed(&right, |b| b.set_key_flags(KeyFlags::empty().set_certification()).unwrap());
        for first in [true, false] {
            let mut ring = read(&[&certifies, &wrong]);
            let other = ring.by_id.get(&wrong.keyid()).unwrap().clone();
            let same_id = ring.by_id.get_mut(&certifies.keyid()).unwrap();
            same_id.extend(other);
            if first {
                same_id.reverse();
            }
            assert_eq!(claim.examine(&context, &ring, NOW).map_err(|r| r.code), Err(Code::NotSigningKey));
        }
    }

    #[test]
    fn what_strangers_wrote_is_told_in_one_line_of_300_characters() {
        assert_eq!(printable(b"a\nb\x1b[1m"), "a\u{fffd}b\u{fffd}[1m");
        assert_eq!(printable("é".repeat(1000).as_bytes()), "é".repeat(300));
        assert_eq!(one_line(&anyhow::anyhow!("in\tside").context("outside")), "outside: in\u{fffd}side");
    }
}
