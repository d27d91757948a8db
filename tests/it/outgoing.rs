//! Receivers are told of rollouts: signed, in order, again until they took it, and never led elsewhere.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::disagreement::reload;
use crate::site::{Site, Wish};
use aws_lc_rs::hmac;
use base64::Engine as _;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const SECRET: &[u8] = b"a secret that daemon and receiver share";
const PACKAGE: &str = "demo-1.0-1.noarch";

/// A request as it came.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    says: Value,
    /// Whether its signature is that of its id, its time and its body.
    signed: bool,
}

/// Somebody who is told, and answers as the test says.
struct Receiver {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    /// Answers to be given first; then 202.
    answers: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::<Mutex<Vec<Told>>>::default();
        let answers = Arc::new(Mutex::new(answers.iter().rev().map(|answer| (*answer).to_owned()).collect()));
        let (to, from) = (Arc::clone(&told), Arc::clone(&answers));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(&stream.unwrap(), &to, &from);
            }
        });
        Self { address, told, answers }
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

fn answer(mut stream: &TcpStream, told: &Mutex<Vec<Told>>, answers: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut at, mut signature, mut length) = (String::new(), String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.clone_into(&mut id),
            "webhook-timestamp" => value.clone_into(&mut at),
            "webhook-signature" => value.clone_into(&mut signature),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let text = [format!("{id}.{at}.").as_bytes(), &body].concat();
    let right = base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, &text));
    let says = serde_json::from_slice(&body).unwrap_or_default();
    told.lock().unwrap().push(Told { id, says, signed: signature == format!("v1,{right}") });
    let answer = answers.lock().unwrap().pop().unwrap_or_else(|| "202 Accepted".to_owned());
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// A site that tells `chat`.
fn site(receiver: &Receiver) -> Site {
    let site = Site::prepare(&Wish::default());
    fs::write(site.path("keys/chat"), [SECRET, b"\n"].concat()).unwrap();
    let permissions: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(site.path("keys/chat"), permissions).unwrap();
    let path = site.path("rolloutd.toml");
    let text = fs::read_to_string(&path).unwrap();
    let keys = site.path("keys/chat");
    let more = format!(
        "\n[[outgoing]]\nname = \"chat\"\nurl = \"http://{}/rooms/7?token=xyzzy\"\nsecret = {{ file = \"{}\" }}\n",
        receiver.address,
        keys.display()
    );
    fs::write(path, text + &more).unwrap();
    site
}

fn types(told: &[Told]) -> Vec<String> {
    told.iter().map(|told| told.says["type"].as_str().unwrap_or_default().to_owned()).collect()
}

fn due(site: &Site) -> u64 {
    site.document("/api/v1/outbox")["waiting"].as_u64().unwrap()
}

#[test]
fn a_receiver_is_told_in_order_and_again_under_the_same_id_until_it_took_it_also_across_a_kill() {
    let chat = Receiver::start(&["503 Service Unavailable", "404 Not Found"]);
    let mut site = site(&chat);
    site.up();
    site.drop_package("demo", "1.0", &[]);
    site.wait("the package", |site| {
        let trees = site.document("/api/v1/trees");
        trees.as_array().unwrap().iter().any(|tree| tree["packages"] == 1).then_some(())
    });
    site.submit("7", &[PACKAGE]);
    site.ctl_good(&["move", "7", "InVerification"]);
    site.wait("the first attempt", |_| (!chat.told().is_empty()).then_some(()));
    // What is due is due after a kill as well.
    site.kill();
    site.up();
    site.ctl_good(&["move", "7", "StageRollOut"]);
    site.wait("all to be told", |site| (due(site) == 0 && chat.told().len() >= 6).then_some(()));
    let told = chat.told();
    assert!(told.iter().all(|told| told.signed), "{told:?}");
    assert_eq!(types(&told[..3]), ["rollout.submitted"; 3], "until it took it, nothing else is told");
    assert!(told[..3].iter().all(|one| one.id == told[0].id), "{told:?}");
    assert_eq!(types(&told[2..]), ["rollout.submitted", "rollout.moved", "rollout.moved", "rollout.done"]);
    let data = &told[4].says["data"];
    assert_eq!((&data["rollout"], &data["fact"]["to"]), (&Value::from("7"), &Value::from("StageRollOut")));
    assert!(told.iter().all(|told| !told.says.to_string().contains("admin")), "nobody is named: {told:?}");
    let history = site.ctl_good(&["log", "7"]);
    assert!(history.contains("notified chat (notice "), "{history}");
    let log = site.log();
    assert!(log.contains("503") && !log.contains("xyzzy"), "why it failed is said, and the URL is not");
    assert_eq!(site.ctl_good(&["outbox"]), "Nothing is waiting: every receiver has accepted every notice.\n");
    let metrics = String::from_utf8(site.door.get("/metrics").unwrap().body).unwrap();
    assert!(metrics.contains("rolloutd_notices_waiting{to=\"chat\"} 0"), "{metrics}");
    site.ctl_good(&["log", "--verify"]);
}

#[test]
fn a_receiver_that_leads_elsewhere_or_is_gone_gets_nothing_there_and_one_that_is_not_configured_holds_nothing_up() {
    let elsewhere = Receiver::start(&[]);
    let redirect = format!("307 Temporary Redirect\r\nLocation: http://{}/", elsewhere.address);
    let chat = Receiver::start(&[&redirect, "410 Gone"]);
    let mut site = site(&chat);
    site.up();
    site.submit("7", &[PACKAGE]);
    site.wait("it to be given up", |site| {
        let outbox = site.document("/api/v1/outbox");
        (outbox["given_up"].as_array().unwrap().len() == 1).then_some(())
    });
    assert!(elsewhere.told().is_empty(), "{:?}", elsewhere.told());
    let says = site.ctl_good(&["outbox"]);
    assert!(says.contains("chat was not notified of 7") && says.contains("it responded with 410 Gone"), "{says}");
    assert_eq!(site.door.get("/readyz").unwrap().status, 200, "that is no trouble of the daemon's");
    // From now on it takes nothing, and then it is not configured any more.
    *chat.answers.lock().unwrap() = vec!["500 Internal Server Error".to_owned(); 100];
    site.ctl_good(&["move", "7", "InVerification"]);
    site.wait("an attempt", |site| (chat.told().len() >= 3 && due(site) == 1).then_some(()));
    let path = site.path("rolloutd.toml");
    let text = fs::read_to_string(&path).unwrap();
    let without = text.split("[[outgoing]]").next().unwrap().to_owned();
    fs::write(path, without).unwrap();
    reload(&site);
    site.wait("it to be given up, too", |site| (due(site) == 0).then_some(()));
    let says = site.ctl_good(&["outbox"]);
    assert!(says.contains("the receiver is no longer configured"), "{says}");
    assert!(site.stop().success());
}
