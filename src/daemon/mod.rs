//! Assembles the daemon, supervises it, stops it.

/// Turns settings into rules, keys and paths.
pub mod prepare;
/// Named tasks with an owner and an end.
pub mod supervise;
/// The connections of the web server, and their limits.
pub mod connections;
/// Warns of expiring keys.
pub mod expiry;
/// Reads every listed package again within a period.
pub mod scrub;
/// Has the uploads scanned when the kernel reports changes, and from time to time.
pub mod watcher;
/// Packages are read by confined processes.
pub mod sandbox;
/// Adopts a tree that somebody else made, or releases it.
pub mod adopt;
/// The whole daemon.
pub mod assemble;
