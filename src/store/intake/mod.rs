//! Turns a dropped file into an inode of our own, or a refusal.
//!
//! ```text
//! <incoming>/<distribution>/...    the drop directory: strangers write here; not served
//! <root>/<upload tree>/<distribution>/Packages/...    accepted packages; only the daemon writes here
//! ```
//!
//! A file that an admin puts into the upload tree itself, as root or as the daemon's user, is taken in the same way.
//!
//! Steps for one file:
//!
//! 1. It is opened below its directory without following links; it must be a regular file with one link.
//! 2. It has not changed for a while: same inode, size and times in two scans that far apart. This is only a hint. Its
//!    content decides whether it is *complete*; a file whose headers promise more than is there counts as still being
//!    uploaded until [`Limits::incomplete_after`].
//! 3. It is copied to an unnamed inode of the daemon's on the tree's file system, hashed and checked while it is
//!    copied, and synced. **That** inode is judged and published, so whoever still has the upload open cannot change
//!    anything.
//! 4. Accepted: the inode gets its canonical name, the index gets its XML, and after all files of a scan, their
//!    directories are synced. The upload itself is removed in a later scan, after the logbook has recorded the
//!    acceptance; if it had the canonical name, it is removed once its copy has that name durably. After a crash in
//!    between, the upload is found again, or the copy in its place, with the same result.
//! 5. Refused: the file moves to `rejected/`, also in a later scan.
//!
//! Names that begin with a dot belong to uploads in progress (rsync, scp, editors) and are skipped; so are our own
//! files in the upload tree. A hidden name in the drop directory that has not changed for as long as an incomplete file
//! may stay is reported to its owner.
//!
//! Anybody who uploads can pile up anything. So owners take turns, both in what is examined and in what is remembered
//! (see [`super::turns`]), the time of a scan is limited, and files that cannot be handled are retried a few at a time.
//!
//! A file that cannot be handled, because its directory is not accessible, is reported in [`Look::waiting`] and left
//! alone; it does not hold up the others.
//!
//! What never happens: anything is read through a link; anything is decided from a file's name; a name is taken from a
//! package whose bytes were accepted before; a file that nobody has read yet is replaced by another one.

/// What is required, and the limits.
mod gate;
/// The result of a scan.
mod look;
/// Moves uploads aside.
mod aside;
/// What uploaders read of refused files.
mod refused_list;
/// Finds uploads.
mod search;
/// Copies an upload to an inode of our own, and judges it.
mod copy;
/// Gives a copy its name, or restores what a tree had lost.
pub mod place;
/// What is known of all uploads between two scans, and the scan itself.
mod uploads;

pub use copy::read_again;
pub use gate::{Gate, Limits};
pub use look::{Arrival, Departure, IntakeError, Look};
pub use place::Met;
pub use refused_list::RefusedList;
pub use uploads::{Clock, Uploads};
