//! Keys, tokens and secrets, made as README says, are those of a site.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what an admin does")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::bad_days::state::recipe;
use crate::peers;
use crate::site::{Site, Wish, files_below, package, recipe as recipe_of};

/// An admin at a shell, with keys of gpg of his own.
struct Admin {
    home: PathBuf,
}

impl Admin {
    fn new(home: PathBuf) -> Self {
        fs::create_dir(&home).unwrap();
        let gnupg = home.join(".gnupg");
        fs::create_dir(&gnupg).unwrap();
        fs::set_permissions(&gnupg, fs::Permissions::from_mode(0o700)).unwrap();
        // What he would type when gpg asks him.
        fs::write(gnupg.join("gpg.conf"), "batch\npinentry-mode loopback\npassphrase his own\n").unwrap();
        Self { home }
    }

    /// What a shell says to a script, in his home directory.
    fn types(&self, script: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-ec", script]).current_dir(&self.home).env("HOME", &self.home).env_remove("GNUPGHOME");
        shell.output().unwrap()
    }

    #[track_caller]
    fn well(&self, script: &str) -> String {
        let out = self.types(script);
        let said = crate::site::said(&out);
        assert!(out.status.success(), "{script}: {}\n{said}", out.status);
        said
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // It was started for this home directory alone.
        self.types("gpgconf --kill all");
    }
}

fn put(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

#[test]
fn keys_and_tokens_that_were_made_by_the_words_of_readme_are_those_of_a_site() {
    if !peers::have(&["gpg", "rpm", "rpmkeys", "rpmsign"]) {
        return;
    }
    let mut site = Site::prepare(&Wish::default());
    let admin = Admin::new(site.path("admin"));
    let etc = site.path("etc");
    for dir in ["keys", "secrets"] {
        fs::create_dir_all(etc.join(dir)).unwrap();
    }
    // There is no user `rolloutd` here.
    let here =
        |block: &[String]| block.join("\n").replace("/etc/rolloutd", etc.to_str().unwrap()).replace("-o rolloutd ", "");
    let [keys, sign, secrets] = &recipe("Make keys, tokens and secrets")[..] else { panic!("three blocks") };
    admin.well(&here(keys));
    admin.well(&here(secrets));
    put(&etc.join("keys/RPM-GPG-KEY-example"), &site.path("keys/RPM-GPG-KEY-example"));
    for (made, place) in [("signing.asc", "signing.asc"), ("secrets/jane", "token"), ("secrets/rt-hook", "hook")] {
        let place = site.path("keys").join(place);
        fs::remove_file(&place).unwrap();
        put(&etc.join(made), &place);
        assert_eq!(fs::metadata(etc.join(made)).unwrap().permissions().mode() & 0o077, 0, "{made} is nobody else's");
    }
    let (said, _) = site.check();
    assert!(said.contains("no complaints, 1 note") && said.contains("note: distribution.path"), "{said}");
    // A package that is signed in these words comes in, and moves by that token.
    let file = admin.home.join("tool.rpm");
    fs::write(&file, package(&recipe_of("tool", "1.0", &[]), None)).unwrap();
    admin.well(&here(sign).replace("FILE", "tool.rpm"));
    site.up();
    site.drop_file("tool.rpm", &fs::read(&file).unwrap());
    let place = site.tree("untested").join("Packages/t/tool-1.0-1.noarch.rpm");
    site.wait("the package", |_| place.is_file().then_some(()));
    site.submit("1", &["tool-1.0-1.noarch"]);
    site.ctl_good(&["move", "1", "InVerification"]);
    site.ctl_good(&["move", "1", "StageRollOut"]);
    // Sites import what lies beside the `.repo` file; then the package is good, and so is the metadata.
    let tree = site.tree("testing");
    let published = fs::read_dir(&tree).unwrap().map(|entry| entry.unwrap().path());
    let published: Vec<PathBuf> = published.filter(|path| path.to_string_lossy().contains("RPM-GPG-KEY")).collect();
    assert!(!published.is_empty());
    admin.well("mkdir db client && chmod 700 client");
    for key in &published {
        admin.well(&format!("rpm --dbpath {}/db --import {}", admin.home.display(), key.display()));
        admin.well(&format!("gpg --homedir client --import {}", key.display()));
    }
    let packages = files_below(&tree.join("Packages"));
    let said =
        admin.well(&format!("rpmkeys --dbpath {}/db --checksig {}", admin.home.display(), packages[0].display()));
    assert!(said.contains("digests signatures OK"), "{said}");
    let repodata = tree.join("repodata");
    admin.well(&format!("gpg --homedir client --verify {0}/repomd.xml.asc {0}/repomd.xml", repodata.display()));
    admin.well("gpgconf --homedir client --kill all");
}
