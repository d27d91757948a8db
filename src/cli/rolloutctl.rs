//! `rolloutctl ...`: what people say to a running daemon.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::client::{Client, Connection};
use super::exit::{Exit, Failure, Outcome};
use super::table;
use crate::format::quantity;
use crate::process::fact::count;
use crate::web::api::log::{EntryBody, VerifiedBody};
use crate::web::api::moves::{GiveUpBody, MoveBody, MovedBody};
use crate::web::api::packages::{LoseBody, LostBody};
use crate::web::api::rejected::{DropBody, DroppedBody, RejectedBody};
use crate::web::api::rollouts::{RolloutBody, SubmitBody};
use crate::web::api::trees::TreeBody;
use crate::web::api::uploads::UploadsBody;
use crate::web::api::why::WhyBody;
use crate::web::health::ReadyBody;

/// How long `move` waits for the packages. A promotion of a large bundle takes seconds.
const MOVE_PATIENCE: Duration = Duration::from_mins(1);

/// How long `move` waits on when the daemon says that the packages cannot be moved: it has tried three
/// times then, and what is in the way needs somebody.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(5);

/// How long `check` may take. Monitoring kills a plug-in after ten seconds, and then nobody knows why.
const CHECK_PATIENCE: Duration = Duration::from_secs(8);

/// Speaks to a running rolloutd: rollouts, trees, logbook.
///
/// Example: rolloutctl move rt-1234 StageRollOut --reason "verified by hand"
#[derive(Debug, Parser)]
#[command(name = "rolloutctl", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    connection: Connection,
    /// One JSON document on standard output and nothing else
    ///
    /// What is refused or fails is a problem document (RFC 9457) with the findings; the exit code is the
    /// same as without --json, and standard error stays empty.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists rollouts, newest change first
    ///
    /// Example: rolloutctl list --state InVerification
    List {
        /// Only those in this state, in any spelling that the procedure knows
        #[arg(long)]
        state: Option<String>,
        /// Only those of this distribution
        #[arg(long)]
        distribution: Option<String>,
        /// Only those that name this package, such as bdii-5.2.22-1.el6.noarch
        #[arg(long, value_name = "NEVRA")]
        package: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Shows one rollout: its state, its packages and where they lie, what it can do next
    ///
    /// Example: rolloutctl show rt-1234
    Show {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
    },
    /// Says what stands between a rollout and each state that it can go to
    ///
    /// Example: rolloutctl why rt-1234
    Why {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
    },
    /// Shows the logbook, or a rollout's part of it: the newest entries, oldest first
    ///
    /// Examples: rolloutctl log · rolloutctl log rt-1234 · rolloutctl log --verify
    Log {
        /// Only entries about this rollout
        rollout: Option<String>,
        /// From this number on, instead of the newest
        #[arg(long)]
        from: Option<u64>,
        /// At most so many entries
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Walk the whole hash chain instead: is every entry as it was written?
        #[arg(long, conflicts_with_all = ["rollout", "from", "limit"])]
        verify: bool,
    },
    /// Lists all trees with their revisions and addresses
    ///
    /// Example: rolloutctl trees
    Trees,
    /// Makes a rollout of one or more packages
    ///
    /// Example: rolloutctl submit rt-1234 --distribution umd/3/sl6/x86_64 bdii-5.2.22-1.el6.noarch
    Submit {
        /// Its id: letters, digits and . _ -
        rollout: String,
        /// The packages: name-[epoch:]version-release.arch
        #[arg(required = true)]
        packages: Vec<String>,
        /// The distribution, as in the configuration; may be left out when there is only one
        #[arg(long)]
        distribution: Option<String>,
        /// One line for people
        #[arg(long, default_value = "")]
        title: String,
    },
    /// Moves a rollout to another state; packages move with it where the procedure says so
    ///
    /// Exit codes: 0 when the packages have moved; 1 when the step is refused, or when it is taken and the
    /// packages cannot be moved, with what is in the way. The daemon goes on trying then.
    ///
    /// Example: rolloutctl move rt-1234 Production
    Move {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The state to reach; blanks, dashes and case do not count
        state: String,
        /// Why; goes into the logbook
        #[arg(long, default_value = "")]
        reason: String,
        /// Do not wait until the packages have moved
        #[arg(long)]
        no_wait: bool,
    },
    /// Gives up a move or a withdrawal that was decided and cannot be carried out
    ///
    /// The rollout is in the state before it then. Its packages are listed where they were, and what clients see
    /// otherwise already is put right as soon as the trees are. `rolloutctl show` says what is in the way; what goes
    /// on is not given up. A withdrawal takes a reason, and stays where a key of its packages was revoked.
    ///
    /// Example: rolloutctl give-up rt-1234 --reason "the key was revoked"
    GiveUp {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// Why; goes into the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Gives an accepted package up whose bytes are nowhere any more
    ///
    /// No tree lists it from then on. That is refused as long as any tree may have it. Should the file be found
    /// later, upload it: it comes in again as what was accepted.
    ///
    /// Example: rolloutctl lost bdii-5.2.22-1.el6.noarch --reason "the disk broke, no backup"
    Lost {
        /// The package: name-[epoch:]version-release.arch
        nevra: String,
        /// Why; goes into the logbook
        #[arg(long)]
        reason: String,
        /// The distribution; may be left out when only one has it
        #[arg(long)]
        distribution: Option<String>,
    },
    /// Shows what lies where people upload and is not taken in: why, since when, and what to do
    ///
    /// Exit codes: 0 when nobody has to do anything, 1 when somebody has.
    ///
    /// Example: rolloutctl uploads
    Uploads,
    /// Shows what was refused, why, and what would mend it, newest first; or removes some of it
    ///
    /// The files lie below `rejected/` in the state directory. How long they are kept says `rejected` under
    /// `[intake]` of the configuration.
    ///
    /// Examples: rolloutctl rejected · rolloutctl rejected --from 100 · rolloutctl rejected drop --older-than 7d
    #[command(args_conflicts_with_subcommands = true)]
    Rejected {
        #[command(subcommand)]
        action: Option<RejectedAction>,
        /// Only those of this distribution
        #[arg(long)]
        distribution: Option<String>,
        /// Pass over so many of the newest
        #[arg(long, default_value_t = 0)]
        from: usize,
        /// At most so many files
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Checks the daemon for a monitoring system: one line and an exit code
    ///
    /// Exit codes: 0 OK, 1 WARNING (uploads that somebody has to put right), 2 CRITICAL, 3 UNKNOWN. There is an answer within 8 seconds, also when
    /// the daemon gives none.
    ///
    /// Example: rolloutctl check
    Check,
}

#[derive(Debug, Subcommand)]
enum RejectedAction {
    /// Removes refused files; that they were refused stays in the logbook
    ///
    /// Needs the role admin.
    ///
    /// Examples: rolloutctl rejected drop --older-than 7d · rolloutctl rejected drop --all
    Drop {
        /// Their names, as `rolloutctl rejected` prints them
        #[arg(required_unless_present_any = ["all", "older_than"])]
        names: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with_all = ["names", "older_than"])]
        all: bool,
        /// Those that are kept for longer than this, such as 7d
        #[arg(long, value_name = "TIME", conflicts_with = "names")]
        older_than: Option<String>,
        /// Only those of this distribution
        #[arg(long)]
        distribution: Option<String>,
    },
}

impl Cli {
    /// Whether what it says is one JSON document.
    pub fn json(&self) -> bool {
        self.json
    }
}

/// Carries out one command.
///
/// # Errors
/// When there is no daemon, or it refuses.
pub async fn run(cli: Cli) -> Result<Outcome, Failure> {
    let client = Client::new(&cli.connection)?;
    let json = cli.json;
    let width = table::width();
    match cli.command {
        Command::List { state, distribution, package, limit } => {
            let wanted = [("state", state), ("distribution", distribution), ("package", package)];
            let wanted = wanted.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?))));
            let parts: Vec<String> = std::iter::once("limit=1000".to_owned()).chain(wanted).collect();
            let all: Vec<RolloutBody> = client.pages(&format!("/api/v1/rollouts?{}", parts.join("&")), limit).await?;
            Ok(Outcome::done(if json { document(&all) } else { show_list(&all, width) }))
        }
        Command::Show { rollout } => {
            let one = one(&client, &rollout).await?;
            Ok(Outcome::done(if json { document(&one) } else { show_rollout(&one, &own_name()) }))
        }
        Command::Why { rollout } => {
            let why: Vec<WhyBody> = client.get(&format!("/api/v1/rollouts/{}/why", escape(&rollout))).await?;
            if json {
                return Ok(Outcome::done(document(&why)));
            }
            Ok(Outcome::done(show_why(&one(&client, &rollout).await?, &why)))
        }
        Command::Log { verify: true, .. } => {
            let chain: VerifiedBody = client.get("/api/v1/log/verify").await?;
            let words = format!("the logbook is whole: {} entries, head {}\n", chain.entries, chain.head);
            Ok(Outcome::done(if json { document(&chain) } else { words }))
        }
        Command::Log { rollout, from, limit, .. } => {
            let mut query = format!("/api/v1/log?limit={limit}");
            if let Some(from) = from {
                let _ = write!(query, "&from={from}");
            }
            if let Some(rollout) = rollout {
                let _ = write!(query, "&rollout={}", escape(&rollout));
            }
            let entries: Vec<EntryBody> = client.get(&query).await?;
            Ok(Outcome::done(if json { document(&entries) } else { show_log(&entries, width) }))
        }
        Command::Trees => {
            let trees: Vec<TreeBody> = client.get("/api/v1/trees").await?;
            Ok(Outcome::done(if json { document(&trees) } else { show_trees(&trees, width) }))
        }
        Command::Submit { rollout, packages, distribution, title } => {
            let distribution = match distribution {
                Some(given) => given,
                None => only_distribution(&client).await?,
            };
            let body = SubmitBody { id: rollout, distribution, title, packages };
            let made: RolloutBody = client.post("/api/v1/rollouts", &body).await?;
            let words = format!("{} is made, in state {}.\n{}", made.id, made.state, next_steps(&made, &own_name()));
            Ok(Outcome::done(if json { document(&made) } else { words }))
        }
        Command::Move { rollout, state, reason, no_wait } => {
            let path = format!("/api/v1/rollouts/{}/move", escape(&rollout));
            let moved: MovedBody = client.post(&path, &MoveBody { state, reason }).await?;
            let after = if no_wait { one(&client, &rollout).await? } else { at_rest(&client, &rollout).await? };
            if after.moving && !no_wait {
                return Err(not_moved(&after, &own_name()));
            }
            Ok(Outcome::done(if json { document(&moved) } else { show_moved(&moved, &after, &own_name()) }))
        }
        Command::GiveUp { rollout, reason } => {
            let path = format!("/api/v1/rollouts/{}/give-up", escape(&rollout));
            let moved: MovedBody = client.post(&path, &GiveUpBody { reason }).await?;
            let words = format!("{} is in {} again; what was decided is given up.\n", moved.id, moved.state);
            Ok(Outcome::done(if json { document(&moved) } else { words }))
        }
        Command::Lost { nevra, reason, distribution } => {
            let path = format!("/api/v1/packages/{}/lost", escape(&nevra));
            let lost: LostBody = client.post(&path, &LoseBody { distribution, reason }).await?;
            let words =
                format!("{} is off the lists of {} in {}.\n", lost.nevra, lost.trees.join(", "), lost.distribution);
            Ok(Outcome::done(if json { document(&lost) } else { words }))
        }
        Command::Uploads => {
            let all: Vec<UploadsBody> = client.get("/api/v1/uploads").await?;
            let exit = if all.iter().any(|one| one.troubles > 0) { Exit::Refused } else { Exit::Done };
            Ok(Outcome { text: if json { document(&all) } else { show_uploads(&all) }, exit })
        }
        Command::Rejected { action: None, distribution, from, limit } => {
            let mut query = format!("/api/v1/rejected?from={from}&limit={limit}");
            if let Some(distribution) = distribution {
                let _ = write!(query, "&distribution={}", escape(&distribution));
            }
            let page: RejectedBody = client.get(&query).await?;
            Ok(Outcome::done(if json { document(&page) } else { show_rejected(&page, from) }))
        }
        Command::Rejected { action: Some(RejectedAction::Drop { names, all, older_than, distribution }), .. } => {
            let wanted = names.len() as u64;
            let body = DropBody { distribution, names, older_than, all };
            let gone: DroppedBody = client.post("/api/v1/rejected/drop", &body).await?;
            if gone.files < wanted {
                let why = format!("{} of {wanted} are there and were removed", gone.files);
                return Err(Failure::new(Exit::Refused, why).hint("`rolloutctl rejected` lists the names"));
            }
            let size = quantity::show_size(gone.bytes);
            let words = format!("{} removed, {size}\n", count(gone.files, "file"));
            Ok(Outcome::done(if json { document(&gone) } else { words }))
        }
        Command::Check => Ok(check(&client, json, CHECK_PATIENCE).await),
    }
}

async fn one(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    client.get(&format!("/api/v1/rollouts/{}", escape(rollout))).await
}

/// The rollout as soon as nothing is being moved for it, or as it is when that takes too long.
async fn at_rest(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    let asked = Instant::now();
    let mut in_trouble: Option<Instant> = None;
    loop {
        let now = one(client, rollout).await?;
        in_trouble = now.trouble.as_ref().map(|_| in_trouble.unwrap_or_else(Instant::now));
        let hopeless = in_trouble.is_some_and(|since| since.elapsed() > TROUBLE_PATIENCE);
        if !now.moving || hopeless || asked.elapsed() > MOVE_PATIENCE {
            return Ok(now);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The step is taken, and the packages are not where it wants them.
fn not_moved(after: &RolloutBody, program: &str) -> Failure {
    let why =
        after.trouble.as_deref().unwrap_or("it takes longer than a minute, and nothing is known to be in the way");
    let words = format!("{} is in {}, but its packages have not moved yet: {why}", after.id, after.state);
    let give_up = format!("; what is in the way for good: `{program} give-up {} --reason WHY`", after.id);
    let give_up = after.trouble.as_ref().map_or("", |_| &give_up);
    let hint = format!("the daemon goes on trying; `{program} show {}` tells how far it is{give_up}", after.id);
    Failure::new(Exit::Refused, words).hint(hint)
}

fn show_moved(moved: &MovedBody, after: &RolloutBody, program: &str) -> String {
    let (count, plural) = (moved.packages, if moved.packages == 1 { "package" } else { "packages" });
    let packages = match (count, after.moving) {
        (0, _) => "nothing moved".to_owned(),
        (_, false) => format!("{count} {plural} moved"),
        (_, true) => format!("{count} {plural} on the way; `{program} show {}` tells how far they are", moved.id),
    };
    format!("{} is in {}; {packages}.\n{}", moved.id, moved.state, next_steps(after, program))
}

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

fn document(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// A path or query part: what is not plain is percent-encoded.
fn escape(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, PLAIN).to_string()
}

fn show_list(all: &[RolloutBody], width: usize) -> String {
    if all.is_empty() {
        return "There is no rollout yet. `rolloutctl submit --help` says how to make one.\n".to_owned();
    }
    let row = |r: &RolloutBody| {
        let state = match (r.moving, &r.trouble) {
            (false, _) => r.state.clone(),
            (true, None) => format!("{} (moving)", r.state),
            (true, Some(_)) => format!("{} (held up)", r.state),
        };
        vec![r.id.clone(), state, moment(&r.since), r.packages.len().to_string(), r.title.clone()]
    };
    table::lay_out(&["ROLLOUT", "STATE", "SINCE", "PACKAGES", "TITLE"], &all.iter().map(row).collect::<Vec<_>>(), width)
}

fn show_rollout(r: &RolloutBody, program: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "rollout       {}", r.id);
    let _ = writeln!(text, "title         {}", r.title);
    let _ = writeln!(text, "distribution  {}", r.distribution);
    let moving = if r.moving { "; packages are being moved" } else { "" };
    let _ = writeln!(text, "state         {} since {} by {}{moving}", r.state, moment(&r.since), r.by);
    if let Some(why) = &r.trouble {
        let _ = writeln!(text, "trouble       {why}");
    }
    if let Some(wanted) = &r.wanted {
        let _ = writeln!(text, "wanted        {wanted}, as soon as nothing stands in the way");
    }
    for package in &r.packages {
        let trees = if package.trees.is_empty() { "nowhere".to_owned() } else { package.trees.join(", ") };
        let _ = writeln!(text, "package       {} in {trees}", package.nevra);
    }
    text + &next_steps(r, program)
}

/// A time as people read it; as it came when it is none.
fn moment(at: &str) -> String {
    let read = at.parse::<jiff::Timestamp>();
    read.map_or_else(|_| at.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// How this program was called; the example site has a script of its own for it.
fn own_name() -> String {
    std::env::var("ROLLOUTCTL_AS").unwrap_or_else(|_| "rolloutctl".to_owned())
}

fn next_steps(r: &RolloutBody, program: &str) -> String {
    if r.next.is_empty() {
        return "This is a final state.\n".to_owned();
    }
    let mut text = "next:\n".to_owned();
    let rows: Vec<(String, &str)> =
        r.next.iter().map(|n| (format!("{program} move {} {}", r.id, n.state), n.effect.as_str())).collect();
    let widest = rows.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    for (command, effect) in rows {
        let _ = writeln!(text, "  {command:<widest$}  # {effect}");
    }
    text
}

fn show_why(rollout: &RolloutBody, why: &[WhyBody]) -> String {
    let mut text = String::new();
    if why.is_empty() {
        let _ = writeln!(text, "{} is in {}, which is an end.", rollout.id, rollout.state);
        if let Some(why) = &rollout.trouble {
            let _ = writeln!(text, "Its packages cannot be moved so far: {why}");
        }
    }
    for step in why {
        let _ = writeln!(text, "{}: {}", step.state, step.verdict);
        for finding in &step.findings {
            let _ = writeln!(text, "  {:<11} {} ({})", finding.verdict, finding.sentence, finding.code);
        }
    }
    text
}

fn show_log(entries: &[EntryBody], width: usize) -> String {
    let row = |e: &EntryBody| {
        let says = if e.why.is_empty() { e.says.clone() } else { format!("{} ({})", e.says, e.why) };
        vec![e.seq.to_string(), moment(&e.at), e.who.clone(), says]
    };
    table::lay_out(&["NO.", "WHEN", "WHO", "WHAT"], &entries.iter().map(row).collect::<Vec<_>>(), width)
}

fn show_uploads(all: &[UploadsBody]) -> String {
    let mut text = String::new();
    for one in all.iter().filter(|one| one.total > 0) {
        let _ = writeln!(text, "{}: {} not taken in", one.distribution, count(one.total, "file"));
        for file in &one.files {
            let since = file.since.as_deref().map(|at| format!(" since {}", moment(at))).unwrap_or_default();
            let _ = writeln!(text, "  {} ({}{since})", file.path, file.kind);
            let _ = writeln!(text, "    why:  {}", file.why);
            let _ = writeln!(text, "    to do: {}", file.remedy);
        }
        let more = one.total.saturating_sub(one.files.len() as u64);
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
    }
    if text.is_empty() {
        text.push_str(
            "Nothing waits: everything that was uploaded was taken in or refused; see `rolloutctl rejected`.\n",
        );
    }
    text
}

fn show_rejected(page: &RejectedBody, from: usize) -> String {
    if page.total == 0 {
        return "No refused file is kept.\n".to_owned();
    }
    let mut text = String::new();
    for file in &page.files {
        let since = file.since.as_deref().map(|at| format!(", since {}", moment(at))).unwrap_or_default();
        let times = if file.times > 1 { format!(", {} times", file.times) } else { String::new() };
        let size = quantity::show_size(file.size);
        let _ = writeln!(text, "{} of {} ({size}{since}{times})", file.name, file.distribution);
        let _ = writeln!(text, "  file:    {}", file.file);
        let _ = writeln!(text, "  why:     {} {}", file.code, file.found);
        let _ = writeln!(text, "  to mend: {}", file.remedy);
    }
    let bytes = quantity::show_size(page.bytes);
    let _ = writeln!(text, "{} kept, {bytes}", count(page.total, "file"));
    let next = from + page.files.len();
    if next < page.total {
        let _ = writeln!(text, "more: rolloutctl rejected --from {next}");
    }
    text
}

fn show_trees(trees: &[TreeBody], width: usize) -> String {
    let row = |t: &TreeBody| {
        let published = t.published.as_deref().map_or_else(|| "not yet".to_owned(), moment);
        vec![
            t.distribution.clone(),
            t.tree.clone(),
            t.packages.to_string(),
            t.revision.to_string(),
            published,
            t.url.clone(),
        ]
    };
    let head = ["DISTRIBUTION", "TREE", "PACKAGES", "REVISION", "PUBLISHED", "URL"];
    table::lay_out(&head, &trees.iter().map(row).collect::<Vec<_>>(), width)
}

async fn check(client: &Client, json: bool, patience: Duration) -> Outcome {
    let answers = async {
        let ready: ReadyBody = client.get("/readyz").await?;
        let trees: Vec<TreeBody> = client.get("/api/v1/trees").await?;
        Ok::<_, Failure>((ready, trees))
    };
    let unknown = match tokio::time::timeout(patience, answers).await {
        Ok(Ok((ready, trees))) => return checked(&ready, &trees, json),
        Ok(Err(failure)) => failure.message,
        Err(_) => format!("no answer from {} within {} s", client.url(), patience.as_secs_f32()),
    };
    let text = if json {
        document(&ReadyBody { ready: false, reasons: vec![unknown], warnings: vec![] })
    } else {
        format!("ROLLOUTD UNKNOWN - {}\n", one_line(&unknown))
    };
    Outcome { text, exit: Exit::NoDaemon }
}

fn checked(ready: &ReadyBody, trees: &[TreeBody], json: bool) -> Outcome {
    let packages: u64 = trees.iter().map(|t| t.packages).sum();
    let dirty = trees.iter().filter(|t| t.dirty).count();
    let perfdata = format!("packages={packages};;;0 dirty_trees={dirty};;;0");
    let (word, exit, words) = if !ready.ready {
        ("CRITICAL", Exit::Usage, ready.reasons.iter().chain(&ready.warnings).cloned().collect::<Vec<_>>().join("; "))
    } else if !ready.warnings.is_empty() {
        ("WARNING", Exit::Refused, ready.warnings.join("; "))
    } else {
        ("OK", Exit::Done, format!("{} trees, {packages} packages listed", trees.len()))
    };
    let text = if json { document(ready) } else { format!("ROLLOUTD {word} - {} | {perfdata}\n", one_line(&words)) };
    Outcome { text, exit }
}

/// Monitoring reads one line, and figures after the bar.
fn one_line(words: &str) -> String {
    words.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of a daemon that accepts connections and never says a word.
    async fn client_of_a_mute() -> (Client, tokio::net::TcpListener) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        (Client::new(&Connection { url, token_file: None }).expect("a client"), listener)
    }

    fn held_up(trouble: Option<&str>) -> RolloutBody {
        RolloutBody {
            id: "rt-1".into(),
            distribution: "d".into(),
            title: "a".into(),
            state: "Production".into(),
            since: "2026-11-20T12:00:00Z".into(),
            by: "jane".into(),
            moving: true,
            trouble: trouble.map(str::to_owned),
            wanted: None,
            packages: vec![],
            next: vec![],
        }
    }

    #[test]
    fn a_move_whose_packages_stay_where_they_are_is_not_done() {
        let failure = not_moved(&held_up(Some("could not make the directory")), "rolloutctl");
        assert_eq!(failure.exit, Exit::Refused);
        let words = "rt-1 is in Production, but its packages have not moved yet: could not make the directory";
        assert_eq!(failure.message, words);
        assert!(not_moved(&held_up(None), "rolloutctl").message.contains("longer than a minute"));
    }

    #[test]
    fn what_holds_a_rollout_up_is_shown_wherever_it_is() {
        let held_up = held_up(Some("no room"));
        assert!(show_rollout(&held_up, "rolloutctl").contains("trouble       no room\n"));
        assert!(show_list(std::slice::from_ref(&held_up), 100).contains("Production (held up)"));
        let why = "rt-1 is in Production, which is an end.\nIts packages cannot be moved so far: no room\n";
        assert_eq!(show_why(&held_up, &[]), why);
    }

    #[tokio::test]
    async fn a_check_does_not_wait_for_a_daemon_that_says_nothing() {
        let (client, _mute) = client_of_a_mute().await;
        let outcome = check(&client, false, Duration::from_millis(100)).await;
        assert_eq!(outcome.exit, Exit::NoDaemon);
        assert!(outcome.text.starts_with("ROLLOUTD UNKNOWN - no answer from http://127.0.0.1:"), "{}", outcome.text);
        assert_eq!(outcome.text.lines().count(), 1);
        const { assert!(CHECK_PATIENCE.as_secs() < 10, "monitoring kills after ten") }
    }

    #[tokio::test]
    async fn a_check_that_fails_is_one_document_too() {
        let (client, _mute) = client_of_a_mute().await;
        let outcome = check(&client, true, Duration::from_millis(100)).await;
        let read: ReadyBody = serde_json::from_str(&outcome.text).expect("one document");
        assert!(!read.ready && read.reasons.len() == 1 && outcome.exit == Exit::NoDaemon, "{}", outcome.text);
    }
}
