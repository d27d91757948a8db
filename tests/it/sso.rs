//! People whom nginx has identified: who they are, what their groups may do, and what nobody gets by headers of their own
//! (S0-07, S0-08).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::nginx::Nginx;
use crate::site::{DISTRIBUTION, Site, Wish, request, said, secret};

const TEAM: &str = "ea-NGI_IT-INFN-T1";
const SECRET: &str = "known-to-nginx-and-the-daemon-0123456789";

/// What nginx knows of people: their groups. In the test it asks for a password where a site has a single sign-on.
const GROUPS: &str = "map $remote_user $groups {\ndefault \"\";\njane umd-managers,other;\nemma emi-managers;\n\
                      infn ea-NGI_IT-INFN-T1;\n}\n";

fn nginx(site: &Site) -> Nginx {
    let people = ["jane", "emma", "infn", "joe"].map(|name| format!("{name}:{{PLAIN}}open sesame\n")).concat();
    let passwords = site.path("keys/passwords");
    secret(&passwords, people.as_bytes());
    let server = format!(
        "location / {{\nauth_basic people;\nauth_basic_user_file {};\nproxy_pass http://{};\n\
         proxy_set_header Host $host;\nproxy_set_header Authorization \"\";\n\
         proxy_set_header X-Rolloutd-Secret \"{SECRET}\";\nproxy_set_header X-Remote-User $remote_user;\n\
         proxy_set_header X-Remote-Groups $groups;\n}}\n",
        passwords.display(),
        site.address()
    );
    Nginx::start(GROUPS, &server)
}

/// A request of somebody whom nginx asks for their password; the status, and what came.
fn asks(nginx: &Nginx, who: &str, (method, path): (&str, &str), body: &Value, headers: &[&str]) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--max-time",
        "60",
        "-w",
        "\n%{http_code}",
        "-X",
        method,
        "--user",
        &format!("{who}:open sesame"),
    ]);
    curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string(), "--unix-socket"]).arg(nginx.socket());
    curl.args(headers.iter().flat_map(|header| ["-H", header]));
    let out = curl.arg(format!("http://repository.example.org{path}")).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    let text = String::from_utf8(out.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

fn entries(site: &Site) -> Vec<Value> {
    site.document("/api/v1/log?from=1&limit=1000").as_array().unwrap().clone()
}

fn site() -> Site {
    let mut site = Site::prepare(&Wish::default());
    secret(&site.path("keys/sso"), SECRET.as_bytes());
    let file = |path: &Path| format!("{{ file = \"{}\" }}", path.display());
    let more = format!(
        "\n[sso]\nsecret = {}\nuser_header = \"X-Remote-User\"\ngroups_header = \"X-Remote-Groups\"\n\
         [[sso.group]]\nname = \"umd-managers\"\nroles = [\"srm\"]\n\
         [[sso.group]]\nname = \"emi-managers\"\n[[sso.group.grant]]\nroles = [\"srm\"]\nstacks = [\"EMI\"]\n",
        file(&site.path("keys/sso"))
    );
    site.write_configuration(&(site.configuration() + &more));
    let (said, code) = site.check();
    assert_eq!(code, Some(0), "{said}");
    site.up();
    site
}

#[test]
fn people_are_who_the_web_server_says_and_may_what_their_groups_may() {
    let mut site = site();
    let nginx = nginx(&site);
    for (id, title) in [("emi", "Staged Rollout EMI-1.0 bdii-site 1.0.1"), ("arc", "Staged Rollout ARC-6 arc-ce 6.0")] {
        let package = site.drop_package(id, "1", &[]);
        let body = json!({ "id": id, "title": title, "distribution": DISTRIBUTION, "packages": [package] });
        let answer = site.door.post("/api/v1/rollouts", &body).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let register = ("PUT", "/api/v1/teams/ea-NGI_IT-INFN-T1");
    let team = json!({ "ngi": "NGI_IT", "reason": "they test" });
    let assign = |id: &'static str| match id {
        "emi" => ("POST", "/api/v1/rollouts/emi/teams"),
        _ => ("POST", "/api/v1/rollouts/arc/teams"),
    };
    let teams = json!({ "teams": [TEAM] });
    // A group has its roles, and whoever is in none may nothing.
    assert_eq!(asks(&nginx, "joe", register, &team, &[]).0, 403);
    let answer = asks(&nginx, "jane", register, &team, &[]);
    assert_eq!(answer.0, 200, "{}", answer.1);
    // The manager of a stack asks teams for the rollouts of that stack alone.
    let answer = asks(&nginx, "emma", assign("arc"), &teams, &[]);
    assert_eq!(answer.0, 403, "{}", answer.1);
    let answer = asks(&nginx, "emma", assign("emi"), &teams, &[]);
    assert_eq!(answer.0, 200, "{}", answer.1);
    // A group that is called like a team is that team. Until there is something to test, it has nothing to say.
    site.wait("the packages to be taken in", |site| {
        (crate::disagreement::packages(site, "untested") == 2).then_some(())
    });
    let early = asks(
        &nginx,
        "infn",
        ("POST", "/api/v1/rollouts/emi/teams/ea-NGI_IT-INFN-T1/answer"),
        &json!({ "accepts": true }),
        &[],
    );
    assert_eq!(early.0, 409, "{}", early.1);
    site.ctl_good(&["move", "emi", "InVerification"]);
    site.ctl_good(&["move", "emi", "StageRollOut"]);
    let accept = ("POST", "/api/v1/rollouts/emi/teams/NGI_IT-INFN-T1/answer");
    assert_eq!(asks(&nginx, "joe", accept, &json!({ "accepts": true }), &[]).0, 403);
    let answer = asks(&nginx, "infn", accept, &json!({ "accepts": true }), &[]);
    assert_eq!(answer.0, 200, "{}", answer.1);
    let who: Vec<String> = entries(&site).iter().filter_map(|entry| Some(entry["who"].as_str()?.to_owned())).collect();
    assert!(["jane", "emma", "infn"].iter().all(|name| who.iter().any(|who| who == name)), "{who:?}");
    // What somebody says of themselves is not what the web server says of them.
    let before = entries(&site).len();
    let lies = ["X-Remote-User: jane", "X-Remote-Groups: umd-managers", "X-Rolloutd-Secret: guessed"];
    assert_eq!(asks(&nginx, "joe", register, &team, &lies).0, 403);
    let direct = |headers: &[(&str, &str)]| {
        let json = [("Content-Type", "application/json")];
        let all = [&json[..], headers].concat();
        request(site.address(), "PUT", register.1, &all, team.to_string().as_bytes()).unwrap().status
    };
    let jane = [("X-Remote-User", "jane"), ("X-Remote-Groups", "umd-managers")];
    assert_eq!(direct(&jane), 401);
    assert_eq!(direct(&[&[("X-Rolloutd-Secret", "guessed")], &jane[..]].concat()), 401);
    // A page of another site cannot make Jane's browser do it; one of this site may.
    for header in ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://example.com"] {
        let answer = asks(&nginx, "jane", assign("arc"), &teams, &[header]);
        assert_eq!(answer.0, 403, "{}", answer.1);
        assert!(answer.1.contains("another site"), "{}", answer.1);
    }
    assert_eq!(entries(&site).len(), before, "nothing of this was done");
    let own = ["Sec-Fetch-Site: same-origin", "Origin: http://repository.example.org"];
    assert_eq!(asks(&nginx, "jane", assign("arc"), &teams, &own).0, 200);
    // The secret is nowhere but in its file.
    assert!(!site.log().contains(SECRET));
}
