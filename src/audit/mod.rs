//! An independent check of what is on disk.
//!
//! It shares nothing with the code that makes metadata, except the libraries beneath both and the computation of
//! checksums: a bug of the publisher must not hide itself (threats S12, invariants I1, I2, I3, I5, I8). So there is a
//! second reader of `repomd.xml` and of the package lists, and files are found by searching, not through the index.
//!
//! What never happens: anything is written; a link is followed.

/// `repomd.xml` and the package lists.
pub mod metadata;
/// Who else could change what clients fetch.
pub mod access;
/// One published tree: everything listed, and everything there.
pub mod tree;
/// What the logbook says should be there.
pub mod account;
