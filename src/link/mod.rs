//! The kernel, the clock and other machines. Nothing here knows `store`.

/// The time, the only place that asks for it.
pub mod clock;
/// What the service manager is told.
pub mod supervisor;
/// Hints that something changed below a directory.
pub mod watch;
/// A process gives up everything that it does not need.
pub mod confinement;
/// Questions about an open file, answered by a process that can reach nothing else.
pub mod confined;
/// Signed messages to other machines.
pub mod outgoing;
