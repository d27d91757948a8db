//! XML 1.0 text, written so that every client can read it, and a strict reader to prove that.

/// What XML can represent, and text written accordingly.
mod write;
/// Proves a finished file by reading it.
mod prove;

pub use prove::{Fault, Proof, prove};
pub use write::{REPLACEMENT, attribute, first_bad_char, is_char, text};
