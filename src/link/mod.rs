//! The kernel, the clock and other machines. Nothing here knows `store`.

/// The only place that asks for the time.
pub mod clock;
/// Messages to the service manager, and its listening socket.
pub mod supervisor;
/// Hints that something changed in a directory.
pub mod watch;
/// A process gives up everything that it does not need.
pub mod confinement;
/// Questions about an open file, answered by a process that can access nothing else.
pub mod confined;
/// Signed messages to other machines.
pub mod outgoing;
