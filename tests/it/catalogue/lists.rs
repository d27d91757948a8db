//! H29, H30, N11, N13 and N14: lists that do not fit together, or are longer than anybody needs.

use super::{LARGE, Table, usual};
use crate::campaign::is_long;
use crate::forge::{Draft, Value, text, texts};
use rolloutd::domain::refusal::Code;

/// As many files as a header can speak of.
const MOST: usize = 1_048_575;
/// Many, and not too many.
const MANY: usize = 100_000;

pub(super) fn rows(table: &mut Table) {
    files(table);
    identity(table);
    file_names(table);
    dependencies(table);
    changelogs(table);
}

/// Five lists side by side: base names, directories, numbers of directories, modes and flags.
fn with_files(draft: Draft, names: Value, dirs: &[&[u8]], indexes: Vec<u32>, modes: usize, flags: usize) -> Draft {
    draft
        .set(1117, Some(names))
        .set(1118, Some(Value::Texts(dirs.iter().map(|dir| dir.to_vec()).collect())))
        .set(1116, Some(Value::Words(indexes)))
        .set(1030, Some(Value::Halves(vec![0o100_644; modes])))
        .set(1037, Some(Value::Words(vec![0; flags])))
}

fn files(table: &mut Table) {
    for (what, indexes, modes, flags) in [
        ("a directory number beyond the last", vec![0, 1], 2, 2),
        ("a directory number of 2^32-1", vec![0, u32::MAX], 2, 2),
        ("fewer directory numbers than names", vec![0], 2, 2),
        ("more directory numbers than names", vec![0, 0, 0], 2, 2),
        ("fewer modes than names", vec![0, 0], 1, 2),
        ("more flags than names", vec![0, 0], 2, 3),
    ] {
        let draft = with_files(table.draft(), texts(&["a", "b"]), &[b"/x/"], indexes, modes, flags);
        table.bad("H29", what, Code::FileList, &[usual()], draft.signed(usual()).file());
    }
    let bare = table.draft().set(1117, Some(texts(&["a"])));
    table.bad("H29", "names alone", Code::FileList, &[usual()], bare.signed(usual()).file());
    let good = with_files(table.draft(), texts(&["a", "b"]), &[b"/x/", b"/bin/"], vec![0, 1], 2, 2);
    table.good("H29", "lists that fit", &[usual()], good.signed(usual()).file()).showing("<file>/bin/b</file>");
    let names = Value::As(8, u32::try_from(MOST).unwrap(), b"a\0".repeat(MOST));
    let draft = with_files(table.draft(), names, &[b"/x/"], vec![0; MOST], MOST, MOST);
    table.good("H29", "1048575 files", &[usual()], draft.signed(usual()).file()).arriving_in(LARGE);
    // Each in a directory of its own, all of them in primary, and one of them required.
    let numbers: Vec<u32> = (0..u32::try_from(MOST).unwrap()).collect();
    let dirs = Value::As(8, u32::try_from(MOST).unwrap(), b"/etc/\0".repeat(MOST));
    let names = Value::As(8, u32::try_from(MOST).unwrap(), b"a\0".repeat(MOST));
    let draft = with_files(table.draft(), names, &[], numbers, MOST, MOST).set(1118, Some(dirs));
    let draft = depending(draft, REQUIRES, &[(b"/etc/a", 0, b"")]);
    table
        .good("H29", "1048575 files and directories", &[usual()], draft.signed(usual()).file())
        .arriving_in(LARGE)
        .showing("!rpm:requires");
    let (names, dir) = (Value::As(8, u32::try_from(MANY).unwrap(), b"a\0".repeat(MANY)), vec![b'd'; 1 << 20]);
    for (what, signed) in [("signed", true), ("not even signed", false)] {
        let draft = with_files(table.draft(), names.clone(), &[&dir], vec![0; MANY], MANY, MANY);
        let file = if signed { draft.signed(usual()).file() } else { draft.file() };
        let what = format!("one directory of 1 MiB for 100,000 files, {what}");
        let row = table.bad("H29", &what, Code::HeaderLimits, &[usual()], file);
        if !signed {
            row.alone(Err(Code::Unsigned));
        }
    }
}

fn identity(table: &mut Table) {
    for (tag, what) in [(1000, "name"), (1001, "version"), (1002, "release"), (1022, "architecture")] {
        let draft = table.draft().set(tag, None);
        table.bad("H30", &format!("no {what}"), Code::Nevra, &[usual()], draft.signed(usual()).file());
        let draft = table.draft().set(tag, Some(text("")));
        table.bad("H30", &format!("an empty {what}"), Code::Nevra, &[usual()], draft.signed(usual()).file());
        let draft = table.draft().set(tag, Some(Value::Word(7)));
        let what = format!("a {what} that is a number");
        table.bad("H30", &what, Code::HeaderEntry, &[usual()], draft.signed(usual()).file());
    }
}

fn file_names(table: &mut Table) {
    let named = |draft: Draft, dir: &[u8], name: &[u8]| {
        with_files(draft, Value::Texts(vec![name.to_vec()]), &[dir], vec![0], 1, 1).signed(usual()).file()
    };
    for (what, dir, name, shows) in [
        ("a line feed", &b"/x/"[..], &b"a\nb"[..], "<file>/x/a\nb</file>"),
        ("quotes", b"/x/", b"\"a'", "/x/\"a'</file>|/x/&quot;a'</file>|/x/&quot;a&apos;</file>"),
        ("markup", b"/x/", b"</file><file>", "<file>/x/&lt;/file&gt;&lt;file&gt;</file>"),
        ("Latin-1", b"/x/", b"caf\xe9", "<file>/x/café</file>"),
        ("two slashes", b"//x//", b"a", "<file>//x//a</file>"),
        ("dots", b"/x/./../../etc/", b"passwd", "<file>/x/./../../etc/passwd</file>"),
        ("no slash at the beginning", b"x/", b"a", "<file>x/a</file>"),
        ("a blank at both ends", b"/x/", b" a ", "<file>/x/ a </file>"),
        ("an octet of no code page", b"/x/", b"it\x92s", "<file>/x/its</file>"),
    ] {
        let file = named(table.draft(), dir, name);
        table.good("N11", &format!("a file name with {what}"), &[usual()], file).showing(shows);
    }
    let long = [b'a'; 5000];
    let file = named(table.draft(), b"/x/", &long);
    table
        .good("N11", "a file name of 5000 octets", &[usual()], file)
        .showing(format!("/x/{}</file>", "a".repeat(5000)));
    for (what, name) in
        [("a control character", &b"a\x02"[..]), ("an escape", b"a\x1b[2J"), ("U+FFFE", b"a\xef\xbf\xbe")]
    {
        let file = named(table.draft(), b"/x/", name);
        table.bad("N11", &format!("a file name with {what}"), Code::FileName, &[usual()], file);
    }
    let file = named(table.draft(), b"/\x01/", b"a");
    table.bad("N11", "a directory with a control character", Code::FileName, &[usual()], file);
}

/// Names, flags and versions of a kind of dependency.
fn depending(draft: Draft, tags: [u32; 3], list: &[(&[u8], u32, &[u8])]) -> Draft {
    draft
        .set(tags[0], Some(Value::Texts(list.iter().map(|one| one.0.to_vec()).collect())))
        .set(tags[1], Some(Value::Words(list.iter().map(|one| one.1).collect())))
        .set(tags[2], Some(Value::Texts(list.iter().map(|one| one.2.to_vec()).collect())))
}

const REQUIRES: [u32; 3] = [1049, 1048, 1050];
const PROVIDES: [u32; 3] = [1047, 1112, 1113];
const KINDS: [(&str, [u32; 3]); 8] = [
    ("requires", REQUIRES),
    ("provides", PROVIDES),
    ("conflicts", [1054, 1053, 1055]),
    ("obsoletes", [1090, 1114, 1115]),
    ("recommends", [5046, 5048, 5047]),
    ("suggests", [5049, 5051, 5050]),
    ("supplements", [5052, 5054, 5053]),
    ("enhances", [5055, 5057, 5056]),
];

fn dependencies(table: &mut Table) {
    for (what, tags) in KINDS {
        let draft = depending(table.draft(), tags, &[(b"a", 8, b"1")]).set(tags[2], Some(texts(&["1", "2"])));
        let words = format!("{what}: more versions than names");
        table.bad("N13", &words, Code::DepList, &[usual()], draft.signed(usual()).file());
        let draft = depending(table.draft(), tags, &[(b"a", 8, b"1")]).set(tags[0], None);
        let words = format!("{what}: versions and no names");
        table.bad("N13", &words, Code::DepList, &[usual()], draft.signed(usual()).file());
        let draft = depending(table.draft(), tags, &[(b"a\x01", 0, b"")]);
        let words = format!("a control character in {what}");
        table.bad("N8", &words, Code::Text, &[usual()], draft.signed(usual()).file());
    }
    for (what, one, shows) in [
        ("a rich one", (&b"(a if b)"[..], 0, &b""[..]), "name=\"(a if b)\""),
        ("flags with all bits but the comparison", (b"a", !0x1f & !(1 << 19), b""), "name=\"a\""),
        ("a version without flags", (b"a", 0, b"1.0"), "name=\"a\""),
        ("flags without a version", (b"a", 8, b""), "name=\"a\""),
        ("markup", (b"a<b>&\"c\"", 0, b""), "name=\"a&lt;b>&amp;&quot;c&quot;\"|name=\"a&lt;b&gt;&amp;&quot;c&quot;\""),
        ("a line feed in its name", (b"a\nb", 0, b""), "name=\"a&#xA;b\"|name=\"a&#10;b\""),
        ("a carriage return and a tabulator", (b"a\r\tb", 0, b""), "name=\"a&#xD;&#x9;b\"|name=\"a&#13;&#9;b\""),
    ] {
        let draft = depending(table.draft(), REQUIRES, &[one]);
        let id =
            if what.starts_with("markup") || what.contains("return") || what.contains("line") { "N10" } else { "N13" };
        table.good(id, &format!("a requirement: {what}"), &[usual()], draft.signed(usual()).file()).showing(shows);
    }
    let long = vec![b'x'; 100 * 1024];
    let draft = depending(table.draft(), REQUIRES, &[(&long, 0, b"")]);
    table
        .good("N13", "a requirement of 100 KiB", &[usual()], draft.signed(usual()).file())
        .showing(format!("name=\"{}\"", "x".repeat(100 * 1024)));
    let draft = depending(table.draft(), REQUIRES, &[(b"rpmlib(Whatever)", 0x0100_000a, b"1"), (b"a", 0, b"")]);
    table
        .good("N13", "a requirement of rpm itself is not listed", &[usual()], draft.signed(usual()).file())
        .showing("!rpmlib(Whatever)");
    let draft = depending(table.draft(), PROVIDES, &[(b"kernel", 0, b""), (b"glibc", 8, b"99")]);
    let draft = depending(draft, [1090, 1114, 1115], &[(b"systemd", 0, b"")]);
    table
        .good("N18", "obsoletes systemd and provides the kernel", &[usual()], draft.signed(usual()).file())
        .showing("<rpm:entry name=\"systemd\"/>");
    many_dependencies(table);
}

/// Of all kinds together there may be 262,144.
fn many_dependencies(table: &mut Table) {
    const HALF: usize = 1 << 17;
    let many: Vec<Vec<u8>> = (0..=2 * HALF).map(|n| format!("lib{n:x}.so").into_bytes()).collect();
    let list: Vec<(&[u8], u32, &[u8])> = many.iter().map(|name| (&name[..], 0, &b""[..])).collect();
    let draft = depending(depending(table.draft(), REQUIRES, &list[..HALF]), PROVIDES, &list[..HALF]);
    table
        .good("N13", "131,072 requirements and as many provides", &[usual()], draft.signed(usual()).file())
        .arriving_in(LARGE);
    let draft = depending(table.draft(), REQUIRES, &list[..2 * HALF]);
    table.good("N13", "262,144 requirements", &[usual()], draft.signed(usual()).file()).arriving_in(LARGE);
    let draft = depending(depending(table.draft(), REQUIRES, &list[..HALF]), PROVIDES, &list[..=HALF]);
    let file = draft.signed(usual()).file();
    table.bad("N13", "262,145 dependencies", Code::HeaderLimits, &[usual()], file).arriving_in(LARGE);
    // Names that are as short as can be.
    let letter = |n: usize| 33 + u8::try_from(n % 90).unwrap();
    let short: Vec<Vec<u8>> = (0..2 * HALF).map(|n| vec![letter(n), letter(n / 90), letter(n / 8100)]).collect();
    let list: Vec<(&[u8], u32, &[u8])> = short.iter().map(|name| (&name[..], 0, &b""[..])).collect();
    let draft = depending(table.draft(), REQUIRES, &list);
    table
        .good("N13", "262,144 requirements of three letters", &[usual()], draft.signed(usual()).file())
        .arriving_in(LARGE);
}

fn changelogs(table: &mut Table) {
    let with = |draft: Draft, times: Vec<u32>, name: &str, entry: Vec<u8>| {
        let count = u32::try_from(times.len()).unwrap();
        draft
            .set(1080, Some(Value::Words(times)))
            .set(1081, Some(Value::As(8, count, [name.as_bytes(), b"\0"].concat().repeat(count as usize))))
            .set(1082, Some(Value::As(8, count, [&entry[..], b"\0"].concat().repeat(count as usize))))
            .signed(usual())
            .file()
    };
    for (what, times, shows) in [
        ("unsorted times", vec![10, 30, 20], "date=\"30\""),
        ("a time of 2^32-1", vec![u32::MAX], "date=\"4294967295\""),
        ("three entries of one time", vec![50, 50, 50], "date=\"52\""),
    ] {
        let file = with(table.draft(), times, "a <a@example.org>", b"- text".to_vec());
        table.good("N14", &format!("a changelog with {what}"), &[usual()], file).showing(shows);
    }
    let file = with(table.draft(), (0..100_000).rev().collect(), "a", b"- text".to_vec());
    table
        .good("N14", "a changelog of 100,000 entries, ten of which are listed", &[usual()], file)
        .showing("date=\"99990\"")
        .showing("!date=\"99989\"");
    if is_long() {
        let file = with(table.draft(), vec![1], "a", vec![b'x'; 50 << 20]);
        table.good("N14", "a changelog entry of 50 MiB", &[usual()], file).arriving_in(LARGE);
    }
}
