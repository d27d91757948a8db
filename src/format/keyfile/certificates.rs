//! One key file: its packets, the certificates they form, and the misplaced signatures.

use sequoia_openpgp::Fingerprint;
use sequoia_openpgp::anyhow;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::packet::{Packet, Signature, Tag};
use sequoia_openpgp::parse::{Dearmor, PacketParserBuilder, PacketParserResult, Parse as _};
use sequoia_openpgp::types::SignatureType;

use super::armor::parts_of;
use super::{SECRET, one_line};

/// Most keys and subkeys in one file (S44). A whole distribution's ring has some dozens.
const KEYS_MAX: usize = 1024;

/// Most packets in one file: room for a few certifications of each key.
const PACKETS_MAX: usize = 20_000;

/// A signature that does not verify where it is.
pub(super) struct Stray {
    pub(super) label: String,
    /// Its packet number in the file, from 1.
    pub(super) number: usize,
    pub(super) signature: Signature,
    /// The certificate that it is in.
    pub(super) home: Option<Fingerprint>,
    /// Its file is left out, and was complained about.
    pub(super) may_be_lost: bool,
}

/// The content of one file.
#[derive(Default)]
pub(super) struct File {
    pub(super) certs: Vec<Cert>,
    pub(super) strays: Vec<Stray>,
    pub(super) wrong: Vec<String>,
}

impl File {
    pub(super) fn unusable(what: String) -> Self {
        Self { wrong: vec![what], ..Self::default() }
    }

    pub(super) fn read(label: &str, bytes: &[u8]) -> Self {
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
                        // What follows belongs to this key; only revocations of other keys matter in it.
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

    /// Ends a group: a primary key and what follows it, or signatures before any key.
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
            // The signatures of an unreadable key are its own, except for revocations.
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

/// Appends the packets in `bytes`, with their numbers in the file, without those that are not needed.
pub(in crate::format) fn packets_of(bytes: &[u8], packets: &mut Vec<(usize, Packet)>) -> Result<(), String> {
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
            // What gpg keeps in its own key ring files beside the certificates, and private packets of other programs
            // (RFC 9580, section 4.3: types from 40 on may be ignored).
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

/// Whether it revokes a key or a subkey.
pub(super) fn revokes_keys(signature: &Signature) -> bool {
    matches!(signature.typ(), SignatureType::KeyRevocation | SignatureType::SubkeyRevocation)
}

/// The signatures of a certificate made by its own key, in order.
pub(super) fn settled_in(cert: &Cert) -> Vec<Signature> {
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

pub(super) fn is_among(signature: &Signature, sorted: &[Signature]) -> bool {
    sorted.binary_search_by(|other| other.normalized_cmp(signature)).is_ok()
}
