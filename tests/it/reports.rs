//! Reports of early adopters as files: filled in, sent, read, gathered, kept, and missed when they are gone.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::process::Command;

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::cast::{good, listed, refused, site};
use crate::fsck::fsck;
use crate::peers;
use crate::site::{Site, request, said};

const IT: &str = "ea-NGI_IT-INFN-T1";
const CH: &str = "ea-NGI_CH-CSCS";

/// An OpenDocument text. Nothing of it is compressed, so that it is as long as it looks.
pub(crate) fn odt(text: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let body = format!("<document><text><p>{text}</p></text></document>");
    for (name, content) in [("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", &body)] {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name, stored).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A rollout in the staged rollout of EGI, accepted by two teams.
fn in_staged_rollout() -> Site {
    let people = [("verifier", "verifier", None), ("srm", "srm", None), (IT, "ea", Some(IT)), (CH, "ea", Some(CH))];
    let (mut site, _) = site("egi", &people);
    let nevra = site.drop_package("bdii-site", "1.0.1", &[]);
    site.wait("the package", |site| (listed(site, "untested") == [nevra.clone()]).then_some(()));
    let title = "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL5 x86_64";
    good(&site, "verifier", &["submit", "rt-1", &nevra, "--title", title]);
    site.go_through("rt-1", &["Unverified", "InVerification", "StageRollOut"]);
    for (team, ngi) in [(IT, "NGI_IT"), (CH, "NGI_CH")] {
        good(&site, "srm", &["team", "add", team, "--ngi", ngi]);
        good(&site, "srm", &["assign", "rt-1", team]);
        good(&site, team, &["accept", "rt-1", team]);
    }
    site
}

pub(crate) fn write(site: &Site, name: &str, bytes: &[u8]) -> String {
    let path = site.path("reports-of-teams");
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join(name), bytes).unwrap();
    path.join(name).display().to_string()
}

/// The files that the daemon keeps.
fn kept(site: &Site) -> Vec<PathBuf> {
    let entries = fs::read_dir(site.path("state/reports")).into_iter().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

#[test]
fn reports_are_filled_in_sent_read_and_gathered_in_one_document() {
    if !peers::have(&["tar"]) {
        return;
    }
    let site = in_staged_rollout();
    // S0-51: the template has what is known.
    let page = good(&site, IT, &["report", "template", "rt-1", IT]);
    let right = format!("{IT}-EMI-bdii-site-1.0.1.odt");
    for words in ["Staged rollout EMI bdii-site 1.0.1", &right, "SL5", "x86_64", "Are the release notes correct"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // S0-47: a wrong name is explained; and what is no document is none.
    let wrong = write(&site, "report.odt", &odt("one"));
    let add = |who: &'static str, words: &[&str]| {
        [&["report", "add", "rt-1", who, "success"], words].concat().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let send = |who: &'static str, words: &[&str]| {
        let words = add(who, words);
        site.ctl_as(who, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let out = send(IT, &["--file", &wrong]);
    assert!(!out.status.success() && said(&out).contains(&right), "{}", said(&out));
    let no_document = write(&site, &right, b"%PDF-1.4");
    let out = send(IT, &["--file", &no_document]);
    assert!(!out.status.success() && said(&out).contains("is not the OpenDocument text"), "{}", said(&out));
    let large = write(&site, &right, &odt(&"x".repeat(4 << 20)));
    let out = send(IT, &["--file", &large]);
    assert!(!out.status.success() && said(&out).contains("a report may have at most"), "{}", said(&out));
    assert!(kept(&site).is_empty(), "nothing is kept of what was refused");
    // S0-45, S0-46: it is sent, and what it does not say is named. It may be as large as a report with pictures is.
    let bytes = odt(&format!("https://me:S3cret1@ce.example.org/ {}", "x".repeat(3 << 20)));
    let mine = write(&site, &right, &bytes);
    let out = send(IT, &["--file", &mine, "--tests", "installed on three WNs", "--vos", "atlas"]);
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(kept(&site).len(), 1);
    // The file is not for everybody to read, and neither are its words in the logbook, which is.
    assert!(!good(&site, "srm", &["log", "--json"]).contains("S3cret"));
    let list = good(&site, "srm", &["report", "list", "rt-1"]);
    assert!(list.contains("says nothing about Release notes, Metrics") && list.contains(CH), "{list}");
    // S0-57: whose report is missing is said, and no archive made.
    let archive = site.path("all.tar").display().to_string();
    let words = ["report", "archive", "rt-1", "--document", "EGI-doc-1234", "--output", &archive];
    refused(&site, "srm", &words, &format!("accepted but not reported: {CH}"));
    let theirs = write(&site, &format!("{CH}-EMI-1.0-bdii-site-1.0.1.odt"), &odt("two"));
    let out = send(CH, &["--file", &theirs, "--summary", "see #99"]);
    assert!(out.status.success(), "{}", said(&out));
    good(&site, "srm", &words);
    // S0-48, S0-55, S0-56.
    let tar = |words: &[&str]| {
        let out = Command::new("tar").arg("-f").arg(&archive).args(words).output().unwrap();
        assert!(out.status.success(), "{}", said(&out));
        out.stdout
    };
    let names = String::from_utf8(tar(&["-t"])).unwrap();
    let expected = format!(
        "EGI-doc-1234/description.txt\nEGI-doc-1234/summary-EMI-bdii-site-1.0.1.txt\n\
         EGI-doc-1234/{CH}-EMI-1.0-bdii-site-1.0.1.odt\nEGI-doc-1234/{right}\n"
    );
    assert_eq!(names, expected);
    assert_eq!(tar(&["-xO", "EGI-doc-1234/description.txt"]), b"Staged rollout EMI bdii-site 1.0.1\n");
    assert!(tar(&["-xO", &format!("EGI-doc-1234/{right}")]) == bytes);
    let summary = good(&site, "srm", &["report", "summary", "rt-1"]);
    assert_eq!(tar(&["-xO", "EGI-doc-1234/summary-EMI-bdii-site-1.0.1.txt"]), summary.into_bytes());
    // S1-35: only what was published can be read by everybody.
    let to = site.path("mine.odt").display().to_string();
    let path = format!("/api/v1/rollouts/rt-1/teams/{IT}/report/file");
    let anybody = || request(site.address(), "GET", &path, &[], b"").unwrap();
    assert_eq!(anybody().status, 401);
    good(&site, "srm", &["report", "get", "rt-1", IT, "--output", &to]);
    assert!(fs::read(&to).unwrap() == bytes);
    refused(&site, "srm", &["report", "get", "rt-1", IT, "--output", &to], "already exists");
    refused(&site, IT, &["report", "publish", "rt-1", IT], "(role)");
    good(&site, "srm", &["report", "publish", "rt-1", IT]);
    let read = anybody();
    assert!(read.status == 200 && read.body == bytes, "{}", read.status);
    assert!(read.header("content-disposition").unwrap().contains(&right));
}

#[test]
fn the_file_of_a_report_is_kept_over_a_crash_backed_up_and_missed_when_it_is_gone() {
    let mut site = in_staged_rollout();
    let name = format!("{IT}-EMI-bdii-site-1.0.1.odt");
    let file = write(&site, &name, &odt("one"));
    good(&site, IT, &["report", "add", "rt-1", IT, "fail", "--file", &file]);
    let file = write(&site, &name, &odt("two"));
    good(&site, IT, &["report", "add", "rt-1", IT, "success", "--file", &file]);
    // The daemon is killed between the file of another report and its entry.
    let stray = site.path("state/reports").join("ab".repeat(32));
    site.kill();
    fs::write(&stray, "never recorded").unwrap();
    let (findings, _) = fsck(&site, false);
    let stray_said = ("reports/".to_owned() + &"ab".repeat(32), "no entry of the logbook names it".to_owned());
    assert_eq!(findings, [stray_said]);
    site.up();
    assert_eq!((kept(&site).len(), stray.exists()), (2, false), "earlier files stay");
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
    // A backup has them, and a restore puts them back.
    let backup = site.path("backup");
    let out = site.rolloutd(&["backup", backup.to_str().unwrap()]);
    assert!(out.status.success() && fs::read_dir(backup.join("reports")).unwrap().count() == 2, "{}", said(&out));
    site.stop();
    let all = kept(&site);
    fs::remove_file(&all[0]).unwrap();
    fs::set_permissions(&all[1], std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut bytes = fs::read(&all[1]).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&all[1], bytes).unwrap();
    let (findings, code) = fsck(&site, true);
    let what: Vec<&str> = findings.iter().map(|(_, what)| what.as_str()).collect();
    let whose = format!("the report {name} of {IT} on rt-1");
    assert_eq!(code, Some(1));
    assert!(what.contains(&format!("it is missing: {whose}").as_str()), "{what:?}");
    assert!(what.contains(&format!("its bytes were changed: {whose}").as_str()), "{what:?}");
    let out = site.rolloutd(&["restore", backup.to_str().unwrap()]);
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
    site.up();
    let to = site.path("back.odt").display().to_string();
    good(&site, "srm", &["report", "get", "rt-1", IT, "--output", &to]);
    assert_eq!(fs::read(&to).unwrap(), odt("two"));
}
