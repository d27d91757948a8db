//! `/api/v1/...`: the resources of the API, one file each.
//!
//! A resource's file has its handlers and their request and response bodies. The bodies are separate types, so that
//! internal changes do not change what other programs read. They are the source of the OpenAPI document, and
//! `rolloutctl` uses the same types.
//!
//! Only `asking` is shared: the caller, checks of text, and problems for refusals. [`routes`] is the table of all
//! routes, and [`Document`] describes the same ones.

use axum::Router;
use axum::routing::{delete, get, patch, post, put};
use utoipa::OpenApi;

use super::context::Context;

/// The caller, checks of text, and problems for refusals.
pub mod asking;
/// Approvals, an extension, overrides, notes and links of a rollout.
pub mod dossier;
/// What is said of a rollout beside its title.
pub mod attributes;
/// What somebody has looked at.
pub mod checks;
/// Lists, shows and creates rollouts.
pub mod rollouts;
/// What stands between a rollout and each next state.
pub mod why;
/// What a step would do.
pub mod plan;
/// Requests a step, or gives one up.
pub mod moves;
/// Edits rollouts and cancels them.
pub mod edits;
/// Halts promotions, and ends a halt.
pub mod halts;
/// Puts rollouts on hold, and gives steps a date.
pub mod holds;
/// What people have to be told.
pub mod notices;
/// Declares maintenances, and calls them off.
pub mod maintenances;
/// The registry of early adopters.
pub mod teams;
/// Teams are asked to test a rollout, and answer.
pub mod adopters;
/// What is told of a rollout's reports.
pub mod report_texts;
/// What teams have found, with their files.
pub mod reports;
/// What whoever asks has to do.
pub mod todo;
/// Issues of a rollout.
pub mod issues;
/// Bundles, and the numbers of updates.
pub mod bundles;
/// Tasks of early adopters.
pub mod tasks;
/// Changes that people ask for.
pub mod changes;
/// Reviews.
pub mod reviews;
/// `/api/v1/levels`
pub mod levels;
/// `/api/v1/tasks/{task}/report` and `issues`
pub mod task_reports;
/// `/api/v1/incidents` and `/api/v1/problems`
pub mod incidents;
/// Releases, and what the board is to be told.
pub mod releases;
/// Gives lost packages up.
pub mod packages;
/// What is where.
pub mod inventory;
/// All trees.
pub mod trees;
/// Restores trees.
pub mod restore;
/// What differs between two trees.
pub mod diff;
/// The procedures in force.
pub mod procedures;
/// When packages may move, and when people work.
pub mod calendar;
/// Entries of the logbook, and its chain.
pub mod log;
/// The people behind the ids in the logbook; erases somebody.
pub mod people;
/// What waits where people upload.
pub mod uploads;
/// Refused files.
pub mod rejected;
/// Notices that are waiting or were given up.
pub mod outbox;

/// The routes in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    rollouts::rollouts,
    rollouts::submit,
    rollouts::rollout,
    why::why,
    plan::plan,
    moves::move_rollout,
    moves::give_up,
    edits::edit,
    edits::cancel,
    holds::stall,
    holds::resume,
    holds::schedule,
    holds::unschedule,
    attributes::describe,
    checks::tick,
    checks::untick,
    halts::halts,
    halts::halt,
    halts::end_halt,
    notices::notices,
    notices::notice,
    notices::notice_told,
    maintenances::maintenances,
    maintenances::declare,
    maintenances::call_off,
    teams::teams,
    teams::team,
    teams::register,
    teams::remove_team,
    adopters::assign,
    adopters::unassign,
    adopters::installed,
    adopters::answer,
    reports::report,
    reports::reports,
    reports::report_file,
    reports::report_template,
    reports::report_summary,
    reports::report_archive,
    reports::publish_report,
    issues::issues,
    issues::note_issue,
    issues::close_issue,
    issues::rank_issue,
    dossier::approve,
    dossier::disapprove,
    dossier::extend,
    dossier::overrule,
    dossier::note,
    dossier::link,
    dossier::unlink,
    todo::todo,
    bundles::bundles,
    bundles::bundle,
    bundles::affected_by,
    bundles::open_bundle,
    bundles::join_bundle,
    bundles::leave_bundle,
    bundles::announce,
    bundles::close_bundle,
    bundles::approve_bundle,
    bundles::move_bundle,
    bundles::corrections,
    bundles::correct_bundle,
    bundles::updates,
    bundles::number_update,
    tasks::tasks,
    tasks::create_tasks,
    tasks::begin_task,
    tasks::extend_task,
    tasks::reassign_task,
    tasks::end_task,
    changes::changes,
    changes::change,
    changes::record_change,
    changes::assess_change,
    changes::approve_change,
    changes::disapprove_change,
    changes::put_change,
    changes::tie,
    changes::untie,
    reviews::reviews,
    reviews::review,
    reviews::answer_review,
    tasks::task,
    task_reports::report_task,
    task_reports::task_report_file,
    task_reports::publish_task_report,
    task_reports::note_task_issue,
    levels::levels,
    incidents::incidents,
    incidents::incident,
    incidents::record_incident,
    incidents::change_incident,
    incidents::close_incident,
    incidents::problems,
    incidents::one_problem,
    incidents::change_problem,
    incidents::close_problem,
    releases::releases,
    releases::releases_calendar,
    releases::release,
    releases::agenda,
    releases::plan_release,
    releases::scope_release,
    releases::told,
    releases::told_of_emergency,
    releases::cancel_release,
    packages::lose,
    packages::allow,
    inventory::packages,
    trees::trees,
    restore::restore_plan,
    restore::restore_tree,
    restore::clean_tree,
    diff::diff,
    procedures::procedures,
    calendar::calendar,
    log::log,
    log::verify_log,
    people::people,
    people::erase,
    uploads::waiting,
    rejected::rejected,
    rejected::drop_rejected,
    outbox::outbox
))]
pub struct Document;

/// All routes of the API.
pub fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/rollouts", get(rollouts::rollouts).post(rollouts::submit))
        .route("/api/v1/rollouts/{id}", get(rollouts::rollout).patch(edits::edit))
        .route("/api/v1/rollouts/{id}/why", get(why::why))
        .route("/api/v1/rollouts/{id}/plan", get(plan::plan))
        .route("/api/v1/rollouts/{id}/move", post(moves::move_rollout))
        .route("/api/v1/rollouts/{id}/give-up", post(moves::give_up))
        .route("/api/v1/rollouts/{id}/cancel", post(edits::cancel))
        .route("/api/v1/rollouts/{id}/stall", post(holds::stall))
        .route("/api/v1/rollouts/{id}/resume", post(holds::resume))
        .route("/api/v1/rollouts/{id}/date", put(holds::schedule).delete(holds::unschedule))
        .route("/api/v1/rollouts/{id}/attributes", patch(attributes::describe))
        .route("/api/v1/rollouts/{id}/checks/{check}", put(checks::tick).delete(checks::untick))
        .route("/api/v1/rollouts/{id}/teams", post(adopters::assign))
        .route("/api/v1/rollouts/{id}/teams/{team}", delete(adopters::unassign))
        .route("/api/v1/rollouts/{id}/teams/{team}/installed", post(adopters::installed))
        .route("/api/v1/rollouts/{id}/teams/{team}/answer", post(adopters::answer))
        .route("/api/v1/rollouts/{id}/teams/{team}/report", post(reports::report))
        .route("/api/v1/rollouts/{id}/teams/{team}/report/file", get(reports::report_file))
        .route("/api/v1/rollouts/{id}/teams/{team}/report/template", get(reports::report_template))
        .route("/api/v1/rollouts/{id}/teams/{team}/report/published", put(reports::publish_report))
        .route("/api/v1/rollouts/{id}/reports", get(reports::reports))
        .route("/api/v1/rollouts/{id}/reports/summary", get(reports::report_summary))
        .route("/api/v1/rollouts/{id}/reports/archive", get(reports::report_archive))
        .route("/api/v1/issues", get(issues::issues))
        .route("/api/v1/rollouts/{id}/issues", post(issues::note_issue))
        .route("/api/v1/rollouts/{id}/issues/close", post(issues::close_issue))
        .route("/api/v1/rollouts/{id}/issues/rank", post(issues::rank_issue))
        .route("/api/v1/rollouts/{id}/approvals", post(dossier::approve).delete(dossier::disapprove))
        .route("/api/v1/rollouts/{id}/extension", post(dossier::extend))
        .route("/api/v1/rollouts/{id}/overrides", post(dossier::overrule))
        .route("/api/v1/rollouts/{id}/notes", post(dossier::note))
        .route("/api/v1/rollouts/{id}/links/{what}", put(dossier::link).delete(dossier::unlink))
        .route("/api/v1/bundles", get(bundles::bundles).post(bundles::open_bundle))
        .route("/api/v1/bundles/{id}", get(bundles::bundle).delete(bundles::close_bundle))
        .route("/api/v1/bundles/{id}/affected", get(bundles::affected_by))
        .route("/api/v1/bundles/{id}/rollouts", post(bundles::join_bundle))
        .route("/api/v1/bundles/{id}/rollouts/{rollout}", delete(bundles::leave_bundle))
        .route("/api/v1/bundles/{id}/notes", put(bundles::announce))
        .route("/api/v1/bundles/{id}/approvals", post(bundles::approve_bundle))
        .route("/api/v1/bundles/{id}/move", post(bundles::move_bundle))
        .route("/api/v1/bundles/{id}/corrections", get(bundles::corrections).post(bundles::correct_bundle))
        .route("/api/v1/updates", get(bundles::updates).post(bundles::number_update))
        .route("/api/v1/tasks", get(tasks::tasks).post(tasks::create_tasks))
        .route("/api/v1/tasks/{task}", get(tasks::task))
        .route("/api/v1/tasks/{task}/report", post(task_reports::report_task))
        .route("/api/v1/tasks/{task}/report/file", get(task_reports::task_report_file))
        .route("/api/v1/tasks/{task}/report/published", put(task_reports::publish_task_report))
        .route("/api/v1/tasks/{task}/issues", post(task_reports::note_task_issue))
        .route("/api/v1/tasks/{task}/begin", post(tasks::begin_task))
        .route("/api/v1/tasks/{task}/extend", post(tasks::extend_task))
        .route("/api/v1/tasks/{task}/reassign", post(tasks::reassign_task))
        .route("/api/v1/tasks/{task}/done", post(tasks::end_task))
        .route("/api/v1/changes", get(changes::changes).post(changes::record_change))
        .route("/api/v1/changes/{id}", get(changes::change))
        .route("/api/v1/changes/{id}/assessment", put(changes::assess_change))
        .route("/api/v1/changes/{id}/approvals", post(changes::approve_change).delete(changes::disapprove_change))
        .route("/api/v1/changes/{id}/status", post(changes::put_change))
        .route("/api/v1/changes/{id}/rollouts", post(changes::tie))
        .route("/api/v1/changes/{id}/rollouts/{rollout}", delete(changes::untie))
        .route("/api/v1/reviews", get(reviews::reviews))
        .route("/api/v1/reviews/{review}", get(reviews::review))
        .route("/api/v1/reviews/{review}/answers", post(reviews::answer_review))
        .route("/api/v1/levels", get(levels::levels))
        .route("/api/v1/incidents", get(incidents::incidents).post(incidents::record_incident))
        .route("/api/v1/incidents/{incident}", get(incidents::incident).post(incidents::change_incident))
        .route("/api/v1/incidents/{incident}/close", post(incidents::close_incident))
        .route("/api/v1/problems", get(incidents::problems))
        .route("/api/v1/problems/{problem}", get(incidents::one_problem).post(incidents::change_problem))
        .route("/api/v1/problems/{problem}/close", post(incidents::close_problem))
        .route("/api/v1/releases", get(releases::releases))
        .route("/api/v1/releases.ics", get(releases::releases_calendar))
        .route("/api/v1/releases/{id}", get(releases::release).put(releases::plan_release))
        .route("/api/v1/releases/{id}", delete(releases::cancel_release))
        .route("/api/v1/releases/{id}/scope", put(releases::scope_release))
        .route("/api/v1/releases/{id}/told", post(releases::told))
        .route("/api/v1/changes/{id}/told", post(releases::told_of_emergency))
        .route("/api/v1/agenda", get(releases::agenda))
        .route("/api/v1/todo", get(todo::todo))
        .route("/api/v1/halts", get(halts::halts).post(halts::halt).delete(halts::end_halt))
        .route("/api/v1/notices", get(notices::notices))
        .route("/api/v1/notices/{notice}", get(notices::notice))
        .route("/api/v1/notices/{notice}/told", post(notices::notice_told))
        .route("/api/v1/maintenances", get(maintenances::maintenances).post(maintenances::declare))
        .route("/api/v1/maintenances/{id}", delete(maintenances::call_off))
        .route("/api/v1/teams", get(teams::teams))
        .route("/api/v1/teams/{team}", get(teams::team).put(teams::register).delete(teams::remove_team))
        .route("/api/v1/packages", get(inventory::packages))
        .route("/api/v1/packages/{nevra}/lost", post(packages::lose))
        .route("/api/v1/packages/{nevra}/allow", post(packages::allow))
        .route("/api/v1/trees", get(trees::trees))
        .route("/api/v1/trees/{tree}/restore", get(restore::restore_plan).post(restore::restore_tree))
        .route("/api/v1/trees/{tree}/clean", post(restore::clean_tree))
        .route("/api/v1/diff", get(diff::diff))
        .route("/api/v1/procedures", get(procedures::procedures))
        .route("/api/v1/calendar", get(calendar::calendar))
        .route("/api/v1/log", get(log::log))
        .route("/api/v1/log/verify", get(log::verify_log))
        .route("/api/v1/people", get(people::people))
        .route("/api/v1/people/{person}", delete(people::erase))
        .route("/api/v1/uploads", get(uploads::waiting))
        .route("/api/v1/rejected", get(rejected::rejected))
        .route("/api/v1/rejected/drop", post(rejected::drop_rejected))
        .route("/api/v1/outbox", get(outbox::outbox))
}
