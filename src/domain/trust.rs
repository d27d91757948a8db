//! Whether the facts found about a file are enough to let it in.
//!
//! Owns: the facts about a file's signatures and digests as plain values, the policy of a tree, and the one function
//! that turns both into a verdict. `format/openpgp` and `format/reading` find the facts.
//!
//! The rule in short: every digest that the file carries is right; every signature that it carries is good, or only too
//! weak for the policy while another one is good; and good signatures cover the header and the payload. The worst
//! finding decides, in a fixed order ([`rank`]), so the same file gets the same code whatever the order of its tags.
//!
//! What never happens here: a clock is read (the arrival time is an argument), or a signature that could not be checked
//! is treated as absent.

use super::refusal::{Code, Refusal};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What a tree requires of a package's signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Dated exceptions for old keys, off by default (decision 1 of the threat model).
    pub legacy: Vec<Legacy>,
    /// How many different certificates must have signed; 0 means 1.
    pub min_signers: usize,
}

impl Policy {
    /// What the exceptions for this certificate lift for a package that arrives `at`.
    pub fn lifted(&self, fingerprint: &str, at: Timestamp) -> BTreeSet<Lifted> {
        self.legacy
            .iter()
            .filter(|legacy| at < legacy.until && legacy.fingerprint.eq_ignore_ascii_case(fingerprint))
            .flat_map(|legacy| legacy.allow.iter().copied())
            .collect()
    }
}

/// A dated exception for one key: what it signed may be as weak as old versions of rpm made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// Fingerprint of the certificate, upper-case hexadecimal.
    pub fingerprint: String,
    /// The exception ends here; a package that arrives later is judged without it.
    pub until: Timestamp,
    /// Which rules are lifted.
    pub allow: Vec<Lifted>,
}

/// A rule that a legacy exception may lift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lifted {
    /// Signature packets of version 3 with other algorithms than RSA and SHA-2 (S35).
    V3,
    /// Only a signature over header and payload together (tags 1002, 1005), as rpm made them before 4.14, when headers
    /// had no payload digest (S6, F20).
    HeaderPayload,
    /// SHA-1 as the hash of the signature, or of the signatures that bind the key to its
    /// certificate (S31, S32).
    Sha1,
    /// DSA keys that are no longer acceptable, and RSA below 2048 bits (S33).
    WeakKey,
    /// The key has expired since it signed, going by the time that the signature claims (S19).
    Expired,
}

impl Lifted {
    /// Every rule that can be lifted, in the order of help texts.
    pub const ALL: [Self; 5] = [Self::V3, Self::HeaderPayload, Self::Sha1, Self::WeakKey, Self::Expired];

    /// Its name in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "v3",
            Self::HeaderPayload => "header_payload",
            Self::Sha1 => "sha1",
            Self::WeakKey => "weak_key",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Lifted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rule that can be waived: use v3, header_payload, sha1, weak_key or expired")]
pub struct UnknownLifted(pub String);

impl FromStr for Lifted {
    type Err = UnknownLifted;

    fn from_str(text: &str) -> Result<Self, UnknownLifted> {
        Self::ALL.into_iter().find(|lifted| lifted.as_str() == text).ok_or_else(|| UnknownLifted(text.to_owned()))
    }
}

/// Which bytes a signature covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Range {
    /// The main header; the payload is covered only by a digest inside it.
    Header,
    /// The main header and the payload together.
    HeaderAndPayload,
}

/// A weakness of a signature that is mathematically valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// The code of the refusal for it.
    pub code: Code,
    /// The exception that lifts it; `None` if there is none.
    pub lifted_by: Option<Lifted>,
    /// What exactly is weak. A lower-case fragment.
    pub detail: String,
}

impl Weakness {
    /// Whether the signature may be ignored if another one is good (S11): only for algorithms that the policy has
    /// disabled, not for an unbound or expired key.
    fn is_algorithmic(&self) -> bool {
        matches!(self.code, Code::WeakHash | Code::WeakKey | Code::SignatureVersion)
    }
}

/// A signature that matches the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Fingerprint of the certificate, upper-case hexadecimal.
    pub fingerprint: String,
    /// Fingerprint of the key that made it: the certificate's primary key, or a subkey.
    pub key: String,
    /// What is too weak by default.
    pub weaknesses: Vec<Weakness>,
    /// What people should know even if it is accepted.
    pub notes: Vec<String>,
}

/// One signature of a package, and the result of checking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The tag and, if it holds several, which one: for messages.
    pub place: String,
    /// What it covers.
    pub range: Range,
    /// Whether it matches, and if not, why not.
    pub finding: Result<Sound, Refusal>,
}

/// Whether the main header vouches for the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadDigest {
    /// It has a digest of SHA-256 or stronger. Whether that is right is among the faults.
    Present,
    /// It has none.
    Absent,
}

/// What was found about a file, whatever the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Sizes, padding and digests that are wrong.
    pub faults: Vec<Refusal>,
    /// Whether the main header vouches for the payload.
    pub payload: PayloadDigest,
    /// Every signature that the file carries.
    pub signatures: Vec<Signed>,
}

/// A file that may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Certificates whose signatures cover header and payload, upper-case hexadecimal, sorted.
    pub fingerprints: Vec<String>,
    /// The keys that made these signatures, likewise.
    pub keys: Vec<String>,
    /// Exceptions that were used, and signatures that were ignored.
    pub notes: Vec<String>,
}

/// The verdict on a file that arrives `at`.
///
/// # Errors
/// The most significant of all the reasons to keep it out.
pub fn judge(facts: &Facts, policy: &Policy, at: Timestamp) -> Result<Accepted, Refusal> {
    let mut reasons = facts.faults.clone();
    let verdict = signatures(facts, policy, at);
    match verdict {
        Ok(accepted) if reasons.is_empty() => return Ok(accepted),
        Ok(_) => {}
        Err(more) => reasons.extend(more),
    }
    let worst = reasons.into_iter().min_by_key(|refusal| rank(refusal.code));
    // `signatures` returns at least one reason with every error; if that ever changes, the file stays out.
    Err(worst.unwrap_or_else(|| Refusal::new(Code::Unsigned, "no signature that accepts it")))
}

/// The good signatures of a package, by what they cover: certificate and key of each.
#[derive(Default)]
struct Good<'a> {
    header: BTreeSet<(&'a str, &'a str)>,
    both: BTreeSet<(&'a str, &'a str)>,
    /// Sound, over both, and by a key without the exception for that.
    both_not_lifted: Vec<&'a Signed>,
}

fn signatures(facts: &Facts, policy: &Policy, at: Timestamp) -> Result<Accepted, Vec<Refusal>> {
    if facts.signatures.is_empty() {
        return Err(vec![Refusal::new(Code::Unsigned, "it carries no OpenPGP signature")]);
    }
    let mut good = Good::default();
    let mut notes = BTreeSet::new();
    let mut reasons = Vec::new();
    // Signatures that only fail because of a disabled algorithm: fatal unless another one is good.
    let mut switched_off = Vec::new();

    for signed in &facts.signatures {
        let sound = match &signed.finding {
            Ok(sound) => sound,
            Err(refusal) => {
                let detail = format!("{}: {}", signed.place, refusal.detail);
                reasons.push(Refusal::new(refusal.code, detail));
                continue;
            }
        };
        let lifted = policy.lifted(&sound.fingerprint, at);
        let (excused, open): (Vec<&Weakness>, Vec<&Weakness>) =
            sound.weaknesses.iter().partition(|w| w.lifted_by.is_some_and(|by| lifted.contains(&by)));
        let hint = exception_that_would_do(sound, signed.range, facts.payload);
        let refusals = open
            .iter()
            .map(|weakness| Refusal::new(weakness.code, format!("{}: {}{hint}", signed.place, weakness.detail)));
        if open.is_empty() {
            match signed.range {
                Range::Header => {
                    good.header.insert((&sound.fingerprint, &sound.key));
                }
                Range::HeaderAndPayload if lifted.contains(&Lifted::HeaderPayload) => {
                    good.both.insert((&sound.fingerprint, &sound.key));
                }
                Range::HeaderAndPayload => good.both_not_lifted.push(signed),
            }
            notes.extend(sound.notes.iter().map(|note| format!("{}: {note}", signed.place)));
            for weakness in excused {
                let by = weakness.lifted_by.map_or("", Lifted::as_str);
                notes.insert(format!(
                    "{}: {}, admitted by the legacy exception {by} of {}",
                    signed.place, weakness.detail, sound.fingerprint
                ));
            }
        } else if open.iter().all(|weakness| weakness.is_algorithmic()) {
            switched_off.extend(refusals);
        } else {
            reasons.extend(refusals);
        }
    }

    if reasons.is_empty() {
        match cover(facts, policy, &good, &mut notes) {
            Ok((fingerprints, keys)) => {
                // S11: reported, so that nobody thinks they were checked.
                notes.extend(switched_off.iter().map(|r| format!("not counted ({}): {}", r.code, r.detail)));
                return Ok(Accepted { fingerprints, keys, notes: notes.into_iter().collect() });
            }
            Err(refusal) => {
                let anything_good =
                    !(good.header.is_empty() && good.both.is_empty() && good.both_not_lifted.is_empty());
                if anything_good || switched_off.is_empty() {
                    reasons.push(refusal);
                }
            }
        }
        // With a good signature, the gap in its cover is reported, not that another one is weak.
        if !reasons.is_empty() {
            return Err(reasons);
        }
    }
    reasons.extend(switched_off);
    Err(reasons)
}

/// Who signed header and payload, all signatures being good: certificates, and their keys.
fn cover(
    facts: &Facts,
    policy: &Policy,
    good: &Good<'_>,
    notes: &mut BTreeSet<String>,
) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let mut signed = good.both.clone();
    if facts.payload == PayloadDigest::Present {
        signed.extend(&good.header);
    } else if let Some((fingerprint, _)) = good.both.first() {
        notes.insert(format!(
            "the header has no digest of the payload, admitted by the legacy exception header_payload of {fingerprint}"
        ));
    }
    if signed.is_empty() {
        if let Some(signed) = good.both_not_lifted.first() {
            let whose = signed.finding.as_ref().map_or("", |sound| &sound.fingerprint);
            return Err(Refusal::new(
                Code::LegacySignature,
                format!(
                    "{}: it covers header and payload together, and no newer signature covers both (a legacy \
                     exception for {whose} would have to allow header_payload)",
                    signed.place
                ),
            ));
        }
        return Err(Refusal::new(
            Code::PartiallySigned,
            "the header is signed, but it has no digest of the payload, and no signature covers the payload",
        ));
    }
    // Counted by certificate, so that signing twice makes only one signer (S12).
    let (signers, keys): (BTreeSet<&str>, BTreeSet<&str>) = signed.into_iter().unzip();
    let wanted = policy.min_signers.max(1);
    if signers.len() < wanted {
        let names = signers.iter().copied().collect::<Vec<_>>().join(", ");
        let detail = format!("{} of {wanted} signers: {names}", signers.len());
        return Err(Refusal::new(Code::TooFewSigners, detail));
    }
    let owned = |all: BTreeSet<&str>| all.into_iter().map(str::to_owned).collect();
    Ok((owned(signers), owned(keys)))
}

/// The exception that would accept a signature with these weaknesses, for the admin to copy; empty if none would.
fn exception_that_would_do(sound: &Sound, range: Range, payload: PayloadDigest) -> String {
    let lifts: Option<BTreeSet<Lifted>> = sound.weaknesses.iter().map(|weakness| weakness.lifted_by).collect();
    let Some(mut lifts) = lifts else { return String::new() };
    if range == Range::HeaderAndPayload || payload == PayloadDigest::Absent {
        lifts.insert(Lifted::HeaderPayload);
    }
    let names: Vec<&str> = lifts.into_iter().map(Lifted::as_str).collect();
    format!(" (a legacy exception for {} would have to allow {})", sound.fingerprint, names.join(", "))
}

/// Which reason is reported if there are several: the lowest.
///
/// First what may be an upload in progress, then what is wrong with the bytes, then signatures from the most alarming
/// to the mildest. `PartiallySigned` comes before the digests because it occurs only if all signatures are good: then
/// the wrong digest is one that nobody signed (S4).
fn rank(code: Code) -> usize {
    const ORDER: &[Code] = &[
        Code::Truncated,
        Code::Size,
        Code::Padding,
        Code::PayloadDigestFormat,
        Code::PartiallySigned,
        Code::HeaderDigest,
        Code::PayloadDigest,
        Code::KeyRevoked,
        Code::BadSignature,
        Code::SignatureFormat,
        Code::IssuerConflict,
        Code::SignatureType,
        Code::SignatureCritical,
        Code::UnknownKey,
        Code::NotSigningKey,
        Code::UnboundKey,
        Code::SignatureBeforeKey,
        Code::NotYetValid,
        Code::SignatureExpired,
        Code::KeyExpired,
        Code::KeyExpiredAtArrival,
        Code::UnknownAlgorithm,
        Code::WeakKey,
        Code::WeakHash,
        Code::SignatureVersion,
        Code::LegacySignature,
        Code::TooFewSigners,
        Code::Unsigned,
    ];
    ORDER.iter().position(|known| *known == code).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AAAA";
    const B: &str = "BBBB";

    fn at() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    type Finding = Result<Sound, Refusal>;

    #[expect(clippy::unnecessary_wraps, reason = "it is one of the two things that a finding can be")]
    fn sound(fingerprint: &str, weaknesses: &[(Code, Option<Lifted>)]) -> Finding {
        let weaknesses = weaknesses
            .iter()
            .map(|(code, lifted_by)| Weakness { code: *code, lifted_by: *lifted_by, detail: format!("it is {code}") })
            .collect();
        let key = format!("{fingerprint}-SUB");
        Ok(Sound { fingerprint: fingerprint.to_owned(), key, weaknesses, notes: Vec::new() })
    }

    fn facts(payload: PayloadDigest, signatures: Vec<(Range, Finding)>) -> Facts {
        let signed = |(range, finding)| Signed { place: "tag 1".to_owned(), range, finding };
        Facts { faults: Vec::new(), payload, signatures: signatures.into_iter().map(signed).collect() }
    }

    fn code(facts: &Facts) -> Result<Vec<String>, Code> {
        judge(facts, &Policy::default(), at()).map(|a| a.fingerprints).map_err(|r| r.code)
    }

    #[test]
    fn only_a_cover_of_header_and_payload_lets_a_file_in() {
        use PayloadDigest::{Absent, Present};
        use Range::{Header, HeaderAndPayload};
        let cases = [
            (Present, vec![], Err(Code::Unsigned)),
            (Present, vec![Header], Ok(vec![A.to_owned()])),
            (Present, vec![Header, HeaderAndPayload], Ok(vec![A.to_owned()])),
            (Present, vec![HeaderAndPayload], Err(Code::LegacySignature)),
            (Absent, vec![], Err(Code::Unsigned)),
            (Absent, vec![Header], Err(Code::PartiallySigned)),
            (Absent, vec![Header, HeaderAndPayload], Err(Code::LegacySignature)),
            (Absent, vec![HeaderAndPayload], Err(Code::LegacySignature)),
        ];
        for (payload, ranges, expected) in cases {
            let signatures = ranges.iter().map(|range| (*range, sound(A, &[]))).collect();
            assert_eq!(code(&facts(payload, signatures)), expected, "{payload:?} {ranges:?}");
        }
    }

    #[test]
    fn the_very_keys_are_told_of_the_signatures_that_count_and_of_no_others() {
        let by = |fingerprint: &str, key: &str, weaknesses: &[(Code, Option<Lifted>)]| {
            (Range::Header, sound(fingerprint, weaknesses).map(|sound| Sound { key: key.to_owned(), ..sound }))
        };
        let weak = [(Code::WeakHash, Some(Lifted::Sha1))];
        let signatures = vec![by(A, "A2", &[]), by(A, "A1", &[]), by(B, "B", &[]), by(B, "B1", &weak)];
        let accepted = judge(&facts(PayloadDigest::Present, signatures), &Policy::default(), at());
        let told = accepted.map(|accepted| (accepted.fingerprints, accepted.keys));
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(told, Ok((texts(&[A, B]), texts(&["A1", "A2", "B"]))));
    }

    #[test]
    fn a_header_signature_and_a_legacy_one_by_another_key_do_not_add_up() {
        let both = vec![(Range::Header, sound(A, &[])), (Range::HeaderAndPayload, sound(B, &[]))];
        let facts = facts(PayloadDigest::Absent, both);
        let allow = |fingerprint: &str| Policy {
            legacy: vec![Legacy {
                fingerprint: fingerprint.to_owned(),
                until: Timestamp::MAX,
                allow: vec![Lifted::HeaderPayload],
            }],
            min_signers: 0,
        };
        // The exception is for the key that signed both, and that key is the signer.
        assert_eq!(judge(&facts, &allow(B), at()).map(|a| a.fingerprints), Ok(vec![B.to_owned()]));
        assert_eq!(judge(&facts, &allow(A), at()).map_err(|r| r.code), Err(Code::LegacySignature));
        let two = Policy { min_signers: 2, ..allow(B) };
        assert_eq!(judge(&facts, &two, at()).map_err(|r| r.code), Err(Code::TooFewSigners));
    }

    #[test]
    fn the_order_of_the_signatures_does_not_change_the_verdict() {
        let some = [
            sound(A, &[]),
            sound(B, &[(Code::WeakHash, Some(Lifted::Sha1))]),
            sound(B, &[(Code::UnboundKey, Some(Lifted::Sha1)), (Code::WeakKey, None)]),
            Err(Refusal::new(Code::BadSignature, "x")),
            Err(Refusal::new(Code::UnknownKey, "x")),
            Err(Refusal::new(Code::KeyRevoked, "x")),
        ];
        for one in &some {
            for other in &some {
                let pair = |first: &Finding, second: &Finding| {
                    let signatures = vec![(Range::Header, first.clone()), (Range::Header, second.clone())];
                    code(&facts(PayloadDigest::Present, signatures))
                };
                assert_eq!(pair(one, other), pair(other, one), "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn a_fault_of_the_bytes_refuses_whatever_the_signatures_say() {
        for fault in [Code::Truncated, Code::Size, Code::Padding, Code::HeaderDigest, Code::PayloadDigest] {
            let mut facts = facts(PayloadDigest::Present, vec![(Range::Header, sound(A, &[]))]);
            facts.faults.push(Refusal::new(fault, "x"));
            assert_eq!(code(&facts), Err(fault));
        }
    }

    #[test]
    fn an_exception_ends_and_belongs_to_one_key() {
        let policy = Policy {
            legacy: vec![
                Legacy { fingerprint: "aaaa".to_owned(), until: Timestamp::UNIX_EPOCH, allow: vec![Lifted::V3] },
                Legacy { fingerprint: A.to_owned(), until: Timestamp::MAX, allow: vec![Lifted::Sha1] },
                Legacy { fingerprint: B.to_owned(), until: Timestamp::MAX, allow: vec![Lifted::WeakKey] },
            ],
            min_signers: 0,
        };
        assert_eq!(policy.lifted(A, at()), BTreeSet::from([Lifted::Sha1]));
        assert_eq!(policy.lifted(A, Timestamp::MIN), BTreeSet::from([Lifted::Sha1, Lifted::V3]));
        assert_eq!(policy.lifted("CCCC", at()), BTreeSet::new());
    }

    #[test]
    fn only_what_an_algorithm_makes_weak_is_left_out_of_account_beside_a_good_signature() {
        use PayloadDigest::{Absent, Present};
        use Range::{Header, HeaderAndPayload};
        for (weak, forgiven) in [
            (Code::WeakHash, true),
            (Code::WeakKey, true),
            (Code::SignatureVersion, true),
            (Code::UnboundKey, false),
            (Code::KeyExpiredAtArrival, false),
        ] {
            let with = |payload, good: &[Range]| {
                let good = good.iter().map(|range| (*range, sound(A, &[])));
                facts(payload, good.chain([(Header, sound(B, &[(weak, None)]))]).collect())
            };
            let verdict = judge(&with(Present, &[Header]), &Policy::default(), at());
            if forgiven {
                let notes = verdict.map(|accepted| accepted.notes);
                assert_eq!(notes, Ok(vec![format!("not counted ({weak}): tag 1: it is {weak}")]));
            } else {
                assert_eq!(verdict.map_err(|refusal| refusal.code), Err(weak));
            }
            // Alone it is what is reported, and beside a good one with a gap the gap is.
            assert_eq!(code(&with(Present, &[])), Err(weak));
            let gap = |code| Err(if forgiven { code } else { weak });
            assert_eq!(code(&with(Absent, &[Header])), gap(Code::PartiallySigned));
            assert_eq!(code(&with(Absent, &[HeaderAndPayload])), gap(Code::LegacySignature));
        }
    }

    #[test]
    fn a_good_legacy_signature_with_its_exception_is_good_enough_to_be_told_of() {
        let weak = sound(B, &[(Code::WeakHash, None)]);
        let facts = facts(PayloadDigest::Absent, vec![(Range::HeaderAndPayload, sound(A, &[])), (Range::Header, weak)]);
        let policy = Policy {
            legacy: vec![Legacy {
                fingerprint: A.to_owned(),
                until: Timestamp::MAX,
                allow: vec![Lifted::HeaderPayload],
            }],
            min_signers: 2,
        };
        assert_eq!(judge(&facts, &policy, at()).map_err(|refusal| refusal.code), Err(Code::TooFewSigners));
    }

    #[test]
    fn a_refusal_names_the_exception_that_would_do() {
        use PayloadDigest::{Absent, Present};
        use Range::{Header, HeaderAndPayload};
        let hint = |payload, range, weaknesses: &[(Code, Option<Lifted>)]| {
            let facts = facts(payload, vec![(range, sound(A, weaknesses))]);
            let detail = judge(&facts, &Policy::default(), at()).unwrap_err().detail;
            detail.split_once(" (a legacy exception for AAAA would have to allow ").map(|(_, names)| names.to_owned())
        };
        let weak = [(Code::WeakHash, Some(Lifted::Sha1))];
        assert_eq!(hint(Present, Header, &weak).as_deref(), Some("sha1)"));
        assert_eq!(hint(Present, HeaderAndPayload, &weak).as_deref(), Some("header_payload, sha1)"));
        assert_eq!(hint(Absent, Header, &weak).as_deref(), Some("header_payload, sha1)"));
        let two = [(Code::WeakHash, Some(Lifted::Sha1)), (Code::SignatureVersion, Some(Lifted::V3))];
        assert_eq!(hint(Present, Header, &two).as_deref(), Some("v3, sha1)"));
        let hopeless = [(Code::WeakHash, Some(Lifted::Sha1)), (Code::WeakKey, None)];
        assert_eq!(hint(Present, Header, &hopeless), None);
    }

    #[test]
    fn every_rule_that_can_be_lifted_reads_back_as_it_is_written() {
        for lifted in Lifted::ALL {
            assert_eq!(lifted.to_string(), lifted.as_str());
            assert_eq!(lifted.as_str().parse(), Ok(lifted));
        }
        assert!("everything".parse::<Lifted>().is_err());
    }
}
