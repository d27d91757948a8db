//! Reads one file and makes its part of each metadata file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::walk::Stamp;
use super::{FolderError, Terms};
use crate::domain::refusal::{Code, Refusal};
use crate::format::package::{self, Package, Placed};
use crate::format::reading::{Reading, Signatures, Unread};
use crate::store::append_file::AppendFile;
use crate::store::blocks;
use crate::store::disk::{Disk, DiskError};
use crate::store::index::Place;
use crate::store::tree;

/// A package's part of each file, and the fields in which text was replaced or left out.
type Xml = ([Vec<u8>; 3], Vec<&'static str>);

/// The same with its place in the append file.
pub(super) type Written = (Place, Vec<&'static str>);

/// Reads packages and stores their XML in the append file.
pub(super) struct Reader<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    /// Where packages lie that were reached through links.
    pub(super) behind_links: &'a BTreeMap<String, PathBuf>,
    pub(super) append_file: &'a AppendFile,
    pub(super) terms: &'a Terms,
    pub(super) now: Timestamp,
}

impl Reader<'_> {
    pub(super) fn place(
        &self,
        path: &str,
        stamp: Stamp,
        buffer: &mut [u8],
    ) -> Result<Result<Written, Refusal>, FolderError> {
        match self.xml(path, stamp, buffer) {
            Err(refusal) => Ok(Err(refusal)),
            Ok((xml, replaced)) => {
                let place = Place::write(self.disk, self.append_file, &xml)?.map(|place| (place, replaced));
                Ok(place.ok_or_else(|| Refusal::new(Code::TooLarge, "its metadata is longer than 4 GiB")))
            }
        }
    }

    fn xml(&self, path: &str, stamp: Stamp, buffer: &mut [u8]) -> Result<Xml, Refusal> {
        let unstable = || Refusal::new(Code::Unstable, "it changed while it was being read");
        // A link that was changed since the walk is not followed.
        let real = self.behind_links.get(path).map_or(Path::new(path), PathBuf::as_path);
        let not_regular = |error: DiskError| Refusal::new(Code::NotRegular, error.sentence());
        let mut file = tree::open_beneath(self.dir, real).map_err(not_regular)?;
        let unreadable = |error: std::io::Error| Refusal::new(Code::NotRegular, error.to_string());
        let signatures = if self.terms.gate.is_some() { Signatures::Read } else { Signatures::Skipped };
        let reading = Reading::with(self.terms.checksum, signatures);
        let contents = reading.whole(&mut file, buffer).map_err(|unread| match unread {
            Unread::Refused(refusal) => refusal,
            Unread::Failed(error) => unreadable(error),
        })?;
        let meta = file.metadata().map_err(unreadable)?;
        if Stamp::of(&meta) != stamp {
            return Err(unstable());
        }
        let package = Package::read(&contents.header, &contents.signature_header, &contents.layout)?;
        match &self.terms.gate {
            Some((ring, policy)) => {
                contents.judge(ring, policy, self.now)?;
                package::has_one_kind(&contents.header)?;
            }
            // No signature is required, but bytes that contradict their own digests are damaged.
            None => {
                if let Some(fault) = contents.faults.into_iter().next() {
                    return Err(fault);
                }
            }
        }
        let placed = Placed {
            pkgid: contents.pkgid,
            checksum: self.terms.checksum,
            file_time: u64::try_from(meta.mtime()).unwrap_or_default(),
            package_size: contents.size,
            location: path.to_owned(),
        };
        Ok((blocks::xml_of(&package, &placed), package.replaced_text))
    }
}
