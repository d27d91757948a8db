//! A package's entry in `primary.xml`.
//!
//! Elements, attributes and spaces are exactly those that createrepo_c writes, so that `diff` on two repositories shows
//! only real differences.
//!
//! - Every first-level element is present in every package, empty if the header has no such text; lists of dependencies
//!   are present if they have an entry.
//! - The location is not percent-encoded, whatever RFC 3986 says (N12): createrepo_c does not do it, and dnf and zypper
//!   encode `+` and `^` themselves before the request, so they would ask for another file.
//! - All text goes through [`xml`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};

use crate::format::package::{DependencyList, FileKind, Package, Placed, is_primary};
use crate::format::xml;

/// The text before the first package.
pub fn head(packages: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{packages}\">\n"
    )
}

const LOCATION: &[u8] = b"  <location href=\"";
const LOCATION_END: &[u8] = b"\"/>";

/// Which of these locations are in a list written by this module.
///
/// # Errors
/// If it cannot be read.
pub fn named(list: impl BufRead, wanted: &BTreeSet<String>) -> std::io::Result<BTreeSet<String>> {
    let escaped = |location: &String| {
        let mut out = Vec::new();
        xml::attribute(&mut out, location);
        out
    };
    let wanted: BTreeMap<Vec<u8>, &String> = wanted.iter().map(|location| (escaped(location), location)).collect();
    let mut found = BTreeSet::new();
    // Text never contains a literal `<`, so no line of a description looks like this.
    for line in list.split(b'\n') {
        let line = line?;
        let location = line.strip_prefix(LOCATION).and_then(|rest| rest.strip_suffix(LOCATION_END));
        found.extend(location.and_then(|location| wanted.get(location)).map(|location| (*location).clone()));
    }
    Ok(found)
}

/// The text after the last package.
pub fn foot() -> &'static str {
    "</metadata>\n"
}

/// Appends the package's element and a newline.
pub fn write(out: &mut Vec<u8>, package: &Package, placed: &Placed) {
    let nevra = &package.nevra;
    out.extend_from_slice(b"<package type=\"rpm\">\n");
    element(out, "  <name>", nevra.name(), "</name>\n");
    element(out, "  <arch>", nevra.arch(), "</arch>\n");
    version(out, package);
    numbers(out, format_args!("  <checksum type=\"{}\" pkgid=\"YES\">{}</checksum>\n", placed.checksum, placed.pkgid));
    element(out, "  <summary>", &package.summary, "</summary>\n");
    element(out, "  <description>", &package.description, "</description>\n");
    element(out, "  <packager>", &package.packager, "</packager>\n");
    element(out, "  <url>", &package.url, "</url>\n");
    numbers(out, format_args!("  <time file=\"{}\" build=\"{}\"/>\n", placed.file_time, package.build_time));
    let (size, installed, archive) = (placed.package_size, package.installed_size, package.archive_size);
    numbers(out, format_args!("  <size package=\"{size}\" installed=\"{installed}\" archive=\"{archive}\"/>\n"));
    out.extend_from_slice(LOCATION);
    xml::attribute(out, &placed.location);
    out.extend_from_slice(LOCATION_END);
    out.extend_from_slice(b"\n  <format>\n");
    element(out, "    <rpm:license>", &package.license, "</rpm:license>\n");
    element(out, "    <rpm:vendor>", &package.vendor, "</rpm:vendor>\n");
    element(out, "    <rpm:group>", &package.group, "</rpm:group>\n");
    element(out, "    <rpm:buildhost>", &package.build_host, "</rpm:buildhost>\n");
    element(out, "    <rpm:sourcerpm>", &package.source_rpm, "</rpm:sourcerpm>\n");
    let (start, end) = package.header_range;
    numbers(out, format_args!("    <rpm:header-range start=\"{start}\" end=\"{end}\"/>\n"));
    for (kind, list) in package.dependencies.lists() {
        dependencies(out, kind, list);
    }
    for file in package.files.iter().filter(|file| is_primary(&file.path)) {
        out.extend_from_slice(b"    ");
        write_file(out, &file.path, file.kind);
    }
    out.extend_from_slice(b"  </format>\n</package>\n");
}

/// `<version …/>`, the same in all three files.
pub(super) fn version(out: &mut Vec<u8>, package: &Package) {
    let nevra = &package.nevra;
    numbers(out, format_args!("  <version epoch=\"{}\" ver=\"", nevra.epoch()));
    xml::attribute(out, nevra.version());
    out.extend_from_slice(b"\" rel=\"");
    xml::attribute(out, nevra.release());
    out.extend_from_slice(b"\"/>\n");
}

/// `<file …>…</file>`, the same in two of the files.
pub(super) fn write_file(out: &mut Vec<u8>, path: &str, kind: FileKind) {
    out.extend_from_slice(match kind {
        FileKind::Plain => b"<file>".as_slice(),
        FileKind::Dir => b"<file type=\"dir\">",
        FileKind::Ghost => b"<file type=\"ghost\">",
    });
    xml::text(out, path);
    out.extend_from_slice(b"</file>\n");
}

/// Markup and numbers, which need no escaping.
pub(super) fn numbers(out: &mut Vec<u8>, markup: std::fmt::Arguments<'_>) {
    out.write_fmt(markup).expect("a vector takes everything");
}

fn element(out: &mut Vec<u8>, open: &str, words: &str, close: &str) {
    out.extend_from_slice(open.as_bytes());
    xml::text(out, words);
    out.extend_from_slice(close.as_bytes());
}

fn dependencies(out: &mut Vec<u8>, kind: &str, list: &DependencyList) {
    if list.is_empty() {
        return;
    }
    numbers(out, format_args!("    <rpm:{kind}>\n"));
    for one in list.iter() {
        out.extend_from_slice(b"      <rpm:entry name=\"");
        xml::attribute(out, one.name);
        // A version without a comparison means nothing, and createrepo_c does not write it.
        if let Some(flags) = one.flags {
            attribute(out, "flags", Some(flags));
            attribute(out, "epoch", one.epoch);
            attribute(out, "ver", one.version);
            attribute(out, "rel", one.release);
        }
        attribute(out, "pre", one.pre.then_some("1"));
        out.extend_from_slice(b"\"/>\n");
    }
    numbers(out, format_args!("    </rpm:{kind}>\n"));
}

/// Closes the attribute before it and leaves its own quote to the next.
fn attribute(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        numbers(out, format_args!("\" {name}=\""));
        xml::attribute(out, value);
    }
}
