//! What lies on the disk, read by other eyes than those that wrote it.
//!
//! Nothing here is shared with what makes metadata, but the libraries beneath both and the way in which a checksum
//! is computed: a fault of the publisher must not hide itself (threats S12, invariants I1, I2, I3, I5, I8). So
//! there is a second reader of `repomd.xml` and of the package lists, and files are found by walking, not by
//! asking the index.
//!
//! What never happens: anything is written; a link is followed.

/// `repomd.xml` and the lists of packages.
pub mod metadata;
/// Who else could change what clients fetch.
pub mod access;
/// One published tree, whole.
pub mod tree;
/// What the logbook says should be there.
pub mod account;
