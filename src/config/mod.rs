//! The admin's file becomes settings. `config` knows every floor below it; nobody below knows `config`.
//!
//! Text to tree to settings, then a look at the world: `format/document` reads TOML with the
//! position of every value, [`reader`] makes [`settings`] of it, and [`check`] compares them with the
//! disk and the key files. No step stops at a mistake, so all complaints come in one go.

/// What was checked: no `Option` that means "default".
pub mod settings;
/// Single values: paths, addresses, dates.
pub mod values;
/// What the configuration names and the disk holds.
pub mod mentions;
/// `[[distribution]]`.
pub mod distribution;
/// `[[webhook]]` and `[[token]]`.
pub mod actors;
/// The whole file.
pub mod reader;
/// A look at one file or directory.
pub mod files;
/// Root, state and trees.
pub mod directories;
/// Files of the daemon's that belong to somebody else.
pub mod strays;
/// Key rings and the signing key.
pub mod keyfiles;
/// Shared secrets and API tokens.
pub mod secrets;
/// What the logbook has and the configuration no longer says.
pub mod history;
/// The text, and then everything that only the world can tell.
pub mod check;

pub use check::check;
pub use reader::load;
