//! What a key's certificate says about it at a given time: its purpose, its expiry, and whether it is revoked.
//!
//! Stricter than sequoia: any revocation of the key counts, soft or hard, whatever its hash, even one that a later
//! self-signature would undo (F5, S18 to S22).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::policy::{AsymmetricAlgorithm, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, ReasonForRevocation, RevocationType};

use crate::domain::refusal::Code;
use crate::domain::trust::{Lifted, Weakness};
use crate::format::keyfile::{self, one_line, printable};

/// How serious a revocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The key is retired or superseded.
    Soft,
    /// Others may have it: it is compromised, or no reason is given.
    Hard,
}

/// sequoia's policy with the cut-offs as of `at`, minus what is lifted.
pub(super) fn policy_at(at: SystemTime, lifts: &[Lifted]) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(at);
    for lift in lifts {
        match lift {
            Lifted::Sha1 => policy.accept_hash(HashAlgorithm::SHA1),
            Lifted::WeakKey => {
                for algorithm in [
                    AsymmetricAlgorithm::RSA1024,
                    AsymmetricAlgorithm::DSA1024,
                    AsymmetricAlgorithm::DSA2048,
                    AsymmetricAlgorithm::DSA3072,
                    AsymmetricAlgorithm::DSA4096,
                ] {
                    policy.accept_asymmetric_algo(algorithm);
                }
            }
            Lifted::V3 | Lifted::HeaderPayload | Lifted::Expired => {}
        }
    }
    policy
}

/// What binds a key to its certificate at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// Marked for signing data.
    pub(super) for_signing: bool,
    /// When the key or its certificate expires, whichever is first; `None` means never.
    pub(super) end: Option<Timestamp>,
}

/// The key's binding as of `moment`, by `policy`.
pub(super) fn bound(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    policy: &StandardPolicy<'static>,
    moment: SystemTime,
) -> Result<Bound, String> {
    let valid = key.clone().with_policy(policy, moment).map_err(|error| one_line(&error))?;
    let ends = [valid.key_expiration_time(), valid.valid_cert().primary_key().key_expiration_time()];
    let end = ends.into_iter().flatten().min().map(|end| Timestamp::try_from(end).unwrap_or(Timestamp::MIN));
    Ok(Bound { for_signing: valid.for_signing(), end })
}

/// The binding as of `moment`, and the least that has to be lifted to make it valid.
pub(super) fn bound_with_least_lifted(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    moment: SystemTime,
) -> Result<(&'static [Lifted], Bound), String> {
    const LIFTS: [&[Lifted]; 4] = [&[], &[Lifted::WeakKey], &[Lifted::Sha1], &[Lifted::WeakKey, Lifted::Sha1]];
    let mut strict = None;
    for lifts in LIFTS {
        match bound(key, &policy_at(moment, lifts), moment) {
            Ok(bound) => return Ok((lifts, bound)),
            Err(why) => strict = strict.or(Some(why)),
        }
    }
    // The strict policy's complaint is the one to be fixed.
    Err(strict.unwrap_or_default())
}

/// What an exception has to lift.
pub(super) fn weaknesses_of_binding(lifts: &[Lifted], whose: &str) -> Vec<Weakness> {
    let weakness = |lift: &Lifted| match lift {
        Lifted::WeakKey => Some(Weakness {
            code: Code::WeakKey,
            lifted_by: Some(Lifted::WeakKey),
            detail: format!("{whose} or its primary key is RSA below 2048 bits, or DSA"),
        }),
        Lifted::Sha1 => Some(Weakness {
            code: Code::UnboundKey,
            lifted_by: Some(Lifted::Sha1),
            detail: format!("{whose} is bound to its certificate by SHA-1 only"),
        }),
        Lifted::V3 | Lifted::HeaderPayload | Lifted::Expired => None,
    };
    lifts.iter().filter_map(weakness).collect()
}

/// How the key or its certificate is revoked, if it is (S20 to S22).
///
/// Deliberately stricter than sequoia: a later self-signature does not undo a soft revocation, and the revocation's own
/// hash does not matter. A hard one counts whenever it was made.
pub(super) fn revocation(
    ring: &[Cert],
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    at: Timestamp,
) -> Option<(Gravity, String)> {
    let primary = cert.primary_key();
    let of_cert = primary.self_revocations().map(|revocation| (revocation, "certificate", cert.fingerprint()));
    let of_key = key.self_revocations().map(|revocation| (revocation, "key", key.key().fingerprint()));
    let by_others = by_designated_revokers(ring, cert);
    of_cert
        .chain(of_key)
        .chain(by_others.into_iter().map(|revocation| (revocation, "certificate", cert.fingerprint())))
        .filter_map(|(revocation, what, which)| {
            let (reason, text) = revocation.reason_for_revocation().unwrap_or((ReasonForRevocation::Unspecified, &[]));
            let made = revocation.signature_creation_time().and_then(|time| Timestamp::try_from(time).ok());
            let hard = reason.revocation_type() == RevocationType::Hard;
            let gravity = if hard { Gravity::Hard } else { Gravity::Soft };
            // A soft one takes effect at its creation time.
            if !hard && made.is_some_and(|made| made > at) {
                return None;
            }
            let when = made.map_or_else(String::new, |made| format!(" on {made}"));
            let why = if text.is_empty() { String::new() } else { format!(" ({})", printable(text)) };
            Some((gravity, format!("{what} {which} was revoked{when}: {reason}{why}")))
        })
        // A hard one must be reported first.
        .max_by_key(|(gravity, _)| *gravity)
}

/// Revocations by the designated revokers of this certificate that are in the ring.
fn by_designated_revokers<'a>(ring: &[Cert], cert: &'a Cert) -> Vec<&'a Signature> {
    let primary = cert.primary_key();
    let others = primary.other_revocations();
    others.filter(|revocation| keyfile::is_revoked_by_designation(cert, revocation, ring.iter())).collect()
}

/// A key's name in messages: its certificate, plus its own fingerprint if it is a subkey.
pub(super) fn name_of(cert: &Cert, key: &ErasedKeyAmalgamation<'_, PublicParts>) -> String {
    let (of_cert, of_key) = (cert.fingerprint(), key.key().fingerprint());
    if of_cert == of_key { format!("key {of_cert}") } else { format!("subkey {of_key} of {of_cert}") }
}

/// `None` for a time that OpenPGP cannot represent: before 1970 or after 2106.
pub(super) fn system_time(at: Timestamp) -> Option<SystemTime> {
    let seconds = u32::try_from(at.as_second()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use sequoia_openpgp::cert::CertBuilder;

    use super::*;

    #[test]
    fn algorithms_end_when_sequoia_says_and_not_when_the_clock_of_the_machine_does() {
        let allowed = |at: &str, lifts: &[Lifted]| {
            let at: Timestamp = at.parse().unwrap();
            policy_at(system_time(at).unwrap(), lifts)
                .asymmetric_algo_cutoff(AsymmetricAlgorithm::DSA2048)
                .is_none_or(|end| end > SystemTime::from(at))
        };
        assert!(allowed("2030-01-31T23:59:59Z", &[]));
        assert!(!allowed("2030-02-01T00:00:01Z", &[]));
        assert!(allowed("2031-01-01T00:00:00Z", &[Lifted::WeakKey]));
    }

    #[test]
    fn a_subkey_is_named_with_its_certificate() {
        let (cert, _) = CertBuilder::new().add_signing_subkey().generate().unwrap();
        let names: Vec<String> = cert.keys().map(|key| name_of(&cert, &key)).collect();
        let subkey = cert.keys().subkeys().next().unwrap().key().fingerprint();
        let primary = cert.fingerprint();
        assert_eq!(names, [format!("key {primary}"), format!("subkey {subkey} of {primary}")]);
    }
}
