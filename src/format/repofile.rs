//! The generated yum `.repo` file.
//!
//! For `umd/3/sl6/x86_64` in `testing` the section is `UMD3_SL6_x86_64_Testing` (checklist S0-17, S0-18): product and
//! major version together, operating system, architecture, tree. Other paths keep their parts unchanged. A client that
//! is an early adopter of several distributions has all their files in one directory, so no two of them may get the
//! same section: if path and tree cannot be told from a name, it gets a few digits of a checksum of them.
//!
//! Early adopters update from production and from the tree under test together (S1-24), with whatever else a distribution
//! needs, such as EPEL (S0-16). For them there is one file with all of these.
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

/// A repository of others that a distribution needs (S0-16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Its section.
    pub name: String,
    /// Its `baseurl`.
    pub url: String,
    /// Where its keys are. Without any, clients take those that they have imported.
    pub gpgkeys: Vec<String>,
}

/// A tree as clients are told of it.
#[derive(Clone, Copy, Debug)]
pub struct Stanza<'a> {
    /// The distribution.
    pub path: &'a DistPath,
    /// The tree.
    pub tree: &'a TreeName,
    /// The URL of the site's root.
    pub base_url: &'a str,
    /// URLs of keys, in the order in which they are listed.
    pub keys: &'a [String],
    /// Whether its metadata is signed.
    pub metadata: Metadata,
    /// Whether its packages are tried before everybody gets them. Then clients look for new metadata each hour: yum's
    /// own default is 6 hours, dnf's two days, and a test that begins two days late is two days shorter.
    pub is_tried: bool,
}

/// The tree of production that early adopters of a tree need beside it. `None` where uploads arrive, and for production
/// itself.
pub fn production_beside<'t>(trees: &'t [TreeName], tree: &TreeName) -> Option<&'t TreeName> {
    let (upload, production) = (trees.first()?, trees.last()?);
    (trees.contains(tree) && tree != upload && tree != production).then_some(production)
}

/// The name of the early adopters' file, without `.repo`: `UMD3_SL6_x86_64_Testing-with-production`.
pub fn early_adopters_id(path: &DistPath, tree: &TreeName, production: &TreeName) -> String {
    format!("{}-with-{production}", id(path, tree))
}

/// The early adopters' file: production, the tree under test, and what the distribution needs of others.
pub fn write_for_early_adopters(production: Stanza<'_>, tested: Stanza<'_>, companions: &[Companion]) -> String {
    let companions = companions.iter().map(write_companion);
    [write(production), write(tested)].into_iter().chain(companions).collect::<Vec<_>>().join("\n")
}

fn write_companion(companion: &Companion) -> String {
    let Companion { name, url, gpgkeys } = companion;
    let mut out = format!("[{name}]\nname={name}\nbaseurl={}\n", one_line(url));
    list_keys(&mut out, gpgkeys);
    out.push_str("gpgcheck=1\nenabled=1\n");
    out
}

/// The name of a companion's section.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn companion_name(text: &str) -> Result<String, String> {
    let shown = text.escape_default();
    if text == "main" {
        return Err("`main` is yum's own section".to_owned());
    }
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !is_plain || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || text.len() > COMPANION_NAME_MAX {
        return Err(format!("`{shown}` is not a name such as `epel`: letters, digits and . _ -, at most 64"));
    }
    Ok(text.to_owned())
}

/// The longest names in use have half of that.
const COMPANION_NAME_MAX: usize = 64;

/// The name of the section and, without `.repo`, of the file: `UMD3_SL6_x86_64_Testing`.
pub fn id(path: &DistPath, tree: &TreeName) -> String {
    words(path, tree).join("_")
}

/// The file of one tree.
pub fn write(Stanza { path, tree, base_url, keys, metadata, is_tried }: Stanza<'_>) -> String {
    let words = words(path, tree);
    let base_url = base_url.trim_end_matches('/');
    // The space before the name is in the documented stanza, and existing scripts expect it.
    let mut out =
        format!("[{}]\nname= {}\nbaseurl={}/{tree}/{path}/\n", words.join("_"), words.join(" "), one_line(base_url));
    list_keys(&mut out, keys);
    out.push_str("gpgcheck=1\nenabled=1\nprotect=1\n");
    if metadata == Metadata::Signed {
        out.push_str("repo_gpgcheck=1\n");
    }
    if is_tried {
        out.push_str("metadata_expire=1h\n");
    }
    out
}

fn list_keys(out: &mut String, keys: &[String]) {
    if !keys.is_empty() {
        let keys: Vec<String> = keys.iter().map(|key| one_line(key)).collect();
        let _ = writeln!(out, "gpgkey={}", keys.join(" "));
    }
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
        let tree = "testing".parse().expect("a tree");
        write(Stanza { path: &path, tree: &tree, base_url, keys: &keys, metadata, is_tried: false })
    }

    #[test]
    fn early_adopters_have_production_what_is_tested_and_companions_in_one_file() {
        let path: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let trees =
            ["untested", "testing", "delta", "production"].map(|tree| tree.parse::<TreeName>().expect("a tree"));
        let companion = |name: &str, keys: &[&str]| Companion {
            name: name.to_owned(),
            url: format!("http://mirror.example.org/{name}/6/x86_64/"),
            gpgkeys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let companions = [companion("epel", &["http://mirror.example.org/RPM-GPG-KEY-EPEL-6"]), companion("base", &[])];
        let [_, _, delta, production] = &trees;
        let keys = ["http://repository.example.org/key".to_owned()];
        let stanza = |tree| Stanza {
            path: &path,
            tree,
            base_url: "http://repository.example.org/sw",
            keys: &keys,
            metadata: Metadata::Signed,
            is_tried: tree != production,
        };
        let name = early_adopters_id(&path, delta, production);
        let file = write_for_early_adopters(stanza(production), stanza(delta), &companions);
        insta::assert_snapshot!(format!("{name}.repo:\n{file}"));
    }

    #[test]
    fn neither_the_upload_tree_nor_production_has_a_file_for_early_adopters() {
        let trees =
            ["untested", "testing", "delta", "production"].map(|tree| tree.parse::<TreeName>().expect("a tree"));
        let beside = |tree: &str| {
            production_beside(&trees, &tree.parse().expect("a tree")).map(ToString::to_string).unwrap_or_default()
        };
        assert_eq!(
            ["untested", "testing", "delta", "production", "old"].map(beside),
            ["", "production", "production", "", ""]
        );
    }

    #[test]
    fn a_companion_has_a_name_that_is_no_section_of_yum_and_adds_no_line() {
        assert_eq!(companion_name("epel-6.x_64").as_deref(), Ok("epel-6.x_64"));
        for text in ["", "main", "a]", "a b", "a\n[b]", "-a", ".a", &"a".repeat(65)] {
            assert!(companion_name(text).is_err(), "{text:?}");
        }
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
    fn clients_look_every_hour_for_what_is_tried() {
        let (path, tree) = ("d".parse().expect("a path"), "testing".parse().expect("a tree"));
        let stanza =
            Stanza { path: &path, tree: &tree, base_url: "", keys: &[], metadata: Metadata::Signed, is_tried: true };
        let production = write(Stanza { is_tried: false, ..stanza });
        assert_eq!(write(stanza), production + "metadata_expire=1h\n");
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
