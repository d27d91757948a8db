//! OpenPGP: key rings, and verifying signatures with them.
//!
//! Owns: reading one signature packet, deciding whether a key of the ring made it over given bytes, and reporting what
//! is weak about it. `keyfile` turns files into certificates. `domain/trust` decides whether a signature is enough.
//! Packets, arithmetic and the validity of certificates are sequoia's; some rules here are stricter than sequoia's, or
//! missing there (catalogue 3.2 and 3.3).
//!
//! What never happens here: secret keys are kept (a file that has one is refused), the environment or a system policy
//! file is read (threat 28), or a packet is decompressed (no compression is compiled in). The library has panicked on
//! hostile bytes elsewhere (CVE-2026-2625), so each call into it on bytes of a package or of a key file runs inside
//! [`super::keyfile::guarded`], where a panic becomes a refusal of that file. That is the last line of defence, not the
//! first.

/// What a key's certificate says about it: its purpose, its expiry, whether it is revoked.
mod binding;
/// The certificates that a tree trusts.
mod ring;
/// A signature, and which key of a ring made it.
mod claim;

pub use super::keyfile::{KEY_FILE_MAX, KeyComplaint};
pub use binding::Gravity;
pub use claim::Claim;
pub use ring::{CertSummary, KeySummary, Keyring};
