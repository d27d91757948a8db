//! The files of a package.
//!
//! A header names a directory once for any number of files, so a few megabytes of it could expand to terabytes of
//! paths; therefore they are kept as the header has them, and a path is built on demand.

use super::texts::Texts;
use super::{decode, note, shown};
use crate::domain::refusal::{Code, Refusal};
use crate::format::header::{HEADER_MAX, Header, tag};
use crate::format::xml;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Directory and base name as the header has them; absolute except in source packages and from a few unusual build
    /// tools.
    pub path: String,
    /// What kind of file it is.
    pub kind: FileKind,
}

/// The three kinds that filelists distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file, a link, a device.
    Plain,
    /// A directory.
    Dir,
    /// Not in the payload.
    Ghost,
}

/// File type bits of a mode, and the value for a directory.
const MODE_TYPE: u16 = 0o170_000;
const MODE_DIR: u16 = 0o040_000;

/// `RPMFILE_GHOST`.
const FILE_GHOST: u32 = 1 << 6;

impl FileKind {
    fn of(mode: u16, flags: u32) -> Self {
        if mode & MODE_TYPE == MODE_DIR {
            Self::Dir
        } else if flags & FILE_GHOST != 0 {
            Self::Ghost
        } else {
            Self::Plain
        }
    }
}

/// Total length of all file paths of a package: as much as a package from before rpm 4, with full paths in its header,
/// could have. The metadata lists them all.
const PATHS_MAX: u64 = HEADER_MAX;

/// The files of a package in header order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileList {
    dirs: Texts,
    names: Texts,
    /// The directory number of each file.
    places: Vec<u32>,
    kinds: Vec<FileKind>,
}

impl FileList {
    /// Reads the files; the lists must match (H29), and every name must be text that XML can carry.
    ///
    /// Bytes of an unknown code page are left out of a name, as createrepo_c leaves them out, and that is recorded in
    /// `replaced`: old packages have such names, and only what is required by path is looked up by them.
    pub(super) fn read(header: &Header, replaced: &mut Vec<&'static str>) -> Result<Self, Refusal> {
        let list = Self::named(header)?;
        let files = list.names.len();
        let (modes, flags) = (header.count(tag::FILEMODES) as usize, header.count(tag::FILEFLAGS) as usize);
        if modes != files || flags != files {
            let detail = format!("{files} names, {modes} modes, {flags} flags");
            return Err(Refusal::new(Code::FileList, detail));
        }
        let mut kinds = Vec::with_capacity(files);
        kinds.extend(header.u16s(tag::FILEMODES).zip(header.u32s(tag::FILEFLAGS)).map(|(m, f)| FileKind::of(m, f)));
        // Relative paths are listed too (N11): source packages have them for sources, some build tools for everything.
        for path in list.paths() {
            match decode(&path) {
                (name, _) if xml::first_bad_char(&name).is_some() => {
                    return Err(Refusal::new(Code::FileName, format!("file name `{}`", shown(&path))));
                }
                (_, true) => {}
                (_, false) => note(replaced, "file names"),
            }
        }
        Ok(Self { kinds, ..list })
    }

    /// Directory and base name of each; packages from before rpm 4 have full paths instead.
    fn named(header: &Header) -> Result<Self, Refusal> {
        let list = if header.has(tag::BASENAMES) {
            let (names, indexes) = (header.count(tag::BASENAMES), header.count(tag::DIRINDEXES));
            if names != indexes {
                return Err(Refusal::new(Code::FileList, format!("{names} base names, {indexes} directory numbers")));
            }
            let mut places = Vec::with_capacity(names as usize);
            places.extend(header.u32s(tag::DIRINDEXES));
            let (dirs, names) = (header.strings(tag::DIRNAMES), header.strings(tag::BASENAMES));
            Self { dirs: Texts::of(dirs), names: Texts::of(names), places, kinds: Vec::new() }
        } else {
            let names = Texts::of(header.strings(tag::OLDFILENAMES));
            let places = vec![0; names.len()];
            Self { dirs: Texts::of(std::iter::once(&b""[..])), names, places, kinds: Vec::new() }
        };
        if let Some(index) = list.places.iter().find(|index| **index as usize >= list.dirs.len()) {
            return Err(Refusal::new(Code::FileList, format!("no directory number {index}")));
        }
        let bytes = list.parts().flatten().fold(0_u64, |sum, part| sum.saturating_add(part.len() as u64));
        if bytes > PATHS_MAX {
            let detail =
                format!("{} file names of {bytes} bytes in total; at most {PATHS_MAX} are allowed", list.names.len());
            return Err(Refusal::new(Code::HeaderLimits, detail));
        }
        Ok(list)
    }

    fn parts(&self) -> impl Iterator<Item = [&[u8]; 2]> {
        let places = self.places.iter().enumerate();
        places.map(|(file, dir)| [self.dirs.get(*dir as usize), self.names.get(file)])
    }

    fn paths(&self) -> impl Iterator<Item = Vec<u8>> {
        self.parts().map(|parts| parts.concat())
    }

    /// Whether a header has its files in the one directory without a name, where source packages have theirs
    /// (`headerIsSourceHeuristic`). rpm looks at the directories alone, which it first finds in full names where there are
    /// only those.
    pub(super) fn are_sources(header: &Header) -> bool {
        if header.has(tag::DIRNAMES) || !header.has(tag::OLDFILENAMES) {
            return header.count(tag::DIRNAMES) == 1 && header.strings(tag::DIRNAMES).next() == Some(&b""[..]);
        }
        header.strings(tag::OLDFILENAMES).all(|name| !name.contains(&b'/'))
    }

    /// The number of files.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// All of them; each path is built when it is reached.
    pub fn iter(&self) -> impl Iterator<Item = File> {
        let text = |path: Vec<u8>| {
            String::from_utf8(path).unwrap_or_else(|bytes| super::decode(bytes.as_bytes()).0.into_owned())
        };
        self.paths().zip(&self.kinds).map(move |(path, kind)| File { path: text(path), kind: *kind })
    }
}

impl FromIterator<File> for FileList {
    fn from_iter<I: IntoIterator<Item = File>>(files: I) -> Self {
        let mut list = Self { dirs: Texts::of(std::iter::once(&b""[..])), ..Self::default() };
        for File { path, kind } in files {
            list.names.push(path.as_bytes());
            list.places.push(0);
            list.kinds.push(kind);
        }
        list
    }
}
