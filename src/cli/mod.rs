//! The commands that admins type: one file each, with an `Args` struct whose doc is the help, a `run`, and a pure
//! `show`.

/// Exit codes, and where output goes.
pub mod exit;
/// The HTTP client for the daemon's API.
pub mod client;
/// Tables that fit the terminal.
pub mod table;
/// Progress of long work.
pub mod progress;
/// The configuration and the logbook, for commands that need no daemon.
pub mod offline;
/// `rolloutd verify`.
pub mod verify;
/// `rolloutd index`.
pub mod index;
/// `rolloutd fsck`.
pub mod fsck;
/// `rolloutd backup`.
pub mod backup;
/// `rolloutd restore`.
pub mod restore;
/// `rolloutd adopt`.
pub mod adopt;
/// `rolloutd keys`.
pub mod keys;
/// `rolloutd preview`.
pub mod preview;
/// `rolloutd run`.
pub mod run;
/// `rolloutd demo`.
pub mod demo;
/// `rolloutd init`.
pub mod init;
/// `rolloutd man`, and the completions of shells.
pub mod manual;
/// `rolloutd gate`.
pub mod gate;
/// `rolloutd check`.
pub mod check;
/// `rolloutctl ...`: all commands that use a running daemon.
pub mod ctl;
/// `rolloutd ...`: all commands that need no running daemon.
pub mod rolloutd;
