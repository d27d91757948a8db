//! `rolloutd keys`: which keys the trees trust, until when, and what each has signed.
//!
//! For the day a key turns out to be compromised: put its revocation into the key file and reload the daemon; from then
//! on no rollout moves what it signed (the finding `signer_revoked`). This command shows which of its packages are
//! where. It reads configuration, key files and logbook, and needs no daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::{SpanRound, Timestamp, Unit};
use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::{offline, table, verify};
use crate::config::settings::Settings;
use crate::daemon::expiry::WARN_DAYS;
use crate::domain::names::{DistPath, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::format::openpgp::{CertSummary, Gravity, KeySummary};
use crate::link::clock::Clock;
use crate::process::fact::count;
use crate::process::world::World;

/// Lists the keys that trees trust, until when, and what each signed
///
/// With a fingerprint, or its last digits, lists all packages that this key signed, by tree, then those
/// that were withdrawn, and then the rollouts to reject. Work through this list if a key was stolen.
/// First put its revocation into its file in the ring and reload the daemon: from then on no rollout
/// moves what it signed.
///
/// Example: rolloutd keys 5C1A3D9E8F7B6A59
///
/// Exit codes: 0 no key needs attention, 1 a key that signed something is revoked, has expired, or is
/// no longer in a ring, 2 the check failed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct KeysArgs {
    /// Fingerprint of a key or subkey, or at least its last 8 digits
    #[arg(value_name = "FINGERPRINT")]
    key: Option<String>,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// What is known about one key.
#[derive(Debug, Default)]
struct Known {
    /// Its certificate.
    summary: Option<CertSummary>,
    /// The key itself, if it is a subkey.
    subkey: Option<KeySummary>,
    /// The trees whose ring has it.
    rings: BTreeSet<TreeId>,
    /// The packages it signed, by the tree that lists them.
    signed: BTreeMap<TreeId, BTreeSet<Nevra>>,
    /// The packages it signed that no tree lists.
    withdrawn: BTreeSet<Nevra>,
    /// How many of these may have been signed by another key of its certificate.
    perhaps: usize,
    /// The rollouts of packages that trees list, each with its state; looked for when one key is asked about.
    rollouts: BTreeMap<RolloutId, String>,
    /// How many of these packages belong to no rollout.
    alone: usize,
}

impl Known {
    fn listed(&self) -> usize {
        self.signed.values().map(BTreeSet::len).sum()
    }

    fn expiry(&self) -> Option<Timestamp> {
        match &self.subkey {
            Some(subkey) => subkey.expiry,
            None => self.summary.as_ref()?.expiry,
        }
    }

    /// Subkeys are listed if there is something to report.
    fn is_worth_a_line(&self) -> bool {
        let revoked = self.subkey.as_ref().is_none_or(|subkey| subkey.revoked.is_some());
        revoked || !self.signed.is_empty() || !self.withdrawn.is_empty()
    }

    fn has_signed(&mut self, dist: &DistPath, nevra: &Nevra, trees: &[&TreeName]) {
        for &tree in trees {
            let id = TreeId { dist: dist.clone(), tree: tree.clone() };
            self.signed.entry(id).or_default().insert(nevra.clone());
        }
        if trees.is_empty() {
            self.withdrawn.insert(nevra.clone());
        }
    }

    /// Looks for the rollouts by which its packages came to where they are.
    fn find_rollouts(&mut self, world: &World) {
        for (tree, packages) in &self.signed {
            for nevra in packages {
                let naming = world.rollouts.naming(&tree.dist, nevra).filter(|rollout| !rollout.cancelled);
                let mut found = naming.map(|rollout| (rollout.id.clone(), rollout.state.to_string())).peekable();
                self.alone += usize::from(found.peek().is_none());
                self.rollouts.extend(found);
            }
        }
    }

    /// The worst problem of this key, and whether it is more than a warning.
    fn worry(&self, now: Timestamp) -> Option<(String, bool)> {
        let Some(summary) = &self.summary else { return Some(("not in any ring".to_owned(), self.listed() > 0)) };
        if summary.revoked || self.subkey.as_ref().is_some_and(|subkey| subkey.revoked.is_some()) {
            return Some(("revoked".to_owned(), true));
        }
        if self.subkey.is_none() && summary.spent {
            return Some(("its signing key is revoked".to_owned(), true));
        }
        let Some(end) = self.expiry() else {
            return (self.subkey.is_none() && !summary.can_sign)
                .then(|| ("it cannot sign anything here".to_owned(), false));
        };
        if end <= now {
            return Some((format!("expired on {}", day(end)), true));
        }
        let days = now.until(end).and_then(|left| left.round(SpanRound::new().largest(Unit::Day).days_are_24_hours()));
        let days = days.map_or(0, |left| i64::from(left.get_days()));
        let within = WARN_DAYS.into_iter().find(|limit| days < *limit)?;
        Some((format!("expires on {}, within {within} days", day(end)), false))
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// Lists keys, or what one of them has signed.
///
/// # Errors
/// If the check fails, or there is no such key.
pub fn run(args: &KeysArgs) -> Result<Outcome, Failure> {
    let now = Clock::System.now();
    let settings = offline::settings(&args.config)?;
    let world = offline::world(&settings)?;
    let mut keys = gather(&settings, &world, now)?;
    if let Some(wanted) = &args.key {
        let fingerprint = one(&keys, wanted)?.0.clone();
        keys.retain(|other, _| *other == fingerprint);
        for key in keys.values_mut() {
            key.find_rollouts(&world);
        }
    } else {
        keys.retain(|_, key| key.is_worth_a_line());
    }
    let care = keys.values().any(|key| key.worry(now).is_some_and(|(_, bad)| bad));
    let text = if args.json {
        show_json(&keys, now)
    } else if args.key.is_some() {
        keys.iter().map(|(fingerprint, key)| show_one(fingerprint, key, now)).collect()
    } else {
        show(&keys, now, table::width())
    };
    Ok(Outcome { text, exit: if care { Exit::Refused } else { Exit::Done } })
}

fn gather(settings: &Settings, world: &World, now: Timestamp) -> Result<BTreeMap<String, Known>, Failure> {
    let mut keys: BTreeMap<String, Known> = BTreeMap::new();
    let mut doubtful: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for dist in &settings.distributions {
        for (tree, paths) in &dist.keys {
            let id = TreeId { dist: dist.path.clone(), tree: tree.clone() };
            let read = verify::ring(paths).map_err(|e| Failure::new(Exit::Usage, super::exit::chain(&e)))?;
            for summary in read.ring.certs(now) {
                for key in summary.keys.iter().filter(|key| key.may_sign && key.fingerprint != summary.fingerprint) {
                    let known = keys.entry(key.fingerprint.clone()).or_default();
                    known.rings.insert(id.clone());
                    if known.subkey.as_ref().is_none_or(|before| key.revoked > before.revoked) {
                        known.subkey = Some(key.clone());
                        known.summary = Some(summary.clone());
                    }
                    if key.revoked == Some(Gravity::Hard) {
                        doubtful.entry(summary.fingerprint.clone()).or_default().insert(key.fingerprint.clone());
                    }
                }
                let known = keys.entry(summary.fingerprint.clone()).or_default();
                known.rings.insert(id.clone());
                // Of several copies, the one with the most against it.
                let worse = known.summary.as_ref().is_none_or(|before| summary.revoked && !before.revoked);
                if worse {
                    known.summary = Some(summary);
                }
            }
        }
    }
    for dist in world.packages.distributions() {
        for (nevra, package) in world.packages.of(dist) {
            let signers = &package.signers;
            let trees: Vec<&TreeName> = world.listed_in(dist, nevra).collect();
            for signer in signers.certs.iter().chain(&signers.keys) {
                keys.entry(signer.clone()).or_default().has_signed(dist, nevra, &trees);
            }
            // Older entries do not record it, so the worst is assumed.
            let of_cert = |cert| doubtful.get(cert).into_iter().flatten();
            for subkey in signers.certs.iter().filter(|_| signers.keys.is_empty()).flat_map(of_cert) {
                let known = keys.entry(subkey.clone()).or_default();
                known.has_signed(dist, nevra, &trees);
                known.perhaps = known.perhaps.saturating_add(1);
            }
        }
    }
    Ok(keys)
}

/// The only key whose fingerprint ends like this.
fn one<'a>(keys: &'a BTreeMap<String, Known>, wanted: &str) -> Result<(&'a String, &'a Known), Failure> {
    let digits: String = wanted.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    let digits = digits.strip_prefix("0X").unwrap_or(&digits);
    if digits.len() < 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = format!("`{}` is not a fingerprint: give at least its last 8 digits", wanted.escape_debug());
        return Err(Failure::new(Exit::Usage, message));
    }
    let mut fits = keys.iter().filter(|(fingerprint, _)| fingerprint.ends_with(digits));
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            Err(Failure::new(Exit::Usage, format!("no known key ends in {digits}")).hint("`rolloutd keys` lists them"))
        }
        (Some((one, _)), Some((other, _))) => {
            Err(Failure::new(Exit::Usage, format!("both {one} and {other} end in {digits}")))
        }
    }
}

fn name(key: &Known) -> String {
    let names = key.summary.as_ref().and_then(|summary| summary.user_ids.first());
    let name = names.map_or_else(|| "?".to_owned(), |name| verify::one_line(name));
    match (&key.subkey, &key.summary) {
        (Some(_), Some(cert)) => format!("subkey of {}, {name}", cert.fingerprint),
        _ => name,
    }
}

fn show(keys: &BTreeMap<String, Known>, now: Timestamp, width: usize) -> String {
    let row = |(fingerprint, key): (&String, &Known)| {
        let end = key.expiry().map_or_else(|| "-".to_owned(), day);
        let worry = key.worry(now).map_or_else(String::new, |(worry, _)| format!("{worry}! "));
        let number = |n: usize| n.to_string();
        let (rings, listed, withdrawn) = (number(key.rings.len()), number(key.listed()), number(key.withdrawn.len()));
        vec![fingerprint.clone(), end, rings, listed, withdrawn, format!("{worry}{}", name(key))]
    };
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    table::lay_out(&["KEY", "EXPIRES", "RINGS", "LISTED", "WITHDRAWN", "OWNER"], &rows, width)
}

fn show_one(fingerprint: &str, key: &Known, now: Timestamp) -> String {
    let mut text = format!("{fingerprint} {}\n", name(key));
    if let Some((worry, _)) = key.worry(now) {
        let _ = writeln!(text, "{worry}");
    }
    for (tree, packages) in &key.signed {
        for nevra in packages {
            let _ = writeln!(text, "{tree} {nevra}");
        }
    }
    for nevra in &key.withdrawn {
        let _ = writeln!(text, "withdrawn {nevra}");
    }
    let _ = writeln!(text, "{} listed, {} withdrawn", key.listed(), key.withdrawn.len());
    for (rollout, state) in &key.rollouts {
        let _ = writeln!(text, "rollout {rollout} ({state})");
    }
    let is_stolen = key.worry(now).is_some_and(|(_, bad)| bad);
    if is_stolen && !key.rollouts.is_empty() {
        let _ = writeln!(text, "reject these; `rolloutctl show ROLLOUT` names the step that withdraws");
    }
    if is_stolen && key.alone > 0 {
        let packages = count(key.alone, "package");
        let _ = writeln!(text, "{packages} in no rollout: `rolloutctl drop TREE PACKAGE` takes them out");
    }
    if key.perhaps > 0 {
        let packages = count(key.perhaps, "package");
        let _ = writeln!(text, "{packages} of these: which key of the certificate signed was not recorded");
    }
    text
}

fn show_json(keys: &BTreeMap<String, Known>, now: Timestamp) -> String {
    let texts = |all: &BTreeSet<Nevra>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = keys.iter().map(|(fingerprint, key)| {
        let signed: BTreeMap<String, Vec<String>> =
            key.signed.iter().map(|(tree, packages)| (tree.to_string(), texts(packages))).collect();
        let summary = key.summary.as_ref();
        json!({
            "fingerprint": fingerprint,
            "user_ids": summary.map(|summary| &summary.user_ids),
            "expires": key.expiry().map(|end| end.to_string()),
            "subkey_of": summary.filter(|_| key.subkey.is_some()).map(|summary| &summary.fingerprint),
            "revoked": summary.map(|cert| cert.revoked || key.subkey.as_ref().is_some_and(|k| k.revoked.is_some())),
            "rings": key.rings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "worry": key.worry(now).map(|(worry, _)| worry),
            "signed": signed,
            "withdrawn": texts(&key.withdrawn),
            "perhaps": key.perhaps,
            "rollouts": key.rollouts,
        })
    });
    format!("{:#}\n", json!({ "keys": all.collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_with_what_is_wrong_with_them() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let (now, dist) = (at("2026-11-20T12:00:00Z"), "d".parse::<DistPath>().expect("a path"));
        let (testing, nevra) =
            ("testing".parse::<TreeName>().expect("a name"), "a-1-1.noarch".parse::<Nevra>().expect("a package"));
        let known = |expiry: Option<&str>, revoked| {
            let summary = CertSummary {
                fingerprint: "CERT".into(),
                user_ids: vec!["Jane <jane@example.org>".into()],
                expiry: expiry.map(at),
                revoked,
                spent: false,
                keys: vec![],
                can_sign: true,
                remarks: vec![],
            };
            let rings = [TreeId { dist: dist.clone(), tree: testing.clone() }].into();
            Known { summary: Some(summary), rings, ..Known::default() }
        };
        let mut stolen = known(None, true);
        stolen.has_signed(&dist, &nevra, &[&testing]);
        stolen.has_signed(&dist, &"b-1-1.noarch".parse().expect("a package"), &[]);
        stolen.perhaps = 1;
        stolen.rollouts.insert("rt-1".parse().expect("an id"), "Production".to_owned());
        stolen.alone = 1;
        let mut unknown = Known::default();
        unknown.has_signed(&dist, &nevra, &[&testing]);
        let keys = BTreeMap::from([
            ("AAAA".to_owned(), known(None, false)),
            ("BBBB".to_owned(), known(Some("2026-12-01T00:00:00Z"), false)),
            ("CCCC".to_owned(), known(Some("2026-11-01T00:00:00Z"), false)),
            ("DDDD".to_owned(), stolen),
            ("EEEE".to_owned(), unknown),
        ]);
        let told = [show(&keys, now, 120), show_one("DDDD", &keys["DDDD"], now)];
        insta::assert_snapshot!(told.join("\n"));
    }
}
