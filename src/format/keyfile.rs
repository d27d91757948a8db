//! Key files: from bytes to the certificates of a ring, and from those to the files that clients fetch.
//!
//! Owns: armor, packets, which signature belongs to which certificate, and the rule that nothing of it is passed
//! over in silence (S42, S44). Every signature packet of every file of a ring ends in one of three ways:
//!
//! - it belongs to a certificate of the ring, wherever it stands, and verifies by that certificate's key, or, where
//!   it revokes a certificate, by that of a designated revoker. So a revocation counts ring-wide: at the end of a file,
//!   at its beginning, in a file of its own, beside another copy;
//! - it stands in a certificate, is by somebody else, and revokes no key: what strangers certify says nothing here;
//! - else it is a complaint that names file, packet and key: with a ring that lacks a revocation anybody can sign who has
//!   stolen its key.
//!
//! What clients fetch is made of the certificates that were read and never of the bytes: rpm up to 4.18 takes one
//! armored block for each certificate, written as RFC 4880 has it, and little else.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sequoia_openpgp::anyhow;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::packet::{Packet, Signature, Tag};
use sequoia_openpgp::parse::{Dearmor, PacketParserBuilder, PacketParserResult, Parse as _};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::Serialize as _;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use sequoia_openpgp::{Fingerprint, KeyHandle, KeyID};

/// Bytes of one key file. The largest that a distribution ships has some 100 KB; a key that was
/// flooded with certifications has to be cleaned before it is trusted (S44).
pub const KEY_FILE_MAX: usize = 4 * 1024 * 1024;

/// Keys and subkeys in one file (S44). A whole distribution's ring has some dozens.
const KEYS_MAX: usize = 1024;

/// Packets in one file: room for a few certifications of each key.
const PACKETS_MAX: usize = 20_000;

/// Signatures of a ring that do not stand where they belong. Each is tried elsewhere; nobody who means well has many.
const STRAYS_MAX: usize = 1024;

/// What is wrong with a key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {what}")]
pub struct KeyComplaint {
    /// The file, as the caller calls it.
    pub label: String,
    /// What is wrong. A lower-case fragment.
    pub what: String,
}

/// What was read of the files of a ring.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By fingerprint, copies merged.
    pub(super) certs: Vec<Cert>,
    /// Which certificates stand in each file.
    pub(super) held: Vec<(String, Vec<Fingerprint>)>,
    /// Files that were left out, and why.
    pub(super) left_out: Vec<KeyComplaint>,
}

/// Reads the files of a ring, armored or binary, any number of certificates in each.
///
/// A file that `may_be_left_out` and has no key that could be used is left out; revocations in it count all the same.
pub(super) fn read(
    files: &[(String, Vec<u8>)],
    may_be_left_out: &dyn Fn(&str) -> bool,
) -> Result<Contents, Vec<KeyComplaint>> {
    let mut complaints = Vec::new();
    let mut found = Contents::default();
    let mut merged: BTreeMap<Fingerprint, Cert> = BTreeMap::new();
    let mut strays = Vec::new();
    for (label, bytes) in files {
        let file = guarded(|| File::read(label, bytes)).unwrap_or_else(File::unusable);
        let complaint = |what: String| KeyComplaint { label: label.clone(), what };
        if file.certs.is_empty() && !file.wrong.is_empty() && may_be_left_out(label) {
            found.left_out.extend(file.wrong.into_iter().map(complaint));
            strays.extend(file.strays.into_iter().map(|stray| Stray { may_be_lost: true, ..stray }));
            continue;
        }
        complaints.extend(file.wrong.into_iter().map(complaint));
        strays.extend(file.strays);
        found.held.push((label.clone(), file.certs.iter().map(Cert::fingerprint).collect()));
        for cert in file.certs {
            if let Err(what) = merge(&mut merged, cert) {
                complaints.push(complaint(what));
            }
        }
    }
    match guarded(|| place(merged, strays)) {
        Ok((certs, nowhere)) => {
            found.certs = certs;
            complaints.extend(nowhere);
        }
        Err(what) => {
            let label = files.first().map_or_else(String::new, |(label, _)| label.clone());
            complaints.push(KeyComplaint { label, what });
        }
    }
    if complaints.is_empty() { Ok(found) } else { Err(complaints) }
}

fn merge(merged: &mut BTreeMap<Fingerprint, Cert>, cert: Cert) -> Result<(), String> {
    let fingerprint = cert.fingerprint();
    let together = match merged.remove(&fingerprint) {
        // Neither has secrets: `packets_of` refuses those.
        Some(other) => guarded(|| other.merge_public(cert).map_err(|error| one_line(&error)))
            .and_then(|merged| merged)
            .map_err(|why| format!("two copies of {fingerprint} cannot be merged: {why}"))?,
        None => cert,
    };
    merged.insert(fingerprint, together);
    Ok(())
}

/// A signature that does not verify where it stands.
struct Stray {
    label: String,
    /// Which packet of the file it is, from 1.
    number: usize,
    signature: Signature,
    /// The certificate in which it stands.
    home: Option<Fingerprint>,
    /// Its file is left out, and was complained of.
    may_be_lost: bool,
}

/// What one file holds.
#[derive(Default)]
struct File {
    certs: Vec<Cert>,
    strays: Vec<Stray>,
    wrong: Vec<String>,
}

impl File {
    fn unusable(what: String) -> Self {
        Self { wrong: vec![what], ..Self::default() }
    }

    fn read(label: &str, bytes: &[u8]) -> Self {
        let mut packets = Vec::new();
        let read = parts_of(bytes).and_then(|parts| parts.iter().try_for_each(|part| packets_of(part, &mut packets)));
        if let Err(what) = read {
            return Self::unusable(what);
        }
        let mut file = Self::default();
        let mut group: Vec<(usize, Packet)> = Vec::new();
        for (number, packet) in packets {
            let begins = packet.tag() == Tag::PublicKey;
            if begins {
                file.close(label, &group);
                group.clear();
            }
            match packet {
                Packet::Unknown(unknown) => {
                    let why = one_line(unknown.error());
                    file.wrong.push(if begins {
                        format!("packet {number} of it is a key of a version that is not supported: {why}")
                    } else {
                        format!("packet {number} of it, {}, cannot be read: {why}", kind_of(unknown.tag()))
                    });
                    if begins {
                        // What follows is this key's, and only revocations of others are looked for in it.
                        group.push((number, Packet::Unknown(unknown)));
                    }
                }
                Packet::Signature(_) | Packet::PublicKey(_) => group.push((number, packet)),
                Packet::UserID(_) | Packet::UserAttribute(_) | Packet::PublicSubkey(_) if !group.is_empty() => {
                    group.push((number, packet));
                }
                other => {
                    let what = kind_of(other.tag());
                    file.wrong.push(format!("packet {number} of it, {what}, belongs to no certificate"));
                }
            }
        }
        file.close(label, &group);
        if file.certs.is_empty() && file.strays.is_empty() && file.wrong.is_empty() {
            file.wrong.push("holds no OpenPGP certificate".to_owned());
        }
        file
    }

    /// Takes a primary key and what follows it, or signatures before any.
    fn close(&mut self, label: &str, group: &[(usize, Packet)]) {
        let numbered = |(number, packet): &(usize, Packet)| match packet {
            Packet::Signature(signature) => Some((*number, signature.clone())),
            _ => None,
        };
        let signatures: Vec<(usize, Signature)> = group.iter().filter_map(numbered).collect();
        let mut home = None;
        let mut settled = Vec::new();
        match group.first() {
            Some((number, Packet::PublicKey(_))) => {
                let packets: Vec<Packet> = group.iter().map(|(_, packet)| packet.clone()).collect();
                match Cert::from_packets(packets.into_iter()) {
                    Ok(cert) => {
                        settled = settled_in(&cert);
                        home = Some(cert.fingerprint());
                        self.certs.push(cert);
                    }
                    Err(error) => {
                        let why = one_line(&error);
                        self.wrong.push(format!("packet {number} of it does not begin a usable certificate: {why}"));
                    }
                }
            }
            // The signatures of a key that cannot be read are its own, but for those that revoke.
            Some((_, Packet::Unknown(_))) => {
                let revoking = signatures.into_iter().filter(|(_, signature)| revokes_keys(signature));
                self.strays.extend(revoking.map(|(number, signature)| Stray {
                    label: label.to_owned(),
                    number,
                    signature,
                    home: None,
                    may_be_lost: true,
                }));
                return;
            }
            _ => {}
        }
        let astray = signatures.into_iter().filter(|(_, signature)| !is_among(signature, &settled));
        self.strays.extend(astray.map(|(number, signature)| Stray {
            label: label.to_owned(),
            number,
            signature,
            home: home.clone(),
            may_be_lost: false,
        }));
    }
}

fn kind_of(tag: Tag) -> String {
    match tag {
        Tag::PublicKey => "a key".to_owned(),
        Tag::PublicSubkey => "a subkey".to_owned(),
        Tag::UserID => "a user id".to_owned(),
        Tag::UserAttribute => "a user attribute".to_owned(),
        Tag::Signature => "a signature".to_owned(),
        other => format!("a packet of type {other}"),
    }
}

/// Whether it takes a key or a subkey back.
fn revokes_keys(signature: &Signature) -> bool {
    matches!(signature.typ(), SignatureType::KeyRevocation | SignatureType::SubkeyRevocation)
}

/// The signatures of a certificate that its own key has made over it, in order.
fn settled_in(cert: &Cert) -> Vec<Signature> {
    let mut all: Vec<Signature> = Vec::new();
    let primary = cert.primary_key();
    all.extend(primary.self_signatures().chain(primary.self_revocations()).cloned());
    for user_id in cert.userids() {
        all.extend(user_id.self_signatures().chain(user_id.self_revocations()).chain(user_id.approvals()).cloned());
    }
    for attribute in cert.user_attributes() {
        let own = attribute.self_signatures().chain(attribute.self_revocations()).chain(attribute.approvals());
        all.extend(own.cloned());
    }
    for subkey in cert.keys().subkeys() {
        all.extend(subkey.self_signatures().chain(subkey.self_revocations()).cloned());
    }
    all.sort_by(Signature::normalized_cmp);
    all
}

/// What others say of a certificate that takes neither it nor a subkey back, in order.
fn said_by_others_of(cert: &Cert) -> Vec<Signature> {
    let mut all: Vec<Signature> = cert.primary_key().certifications().cloned().collect();
    for user_id in cert.userids() {
        all.extend(user_id.certifications().chain(user_id.other_revocations()).cloned());
    }
    for attribute in cert.user_attributes() {
        all.extend(attribute.certifications().chain(attribute.other_revocations()).cloned());
    }
    all.sort_by(Signature::normalized_cmp);
    all
}

fn is_among(signature: &Signature, sorted: &[Signature]) -> bool {
    sorted.binary_search_by(|other| other.normalized_cmp(signature)).is_ok()
}

/// Finds the certificate to which each stray belongs. What belongs to none is a complaint.
fn place(mut certs: BTreeMap<Fingerprint, Cert>, strays: Vec<Stray>) -> (Vec<Cert>, Vec<KeyComplaint>) {
    let mut complaints = Vec::new();
    if let Some(stray) = strays.get(STRAYS_MAX) {
        let what = format!(
            "more than {STRAYS_MAX} signatures of the ring are misplaced, such as packet {} of it: export the \
             certificates again",
            stray.number
        );
        complaints.push(KeyComplaint { label: stray.label.clone(), what });
        return (certs.into_values().collect(), complaints);
    }
    let mut by_id: BTreeMap<KeyID, Vec<Fingerprint>> = BTreeMap::new();
    for fingerprint in certs.keys() {
        by_id.entry(KeyID::from(fingerprint)).or_default().push(fingerprint.clone());
    }
    let makers = |signature: &Signature| -> Vec<Fingerprint> {
        let issuers = signature.get_issuers();
        let near = issuers.iter().filter_map(|issuer| by_id.get(&KeyID::from(issuer.clone()))).flatten();
        let mut makers: Vec<Fingerprint> = near
            .filter(|known| issuers.iter().any(|issuer| issuer.aliases(KeyHandle::from((*known).clone()))))
            .cloned()
            .collect();
        makers.sort();
        makers.dedup();
        makers
    };
    // What certificates say of themselves first: it names who else may revoke them.
    insert(&mut certs, &strays, |_, signature| makers(signature));
    insert(&mut certs, &strays, designating);
    let settled: BTreeMap<Fingerprint, Vec<Signature>> = strays
        .iter()
        .flat_map(|stray| makers(&stray.signature))
        .filter_map(|maker| certs.get(&maker).map(|cert| (maker, settled_in(cert))))
        .collect();
    let mut by_others: BTreeMap<Fingerprint, Vec<Signature>> = BTreeMap::new();
    for stray in strays {
        let Stray { label, number, signature, home, may_be_lost } = stray;
        let makers = makers(&signature);
        let is_settled = makers.iter().any(|maker| settled.get(maker).is_some_and(|all| is_among(&signature, all)));
        if is_settled || may_be_lost || !designating(&certs, &signature).is_empty() {
            continue;
        }
        if let Some(at_home) = home.as_ref().and_then(|home| certs.get(home)) {
            let home = at_home.fingerprint();
            let is_own = makers.contains(&home);
            let says_nothing = if is_own {
                binds_without_answer(at_home, &signature)
            } else if makers.is_empty() {
                // Nobody whom the ring knows: it could not be verified wherever it stood.
                !revokes_keys(&signature) && !signature.get_issuers().is_empty()
            } else {
                is_among(&signature, by_others.entry(home).or_insert_with(|| said_by_others_of(at_home)))
            };
            if says_nothing {
                continue;
            }
        }
        let revoked_by_another = makers.iter().filter_map(|maker| certs.get(maker)).find_map(|maker| {
            let key = maker.primary_key();
            let of =
                |cert: &&Cert| signature.verify_primary_key_revocation(key.key(), cert.primary_key().key()).is_ok();
            home.as_ref().and_then(|home| certs.get(home)).filter(of).map(Cert::fingerprint)
        });
        complaints.push(KeyComplaint { label, what: nowhere(number, &signature, &makers, revoked_by_another) });
    }
    (certs.into_values().collect(), complaints)
}

/// Gives signatures to the certificates that `whose` finds for them.
fn insert(
    certs: &mut BTreeMap<Fingerprint, Cert>,
    strays: &[Stray],
    whose: impl Fn(&BTreeMap<Fingerprint, Cert>, &Signature) -> Vec<Fingerprint>,
) {
    let mut for_whom: BTreeMap<Fingerprint, Vec<Packet>> = BTreeMap::new();
    for stray in strays {
        for fingerprint in whose(certs, &stray.signature) {
            for_whom.entry(fingerprint).or_default().push(stray.signature.clone().into());
        }
    }
    for (fingerprint, packets) in for_whom {
        let Some(cert) = certs.get_mut(&fingerprint) else { continue };
        if let Ok((with, _)) = cert.clone().insert_packets(packets) {
            *cert = with;
        }
    }
}

/// Why a signature is not passed over, and what to do.
fn nowhere(number: usize, signature: &Signature, makers: &[Fingerprint], revoked: Option<Fingerprint>) -> String {
    let what = match signature.typ() {
        SignatureType::KeyRevocation => "the revocation of a certificate".to_owned(),
        SignatureType::SubkeyRevocation => "the revocation of a subkey".to_owned(),
        SignatureType::CertificationRevocation => "the revocation of a user id".to_owned(),
        SignatureType::GenericCertification
        | SignatureType::PersonaCertification
        | SignatureType::CasualCertification
        | SignatureType::PositiveCertification => "the certification of a user id".to_owned(),
        SignatureType::SubkeyBinding => "the binding of a subkey".to_owned(),
        SignatureType::DirectKey => "a signature over a key itself".to_owned(),
        other => format!("a signature of type {other}"),
    };
    if let (Some(maker), Some(revoked)) = (makers.first(), revoked) {
        return format!(
            "packet {number} of it, {what} by {maker}, is about {revoked}, which did not authorise that key: \
             remove the packet"
        );
    }
    if let Some(maker) = makers.first() {
        return format!(
            "packet {number} of it, {what} by {maker}, does not verify over any part of that certificate: it is \
             damaged, or its subject is missing; export the certificate again, or remove the packet"
        );
    }
    let by = match signature.get_issuers().first() {
        Some(issuer) => issuer.to_string(),
        None => return format!("packet {number} of it, {what}, does not name the key that made it: remove it"),
    };
    format!(
        "packet {number} of it, {what} by {by}, belongs to no certificate of the ring: add the certificate of \
         {by} to the ring, or remove the packet"
    )
}

/// The certificates of a ring that this revocation is about and that have named its maker for that.
fn designating(certs: &BTreeMap<Fingerprint, Cert>, signature: &Signature) -> Vec<Fingerprint> {
    if signature.typ() != SignatureType::KeyRevocation {
        return Vec::new();
    }
    let named = certs.values().filter(|cert| is_revoked_by_designation(cert, signature, certs.values()));
    named.map(Cert::fingerprint).collect()
}

/// Whether a certificate that this one has named for that, as far as it is in the ring, has made this revocation.
pub(super) fn is_revoked_by_designation<'a>(
    cert: &Cert,
    revocation: &Signature,
    mut ring: impl Iterator<Item = &'a Cert>,
) -> bool {
    // Whoever was named by a signature with an old hash may still revoke.
    let mut policy = StandardPolicy::new();
    policy.accept_hash(HashAlgorithm::SHA1);
    let named: Vec<Fingerprint> = cert.revocation_keys(&policy).map(|by| by.revoker().1.clone()).collect();
    let primary = cert.primary_key();
    !named.is_empty()
        && ring.any(|revoker| {
            named.contains(&revoker.fingerprint())
                && revocation.verify_primary_key_revocation(revoker.primary_key().key(), primary.key()).is_ok()
        })
}

/// Whether it is the binding of a subkey that lacks nothing but the subkey's own answer. Such a subkey can sign nothing,
/// which is told where that matters (S30).
fn binds_without_answer(cert: &Cert, signature: &Signature) -> bool {
    let primary = cert.primary_key();
    signature.typ() == SignatureType::SubkeyBinding
        && cert.keys().subkeys().any(|subkey| {
            let digest = signature.hash_algo().context().and_then(|context| {
                let mut context = context.for_signature(signature.version());
                signature.hash_subkey_binding(&mut context, primary.key(), subkey.key())?;
                context.into_digest()
            });
            digest.is_ok_and(|digest| signature.verify_digest(primary.key(), digest).is_ok())
        })
}

/// The parts of a file that hold packets: itself, or the content of every armored block.
fn parts_of(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if bytes.len() > KEY_FILE_MAX {
        return Err(format!("larger than {KEY_FILE_MAX} bytes"));
    }
    // What some editors put before a text.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match bytes {
        [] => Err("empty".to_owned()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err("is text in UTF-16, which no program reads as a key: save it as UTF-8".to_owned())
        }
        // The first bit of an OpenPGP packet is set, and no armor begins so; a text may, with a letter that is not ASCII.
        [first, ..] if first & 0x80 != 0 && std::str::from_utf8(bytes).is_err() => match text_after_packets(bytes) {
            Some(at) => Err(format!(
                "text follows a binary key from byte {at} on, and no program reads both: put the text into a \
                 separate file (`tail -c +{} FILE`), and keep the first {at} bytes here (`head -c {at} FILE`)",
                at.saturating_add(1)
            )),
            None => Ok(vec![bytes.to_vec()]),
        },
        _ => armored_parts(bytes),
    }
}

/// The content of every armored block of a text, however it was edited: line ends, blanks and empty lines do not matter.
///
/// What stands around the blocks is passed over, but for what may be a block that was damaged: it may hold a revocation.
fn armored_parts(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut parts = Vec::new();
    let mut block: Option<(usize, Vec<&[u8]>)> = None;
    let mut foreign: Option<&[u8]> = None;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.flat_map(|line| line.strip_suffix(b"\r").unwrap_or(line).split(|byte| *byte == b'\r'));
    for (number, line) in (1..).zip(lines) {
        let mut text = line.trim_ascii();
        if text.starts_with(END) {
            let Some((_, lines)) = block.take() else {
                return Err(format!(
                    "an armored block ends in line {number} that has not begun: put `{BEGIN_LINE}` and an \
                     empty line before it, fetch the file again, or remove the block"
                ));
            };
            parts.push(content_of(&lines)?);
            // The next file may have been appended to one that had no line end.
            text = after_end(text);
        }
        if let Some(rest) = text.strip_prefix(BEGIN) {
            if let Some((begun, _)) = block {
                return Err(format!(
                    "an armored block begins in line {number} inside another, which began in line {begun}: put \
                     `{END_LINE}` before it, or fetch the file again"
                ));
            }
            match rest {
                // A revocation alone may be called either.
                b"PUBLIC KEY BLOCK-----" | b"SIGNATURE-----" => {}
                b"PRIVATE KEY BLOCK-----" => return Err(SECRET.to_owned()),
                near if near.starts_with(b"PUBLIC KEY BLOCK") || near.starts_with(b"SIGNATURE") => {
                    return Err(damaged_frame(number, text));
                }
                other => return Err(format!("holds a PGP {}, not a certificate", printable(other))),
            }
            block = Some((number, Vec::new()));
        } else if holds(text, BEGIN) || holds(text, END) {
            // gpg writes a colon before the revocations that it makes in advance.
            return Err(format!(
                "there is text before `-----` on line {number}, so no program reads the block: remove it (gpg \
                 puts a colon before a revocation to prevent accidental publication)"
            ));
        } else if is_near_frame(text) {
            return Err(damaged_frame(number, text));
        } else if let Some((_, lines)) = &mut block {
            lines.push(text);
        } else if let Some(label) = foreign {
            if is_frame(text, b"END ", label) {
                foreign = None;
            }
        } else if let Some(label) = FOREIGN.iter().find(|label| is_frame(text, b"BEGIN ", label)) {
            foreign = Some(label);
        } else if is_like_armor(text) {
            return Err(format!(
                "line {number} looks like armor outside a block, so no program reads it: put `{BEGIN_LINE}` and \
                 an empty line before the block and `{END_LINE}` after it, or remove it"
            ));
        } else if text.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
            return Err(format!("line {number} is neither armor nor text: put binary keys into a separate file"));
        }
    }
    if let Some(label) = foreign {
        return Err(format!("a block of a {} has no end: remove it", printable(label)));
    }
    if let Some((begun, _)) = block {
        return Err(format!(
            "its armor has no end: put `{END_LINE}` after the block that begins on line {begun}, or fetch the file \
             again"
        ));
    }
    Ok(parts)
}

/// Keys of other kinds that lie in such files, as those of IMA signatures do (RFC 7468); they are passed over.
const FOREIGN: &[&[u8]] = &[b"PUBLIC KEY", b"RSA PUBLIC KEY", b"CERTIFICATE", b"TRUSTED CERTIFICATE"];

/// Whether a line is the first or the last one of a block with this label.
fn is_frame(text: &[u8], which: &[u8], label: &[u8]) -> bool {
    let inner = text.strip_prefix(b"-----").and_then(|text| text.strip_suffix(b"-----"));
    inner.and_then(|text| text.strip_prefix(which)) == Some(label)
}

const BEGIN: &[u8] = b"-----BEGIN PGP ";
const END: &[u8] = b"-----END PGP ";
const BEGIN_LINE: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END_LINE: &str = "-----END PGP PUBLIC KEY BLOCK-----";

fn holds(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}

/// What stands in a line after the end of a block.
fn after_end(line: &[u8]) -> &[u8] {
    let name = line.get(END.len()..).unwrap_or_default();
    let dashes = name.windows(5).position(|part| part == b"-----");
    dashes.and_then(|at| name.get(at.saturating_add(5)..)).unwrap_or_default().trim_ascii()
}

/// The words of a line, whatever parts them.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether it is the first or last line of a block but for its dashes and blanks: mail programs make others of them.
fn is_near_frame(text: &[u8]) -> bool {
    words(text).zip(words(text).skip(1)).any(|pair| matches!(pair, (b"BEGIN" | b"END", b"PGP")))
}

fn damaged_frame(number: usize, text: &[u8]) -> String {
    if words(text).any(|word| word == b"PRIVATE") {
        return SECRET.to_owned();
    }
    let right = if words(text).any(|word| word == b"BEGIN") { BEGIN_LINE } else { END_LINE };
    format!(
        "line {number} looks like that of an armored block, but its dashes or blanks were changed (by a mail \
         program?), so no program reads the block: write `{right}` on a line of its own instead, fetch the file \
         again, or remove the line"
    )
}

/// Whether it looks like a line of armor: nothing but base64, and neither a fingerprint nor an ornament.
fn is_like_armor(text: &[u8]) -> bool {
    const SHORTEST: usize = 40;
    // As in a quoted mail.
    let quoted = text.iter().take_while(|byte| matches!(byte, b'>' | b'|' | b':' | b' ' | b'\t')).count();
    let text = text.get(quoted..).unwrap_or_default();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = text.iter().take_while(|byte| is_digit(byte)).count();
    let filled = text.iter().skip(digits).all(|byte| *byte == b'=');
    digits >= SHORTEST
        && filled
        && text.iter().any(u8::is_ascii_lowercase)
        && text.iter().any(u8::is_ascii_uppercase)
        && !text.iter().all(u8::is_ascii_hexdigit)
}

/// Where text begins that was appended to a binary file, such as an armored block: after its last packet.
fn text_after_packets(bytes: &[u8]) -> Option<usize> {
    // A text may begin with a letter that is not ASCII, which looks like a packet. Binary keys are no UTF-8.
    let (mut read, mut binary_end) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        read = read.checked_add(chunk.valid().len())?.checked_add(chunk.invalid().len())?;
        if !chunk.invalid().is_empty() {
            binary_end = read;
        }
    }
    let mut at = 0_usize;
    let rest = loop {
        let rest = bytes.get(at..)?;
        match rest {
            rest if at >= binary_end && std::str::from_utf8(rest).is_ok() => break rest,
            [first, ..] if first & 0x80 != 0 => at = at.checked_add(packet_length(rest)?)?,
            _ => break rest,
        }
    };
    let is_text =
        std::str::from_utf8(rest).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    (is_text && !rest.trim_ascii().is_empty()).then_some(at)
}

/// The bytes of a packet with its head, if they are told (RFC 9580, section 4.2).
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let number =
        |bytes: &[u8]| bytes.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()));
    let (head, body) = match bytes {
        [first, rest @ ..] if first & 0x40 == 0 => {
            let octets = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            (octets, number(rest.get(..octets)?)?)
        }
        [_, 0xff, rest @ ..] => (5, number(rest.get(..4)?)?),
        [_, one, ..] if *one < 192 => (1, usize::from(*one)),
        [_, one, two, ..] if *one < 224 => (
            2,
            usize::from(*one).checked_sub(192)?.checked_mul(256)?.checked_add(usize::from(*two))?.checked_add(192)?,
        ),
        _ => return None,
    };
    body.checked_add(head)?.checked_add(1)
}

/// What the lines of one block stand for.
fn content_of(lines: &[&[u8]]) -> Result<Vec<u8>, String> {
    let bad = |why: &str| format!("its armor cannot be read: {why}");
    let is_header = |line: &&&[u8]| line.contains(&b':');
    let headers = lines.iter().take_while(|line| line.is_empty() || is_header(line)).count();
    let mut text = Vec::new();
    let mut sum = None;
    for line in lines.iter().skip(headers).filter(|line| !line.is_empty()) {
        match line.strip_prefix(b"=") {
            Some(digits) if digits.len() == 4 && sum.is_none() => sum = Some(*line),
            _ if sum.is_some() => return Err(bad("there is text after its checksum")),
            _ => text.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace())),
        }
    }
    let content = STANDARD.decode(&text).map_err(|_| bad("it is not base64"))?;
    if sum.is_some_and(|sum| sum != checksum_line(&content).as_bytes()) {
        return Err(bad("its checksum does not match, so it is damaged; fetch it again"));
    }
    Ok(content)
}

/// The checksum of armor, as a line (RFC 4880, section 6.1).
fn checksum_line(content: &[u8]) -> String {
    let sum = content.iter().fold(0x00b7_04ce_u32, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 16), |sum, _| {
            let shifted = sum << 1;
            if shifted & 0x0100_0000 == 0 { shifted } else { shifted ^ 0x0186_4cfb }
        })
    });
    let [_, bytes @ ..] = sum.to_be_bytes();
    format!("={}", STANDARD.encode(bytes))
}

const SECRET: &str =
    "holds a secret key: export the public key only (`gpg --armor --export KEY`), and keep the secret one elsewhere";

pub(super) fn packets_of(bytes: &[u8], packets: &mut Vec<(usize, Packet)>) -> Result<(), String> {
    let unreadable = |error: anyhow::Error| format!("not OpenPGP: {}", one_line(&error));
    let mut keys = packets.iter().filter(|(_, packet)| is_key(packet)).count();
    let mut number = packets.last().map_or(0, |(number, _)| *number);
    let mut next = PacketParserBuilder::from_bytes(bytes)
        .map_err(unreadable)?
        .dearmor(Dearmor::Disabled)
        .build()
        .map_err(unreadable)?;
    while let PacketParserResult::Some(parser) = next {
        let (packet, after) = parser.next().map_err(unreadable)?;
        next = after;
        number = number.saturating_add(1);
        match packet.tag() {
            Tag::SecretKey | Tag::SecretSubkey => return Err(SECRET.to_owned()),
            // What gpg keeps in its own ring files beside the certificates, and what other programs keep (RFC 9580,
            // section 4.3: from 40 on a packet may be passed over).
            Tag::Trust | Tag::Marker | Tag::Padding => continue,
            tag if u8::from(tag) >= 40 => continue,
            _ => {}
        }
        keys = keys.saturating_add(usize::from(is_key(&packet)));
        packets.push((number, packet));
        if keys > KEYS_MAX || packets.len() > PACKETS_MAX {
            return Err(format!("more than {KEYS_MAX} keys or {PACKETS_MAX} packets: put them into several files"));
        }
    }
    Ok(())
}

fn is_key(packet: &Packet) -> bool {
    matches!(packet.tag(), Tag::PublicKey | Tag::PublicSubkey)
}

/// A certificate as rpm and others take it: one armored block with the keys, the user ids and what the certificate says
/// of itself. What strangers say of it is left out, and what is not bound to it, and subkeys that are revoked.
pub(super) fn armored(cert: &Cert) -> Result<String, String> {
    let mut packets: Vec<Packet> = vec![cert.primary_key().key().clone().into()];
    let primary = cert.primary_key();
    let own = primary.self_revocations().chain(primary.other_revocations()).chain(primary.self_signatures());
    packets.extend(own.cloned().map(Packet::from));
    for user_id in cert.userids() {
        let said: Vec<&Signature> = user_id.self_revocations().chain(user_id.self_signatures()).collect();
        if !said.is_empty() {
            packets.push(user_id.userid().clone().into());
            packets.extend(said.into_iter().cloned().map(Packet::from));
        }
    }
    for subkey in cert.keys().subkeys() {
        let said: Vec<&Signature> = subkey.self_signatures().collect();
        // rpm cannot know that a subkey was revoked, and refuses a certificate that says so.
        if !said.is_empty() && subkey.self_revocations().next().is_none() {
            packets.push(Packet::from(subkey.key().clone()));
            packets.extend(said.into_iter().cloned().map(Packet::from));
        }
    }
    let mut bytes = Vec::new();
    for packet in packets {
        packet.serialize(&mut bytes).map_err(|error| one_line(&error))?;
    }
    let mut text = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n".to_owned();
    let encoded = STANDARD.encode(&bytes);
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&checksum_line(&bytes));
    text.push_str("\n-----END PGP PUBLIC KEY BLOCK-----\n");
    Ok(text)
}

/// Runs a call into the OpenPGP library on bytes that a stranger wrote; a panic becomes an error.
///
/// Nothing that the closure can reach is used again after a panic but shared, unchanging values.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| "the OpenPGP library failed on it".to_owned())
}

/// An error with its causes, without control characters: it may repeat bytes of the file.
pub(super) fn one_line(error: &anyhow::Error) -> String {
    printable(format!("{error:#}").as_bytes())
}

/// Text of strangers for messages, control characters replaced and cut to a bearable length.
pub(super) fn printable(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use jiff::Timestamp;
    use sequoia_openpgp::cert::{CertBuilder, SubkeyRevocationBuilder};
    use sequoia_openpgp::serialize::SerializeInto as _;
    use sequoia_openpgp::types::KeyFlags;

    use super::*;

    const BORN: Timestamp = Timestamp::constant(1_700_000_000, 0);

    /// A block of 100 bytes that stand for a certificate or a revocation.
    fn block(byte: u8) -> String {
        let text = STANDARD.encode((0..100).map(|at| byte.wrapping_mul(at)).collect::<Vec<u8>>());
        let (one, other) = text.split_at(64);
        format!("{BEGIN_LINE}\n\n{one}\n{other}\n{END_LINE}\n")
    }

    #[test]
    fn a_block_that_a_mail_program_damaged_is_named_with_its_line_and_the_cure() {
        let (good, revocation) = (block(3).repeat(2), block(7));
        let lines: Vec<&str> = revocation.lines().collect();
        let without_frame = format!("{}\n{}\n", lines[2], lines[3]);
        let frame = |damaged: &str| format!("line 11 looks like that of an armored block{damaged}");
        let begin = frame(", but its dashes or blanks were changed");
        for (text, says, cure) in [
            (revocation.replace("-----", "—–"), begin.as_str(), BEGIN_LINE),
            (revocation.replace("-----BEGIN", "----BEGIN"), &begin, BEGIN_LINE),
            (revocation.replace("BLOCK-----", "BLOCK----"), &begin, BEGIN_LINE),
            (revocation.replace("BLOCK-----", "BLOCK—–"), &begin, BEGIN_LINE),
            (revocation.replace("-----BEGIN PGP ", "-----BEGIN\u{a0}PGP\u{a0}"), &begin, BEGIN_LINE),
            (revocation.replace('-', "- "), &begin, BEGIN_LINE),
            (revocation.replace("-----END", "—–END"), "line 15 looks like that of", END_LINE),
            (without_frame.clone(), "line 11 looks like armor outside a block", BEGIN_LINE),
            (format!("> {without_frame}"), "line 11 looks like armor outside a block", END_LINE),
            (lines[1..].join("\n"), "line 12 looks like armor outside a block", BEGIN_LINE),
            (lines[..4].join("\n"), "its armor has no end", END_LINE),
            (lines[4].to_owned(), "an armored block ends in line 11 that has not begun", BEGIN_LINE),
            (
                lines[0].to_owned() + "\n" + &revocation,
                "begins in line 12 inside another, which began in line 11",
                END_LINE,
            ),
            (revocation.replace("PUBLIC", "PRIVATE").replace("-----", "—–"), "holds a secret key", "--export"),
        ] {
            let text = format!("{good}{text}");
            for text in [text.replace('\n', "\r\n"), text.replace('\n', "\r"), text] {
                let complaint = parts_of(text.as_bytes()).unwrap_err();
                assert!(complaint.contains(says) && complaint.contains(cure), "{complaint}\n---\n{text}");
            }
        }
        // At the beginning of a file, where the first byte is none of ASCII.
        let complaint = parts_of(revocation.replace("-----", "—–").as_bytes()).unwrap_err();
        assert!(complaint.starts_with("line 1 looks like that of an armored block"), "{complaint}");
    }

    #[test]
    fn words_and_fingerprints_around_blocks_are_passed_over() {
        let fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567";
        for text in [
            "The key of the project. It may end PGP days.",
            "Über den Schlüssel:",
            fingerprint,
            &fingerprint.to_lowercase(),
            &fingerprint.repeat(2),
            &"=".repeat(72),
            &"+/".repeat(30),
            "http://repository.example.org/SomeLongPathThatGoesOnAndOnAndOnWithoutAnEnd",
        ] {
            let file = format!("{text}\n{}{text}\n{}", block(3), block(5));
            assert_eq!(parts_of(file.as_bytes()).map(|parts| parts.len()), Ok(2), "{text}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_passed_over_and_what_only_looks_like_one_is_not() {
        let base64 = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE541hlq0vUfDYgue/OeOLndE0ljG+";
        let pem = |label: &str| format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n");
        for label in ["PUBLIC KEY", "CERTIFICATE"] {
            assert_eq!(parts_of(pem(label).as_bytes()).map(|parts| parts.len()), Ok(0), "{label}");
            let beside = format!("{}{}{}", block(3), pem(label), block(5));
            assert_eq!(parts_of(beside.as_bytes()).map(|parts| parts.len()), Ok(2), "{label}");
        }
        // A revocation may have lost a word of its frame, or stand in one that never ends.
        let no_end = format!("-----BEGIN CERTIFICATE-----\n{base64}\n");
        for damaged in [pem("PUBLIC KEY BLOCK"), pem("SIGNATURE"), no_end] {
            assert!(parts_of(format!("{}{damaged}", block(3)).as_bytes()).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_block_that_was_appended_to_a_file_without_a_line_end_is_read() {
        let (one, other) = (block(3), block(5));
        let joined = format!("{}{other}", one.trim_end());
        assert!(joined.contains("----------BEGIN"), "{joined}");
        assert_eq!(parts_of(joined.as_bytes()), parts_of(format!("{one}{other}").as_bytes()));
        for (after, says) in [
            (other.replace("-----BEGIN", "----BEGIN"), "line 5 looks like that of an armored block"),
            (format!(":{other}"), "there is text before `-----` on line 5"),
            (other.lines().nth(2).unwrap().to_owned(), "line 5 looks like armor"),
        ] {
            let complaint = parts_of(format!("{}{after}", one.trim_end()).as_bytes()).unwrap_err();
            assert!(complaint.contains(says), "{complaint}");
        }
    }

    #[test]
    fn text_after_a_binary_key_is_named_with_the_byte_where_it_begins() {
        let cert = CertBuilder::new().add_userid("a").add_signing_subkey().generate().unwrap().0;
        let user_id = Packet::from(sequoia_openpgp::packet::UserID::from("x".repeat(1000))).to_vec().unwrap();
        // Packets with lengths of one, two and four octets, in the format of old and of today.
        let old = [&[0x88, 3][..], b"old", &[0x89, 0, 3], b"old", &[0x8a, 0, 0, 0, 3], b"old"].concat();
        let long = [&[0xcd, 0xff, 0, 0, 0, 2][..], b"xy"].concat();
        let binary = [cert.to_vec().unwrap(), user_id, old, long].concat();
        let revocation = block(7);
        for text in [
            revocation.clone(),
            format!("\n{revocation}"),
            format!("This is a revocation.\n:{revocation}"),
            revocation.replace("-----", "—–"),
        ] {
            let complaint = parts_of(&[&binary[..], text.as_bytes()].concat()).unwrap_err();
            let says = format!("text follows a binary key from byte {} on", binary.len());
            assert!(complaint.starts_with(&says), "{complaint}");
            assert!(complaint.contains(&format!("`tail -c +{} FILE`", binary.len() + 1)), "{complaint}");
        }
        assert_eq!(parts_of(&binary), Ok(vec![binary.clone()]));
        // What is no text is left to the library.
        for end in 1..binary.len() {
            let cut = binary.get(..end).unwrap();
            assert_eq!(parts_of(cut), Ok(vec![cut.to_vec()]));
        }
    }

    #[test]
    fn clients_get_no_subkey_that_is_revoked() {
        let time = SystemTime::from(BORN);
        let signs = KeyFlags::empty().set_signing();
        let builder = CertBuilder::new().set_creation_time(time).add_userid("a").add_subkey(signs.clone(), None, None);
        let cert = builder.add_subkey(signs, None, None).generate().unwrap().0;
        let [gone, stays] = [0, 1].map(|n| cert.keys().subkeys().nth(n).unwrap().key().clone());
        let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let revocation = SubkeyRevocationBuilder::new().build(&mut signer, &cert, &gone, None).unwrap();
        let public = cert.strip_secret_key_material();
        let bytes = [public.to_vec().unwrap(), Packet::from(revocation).to_vec().unwrap()].concat();
        let read = |bytes: Vec<u8>| read(&[("key".to_owned(), bytes)], &|_| false).unwrap().certs.remove(0);
        let subkeys = |cert: &Cert| cert.keys().subkeys().map(|sub| sub.key().fingerprint()).collect::<Vec<_>>();
        let ring = read(bytes);
        assert_eq!(ring.keys().subkeys().filter(|sub| sub.self_revocations().count() == 1).count(), 1);
        assert_eq!(subkeys(&ring).len(), 2);
        assert_eq!(subkeys(&read(armored(&ring).unwrap().into_bytes())), [stays.fingerprint()]);
    }
}
