//! The naming conventions of the procedures: what people and trackers write as text, as values that can be parsed and
//! written again.
//!
//! Source: seed S0, "Naming conventions" and steps 6, 10, 12 and 13. All text here comes from outside. Parsing it takes
//! bounded time, never panics, and explains to people what is wrong and what is right.

/// A convention in words, and the error for text that does not follow it.
pub mod convention;
/// Stack, component, version, operating system, architecture.
pub mod part;
/// What a rollout is about.
pub mod subject;
/// Titles of rollouts, in both forms.
pub mod title;
/// Subjects of issues found in a rollout.
pub mod issue_subject;
/// Teams of early adopters.
pub mod team;
/// File names of reports and summaries.
pub mod report_file;
/// Descriptions of documents that hold the reports.
pub mod document;
/// The lines of a mail that its sender wrote.
mod mail_text;
/// A team's reply to the request to test.
pub mod reply;
