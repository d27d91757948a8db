//! Names, states and rules. Nothing here knows a file, a clock or a socket: time is an argument.

/// Escapes untrusted text for people.
pub mod legible;
/// Uploads that are waiting.
pub mod backlog;
/// A moment on both clocks.
pub mod moment;
/// The calendar of people: working days, windows and freezes, planned maintenance.
pub mod calendar;
/// Checksums as repodata spells them.
pub mod checksum;
/// Names of trees, distributions, rollouts and people.
pub mod names;
/// What the logbook writes for a person, and what people read for it.
pub mod people;
/// Why a file stays out: the one table of stable codes.
pub mod refusal;
/// Architectures of packages, and which of them a distribution takes.
pub mod arch;
/// Package identity: name, epoch, version, release, architecture, and their order.
pub mod nevra;
/// Titles, subjects, teams, files and replies as the procedures have people write them.
pub mod naming;
/// Requests for changes: priority, kind and status.
pub mod request;
/// Service levels.
pub mod levels;
/// Incidents and problems.
pub mod incident;
/// What is said of a rollout beside its title: what it is, how urgent, how risky.
pub mod attributes;
/// Whether the facts found about a file are enough to let it in.
pub mod trust;
/// Gates as procedures name them, with their terms.
pub mod terms;
/// What people are told.
pub mod message;
/// Procedures as tables: states, transitions and what each of them moves.
pub mod workflow;
/// One rollout: which packages, in which state.
pub mod rollout;
/// Findings and how they are judged.
pub mod gate;
/// What a tree lists, and what a distribution has accepted.
pub mod listing;
/// What changes for clients between two lists of packages.
pub mod changes;
/// What a transition does to the trees, in a form that can be carried out twice.
pub mod plan;
/// What comes of a test.
pub mod report;
/// What a task asks of a site.
pub mod task;
/// Reviews afterwards.
pub mod review;
