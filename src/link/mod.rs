//! The kernel, the clock and other machines. Nothing here knows `store`.

/// The time, the only place that asks for it.
pub mod clock;
/// What the service manager is told.
pub mod supervisor;
/// Hints that something changed below a directory.
pub mod watch;
