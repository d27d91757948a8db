//! `rolloutctl submit`: a new rollout of one or more packages.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::ask::escape;
use super::named;
use super::words::{document, next_steps, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::process::fact::count;
use crate::web::api::rollouts::{PartBody, RolloutBody, SubmitBody};
use crate::web::api::trees::TreeBody;

/// Sentences about packages that are not there.
const SHOWN_MAX: usize = 20;

/// Creates a rollout of one or more packages
///
/// A product for several distributions or architectures is one rollout: its packages move together.
///
/// Example: rolloutctl submit rt-1234 --distribution umd/3/sl6/x86_64 bdii-5.2.22-1.el6.noarch
/// umd/3/sl5/i386=bdii-5.2.22-1.el5.noarch
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    /// Its id: letters, digits and . _ -
    rollout: String,
    /// The packages: name-[epoch:]version-release.arch; for another distribution, DISTRIBUTION=PACKAGE
    ///
    /// A pattern in quotes, such as 'bdii-*', stands for all matches in the upload tree; a source package, such as
    /// bdii-5.2.22-1.el6.src, for everything built from it. If none is named, the title selects them by name and
    /// version, and by distribution unless --distribution names one.
    #[arg(required_unless_present_any = ["new", "title", "from"])]
    packages: Vec<String>,
    /// Also the packages that PATH names: a list with one per line, a package, a directory of packages, or - for
    /// standard input
    ///
    /// It is read on this machine: of a package or a directory, only the names are sent.
    #[arg(long, value_name = "PATH")]
    from: Vec<PathBuf>,
    /// Everything in the upload tree that no open rollout names
    #[arg(long)]
    new: bool,
    /// The distribution of packages given without one; may be omitted if there is only one
    #[arg(long)]
    distribution: Option<String>,
    /// One line for people, such as "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL5 x86_64"
    #[arg(long, default_value = "")]
    title: String,
    /// The change that the rollout carries out
    #[arg(long)]
    change: Option<String>,
    /// Copy title, attributes, links and assigned teams from this rollout
    #[arg(long, value_name = "ROLLOUT")]
    like: Option<String>,
    /// The rollout that the new one replaces
    ///
    /// The old one is cancelled if nothing has moved for it. Otherwise it no longer moves forward: it can be withdrawn,
    /// and goes on only if the new one is cancelled or rejected.
    #[arg(long, value_name = "ROLLOUT")]
    supersedes: Option<String>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: SubmitArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let SubmitArgs { rollout, mut packages, from, new, distribution, title, change, like, supersedes } = args;
    packages.extend(named::packages(&from)?);
    let news = match (new, &distribution) {
        (false, _) => None,
        (true, Some(distribution)) => Some(distribution.clone()),
        (true, None) => Some(only_distribution(client).await?),
    };
    let is_titled = packages.is_empty() && !new;
    let only = distribution.clone().filter(|_| is_titled);
    let mut parts = if is_titled { vec![] } else { by_distribution(client, packages, distribution).await? };
    if let Some(distribution) = news {
        match parts.iter_mut().find(|part| part.distribution == distribution) {
            Some(part) => part.new = true,
            None => parts.push(PartBody { distribution, packages: vec![], new: true }),
        }
    }
    let body = SubmitBody { id: rollout, distribution: only, title, packages: vec![], parts, change, like, supersedes };
    let made: RolloutBody = client.post("/api/v1/rollouts", &body).await?;
    let old: Option<RolloutBody> = match body.supersedes.as_deref().filter(|_| !json) {
        Some(old) => Some(client.get(&format!("/api/v1/rollouts/{}", escape(old))).await?),
        None => None,
    };
    if json {
        return Ok(Outcome::done(document(&made)));
    }
    let mut words = format!("created rollout {} in state {}.\n", made.id, made.state);
    if let Some(old) = old {
        let end = if old.cancelled { "is cancelled, since nothing of it had moved" } else { "goes no further" };
        let _ = writeln!(words, "{} {end}.", old.id);
    }
    words.push_str(&what_is_missing(&made));
    words.push_str(&next_steps(&made, &own_name()));
    Ok(Outcome::done(words))
}

/// Which packages are not there, and what is to be said of them.
fn what_is_missing(made: &RolloutBody) -> String {
    if made.absent.is_empty() {
        return String::new();
    }
    let all = count(made.packages.len(), "package");
    let mut words = format!("In no tree: {} of {all}:\n", made.absent.len());
    for finding in made.absent.iter().take(SHOWN_MAX) {
        let _ = writeln!(words, "  {}", finding.sentence);
    }
    if made.absent.len() > SHOWN_MAX {
        let _ = writeln!(words, "  and {} more", made.absent.len() - SHOWN_MAX);
    }
    words
}

/// Packages by distribution, each `PACKAGE` or `DISTRIBUTION=PACKAGE`.
pub(super) async fn by_distribution(
    client: &Client,
    packages: Vec<String>,
    distribution: Option<String>,
) -> Result<Vec<PartBody>, Failure> {
    let distribution = match distribution {
        None if packages.iter().any(|package| !package.contains('=')) => Some(only_distribution(client).await?),
        given => given,
    };
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let (dist, package) = match package.split_once('=') {
            Some((dist, package)) => (dist.to_owned(), package.to_owned()),
            None => (distribution.clone().unwrap_or_default(), package),
        };
        parts.entry(dist).or_default().push(package);
    }
    let part = |(distribution, packages)| PartBody { distribution, packages, new: false };
    Ok(parts.into_iter().map(part).collect())
}

/// The distribution, if there is only one.
async fn only_distribution(client: &Client) -> Result<String, Failure> {
    let trees: Vec<TreeBody> = client.get("/api/v1/trees").await?;
    let mut known: Vec<String> = trees.into_iter().map(|tree| tree.distribution).collect();
    known.dedup();
    match known.as_slice() {
        [only] => Ok(only.clone()),
        _ => Err(Failure::new(Exit::Usage, "there are several distributions")
            .hint(format!("add --distribution and one of {}", known.join(", ")))),
    }
}
