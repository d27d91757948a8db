//! A package's entry in `other.xml`: its changelog, oldest entry first.

use crate::format::filelists::open;
use crate::format::package::{Package, Placed};
use crate::format::primary::{numbers, version};
use crate::format::xml;

/// The text before the first package.
pub fn head(packages: usize) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<otherdata xmlns=\"http://linux.duke.edu/metadata/other\" \
         packages=\"{packages}\">\n"
    )
}

/// The text after the last package.
pub fn foot() -> &'static str {
    "</otherdata>\n"
}

/// Appends the package's element and a newline.
pub fn write(out: &mut Vec<u8>, package: &Package, placed: &Placed) {
    open(out, package, placed);
    version(out, package);
    for change in &package.changelog {
        out.extend_from_slice(b"  <changelog author=\"");
        xml::attribute(out, &change.author);
        numbers(out, format_args!("\" date=\"{}\">", change.time));
        xml::text(out, &change.text);
        out.extend_from_slice(b"</changelog>\n");
    }
    out.extend_from_slice(b"</package>\n");
}

#[cfg(test)]
mod tests {
    use crate::domain::checksum::ChecksumKind;
    use crate::domain::nevra::Nevra;
    use crate::format::package::{Change, Dependencies, DependencyList, File, FileKind, Package, Placed};
    use crate::format::{filelists, other, primary};

    fn example() -> (Package, Placed) {
        let list = |entries: &[(&str, u32, &str)]| {
            let mut list = DependencyList::default();
            for (name, flags, evr) in entries {
                list.push(name, *flags, evr, *flags == 0);
            }
            list
        };
        let file = |path: &str, kind| File { path: path.to_owned(), kind };
        let package = Package {
            nevra: Nevra::new("a+b", 7, "1~2^3", "4", "noarch").expect("plain"),
            summary: "a < \"b\"".to_owned(),
            description: " two\n lines ".to_owned(),
            packager: String::new(),
            url: "http://x/?a&b".to_owned(),
            license: "MIT".to_owned(),
            vendor: "Café".to_owned(),
            group: String::new(),
            build_host: "h".to_owned(),
            source_rpm: "a.src.rpm".to_owned(),
            build_time: 2,
            installed_size: 3,
            archive_size: u64::MAX,
            header_range: (280, 2000),
            dependencies: Dependencies {
                provides: list(&[("p\"", 8, "1:2"), ("q", 0, "1:9")]),
                conflicts: list(&[("c", 2, "")]),
                recommends: list(&[("(a if b)", 0, "")]),
                ..Dependencies::default()
            },
            files: [
                file("/usr/bin/a&b", FileKind::Plain),
                file("/etc/d", FileKind::Dir),
                file("/etc/g", FileKind::Ghost),
                file("/usr/share/x", FileKind::Plain),
            ]
            .into_iter()
            .collect(),
            changelog: vec![Change {
                author: "J \"X\" <j@x>".to_owned(),
                time: -1,
                text: "- a\r\n- b & c \n".to_owned(),
            }],
            replaced_text: Vec::new(),
        };
        let placed = Placed {
            pkgid: "00ff".to_owned(),
            checksum: ChecksumKind::Sha1,
            file_time: 1,
            package_size: 4,
            location: "Packages/a/a+b.rpm".to_owned(),
        };
        (package, placed)
    }

    fn written(write: fn(&mut Vec<u8>, &Package, &Placed)) -> String {
        let (package, placed) = example();
        let mut out = Vec::new();
        write(&mut out, &package, &placed);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_package_in_primary() {
        let expected = r#"<package type="rpm">
  <name>a+b</name>
  <arch>noarch</arch>
  <version epoch="7" ver="1~2^3" rel="4"/>
  <checksum type="sha" pkgid="YES">00ff</checksum>
  <summary>a &lt; "b"</summary>
  <description> two
 lines </description>
  <packager></packager>
  <url>http://x/?a&amp;b</url>
  <time file="1" build="2"/>
  <size package="4" installed="3" archive="18446744073709551615"/>
  <location href="Packages/a/a+b.rpm"/>
  <format>
    <rpm:license>MIT</rpm:license>
    <rpm:vendor>Café</rpm:vendor>
    <rpm:group></rpm:group>
    <rpm:buildhost>h</rpm:buildhost>
    <rpm:sourcerpm>a.src.rpm</rpm:sourcerpm>
    <rpm:header-range start="280" end="2000"/>
    <rpm:provides>
      <rpm:entry name="p&quot;" flags="EQ" epoch="1" ver="2"/>
      <rpm:entry name="q" pre="1"/>
    </rpm:provides>
    <rpm:conflicts>
      <rpm:entry name="c" flags="LT"/>
    </rpm:conflicts>
    <rpm:recommends>
      <rpm:entry name="(a if b)" pre="1"/>
    </rpm:recommends>
    <file>/usr/bin/a&amp;b</file>
    <file type="dir">/etc/d</file>
    <file type="ghost">/etc/g</file>
  </format>
</package>
"#;
        assert_eq!(written(primary::write), expected);
    }

    #[test]
    fn a_package_in_filelists() {
        let expected = r#"<package pkgid="00ff" name="a+b" arch="noarch">
  <version epoch="7" ver="1~2^3" rel="4"/>
  <file>/usr/bin/a&amp;b</file>
  <file type="dir">/etc/d</file>
  <file type="ghost">/etc/g</file>
  <file>/usr/share/x</file>
</package>
"#;
        assert_eq!(written(filelists::write), expected);
    }

    #[test]
    fn a_package_in_other() {
        let expected = r#"<package pkgid="00ff" name="a+b" arch="noarch">
  <version epoch="7" ver="1~2^3" rel="4"/>
  <changelog author="J &quot;X&quot; &lt;j@x&gt;" date="-1">- a&#13;
- b &amp; c 
</changelog>
</package>
"#;
        assert_eq!(written(other::write), expected);
    }
}
