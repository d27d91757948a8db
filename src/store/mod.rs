//! This machine's disk and the logbook. All writing goes through [`disk`].

/// Reading what may never answer.
pub mod patience;
/// The seam: every change rolloutd makes to the disk.
pub mod disk;
/// Who may write here: one daemon for each site.
pub mod lock;
/// Where things lie in a tree.
pub mod tree;
/// What identifies a state of a file or directory.
pub mod stamp;
/// Whether files that are held open still have their names.
pub mod foothold;
/// Whose a tree is: clients fetch only what nobody but the daemon can change.
pub mod ownership;
/// What has been decided, in order, hash-chained.
pub mod logbook;
/// Which identity stands behind which id of the logbook.
pub mod people;
/// Files that were refused, and why.
pub mod rejected;
/// A copy of the state from which a site can go on, and the way back.
pub mod backup;
/// How long refused files are kept, and which go first.
pub mod evidence;
/// Superseded metadata and withdrawn packages, kept until their time has come.
pub mod retirement;
/// Several threads for a list of independent pieces of work.
pub mod thread_pool;
/// Runs of bytes one after another in one file, for what can be made again.
pub mod append_file;
/// Where packages' XML is cut into blocks, and what a file made of them is.
pub mod blocks;
/// What is known of every package: identity and ready-made XML.
pub mod index;
/// Blocks that are ready to be published.
pub mod block_cache;
/// Missing blocks made and files put together, by all threads at once.
mod splice;
/// The three files of a tree, made of blocks from the block cache.
pub mod assembly;
/// What is asked of a package file before it comes in, who answers, and both as bytes.
pub mod examination;
/// What several owners have put somewhere, within a bound and in turns.
mod turns;
/// A dropped file becomes an inode of our own, or a refusal.
pub mod intake;
/// Whether the packages that a tree lists still lie there.
pub mod presence;
/// New metadata, staged where nobody looks, then made visible by one rename.
pub mod publication;
/// What a tree shows or holds that the logbook knows nothing of.
pub mod strangers;
/// Published packages read again, for bits that have changed.
pub mod scrub;
/// A plan carried out on the trees, from any point, any number of times.
pub mod promotion;
/// One distribution on this disk: its index, its uploads, its trees.
pub mod distribution;
/// A tree that somebody else has made, taken under management as it is.
pub mod adoption;
/// A directory of packages that somebody else arranges, and its metadata.
pub mod folder;
