//! Bad days of the people around the daemon, each with a real site: what happens, what is seen, what clients see,
//! and the remedy, followed word for word.

mod configuration;
mod decisions;
mod keys;
mod machines;
mod sites;
pub(crate) mod state;
mod table;
mod trees;
pub(crate) mod uploads;
