//! The whole file: reads every section and does not stop at errors.
//!
//! Reading is pure: the same text gives the same result on every machine. `check` does whatever needs the disk.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::mentions::{Notebook, Purpose};
use super::settings::{Calendar, Distribution, Http, INCOMING, Intake, Settings, Signing, Site, Watch};
use super::values::{address, span, url, words};
use super::{actors, calendar, changes, distribution, incidents, levels};
use crate::domain::incident::IncidentPolicy;
use crate::domain::levels::LevelPolicy;
use crate::domain::request::ChangePolicy;
use crate::format::complaint::Complaint;
use crate::format::document::{Places, Section, Sheet};
use crate::format::quantity;
use crate::format::syntax::Mended;
use crate::link::watch::Mode;
use crate::store::evidence::Bounds;

/// Below this, a stalled `scp` looks complete; above it, people think that nothing happens.
const QUIET: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_mins(10);
/// Below this, the daemon does nothing but list directories.
const POLL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);
/// Above this, a lost event is found the day after.
const SCAN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);
/// Below this, the disk does nothing else; above it, the backups that could restore a damaged package are gone.
const SCRUB: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(365 * 24);
/// Below this, a slow upload is refused half-way; above it, nobody learns that one was interrupted.
const INCOMPLETE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(7 * 24);
/// rpm itself cannot read more than 4 EiB; anything above 1 TiB is a typing error.
const PACKAGE: RangeInclusive<u64> = 1024..=1 << 40;

/// Below this, nobody sees why a file was refused; above it, it is an archive.
const KEEP: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(3_650 * 24);
/// Below this, no package fits; above it, it is a typing error.
const REJECTED: RangeInclusive<u64> = 1 << 20..=1 << 50;

/// A longer file is not a configuration; this also bounds the work of finding syntax errors.
pub const TEXT_MAX: usize = 1 << 20;

/// What was read, whether or not all of it was valid.
#[derive(Debug)]
pub struct Outcome {
    /// The settings; only when there is no complaint.
    pub settings: Option<Settings>,
    /// `[site]`, if it is valid.
    pub site: Option<Site>,
    /// The valid ones with their number in the file, from 0.
    pub distributions: Vec<(usize, Distribution)>,
    /// `[calendar]`, if there is one and it is valid.
    pub calendar: Option<Calendar>,
    /// What is to be checked on disk.
    pub notebook: Notebook,
    /// The position of everything.
    pub places: Places,
    /// All complaints, by position.
    pub complaints: Vec<Complaint>,
}

/// Reads the configuration as far as possible without accessing the disk.
///
/// # Errors
/// All complaints, in the order of the file.
pub fn load(text: &str, file: &Path) -> Result<Settings, Vec<Complaint>> {
    let outcome = read(text, file);
    outcome.settings.ok_or(outcome.complaints)
}

/// Reads the configuration and everything that `check` needs.
pub fn read(text: &str, file: &Path) -> Outcome {
    let length = text.len();
    let mended = Mended::new(if length > TEXT_MAX { "" } else { text });
    let (sheet, root) = Sheet::new(text, &mended, file);
    if length > TEXT_MAX {
        sheet.top(&root).complain("is larger than 1 MiB, too large for a configuration", None);
    }
    let mut notebook = Notebook::default();
    let mut top = sheet.top(&root);
    let site = top.need("site", "[site]").and_then(|v| site(v.section()?, &mut notebook));
    let http = top.get("http").map_or_else(|| Some(Http::default()), |v| http(v.section()?));
    let calendar = top.get("calendar");
    let has_clocks = calendar.is_some();
    let calendar = calendar.and_then(|v| calendar::calendar(v.section()?, &mut notebook));
    let distributions = top.need("distribution", "[[distribution]]");
    let distributions = distributions.map(|v| distribution::all(&v, has_clocks, &mut notebook)).unwrap_or_default();
    let signing = top.get("signing").map_or(Some((None, false)), |v| signing(v.section()?, &mut notebook));
    let webhooks = top.get("webhook").map(|v| actors::webhooks(&v, &mut notebook)).unwrap_or_default();
    let outgoing = top.get("outgoing").map(|v| actors::outgoing(&v, &mut notebook)).unwrap_or_default();
    let tokens = top.get("token").map(|v| actors::tokens(&v, &mut notebook)).unwrap_or_default();
    let sso = top.get("sso").map_or(Some(None), |v| actors::sso(v.section()?, &mut notebook).map(Some));
    let watch = top.get("watch").map_or_else(|| Some(Watch::default()), |v| watch(v.section()?));
    let intake = top.get("intake").map_or_else(|| Some(Intake::default()), |v| intake(v.section()?));
    let changes = top.get("changes").map_or_else(|| Some(ChangePolicy::default()), |v| changes::policy(v.section()?));
    let fallback = || Some(IncidentPolicy::default());
    let incidents = top.get("incidents").map_or_else(fallback, |v| incidents::policy(v.section()?));
    let fallback = || Some(LevelPolicy::default());
    let levels = top.get("service_levels").map_or_else(fallback, |v| levels::policy(v.section()?));
    top.close();
    let places = sheet.places(&root);
    let complaints = sheet.into_complaints();
    let settings = || {
        let signing = signing?;
        Some(Settings {
            source: file.to_owned(),
            site: site.clone()?,
            http: http?,
            distributions: distributions.iter().map(|(_, distribution)| distribution.clone()).collect(),
            signing: signing.0,
            unsigned: signing.1,
            webhooks,
            outgoing,
            tokens,
            sso: sso?,
            watch: watch?,
            intake: intake?,
            calendar: calendar.clone().unwrap_or_default(),
            changes: changes?,
            incidents: incidents?,
            levels: levels?,
        })
    };
    let settings = if complaints.is_empty() { settings() } else { None };
    Outcome { settings, site, distributions, calendar, notebook, places, complaints }
}

fn site(mut section: Section<'_, '_>, notebook: &mut Notebook) -> Option<Site> {
    let name = section.need("name", "name = \"Example software repository\"").and_then(|v| words(&v));
    let root_value = section.need("root", "root = \"/srv/repo/sw\"");
    let root = root_value.as_ref().and_then(|v| notebook.path(v, Purpose::Root));
    let state_value = section.need("state", "state = \"/var/lib/rolloutd\"");
    let state = state_value.as_ref().and_then(|v| notebook.path(v, Purpose::State));
    let incoming_value = section.get("incoming");
    let incoming = match (&incoming_value, &root_value, &root) {
        (Some(value), ..) => notebook.path(value, Purpose::Incoming),
        (None, Some(value), Some(root)) => {
            let beside = root.with_file_name(INCOMING);
            Some(notebook.implied(beside, Purpose::Incoming, value.spot()))
        }
        _ => None,
    };
    let base_url = section
        .need("base_url", "base_url = \"http://repository.example.org/sw\"")
        .and_then(|v| v.read(|text| url(text).map(|u| u.trim_end_matches('/').to_owned())));
    let served = "the web server serves";
    if let (Some(root), Some(state), Some(value)) = (&root, &state, state_value)
        && let Some(what) = overlap((root, "site.root", served), state)
    {
        value.complain(what, Some("for example: state = \"/var/lib/rolloutd\"".to_owned()));
    }
    if let Some(incoming) = &incoming
        && let Some(value) = incoming_value.as_ref().or(root_value.as_ref())
    {
        let others = [(&root, "site.root", served), (&state, "site.state", "belongs to the daemon alone")];
        let nested = others.into_iter().find_map(|(other, name, why)| overlap((other.as_ref()?, name, why), incoming));
        if let Some(what) = nested {
            let what = if incoming_value.is_some() { what } else { format!("the directory of uploads {what}") };
            let beside = root.as_ref().and_then(|root| Some(root.parent()?.join("incoming")));
            let hint = beside.map(|beside| format!("for example: incoming = \"{}\"", beside.display()));
            value.complain(what, hint);
        }
    }
    section.close();
    Some(Site { name: name?, root: root?, state: state?, incoming: incoming?, base_url: base_url? })
}

/// The key, and whether metadata is published unsigned even if it was signed.
fn signing(mut section: Section<'_, '_>, notebook: &mut Notebook) -> Option<(Option<Signing>, bool)> {
    let off = section.get("off").map_or(Some(false), |v| v.switch())?;
    let key = if off { None } else { section.need("key", "key = \"/etc/rolloutd/signing.asc\"") };
    let key = key.and_then(|v| notebook.path(&v, Purpose::SigningKey));
    section.close();
    if off { Some((None, true)) } else { Some((Some(Signing { key: key? }), false)) }
}

fn http(mut section: Section<'_, '_>) -> Option<Http> {
    let fallback = Http::default();
    let listen = section.get("listen").map_or(Some(fallback.listen), |v| v.read(address));
    let serve_trees = section.get("serve_trees").map_or(Some(fallback.serve_trees), |v| v.switch());
    section.close();
    Some(Http { listen: listen?, serve_trees: serve_trees? })
}

fn watch(mut section: Section<'_, '_>) -> Option<Watch> {
    let fallback = Watch::default();
    let modes = [("auto", Mode::Auto), ("events", Mode::Events), ("poll", Mode::Poll)];
    let mode = section.get("mode").map_or(Some(fallback.mode), |v| v.one_of(&modes));
    let quiet = span(&mut section, "quiet", fallback.quiet, &QUIET);
    let poll_every = span(&mut section, "poll_every", fallback.poll_every, &POLL);
    let scan_every = span(&mut section, "scan_every", fallback.scan_every, &SCAN);
    let scrub_within = span(&mut section, "scrub_within", fallback.scrub_within, &SCRUB);
    section.close();
    Some(Watch {
        mode: mode?,
        quiet: quiet?,
        poll_every: poll_every?,
        scan_every: scan_every?,
        scrub_within: scrub_within?,
    })
}

fn intake(mut section: Section<'_, '_>) -> Option<Intake> {
    let fallback = Intake::default();
    let max_package = section.get("max_package").map_or(Some(fallback.max_package), |v| {
        v.quantity(quantity::size, |size| quantity::show_size(*size), &PACKAGE, "64MiB")
    });
    let jobs = section.get("jobs").map_or(Some(fallback.jobs), |v| v.number(1..=64).and_then(|n| n.try_into().ok()));
    let incomplete_after = span(&mut section, "incomplete_after", fallback.incomplete_after, &INCOMPLETE);
    let rejected = section.get("rejected").map_or(Some(fallback.rejected), |v| rejected(v.section()?));
    let list_refused = section.get("list_refused").map_or(Some(fallback.list_refused), |v| v.switch());
    section.close();
    Some(Intake {
        max_package: max_package?,
        jobs: jobs?,
        incomplete_after: incomplete_after?,
        rejected: rejected?,
        list_refused: list_refused?,
    })
}

fn rejected(mut section: Section<'_, '_>) -> Option<Bounds> {
    let fallback = Intake::default().rejected;
    let keep = span(&mut section, "keep", fallback.keep, &KEEP);
    let files = section.get("files").map_or(Some(fallback.files), |v| v.number(1..=100_000)?.try_into().ok());
    let size = section.get("size").map_or(Some(fallback.size), |v| {
        v.quantity(quantity::size, |size| quantity::show_size(*size), &REJECTED, "10GiB")
    });
    section.close();
    Some(Bounds { keep: keep?, files: files?, size: size? })
}

/// How a directory overlaps another one, given with its name and purpose; by their text only.
fn overlap((other, name, what_for): (&Path, &str, &str), dir: &Path) -> Option<String> {
    let says = |relation| format!("`{}` {relation} {name} `{}`", dir.display(), other.display());
    if dir == other {
        Some(format!("is the same directory as {name}, which {what_for}"))
    } else if dir.starts_with(other) {
        Some(format!("{}, which {what_for}", says("lies under")))
    } else if other.starts_with(dir) {
        Some(says("contains"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::config::settings::{Grace, TREES};
    use crate::domain::checksum::ChecksumKind;
    use crate::domain::names::TreeName;
    use crate::format::compress::Compression;

    const CONTRACT: &str = r#"
        [site]
        name     = "Example software repository"
        root     = "/srv/repo/sw"
        state    = "/var/lib/rolloutd"
        base_url = "http://repository.example.org/sw/"

        [[distribution]]
        path      = "umd/3/sl6/x86_64"
        procedure = "egi"
        [distribution.keys]
        "*"        = ["/etc/rolloutd/keys/RPM-GPG-KEY-example"]
        production = ["/etc/rolloutd/keys/RPM-GPG-KEY-release"]
    "#;

    fn tree(name: &str) -> TreeName {
        name.parse().expect("a tree name")
    }

    #[test]
    fn what_is_not_written_has_a_default() {
        let settings = load(CONTRACT, Path::new("rolloutd.toml")).expect("a good configuration");
        assert_eq!(settings.http, Http::default());
        assert_eq!(settings.watch, Watch::default());
        let days = |days: u64| Duration::from_hours(24 * days);
        assert_eq!(settings.intake.rejected, Bounds { keep: days(90), files: 10_000, size: 10 << 30 });
        let with = format!("{CONTRACT}[intake]\nrejected = {{ keep = \"7d\", files = 20, size = \"1GiB\" }}\n");
        let with = load(&with, Path::new("rolloutd.toml")).expect("a good configuration");
        assert_eq!(with.intake.rejected, Bounds { keep: days(7), files: 20, size: 1 << 30 });
        assert_eq!(settings.site.base_url, "http://repository.example.org/sw");
        let [dist] = settings.distributions.as_slice() else { panic!("one distribution") };
        assert_eq!(dist.trees.iter().map(TreeName::as_str).collect::<Vec<_>>(), TREES);
        assert_eq!(dist.grace, Grace::default());
        assert_eq!((dist.checksum, dist.compression, dist.blocks), (ChecksumKind::Sha256, Compression::Gz, true));
        assert_eq!(dist.gpgkey_urls, [""; 0], "the keys beside the generated file");
    }

    #[test]
    fn a_ring_of_its_own_replaces_the_ring_of_all_trees() {
        let settings = load(CONTRACT, Path::new("rolloutd.toml")).expect("a good configuration");
        let keys = &settings.distributions[0].keys;
        assert_eq!(keys.len(), 4);
        assert_eq!(keys[&tree("testing")], [Path::new("/etc/rolloutd/keys/RPM-GPG-KEY-example")]);
        assert_eq!(keys[&tree("production")], [Path::new("/etc/rolloutd/keys/RPM-GPG-KEY-release")]);
    }

    #[test]
    fn a_mistake_in_one_section_hides_none_in_another() {
        let text = CONTRACT.replace("/var/lib", "var/lib").replace("\"egi\"", "\"egy\"") + "[http]\nlisten = 8640\n";
        let complaints = load(&text, Path::new("rolloutd.toml")).expect_err("three mistakes");
        let keys: Vec<&str> = complaints.iter().map(|c| c.at.key.as_str()).collect();
        assert_eq!(keys, ["site.state", "distribution[0].procedure", "http.listen"]);
    }

    /// A piece of a valid file, a piece of syntax, or anything at all.
    fn piece() -> impl Strategy<Value = String> {
        let lines: Vec<String> = CONTRACT.lines().map(|line| format!("{line}\n")).collect();
        let syntax = [
            "[",
            "]",
            "{",
            "}",
            "=",
            "\"",
            "\"\"\"",
            "'",
            "\n",
            ",",
            ".",
            "#",
            "legacy",
            "until = 2027-01-01\n",
            "keys = 1\n",
        ];
        prop_oneof![
            4 => prop::sample::select(lines),
            2 => prop::sample::select(syntax.map(str::to_owned).to_vec()),
            1 => any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn no_text_makes_the_loader_panic_and_every_complaint_has_a_place(
            text in prop::collection::vec(piece(), 0..30).prop_map(|pieces| pieces.concat())
        ) {
            let lines = text.matches('\n').count() + 1;
            match load(&text, Path::new("x.toml")) {
                Ok(settings) => prop_assert!(!settings.distributions.is_empty()),
                Err(complaints) => {
                    prop_assert!(!complaints.is_empty());
                    for complaint in &complaints {
                        prop_assert!((1..=lines).contains(&complaint.at.line), "{complaint}");
                        prop_assert!(!complaint.to_string().contains(char::is_control) || complaint.hint.is_some(), "{complaint:?}");
                    }
                }
            }
        }
    }
}
