//! B1 to B11: what is no package at all.
#![expect(clippy::disallowed_methods, reason = "hostile files are made in a test's own directory")]

use super::Table;
use rolloutd::domain::refusal::Code;
use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};
use std::fs;

pub(super) fn rows(table: &mut Table) {
    table.made("B1", "a pipe", Code::NotRegular, |path| mkfifoat(CWD, path, Mode::RWXU).unwrap());
    table.made("B1", "a socket", Code::NotRegular, |path| {
        // Its name may have 108 octets and no more; and it stays when the listener has gone.
        let short = tempfile::tempdir_in("/tmp").unwrap();
        drop(std::os::unix::net::UnixListener::bind(short.path().join("s")).unwrap());
        fs::rename(short.path().join("s"), path).unwrap();
    });
    table.made("B1", "a link to a file", Code::NotRegular, |path| {
        std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
    });
    table.made("B1", "a link to a package beside it", Code::NotRegular, |path| {
        let beside = path.with_extension("beside");
        fs::write(&beside, crate::forge::Draft::new().signed(super::usual()).file()).unwrap();
        std::os::unix::fs::symlink(beside.file_name().unwrap(), path).unwrap();
    });
    table.made("B1", "a link that leads nowhere", Code::NotRegular, |path| {
        std::os::unix::fs::symlink("nowhere", path).unwrap();
    });
    table.made("B1", "a link to itself", Code::NotRegular, |path| {
        std::os::unix::fs::symlink(path.file_name().unwrap(), path).unwrap();
    });
    if rustix::process::geteuid().is_root() {
        table.made("B1", "a device", Code::NotRegular, |path| {
            mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, rustix::fs::makedev(1, 5)).unwrap();
        });
    }
    // `verify` follows no link either, and a second name leads it nowhere else.
    table
        .made("B1", "a file with two names", Code::NotRegular, |path| {
            fs::write(path, b"no package, under two names").unwrap();
            fs::hard_link(path, path.with_extension("second")).unwrap();
        })
        .alone(Err(Code::NotRpm));
    // It has no limit but those of headers, and stops at the first octet.
    table
        .made("B2", "a sparse file of 1 TiB", Code::TooLarge, |path| {
            fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        })
        .alone(Err(Code::NotRpm));
    for [id, what, place] in ELSEWHERE {
        table.elsewhere(id, what, place);
    }
}

const ELSEWHERE: [[&str; 3]; 10] = [
    ["B1", "a directory named .rpm", "it is searched like any other: a directory of uploads may have any name"],
    ["B3", "a file that grows", "it is what happens to a file and not a file: tests/it/uploads.rs"],
    [
        "B4",
        "a file that shrinks",
        "likewise; what is cut anywhere is H1, and the state of the file is compared after it \
      was read (src/store/intake/)",
    ],
    ["B5", "a file system that blocks for ever", "a mount and not a file: tests/it/uploads.rs makes one"],
    ["B6", "a lease or a lock on the file", "both are hints that a reader need not ask for; none is asked for"],
    [
        "B7",
        "a file that cannot be read",
        "a daemon that is root reads everything; that one which cannot be handled \
      holds up no other is shown in tests/it/disagreement.rs",
    ],
    [
        "B8",
        "metadata of others",
        "no upload is ever read as metadata; `index` and `fsck` read it: tests/it/index.rs, \
      tests/it/fsck.rs, and the limits of XML and compression in src/format/xml.rs and src/format/compress.rs",
    ],
    ["B9", "key rings", "S42 to S44"],
    ["B10", "bodies of webhooks", "no files: src/web/hook.rs, src/format/hook.rs"],
    ["B11", "configurations", "no uploads: tests/it/config_check.rs and fixtures/config"],
];
