//! Procedures with the gates that there are: the table is read by `format/procedure`, and may name what `gate` has, and the
//! facts that `message` tells people of.

use std::path::Path;

use super::{gate, message};
use crate::domain::workflow::Workflow;
use crate::format::complaint::Complaint;
use crate::format::procedure;
pub use crate::format::procedure::{BUILT_IN, FILE_MAX, Read};

/// Reads a procedure file, which is called `file` in complaints.
///
/// # Errors
/// All complaints, in the order of the file.
pub fn read(text: &str, file: &Path) -> Result<Read, Vec<Complaint>> {
    procedure::read(text, file, &gate::forms(), message::KINDS)
}

/// A procedure that ships with the program.
pub fn built_in(name: &str) -> Option<Workflow> {
    procedure::built_in(name, &gate::forms(), message::KINDS)
}

/// The names of the procedures that ship with the program.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    procedure::BUILT_IN.iter().map(|(name, _)| *name)
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// The EGI procedure in brief, for tests in which nothing has to wait.
    pub(crate) fn brief() -> Workflow {
        let text = include_str!("../../fixtures/procedures/brief.toml");
        read(text, Path::new("brief.toml")).expect("a procedure").workflow
    }
}
