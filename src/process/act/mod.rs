//! What can be asked for, one file each: it reads the state, changes nothing, and returns what to log.

/// A new rollout.
pub mod submit;
/// Another state for a rollout.
pub mod step;
/// A package is given up.
pub mod lose;
/// A tree that somebody else has made comes under management, or leaves it again.
pub mod adopt;
/// A move is given up.
pub mod give_up;
/// Somebody is erased from the register of people.
pub mod erase;
/// What a tracker says.
pub mod hint;
/// Steps that were asked for earlier and have become possible.
pub mod wishes;
/// Work has ended.
pub mod ended;
