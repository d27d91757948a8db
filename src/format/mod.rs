//! Bytes to values and back. Nothing here opens a file or reads the clock.

/// XML 1.0 text, written so that every client can read it, and a strict reader to prove it.
pub mod xml;
/// gzip and zstd members that can be concatenated.
pub mod compress;
/// Durations and sizes as people write them.
pub mod quantity;
/// Complaints about files that people write: where, how serious, what is wrong, how to fix it.
pub mod complaint;
/// The word that was probably meant.
pub mod spelling;
/// Syntax errors of TOML: all of them, once each.
pub mod syntax;
/// A TOML document with the position of every value; collects all complaints.
pub mod document;
/// Whether the file of a report is what its name says.
pub mod report_file;
/// Files put together in one.
pub mod tar;
/// Webhook bodies of the generic kind.
pub mod hook;
/// Procedure files.
pub mod procedure;
/// States and transitions as a drawing.
pub mod diagram;
/// Holidays from `.ics` files.
pub mod holidays;
/// A calendar for others to subscribe to.
pub mod schedule;
/// RPM's header structure, read within limits and by rpm's own rules.
pub mod header;
/// The signatures and digests that a package carries.
pub mod signature;
/// RSA signatures over a digest, verified fast.
mod rsa;
/// Key files: from bytes to the certificates of a key ring, and to what clients fetch.
mod keyfile;
/// OpenPGP: key rings, and verifying signatures with them.
pub mod openpgp;
/// Reads a whole package file in pieces: keeps its headers, hashes everything.
pub mod reading;
/// Signs metadata with an OpenPGP key, in constant time.
pub mod signing;
/// What repodata lists about a package, read from its header.
pub mod package;
/// A package's entry in `primary.xml`.
pub mod primary;
/// A package's entry in `filelists.xml`.
pub mod filelists;
/// A package's entry in `other.xml`.
pub mod other;
/// `repomd.xml`: writing and reading.
pub mod repomd;
/// The generated yum `.repo` file.
pub mod repofile;
/// Small signed packages built in memory, for the demo and for tests.
pub mod sample;
