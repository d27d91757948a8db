//! People who act are ids in the logbook and names for people, until they are erased; what a register that is old, lost
//! or damaged means.
#![expect(clippy::disallowed_methods, reason = "a test does to files what people do")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::fsck::fsck;
use crate::site::{Answer, DISTRIBUTION, Site, Wish, files_below, request};

const JANE: &str = "jane.doe@example.org";
const JOHN: &str = "john.roe";
const TOKEN: &str = "janes-token-0123456789abcdef0123456789abcdef";

/// A site on which Jane may do some things with a token.
fn site() -> Site {
    let mut site = Site::prepare(&Wish::default());
    let token = site.path("keys/jane");
    fs::write(&token, TOKEN).unwrap();
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let text = fs::read_to_string(site.path("rolloutd.toml")).unwrap();
    let words = format!(
        "[[token]]\nactor = \"{JANE}\"\nroles = [\"verifier\"]\nsecret = {{ file = \"{}\" }}\n",
        token.display()
    );
    fs::write(site.path("rolloutd.toml"), text + &words).unwrap();
    site.up();
    site
}

/// A request with Jane's token.
fn as_jane(site: &Site, method: &str, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    request(site.address(), method, path, &headers, body.to_string().as_bytes()).unwrap()
}

fn jane_submits(site: &Site, rollout: &str) {
    let packages = [format!("{rollout}-1-1.noarch")];
    let body = json!({ "id": rollout, "distribution": DISTRIBUTION, "packages": packages });
    let answer = as_jane(site, "POST", "/api/v1/rollouts", &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn john_says(site: &Site, delivery: &str, rollout: &str) -> Answer {
    let body = Site::hook_body(delivery, rollout, "InVerification").replace("\"manager\"", &format!("{JOHN:?}"));
    site.door.hook(&body).unwrap()
}

/// The files of the state directory in whose bytes a name is, but for those that a restore has moved aside.
fn files_with(site: &Site, name: &str) -> Vec<String> {
    let state = site.path("state");
    let has = |path: &Path| fs::read(path).unwrap().windows(name.len()).any(|piece| piece == name.as_bytes());
    let all = files_below(&state).into_iter().filter(|path| has(path));
    let below = all.map(|path| path.strip_prefix(&state).unwrap().display().to_string());
    below.filter(|path| !path.starts_with("before-restore")).collect()
}

/// All that anybody can read over HTTP about who did something.
fn told(site: &Site) -> String {
    let paths = ["/api/v1/log?from=1&limit=1000", "/api/v1/rollouts", "/api/v1/rollouts/first", "/api/v1/people"];
    let pages = ["/", "/log?from=1", "/rollouts/first", "/api/v1/rollouts/first/why", "/readyz", "/metrics"];
    paths.iter().chain(&pages).map(|path| site.door.get(path).unwrap().text()).collect()
}

/// Who caused each entry about a rollout, and the id where there is one.
fn who(site: &Site, rollout: &str) -> Vec<(String, Option<String>)> {
    let entries = site.document(&format!("/api/v1/log?rollout={rollout}"));
    let text = |entry: &Value, key: &str| entry[key].as_str().map(str::to_owned);
    entries.as_array().unwrap().iter().map(|entry| (text(entry, "who").unwrap(), text(entry, "person"))).collect()
}

fn rolloutd(site: &Site, words: &[&str]) -> Output {
    let mut call = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
    call.arg(words[0]).arg("--config").arg(site.path("rolloutd.toml")).args(&words[1..]).output().unwrap()
}

#[test]
fn who_acts_is_an_id_in_the_logbook_and_a_name_for_people_until_they_are_erased() {
    let mut site = site();
    jane_submits(&site, "first");
    assert_eq!(john_says(&site, "1", "first").status, 202);
    let acted = who(&site, "first");
    let names: Vec<&str> = acted.iter().map(|(name, _)| name.as_str()).collect();
    let tracker = format!("tracker:{JOHN}");
    assert_eq!(names, [JANE, &tracker, &tracker]);
    let john = acted[1].1.clone().unwrap();
    for name in [JANE, JOHN] {
        assert_eq!(files_with(&site, name), ["people.sqlite"], "{name}");
        assert!(told(&site).contains(name));
    }
    for words in [&["log", "first"][..], &["show", "first"], &["people"]] {
        assert!(site.ctl_good(words).contains(&tracker), "{words:?}");
    }
    assert!(site.log().contains(&format!("who={tracker}")), "the daemon's own log is for people");
    let backup = site.path("backup").display().to_string();
    assert!(rolloutd(&site, &["backup", &backup]).status.success());

    // Others than admins neither see the register nor change it.
    let path = format!("/api/v1/people/{john}");
    let reason = json!({ "reason": "left the project" });
    for (method, path) in [("GET", "/api/v1/people"), ("DELETE", path.as_str())] {
        assert_eq!(as_jane(&site, method, path, &reason).status, 403, "{method}");
        assert_eq!(request(site.address(), method, path, &[], b"{}").unwrap().status, 401, "{method}");
    }
    assert!(!site.ctl(&["erase", &tracker, "--reason", " "]).status.success());
    let unknown = site.ctl(&["erase", JOHN, "--reason", "left the project"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("give the whole identity"), "{unknown:?}");
    let said = site.ctl_good(&["erase", &tracker, "--reason", "left the project"]);
    assert_eq!(said, format!("{john} is now an erased person.\n"));
    let again = site.ctl(&["erase", &john, "--reason", "left the project"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("was erased already"), "{again:?}");

    let is_erased = |site: &Site| {
        assert_eq!(files_with(site, JOHN), Vec::<String>::new());
        assert!(!told(site).contains(JOHN));
        assert_eq!(who(site, "first")[1], (format!("an erased person ({john})"), Some(john.clone())));
        assert!(told(site).contains(JANE), "nobody else was");
    };
    is_erased(&site);
    assert!(site.ctl_good(&["people"]).contains("(erased)"));
    site.ctl_good(&["log", "--verify"]);
    let repeated = john_says(&site, "1", "first");
    assert!(repeated.text().contains("\"repeated\""), "{}", repeated.text());
    site.kill();
    site.up();
    is_erased(&site);
    assert_eq!(fsck(&site, false), (vec![], Some(0)));

    // The backup is from before the erasure, and its logbook knows nothing of that.
    site.kill();
    let restored = rolloutd(&site, &["restore", "--replace", &backup]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    site.up();
    is_erased(&site);

    // Whoever comes again is somebody new.
    jane_submits(&site, "second");
    assert_eq!(john_says(&site, "2", "second").status, 202);
    let (name, again) = who(&site, "second").pop().unwrap();
    assert!(name == tracker && again.as_ref() != Some(&john), "{again:?}");
    assert!(site.stop().success());
}

#[test]
fn without_the_register_ids_are_unknown_people_and_a_damaged_one_is_refused() {
    let mut site = site();
    jane_submits(&site, "first");
    let backup = site.path("backup").display().to_string();
    assert!(rolloutd(&site, &["backup", &backup]).status.success());
    let jane = who(&site, "first")[0].1.clone().unwrap();
    let register = site.path("state/people.sqlite");

    assert!(site.stop().success());
    fs::remove_file(&register).unwrap();
    site.up();
    assert!(site.log().contains("are shown as unknown"), "{}", site.log());
    assert_eq!(who(&site, "first")[0].0, format!("an unknown person ({jane})"));
    site.ctl_good(&["log", "--verify"]);
    jane_submits(&site, "second");
    let (name, new) = who(&site, "second").pop().unwrap();
    assert!(name == JANE && new.as_ref() != Some(&jane), "{new:?}");
    assert_eq!(fsck(&site, false), (vec![], Some(0)));

    assert!(site.stop().success());
    fs::write(&register, "no register any more ".repeat(400)).unwrap();
    let (findings, code) = fsck(&site, false);
    assert!(code == Some(1) && findings.len() == 1 && findings[0].1.contains("is damaged"), "{findings:?}");
    site.spawn();
    let began = std::time::Instant::now();
    while site.has_ended().is_none() {
        assert!(began.elapsed().as_secs() < 60, "it starts with a damaged register");
        std::thread::park_timeout(std::time::Duration::from_millis(15));
    }
    assert!(site.log().contains("`rolloutd restore --files`"), "{}", site.log());

    fs::remove_file(&register).unwrap();
    let restored = rolloutd(&site, &["restore", "--files", &backup]);
    assert!(restored.status.success(), "{restored:?}");
    site.up();
    assert_eq!(who(&site, "first")[0].0, JANE);
    assert!(who(&site, "second")[0].0.starts_with("an unknown person"));
    assert!(site.stop().success());
}
