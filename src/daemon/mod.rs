//! Puts it together, watches over it, ends it.

/// Settings become rules, keys and places.
pub mod prepare;
/// Tasks have names, an owner and an end.
pub mod supervise;
/// The connections of the web server: bounded in number and in patience.
pub mod connections;
/// Keys that are about to expire.
pub mod expiry;
/// Every listed package is read again within a period.
pub mod scrub;
/// Looks at the upload trees when the kernel says so, and now and then anyhow.
pub mod watcher;
/// Packages are read by confined processes.
pub mod sandbox;
/// A tree that somebody else has made comes under management, or leaves it again.
pub mod adopt;
/// The whole daemon.
pub mod assemble;
