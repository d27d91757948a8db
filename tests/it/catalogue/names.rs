//! N1 to N10, N12 and N15 to N18: who a package says it is, and what it says about itself.

use super::{ONE_ARCH, Table, usual};
use crate::forge::{Draft, Hand, Value, text, texts};
use rolloutd::domain::refusal::Code;

pub(super) fn rows(table: &mut Table) {
    identity(table);
    twice(table);
    kinds(table);
    control(table);
    encodings(table);
    markup(table);
    rest(table);
}

fn signed(draft: Draft) -> Vec<u8> {
    draft.signed(usual()).file()
}

fn identity(table: &mut Table) {
    let file = signed(table.draft());
    table
        .good("N1", "a file whose name is not the package's", &[usual()], file)
        .showing("<location href=\"Packages/r/row");
    for name in ["../../evil", "a/b", ".", "..", "-x", "a..b", "a b", "a%b", "%{name}", "ä", "a\\b", "~a"] {
        let file = signed(Draft::new().set(1000, Some(text(name))));
        table.bad("N2", &format!("the name {name:?}"), Code::NevraChars, &[usual()], file);
    }
    let file = signed(Draft::new().set(1000, Some(text("x".repeat(300)))));
    table.bad("N2", "a name of 300 octets", Code::NevraChars, &[usual()], file);
    let file = signed(Draft::new().set(1000, Some(Value::As(6, 1, b"evil\0name\0".to_vec()))));
    table.bad("N2", "a NUL inside the name", Code::HeaderEntry, &[usual()], file);
    for (tag, what) in [(1001, "version"), (1002, "release")] {
        for value in ["1-1", "1/1", "../1", "1..1", "1 1", "1:1", "%{x}", "1@1"] {
            let file = signed(table.draft().set(tag, Some(text(value))));
            table.bad("N2", &format!("the {what} {value:?}"), Code::NevraChars, &[usual()], file);
        }
    }
    for arch in ["x86_64/../../etc", "..", "x86_64 ", "x86-64", "noarch\n"] {
        let file = signed(table.draft().set(1022, Some(text(arch))));
        table.bad("N3", &format!("the architecture {arch:?}"), Code::Arch, &[usual()], file);
    }
    for arch in ["vax", "X86_64"] {
        let file = signed(table.draft().set(1022, Some(text(arch))));
        let what = format!("the architecture {arch:?}, which rpm does not know");
        table.good("N3", &what, &[usual()], file).expecting(Code::Arch);
    }
    for (what, epoch, shows) in [
        ("no epoch", None, "epoch=\"0\""),
        ("epoch 0", Some(0), "epoch=\"0\""),
        ("epoch 2^32-1", Some(u32::MAX), "epoch=\"4294967295\""),
    ] {
        let file = signed(table.draft().set(1003, epoch.map(Value::Word)));
        table.good("N4", what, &[usual()], file).showing(shows);
    }
    let file = signed(table.draft().set(1003, Some(text("1"))));
    table.bad("N4", "an epoch that is text", Code::HeaderEntry, &[usual()], file);
}

/// Each of these is good alone; the second is refused when the first has come.
fn twice(table: &mut Table) {
    let first = table.draft();
    table.good("N5", "a package, to come again", &[usual()], signed(first.clone()));
    let other = signed(first.clone().set(1004, Some(text("another summary"))));
    table.good("N5", "the same name with other content", &[usual()], other).expecting(Code::DuplicateNevra);
    let by = Hand::new("other");
    let other = first.clone().set(1004, Some(text("a third summary"))).signed(&by).file();
    table.good("N5", "the same name by another signer", &[&by], other).expecting(Code::DuplicateNevra);
    let other = signed(first.set(1003, Some(Value::Word(1))));
    table.good("N5", "the same file name with another epoch", &[usual()], other).expecting(Code::FileNameTaken);

    for name in ["Shadow", "shadow", "SHADOW"] {
        let file = signed(Draft::new().set(1000, Some(text(name))));
        table.good("N6", &format!("the name {name}"), &[usual()], file);
    }
    for version in ["7", "7~", "7^", "7~~", "07", "7+"] {
        let file = signed(Draft::new().set(1000, Some(text("versions"))).set(1001, Some(text(version))));
        table.good("N6", &format!("the version {version}"), &[usual()], file).showing(format!("ver=\"{version}\""));
    }
    for (name, version) in [("c++lib", "1.0"), ("a_b.c", "1~rc1^git7"), ("0day", "1+2")] {
        let file = signed(Draft::new().set(1000, Some(text(name))).set(1001, Some(text(version))));
        let place = format!("{name}-{version}-1.noarch.rpm\"");
        table.good("N12", &format!("{name} {version} in a location"), &[usual()], file).showing(place);
    }
}

fn kinds(table: &mut Table) {
    let source = table.draft().set(1044, None).set(1106, Some(Value::Word(1)));
    table.good("N7", "a source package", &[usual()], signed(source)).showing("<arch>src</arch>");
    let source = table.draft().set(1044, None).set(1106, Some(Value::Word(1)));
    table
        .good("N7", "a source package where one architecture is allowed", &[usual()], signed(source))
        .expecting(Code::WrongKind)
        .arriving_in(ONE_ARCH);
    for (what, mark, source) in [
        ("a binary package that is marked as a source package", 1, Some(text("tool-1.0-1.src.rpm"))),
        ("a source package that is marked as none", 0, None),
    ] {
        let file = signed(table.draft().set(1044, source).set(1106, Some(Value::Word(mark))));
        table.good("N7", what, &[usual()], file).expecting(Code::Nevra);
    }
    let noarch = signed(table.draft());
    table
        .good("N7", "noarch where one architecture is allowed", &[usual()], noarch)
        .expecting(Code::WrongKind)
        .arriving_in(ONE_ARCH);
    let right = signed(table.draft().set(1022, Some(text("x86_64"))));
    table.good("N7", "the architecture that is allowed", &[usual()], right).arriving_in(ONE_ARCH);
    let own = signed(table.draft().set(1022, Some(text("core2_64"))));
    table
        .good("N3", "an architecture of a build system, where it is named", &[usual()], own)
        .showing("<arch>core2_64</arch>")
        .arriving_in(ONE_ARCH);
    let debug = signed(Draft::new().set(1000, Some(text("tool-debuginfo"))));
    table.good("N7", "debug information", &[usual()], debug);
    let delta = [b"drpm\0\0\0\x01", &[0_u8; 200][..]].concat();
    table.bad("N7", "a delta package", Code::NotRpm, &[usual()], delta);
}

const FREE: [(u32, &str); 9] = [
    (1004, "summary"),
    (1005, "description"),
    (1007, "buildhost"),
    (1011, "vendor"),
    (1014, "license"),
    (1015, "packager"),
    (1016, "group"),
    (1020, "url"),
    (1044, "sourcerpm"),
];

fn control(table: &mut Table) {
    for (tag, what) in [(1000, "name"), (1001, "version"), (1002, "release"), (1022, "architecture")] {
        for (name, bad) in [("U+0001", &b"\x01"[..]), ("an escape", b"\x1b"), ("U+FFFF", b"\xef\xbf\xbf")] {
            let file = signed(table.draft().set(tag, Some(text([b"a", bad, b"b"].concat()))));
            table.bad("N8", &format!("{name} in the {what}"), Code::Text, &[usual()], file);
        }
    }
    for (tag, field) in FREE {
        let file = signed(table.draft().set(tag, Some(text("a\u{1}b\u{1b}c\td"))));
        table
            .good("N8", &format!("control characters in {field}"), &[usual()], file)
            .noting(format!("characters replaced in {field}"))
            .showing("a\u{fffd}b\u{fffd}c\td");
    }
    let changed = |draft: Draft, author: &str, words: &str| {
        let draft = draft.set(1080, Some(Value::Words(vec![1_600_000_000])));
        signed(draft.set(1081, Some(texts(&[author]))).set(1082, Some(texts(&[words]))))
    };
    let file = changed(table.draft(), "a\u{2}b", "- text");
    table
        .good("N8", "a control character in the author of a change", &[usual()], file)
        .noting("characters replaced in changelog author")
        .showing("author=\"a\u{fffd}b\"");
    let file = changed(table.draft(), "a", "- te\u{3}xt");
    table
        .good("N8", "a control character in the text of a change", &[usual()], file)
        .noting("characters replaced in changelog text")
        .showing("- te\u{fffd}xt");
    let file = signed(table.draft().set(1155, Some(text("a\u{1}b"))));
    table.good("N8", "a control character in a field that is not listed", &[usual()], file).showing("!\u{1}");
}

fn encodings(table: &mut Table) {
    for (what, bytes, shows, replaced) in [
        ("U+FFFE", &b"a\xef\xbf\xbeb"[..], "<summary>a\u{fffd}b</summary>", true),
        ("U+FFFF", b"a\xef\xbf\xbfb", "<summary>a\u{fffd}b</summary>", true),
        ("a lone surrogate", b"a\xed\xa0\x80b", "<summary>aíb</summary>", true),
        ("an overlong form", b"a\xc0\x80b", "<summary>aÀb</summary>", true),
        ("octets of no encoding", b"a\xff\xfeb", "<summary>aÿþb</summary>", false),
        ("Latin-1", b"caf\xe9", "<summary>café</summary>", false),
        ("the upper half of another code page", b"it\x92s", "<summary>its</summary>", true),
        ("UTF-8 that is cut", b"caf\xc3", "<summary>cafÃ</summary>", false),
        ("every plane of UTF-8", "a\u{7f}é漢\u{1f600}\u{10ffff}".as_bytes(), "a\u{7f}é漢\u{1f600}\u{10ffff}", false),
    ] {
        let file = signed(table.draft().set(1004, Some(text(bytes))));
        let row = table.good("N9", &format!("{what} in the summary"), &[usual()], file);
        row.showing(shows);
        if replaced {
            row.noting("characters replaced in summary");
        }
    }
    for (tag, what) in [(1000, "name"), (1001, "version"), (1002, "release")] {
        for (kind, bytes, code) in [
            ("Latin-1", &b"caf\xe9"[..], Code::NevraChars),
            ("a lone surrogate", b"a\xed\xa0\x80b", Code::Text),
            ("UTF-8", "né".as_bytes(), Code::NevraChars),
        ] {
            let file = signed(table.draft().set(tag, Some(text(bytes))));
            table.bad("N9", &format!("{kind} in the {what}"), code, &[usual()], file);
        }
    }
}

fn markup(table: &mut Table) {
    for (what, words, shows) in [
        ("markup", "<a href='x'>&\"</summary>", "<summary>&lt;a href='x'&gt;&amp;\"&lt;/summary&gt;</summary>"),
        ("the end of a CDATA section", "]]>", "<summary>]]&gt;</summary>"),
        ("the beginning of a comment", "<!-- -->", "<summary>&lt;!-- --&gt;</summary>"),
        ("an entity", "&amp; &#0; &x;", "<summary>&amp;amp; &amp;#0; &amp;x;</summary>"),
        ("carriage returns", "a\r\nb\rc", "<summary>a&#13;\nb&#13;c</summary>"),
        ("blanks at both ends", "  a  ", "<summary>  a  </summary>"),
        ("U+0085, U+2028 and U+202E", "a\u{85}b\u{2028}c\u{202e}d", "<summary>a\u{85}b\u{2028}c\u{202e}d</summary>"),
        ("nothing", "", "<summary></summary>|<summary/>"),
    ] {
        let file = signed(table.draft().set(1004, Some(text(words))));
        table.good("N10", &format!("{what} in the summary"), &[usual()], file).showing(shows);
    }
}

fn rest(table: &mut Table) {
    for (what, time, shows) in [("0", 0, "build=\"0\""), ("2^32-1", u32::MAX, "build=\"4294967295\"")] {
        let file = signed(table.draft().set(1006, Some(Value::Word(time))));
        table.good("N15", &format!("built at {what}"), &[usual()], file).showing(shows);
    }
    let file = signed(table.draft());
    table.good("N15", AHEAD, &[usual()], file).showing("!<time file=\"4070908800\"");

    let languages: Vec<String> = (0..50).map(|n| format!("language {n}")).collect();
    let summaries = Value::I18n(languages.iter().map(|words| words.clone().into_bytes()).collect());
    let names: Vec<&str> = languages.iter().map(String::as_str).collect();
    for (what, locales) in [("as many as there are", &names[..]), ("one", &["C"]), ("sixty", &["x"; 60])] {
        let draft = table.draft().set(100, Some(texts(locales))).set(1004, Some(summaries.clone()));
        table
            .good("N16", &format!("50 languages, and the table says {what}"), &[usual()], signed(draft))
            .showing("<summary>language 0</summary>");
    }
    let draft = table.draft().set(100, None).set(1004, Some(summaries));
    table.good("N16", "50 languages and no table", &[usual()], signed(draft)).showing("<summary>language 0</summary>");

    let macros = "%{lua:os.execute('touch /tmp/expanded')} $(id) `id` ${PATH}";
    let draft = table
        .draft()
        .set(1004, Some(text(macros)))
        .set(1023, Some(text(macros)))
        .set(1024, Some(text("rm -rf /")))
        .set(1066, Some(texts(&["glibc"])))
        .set(1065, Some(texts(&[macros])));
    table.good("N17", "macros and scripts", &[usual()], signed(draft)).showing(format!("<summary>{macros}</summary>"));
}

/// A row by this name is uploaded with such a time.
pub(crate) const AHEAD: &str = "a file whose time is in 2099";
