//! `rolloutd check` on configurations of every kind: `fixtures/config/valid` and `.../invalid`, each
//! with the complete list of what is said about it beside it, `NAME.snap`.
//!
//! The fixtures speak of a small site that is made here: directories, keys in every condition, secret
//! files, procedures. `@DIR@` stands for its place, and other words between `@` for what differs from
//! run to run. `INSTA_UPDATE=always` writes the lists again; read them then, line by line.

#![expect(clippy::disallowed_methods, reason = "the site that is checked is made by the test itself")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sequoia_openpgp::cert::{Cert, CertBuilder};
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::KeyFlags;

const YEAR: Duration = Duration::from_hours(365 * 24);

/// The site of which the fixtures speak, and what has to be exchanged in them.
struct Site {
    dir: tempfile::TempDir,
    /// Words of the fixtures, and what stands there in this run.
    words: Vec<(String, String)>,
}

/// Made once; every test only reads it.
static SITE: LazyLock<Site> = LazyLock::new(Site::make);

impl Site {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mut site = Self { dir, words: Vec::new() };
        site.words.push(("@DIR@".to_owned(), site.path("").display().to_string().trim_end_matches('/').to_owned()));
        site.directories();
        site.keys();
        site.secrets();
        site.procedures();
        site.holidays();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("made");
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("changed");
    }

    fn make_dir(&self, name: &str, mode: u32) {
        fs::create_dir_all(self.path(name)).expect("made");
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).expect("changed");
    }

    fn directories(&self) {
        for (name, mode) in [
            ("srv", 0o755),
            ("var", 0o750),
            ("var/srv", 0o755),
            ("incoming", 0o755),
            ("open", 0o777),
            ("shared", 0o777),
        ] {
            self.make_dir(name, mode);
        }
        self.put("a-file", "", 0o644);
        symlink("srv", self.path("link-to-srv")).expect("linked");
        symlink("nowhere", self.path("leads-nowhere")).expect("linked");
        // Only the daemon may write into a tree, also into that of uploads.
        self.make_dir("spoilt", 0o755);
        self.make_dir("spoilt/untested/umd/3/sl6/x86_64", 0o777);
        self.make_dir("spoilt/testing/umd/3/sl6/x86_64", 0o777);
        self.make_dir("spoilt/production", 0o755);
        symlink("/srv", self.path("spoilt/production/umd")).expect("linked");
        self.put("spoilt/delta/umd", "", 0o644);
    }

    fn keys(&mut self) {
        let now = SystemTime::now();
        let epoch = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (example, _) = key("Example <release@example.org>", now - YEAR, None);
        let (release, _) = key("Release <release@example.org>", now - YEAR, None);
        // The first of January 2024 and 2025.
        let (expired, _) = key("Expired <old@example.org>", epoch(1_704_067_200), Some(epoch(1_735_689_600)));
        let (soon, _) = key("Soon <soon@example.org>", now - YEAR, Some(now + Duration::from_hours(30 * 24)));
        let (revoked, revoking) = key("Revoked <gone@example.org>", epoch(1_704_067_200), None);
        let revoked = revoked.insert_packets(revoking).expect("revoked").0;
        let encrypts = CertBuilder::new()
            .add_userid("Encrypts <mail@example.org>")
            .set_primary_key_flags(KeyFlags::empty().set_certification())
            .add_transport_encryption_subkey()
            .set_creation_time(now - YEAR)
            .generate()
            .expect("a key")
            .0;
        let protected = CertBuilder::general_purpose(Some("Protected <p@example.org>"))
            .set_password(Some("correct horse".into()))
            .generate()
            .expect("a key")
            .0;
        let public = |cert: &Cert| cert.armored().to_vec().expect("armored");
        let secret = |cert: &Cert| cert.as_tsk().armored().to_vec().expect("armored");
        for (name, cert) in [
            ("RPM-GPG-KEY-example", &example),
            ("RPM-GPG-KEY-release", &release),
            ("expired.asc", &expired),
            ("soon.asc", &soon),
            ("revoked.asc", &revoked),
            ("encrypts.asc", &encrypts),
        ] {
            self.put(&format!("keys/{name}"), public(cert), 0o644);
        }
        self.put("keys/two.asc", [public(&example), public(&release)].concat(), 0o644);
        self.put("keys/three.asc", [public(&example), public(&release), public(&revoked)].concat(), 0o644);
        self.put("keys/signing.asc", secret(&example), 0o600);
        self.put("keys/signing.gpg", example.as_tsk().to_vec().expect("binary"), 0o600);
        self.put("keys/signing-open.asc", secret(&example), 0o644);
        self.put("keys/signing-protected.asc", secret(&protected), 0o600);
        self.put("keys/writable.asc", public(&example), 0o666);
        self.put("keys/empty.asc", "", 0o644);
        self.put("keys/no-key.txt", "Ask Jane for the key.\n", 0o644);
        for name in
            ["old/RPM-GPG-KEY-example", "old/RPM-GPG-KEY-metadata", "old/repodata", "old/key.rpm", "shared/key.asc"]
        {
            self.put(name, public(&release), 0o644);
        }
        for (word, cert) in [
            ("EXAMPLE", &example),
            ("RELEASE", &release),
            ("EXPIRED", &expired),
            ("SOON", &soon),
            ("REVOKED", &revoked),
            ("ENCRYPTS", &encrypts),
            ("PROTECTED", &protected),
        ] {
            self.words.push((format!("@{word}@"), cert.fingerprint().to_hex()));
        }
        for key in expired.keys().chain(revoked.keys()).chain(encrypts.keys()).skip(1) {
            let fingerprint = key.key().fingerprint().to_hex();
            if self.words.iter().all(|(_, known)| *known != fingerprint) {
                self.words.push((format!("@SUBKEY-{}@", self.words.len()), fingerprint));
            }
        }
        let end = Timestamp::try_from(now + Duration::from_hours(30 * 24)).expect("a time");
        self.words.push(("@IN-30-DAYS@".to_owned(), end.strftime("%Y-%m-%d").to_string()));
    }

    fn secrets(&self) {
        for name in ["rt-hook", "forge", "forge.next", "third", "jane", "joe", "jill", "sso"] {
            self.put(&format!("secrets/{name}"), format!("the-secret-of-{name:->16}\n"), 0o600);
        }
        self.put("secrets/open", "the-secret-of-everybody\n", 0o644);
        self.put("secrets/empty", "\n", 0o600);
        self.put("secrets/short", "hunter2\n", 0o600);
        self.put("secrets/words", "correct horse battery staple\n", 0o600);
        self.put("secrets/large", "x".repeat(5000), 0o600);
    }

    fn procedures(&self) {
        let short = "name = \"short\"\ninitial = \"New\"\n\
            [[state]]\nname = \"New\"\n[[state]]\nname = \"Tried\"\n[[state]]\nname = \"Released\"\n\
            [[transition]]\nfrom = \"New\"\nto = \"Tried\"\nwho = [\"srm\"]\n\
            move = { from = \"incoming\", to = \"candidate\" }\n\
            [[transition]]\nfrom = \"Tried\"\nto = \"Released\"\nwho = [\"srm\"]\n\
            move = { from = \"candidate\", to = \"release\" }\n";
        self.put("procedures/short.toml", short, 0o644);
        let broken = short.replace("to = \"Released\"\nwho = [\"srm\"]", "to = \"Relaesed\"\nwho = [\"srn\"]");
        self.put("procedures/broken.toml", broken, 0o644);
        let hasty = "name = \"hasty\"\ninitial = \"New\"\n[[state]]\nname = \"New\"\n[[state]]\nname = \"Released\"\n\
            [[transition]]\nfrom = \"New\"\nto = \"Released\"\nwho = [\"srm\"]\n\
            move = { from = \"untested\", to = \"production\" }\n";
        self.put("procedures/hasty.toml", hasty, 0o644);
        let pair = format!("{short}gates = [{{ name = \"approvals\", from = [\"omb\"], each = 2 }}]\n");
        self.put("procedures/pair.toml", pair, 0o644);
        let own = short.replacen("srm", "release-manager", 1).replace("\"srm\"", "\"srn\"");
        self.put("procedures/own.toml", format!("submit = [\"release-manager\"]\n{own}"), 0o644);
    }

    fn holidays(&self) {
        let file = |events: &str| format!("BEGIN:VCALENDAR\nVERSION:2.0\n{events}END:VCALENDAR\n");
        let event = |lines: &str| format!("BEGIN:VEVENT\n{lines}END:VEVENT\n");
        // They come back every year, so that the tests do not age.
        let yearly = |day: &str, name: &str| {
            event(&format!("DTSTART;VALUE=DATE:2000{day}\nRRULE:FREQ=YEARLY\nSUMMARY:{name}\n"))
        };
        let days = [yearly("0101", "New Year"), yearly("1225", "Christmas Day")].concat();
        self.put("calendar/yearly.ics", file(&days), 0o644);
        self.put("calendar/none.ics", file(&event("DTSTART;VALUE=DATE:19990101\nSUMMARY:Long ago\n")), 0o644);
        let hours = event("DTSTART:20900101T120000Z\nSUMMARY:An hour\n");
        self.put("calendar/broken.ics", file(&[days, hours].concat()), 0o644);
    }

    /// What the fixture says on this site.
    fn filled(&self, fixture: &[u8]) -> Vec<u8> {
        // One of them is deliberately no UTF-8, and so has nothing to exchange.
        let Ok(text) = std::str::from_utf8(fixture) else { return fixture.to_vec() };
        self.words.iter().fold(text.to_owned(), |text, (word, here)| text.replace(word, here)).into_bytes()
    }

    /// What was said, in the words of the fixtures.
    fn emptied(&self, said: &str) -> String {
        let text = said.replace(&format!("{}/", self.path("configurations").display()), "");
        self.words.iter().fold(text, |text, (word, here)| text.replace(here.as_str(), word))
    }

    /// Checks a fixture: exit code and output.
    fn check(&self, fixture: &Path, more: &[&str]) -> (Option<i32>, String) {
        let name = fixture.file_name().and_then(|name| name.to_str()).expect("fixtures have plain names");
        let kind = fixture.parent().and_then(|dir| dir.file_name()?.to_str()).expect("fixtures lie in directories");
        // A good and a broken one may have the same name.
        let prefix = format!("{kind}~{}", more.concat());
        let file = format!("configurations/{prefix}{name}");
        self.put(&file, self.filled(&fs::read(fixture).expect("a fixture")), 0o644);
        let (code, said) = run(&self.path(&file), more);
        (code, self.emptied(&said).replace(&prefix, ""))
    }
}

/// Runs `rolloutd check`: exit code and output.
fn run(config: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
    let output = program.args(["check", "--config"]).arg(config).args(more).output().expect("rolloutd runs");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), String::from_utf8(output.stdout).expect("output is text"))
}

/// A key that certifies and signs, and what revokes it.
fn key(user_id: &str, made: SystemTime, expires: Option<SystemTime>) -> (Cert, Signature) {
    let lifetime = expires.map(|end| end.duration_since(made).expect("it expires after it was made"));
    CertBuilder::new()
        .add_userid(user_id)
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
        .set_creation_time(made)
        .set_validity_period(lifetime)
        .generate()
        .expect("a key")
}

/// The fixtures of one kind, by name.
fn fixtures(kind: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(kind);
    let entries = fs::read_dir(&dir).expect("fixtures/config is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// Compares everything that is said with the list beside the fixture; gives the number of complaints.
fn compare(fixture: &Path, code: i32) -> usize {
    let (status, said) = SITE.check(fixture, &[]);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(fixture.parent().expect("it is in a directory"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let name = fixture.file_stem().and_then(|name| name.to_str()).expect("fixtures have plain names");
    settings.bind(|| insta::assert_snapshot!(name, said));
    assert_eq!(status, Some(code), "{}", fixture.display());
    said.lines().filter(|line| is_finding(line) && !line.contains(": note: ")).count()
}

/// Whether a line begins with `FILE:LINE:COLUMN: `.
fn is_finding(line: &str) -> bool {
    line.split(": ").next().is_some_and(|place| place.matches(':').count() == 2) && !line.starts_with(' ')
}

#[test]
fn a_broken_configuration_gets_its_complete_list_of_complaints() {
    let all = fixtures("invalid");
    let complaints: Vec<usize> = all.iter().map(|fixture| compare(fixture, 1)).collect();
    assert!(all.len() >= 20, "only {} broken configurations", all.len());
    assert!(complaints.iter().all(|count| *count > 0));
    let several = complaints.iter().filter(|count| **count > 1).count();
    eprintln!(
        "{} broken configurations, {several} with more than one mistake, {} complaints in all",
        all.len(),
        complaints.iter().sum::<usize>()
    );
}

#[test]
fn a_good_configuration_is_fine_whatever_is_noted() {
    let all = fixtures("valid");
    assert!(all.len() >= 3, "only {} good configurations", all.len());
    for fixture in &all {
        assert_eq!(compare(fixture, 0), 0, "{}", fixture.display());
    }
}

#[test]
fn programs_get_one_document_with_the_same_findings() {
    for fixture in fixtures("invalid").iter().chain(&fixtures("valid")) {
        let (text_code, text) = SITE.check(fixture, &[]);
        let (code, json) = SITE.check(fixture, &["--json"]);
        assert_eq!(code, text_code, "{}", fixture.display());
        let document: serde_json::Value = serde_json::from_str(&json).expect("one document");
        assert_eq!(document["fine"], code == Some(0));
        let places = |kind: &str| {
            let list = document[kind].as_array().expect("a list").clone();
            list.into_iter().map(|f| format!("{}:{}:{}", f["file"].as_str().expect("text"), f["line"], f["column"]))
        };
        let mut in_json: Vec<String> = places("complaints").chain(places("notes")).collect();
        let findings = text.lines().filter(|line| is_finding(line));
        let mut in_text: Vec<&str> = findings.map(|line| line.split(": ").next().expect("a place")).collect();
        in_json.sort();
        in_text.sort_unstable();
        assert_eq!(in_json, in_text, "{}", fixture.display());
    }
}

#[test]
fn a_file_that_is_not_there_is_a_complaint_like_any_other() {
    let (code, said) = run(&SITE.path("absent.toml"), &[]);
    assert_eq!(code, Some(1));
    let said = SITE.emptied(&said);
    assert_eq!(
        said,
        "@DIR@/absent.toml:1:1: @DIR@/absent.toml does not exist\n\
         @DIR@/absent.toml cannot be used: 1 complaint, no notes\n"
    );
}

#[test]
fn a_configuration_that_everybody_may_change_is_refused() {
    SITE.put("changeable/rolloutd.toml", SITE.filled(&fs::read(&fixtures("valid")[0]).expect("a fixture")), 0o666);
    let (code, said) = run(&SITE.path("changeable/rolloutd.toml"), &[]);
    let said = SITE.emptied(&said);
    assert!(said.contains(":1:1: everybody on this machine can change @DIR@/changeable/rolloutd.toml"), "{said}");
    assert_eq!(code, Some(1));
}

#[test]
fn what_the_daemons_user_may_not_read_or_write_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    let allow = |name: &str, mode| fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).expect("changed");
    let text = fs::read_to_string(fixtures("valid").iter().find(|f| f.ends_with("minimal.toml")).expect("it is there"));
    let text = text.expect("text").replace("@DIR@", &dir.path().display().to_string());
    fs::write(path("rolloutd.toml"), text).expect("written");
    for name in ["srv", "keys", "secrets"] {
        fs::create_dir_all(path(name)).expect("made");
    }
    fs::copy(SITE.path("keys/RPM-GPG-KEY-example"), path("keys/RPM-GPG-KEY-example")).expect("copied");
    fs::copy(SITE.path("secrets/jane"), path("secrets/jane")).expect("copied");
    // Root may do everything, so the program is run by somebody else, who must be able to reach it.
    fs::copy(env!("CARGO_BIN_EXE_rolloutd"), path("rolloutd")).expect("copied");
    for (name, mode) in [("srv", 0o555), ("keys/RPM-GPG-KEY-example", 0), ("secrets/jane", 0), ("", 0o555)] {
        allow(name, mode);
    }
    let mut program = Command::new(path("rolloutd"));
    program.args(["check", "--config"]).arg(path("rolloutd.toml"));
    if fs::metadata("/proc/self").expect("a kernel").uid() == 0 {
        program.uid(65534).gid(65534);
    }
    let output = loop {
        match program.output() {
            // Another test's child, not yet the program it will be, may still hold the copy open.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            ended => break ended.expect("rolloutd runs"),
        }
    };
    allow("", 0o755);
    let said =
        String::from_utf8(output.stdout).expect("output is text").replace(&dir.path().display().to_string(), "@DIR@");
    let said: Vec<&str> = said.lines().filter(|line| is_finding(line)).collect();
    assert_eq!(
        said,
        [
            "@DIR@/rolloutd.toml:3:12: site.root: @DIR@/srv cannot be written to: permission denied",
            "@DIR@/rolloutd.toml:3:12: site.root: uploads go to @DIR@/incoming, and @DIR@/incoming cannot be created in @DIR@: permission denied",
            "@DIR@/rolloutd.toml:4:12: site.state: @DIR@/var cannot be created in @DIR@: permission denied",
            "@DIR@/rolloutd.toml:8:13: note: distribution.path: takes in packages of \"noarch\", \"x86_64\", \"x86_64_v2\", \
             \"x86_64_v3\", \"x86_64_v4\", \"amd64\", \"ia32e\" and refuses others",
            "@DIR@/rolloutd.toml:10:22: distribution.keys.\"*\": @DIR@/keys/RPM-GPG-KEY-example cannot be read: permission denied",
            "@DIR@/rolloutd.toml:15:19: token.secret.file: @DIR@/secrets/jane cannot be read: permission denied",
        ]
    );
    assert_eq!(output.status.code(), Some(1));
}
