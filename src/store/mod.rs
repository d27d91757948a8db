//! This machine's disk and the logbook. All writing goes through [`disk`].

/// Reads that may never return.
pub mod timed_read;
/// The seam: every change rolloutd makes to the disk.
pub mod disk;
/// One daemon for each site: the locks.
pub mod lock;
/// The layout of a tree on disk.
pub mod tree;
/// Device, inode, size and times: how a change of a file or directory is noticed.
pub mod stamp;
/// Whether open files still have their names.
pub mod foothold;
/// Who owns a tree, and who else could change it.
pub mod ownership;
/// Every decision, in order, hash-chained.
pub mod logbook;
/// The register of people: the identities behind the ids in the logbook.
pub mod people;
/// Files that were refused, and why.
pub mod rejected;
/// Files that people report with.
pub mod reports;
/// Backing up a site's state, and restoring it.
pub mod backup;
/// How long refused files are kept, and which are removed first.
pub mod evidence;
/// Superseded metadata and withdrawn packages, removed after their grace period.
pub mod retirement;
/// Runs a list of independent jobs on several threads.
pub mod thread_pool;
/// Append-only files for data that can be regenerated.
pub mod append_file;
/// How packages' XML is cut into blocks, and what a file built from blocks is.
pub mod blocks;
/// What is known of every package: its identity and its XML.
pub mod index;
/// Compressed blocks, ready to be published.
pub mod block_cache;
/// Compresses missing blocks and writes the metadata files, on all threads.
mod splice;
/// The three metadata files of a tree, assembled from cached blocks.
pub mod assembly;
/// The examination of a package file: the questions, the answers, and both as bytes.
pub mod examination;
/// Work of several owners, bounded in size and taken in turns.
mod turns;
/// Turns a dropped file into an inode of our own, or a refusal.
pub mod intake;
/// Whether the packages that a tree lists are still there.
pub mod presence;
/// New metadata, staged out of sight and published by one rename.
pub mod publication;
/// What a tree shows or holds that the logbook does not know.
pub mod strangers;
/// Reads published packages again to find flipped bits.
pub mod scrub;
/// Carries out a plan on the trees; it can resume anywhere and be repeated.
pub mod promotion;
/// One distribution on disk: its index, its uploads, its trees.
pub mod distribution;
/// Takes over a tree that somebody else made, as it is.
pub mod adoption;
/// The metadata of a directory of packages that rolloutd does not manage.
pub mod folder;
/// Trees as a step would leave them.
pub mod preview;
