//! The words an admin types: one file for each command, an `Args` struct whose doc is the help, a
//! `run`, and a pure `show`.

/// What a program ends with, and where its words go.
pub mod exit;
/// The daemon over its HTTP API.
pub mod client;
/// Tables that fit the terminal.
pub mod table;
/// `rolloutd verify`.
pub mod verify;
/// `rolloutd index`.
pub mod index;
/// The configuration and the logbook, for commands that need no daemon.
pub mod offline;
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
/// `rolloutd run`.
pub mod run;
/// `rolloutd demo`.
pub mod demo;
/// `rolloutd gate`.
pub mod gate;
/// `rolloutd check`.
pub mod check;
/// `rolloutctl ...`: all commands that speak to one.
pub mod ctl;
/// `rolloutd ...`: all commands that need no running daemon.
pub mod rolloutd;
