//! `repomd.xml` and the package lists that it names, as a client reads them.
//!
//! It reads element by element, so a list of any length needs the memory of one package. Unknown content is skipped,
//! since other programs add to these files; a missing required element is an error.

use std::collections::BTreeMap;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The deepest nesting that is accepted; a published list has five levels.
const DEPTH_MAX: usize = 32;

/// The index of a tree's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repomd {
    /// Its revision.
    pub revision: u64,
    /// The files that it names.
    pub data: Vec<Data>,
}

/// A file that `repomd.xml` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// `primary`, `filelists`, `other` or anything else.
    pub kind: String,
    /// Relative to the tree.
    pub location: String,
    /// The kind of both checksums.
    pub algorithm: String,
    /// The checksum of the file.
    pub checksum: String,
    /// The checksum of its content, if it is compressed.
    pub open_checksum: Option<String>,
    /// The size of the file in bytes.
    pub size: Option<u64>,
    /// The size of its content in bytes.
    pub open_size: Option<u64>,
}

/// A package listed in `primary`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// `name-[epoch:]version-release.arch`, without an epoch of 0.
    pub nevra: String,
    /// The kind of checksum.
    pub algorithm: String,
    /// Its pkgid.
    pub checksum: String,
    /// Bytes of the file.
    pub size: u64,
    /// Relative to the tree.
    pub location: String,
}

type Attributes = BTreeMap<String, String>;

/// Walks through XML: calls back for each element that ends, with the names from the root to it, its attributes and its
/// text.
fn walk(
    xml: impl BufRead,
    mut each: impl FnMut(&[String], &Attributes, &str) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = Reader::from_reader(xml);
    let config = reader.config_mut();
    config.check_end_names = true;
    config.expand_empty_elements = true;
    let mut names: Vec<String> = Vec::new();
    let mut open: Vec<(Attributes, String)> = Vec::new();
    let mut buffer = Vec::new();
    let mut roots = 0;
    loop {
        match reader.read_event_into(&mut buffer).map_err(|e| format!("at byte {}: {e}", reader.buffer_position()))? {
            Event::Start(start) => {
                roots += usize::from(names.is_empty());
                if names.len() == DEPTH_MAX || roots > 1 {
                    return Err("too many or too deeply nested elements".to_owned());
                }
                names.push(start.name().as_ref().to_owned());
                open.push((attributes(&start)?, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, inside)) = open.last_mut() {
                    inside.push_str(&text);
                }
            }
            Event::DocType(_) => return Err("it has a DOCTYPE".to_owned()),
            Event::End(_) => {
                let (attributes, text) = open.pop().ok_or("an end tag without a start tag")?;
                each(&names, &attributes, text.trim())?;
                names.pop();
            }
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    match names.last() {
        None if roots == 1 => Ok(()),
        None => Err("it is empty".to_owned()),
        Some(name) => Err(format!("it ends inside <{name}>")),
    }
}

fn attributes(start: &BytesStart<'_>) -> Result<Attributes, String> {
    let mut found = Attributes::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let text = quick_xml::escape::unescape(&attribute.value).map_err(|e| e.to_string())?;
        found.insert(attribute.key.as_ref().to_owned(), text.into_owned());
    }
    Ok(found)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{}` is not a number", text.escape_default()))
}

fn attribute(attributes: &Attributes, key: &str) -> Result<String, String> {
    attributes.get(key).cloned().ok_or_else(|| format!("an element lacks the attribute `{key}`"))
}

fn path(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Reads `repomd.xml`.
///
/// # Errors
/// What is wrong with it, a lower-case fragment.
pub fn repomd(xml: &[u8]) -> Result<Repomd, String> {
    let mut revision = None;
    let mut all: Vec<Data> = Vec::new();
    let mut data = Data::default();
    walk(xml, |names, attributes, text| {
        match path(names).as_slice() {
            ["repomd", "revision"] => revision = Some(number(text)?),
            ["repomd", "data"] => {
                data.kind = attribute(attributes, "type")?;
                if all.iter().any(|other| other.kind == data.kind) {
                    return Err(format!("it names two files of type {}", data.kind));
                }
                all.push(std::mem::take(&mut data));
            }
            ["repomd", "data", "location"] => data.location = attribute(attributes, "href")?,
            ["repomd", "data", "checksum"] => {
                data.algorithm = attribute(attributes, "type")?;
                text.clone_into(&mut data.checksum);
            }
            ["repomd", "data", "open-checksum"] => data.open_checksum = Some(text.to_owned()),
            ["repomd", "data", "size"] => data.size = Some(number(text)?),
            ["repomd", "data", "open-size"] => data.open_size = Some(number(text)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Repomd { revision: revision.ok_or("it has no revision")?, data: all })
}

/// Reads `primary.xml` and calls `each` for every package.
///
/// # Errors
/// What is wrong with it, a lower-case fragment; also if the number of packages is not the announced one.
pub fn primary(xml: impl BufRead, mut each: impl FnMut(Listed) -> Result<(), String>) -> Result<(), String> {
    let (mut name, mut arch, mut evr) = (String::new(), String::new(), String::new());
    let mut package = Listed::default();
    let (mut announced, mut found) = (None, 0);
    walk(xml, |names, attributes, text| {
        match path(names).as_slice() {
            ["metadata"] => announced = Some(number(&attribute(attributes, "packages")?)?),
            ["metadata", "package"] => {
                found += 1;
                package.nevra = format!("{name}-{evr}.{arch}");
                return each(std::mem::take(&mut package));
            }
            ["metadata", "package", "name"] => text.clone_into(&mut name),
            ["metadata", "package", "arch"] => text.clone_into(&mut arch),
            ["metadata", "package", "version"] => {
                let (version, release) = (attribute(attributes, "ver")?, attribute(attributes, "rel")?);
                evr = match attribute(attributes, "epoch")?.as_str() {
                    "0" => format!("{version}-{release}"),
                    epoch => format!("{epoch}:{version}-{release}"),
                };
            }
            ["metadata", "package", "checksum"] => {
                package.algorithm = attribute(attributes, "type")?;
                text.clone_into(&mut package.checksum);
            }
            ["metadata", "package", "size"] => package.size = number(&attribute(attributes, "package")?)?,
            ["metadata", "package", "location"] => package.location = attribute(attributes, "href")?,
            _ => {}
        }
        Ok(())
    })?;
    announces(announced, found)
}

/// Reads `filelists.xml` or `other.xml` and calls `each` for every pkgid.
///
/// # Errors
/// As [`primary`].
pub fn ids(xml: impl BufRead, mut each: impl FnMut(String)) -> Result<(), String> {
    let (mut announced, mut found) = (None, 0);
    walk(xml, |names, attributes, _| {
        match names.len() {
            1 => announced = Some(number(&attribute(attributes, "packages")?)?),
            2 => {
                found += 1;
                each(attribute(attributes, "pkgid")?);
            }
            _ => {}
        }
        Ok(())
    })?;
    announces(announced, found)
}

fn announces(announced: Option<u64>, found: u64) -> Result<(), String> {
    match announced {
        Some(announced) if announced == found => Ok(()),
        Some(announced) => Err(format!("it announces {announced} packages and lists {found}")),
        None => Err("it does not say how many packages it lists".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "<metadata packages=\"1\"><package><name>a</name><arch>noarch</arch>\
        <version epoch=\"1\" ver=\"2\" rel=\"3\"/><checksum type=\"sha256\" pkgid=\"YES\">ab</checksum>\
        <size package=\"7\"/><location href=\"Packages/a/a&amp;b.rpm\"/></package></metadata>";

    #[test]
    fn a_list_is_read_as_clients_read_it() {
        let mut all = Vec::new();
        let keep = |package| {
            all.push(package);
            Ok(())
        };
        primary(PRIMARY.as_bytes(), keep).expect("a list");
        let wanted = Listed {
            nevra: "a-1:2-3.noarch".to_owned(),
            algorithm: "sha256".to_owned(),
            checksum: "ab".to_owned(),
            size: 7,
            location: "Packages/a/a&b.rpm".to_owned(),
        };
        assert_eq!(all, [wanted]);
    }

    #[test]
    fn what_is_no_list_says_why() {
        let no = |xml: &str| primary(xml.as_bytes(), |_| Ok(())).expect_err("no list");
        assert_eq!(no(&PRIMARY.replace("\"1\"><package>", "\"2\"><package>")), "it announces 2 packages and lists 1");
        assert_eq!(no(&PRIMARY.replace("</metadata>", "")), "it ends inside <metadata>");
        assert_eq!(no(""), "it is empty");
        assert!(no(&PRIMARY.replace("\"7\"", "\"seven\"")).contains("`seven` is not a number"));
        assert!(no(&format!("{PRIMARY}<more/>")).contains("nested elements"));
        assert!(no(&format!("<!DOCTYPE x>{PRIMARY}")).contains("DOCTYPE"));
        assert!(no(&"<a>".repeat(100)).contains("nested elements"));
        let repomd = |xml: &str| repomd(xml.as_bytes()).expect_err("no index");
        assert_eq!(repomd("<repomd/>"), "it has no revision");
        let twice = "<repomd><revision>1</revision><data type=\"a\"/><data type=\"a\"/></repomd>";
        assert_eq!(repomd(twice), "it names two files of type a");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(xml in ".{0,200}", at in 0..400_usize, with in ".{0,3}") {
            let _ = repomd(xml.as_bytes());
            let mut changed: Vec<char> = PRIMARY.chars().collect();
            let at = at.min(changed.len());
            changed.splice(at..at, with.chars());
            let changed: String = changed.into_iter().collect();
            let _ = primary(changed.as_bytes(), |_| Ok(()));
            let _ = ids(changed.as_bytes(), drop);
        }
    }
}
