//! More than the daemon wants: many uploads in every way, junk at the hooks, a disk that is full.
//!
//! **Uploads.** Every way in which people upload, by several hands at once, into several distributions,
//! while the daemon is killed and stopped. Every upload has to come to the verdict that it deserves,
//! once, and within [`IN_TIME`] after its last byte was written. None is judged while it is incomplete:
//! one that was would be refused, and each refusal has to be an expected one.
//!
//! `ROLLOUTD_UPLOADS` sets how many uploads there are (120), in rounds, after each of which what
//! was taken in is withdrawn. `ROLLOUTD_SMALL_QUEUE=1` starts the daemon with room for 16 events of the
//! kernel, so that most of them are lost; for that moment it changes `fs.inotify.max_queued_events` of the
//! whole machine, and puts it back. `ROLLOUTD_SEED` sets the seed. The campaign:
//!
//! ```text
//! ROLLOUTD_UPLOADS=100000 ROLLOUTD_SMALL_QUEUE=1 cargo test --test it -- --exact \
//!     load::every_upload_comes_to_its_verdict_once_and_none_is_judged_early
//! ```
//!
//! **Junk.** A thousand requests a second that are wrong in every way (`ROLLOUTD_JUNK` sets how many there
//! are): each is answered with what it deserves, never with a fault of ours, and promotions go on.
//!
//! **Full disk.** Trees and state on a file system of their own (which needs root), which is filled to the
//! last byte and emptied again; both at once with `ROLLOUTD_LONG=1`.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and uploads as people do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::campaign;
use crate::disagreement::{packages, reasons, wait_until_well};
use crate::judge::{self, Source};
use crate::peers;
use crate::random::Random;
use crate::site::{DISTRIBUTION, Site, Wish, fact, hook_mac, keys, package, recipe, refusals, tell};
use crate::snapshot::read_head;
use crate::uploads::Mount;

const DISTRIBUTIONS: [&str; 2] = [DISTRIBUTION, "umd/3/sl5/x86_64"];
/// By when there must be a verdict after the last byte (threats R7).
const IN_TIME: Duration = Duration::from_mins(1);
/// Uploads of one round, after which the trees are emptied.
const ROUND: u64 = 1_000;
/// The hands that upload at the same time, of a short run and of a campaign; most of the time they wait,
/// as slow lines do.
const HANDS: [u64; 2] = [8, 40];

/// The ways of uploading.
const WAYS: [&str; 15] = [
    "renamed in place",
    "moved from elsewhere",
    "written at once",
    "written in two halves",
    "written in crumbs",
    "empty for a while",
    "half written and then replaced",
    "half written and then written anew",
    "in a directory that appears filled",
    "uploaded twice",
    "rsync",
    "rsync --inplace",
    "hard link that stays",
    "hard link whose other name goes",
    "link to a file",
];

/// What has to become of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Taken in, with these bytes.
    TakenIn(String),
    Refused(&'static str),
}

/// An upload that is over.
struct Upload {
    wanted: Verdict,
    way: usize,
    last_byte: Timestamp,
}

struct World {
    /// The upload trees.
    /// The drop directories.
    incoming: [PathBuf; 2],
    /// On the same file system, out of sight.
    aside: PathBuf,
    rsync: bool,
    /// By NEVRA where it is good, by path below its tree where it is not.
    uploads: Mutex<BTreeMap<(usize, String), Upload>>,
}

impl World {
    fn note(&self, dist: usize, key: String, wanted: Verdict, way: usize) {
        let last_byte = Timestamp::now();
        self.uploads.lock().unwrap().insert((dist, key), Upload { wanted, way, last_byte });
    }
}

/// One pair of hands: uploads so many packages, one after the other.
fn upload(world: &World, hand: u64, numbers: std::ops::Range<u64>, mut random: Random) {
    for number in numbers {
        let dist = random.place(DISTRIBUTIONS.len());
        let name = format!("u{number}");
        let mut made = recipe(&name, "1.0", &[]);
        let filling = random.place(20_000);
        made.files.push((format!("/usr/share/{name}/filling"), vec![b'x'; filling]));
        let (mut bytes, mut wanted) = (package(&made, Some(&keys().ours.1)), None);
        match random.below(12) {
            0 => (bytes, wanted) = (package(&made, None), Some("unsigned")),
            1 => (bytes, wanted) = (package(&made, Some(&keys().foreign.1)), Some("unknown_key")),
            // Each of its own: the same bytes again are counted and not told each time.
            2 => (bytes, wanted) = (format!("{name} is no package").repeat(50).into_bytes(), Some("not_rpm")),
            _ => {}
        }
        let way = random.place(WAYS.len());
        if matches!(WAYS[way], "hard link that stays" | "link to a file") {
            wanted = Some("not_regular");
        }
        let dir = format!("by{hand}/{}", number % 7);
        fs::create_dir_all(world.incoming[dist].join(&dir)).unwrap();
        let path = put(world, dist, &dir, &name, &bytes, way, &mut random);
        let sha256 = hex::encode(digest(&SHA256, &bytes));
        let key = if wanted.is_some() { path } else { format!("{name}-1.0-1.noarch") };
        world.note(dist, key, wanted.map_or(Verdict::TakenIn(sha256), Verdict::Refused), way);
    }
}

/// Uploads one file; gives its path below the tree.
fn put(world: &World, dist: usize, dir: &str, name: &str, bytes: &[u8], way: usize, random: &mut Random) -> String {
    let tree = &world.incoming[dist];
    let mut path = format!("{dir}/{name}.rpm");
    let place = tree.join(&path);
    let aside = world.aside.join(format!("{name}.rpm"));
    let half = bytes.len() / 2;
    let append = |pieces: &[&[u8]], random: &mut Random| {
        let mut file = fs::File::create(&place).unwrap();
        for (n, piece) in pieces.iter().enumerate() {
            if n > 0 {
                // Shorter and longer than the quiet time.
                random.pause(20, 450);
            }
            file.write_all(piece).unwrap();
        }
    };
    match WAYS[way] {
        "renamed in place" => {
            let hidden = tree.join(format!("{dir}/.{name}.rpm.x7Kq2a"));
            fs::write(&hidden, bytes).unwrap();
            fs::rename(hidden, place).unwrap();
        }
        "moved from elsewhere" => {
            fs::write(&aside, bytes).unwrap();
            fs::rename(aside, place).unwrap();
        }
        "rsync" | "rsync --inplace" | "written at once" if WAYS[way] == "written at once" || !world.rsync => {
            fs::write(place, bytes).unwrap();
        }
        "written in two halves" => append(&[&bytes[..half], &bytes[half..]], random),
        "written in crumbs" => {
            let crumbs: Vec<&[u8]> = bytes.chunks(bytes.len() / 5 + 1).collect();
            append(&crumbs, random);
        }
        "empty for a while" => append(&[&[], bytes], random),
        "half written and then replaced" => {
            append(&[&bytes[..half], &[]], random);
            fs::write(&aside, bytes).unwrap();
            fs::rename(aside, place).unwrap();
        }
        "half written and then written anew" => {
            append(&[&bytes[..half], &[]], random);
            fs::write(place, bytes).unwrap();
        }
        "in a directory that appears filled" => {
            let filled = world.aside.join(format!("{name}.d"));
            fs::create_dir_all(filled.join("el6")).unwrap();
            fs::write(filled.join(format!("el6/{name}.rpm")), bytes).unwrap();
            fs::rename(filled, tree.join(format!("{dir}/{name}.d"))).unwrap();
            path = format!("{dir}/{name}.d/el6/{name}.rpm");
        }
        "uploaded twice" => {
            // What is refused is refused as often as it is uploaded; only the first counts here.
            fs::write(place, bytes).unwrap();
            if random.below(2) == 0 {
                random.pause(1, 400);
            }
            let again = if package_is_good(bytes) { format!("{dir}/again-{name}.rpm") } else { path.clone() };
            let _ = fs::write(tree.join(again), bytes);
        }
        words @ ("rsync" | "rsync --inplace") => {
            fs::write(&aside, bytes).unwrap();
            let mut rsync = Command::new("rsync");
            rsync.args(words.split(' ').skip(1)).args(["--bwlimit=100"]).arg(&aside).arg(&place);
            assert!(rsync.status().unwrap().success());
            fs::remove_file(aside).unwrap();
        }
        "hard link that stays" => {
            fs::write(&aside, bytes).unwrap();
            fs::hard_link(&aside, place).unwrap();
        }
        "hard link whose other name goes" => {
            fs::write(&aside, bytes).unwrap();
            // Were it seen with both names for long enough, it would be refused with reason.
            let hidden = tree.join(format!("{dir}/.{name}.rpm"));
            fs::hard_link(&aside, &hidden).unwrap();
            fs::remove_file(aside).unwrap();
            fs::rename(hidden, place).unwrap();
        }
        "link to a file" => {
            fs::write(&aside, bytes).unwrap();
            symlink(&aside, place).unwrap();
        }
        other => panic!("no such way: {other}"),
    }
    path
}

/// Whether the bytes are a package that is to be taken in: a good one has its signature early.
fn package_is_good(bytes: &[u8]) -> bool {
    let ours = sequoia_openpgp::Fingerprint::from_hex(&fingerprint()).unwrap();
    let wanted = ours.as_bytes();
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn fingerprint() -> String {
    use sequoia_openpgp::parse::Parse as _;
    let cert = sequoia_openpgp::Cert::from_bytes(keys().ours.0.public.as_bytes()).unwrap();
    cert.fingerprint().to_hex()
}

/// What the logbook says of uploads, and when it was said.
#[derive(Default)]
struct Verdicts {
    read: usize,
    /// Whether an entry counts refused files that it does not name: of a burst it names the first alone.
    unnamed: bool,
    found: BTreeMap<(usize, String), Vec<(Verdict, Timestamp)>>,
}

impl Verdicts {
    /// Reads what is new.
    fn read(&mut self, site: &Site) {
        loop {
            let Ok(answer) = site.door.get(&format!("/api/v1/log?from={}&limit=1000", self.read + 1)) else { return };
            let entries: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let Some(entries) = entries.as_array().filter(|entries| !entries.is_empty()) else { return };
            for entry in entries {
                self.read += 1;
                assert_eq!(entry["seq"], json!(self.read), "an entry is missing");
                self.hear(entry);
            }
        }
    }

    fn hear(&mut self, entry: &Value) {
        let at: Timestamp = entry["at"].as_str().unwrap().parse().unwrap();
        let dist = |what: &Value| DISTRIBUTIONS.iter().position(|dist| what["dist"] == *dist).unwrap();
        let text = |what: &Value, key: &str| what[key].as_str().unwrap().to_owned();
        let taken = fact(entry, "package.accepted");
        if !taken.is_null() {
            let verdict = Verdict::TakenIn(text(taken, "sha256"));
            self.found.entry((dist(taken), text(taken, "nevra"))).or_default().push((verdict, at));
        }
        self.unnamed |= fact(entry, "package.refused_together")["more"].as_u64().is_some_and(|more| more > 0);
        for what in refusals(entry) {
            let code = text(&what, "code");
            // Somebody set its time or wrote it once more after it was taken in, and meanwhile it was withdrawn.
            let again =
                text(&what, "detail").strip_suffix(" was withdrawn").map(|nevra| (dist(&what), nevra.to_owned()));
            if code == "withdrawn" && again.is_some_and(|again| self.found.contains_key(&again)) {
                continue;
            }
            let verdict = refused(&code, &what);
            self.found.entry((dist(&what), text(&what, "upload"))).or_default().push((verdict, at));
        }
    }
}

impl Verdicts {
    /// Reads what entries do not name from the reasons beside the refused files.
    fn read_reasons(&mut self, site: &Site, uploads: &BTreeMap<(usize, String), Upload>) {
        if !self.unnamed {
            return;
        }
        for (dist, path) in DISTRIBUTIONS.iter().enumerate() {
            let dir = site.path("state/rejected").join(path.replace('_', "__").replace('/', "_"));
            for why in
                crate::site::files_below(&dir).into_iter().filter(|file| file.extension().is_some_and(|e| e == "why"))
            {
                // Those of rounds before go while this reads.
                let Ok(text) = fs::read_to_string(why) else { continue };
                let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
                let (Some(file), Some(code), Some(at)) = (line("file:"), line("code:"), line("refused:")) else {
                    continue;
                };
                let key = (dist, file.to_owned());
                if uploads.contains_key(&key) && !self.found.contains_key(&key) {
                    self.found.insert(key, vec![(refused(code, &json!(text)), at.parse().unwrap())]);
                }
            }
        }
    }
}

/// The verdict of a code that some upload deserves.
fn refused(code: &str, what: &Value) -> Verdict {
    let known = ["unsigned", "unknown_key", "not_rpm", "not_regular"].into_iter().find(|known| *known == code);
    Verdict::Refused(known.unwrap_or_else(|| panic!("refused as {code}: {what}")))
}

/// The kernel's room for events that nobody has read yet; put back when it goes out of scope.
struct SmallQueue(String);

impl SmallQueue {
    const PLACE: &str = "/proc/sys/fs/inotify/max_queued_events";

    fn set() -> Self {
        let before = fs::read_to_string(Self::PLACE).unwrap();
        let guard = Self(before);
        fs::write(Self::PLACE, "16").unwrap();
        guard
    }
}

impl Drop for SmallQueue {
    fn drop(&mut self) {
        if let Err(error) = fs::write(Self::PLACE, self.0.trim()) {
            tell(&format!("{} is still 16: {error}", Self::PLACE));
        }
    }
}

/// Starts the daemon; what it asks of the kernel at its start counts for its whole life.
fn up(site: &mut Site) {
    let wanted = std::env::var("ROLLOUTD_SMALL_QUEUE").is_ok_and(|v| v == "1");
    let small = wanted.then(SmallQueue::set);
    site.spawn();
    // In a long campaign other people's work may stop the disk for a minute.
    let began = Instant::now();
    loop {
        assert_eq!(site.has_ended(), None, "the daemon has ended at its start");
        site.look_for_door();
        if site.door.get("/readyz").is_ok_and(|answer| answer.status == 200) {
            break;
        }
        assert!(began.elapsed() < 5 * IN_TIME, "not ready after {:?}: {:?}", began.elapsed(), reasons(site));
        thread::park_timeout(Duration::from_millis(10));
    }
    drop(small);
}

#[test]
fn every_upload_comes_to_its_verdict_once_and_none_is_judged_early() {
    let total = campaign::number("ROLLOUTD_UPLOADS").unwrap_or(120);
    let seed = campaign::seed();
    tell(&format!("uploads: ROLLOUTD_SEED={seed} ROLLOUTD_UPLOADS={total}"));
    let hands = HANDS[usize::from(total > ROUND)];
    let mut random = Random(seed);
    let mut site = Site::prepare(&Wish {
        distributions: DISTRIBUTIONS.to_vec(),
        grace_packages: "1s",
        grace_metadata: "1s",
        ..Wish::default()
    });
    let aside = site.path("aside");
    fs::create_dir(&aside).unwrap();
    let world = World {
        incoming: DISTRIBUTIONS.map(|dist| site.incoming_of(dist)),
        aside,
        rsync: peers::have(&["rsync"]),
        uploads: Mutex::default(),
    };
    up(&mut site);
    let mut verdicts = Verdicts::default();
    let (mut kills, mut stops, mut slowest, mut done) = (0, 0, Duration::ZERO, 0);
    let mut by_way: BTreeMap<&str, u64> = BTreeMap::new();
    let began = Instant::now();
    while done < total {
        let now = ROUND.min(total - done);
        let shares: Vec<std::ops::Range<u64>> =
            (0..hands).map(|hand| done + now * hand / hands..done + now * (hand + 1) / hands).collect();
        thread::scope(|scope| {
            let hands: Vec<_> = (0..hands)
                .zip(shares)
                .map(|(hand, share)| {
                    let (world, random) = (&world, Random(random.next()));
                    scope.spawn(move || upload(world, hand, share, random))
                })
                .collect();
            while hands.iter().any(|hand| !hand.is_finished()) {
                random.pause(300, 3_000);
                verdicts.read(&site);
                if random.below(2) == 0 {
                    site.kill();
                    kills += 1;
                } else {
                    assert!(site.stop().success(), "SIGTERM ends it in order");
                    stops += 1;
                }
                if random.below(2) == 0 {
                    random.pause(1, 500);
                }
                up(&mut site);
            }
        });
        done += now;
        let uploads = std::mem::take(&mut *world.uploads.lock().unwrap());
        site.wait("every upload of the round to have its verdict", |site| {
            verdicts.read(site);
            verdicts.read_reasons(site, &uploads);
            uploads.keys().all(|key| verdicts.found.contains_key(key)).then_some(())
        });
        // What was uploaded twice goes away without a word.
        site.wait("the upload trees to be cleared", |_| {
            let left =
                |tree: &PathBuf| crate::site::files_below(tree).into_iter().filter(|f| is_upload(tree, f)).count();
            world.incoming.iter().all(|dir| left(dir) == 0).then_some(())
        });
        verdicts.read(&site);
        for (key, upload) in &uploads {
            let found = &verdicts.found[key];
            let words = WAYS[upload.way];
            let same: BTreeSet<bool> = found.iter().map(|(verdict, _)| *verdict == upload.wanted).collect();
            assert!(
                same == BTreeSet::from([true]),
                "{key:?} ({words}, seed {seed}): {found:?}, not {:?}",
                upload.wanted
            );
            // A kill between the refusal's entry and the file's move has it refused again.
            assert!(
                found.len() == 1 || matches!(upload.wanted, Verdict::Refused(_)),
                "{key:?} ({words}, seed {seed}) was taken in {} times",
                found.len()
            );
            let took = Duration::try_from(found[0].1.duration_since(upload.last_byte)).unwrap_or_default();
            slowest = slowest.max(took);
            assert!(took <= IN_TIME, "{key:?} ({words}, seed {seed}) had its verdict after {took:?}");
            *by_way.entry(words).or_default() += 1;
        }
        // A kill while a refused file was moved away has it refused again, under the name that it had on its way.
        let on_its_way = |(key, found): &(&(usize, String), &Vec<(Verdict, Timestamp)>)| {
            key.1.contains("/.cleared-by-rolloutd-")
                && found.iter().all(|(said, _)| matches!(said, Verdict::Refused(_)))
        };
        let strange = verdicts.found.iter().filter(|(key, _)| !uploads.contains_key(*key));
        let strange: Vec<_> = strange.filter(|one| !on_its_way(one)).collect();
        assert!(strange.is_empty(), "verdicts on what nobody has uploaded (seed {seed}): {strange:?}");
        verdicts.found.clear();
        verdicts.unnamed = false;
        withdraw(&mut site, &uploads, done);
    }
    let took = began.elapsed();
    site.ctl_good(&["log", "--verify"]);
    tell(&format!(
        "uploads: seed {seed}: {total} uploads in {took:.0?}, all with the right verdict, none early, slowest verdict \
         {slowest:.1?} after the last byte; {kills} kills and {stops} stops meanwhile; by way: {by_way:?}"
    ));
}

/// Whether a file of an upload tree is one that waits.
fn is_upload(tree: &Path, file: &Path) -> bool {
    let below = file.strip_prefix(tree).unwrap();
    file.extension().is_some_and(|extension| extension == "rpm") && !below.starts_with("Packages")
}

/// Takes everything of a round out of the trees again, so that they stay small.
fn withdraw(site: &mut Site, uploads: &BTreeMap<(usize, String), Upload>, round: u64) {
    for (dist, path) in DISTRIBUTIONS.iter().enumerate() {
        let good = |(key, upload): (&(usize, String), &Upload)| {
            (key.0 == dist && matches!(upload.wanted, Verdict::TakenIn(_))).then(|| key.1.clone())
        };
        let packages: Vec<String> = uploads.iter().filter_map(good).collect();
        let id = format!("out{dist}-{round}");
        let body = json!({"id": id, "distribution": path, "title": "over", "packages": packages});
        let answer = site.door.post("/api/v1/rollouts", &body).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let answer = site.door.post(&format!("/api/v1/rollouts/{id}/move"), &json!({"state": "Rejected"})).unwrap();
        assert!(answer.status < 300, "{}", answer.text());
        site.wait("the round to be withdrawn", |site| site.door.rests(&id).then_some(()));
    }
}

/// What is sent to the hook that must not be taken, and what it deserves.
const JUNK: [(&str, u16); 9] = [
    ("a signature of zeros", 401),
    ("a signature of another body", 401),
    ("no signature", 401),
    ("an unknown hook", 401),
    ("no JSON, well signed", 400),
    ("JSON of another kind, well signed", 400),
    ("two mebibytes announced", 413),
    ("another method", 405),
    ("no HTTP", 400),
];

/// One request of junk on a connection that stays where it can; gives the status.
fn junk(kind: &str, address: SocketAddr, open: &mut Option<BufReader<TcpStream>>, number: u64) -> io::Result<u16> {
    let body = Site::hook_body(&format!("junk-{number}"), "1", "Production");
    let (mut path, mut method, mut length) = ("/hooks/tracker", "POST", None);
    let (mut mac, mut body) = (Some(hook_mac(&body)), body);
    match kind {
        "a signature of zeros" => mac = Some(format!("sha256={}", "0".repeat(64))),
        "a signature of another body" => body.push(' '),
        "no signature" => mac = None,
        "an unknown hook" => path = "/hooks/nobody",
        "no JSON, well signed" => {
            "production, please".clone_into(&mut body);
            mac = Some(hook_mac(&body));
        }
        "JSON of another kind, well signed" => {
            "[{\"delivery\": 7}]".clone_into(&mut body);
            mac = Some(hook_mac(&body));
        }
        "two mebibytes announced" => length = Some(2 << 20),
        "another method" => method = "PUT",
        _ => {}
    }
    let mac = mac.map_or(String::new(), |mac| format!("X-Hub-Signature-256: {mac}\r\n"));
    let length = length.unwrap_or(body.len());
    // Each comes from somewhere else, as a proxy on this machine says: wrong ones of one address are answered slowly.
    let from = format!("X-Forwarded-For: {}\r\n", Ipv4Addr::from_bits(0x0a00_0000 | u32::try_from(number).unwrap()));
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{from}{mac}Content-Length: {length}\r\n\r\n");
    if length == body.len() {
        request.push_str(&body);
    }
    if kind == "no HTTP" {
        "\u{16}\u{3}\u{1}\u{2}\0 hello\r\n\r\n".clone_into(&mut request);
    }
    let mut stream = match open.take() {
        Some(stream) => stream,
        None => BufReader::new(TcpStream::connect(address)?),
    };
    stream.get_mut().set_read_timeout(Some(IN_TIME))?;
    stream.get_mut().write_all(request.as_bytes())?;
    let head = read_head(&mut stream)?;
    let mut rest = vec![0; head.length];
    stream.read_exact(&mut rest)?;
    if !matches!(kind, "two mebibytes announced" | "no HTTP") {
        *open = Some(stream);
    }
    Ok(head.status)
}

/// Tells threads to end when it goes out of scope.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn promotions_go_on_while_the_hooks_are_flooded_with_junk() {
    const MOVES: usize = 6;
    let total = campaign::number("ROLLOUTD_JUNK").unwrap_or(1_000);
    let mut site = Site::start(&Wish::default());
    // Clients that connect and say nothing take places, too.
    let silent: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(site.address()).unwrap()).collect();
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let wrong = Mutex::new(Vec::new());
    let address = site.address();
    let mut moved: Vec<Duration> = Vec::new();
    let began = Instant::now();
    thread::scope(|scope| {
        let floods: Vec<_> = (0..4)
            .map(|_| {
                let (sent, stop, wrong) = (&sent, &stop, &wrong);
                scope.spawn(move || {
                    let mut open = None;
                    while !stop.load(Ordering::Relaxed) {
                        let number = sent.fetch_add(1, Ordering::Relaxed);
                        let (kind, deserved) = JUNK[usize::try_from(number).unwrap() % JUNK.len()];
                        let old = open.is_some();
                        match junk(kind, address, &mut open, number) {
                            Ok(status) if status == deserved => {}
                            // A connection that stood idle may be closed.
                            Err(_) if old => {}
                            other => wrong.lock().unwrap().push(format!("{kind}: {other:?}, not {deserved}")),
                        }
                    }
                })
            })
            .collect();
        // Whoever fails here must not leave the floods running, for which the scope would wait.
        let _end = Stop(&stop);
        let mut number = 0;
        while moved.len() < MOVES || sent.load(Ordering::Relaxed) < total {
            number += 1;
            let nevra = site.drop_package(&format!("calm{number}"), "1.0", &[]);
            site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
            let id = number.to_string();
            let body = json!({"id": id, "distribution": DISTRIBUTION, "title": "calm", "packages": [nevra]});
            assert_eq!(site.door.post("/api/v1/rollouts", &body).unwrap().status, 201);
            for state in ["InVerification", "StageRollOut", "Production"] {
                let asked = Instant::now();
                let hook = Site::hook_body(&format!("{id}-{state}"), &id, state);
                assert_eq!(site.door.hook(&hook).unwrap().status, 202);
                site.wait("the step to be taken", |site| {
                    (site.door.state(&id).as_deref() == Some(state) && site.door.rests(&id)).then_some(())
                });
                if state != "InVerification" {
                    moved.push(asked.elapsed());
                }
            }
            assert!(floods.iter().all(|flood| !flood.is_finished()), "a flood has dried up");
        }
    });
    let took = began.elapsed();
    drop(silent);
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {sent:?} answers: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
    // Nothing of it has reached the logbook.
    let log = site.ctl_good(&["log", "--limit", "10000"]);
    assert!(!log.contains("junk-"), "{log}");
    wait_until_well(&mut site);
    moved.sort();
    let (sent, half) = (sent.into_inner(), moved[moved.len() / 2]);
    tell(&format!(
        "junk: {sent} requests in {took:.1?} ({} a second), every answer as deserved, beside 64 silent connections; {} \
         promotions by webhook meanwhile, half of them within {half:.0?}, all within {:.0?}",
        u128::from(sent) * 1_000 / took.as_millis().max(1),
        moved.len(),
        moved[moved.len() - 1],
    ));
}

/// Takes every byte that becomes free, until it goes out of scope; then all is free again.
struct Ballast<'a> {
    dirs: Vec<&'a Path>,
    stop: &'a AtomicBool,
}

impl Ballast<'_> {
    /// Takes what is free now; says whether that was anything.
    fn press(&self) -> bool {
        let mut took = false;
        for dir in &self.dirs {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(dir.join(".ballast")).unwrap();
            for size in [1 << 20, 1 << 16, 1 << 12] {
                while file.write_all(&vec![b'x'; size]).is_ok() {
                    took = true;
                }
            }
        }
        took
    }

    fn hold(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            if !self.press() {
                thread::park_timeout(Duration::from_millis(1));
            }
        }
    }
}

/// Fills file systems while a package waits to be taken in and another one to be moved.
#[track_caller]
fn fill(names: &[&str]) {
    let mut site = Site::prepare(&Wish::default());
    let paths: Vec<PathBuf> = ["root", "state"].map(|name| site.path(name)).into();
    let mounts: Vec<Option<Mount<'_>>> = paths.iter().map(|path| Mount::tmpfs(path, "6m")).collect();
    if mounts.iter().any(Option::is_none) {
        assert!(std::env::var("ROLLOUTD_REQUIRE_PEERS").is_err(), "tests/run runs this as root");
        eprintln!("left out: mounting a file system needs root");
        return;
    }
    site.up();
    let before = site.drop_package("before", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("1", &[&before]);
    site.ctl_good(&["move", "1", "InVerification"]);
    let waiting = package(&recipe("waiting", "1.0", &[]), Some(&keys().ours.1));
    let hidden = site.incoming().join(".waiting.rpm");
    fs::write(&hidden, &waiting).unwrap();
    let published = |site: &Site, tree: &str| -> Vec<String> {
        let read = judge::read(&Source::Disk(site.tree(tree))).ok().flatten();
        read.map_or(Vec::new(), |published| published.packages.into_keys().collect())
    };
    let trees = ["untested", "testing", "production"];
    let read = |site: &Site| {
        for tree in trees {
            judge::read(&Source::Disk(site.tree(tree))).unwrap_or_else(|e| panic!("{tree} on a full disk: {e}"));
        }
    };
    let stop = AtomicBool::new(false);
    let dirs: Vec<PathBuf> = names.iter().map(|name| site.path(name)).collect();
    let ballast = Ballast { dirs: dirs.iter().map(PathBuf::as_path).collect(), stop: &stop };
    ballast.press();
    thread::scope(|scope| {
        let end = Stop(&stop);
        let holder = scope.spawn(|| ballast.hold());
        fs::rename(&hidden, site.incoming().join("waiting.rpm")).unwrap();
        let asked = site.door.post("/api/v1/rollouts/1/move", &json!({"state": "StageRollOut"})).unwrap();
        let taken = asked.status < 300;
        assert!(taken || asked.status == 503, "{}: {}", asked.status, asked.text());
        // The trees or the logbook say so, whichever has no room first.
        let is_full = |reason: &String| reason.contains("No space left") || reason.contains("disk is full");
        site.wait("that it has no room", |site| reasons(site).iter().any(is_full).then_some(()));
        assert_eq!(site.door.get("/healthz").unwrap().status, 200, "it lives");
        read(&site);
        // A machine that is started again in the hope that this helps.
        site.kill();
        site.spawn();
        let began = Instant::now();
        let ended = loop {
            if site.has_ended().is_some() {
                let log = site.log();
                let last = log.trim_end().lines().last().unwrap_or_default().to_owned();
                assert!(is_full(&last), "no reason: {last}");
                break true;
            }
            site.look_for_door();
            if reasons(&site).iter().any(is_full) {
                break false;
            }
            assert!(began.elapsed() < IN_TIME, "it neither ends nor says why: {:?}", reasons(&site));
            thread::park_timeout(Duration::from_millis(10));
        };
        read(&site);
        drop(end);
        holder.join().unwrap();
        for dir in &dirs {
            fs::remove_file(dir.join(".ballast")).unwrap();
        }
        if ended {
            // As systemd does.
            site.spawn();
            site.wait("the daemon's address", |site| {
                site.look_for_door();
                site.door.address().ok()
            });
        }
        // By itself: what was asked before and what was uploaded come about, in either order.
        wait_until_well(&mut site);
        if !taken {
            site.ctl_good(&["move", "1", "StageRollOut"]);
        }
    });
    for (tree, nevra) in [("testing", before.as_str()), ("untested", "waiting-1.0-1.noarch")] {
        site.wait(&format!("{nevra} alone to be in {tree}"), |site| (published(site, tree) == [nevra]).then_some(()));
    }
    wait_until_well(&mut site);
    read(&site);
    assert!(reasons(&site).is_empty() && site.rejected().is_empty());
    site.ctl_good(&["log", "--verify"]);
    assert!(site.stop().success());
}

#[test]
fn when_the_disk_of_the_trees_was_full_everything_goes_on_by_itself() {
    fill(&["root"]);
}

#[test]
fn when_the_disk_of_the_state_was_full_everything_goes_on_by_itself() {
    fill(&["state"]);
}

#[test]
fn when_every_disk_was_full_everything_goes_on_by_itself() {
    if campaign::is_long() {
        fill(&["root", "state"]);
    } else {
        eprintln!("left out: both disks at once, which ROLLOUTD_LONG=1 asks for");
    }
}
