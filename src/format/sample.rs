//! Small packages built in memory and signed with our own key: for the demo and for tests.
//!
//! The crate `rpm` writes lead, header and payload. Its own signing would bring in a second OpenPGP library, so the
//! signature header is written here: in format 4, with the tags that `rpmbuild` and `rpmsign` write and rpm from 4.4 to
//! 6 reads. The signature (tag 268, or 267 for a key other than RSA) is over the main header, which holds the SHA-256
//! of the payload.
//!
//! Nothing here reads or signs a package of somebody else.

use super::signing::{Signer, SigningError};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use rpm::{BuildConfig, CompressionWithLevel, Dependency, FileOptions, PackageBuilder};

/// A description of a sample package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Epoch; `None` leaves the tag out.
    pub epoch: Option<u32>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Architecture: `noarch`, `x86_64`, ...
    pub arch: String,
    /// One line; also used as its description.
    pub summary: String,
    /// What it requires: `name` or `name >= version`.
    pub requires: Vec<String>,
    /// What it provides besides its own name, in the same form.
    pub provides: Vec<String>,
    /// Its files: absolute path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Its changelog, newest first: time, author, text.
    pub changelog: Vec<(Timestamp, String, String)>,
    /// When it was built, also the time of its files; the current time if that is earlier.
    pub build_time: Timestamp,
}

/// Why a sample package could not be built.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The crate rejected the recipe.
    #[error("failed to build {name}: {why}")]
    Build {
        /// Name of the package.
        name: String,
        /// The crate's message.
        why: String,
    },
    /// A dependency that is neither `name` nor `name >= version`.
    #[error("`{0}` is not a dependency: write `name` or `name >= version`")]
    Dependency(String),
    /// A time before 1970 or after 2106, which a header cannot hold.
    #[error("{0} cannot be written into a package")]
    Time(Timestamp),
    /// Larger than format 4 allows.
    #[error("the package is larger than 4 GiB")]
    TooLarge,
    /// Signing failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// Builds a package and signs it with the time `at`; without a signer it has digests only.
pub fn build(recipe: &Recipe, signer: Option<&Signer>, at: Timestamp) -> Result<Vec<u8>, SampleError> {
    let unsigned = unsigned(recipe)?;
    let (lead, rest) = unsigned.bytes.split_at_checked(unsigned.signature).ok_or(SampleError::TooLarge)?;
    let main = rest.get(unsigned.main.saturating_sub(unsigned.signature)..).ok_or(SampleError::TooLarge)?;
    let header = main.get(..unsigned.payload.saturating_sub(unsigned.main)).ok_or(SampleError::TooLarge)?;

    let mut entries = Vec::new();
    if let Some(signer) = signer {
        let tag = if signer.signs_with_rsa() { RSA_HEADER } else { DSA_HEADER };
        entries.push(Entry::bin(tag, signer.sign_detached(header, at)?));
    }
    entries.push(Entry::string(SHA1_HEADER, &hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, header))));
    entries.push(Entry::string(SHA256_HEADER, &hex::encode(digest(&SHA256, header))));
    entries.push(Entry::int32(SIZE, u32::try_from(main.len()).map_err(|_| SampleError::TooLarge)?));
    entries.push(Entry::bin(MD5, Md5::digest(main).to_vec()));
    // Without this tag rpm2cpio reports a failure. The payload is one gzip member, whose last four bytes are the size
    // of its content (RFC 1952, 2.3.1).
    let archive = main.last_chunk::<4>().ok_or(SampleError::TooLarge)?;
    entries.push(Entry::int32(PAYLOAD_SIZE, u32::from_le_bytes(*archive)));

    let mut package = lead.to_vec();
    package.extend(signature_header(entries)?);
    package.extend_from_slice(main);
    Ok(package)
}

// Tags of the signature header (rpm: include/rpm/rpmtag.h, docs/manual/tags.md).
const REGION: u32 = 62;
const DSA_HEADER: u32 = 267;
const RSA_HEADER: u32 = 268;
const SHA1_HEADER: u32 = 269;
const SHA256_HEADER: u32 = 273;
const SIZE: u32 = 1000;
const MD5: u32 = 1004;
const PAYLOAD_SIZE: u32 = 1007;

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_BIN: u32 = 7;

struct Entry {
    tag: u32,
    kind: u32,
    count: usize,
    data: Vec<u8>,
}

impl Entry {
    fn bin(tag: u32, data: Vec<u8>) -> Self {
        Self { tag, kind: TYPE_BIN, count: data.len(), data }
    }

    fn string(tag: u32, text: &str) -> Self {
        Self { tag, kind: TYPE_STRING, count: 1, data: [text.as_bytes(), b"\0"].concat() }
    }

    fn int32(tag: u32, number: u32) -> Self {
        Self { tag, kind: TYPE_INT32, count: 1, data: number.to_be_bytes().to_vec() }
    }

    fn index(&self, offset: i64) -> Result<[u8; 16], SampleError> {
        let mut out = [0; 16];
        let offset = i32::try_from(offset).map_err(|_| SampleError::TooLarge)?;
        let count = u32::try_from(self.count).map_err(|_| SampleError::TooLarge)?;
        let words = [self.tag.to_be_bytes(), self.kind.to_be_bytes(), offset.to_be_bytes(), count.to_be_bytes()];
        for (place, byte) in out.iter_mut().zip(words.as_flattened()) {
            *place = *byte;
        }
        Ok(out)
    }
}

/// The signature header with its region, padded to eight bytes; `entries` are sorted by tag.
fn signature_header(entries: Vec<Entry>) -> Result<Vec<u8>, SampleError> {
    let length = |bytes: &Vec<u8>| i64::try_from(bytes.len()).map_err(|_| SampleError::TooLarge);
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for entry in entries {
        if entry.kind == TYPE_INT32 {
            store.resize(store.len().next_multiple_of(4), 0);
        }
        index.extend(entry.index(length(&store)?)?);
        store.extend(entry.data);
    }
    // The region's own entry points to its trailer, and the trailer back over the whole index.
    let region = Entry { tag: REGION, kind: TYPE_BIN, count: 16, data: Vec::new() };
    let index = [region.index(length(&store)?)?.to_vec(), index].concat();
    store.extend(region.index(-length(&index)?)?);

    let sizes = [index.len() / 16, store.len()].map(u32::try_from);
    let [Ok(number), Ok(size)] = sizes else { return Err(SampleError::TooLarge) };
    let mut header = vec![0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
    header.extend(number.to_be_bytes());
    header.extend(size.to_be_bytes());
    header.extend(index);
    header.extend(store);
    header.resize(header.len().next_multiple_of(8), 0);
    Ok(header)
}

/// A package as the crate writes it, and where its parts begin.
struct Unsigned {
    bytes: Vec<u8>,
    signature: usize,
    main: usize,
    payload: usize,
}

fn unsigned(recipe: &Recipe) -> Result<Unsigned, SampleError> {
    let fail = |e: rpm::Error| SampleError::Build { name: recipe.name.clone(), why: e.to_string() };
    let Recipe { name, version, release, arch, summary, .. } = recipe;
    let mut builder = PackageBuilder::new(name, version, "MIT", arch, summary);
    builder
        // gzip, since rpm before 4.7 knows nothing newer.
        .using_config(
            BuildConfig::v4().source_date(seconds(recipe.build_time)?).compression(CompressionWithLevel::Gzip(6)),
        )
        .release(release)
        .description(summary)
        .group("Applications/System")
        .build_host("localhost");
    if let Some(epoch) = recipe.epoch {
        builder.epoch(epoch);
    }
    for text in &recipe.requires {
        builder.requires(dependency(text)?);
    }
    for text in &recipe.provides {
        builder.provides(dependency(text)?);
    }
    for (path, content) in &recipe.files {
        builder.with_file_contents(content.clone(), FileOptions::new(path)).map_err(fail)?;
    }
    for (time, author, text) in &recipe.changelog {
        builder.add_changelog_entry(author, text, seconds(*time)?);
    }
    let package = builder.build().map_err(fail)?;
    let mut bytes = Vec::new();
    package.write(&mut bytes).map_err(fail)?;
    let parts = package.metadata.get_package_segment_offsets();
    let place = |offset: u64| usize::try_from(offset).map_err(|_| SampleError::TooLarge);
    Ok(Unsigned {
        signature: place(parts.signature_header)?,
        main: place(parts.header)?,
        payload: place(parts.payload)?,
        bytes,
    })
}

fn seconds(time: Timestamp) -> Result<u32, SampleError> {
    u32::try_from(time.as_second()).map_err(|_| SampleError::Time(time))
}

fn dependency(text: &str) -> Result<Dependency, SampleError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [name] => Ok(Dependency::any(*name)),
        [name, "=", evr] => Ok(Dependency::eq(*name, *evr)),
        [name, "<", evr] => Ok(Dependency::less(*name, *evr)),
        [name, "<=", evr] => Ok(Dependency::less_eq(*name, *evr)),
        [name, ">", evr] => Ok(Dependency::greater(*name, *evr)),
        [name, ">=", evr] => Ok(Dependency::greater_eq(*name, *evr)),
        _ => Err(SampleError::Dependency(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checksum::ChecksumKind;
    use crate::domain::refusal::Code;
    use crate::domain::trust::Policy;
    use crate::format::openpgp::Keyring;
    use crate::format::reading::{Contents, Reading, Signatures};
    use crate::format::signing;
    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::serialize::SerializeInto as _;
    use std::time::SystemTime;

    const AT: Timestamp = Timestamp::constant(1_700_000_100, 0);

    fn recipe() -> Recipe {
        Recipe {
            name: "demo".to_owned(),
            version: "1.0".to_owned(),
            release: "1".to_owned(),
            arch: "noarch".to_owned(),
            summary: "A sample".to_owned(),
            files: vec![("/usr/share/demo/version".to_owned(), b"1.0\n".to_vec())],
            build_time: Timestamp::from_second(1_700_000_000).unwrap(),
            ..Recipe::default()
        }
    }

    /// A package as the gate reads it, which is stricter than any rpm.
    fn read(package: &[u8]) -> Contents {
        let mut reading = Reading::new(ChecksumKind::Sha256);
        reading.push(package).unwrap();
        reading.finish().unwrap()
    }

    #[test]
    fn the_same_recipe_gives_the_same_bytes() {
        assert_eq!(build(&recipe(), None, AT).unwrap(), build(&recipe(), None, AT).unwrap());
    }

    #[test]
    fn a_sample_gets_through_the_gate_whatever_the_kind_of_its_key() {
        let rsa = signing::generate("Demo <demo@example.org>", recipe().build_time).unwrap().secret.into_bytes();
        let elliptic = CertBuilder::general_purpose(Some("Demo <demo@example.org>"))
            .set_creation_time(SystemTime::from(recipe().build_time))
            .generate()
            .unwrap();
        for (secret, tag) in [(rsa, RSA_HEADER), (elliptic.0.as_tsk().to_vec().unwrap(), DSA_HEADER)] {
            let signer = Signer::read(&secret, AT).unwrap();
            let contents = read(&build(&recipe(), Some(&signer), AT).unwrap());
            assert!(contents.signature_header.has(tag), "old rpm looks for the signature in tag {tag}");
            assert_eq!((contents.faults.as_slice(), contents.notes.as_slice()), (&[][..], &[][..]));
            let public = signer.public_key_armored().as_bytes().to_vec();
            let ring = Keyring::read(&[("demo".to_owned(), public)]).unwrap();
            let verdict = contents.judge(&ring, &Policy::default(), AT);
            assert_eq!(verdict.map(|accepted| accepted.fingerprints), Ok(vec![signer.fingerprint()]));
        }
    }

    #[test]
    fn who_skips_the_signatures_learns_all_but_who_signed() {
        let secret = signing::generate("Demo <demo@example.org>", recipe().build_time).unwrap().secret.into_bytes();
        let signer = Signer::read(&secret, AT).unwrap();
        let mut package = build(&recipe(), Some(&signer), AT).unwrap();
        let ring = Keyring::read(&[("demo".to_owned(), signer.public_key_armored().as_bytes().to_vec())]).unwrap();
        let skipped = |package: &[u8]| {
            let reading = Reading::with(ChecksumKind::Sha256, Signatures::Skipped);
            reading.whole(&mut &package[..], &mut [0; 64]).unwrap()
        };
        let (all, some) = (read(&package), skipped(&package));
        assert_eq!((some.sha256, some.pkgid.clone(), some.size), (all.sha256, all.pkgid, all.size));
        let verdict = some.judge(&ring, &Policy::default(), AT);
        assert_eq!(verdict.map_err(|refusal| refusal.code), Err(Code::Unsigned), "nothing passes unread");
        *package.last_mut().unwrap() ^= 1;
        assert_eq!((skipped(&package).faults.len(), read(&package).faults.len()), (2, 2), "both payload digests");
    }

    #[test]
    fn dependencies_are_written_with_their_comparison() {
        let asked = ["a", "b = 1", "c < 1", "d <= 2:1-1", "e > 1", "f >= 1"].map(str::to_owned).to_vec();
        let asking = Recipe { requires: asked.clone(), provides: asked, ..recipe() };
        let header = read(&build(&asking, None, AT).unwrap()).header;
        // Names, flags and versions (tags 1049, 1048 and 1050, and 1047, 1112 and 1113); of the flags, 2 is less,
        // 4 is greater and 8 is equal.
        for [names, flags, versions] in [[1049, 1048, 1050], [1047, 1112, 1113]] {
            let written = header.strings(names).zip(header.u32s(flags).zip(header.strings(versions)));
            let written: Vec<String> = written
                .filter(|(name, _)| name.len() == 1)
                .map(|(name, (flags, version))| format!("{} {flags} {}", name.escape_ascii(), version.escape_ascii()))
                .collect();
            assert_eq!(written, ["a 0 ", "b 8 1", "c 2 1", "d 10 2:1-1", "e 4 1", "f 12 1"]);
        }
    }

    #[test]
    fn an_epoch_and_a_changelog_are_written_and_none_is_left_out() {
        let change = (recipe().build_time, "Demo <demo@example.org>".to_owned(), "- first".to_owned());
        let with = Recipe { epoch: Some(3), changelog: vec![change], ..recipe() };
        for (recipe, epoch, text) in [(with, Some(3), Some(&b"- first"[..])), (recipe(), None, None)] {
            let header = read(&build(&recipe, None, AT).unwrap()).header;
            assert_eq!((header.u32(1003), header.strings(1082).next()), (epoch, text));
        }
    }

    #[test]
    fn the_signature_header_ends_on_eight_bytes_and_its_size_is_that_of_the_rest() {
        let package = build(&recipe(), None, Timestamp::UNIX_EPOCH).unwrap();
        let word = |at: usize| u32::from_be_bytes(package[at..at + 4].try_into().unwrap()) as usize;
        let (entries, store) = (word(96 + 8), word(96 + 12));
        assert_eq!(entries, 6, "region, three digests, two sizes");
        let main = (96 + 16 + entries * 16 + store).next_multiple_of(8);
        assert_eq!(package[main..main + 4], [0x8e, 0xad, 0xe8, 0x01]);
        let size = (0..entries).map(|n| 96 + 16 + n * 16).find(|at| word(*at) == 1000).unwrap();
        assert_eq!(word(96 + 16 + entries * 16 + word(size + 8)), package.len() - main);
    }

    #[test]
    fn a_dependency_that_cannot_be_read_is_named() {
        let wrong = Recipe { requires: vec!["demo-libs 1.0".to_owned()], ..recipe() };
        let why = build(&wrong, None, Timestamp::UNIX_EPOCH).unwrap_err().to_string();
        assert_eq!(why, "`demo-libs 1.0` is not a dependency: write `name` or `name >= version`");
    }

    #[test]
    fn what_a_package_cannot_hold_is_refused() {
        let bad = [
            Recipe { name: "two words".to_owned(), ..recipe() },
            Recipe { files: vec![("relative".to_owned(), Vec::new())], ..recipe() },
            Recipe { build_time: Timestamp::from_second(-1).unwrap(), ..recipe() },
        ];
        for recipe in bad {
            assert!(build(&recipe, None, Timestamp::UNIX_EPOCH).is_err(), "{recipe:?}");
        }
    }
}
