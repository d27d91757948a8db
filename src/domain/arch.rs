//! Architectures of packages.
//!
//! A package may be of any architecture: build systems have their own, as Yocto has `core2_64`. Which of them a
//! distribution takes in is what its `arches` name, or else what the last part of its path allows.

/// Architectures that rpm of EL5 to EL10 and its relatives know, and `src`/`nosrc` for sources.
///
/// A package of another one is of use only to sites whose package managers were told of it (threats N3).
const KNOWN: &[&str] = &[
    "noarch",
    "src",
    "nosrc",
    "i386",
    "i486",
    "i586",
    "i686",
    "athlon",
    "geode",
    "pentium3",
    "pentium4",
    "x86_64",
    "x86_64_v2",
    "x86_64_v3",
    "x86_64_v4",
    "amd64",
    "ia32e",
    "ia64",
    "alpha",
    "alphaev5",
    "alphaev56",
    "alphaev6",
    "alphaev67",
    "alphapca56",
    "sparc",
    "sparcv8",
    "sparcv9",
    "sparcv9v",
    "sparc64",
    "sparc64v",
    "s390",
    "s390x",
    "ppc",
    "ppc64",
    "ppc64le",
    "ppc64p7",
    "ppcpseries",
    "ppc64pseries",
    "ppciseries",
    "ppc64iseries",
    "ppc8260",
    "ppc8560",
    "ppc32dy4",
    "m68k",
    "mips",
    "mipsel",
    "mips64",
    "mips64el",
    "mipsr6",
    "mipsr6el",
    "mips64r6",
    "mips64r6el",
    "armv3l",
    "armv4b",
    "armv4l",
    "armv4tl",
    "armv5tel",
    "armv5tejl",
    "armv5tl",
    "armv6l",
    "armv6hl",
    "armv7l",
    "armv7hl",
    "armv7hnl",
    "armv7b",
    "armv8l",
    "armv8hl",
    "arm",
    "aarch64",
    "riscv",
    "riscv32",
    "riscv64",
    "loongarch64",
    "sh",
    "sh3",
    "sh4",
    "sh4a",
    "noarch64",
    "znver1",
    "e2k",
    "e2kv4",
    "xtensa",
];

/// What installs where the first one does, as rpm's table of compatible architectures has it, but for what needs other
/// libraries there: no `i686` on `x86_64`.
const FAMILIES: &[&[&str]] = &[
    &["x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4", "amd64", "ia32e"],
    &["i386", "i486", "i586", "i686", "athlon", "geode", "pentium3", "pentium4"],
    &["i686", "i386", "i486", "i586", "athlon", "geode", "pentium3", "pentium4"],
    &["ppc64", "ppc64p7", "ppc64pseries", "ppc64iseries"],
    &["ppc", "ppcpseries", "ppciseries"],
    &["sparc64", "sparc64v"],
    &["sparc", "sparcv8", "sparcv9", "sparcv9v"],
    &["alpha", "alphaev5", "alphaev56", "alphaev6", "alphaev67", "alphapca56"],
    &["armv7hl", "armv7hnl"],
];

/// Last parts of paths below which people keep source packages.
const SOURCES: &[&str] = &["src", "SRPMS", "srpms", "source", "Source", "Sources", "sources"];

/// Whether a package can be of this architecture: letters, digits and `_`, beginning with a letter.
pub fn is_arch(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether rpm knows it.
pub fn is_known(text: &str) -> bool {
    KNOWN.contains(&text)
}

/// What a distribution takes in that does not name its `arches`, by the last part of its path. `None` if that is no
/// architecture: then it takes whatever rpm knows.
pub fn allowed_below(path: &str) -> Option<Vec<&str>> {
    let last = path.rsplit('/').next().unwrap_or_default();
    if SOURCES.contains(&last) {
        return Some(vec!["src", "nosrc"]);
    }
    let last = KNOWN.iter().find(|known| **known == last)?;
    let family = FAMILIES.iter().find(|family| family.first() == Some(last));
    let mut all = family.map_or_else(|| vec![*last], |family| family.to_vec());
    if *last != "noarch" {
        all.insert(0, "noarch");
    }
    Some(all)
}

/// Every architecture that rpm knows.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_systems_may_have_their_own() {
        for arch in ["noarch", "x86_64", "core2_64", "cortexa7t2hf_neon_vfpv4", "xtensa", "X86_64"] {
            assert!(is_arch(arch), "{arch}");
        }
        for arch in ["", "2", "el6.noarch", "x86-64", "x86_64 ", "../etc", "noarch\n", "ärch"] {
            assert!(!is_arch(arch), "{arch:?}");
        }
        assert!(is_known("xtensa") && !is_known("core2_64"));
    }

    #[test]
    fn the_path_says_what_a_distribution_takes() {
        let allowed = |path| allowed_below(path).map(|all| all.join(" "));
        let takes = |all: &str| Some(all.to_owned());
        assert_eq!(allowed("umd/3/sl6/x86_64"), takes("noarch x86_64 x86_64_v2 x86_64_v3 x86_64_v4 amd64 ia32e"));
        assert_eq!(allowed("a/i386"), takes("noarch i386 i486 i586 i686 athlon geode pentium3 pentium4"));
        assert_eq!(allowed("a/ppc64le"), takes("noarch ppc64le"));
        assert_eq!(allowed("a/noarch"), takes("noarch"));
        assert_eq!(allowed("a/SRPMS"), takes("src nosrc"));
        assert_eq!((allowed("a/x86_64/os"), allowed("sl6")), (None, None));
    }

    #[test]
    fn families_are_of_what_rpm_knows() {
        assert!(FAMILIES.iter().flat_map(|family| family.iter()).all(|arch| is_known(arch)));
    }
}
