//! Why a file stays out: the one table of stable codes.
//!
//! Admins script against the codes, so a code never changes its meaning and never disappears. Every code says which
//! rule was broken and what would change the verdict; a test keeps the table complete. The codes follow the catalogue
//! of hostile inputs: container and header (H), signatures (S), names and text (N), and what is not a package at all
//! (B).

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $rule:literal, $remedy:literal;)*) => {
        /// A stable reason for refusing a file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as written in output, logs and file names: lower case with underscores.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The rule that was broken, as a sentence.
            pub fn rule(self) -> &'static str {
                match self { $(Self::$name => $rule,)* }
            }

            /// What would change the verdict, as a sentence.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

codes! {
    // Not a package at all.
    /// Not a regular file, or a link (B1).
    NotRegular = "not_regular", "Only regular files with one link are read; links, pipes, sockets and devices are not.", "Upload the package itself, as a separate file, to the upload directory.";
    /// Beyond the size limit (rows 11, B2).
    TooLarge = "too_large", "A file larger than the configured limit is not read.", "Split the package, or have `max_package` raised, under `[intake]` in rolloutd's configuration.";
    /// Changed or vanished while it was read (rows 2, 5, B3, B4).
    Unstable = "unstable", "The file changed while it was being read.", "Upload it again and do not change it until it is taken in.";
    /// Not an RPM (H2).
    NotRpm = "not_rpm", "The file does not begin with the lead of an RPM package.", "Upload a package that `rpm -qp` can read.";

    /// The process that reads it died or timed out (row 26).
    ReaderFailed = "reader_failed", "The process that reads packages must finish a file within its time and memory limits.", "Upload it again; if that does not help, report the file and the daemon's log.";

    // Container and header.
    /// Shorter than its headers say (H1).
    Truncated = "truncated", "The file is shorter than its headers say.", "Upload the whole file again.";
    /// Wrong magic in a header (H4).
    HeaderMagic = "header_magic", "A header must begin with rpm's eight magic bytes.", "Rebuild and sign the package; its header is damaged.";
    /// Counts or sizes beyond rpm's limits (H5 to H9).
    HeaderLimits = "header_limits", "A header may not exceed the limits for tags, data, file names and dependencies.", "Rebuild it with fewer of them, or as several packages; a damaged file has to be uploaded again.";
    /// An entry that rpm would refuse (H10 to H17).
    HeaderEntry = "header_entry", "Every header entry must have a known type, a valid count, and data inside the header.", "Rebuild and sign the package; its header is damaged.";
    /// The immutable region is missing or not the whole header (H18, H19).
    Region = "region", "The main header must be exactly one immutable region.", "Rebuild and sign the package; its header was changed.";
    /// A signature tag in the main header (H20).
    SigtagInHeader = "sigtag_in_header", "A signature belongs in the signature header and nowhere else.", "Rebuild the package from its sources, and sign it.";
    /// A tag twice (H22).
    DuplicateTag = "duplicate_tag", "No tag may appear twice, because readers differ in which one they use.", "Rebuild the package from its sources, and sign it.";
    /// Tags of a format 6 package out of order (H23).
    TagOrder = "tag_order", "The tags of a format 6 package must be in ascending order.", "Rebuild the package from its sources, and sign it.";
    /// Nonzero padding (H24).
    Padding = "padding", "The padding after the signature header of a format 6 package must be zero.", "Sign the package again with rpm itself.";
    /// The recorded size is not the file's (H27).
    Size = "size", "The size in the signature header must be that of header and payload.", "Upload the whole file again; if that does not help, rebuild and sign it.";
    /// File lists that do not match (H29).
    FileList = "file_list", "The lists of base names, directories, modes and flags must have matching lengths.", "Rebuild the package from its sources, and sign it.";
    /// Dependency lists that do not match (N13).
    DepList = "dep_list", "The lists of dependency names, versions and flags must have the same length.", "Rebuild the package from its sources, and sign it.";
    /// Name, version, release or architecture is missing (H30).
    Nevra = "nevra", "A package must have a name, a version, a release and an architecture.", "Rebuild the package from its sources, and sign it.";
    /// Characters that no name may have (N2).
    NevraChars = "nevra_chars", "Name, version and release may have only the characters that rpm allows in a build.", "Rebuild the package under a plain name.";
    /// An unknown architecture (N3).
    Arch = "arch", "The architecture must be one that rpm knows or that `arches` of the distribution names.", "Rebuild the package for another architecture; a distribution may also name its own in `arches` in rolloutd's configuration, with all others that it takes.";
    /// Control characters in an identity field or in a dependency (N8).
    Text = "text", "Names, versions and dependencies must not have control characters or other characters that XML cannot carry.", "Rebuild the package without control characters and without text that XML cannot carry.";
    /// A file name that cannot be listed (N11).
    FileName = "file_name", "Every file name must be text that XML can carry.", "Rebuild the package with other file names.";

    // Digests.
    /// A header digest is wrong (S14).
    HeaderDigest = "header_digest", "Every digest of the header in the package must be correct.", "Upload the package again; if that does not help, rebuild it.";
    /// A payload digest is wrong (S3, H25, S17).
    PayloadDigest = "payload_digest", "The payload must have the digest that the signed header records.", "Upload the package again; if that does not help, rebuild it.";
    /// A payload digest of a form or strength that proves nothing (S16).
    PayloadDigestFormat = "payload_digest_format", "The signed payload digest must be one value, of SHA-256 or stronger.", "Rebuild the package with rpm 4.14 or newer.";

    // Signatures.
    /// No signature (S2).
    Unsigned = "unsigned", "A package must be signed.", "Sign the package with a key of this tree's ring.";
    /// Header signed, payload not (S4, S5).
    PartiallySigned = "partially_signed", "Signatures must cover the header and, by a digest of SHA-256 or stronger, the payload.", "Rebuild with rpm 4.14 or newer and sign again.";
    /// Only a signature over header and payload together (S6).
    LegacySignature = "legacy_signature", "Signatures over header and payload together need a legacy exception for the key.", "Rebuild the package and sign its header with rpm 4.14 or newer, or grant the key a dated legacy exception.";
    /// A signature that does not match the bytes (S7 to S9).
    BadSignature = "bad_signature", "Every signature in the package must be good.", "Upload the package as it was signed, or remove the signature (`rpmsign --delsign`) and sign again; it, or its signature, was altered.";
    /// Signed by a key that the ring does not have (S10).
    UnknownKey = "unknown_key", "Every signature must be made by a key of this tree's ring.", "Sign with a key of the ring, or add the key to the ring of this tree, and reload.";
    /// The key had expired when it signed (S18).
    KeyExpired = "key_expired", "The key must not have expired when it signed.", "Sign again with a valid key.";
    /// The key has expired since (S19).
    KeyExpiredAtArrival = "key_expired_at_arrival", "The key must not have expired when the package arrives, whatever time the signature claims.", "Sign again with a valid key, or extend the key and update the ring.";
    /// The key is revoked (S20 to S22).
    KeyRevoked = "key_revoked", "The key must not be revoked, softly or hard, when the package arrives.", "Sign again with a valid key.";
    /// The signature has an expiry and it has passed (S23).
    SignatureExpired = "signature_expired", "A signature must not have expired.", "Sign the package again, as it was built, without an expiry; rpmsign does not replace a signature that has expired.";
    /// Made in the future (S24).
    NotYetValid = "not_yet_valid", "A signature may be at most five minutes ahead of this machine's clock.", "Correct the clock that is wrong; if it is that of the signing machine, remove the signature (`rpmsign --delsign`) and sign again.";
    /// Older than its key (S25).
    SignatureBeforeKey = "signature_before_key", "A signature cannot be older than the key that made it.", "Check the clock of the signing machine, remove the signature (`rpmsign --delsign`) and sign again.";
    /// Not one bare OpenPGP signature (S38, S39, S40).
    SignatureFormat = "signature_format", "Each signature tag must hold exactly one bare OpenPGP signature packet.", "Sign the package again, as it was built, with rpm itself; rpmsign does not replace a signature that it cannot read.";
    /// Issuer subpackets that contradict one another (S26, S27).
    IssuerConflict = "issuer_conflict", "All issuer subpackets of a signature must name the same key.", "Remove the signature (`rpmsign --delsign`) and sign again.";
    /// The key may not sign (S28).
    NotSigningKey = "not_signing_key", "The key must be marked as able to sign data.", "Sign with a signing key or subkey.";
    /// The subkey is not bound to its certificate (S29, S32).
    UnboundKey = "unbound_key", "The signing key must be bound to its certificate by signatures that are valid today, in both directions.", "Renew the key's binding signatures with a modern hash and update the ring.";
    /// MD5, SHA-1 or RIPEMD (S31).
    WeakHash = "weak_hash", "The signature's hash must be SHA-224 or stronger.", "Sign again with SHA-256; for SHA-1, a dated legacy exception for the key helps, too.";
    /// RSA below 2048 bits, DSA (S33).
    WeakKey = "weak_key", "The key must be RSA or DSA of 2048 bits or more, or an elliptic curve.", "Sign with a stronger key, or grant the key a dated legacy exception.";
    /// An algorithm that this build does not know (S33).
    UnknownAlgorithm = "unknown_algorithm", "The signature's algorithms must be known to this program.", "Sign with RSA of 2048 to 4096 bits, Ed25519, or ECDSA over P-256, P-384 or P-521, and with SHA-256 or SHA-512.";
    /// A signature packet of version 2 or 5, or of version 3 with weak algorithms (S35).
    SignatureVersion = "signature_version", "The signature packet must have version 4 or 6, or version 3 with RSA and SHA-2.", "Sign the package again, as it was built, with a modern tool; for version 3, a dated legacy exception for the key helps, too.";
    /// Not a signature over a binary document (S36).
    SignatureType = "signature_type", "Only signatures over binary documents count.", "Sign the package with rpm itself.";
    /// An unknown critical subpacket (S37).
    SignatureCritical = "signature_critical", "Every subpacket marked as critical must be known to this program.", "Sign the package again, as it was built, without it; rpmsign does not replace a signature that it cannot read.";
    /// Fewer signers than the tree requires (S12).
    TooFewSigners = "too_few_signers", "This tree requires signatures by several different keys.", "Have another signer add a signature with rpm 6 (`rpmsign --addsign --rpmv6`); rpm 4 replaces the first one.";

    // Identity.
    /// The same NEVRA with other bytes (N5, S45).
    DuplicateNevra = "duplicate_nevra", "A name-version-release.arch must have the same content in all trees of a distribution.", "Raise the release and rebuild.";
    /// Another package has the same file name (it contains no epoch).
    FileNameTaken = "file_name_taken", "File names have no epoch, so two packages that differ only in the epoch would be one file.", "Raise the version or the release.";
    /// Older bytes were rejected or withdrawn by a rollout (S0-03).
    Withdrawn = "withdrawn", "A package that was withdrawn or taken out of a tree cannot come back by itself under the same name.", "Raise the release and rebuild; if it left by mistake, an admin can let the same file in again (`rolloutctl allow`), and it is uploaded again.";
    /// A kind of package that the distribution does not carry (N7).
    WrongKind = "wrong_kind", "The architecture is not one that this distribution takes.", "Upload it to a distribution that takes it, or have the architecture named in `arches` in rolloutd's configuration, with all others that the distribution takes.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is not a code of the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a refusal code")]
pub struct UnknownCode(pub String);

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

/// A refusal: the code and what exactly was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {detail}")]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What was found in this file: tag, offset, key, name. A lower-case fragment, one line.
    pub detail: String,
}

/// The longest detail in characters. It stays in the logbook for ever, and is shown in lists.
const DETAIL_MAX: usize = 400;

/// How many bytes of a header's text are shown.
const SHOWN_MAX: usize = 100;

/// Bytes of a package as text for people, cut if they are long.
pub fn shown(bytes: &[u8]) -> String {
    match bytes.split_at_checked(SHOWN_MAX) {
        Some((beginning, [_, ..])) => format!("{}… ({} bytes)", beginning.escape_ascii(), bytes.len()),
        _ => bytes.escape_ascii().to_string(),
    }
}

impl Refusal {
    /// A refusal with details, which are cut if they are long: an uploader must not fill the logbook with them.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_MAX) {
            detail = format!("{}… ({} bytes)", detail.get(..end).unwrap_or_default(), detail.len());
        }
        Self { code, detail }
    }

    /// Whether a file with this code looks as if somebody had tampered with it, or signed it who must not any more: those who
    /// answer for security want to hear of it (S3-37). `code` is the word in logs.
    pub fn is_suspicious(code: &str) -> bool {
        const SUSPICIOUS: [Code; 7] = [
            Code::Region,
            Code::SigtagInHeader,
            Code::HeaderDigest,
            Code::PayloadDigest,
            Code::BadSignature,
            Code::KeyRevoked,
            Code::IssuerConflict,
        ];
        SUSPICIOUS.iter().any(|known| known.as_str() == code)
    }

    /// Whether more bytes may change the verdict, because the upload may still be in progress.
    pub fn may_be_incomplete(&self) -> bool {
        matches!(self.code, Code::Truncated | Code::Unstable | Code::Size | Code::PayloadDigest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_told_of_a_file_is_short_however_long_its_words_are() {
        let long = Refusal::new(Code::Text, "é".repeat(1000)).detail;
        assert_eq!(long, "é".repeat(DETAIL_MAX) + "… (2000 bytes)");
        assert_eq!(Refusal::new(Code::Text, "é".repeat(DETAIL_MAX)).detail, "é".repeat(DETAIL_MAX));
        assert_eq!(shown(&[1; 101]), r"\x01".repeat(100) + "… (101 bytes)");
        assert_eq!(shown(&[1; 100]), r"\x01".repeat(100));
    }

    #[test]
    fn only_what_more_bytes_may_mend_is_waited_for() {
        let waits = |code: &Code| Refusal::new(*code, "").may_be_incomplete();
        let waited_for: Vec<Code> = Code::ALL.iter().copied().filter(waits).collect();
        assert_eq!(waited_for, [Code::Unstable, Code::Truncated, Code::Size, Code::PayloadDigest]);
    }

    #[test]
    fn a_word_that_is_no_code_is_repeated() {
        assert_eq!("unsinged".parse::<Code>(), Err(UnknownCode("unsinged".to_owned())));
    }

    #[test]
    fn the_table_of_codes_is_complete_and_plain() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len(), "a code stands twice");
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(code.to_string(), code.as_str());
            for sentence in [code.rule(), code.remedy()] {
                assert!(sentence.ends_with('.') && sentence.len() > 20, "{code}: {sentence:?}");
            }
        }
    }

    #[test]
    fn every_code_says_its_rule_and_its_remedy() {
        let told = Code::ALL.iter().map(|code| format!("{code}\n  {}\n  {}\n", code.rule(), code.remedy()));
        insta::assert_snapshot!(told.collect::<String>());
    }
}
