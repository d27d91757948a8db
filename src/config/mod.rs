//! Turns the admin's file into settings. `config` knows every floor below it; nobody below knows `config`.
//!
//! Text to tree to settings, then a look at the disk: `format/document` reads TOML with the position of every value,
//! [`reader`] turns it into [`settings`], and [`check`] compares them with the disk and the key files. No step stops at
//! an error, so all complaints are reported at once.

/// The checked settings: no `Option` that means "default".
pub mod settings;
/// Single values: paths, addresses, dates.
pub mod values;
/// The files, directories and exceptions that the configuration mentions.
pub mod mentions;
/// `[calendar]`, and the windows of distributions.
pub mod calendar;
/// `[changes]`: how changes are handled.
pub mod changes;
/// `[incidents]`: how incidents are handled.
pub mod incidents;
/// `[service_levels]`: what was agreed.
pub mod levels;
/// `[[distribution]]`.
pub mod distribution;
/// `[[webhook]]` and `[[token]]`.
pub mod actors;
/// The whole file.
pub mod reader;
/// Checks one file or directory.
pub mod files;
/// Root, state and trees.
pub mod directories;
/// The daemon's files that belong to somebody else.
pub mod strays;
/// Time zones and days off.
pub mod almanac;
/// The calendar on this machine.
pub mod holidays;
/// Key rings and the signing key.
pub mod keyfiles;
/// Shared secrets and API tokens.
pub mod secrets;
/// What the logbook has and the configuration no longer mentions.
pub mod history;
/// Every key, in the file that `rolloutd init` prints.
pub mod reference;
/// The text, and then everything that only the disk and the clock can tell.
pub mod check;

pub use check::check;
pub use reader::load;
