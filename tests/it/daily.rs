//! Daily work: what is where, why not, and how to undo it.

#![expect(clippy::disallowed_methods, reason = "the tests play uploaders and admins")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cast::listed;
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, keys, package, recipe, request, said};

/// A site with one accepted package.
fn with_package() -> (Site, String) {
    let mut site = Site::start(&Wish::default());
    let nevra = site.drop_package("bdii", "1.0", &[]);
    site.wait("the package", |site| listed(site, "untested").contains(&nevra).then_some(()));
    (site, nevra)
}

/// The states of the brief procedure that the test site follows.
fn withdraw(site: &mut Site, id: &str) {
    site.go_through(id, &["InVerification", "StageRollOut", "Rejected"]);
}

#[test]
fn what_was_withdrawn_may_come_in_again_and_verify_says_so_before() {
    let (mut site, nevra) = with_package();
    let file = site.path("bdii.rpm");
    fs::write(&file, package(&recipe("bdii", "1.0", &[]), Some(&keys().ours.1))).unwrap();
    let verify = |site: &Site, file: &Path| {
        let out = site.rolloutd(&["verify", file.to_str().unwrap()]);
        (out.status.code(), said(&out))
    };
    let (code, told) = verify(&site, &file);
    assert!(code == Some(0) && told.contains("it is in untested already"), "{told}");
    // The same name with other bytes, a package of a stranger's, and what is of no architecture that comes in here.
    let other = site.path("other.rpm");
    fs::write(&other, package(&recipe("bdii", "1.0", &["glibc"]), Some(&keys().ours.1))).unwrap();
    let (code, told) = verify(&site, &other);
    assert!(code == Some(1) && told.contains("refused duplicate_nevra"), "{told}");
    fs::write(&other, package(&recipe("bdii", "2.0", &[]), None)).unwrap();
    assert!(verify(&site, &other).1.contains("refused unsigned"));

    for id in ["first", "second"] {
        site.submit(id, &[&nevra]);
        withdraw(&mut site, id);
        site.wait("the withdrawal", |site| listed(site, "testing").is_empty().then_some(()));
        let (code, told) = verify(&site, &file);
        assert!(code == Some(1) && told.contains("refused withdrawn"), "{told}");
        let told = said(&site.ctl(&["submit", "again", "--distribution", DISTRIBUTION, &nevra]));
        assert!(
            told.contains("package_withdrawn")
                && told.contains(&format!("rolloutctl allow {nevra} --distribution {DISTRIBUTION} --reason WHY")),
            "{told}"
        );
        let told = site.ctl_good(&["allow", &nevra, "--reason", "the withdrawal was a mistake"]);
        assert!(told.contains("to come in again"), "{told}");
        assert!(site.ctl_good(&["where", &nevra]).contains("allowed"));
        assert_eq!(verify(&site, &file).0, Some(0));
        fs::copy(&file, site.incoming().join(format!("{id}.rpm"))).unwrap();
        site.wait("it to come in again", |site| listed(site, "untested").contains(&nevra).then_some(()));
    }
    // Once more all the way, so that its bytes lie where withdrawn ones were kept.
    site.submit("third", &[&nevra]);
    site.go_through("third", &["InVerification", "StageRollOut", "Production"]);
    assert_eq!(listed(&site, "production"), [nevra.as_str()]);
    assert!(site.rolloutd(&["fsck"]).status.success());
    // The file that lay there before was no upload.
    assert!(site.rejected().is_empty(), "{:?}", site.rejected());
}

#[test]
fn a_mistaken_upload_and_old_versions_are_taken_out_and_brought_back() {
    let (mut site, first) = with_package();
    for version in ["2.0", "3.0", "10.0"] {
        site.drop_package("bdii", version, &[]);
    }
    site.wait("all of them", |site| (listed(site, "untested").len() == 4).then_some(()));
    site.submit("open", &["bdii-2.0-1.noarch"]);
    let refused = said(&site.ctl(&["drop", "untested", "bdii-2.0-1.noarch", "--reason", "wrong branch"]));
    assert!(refused.contains("in_rollout") && refused.contains("open"), "{refused}");
    let refused = said(&site.ctl(&["drop", "untested", "bdii-2.1-1.noarch", "--reason", "wrong branch"]));
    assert!(refused.contains("Did you mean bdii-2.0-1.noarch?"), "{refused}");
    // What would go is shown first, and what belongs to an open rollout stays.
    let told = site.ctl_good(&["retire", "untested", "--keep", "1"]);
    assert!(told.contains(&first) && told.contains("bdii-3.0-1.noarch") && told.contains("--yes"), "{told}");
    assert!(!told.contains("bdii-2.0-1.noarch") && listed(&site, "untested").len() == 4, "{told}");
    let told = site.ctl_good(&["retire", "untested", "--keep", "1", "--yes", "--reason", "long superseded"]);
    assert!(
        told.contains("2 packages taken out") && told.contains("To undo it: rolloutctl restore untested"),
        "{told}"
    );
    assert_eq!(listed(&site, "untested"), ["bdii-10.0-1.noarch", "bdii-2.0-1.noarch"]);
    let told = site.ctl_good(&["drop", "untested", "bdii-10.0-1.noarch", "--reason", "built from the wrong branch"]);
    assert_eq!(listed(&site, "untested"), ["bdii-2.0-1.noarch"]);
    let back = told.split("--to ").nth(1).unwrap().split_whitespace().next().unwrap();
    site.ctl_good(&["restore", "untested", "--to", back, "--reason", "it was the right one"]);
    assert_eq!(listed(&site, "untested"), ["bdii-10.0-1.noarch", "bdii-2.0-1.noarch"]);
    // One of those that went comes back alone, by its file.
    site.drop_package("bdii", "1.0", &[]);
    site.wait_for_rejected("withdrawn", 1);
    site.ctl_good(&["allow", &first, "--reason", "it is still in use"]);
    site.drop_package("bdii", "1.0", &[]);
    site.wait("it to come in again", |site| listed(site, "untested").contains(&first).then_some(()));
    assert!(said(&site.ctl(&["log", "--kind", "rollot"])).contains("did you mean \"rollout\"?"));
    assert!(site.ctl_good(&["log", "--kind", "tree.restored"]).contains("took packages out of untested"));
    assert!(site.rolloutd(&["fsck"]).status.success());
}

#[test]
fn a_rollout_is_submitted_from_a_directory_a_list_and_standard_input() {
    let (mut site, first) = with_package();
    let second = site.drop_package("glite-ce", "2.0", &[]);
    site.wait("the other", |site| listed(site, "untested").contains(&second).then_some(()));
    let dir = site.path("built");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("any-name.rpm"), package(&recipe("bdii", "1.0", &[]), Some(&keys().ours.1))).unwrap();
    fs::write(dir.join("notes.txt"), "of the build").unwrap();
    let list = site.path("list");
    fs::write(&list, format!("# tonight\n{second}\n")).unwrap();
    let (dir, list) = (dir.to_str().unwrap(), list.to_str().unwrap());
    site.ctl_good(&["submit", "both", "--distribution", DISTRIBUTION, "--from", dir, "--from", list]);
    let shown = site.document("/api/v1/rollouts/both");
    let names: Vec<&str> =
        shown["packages"].as_array().unwrap().iter().map(|one| one["nevra"].as_str().unwrap()).collect();
    assert_eq!(names, [first.as_str(), second.as_str()]);
    assert!(said(&site.ctl(&["submit", "none", "--from", "-"])).contains("-: it names no package"));
}

#[test]
fn the_logbook_is_asked_by_person_kind_and_time_and_rollouts_by_time() {
    let (site, nevra) = with_package();
    site.submit("first", &[&nevra]);
    let by_kind = site.ctl_good(&["log", "--kind", "package"]);
    assert!(by_kind.contains("accepted bdii") && !by_kind.contains("first"), "{by_kind}");
    assert!(site.ctl_good(&["log", "--kind", "rollout.submitted"]).contains("first"));
    let told = said(&site.ctl(&["log", "--kind", "roll"]));
    assert!(told.contains("no entries of the kind `roll`"), "a word, and not its beginning: {told}");
    let by_admin = site.ctl_good(&["log", "--who", "admin"]);
    assert!(by_admin.contains("first") && !by_admin.contains("accepted"), "{by_admin}");
    assert!(site.ctl_good(&["log", "--since", "1h", "--who", "admin"]).contains("first"));
    assert!(!site.ctl_good(&["log", "--since", "2099-01-01"]).contains("first"));
    assert!(said(&site.ctl(&["log", "--since", "yesterday"])).contains("is not a time such as"));
    assert!(site.ctl_good(&["list", "--since", "1d"]).contains("first"));
    assert!(said(&site.ctl(&["list", "--state", "Bogus"])).contains("no procedure has the state `Bogus`; there are "));
    assert!(said(&site.ctl(&["list", "--distribution", "no/such"])).contains("there is no distribution no/such"));
    assert!(site.ctl_good(&["list", "--since", "2099-01-01"]).contains("no such rollouts"));
    // Each page has a part, and all of them together everything.
    let all = site.ctl_good(&["log", "--kind", "tree", "--limit", "1000", "--json"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&all).unwrap();
    let mut next = Some("/api/v1/log?kind=tree&limit=1".to_owned());
    let mut seen = 0;
    while let Some(path) = next {
        let answer = site.door.get(&path).unwrap();
        let page: Vec<serde_json::Value> = serde_json::from_slice(&answer.body).unwrap();
        seen += page.len();
        next = answer.header("link").map(|link| link[1..link.find('>').unwrap()].to_owned());
    }
    assert_eq!(seen, all.len());
    assert!(seen > 1);
}

#[test]
fn metrics_are_what_prometheus_wants() {
    let (site, _) = with_package();
    site.drop_file("bad.rpm", b"no package");
    let plain = site.door.get("/metrics").unwrap();
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let open = request(site.address(), "GET", "/metrics", &[("Accept", "application/openmetrics-text")], b"").unwrap();
    assert_eq!(open.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.text().ends_with("# EOF\n") && !plain.text().contains("# EOF"));
    for name in
        ["rolloutd_build_info{version=", "rolloutd_rollout_waiting_longest_seconds{", "rolloutd_uploads_waiting{"]
    {
        assert!(plain.text().contains(name), "{name}");
    }
    let promtool = std::env::var_os("ROLLOUTD_PROMTOOL").unwrap_or_else(|| "promtool".into());
    if !peers::have(&[promtool.to_str().unwrap()]) {
        return;
    }
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), plain.text().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && said(&out).is_empty(), "{}", said(&out));
}

#[test]
fn every_address_of_a_tree_opens_in_a_browser() {
    let (site, nevra) = with_package();
    let url = site.served_url("untested");
    let path = &url[url.find("/untested").unwrap()..];
    let page = site.door.get(path).unwrap();
    assert!(page.status == 200 && page.text().contains("<a href=\"repodata/\">"), "{}", page.text());
    let packages = site.door.get(&format!("{}/Packages/b/", path.trim_end_matches('/'))).unwrap();
    assert!(packages.text().contains(&format!("<a href=\"{nevra}.rpm\">")), "{}", packages.text());
    let moved = site.door.get(path.trim_end_matches('/')).unwrap();
    assert_eq!((moved.status, moved.header("location")), (301, Some(path)));
}

#[test]
fn a_persons_own_token_is_found_and_an_error_names_its_file() {
    let (site, nevra) = with_package();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".config/rolloutctl/token");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let ctl = |words: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_rolloutctl"))
            .args(["--url", &format!("http://{}", site.address())])
            .args(words)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("ROLLOUTCTL_TOKEN_FILE")
            .env("HOME", home.path())
            .output()
            .unwrap();
        (out.status.code(), said(&out))
    };
    let submit = ["submit", "mine", "--distribution", DISTRIBUTION, &nevra];
    let (code, told) = ctl(&submit);
    assert!(code == Some(1) && told.contains(file.to_str().unwrap()), "{told}");
    fs::write(&file, "a-token-that-nobody-knows").unwrap();
    let (code, told) = ctl(&submit);
    assert!(code == Some(1) && told.contains(file.to_str().unwrap()), "{told}");
    fs::write(&file, "two\nlines").unwrap();
    let (code, told) = ctl(&submit);
    assert!(code == Some(2) && told.contains(file.to_str().unwrap()), "{told}");
    fs::copy(site.path("keys/token"), &file).unwrap();
    assert_eq!(ctl(&submit).0, Some(0));
}

#[test]
fn manual_pages_and_completions_are_made_from_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    let run = |program: &str, words: &[&str]| {
        let out = Command::new(program).args(words).output().unwrap();
        assert!(out.status.success(), "{words:?}: {}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    let (rolloutd, rolloutctl) = (env!("CARGO_BIN_EXE_rolloutd"), env!("CARGO_BIN_EXE_rolloutctl"));
    run(rolloutd, &["man", dir.path().to_str().unwrap()]);
    for (page, word) in [
        ("man8/rolloutd.8", "rolloutd"),
        ("man8/rolloutd-verify.8", "keyring"),
        ("man1/rolloutctl.1", "rolloutctl"),
        ("man1/rolloutctl-submit.1", "distribution"),
        ("man1/rolloutctl-bundle-open.1", "bundle"),
        ("man5/rolloutd.toml.5", "serve_trees"),
    ] {
        let text = fs::read_to_string(dir.path().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.contains(word), "{page}");
    }
    for program in [rolloutd, rolloutctl] {
        for shell in ["bash", "zsh", "fish"] {
            assert!(run(program, &["completions", shell]).contains("completions"), "{program} {shell}");
        }
    }
    // What it prints can be used as it is.
    let example = dir.path().join("rolloutd.toml");
    fs::write(&example, run(rolloutd, &["init"])).unwrap();
    let out = Command::new(rolloutd).args(["check", "--config"]).arg(&example).output().unwrap();
    assert!(!said(&out).contains("is not a known key"), "{}", said(&out));
}

/// Issue 12.7: at a terminal, what cannot be undone is asked about; a script has decided.
#[test]
fn whoever_sits_at_a_terminal_is_asked_before_packages_are_withdrawn() {
    let (mut site, nevra) = with_package();
    site.submit("1", &[&nevra]);
    site.go_through("1", &["InVerification", "StageRollOut"]);
    let at_terminal = |site: &Site, words: &str, answer: &str| {
        let (ctl, token) = (env!("CARGO_BIN_EXE_rolloutctl"), site.path("keys/token"));
        let command = format!("{ctl} --url http://{} --token-file {} {words}", site.address(), token.display());
        let mut script = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        script.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        script.wait_with_output().unwrap()
    };
    let out = at_terminal(&site, "move 1 Rejected", "n\n");
    let told = said(&out);
    assert!(told.contains("1 package of 1 will be withdrawn") && told.contains("nothing was changed"), "{told}");
    assert!(!out.status.success());
    assert_eq!(listed(&site, "testing"), [nevra]);
    let out = at_terminal(&site, "erase nobody --reason why", "\n");
    assert!(said(&out).contains("cannot be undone"), "{}", said(&out));
    let out = at_terminal(&site, "move 1 Rejected", "y\n");
    assert!(out.status.success(), "{}", said(&out));
    site.wait("the withdrawal", |site| listed(site, "testing").is_empty().then_some(()));
    // Nothing is asked with --yes.
    let out = at_terminal(&site, "erase nobody --yes --reason why", "");
    assert!(!said(&out).contains("Go on?"), "{}", said(&out));
}
