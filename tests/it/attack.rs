//! The catalogue of hostile inputs, shown to a running daemon and to `rolloutd verify`.
//!
//! Every row of `catalogue.rs` goes two ways. First `rolloutd verify --json` is asked about it in a process of its
//! own, whose processor time and greatest memory the kernel tells when it ends: at most two seconds, and at most
//! 32 MiB, twice its headers and something for each file and dependency beyond what the program needs for the
//! smallest good package. Then all of them
//! are uploaded at once to one daemon, and the verdict is read from its logbook, from `rejected/` and from the
//! metadata that it publishes. What comes out is a table: one line for each number of the catalogue, and with
//! `ROLLOUTD_LONG=1` one for each row.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and uploads as people do")]

use crate::campaign;
use crate::catalogue::{self, DISTRIBUTIONS, Input, ONE_ARCH, Row, TWO_SIGNERS, Table, Verdict};
use crate::forge;
use crate::judge::{self, Source};
use crate::metadata_readers;
use crate::site::{Site, Wish, fact, refusals, tell};
use rolloutd::domain::refusal::Code;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The first of January 2099.
const AHEAD: Duration = Duration::from_hours(4_070_908_800 / 3600);
/// Seconds of processor time for any file.
const SECONDS: f64 = if cfg!(debug_assertions) { 2.0 * UNOPTIMISED } else { 2.0 };
/// How much longer our own loops take when they are not optimised; a release build keeps to the two seconds.
const UNOPTIMISED: f64 = 4.0;
/// Octets beyond what the smallest package needs and twice the headers.
const ROOM: u64 = 32 << 20;
/// Larger files are not read by the daemon.
const PACKAGE_MAX: &str = "256MiB";

/// Runs programs one after another and says how each ended: the wait that tells of time and memory is not
/// among what Rust offers without a word of C.
const WAIT: &str = r"
import json, os, resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
for line in sys.stdin:
    words, out = json.loads(line)
    begin = time.monotonic()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    code, spent = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
    print(json.dumps([code, time.monotonic() - begin, spent, usage.ru_maxrss]), flush=True)
";

/// What a process did.
#[derive(Clone, Copy, Debug, Default)]
struct Ended {
    code: i64,
    /// Of the processor.
    seconds: f64,
    /// At most, in octets.
    memory: u64,
}

/// One that runs programs for us.
struct Waiter {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Waiter {
    fn start() -> Self {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-I", "-S", "-c", WAIT])
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (words, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, words, answers }
    }

    fn run(&mut self, words: &[String], out: &Path) -> Ended {
        writeln!(self.words, "{}", json!([words, out])).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let (code, _, seconds, kibibytes): (i64, f64, f64, u64) = serde_json::from_str(&line).unwrap();
        Ended { code, seconds, memory: kibibytes * 1024 }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was found out about a row.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The code, or `accepted`.
    verdict: String,
    signers: BTreeSet<String>,
    notes: String,
    ended: Ended,
}

fn word(verdict: Verdict) -> String {
    verdict.map_or_else(|code: Code| code.as_str().to_owned(), |()| "accepted".to_owned())
}

/// The directory of the uploads of one distribution, before they are uploaded.
fn aside(site: &Site, distribution: &str) -> PathBuf {
    site.path("aside").join(distribution)
}

fn upload_of(number: usize) -> String {
    format!("{number:04}.rpm")
}

/// Makes all files, and the keys of their rings.
fn lay_out(site: &Site, rows: &[Row]) -> Vec<Vec<PathBuf>> {
    for distribution in DISTRIBUTIONS {
        fs::create_dir_all(aside(site, distribution)).unwrap();
    }
    let mut files: BTreeMap<&[u8], PathBuf> = BTreeMap::new();
    let mut rings = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let path = aside(site, row.distribution).join(upload_of(number));
        match &row.input {
            Input::File(bytes) => fs::write(&path, bytes).unwrap(),
            Input::Made(make) => make(&path),
        }
        if row.what == catalogue::AHEAD {
            let ahead = std::time::UNIX_EPOCH + AHEAD;
            fs::File::open(&path).unwrap().set_modified(ahead).unwrap();
        }
        let mut ring = Vec::new();
        for key in &row.keys {
            let next = site.path("keys").join(format!("key{}", files.len()));
            let file = files.entry(key).or_insert_with(|| {
                fs::write(&next, key).unwrap();
                next
            });
            ring.push(file.clone());
        }
        rings.push(ring);
    }
    rings
}

/// The exception of a row, in the words of a configuration.
fn legacy(row: &Row, head: &str) -> String {
    let mut text = String::new();
    for legacy in &row.policy().legacy {
        let allow: Vec<&str> = legacy.allow.iter().map(|lifted| lifted.as_str()).collect();
        let day = legacy.until.to_string()[..10].to_owned();
        writeln!(text, "[[{head}]]\nkey = \"{}\"\nuntil = \"{day}\"\nallow = {}", legacy.fingerprint, json!(allow))
            .unwrap();
    }
    text
}

fn configure(site: &Site, rows: &[Row], rings: &[Vec<PathBuf>]) {
    let text = site.configuration();
    let (before, _) = text.split_once("[[distribution]]").unwrap();
    let mut text = before.replace("[intake]\n", &format!("[intake]\nmax_package = \"{PACKAGE_MAX}\"\n"));
    for distribution in DISTRIBUTIONS {
        let here = || rows.iter().zip(rings).filter(|(row, _)| row.distribution == distribution);
        let keys: BTreeSet<&PathBuf> = here().flat_map(|(_, ring)| ring).collect();
        let more = match distribution {
            TWO_SIGNERS => "min_signers = { \"*\" = 2 }\n",
            ONE_ARCH => "arches = [\"x86_64\", \"core2_64\"]\n",
            _ => "",
        };
        write!(
            text,
            "[[distribution]]\npath = \"{distribution}\"\nprocedure = \"egi\"\n{more}[distribution.keys]\n\"*\" = {}\n{}",
            json!(keys),
            here().map(|(row, _)| legacy(row, "distribution.legacy")).collect::<String>()
        )
        .unwrap();
    }
    site.write_configuration(&text);
}

/// Asks `rolloutd verify` about one file.
fn verify(waiter: &mut Waiter, file: &Path, ring: &[PathBuf], policy: &str, out: &Path) -> Seen {
    let rules = out.with_extension("toml");
    fs::write(&rules, policy).unwrap();
    let mut words = vec![env!("CARGO_BIN_EXE_rolloutd").to_owned(), "verify".to_owned(), "--json".to_owned()];
    words.extend(["--policy".to_owned(), rules.display().to_string()]);
    for key in ring {
        words.extend(["--keyring".to_owned(), key.display().to_string()]);
    }
    words.push(file.display().to_string());
    let ended = waiter.run(&words, out);
    let said = fs::read_to_string(out).unwrap();
    let Ok(document) = serde_json::from_str::<Value>(&said) else {
        return Seen { verdict: format!("no answer, exit {}: {said}", ended.code), ended, ..Seen::default() };
    };
    let answer = &document[0];
    let verdict = match (answer["verdict"].as_str(), ended.code) {
        (Some("accepted"), 0) => "accepted".to_owned(),
        (Some("refused"), 1) => answer["code"].as_str().unwrap_or_default().to_owned(),
        (_, code) => format!("exit {code}: {answer}"),
    };
    Seen { verdict, signers: names(&answer["fingerprints"]), notes: answer["notes"].to_string(), ended }
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
}

/// Asks about every row, as many at once as there are processors; and first what the least costs.
fn ask_verify(site: &Site, rows: &[Row], rings: &[Vec<PathBuf>]) -> (Ended, Vec<Seen>) {
    let place = site.path("verify");
    fs::create_dir(&place).unwrap();
    let small = place.join("small.rpm");
    let by = catalogue::usual();
    fs::write(&small, forge::Draft::new().signed(by).file()).unwrap();
    fs::write(place.join("key"), by.public()).unwrap();
    let least = verify(&mut Waiter::start(), &small, &[place.join("key")], "", &place.join("small"));
    assert_eq!(least.verdict, "accepted", "the smallest package");

    let next = AtomicUsize::new(0);
    let many = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let mut seen: Vec<(usize, Seen)> = std::thread::scope(|scope| {
        let ask = || {
            let mut waiter = Waiter::start();
            let mut seen = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (Some(row), Some(ring)) = (rows.get(number), rings.get(number)) else { return seen };
                let file = aside(site, row.distribution).join(upload_of(number));
                let policy = format!("min_signers = {}\n{}", row.policy().min_signers, legacy(row, "legacy"));
                seen.push((number, verify(&mut waiter, &file, ring, &policy, &place.join(number.to_string()))));
            }
        };
        let threads: Vec<_> = (0..many).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    seen.sort_by_key(|(number, _)| *number);
    (least.ended, seen.into_iter().map(|(_, seen)| seen).collect())
}

/// What the logbook says of every upload that it names, by its number. Gives how many more it tells of.
fn read_logbook(site: &Site, from: &mut u64, seen: &mut BTreeMap<usize, (Seen, String)>) -> u64 {
    let mut unnamed = 0;
    loop {
        let Ok(answer) = site.door.get(&format!("/api/v1/log?from={from}&limit=1000")) else { return unnamed };
        let Ok(Value::Array(entries)) = serde_json::from_slice(&answer.body) else { return unnamed };
        for entry in &entries {
            *from = entry["seq"].as_u64().unwrap() + 1;
            unnamed += fact(entry, "package.refused_together")["more"].as_u64().unwrap_or_default();
            let taken = Some((fact(entry, "package.accepted").clone(), "accepted".to_owned()))
                .filter(|(what, _)| !what.is_null());
            let refused = refusals(entry).into_iter().map(|what| {
                let code = what["code"].as_str().unwrap().to_owned();
                (what, code)
            });
            for (what, verdict) in taken.into_iter().chain(refused) {
                let upload = Path::new(what["upload"].as_str().unwrap());
                let number = upload.file_stem().unwrap().to_str().unwrap().parse().unwrap();
                let (signers, notes) = (names(&what["signers"]), what["notes"].to_string());
                let seen_now = Seen { verdict, signers, notes, ended: Ended::default() };
                let sum = what["sha256"].as_str().unwrap_or_default().to_owned();
                if let Some((before, _)) = seen.insert(number, (seen_now, sum)) {
                    panic!("a second verdict on {}: {before:?}", upload.display());
                }
            }
        }
        if entries.len() < 1000 {
            return unnamed;
        }
    }
}

/// Of many that are refused at once an entry names the first; what became of the others stands beside them.
fn add_reasons(
    reasons: BTreeMap<usize, String>,
    unnamed: u64,
    twins: &[Vec<usize>],
    seen: &mut BTreeMap<usize, (Seen, String)>,
) {
    let mut added = 0;
    for (number, verdict) in reasons {
        let told = |number: &usize| seen.contains_key(number);
        if told(&number) || twins.iter().any(|group| group.contains(&number) && group.iter().any(told)) {
            continue;
        }
        seen.insert(number, (Seen { verdict, ..Seen::default() }, String::new()));
        added += 1;
    }
    assert!(added <= unnamed, "{added} files lie in rejected/ that no entry tells of; {unnamed} are not named");
}

/// Uploads everything at once and waits for every verdict.
fn ask_daemon(site: &mut Site, rows: &[Row]) -> BTreeMap<usize, (Seen, String)> {
    site.up();
    for distribution in DISTRIBUTIONS {
        fs::rename(aside(site, distribution), site.incoming_of(distribution).join("in")).unwrap();
    }
    let (mut from, mut seen) = (1, BTreeMap::new());
    let twins = twins(rows);
    let known = |seen: &BTreeMap<usize, (Seen, String)>| {
        let twin = |group: &Vec<usize>| if group.iter().any(|n| seen.contains_key(n)) { group.len() } else { 0 };
        let alone = seen.keys().filter(|n| !twins.iter().any(|group| group.contains(n))).count();
        alone + twins.iter().map(twin).sum::<usize>()
    };
    let (mut unnamed, mut named) = (0, BTreeMap::new());
    while known(&seen) < rows.len() {
        let before = seen.len();
        site.wait(&format!("more than {before} of {} verdicts", rows.len()), |site| {
            // First, since an entry is there before its files are moved.
            let reasons = rejected(site, &[]);
            unnamed += read_logbook(site, &mut from, &mut named);
            seen.clone_from(&named);
            add_reasons(reasons, unnamed, &twins, &mut seen);
            (seen.len() > before).then_some(())
        });
    }
    fill(&mut seen, &twins);
    let accepted = |distribution: &str| {
        let here = |(number, (seen, _)): (&usize, &(Seen, String))| {
            rows[*number].distribution == distribution && seen.verdict == "accepted"
        };
        seen.iter().filter(|one| here(*one)).count()
    };
    for distribution in DISTRIBUTIONS {
        let wanted = accepted(distribution) as u64;
        site.wait(&format!("{distribution} to list {wanted} packages"), |site| {
            let trees = site.document("/api/v1/trees");
            let here = |tree: &&Value| tree["tree"] == "untested" && tree["distribution"] == distribution;
            let tree = trees.as_array()?.iter().find(here)?.clone();
            (tree["packages"] == wanted && tree["dirty"] == false && tree["revision"] != 0).then_some(())
        });
    }
    seen
}

/// Refused files of the same bytes, which are told and kept once.
fn twins(rows: &[Row]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(&str, &[u8]), Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        if let (Input::File(bytes), true) = (&row.input, row.expected.is_err()) {
            groups.entry((row.distribution, bytes)).or_default().push(number);
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// What is known of one of the same bytes is known of all.
fn fill<T: Clone>(known: &mut BTreeMap<usize, T>, twins: &[Vec<usize>]) {
    for group in twins {
        if let Some(one) = group.iter().find_map(|number| known.get(number)).cloned() {
            for number in group {
                known.entry(*number).or_insert_with(|| one.clone());
            }
        }
    }
}

/// The code of every file in `rejected/`, by its number.
fn rejected(site: &Site, twins: &[Vec<usize>]) -> BTreeMap<usize, String> {
    let mut found = BTreeMap::new();
    for distribution in DISTRIBUTIONS {
        for entry in fs::read_dir(site.path("state/rejected").join(distribution)).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let Some(file) = name.strip_suffix(".why") else { continue };
            let text = fs::read_to_string(entry.path()).unwrap();
            let code = text.lines().find_map(|line| line.strip_prefix("code:")).map(str::trim);
            // Of what is no file, or too large, there is only the reason.
            let there = code.is_some_and(|code| ["not_regular", "too_large"].contains(&code))
                || fs::symlink_metadata(entry.path().with_extension("")).is_ok();
            if let (Some(code), Some((_, upload)), true) = (code, file.rsplit_once('-'), there) {
                found.insert(upload.strip_suffix(".rpm").unwrap().parse().unwrap(), code.to_owned());
            }
        }
    }
    fill(&mut found, twins);
    found
}

/// The elements of each package in all three lists, by checksum.
fn published(site: &Site, distribution: &str) -> BTreeMap<String, String> {
    let tree = site.tree_of("untested", distribution);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for kind in ["primary", "filelists", "other"] {
        let text = String::from_utf8(metadata_readers::read(&tree, kind)).expect("UTF-8");
        for element in text.split_inclusive("</package>\n").filter(|element| element.contains("<package ")) {
            let id = match kind {
                "primary" => element.split_once("</checksum>").unwrap().0.rsplit('>').next(),
                _ => element.split_once("pkgid=\"").unwrap().1.split('"').next(),
            };
            found.entry(id.unwrap().to_owned()).or_default().push_str(element);
        }
    }
    found
}

/// What is wrong with what the metadata says of a package: `!text` is not to be there, `one|other` either.
fn misses(row: &Row, element: &str) -> Vec<String> {
    let there = |words: &String| match words.strip_prefix('!') {
        Some(words) => !element.contains(words),
        None => words.split('|').any(|words| element.contains(words)),
    };
    row.shows.iter().filter(|words| !there(words)).cloned().collect()
}

/// One line of the table.
#[derive(Default)]
struct Line {
    rows: usize,
    taken: BTreeMap<String, usize>,
    verified: BTreeMap<String, usize>,
    seconds: f64,
    memory: u64,
}

fn count(words: &BTreeMap<String, usize>) -> String {
    words.iter().map(|(word, times)| format!("{times} {word}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_hostile_input_gets_its_verdict_from_daemon_and_verify() {
    let table = Table::shared();
    let rows = &table.rows;
    let began = Instant::now();
    let wish = Wish { incomplete_after: "1s", distributions: DISTRIBUTIONS.to_vec(), ..Wish::default() };
    let mut site = Site::prepare(&wish);
    let rings = lay_out(&site, rows);
    configure(&site, rows, &rings);
    let (least, verified) = ask_verify(&site, rows, &rings);
    let verifying = began.elapsed();
    let taken = ask_daemon(&mut site, rows);

    let mut wrong = Vec::new();
    let mut lines: BTreeMap<(usize, usize), (&str, Line)> = BTreeMap::new();
    let refused = taken.values().filter(|(seen, _)| seen.verdict != "accepted").count();
    let twins = twins(rows);
    site.wait("refused files to be moved away", |site| {
        let found = rejected(site, &twins);
        let left = taken.iter().find(|(number, (seen, _))| seen.verdict != "accepted" && !found.contains_key(number));
        if let Some((number, _)) = left {
            eprintln!("{number} {} is not in rejected/", rows[*number].what);
        }
        left.is_none().then_some(())
    });
    let rejected = rejected(&site, &twins);
    let elements: BTreeMap<&str, _> = DISTRIBUTIONS.iter().map(|name| (*name, published(&site, name))).collect();
    for (number, row) in rows.iter().enumerate() {
        let ((seen, sum), alone) = (&taken[&number], &verified[number]);
        let mut complain = |what: String| wrong.push(format!("{} {} ({number}): {what}", row.id, row.what));
        let (due, due_alone) = (word(row.expected), word(row.alone.unwrap_or(row.expected)));
        if seen.verdict != due {
            complain(format!("{due} is right, the daemon says {} {}", seen.verdict, seen.notes));
        }
        if alone.verdict != due_alone {
            complain(format!("{due_alone} is right, verify says {}", alone.verdict));
        }
        match rejected.get(&number) {
            Some(code) if row.expected.is_ok() => complain(format!("lies in rejected/ as {code}")),
            found if row.expected.is_err() && found != Some(&due) => complain(format!("rejected/ has {found:?}")),
            _ => {}
        }
        for (who, seen) in
            [("the daemon", seen), ("verify", alone)].into_iter().filter(|(_, s)| s.verdict == "accepted")
        {
            if seen.signers != row.signers {
                complain(format!("{who} names {:?} as signers", seen.signers));
            }
        }
        let unsaid = |note: &&String| !seen.notes.contains(note.as_str());
        row.notes.iter().filter(unsaid).for_each(|note| complain(format!("`{note}` is not in {}", seen.notes)));
        if seen.verdict == "accepted" {
            match elements[row.distribution].get(sum) {
                None => complain("is accepted, and no list has it".to_owned()),
                Some(element) => {
                    for words in misses(row, element) {
                        complain(format!(
                            "`{words}` is not as it should be in {}",
                            &element[..element.len().min(3000)]
                        ));
                    }
                }
            }
        }
        let room = least.memory + 2 * row.header + ROOM;
        let Ended { seconds, memory, .. } = alone.ended;
        if seconds > SECONDS || memory > room {
            complain(format!("verify took {seconds:.2} s and {memory} octets, {room} are allowed"));
        }
        let (section, digits) = row.id.split_at(1);
        let order = "HSNB".find(section).unwrap();
        let (_, line) = lines.entry((order, digits.parse().unwrap())).or_insert((row.id, Line::default()));
        line.rows += 1;
        *line.taken.entry(seen.verdict.clone()).or_default() += 1;
        *line.verified.entry(alone.verdict.clone()).or_default() += 1;
        line.seconds = line.seconds.max(seconds);
        line.memory = line.memory.max(memory);
        if campaign::is_long() {
            let (ms, mib) = (seconds * 1000.0, memory >> 20);
            tell(&format!("{} | {} | {} | {} | {ms:.0} | {mib}", row.id, row.what, seen.verdict, alone.verdict));
        }
    }
    tell("id | files | by take-in | by verify | most ms | most MiB");
    for (id, line) in lines.values() {
        let Line { rows, seconds, memory, .. } = line;
        let (taken, verified) = (count(&line.taken), count(&line.verified));
        let verified = if taken == verified { "the same" } else { &verified };
        tell(&format!("{id} | {rows} | {taken} | {verified} | {:.0} | {}", seconds * 1000.0, memory >> 20));
    }
    for [id, what, place] in &table.elsewhere {
        tell(&format!("{id} | {what}: {place}"));
    }
    tell(&format!(
        "{} hostile and good inputs, {} accepted, {refused} refused, {} wrong; the least takes {:.0} ms and {} MiB; \
         {:.1} s with verify, {:.1} s in all",
        rows.len(),
        rows.len() - refused,
        wrong.len(),
        least.seconds * 1000.0,
        least.memory >> 20,
        verifying.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));
    assert!(wrong.is_empty(), "{} complaints:\n{}", wrong.len(), wrong.join("\n"));
    for distribution in DISTRIBUTIONS {
        let listed = judge::read(&Source::Disk(site.tree_of("untested", distribution))).unwrap();
        let here = rows.iter().filter(|row| row.distribution == distribution && row.expected.is_ok()).count();
        assert_eq!(listed.map_or(0, |listed| listed.packages.len()), here, "{distribution}");
    }
    assert!(site.stop().success(), "the daemon goes on after all this");
}

/// The best of many, since a busy machine makes any one of them slow.
#[test]
fn the_small_files_that_stop_other_readers_cost_less_than_a_millisecond() {
    for (file, what) in catalogue::hostile() {
        let once = || {
            let began = Instant::now();
            assert!(forge::read(&file).is_err());
            began.elapsed()
        };
        let best = (0..1000).map(|_| once()).min().unwrap();
        assert!(best < Duration::from_millis(1), "{what}: {best:?}");
    }
}
