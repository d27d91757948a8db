//! `rolloutctl ...`: commands for a running daemon, one file each.
//!
//! A command's file has its arguments, whose docs are the help, its requests to the daemon and its output. The parser
//! is here.

use clap::{CommandFactory as _, Parser, Subcommand};

use super::client::{Client, Connection};
use super::exit::{Failure, Outcome};
use super::manual;
pub use words::own_name;

/// Output that the commands share.
pub mod words;
/// What many commands ask in the same way.
pub mod ask;
/// `rolloutctl list`.
pub mod list;
/// `rolloutctl show`.
pub mod show;
/// `rolloutctl why`.
pub mod why;
/// `rolloutctl plan`.
pub mod plan;
/// `rolloutctl explain`.
pub mod explain;
/// `rolloutctl log`.
pub mod log;
/// `rolloutctl trees`.
pub mod trees;
/// `packages`, `where`
pub mod packages;
/// `rolloutctl restore`.
pub mod restore;
/// `rolloutctl drop` and `retire`.
pub mod clean;
/// `rolloutctl diff`.
pub mod diff;
/// `rolloutctl procedure`.
pub mod procedure;
/// `rolloutctl calendar`.
pub mod calendar;
/// Packages that are named by files.
mod named;
/// `rolloutctl submit`.
pub mod submit;
/// `rolloutctl move`.
pub mod moving;
/// `rolloutctl give-up`.
pub mod give_up;
/// `rolloutctl lost`.
pub mod lost;
/// `rolloutctl allow`.
pub mod allow;
/// `rolloutctl people`.
pub mod people;
/// `rolloutctl erase`.
pub mod erase;
/// `rolloutctl uploads`.
pub mod uploads;
/// `rolloutctl rejected`.
pub mod rejected;
/// `rolloutctl outbox`.
pub mod outbox;
/// `rolloutctl check`.
pub mod check;
/// `rolloutctl edit` and `cancel`.
pub mod edit;
/// `rolloutctl describe` and `tick`.
pub mod describe;
/// `rolloutctl halt`.
pub mod halt;
/// `rolloutctl stall` and `resume`.
pub mod hold;
/// `rolloutctl notices`.
pub mod notices;
/// `rolloutctl maintenance`.
pub mod maintenance;
/// `rolloutctl team`.
pub mod team;
/// `rolloutctl assign`, `unassign`, `accept` and `reject`.
pub mod adopters;
/// `rolloutctl report`.
pub mod report;
/// `rolloutctl issue`.
pub mod issue;
/// `rolloutctl todo`.
pub mod todo;
/// `rolloutctl bundle` and `update`.
pub mod bundle;
/// `rolloutctl task`.
pub mod task;
/// `rolloutctl change`.
pub mod change;
/// `rolloutctl review`.
pub mod review;
/// `rolloutctl levels`.
pub mod levels;
/// `rolloutctl incident` and `problem`.
pub mod incident;
/// `rolloutctl release`.
pub mod release;
/// `rolloutctl approve`, `extend`, `override`, `note` and `link`.
pub mod dossier;

/// Controls a running rolloutd: rollouts, trees, logbook.
///
/// Example: rolloutctl move rt-1234 StageRollOut --reason "verified by hand"
#[derive(Debug, Parser)]
#[command(name = "rolloutctl", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    connection: Connection,
    /// One JSON document on standard output and nothing else
    ///
    /// A refusal or failure is a problem document (RFC 9457) with the findings; the exit code is the same as without
    /// --json, and standard error stays empty.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Why(why::WhyArgs),
    Todo(todo::TodoArgs),
    Plan(plan::PlanArgs),
    Log(log::LogArgs),
    Explain(explain::ExplainArgs),
    Trees(trees::TreesArgs),
    Packages(packages::PackagesArgs),
    Where(packages::WhereArgs),
    Diff(diff::DiffArgs),
    Restore(restore::RestoreArgs),
    Drop(clean::DropArgs),
    Retire(clean::RetireArgs),
    Procedure(procedure::ProcedureArgs),
    Calendar(calendar::CalendarArgs),
    Submit(submit::SubmitArgs),
    Move(moving::MoveArgs),
    GiveUp(give_up::GiveUpArgs),
    Edit(edit::EditArgs),
    Cancel(edit::CancelArgs),
    Stall(hold::StallArgs),
    Resume(hold::ResumeArgs),
    Describe(describe::DescribeArgs),
    Halt(halt::HaltArgs),
    Maintenance(maintenance::MaintenanceArgs),
    Notices(notices::NoticesArgs),
    Approve(dossier::ApproveArgs),
    Tick(describe::TickArgs),
    Override(dossier::OverrideArgs),
    Extend(dossier::ExtendArgs),
    Assign(adopters::AssignArgs),
    Unassign(adopters::UnassignArgs),
    Accept(adopters::AcceptArgs),
    Reject(adopters::RejectArgs),
    Installed(adopters::InstalledArgs),
    Report(report::ReportArgs),
    Issue(issue::IssueArgs),
    Note(dossier::NoteArgs),
    Link(dossier::LinkArgs),
    Bundle(bundle::BundleArgs),
    Update(bundle::UpdateArgs),
    Task(task::TaskArgs),
    Team(team::TeamArgs),
    Change(change::ChangeArgs),
    Review(review::ReviewArgs),
    Release(release::ReleaseArgs),
    Incident(incident::IncidentArgs),
    Problem(incident::ProblemArgs),
    Levels(levels::LevelsArgs),
    Lost(lost::LostArgs),
    Allow(allow::AllowArgs),
    People(people::PeopleArgs),
    #[command(visible_alias = "forget")]
    Erase(erase::EraseArgs),
    Uploads(uploads::UploadsArgs),
    Rejected(rejected::RejectedArgs),
    Outbox(outbox::OutboxArgs),
    Check(check::CheckArgs),
    /// Prints a completion script for a shell
    ///
    /// Example: source <(rolloutctl completions bash)
    Completions(manual::CompletionsArgs),
}

impl Cli {
    /// Whether its output is one JSON document.
    pub fn json(&self) -> bool {
        self.json
    }
}

/// Runs one command.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(cli: Cli) -> Result<Outcome, Failure> {
    if let Command::Completions(args) = &cli.command {
        return Ok(manual::completions(args, Cli::command()));
    }
    let client = Client::new(&cli.connection)?;
    let json = cli.json;
    match cli.command {
        Command::List(args) => list::run(args, &client, json).await,
        Command::Show(args) => show::run(args, &client, json).await,
        Command::Why(args) => why::run(args, &client, json).await,
        Command::Plan(args) => plan::run(args, &client, json).await,
        Command::Todo(_) => todo::run(&client, json).await,
        Command::Log(args) => log::run(args, &client, json).await,
        Command::Explain(args) => explain::run(args, &client, json).await,
        Command::Trees(args) => trees::run(&client, args, json).await,
        Command::Packages(args) => packages::packages(args, &client, json).await,
        Command::Where(args) => packages::whereabouts(args, &client, json).await,
        Command::Diff(args) => diff::run(args, &client, json).await,
        Command::Restore(args) => restore::run(args, &client, json).await,
        Command::Drop(args) => clean::drop(args, &client, json).await,
        Command::Retire(args) => clean::retire(args, &client, json).await,
        Command::Procedure(args) => procedure::run(args, &client, json).await,
        Command::Calendar(args) => calendar::run(args, &client, json).await,
        Command::Submit(args) => submit::run(args, &client, json).await,
        Command::Move(args) => moving::run(args, &client, json).await,
        Command::GiveUp(args) => give_up::run(args, &client, json).await,
        Command::Edit(args) => edit::edit(args, &client, json).await,
        Command::Cancel(args) => edit::cancel(args, &client, json).await,
        Command::Stall(args) => hold::stall(args, &client, json).await,
        Command::Resume(args) => hold::resume(args, &client, json).await,
        Command::Describe(args) => describe::describe(args, &client, json).await,
        Command::Tick(args) => describe::tick(args, &client, json).await,
        Command::Halt(args) => halt::run(args, &client, json).await,
        Command::Maintenance(args) => maintenance::run(args, &client, json).await,
        Command::Notices(args) => notices::run(args, &client, json).await,
        Command::Approve(args) => dossier::approve(args, &client, json).await,
        Command::Override(args) => dossier::overrule(args, &client, json).await,
        Command::Extend(args) => dossier::extend(args, &client, json).await,
        Command::Assign(args) => adopters::assign(args, &client, json).await,
        Command::Unassign(args) => adopters::unassign(args, &client, json).await,
        Command::Accept(args) => adopters::accept(args, &client, json).await,
        Command::Reject(args) => adopters::reject(args, &client, json).await,
        Command::Installed(args) => adopters::installed(args, &client, json).await,
        Command::Report(args) => report::run(args, &client, json).await,
        Command::Issue(args) => issue::run(args, &client, json).await,
        Command::Note(args) => dossier::note(args, &client, json).await,
        Command::Link(args) => dossier::link(args, &client, json).await,
        Command::Bundle(args) => bundle::run(args, &client, json).await,
        Command::Update(args) => bundle::update(args, &client, json).await,
        Command::Task(args) => task::run(args, &client, json).await,
        Command::Change(args) => change::run(args, &client, json).await,
        Command::Review(args) => review::run(args, &client, json).await,
        Command::Release(args) => release::run(args, &client, json).await,
        Command::Incident(args) => incident::run(args, &client, json).await,
        Command::Levels(args) => levels::run(args, &client, json).await,
        Command::Problem(args) => incident::problem(args, &client, json).await,
        Command::Team(args) => team::run(args, &client, json).await,
        Command::Lost(args) => lost::run(args, &client, json).await,
        Command::Allow(args) => allow::run(args, &client, json).await,
        Command::People(_) => people::run(&client, json).await,
        Command::Erase(args) => erase::run(args, &client, json).await,
        Command::Uploads(_) => uploads::run(&client, json).await,
        Command::Rejected(args) => rejected::run(args, &client, json).await,
        Command::Outbox(_) => outbox::run(&client, json).await,
        Command::Check(_) => Ok(check::run(&client, json).await),
        // It asks no daemon, and has ended above.
        Command::Completions(_) => Ok(Outcome::done(String::new())),
    }
}
