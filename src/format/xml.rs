//! XML 1.0 text, written so that every client can read it, and a strict reader to prove it.

/// What XML can carry, and words written so that it does.
mod write;
/// A finished file is read before anybody else does.
mod prove;

pub use prove::{Fault, Proof, prove};
pub use write::{REPLACEMENT, attribute, first_bad_char, is_char, text};
