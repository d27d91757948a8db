//! A dropped file becomes an inode of our own, or a refusal.
//!
//! ```text
//! <incoming>/<distribution>/...    the drop directory: strangers write here, and nobody serves it
//! <root>/<upload tree>/<distribution>/Packages/...    where packages have their home; the daemon's alone
//! ```
//!
//! What an admin puts into the upload tree itself, as root or as the daemon's user, is taken in the same way.
//!
//! Steps for one file, as in the plan of the house:
//!
//! 1. It is opened below its directory without following links; a regular file with one link.
//! 2. It has been quiet for a while: same inode, size and times in two looks that far apart. Quiet is a
//!    hint only. Whether it is *complete* is decided from its content; a file whose headers promise more
//!    than there is counts as still on its way until [`Limits::incomplete_after`].
//! 3. It is copied to an unnamed inode of the daemon's on the tree's file system, hashed and checked
//!    while it is copied, and synced. **That** inode is judged and published, so whoever still has the
//!    upload open can change nothing.
//! 4. Accepted: the inode gets its canonical name, the index gets its XML, and when that is done for all files of
//!    a look, their directories are synced. The upload itself is removed in a later look, after the logbook
//!    has the acceptance; one that had the canonical name itself goes when its copy has that name for good. A
//!    crash in between finds the upload again, or the copy in its place, and arrives at the same place.
//! 5. Refused: the file moves to `rejected/`, also in a later look.
//!
//! Names that begin with a dot are those of files on their way (rsync's, scp's, an editor's) and are passed over; so is
//! what is ours in the upload tree. In the drop directory a hidden name that has not changed for as long as half a
//! file may stay half is named to whoever left it there.
//!
//! Whoever uploads may make heaps of anything. So owners have turns, in what is looked at as in what is remembered (see
//! [`super::turns`]), a look takes so long at most, and what cannot be handled is tried again a little at a time.
//!
//! A file that cannot be handled, since it lies in a directory that somebody keeps to himself, is named
//! in [`Look::waiting`] and left alone; the others are not held up by it.
//!
//! What never happens: nothing is read through a link, nothing is decided from a file's name, a
//! name that was given is never taken from a package whose bytes were accepted before, and no file that
//! nobody has read yet gives way to another one.

/// What bounds the taking in, and where it happens.
mod gate;
/// What a look finds.
mod look;
/// Uploads under a name of their own, to be removed or read again.
mod aside;
/// What lies where people upload.
mod search;
/// An upload becomes an inode of our own that was judged.
mod copy;
/// A copy gets its name, or puts back what a tree had lost.
mod place;
/// What is known of all uploads between two looks, and the look itself.
mod uploads;

pub use copy::read_again;
pub use gate::{Gate, Limits};
pub use look::{Arrival, Departure, IntakeError, Look};
pub use place::Met;
pub use uploads::Uploads;
