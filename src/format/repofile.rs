//! The generated yum `.repo` file.
//!
//! For `umd/3/sl6/x86_64` in `testing` the section is `UMD3_SL6_x86_64_Testing` (checklist S0-17, S0-18): product and
//! major version together, operating system, architecture, tree. Other paths keep their parts unchanged. A client that
//! is an early adopter of several distributions has all their files in one directory, so no two of them may get the
//! same section: if path and tree cannot be told from a name, it gets a few digits of a checksum of them.
//!
//! Newlines and other control characters of a setting never reach the file.

use std::fmt::Write as _;

use aws_lc_rs::digest;

use crate::domain::names::{DistPath, TreeName};

/// The file name under which clients fetch the metadata signing key, next to the yum file.
pub const METADATA_KEY: &str = "RPM-GPG-KEY-metadata";

/// Whether clients should also check the signature of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// `repomd.xml.asc` exists.
    Signed,
    /// It does not exist.
    Unsigned,
}

/// The name of the section and, without `.repo`, of the file: `UMD3_SL6_x86_64_Testing`.
pub fn id(path: &DistPath, tree: &TreeName) -> String {
    words(path, tree).join("_")
}

/// The file. `keys` are URLs; they are listed in this order.
pub fn write(path: &DistPath, tree: &TreeName, base_url: &str, keys: &[String], metadata: Metadata) -> String {
    let words = words(path, tree);
    let base_url = base_url.trim_end_matches('/');
    // The space before the name is in the documented stanza, and existing scripts expect it.
    let mut out =
        format!("[{}]\nname= {}\nbaseurl={}/{tree}/{path}/\n", words.join("_"), words.join(" "), one_line(base_url));
    if !keys.is_empty() {
        let keys: Vec<String> = keys.iter().map(|key| one_line(key)).collect();
        let _ = writeln!(out, "gpgkey={}", keys.join(" "));
    }
    out.push_str("gpgcheck=1\nenabled=1\nprotect=1\n");
    if metadata == Metadata::Signed {
        out.push_str("repo_gpgcheck=1\n");
    }
    out
}

/// A file name as part of a URL (RFC 3986 section 2.3).
pub fn url_part(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Percent-encodes spaces and control characters.
fn one_line(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        if c.is_control() || c.is_whitespace() {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(out, "%{byte:02X}");
            });
        } else {
            out.push(c);
        }
    }
    out
}

fn words(path: &DistPath, tree: &TreeName) -> Vec<String> {
    let parts: Vec<&str> = path.parts().collect();
    let mut words: Vec<String> = match parts.as_slice() {
        [product, major, os, arch] if is_version(major) => {
            vec![product.to_ascii_uppercase() + major, os.to_ascii_uppercase(), (*arch).to_owned()]
        }
        parts => parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    let mut name = tree.as_str().to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words.push(name);
    if meant(&words.join("_")) != Some((path.to_string(), tree.to_string())) {
        let digest = digest::digest(&digest::SHA256, format!("{path}\n{tree}").as_bytes());
        words.push(hex::encode(digest.as_ref().get(..4).unwrap_or_default()));
    }
    words
}

fn is_version(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_digit()) && part.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The path and tree that an id without a checksum stands for. As this is a function, no two of them can have the same
/// id.
fn meant(id: &str) -> Option<(String, String)> {
    let (rest, tree) = id.rsplit_once('_')?;
    let mut tree = tree.to_owned();
    tree.get_mut(..1)?.make_ascii_lowercase();
    let parts = parts_of(rest);
    let path = match parts.as_slice() {
        [product, os, arch] if !product.bytes().chain(os.bytes()).any(|b| b.is_ascii_lowercase()) => {
            let name = product.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
            let major = product.strip_prefix(name)?;
            format!("{}/{major}/{}/{arch}", name.to_ascii_lowercase(), os.to_ascii_lowercase())
        }
        parts => parts.join("/"),
    };
    Some((path, tree))
}

/// Splits at each `_` except those in `x86_64`, `x86_64_v2` and the like.
fn parts_of(id: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in id.split('_') {
        match (parts.last_mut(), word) {
            (Some(last), "64") if last == "x86" => last.push_str("_64"),
            (Some(last), "v2" | "v3" | "v4") if last == "x86_64" => {
                last.push('_');
                last.push_str(word);
            }
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn name(path: &str, tree: &str) -> String {
        id(&path.parse().expect("a path"), &tree.parse().expect("a tree"))
    }

    const EXAMPLE: &str = "\
[UMD3_SL6_x86_64_Testing]
name= UMD3 SL6 x86_64 Testing
baseurl=http://repository.egi.eu/sw/testing/umd/3/sl6/x86_64/
gpgkey=http://emisoft.web.cern.ch/emisoft/dist/EMI/3/RPM-GPG-KEY-emi
gpgcheck=1
enabled=1
protect=1
";

    fn example(base_url: &str, keys: &[&str], metadata: Metadata) -> String {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let path = "umd/3/sl6/x86_64".parse().expect("a path");
        write(&path, &"testing".parse().expect("a tree"), base_url, &keys, metadata)
    }

    #[test]
    fn the_documented_example_comes_out_byte_for_byte() {
        let key = "http://emisoft.web.cern.ch/emisoft/dist/EMI/3/RPM-GPG-KEY-emi";
        for base_url in ["http://repository.egi.eu/sw", "http://repository.egi.eu/sw/"] {
            assert_eq!(example(base_url, &[key], Metadata::Unsigned), EXAMPLE);
        }
    }

    #[test]
    fn signed_metadata_adds_one_line_at_the_end() {
        let key = "http://emisoft.web.cern.ch/emisoft/dist/EMI/3/RPM-GPG-KEY-emi";
        let signed = example("http://repository.egi.eu/sw", &[key], Metadata::Signed);
        assert_eq!(signed, format!("{EXAMPLE}repo_gpgcheck=1\n"));
    }

    #[test]
    fn several_keys_stand_on_one_line_and_none_on_no_line() {
        assert!(
            example("http://x", &["http://x/a", "http://x/b"], Metadata::Unsigned)
                .contains("gpgkey=http://x/a http://x/b\n")
        );
        assert!(!example("http://x", &[], Metadata::Unsigned).contains("gpgkey"));
    }

    #[test]
    fn no_setting_can_add_a_line() {
        let file = example("http://x\n[evil]", &["http://x/a\r\ngpgcheck=0"], Metadata::Unsigned);
        assert_eq!(file.lines().count(), 7, "{file}");
        assert!(file.contains("http://x%0A[evil]/testing"), "{file}");
    }

    #[test]
    fn sections_are_named_as_people_would_name_them() {
        assert_eq!(name("umd/3/sl6/x86_64", "production"), "UMD3_SL6_x86_64_Production");
        assert_eq!(name("umd/4.1/centos7/x86_64", "untested"), "UMD4.1_CENTOS7_x86_64_Untested");
        assert_eq!(name("emi/2/sl5/i386", "delta"), "EMI2_SL5_i386_Delta");
        assert_eq!(name("el9/x86_64", "testing"), "el9_x86_64_Testing");
        assert_eq!(name("tools", "testing"), "tools_Testing");
        assert_eq!(name("x86_64", "testing"), "x86_64_Testing");
        assert_eq!(name("my_tools/x86_64_v3", "testing"), "my_tools_x86_64_v3_Testing_e1e9c3dd");
        assert_eq!(name("glite/3.2/sl5/x86_64/base", "testing"), "glite_3.2_sl5_x86_64_base_Testing");
    }

    #[test]
    fn no_two_distributions_share_a_section() {
        let parts =
            ["a", "A", "b", "3", "1", "13", "a1", "sl6", "SL6", "x86_64", "x86", "64", "a_b", "a_", "A3", "testing"];
        let trees = ["testing", "Testing", "b_testing", "3", "v2"];
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut check = |path: String| {
            for tree in trees {
                let what = format!("{path} in {tree}");
                if let Some(other) = seen.insert(name(&path, tree), what.clone()) {
                    panic!("{what} and {other} are both {}", name(&path, tree));
                }
            }
        };
        for a in parts {
            check(a.to_owned());
            for b in parts {
                check(format!("{a}/{b}"));
                for c in parts {
                    check(format!("{a}/{b}/{c}"));
                    for d in parts {
                        check(format!("{a}/{b}/{c}/{d}"));
                    }
                }
            }
        }
    }
}
