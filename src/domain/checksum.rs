//! Checksums as repodata spells them.

use std::fmt;
use std::str::FromStr;

use serde_with::{DeserializeFromStr, SerializeDisplay};

/// A checksum algorithm that a distribution may use in its metadata.
///
/// EL5 clients know only SHA-1 (which yum spells `sha`), newer ones want SHA-256 or SHA-512.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ChecksumKind {
    /// SHA-1, written `sha` as yum 3.2 wants it.
    Sha1,
    /// SHA-256, the default.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

impl ChecksumKind {
    /// All kinds, in the order in which help texts name them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The spelling in configuration and in `type="…"` attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for ChecksumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A checksum name that is none of `sha`, `sha256`, `sha512`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a checksum type of yum metadata: use sha, sha256 or sha512")]
pub struct UnknownChecksum(pub String);

impl FromStr for ChecksumKind {
    type Err = UnknownChecksum;

    fn from_str(text: &str) -> Result<Self, UnknownChecksum> {
        match text {
            // createrepo_c and old repositories also write `sha1`.
            "sha" | "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(UnknownChecksum(text.to_owned())),
        }
    }
}

/// The SHA-256 of a whole file: what a package *is*, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeserializeFromStr, SerializeDisplay)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Lower-case hexadecimal, 64 characters.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 of 64 hexadecimal digits")]
pub struct BadSha256(pub String);

impl FromStr for Sha256 {
    type Err = BadSha256;

    fn from_str(text: &str) -> Result<Self, BadSha256> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| BadSha256(text.to_owned()))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_as_it_is_written() {
        for kind in ChecksumKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(kind.to_string(), kind.as_str());
        }
    }

    #[test]
    fn createrepo_c_may_say_sha1_and_nobody_may_say_md5() {
        assert_eq!("sha1".parse(), Ok(ChecksumKind::Sha1));
        assert_eq!("md5".parse::<ChecksumKind>(), Err(UnknownChecksum("md5".to_owned())));
    }

    #[test]
    fn a_sha256_is_told_by_its_digits() {
        let sum = Sha256([0x9a; 32]);
        assert_eq!(format!("{sum} {sum:?}"), format!("{0} {0}", "9a".repeat(32)));
    }

    #[test]
    fn a_sha256_is_64_digits_and_nothing_else() {
        let text = "9ae0daaf".repeat(8);
        assert_eq!(text.parse::<Sha256>().map(Sha256::to_hex), Ok(text));
        assert!("9ae0".parse::<Sha256>().is_err());
        assert!("z".repeat(64).parse::<Sha256>().is_err());
    }
}
