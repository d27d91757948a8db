//! `/healthz` (alive), `/readyz` (503 with reasons until ready and whenever degraded), `/metrics` (OpenMetrics for those
//! who ask for it, and Prometheus' older text format for all others).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use serde::{Deserialize, Serialize};

use super::api::levels;
use super::context::Context;
use super::guesses::Kind;
use crate::domain::backlog::{self, Backlog};
use crate::domain::levels::{BUCKETS, Durations};
use crate::domain::names::DistPath;
use crate::engine::view::View;

/// Whether the daemon is ready, and if not, why.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReadyBody {
    /// Whether recovery is complete and nothing is wrong.
    pub ready: bool,
    /// What is wrong or still in progress.
    pub reasons: Vec<String>,
    /// What uploaders have to fix; clients and moves are not affected.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive")))]
pub async fn alive() -> &'static str {
    "alive\n"
}

/// Whether the daemon is ready.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "Ready", body = ReadyBody), (status = 503, description = "Not ready, or degraded", body = ReadyBody)))]
pub async fn ready(State(context): State<Context>) -> (StatusCode, Json<ReadyBody>) {
    let (reasons, warnings) = {
        let inside = context.engine.shared().read();
        (reasons(&inside), warnings(&inside))
    };
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyBody { ready: reasons.is_empty(), reasons, warnings }))
}

/// What is wrong or still in progress; empty means ready.
pub fn reasons(inside: &View) -> Vec<String> {
    let recovering =
        (!inside.ready).then(|| "recovery is in progress: publishing trees and scanning uploads".to_owned());
    recovering.into_iter().chain(inside.troubles.iter().map(|(what, why)| format!("{what}: {why}"))).collect()
}

/// What somebody has to act on although nothing stops: packages signed by revoked keys, one sentence for each tree, and
/// uploads, one for each distribution.
pub fn warnings(inside: &View) -> Vec<String> {
    let sentence = |(dist, waiting): (&DistPath, &Backlog)| {
        let (first, all) = waiting.trouble()?;
        let more = if all > 1 { format!(" (and {} more)", all - 1) } else { String::new() };
        let remedy = first.kind.remedy();
        Some(format!("uploads {dist}: {}: {}{more}; {remedy}; see `rolloutctl uploads`", first.path, first.why))
    };
    let revoked = inside.revoked.iter().map(|(id, why)| format!("{id} {why}"));
    revoked.chain(inside.uploads.iter().filter_map(sentence)).collect()
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UploadLabels {
    distribution: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TreeLabels {
    distribution: String,
    tree: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    distribution: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    distribution: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DistLabels {
    distribution: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkLabels {
    work: String,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceiverLabels {
    to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabels {
    kind: String,
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Prometheus text, or OpenMetrics for clients that accept it", body = String)))]
pub async fn metrics(State(context): State<Context>, headers: HeaderMap) -> impl IntoResponse {
    let wrong = Kind::ALL.map(|kind| (kind, context.guesses().count(kind)));
    let text = encode(&context.engine.shared().read(), wrong, context.clock().now());
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|kinds| kinds.to_str().ok());
    let (kind, text) = if accepted.any(|kinds| kinds.contains(OPEN_METRICS)) {
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", older(&text))
    };
    ([(header::CONTENT_TYPE, kind)], text)
}

/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// OpenMetrics as Prometheus' older text format: that has neither units nor an end, a counter is called like its sample,
/// and build information is a gauge.
fn older(open_metrics: &str) -> String {
    let kinds = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let kinds: BTreeMap<&str, &str> = kinds.collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        let (rest, suffix) = match [words.next(), words.next(), words.next()] {
            [Some("#"), Some("UNIT" | "EOF"), _] => continue,
            [Some("#"), Some("HELP" | "TYPE"), Some(name)] => match kinds.get(name) {
                Some(&"counter") => (words.next(), Some((name, "_total"))),
                Some(&"info") => {
                    (words.next().map(|rest| if rest == "info" { "gauge" } else { rest }), Some((name, "_info")))
                }
                _ => (None, None),
            },
            _ => (None, None),
        };
        match suffix {
            Some((name, suffix)) => {
                let what = line.get(..6).unwrap_or_default();
                let _ = writeln!(text, "{what} {name}{suffix} {}", rest.unwrap_or_default());
            }
            None => {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

fn encode(inside: &View, wrong: [(Kind, u64); 2], now: jiff::Timestamp) -> String {
    let mut registry = Registry::with_prefix("rolloutd");
    let packages = Family::<TreeLabels, Gauge>::default();
    let revision = Family::<TreeLabels, Gauge>::default();
    let published = Family::<TreeLabels, Gauge>::default();
    let rollouts = Family::<StateLabels, Gauge>::default();
    let ready = Gauge::<i64>::default();
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    ready.set(i64::from(reasons(inside).is_empty()));
    for tree in inside.trees() {
        let labels = TreeLabels { distribution: tree.id.dist.to_string(), tree: tree.id.tree.to_string() };
        packages.get_or_create(&labels).set(clamp(tree.packages));
        revision.get_or_create(&labels).set(clamp(tree.revision));
        published.get_or_create(&labels).set(tree.published.map_or(0, jiff::Timestamp::as_second));
    }
    for (dist, state, number) in inside.world.rollouts.states() {
        let labels = StateLabels { distribution: dist.to_string(), state: state.to_string() };
        rollouts.get_or_create(&labels).set(clamp(number));
    }
    let work = Family::<WorkLabels, prometheus_client::metrics::counter::Counter>::default();
    for (label, (all, failed)) in &inside.worked {
        let of = |outcome: &str| WorkLabels { work: (*label).to_owned(), outcome: outcome.to_owned() };
        work.get_or_create(&of("done")).inc_by(all.saturating_sub(*failed));
        work.get_or_create(&of("failed")).inc_by(*failed);
    }
    let uploads = Family::<UploadLabels, Gauge>::default();
    for (dist, backlog) in &inside.uploads {
        for kind in backlog::Kind::ALL {
            let labels = UploadLabels { distribution: dist.to_string(), kind: kind.to_string() };
            uploads.get_or_create(&labels).set(clamp(backlog.count(kind)));
        }
    }
    registry.register("uploads_waiting", "Uploads that are waiting", uploads);
    let refusals = Family::<RefusalLabels, prometheus_client::metrics::counter::Counter>::default();
    for ((dist, code), number) in &inside.world.packages.refusals {
        let labels = RefusalLabels { distribution: dist.to_string(), code: code.clone() };
        refusals.get_or_create(&labels).inc_by(*number);
    }
    registry.register("refused_files", "Uploaded files that were refused, since the logbook began", refusals);
    register_waiting(&mut registry, inside, now);
    let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program", build);
    let notices = Family::<ReceiverLabels, Gauge>::default();
    for to in inside.rules.outgoing.keys() {
        notices.get_or_create(&ReceiverLabels { to: to.to_string() }).set(0);
    }
    for (to, number) in inside.world.notices.waiting() {
        notices.get_or_create(&ReceiverLabels { to: to.to_string() }).set(clamp(number as u64));
    }
    registry.register("notices_waiting", "Notices that a receiver has not accepted yet", notices);
    let expires = Family::<KeyLabels, Gauge>::default();
    for (key, end) in &inside.rules.expiries {
        expires.get_or_create(&KeyLabels { key: key.clone() }).set(end.as_second());
    }
    registry.register_with_unit("key_expires", "When the key expires", Unit::Seconds, expires);
    registry.register("ready", "1 if recovery is complete and nothing is wrong", ready);
    registry.register("tree_packages", "Packages that the tree's metadata lists", packages);
    registry.register("tree_revision", "Revision of the tree's metadata", revision);
    registry.register_with_unit("tree_published", "When the tree was last published", Unit::Seconds, published);
    registry.register("rollouts", "Rollouts in each state", rollouts);
    registry.register("logbook_entries", "Entries in the logbook", ConstCounter::new(inside.world.last));
    let refused = Family::<CredentialLabels, prometheus_client::metrics::counter::Counter>::default();
    for (kind, number) in wrong {
        refused.get_or_create(&CredentialLabels { kind: kind.as_str().to_owned() }).inc_by(number);
    }
    registry.register("refused_credentials", "Tokens and signatures that were wrong", refused);
    registry.register("work", "Pieces of work that ended", work);
    register_levels(&mut registry, inside, now);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

/// How long rollouts have waited that somebody wants to move as soon as possible.
fn register_waiting(registry: &mut Registry, inside: &View, now: jiff::Timestamp) {
    let mut oldest: BTreeMap<&DistPath, jiff::Timestamp> =
        inside.rules.distributions.keys().map(|dist| (dist, now)).collect();
    for rollout in inside.world.rollouts.waiting() {
        let Some(since) = rollout.wanted.as_ref().map(|wanted| wanted.since) else { continue };
        for part in &rollout.parts {
            let of_dist = oldest.entry(&part.dist).or_insert(now);
            *of_dist = (*of_dist).min(since);
        }
    }
    let ages = Family::<DistLabels, Gauge>::default();
    for (dist, since) in oldest {
        let labels = DistLabels { distribution: dist.to_string() };
        ages.get_or_create(&labels).set(now.duration_since(since).as_secs().max(0));
    }
    let help = "How long the longest-waiting rollout has waited for a step that is wanted as soon as possible";
    registry.register_with_unit("rollout_waiting_longest", help, Unit::Seconds, ages);
}

/// Service levels (S3-39, S3-41).
fn register_levels(registry: &mut Registry, inside: &View, now: jiff::Timestamp) {
    let share = |hundredths: u32| {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(f64::from(hundredths) / 10_000.0);
        gauge
    };
    if let Some(presence) = levels::of(inside, now, None).presence {
        let help = "Share of the measured time in which the daemon ran";
        registry.register_with_unit(
            "availability",
            help,
            Unit::Other("ratio".to_owned()),
            share(presence.availability),
        );
        if let Some(reliability) = presence.reliability {
            let help = "The same of the time without scheduled maintenance";
            registry.register_with_unit("reliability", help, Unit::Other("ratio".to_owned()), share(reliability));
        }
    }
    let of = &inside.world.levels;
    for (name, help, durations) in [
        ("promotion", "From the decision until clients see what was promoted.", &of.promoted),
        ("withdrawal", "From the decision until clients no longer see what was withdrawn.", &of.withdrawn),
        ("people_told", "Until people were told what they have to be told.", &of.told),
        ("notice_delivery", "Until a receiver had its notice.", &of.delivered),
    ] {
        registry.register_collector(Box::new(Histogram { name, help, durations: durations.clone() }));
    }
}

/// How long something has taken since the logbook was begun.
#[derive(Debug)]
struct Histogram {
    name: &'static str,
    help: &'static str,
    durations: Durations,
}

impl Collector for Histogram {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let (counts, sum) = self.durations.histogram();
        let bounds = BUCKETS.iter().map(|seconds| Duration::from_secs(*seconds).as_secs_f64()).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        let mut metric =
            encoder.encode_descriptor(self.name, self.help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fact::{Fact, samples::every_fact};
    use crate::process::trouble::Trouble;

    #[test]
    fn a_daemon_that_recovers_is_not_ready_and_says_so() {
        let mut inside = View::default();
        assert_eq!(reasons(&inside).len(), 1);
        inside.ready = true;
        assert!(reasons(&inside).is_empty());
        inside.troubles.insert(Trouble::Logbook, "the disk is full".into());
        assert_eq!(reasons(&inside), ["logbook: the disk is full"]);
    }

    #[test]
    fn what_uploaders_have_to_put_right_is_a_warning_and_no_reason() {
        let mut inside = View { ready: true, ..View::default() };
        for (n, fact) in every_fact().iter().filter(|fact| matches!(fact, Fact::Submitted(_))).enumerate() {
            inside.world.apply(n as u64 + 1, jiff::Timestamp::UNIX_EPOCH, "me", fact);
        }
        let mut backlog = Backlog::default();
        backlog.add(std::path::Path::new("a.zip"), backlog::Kind::Suffix, "a word", None);
        inside.uploads.insert("d".parse().expect("a path"), backlog.clone());
        assert!(warnings(&inside).is_empty(), "it is named, and nobody has to come for it");
        for name in ["a.rpm", "b.rpm"] {
            backlog.add(std::path::Path::new(name), backlog::Kind::Stuck, "no way in", None);
        }
        inside.uploads.insert("d".parse().expect("a path"), backlog);
        assert!(reasons(&inside).is_empty());
        let [words] = &warnings(&inside)[..] else { panic!("one") };
        assert!(
            words.starts_with(
                "uploads d: a.rpm: no way in (and 1 more); give its directory a group of the daemon's user"
            ),
            "{words}"
        );
        let refused =
            every_fact().into_iter().filter(|fact| matches!(fact, Fact::Refused(_) | Fact::RefusedTogether(_)));
        for (n, fact) in refused.enumerate() {
            inside.world.apply(n as u64 + 100, jiff::Timestamp::UNIX_EPOCH, "rolloutd", &fact);
        }
        let figures = encode(&inside, [(Kind::Token, 0), (Kind::Signature, 0)], jiff::Timestamp::UNIX_EPOCH);
        let figures = figures.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(sorted(&figures));
        insta::assert_snapshot!(sorted(&older(&figures)));
    }

    /// The samples of each metric in order: they come in any.
    fn sorted(figures: &str) -> String {
        let lines: Vec<&str> = figures.lines().collect();
        let mut metrics: Vec<Vec<&str>> =
            lines.chunk_by(|a, b| a.starts_with('#') == b.starts_with('#')).map(<[&str]>::to_vec).collect();
        for metric in metrics.iter_mut().filter(|lines| !lines[0].starts_with('#')) {
            metric.sort_unstable();
        }
        metrics.concat().join("\n")
    }

    #[test]
    fn figures_end_as_the_format_wants() {
        let text = encode(&View::default(), [(Kind::Token, 7), (Kind::Signature, 0)], jiff::Timestamp::UNIX_EPOCH);
        assert!(text.contains("rolloutd_ready 0") && text.ends_with("# EOF\n"), "{text}");
    }
}
