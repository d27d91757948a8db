//! Package identity: name, epoch, version, release, architecture, and rpm's order of versions.
//!
//! The characters allowed are those that rpm itself allows in a build (`build/rpmbuild_internal.hh`), except `%`, `{`
//! and `}`, which only come from unexpanded macros.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::arch;

/// The directory of a tree that holds packages.
pub const PACKAGES: &str = "Packages";

/// The longest name, version, release or architecture. File names are limited to 255 bytes and contain all four.
pub const PART_MAX: usize = 200;

/// How many characters of a rejected text are reported.
const OFFERED_MAX: usize = 300;

/// Which part of an identity is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {why}", text.escape_default())]
pub struct BadNevra {
    /// The rejected text, or its beginning.
    pub text: String,
    /// A lower-case fragment.
    pub why: &'static str,
}

impl BadNevra {
    /// A header may contain megabytes, of which the beginning is enough.
    fn new(text: &str, why: &'static str) -> Self {
        Self { text: text.chars().take(OFFERED_MAX).collect(), why }
    }
}

/// `name-[epoch:]version-release.arch`; a value of this type has all its parts, and they are valid.
///
/// Hundreds of thousands of them are in several maps at once, so clones share their text.
#[derive(Clone, PartialEq, Eq, Hash, DeserializeFromStr, SerializeDisplay)]
pub struct Nevra {
    /// `NAME-VERSION-RELEASE.ARCH`.
    stem: Arc<str>,
    epoch: u32,
    /// Bytes of name, version and release.
    lengths: [u8; 3],
}

impl Nevra {
    /// Checks each part by rpm's rules for builders (threats N2, N3).
    ///
    /// # Errors
    /// Names the first part with a character, a length or a beginning that rpm does not allow.
    pub fn new(name: &str, epoch: u32, version: &str, release: &str, arch: &str) -> Result<Self, BadNevra> {
        let bad = |text: &str, why| Err(BadNevra::new(text, why));
        for part in [name, version, release, arch] {
            if part.is_empty() {
                return bad(part, "name, version, release and architecture must not be empty");
            }
            if part.len() > PART_MAX {
                return bad(part, "longer than 200 bytes");
            }
        }
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return bad(name, "a name begins with a letter, a digit or `_`");
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b)) {
            return bad(name, "a name has only letters, digits and . - _ +");
        }
        for part in [version, release] {
            if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~^".contains(&b)) {
                return bad(part, "a version or release has only letters, digits and . _ + ~ ^");
            }
            if part.contains("..") {
                return bad(part, "a version or release has no two dots in a row");
            }
        }
        if name.contains("..") {
            return bad(name, "a name has no two dots in a row");
        }
        if !arch::is_arch(arch) {
            return bad(arch, "an architecture begins with a letter and has only letters, digits and _");
        }
        Ok(Self::of(name, epoch, version, release, arch))
    }

    /// No part but the architecture may be longer than [`PART_MAX`].
    fn of(name: &str, epoch: u32, version: &str, release: &str, arch: &str) -> Self {
        let length = |part: &str| u8::try_from(part.len()).unwrap_or(u8::MAX);
        let lengths = [name, version, release].map(length);
        Self { stem: [name, "-", version, "-", release, ".", arch].concat().into(), epoch, lengths }
    }

    /// The source package of this file name, `bdii-5.2.22-1.el6.src.rpm`, if it is one.
    pub fn of_source_file(file: &str) -> Option<Self> {
        let name = file.strip_suffix(".rpm")?;
        name.parse().ok().filter(Self::is_source)
    }

    /// Whether it is a source package.
    pub fn is_source(&self) -> bool {
        matches!(self.arch(), "src" | "nosrc")
    }

    /// A value that sorts before or equal to every package of this name; not a real identity.
    pub fn first_of(name: &str) -> Self {
        // Nothing is older than a tilde, and nobody has room for more of them.
        let oldest = "~".repeat(PART_MAX);
        Self::of(name.get(..PART_MAX).unwrap_or(name), 0, &oldest, &oldest, "")
    }

    /// A part of the text, by number.
    fn part(&self, number: usize) -> &str {
        let [name, version, release] = self.lengths.map(usize::from);
        let (begin, end) = match number {
            0 => (0, name),
            1 => (name + 1, name + 1 + version),
            2 => (name + version + 2, name + version + 2 + release),
            _ => (name + version + release + 3, self.stem.len()),
        };
        self.stem.get(begin..end).unwrap_or_default()
    }

    /// The package's name.
    pub fn name(&self) -> &str {
        self.part(0)
    }

    /// The epoch; 0 if the package has none.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The version.
    pub fn version(&self) -> &str {
        self.part(1)
    }

    /// The release.
    pub fn release(&self) -> &str {
        self.part(2)
    }

    /// The architecture; `src` or `nosrc` for sources.
    pub fn arch(&self) -> &str {
        self.part(3)
    }

    /// `[EPOCH:]VERSION-RELEASE`, as people compare them.
    pub fn evr(&self) -> String {
        match self.epoch {
            0 => format!("{}-{}", self.version(), self.release()),
            epoch => format!("{epoch}:{}-{}", self.version(), self.release()),
        }
    }

    /// `NAME-VERSION-RELEASE.ARCH.rpm`, without the epoch, as rpm names files.
    pub fn file_name(&self) -> String {
        format!("{}.rpm", self.stem)
    }

    /// The path in a tree of a package that the daemon took in: `Packages/b/bdii-5.2.22-1.el6.noarch.rpm`.
    pub fn location(&self) -> String {
        [PACKAGES, "/", self.letter().encode_utf8(&mut [0; 4]), "/", &self.stem, ".rpm"].concat()
    }

    /// The directory in [`PACKAGES`] that holds it.
    pub fn letter(&self) -> char {
        self.name().chars().next().map_or('_', |c| c.to_ascii_lowercase())
    }

    /// Compares epoch, version and release as rpm does.
    pub fn cmp_evr(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| vercmp(self.version(), other.version()))
            .then_with(|| vercmp(self.release(), other.release()))
    }
}

impl Ord for Nevra {
    /// By name, then rpm's version order, then text: a total order in which `1.0` and `1.00`, which rpm considers
    /// equal, still have a fixed order.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.epoch == other.epoch && self.stem == other.stem {
            return Ordering::Equal;
        }
        self.name()
            .cmp(other.name())
            .then_with(|| self.cmp_evr(other))
            .then_with(|| self.version().cmp(other.version()))
            .then_with(|| self.release().cmp(other.release()))
            .then_with(|| self.arch().cmp(other.arch()))
    }
}

impl PartialOrd for Nevra {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, rest) = self.stem.split_at_checked(usize::from(self.lengths[0]) + 1).unwrap_or(("", &self.stem));
        f.write_str(name)?;
        if self.epoch != 0 {
            write!(f, "{}:", self.epoch)?;
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nevra({self})")
    }
}

impl FromStr for Nevra {
    type Err = BadNevra;

    fn from_str(text: &str) -> Result<Self, BadNevra> {
        let bad = |why| BadNevra::new(text, why);
        let bare = text.strip_suffix(".rpm").unwrap_or(text);
        let (rest, arch) = bare.rsplit_once('.').ok_or_else(|| bad("no architecture after the last dot"))?;
        let (rest, release) = rest.rsplit_once('-').ok_or_else(|| bad("no release after the last dash"))?;
        let (name, ev) = rest.rsplit_once('-').ok_or_else(|| bad("no version between two dashes"))?;
        let (epoch, version) = ev.split_once(':').unwrap_or(("0", ev));
        let epoch = epoch.parse().map_err(|_| bad("the epoch is not a number"))?;
        Self::new(name, epoch, version, release, arch).map_err(|e| BadNevra::new(text, e.why))
    }
}

/// rpm's `rpmvercmp`: the order of two versions or releases.
///
/// `~` sorts before everything, even the end; `^` sorts after the end but before anything else; numbers of any length
/// are compared as numbers and beat letters.
#[expect(clippy::match_same_arms, reason = "each arm is a rule of its own, in rpm's order")]
pub fn vercmp(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        a = skip_separators(a);
        b = skip_separators(b);
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                a = &a[1..];
                b = &b[1..];
                continue;
            }
            (None, None) => return Ordering::Equal,
            // `~` before everything, even the end.
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            // The end before `^`, and `^` before anything else.
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (Some(_), Some(_)) => {}
        }
        let digits = a[0].is_ascii_digit();
        let (run_a, rest_a) = split_run(a, digits);
        let (run_b, rest_b) = split_run(b, digits);
        if run_b.is_empty() {
            // Numbers are newer than letters.
            return if digits { Ordering::Greater } else { Ordering::Less };
        }
        let order = if digits {
            let (x, y) = (strip_zeros(run_a), strip_zeros(run_b));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            run_a.cmp(run_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        a = rest_a;
        b = rest_b;
    }
}

fn skip_separators(s: &[u8]) -> &[u8] {
    let at = s.iter().position(|&c| c.is_ascii_alphanumeric() || c == b'~' || c == b'^');
    &s[at.unwrap_or(s.len())..]
}

fn split_run(s: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let in_run = |c: &u8| if digits { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
    s.split_at(s.iter().position(|c| !in_run(c)).unwrap_or(s.len()))
}

fn strip_zeros(s: &[u8]) -> &[u8] {
    &s[s.iter().position(|&c| c != b'0').unwrap_or(s.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, sign: char, b: &str) {
        let expected = match sign {
            '<' => Ordering::Less,
            '>' => Ordering::Greater,
            _ => Ordering::Equal,
        };
        assert_eq!(vercmp(a, b), expected, "{a} {sign} {b}");
        assert_eq!(vercmp(b, a), expected.reverse(), "{b} and {a} the other way round");
    }

    #[test]
    fn versions_sort_as_rpm_sorts_them() {
        check("1.0", '=', "1.0");
        check("1.0", '<', "2.0");
        check("2.0.1", '>', "2.0");
        check("2.0.1a", '>', "2.0.1");
        check("5.5p1", '<', "5.5p10");
        check("10xyz", '<', "10.1xyz");
        check("xyz10", '<', "xyz10.1");
        check("xyz.4", '<', "8");
        check("5.5p2", '<', "5.6p1");
        check("6.0.rc1", '>', "6.0");
        check("10b2", '>', "10a1");
        check("1.0aa", '<', "1.0ab");
        check("10.0001", '=', "10.1");
        check("4.999.9", '<', "5.0");
        check("20101121", '<', "20101122");
        check("2_0", '=', "2.0");
        check("1.0~rc1", '<', "1.0");
        check("1.0~rc1~git123", '<', "1.0~rc1");
        check("1.0^", '>', "1.0");
        check("1.0^git1", '<', "1.01");
        check("1.0^git1~pre", '<', "1.0^git1");
        check("1.0~rc1^git1", '>', "1.0~rc1");
        check("00123456789012345678901234567890", '<', "123456789012345678901234567891");
    }

    #[test]
    fn a_nevra_reads_back_as_it_is_written() {
        for text in ["glibc-2.5-12.x86_64", "bind-libs-32:9.8.2-0.el6.i686", "a-b-c-1.0~rc1-1^2.noarch", "x-0-0.src"] {
            assert_eq!(text.parse::<Nevra>().map(|n| n.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn every_part_is_told_as_it_was_given() {
        let nevra = Nevra::new("bind-libs", 32, "9.8.2", "0.el6", "i686").expect("a nevra");
        let parts = (nevra.name(), nevra.epoch(), nevra.version(), nevra.release(), nevra.arch());
        assert_eq!(parts, ("bind-libs", 32, "9.8.2", "0.el6", "i686"));
        assert_eq!(nevra.evr(), "32:9.8.2-0.el6");
        assert_eq!(format!("{nevra:?}"), "Nevra(bind-libs-32:9.8.2-0.el6.i686)");
    }

    #[test]
    fn packages_stand_by_name_then_version_then_text() {
        let sorted = [
            "a-9-9.noarch",
            "b-1.0-01.noarch",
            "b-1.0-1.i686",
            "b-1.0-1.x86_64",
            "b-1.00-1.noarch",
            "b-1.0-2.noarch",
            "b-1.1-1.noarch",
            "b-1:0-0.noarch",
        ]
        .map(|text| text.parse::<Nevra>().expect("a nevra"));
        for (n, one) in sorted.iter().enumerate() {
            for (m, other) in sorted.iter().enumerate() {
                assert_eq!(one.partial_cmp(other), Some(n.cmp(&m)), "{one} and {other}");
            }
        }
    }

    #[test]
    fn the_first_of_a_name_sorts_before_all_that_can_have_it() {
        let most = "~".repeat(PART_MAX);
        let before = Nevra::first_of("b");
        for version in ["0", "~", "~~", "~~~", ".~~", "^", ".", most.as_str()] {
            for release in ["1", "~~~", most.as_str()] {
                let nevra = Nevra::new("b", 0, version, release, "noarch").expect("a nevra");
                assert!(before < nevra, "{nevra}");
            }
        }
        assert_eq!(before.name(), "b");
        assert!(Nevra::new("a", 9, "9", "9", "noarch").is_ok_and(|of_a| of_a < before));
        let longest = "b".repeat(PART_MAX);
        assert_eq!(Nevra::first_of(&longest).name(), longest);
    }

    #[test]
    fn what_could_leave_the_tree_is_no_name() {
        for name in ["../../evil", "a/b", ".", "..", "-x", "", "a b", "a\0b", "a%b", "ä", &"x".repeat(300)] {
            assert!(Nevra::new(name, 0, "1", "1", "noarch").is_err(), "{name:?}");
        }
        for arch in ["x86_64/../../etc", "", "..", "x86-64", "2", "x86_64 ", "noarch\n"] {
            assert!(Nevra::new("a", 0, "1", "1", arch).is_err(), "{arch:?}");
        }
        assert!(Nevra::new("a", 0, "1-1", "1", "noarch").is_err());
        assert!(Nevra::new("a", 0, "1", "1/1", "noarch").is_err());
    }

    #[test]
    fn a_file_name_has_no_epoch() {
        let nevra: Nevra = "bind-32:9.8.2-0.el6.i686".parse().expect("a nevra");
        assert_eq!(nevra.file_name(), "bind-9.8.2-0.el6.i686.rpm");
        assert_eq!(nevra.epoch(), 32);
    }

    proptest::proptest! {
        #[test]
        fn version_order_is_antisymmetric(a in "[0-9a-c.~^]{0,8}", b in "[0-9a-c.~^]{0,8}") {
            proptest::prop_assert_eq!(vercmp(&a, &b), vercmp(&b, &a).reverse());
        }

        #[test]
        fn reading_a_nevra_never_panics(text in ".{0,60}") {
            let _ = text.parse::<Nevra>();
        }
    }
}
