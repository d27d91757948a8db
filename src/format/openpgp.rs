//! OpenPGP: key rings, and what they say about a signature.
//!
//! Owns: reading one signature packet, and finding out whether a key of the ring made it over given bytes, and
//! what is weak about that. Files become certificates in `keyfile`. Whether it is enough is decided in
//! `domain/trust`. Packets, arithmetic and the validity of certificates are sequoia's; on top of
//! them stand rules that sequoia does not have or has laxer (catalogue 3.2 and 3.3).
//!
//! What never happens here: secret keys are kept (a file that has one is refused), the environment
//! or a policy file of the system is read (threat 28), or a packet is decompressed (no compression is
//! compiled in). A panic of the library on hostile bytes has happened elsewhere (CVE-2026-2625), so
//! each call into it on bytes of a package or of a key file runs inside [`super::keyfile::guarded`]: a panic becomes
//! a refusal of that file. It is the last line of defence, not the first.

/// What a key's certificate says of it: what it is for, until when, whether it is revoked.
mod binding;
/// The certificates that a tree trusts.
mod ring;
/// A signature, and whether a key of a ring made it.
mod claim;

pub use super::keyfile::{KEY_FILE_MAX, KeyComplaint};
pub use binding::Gravity;
pub use claim::Claim;
pub use ring::{CertSummary, KeySummary, Keyring};
