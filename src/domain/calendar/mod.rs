//! The calendar of people: which days are worked, when packages may move, what a planned maintenance needs.
//!
//! A deadline of a person is a date on the wall clock of a site. A wait (exposure, quarantine) is elapsed time and is
//! no business of this module; see `moment`. The time zone is a value that the caller hands in.

/// When the clocks of a zone show a given time.
mod local;
/// Days of the week.
pub mod weekdays;
/// Deadlines that count working days.
pub mod working_days;
/// Some hours of every week.
pub mod weekly;
/// A span between two dates.
pub mod dated;
/// One or the other, as people write it.
pub mod when;
/// Rules for when packages may move, and when that is next.
pub mod windows;
/// When windows open and close.
pub mod changes;
/// The calendar of a site or of a distribution: all of this together.
pub mod site;
/// What a planned maintenance needs before it may be declared.
pub mod maintenance;
