//! A package's entry in `filelists.xml`: every file, with directories and ghosts marked.

use crate::format::package::{Package, Placed};
use crate::format::primary::{numbers, version, write_file};
use crate::format::xml;

/// The text before the first package.
pub fn head(packages: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" \
         packages=\"{packages}\">\n"
    )
}

/// The text after the last package.
pub fn foot() -> &'static str {
    "</filelists>\n"
}

/// Appends the package's element and a newline.
pub fn write(out: &mut Vec<u8>, package: &Package, placed: &Placed) {
    open(out, package, placed);
    version(out, package);
    for file in package.files.iter() {
        out.extend_from_slice(b"  ");
        write_file(out, &file.path, file.kind);
    }
    out.extend_from_slice(b"</package>\n");
}

/// `<package pkgid=… name=… arch=…>`, the same in `other.xml`.
pub(super) fn open(out: &mut Vec<u8>, package: &Package, placed: &Placed) {
    numbers(out, format_args!("<package pkgid=\"{}\" name=\"", placed.pkgid));
    xml::attribute(out, package.nevra.name());
    out.extend_from_slice(b"\" arch=\"");
    xml::attribute(out, package.nevra.arch());
    out.extend_from_slice(b"\">\n");
}
