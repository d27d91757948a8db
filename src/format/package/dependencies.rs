//! What a package requires, provides, conflicts with and so on.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::texts::Texts;
use super::{FileList, identity, is_primary, note};
use crate::domain::nevra::vercmp;
use crate::domain::refusal::{Code, Refusal};
use crate::format::header::{Header, tag};

/// Maximum number of dependencies of all kinds: about ten times the largest real package. Comparing requirements with
/// everything provided takes more memory than the text itself, so the header limit alone is not enough.
const DEPENDENCIES_MAX: u64 = 1 << 18;

/// One dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency<'a> {
    /// Name, or a rich expression in parentheses.
    pub name: &'a str,
    /// `LT`, `GT`, `EQ`, `LE` or `GE`, when there is a comparison.
    pub flags: Option<&'static str>,
    /// Epoch as repodata writes it, if there is a version.
    pub epoch: Option<&'a str>,
    /// Version.
    pub version: Option<&'a str>,
    /// Release.
    pub release: Option<&'a str>,
    /// Needed before installation (`pre`).
    pub pre: bool,
}

/// Dependencies of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyList {
    /// For each: its name, and its epoch, version and release as the header has them.
    words: Texts,
    senses: Vec<Sense>,
}

/// All dependencies of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// What it provides.
    pub provides: DependencyList,
    /// What it requires.
    pub requires: DependencyList,
    /// What it conflicts with.
    pub conflicts: DependencyList,
    /// What it obsoletes.
    pub obsoletes: DependencyList,
    /// Weak, forward, optional.
    pub suggests: DependencyList,
    /// Weak, backward, optional.
    pub enhances: DependencyList,
    /// Weak, forward, recommended.
    pub recommends: DependencyList,
    /// Weak, backward, recommended.
    pub supplements: DependencyList,
}

/// The rest of a dependency besides its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sense {
    comparison: Option<Comparison>,
    pre: bool,
}

/// How a version is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Comparison {
    Less,
    Greater,
    Equal,
    LessOrEqual,
    GreaterOrEqual,
}

impl Comparison {
    fn of(flags: u32) -> Option<Self> {
        match flags & sense::COMPARISON {
            2 => Some(Self::Less),
            4 => Some(Self::Greater),
            8 => Some(Self::Equal),
            10 => Some(Self::LessOrEqual),
            12 => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Less => "LT",
            Self::Greater => "GT",
            Self::Equal => "EQ",
            Self::LessOrEqual => "LE",
            Self::GreaterOrEqual => "GE",
        }
    }
}

impl DependencyList {
    /// Adds a dependency: its name, the bits of `RPMSENSE_*` that say how a version is compared, epoch, version and
    /// release in one string, and whether it is needed before installation.
    pub fn push(&mut self, name: &str, flags: u32, evr: &str, pre: bool) {
        self.words.push(name.as_bytes());
        self.words.push(evr.as_bytes());
        self.senses.push(Sense { comparison: Comparison::of(flags), pre });
    }

    /// The number of dependencies.
    pub fn len(&self) -> usize {
        self.senses.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.senses.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Dependency<'_>> {
        let word = |number| str::from_utf8(self.words.get(number)).unwrap_or_default();
        self.senses.iter().enumerate().map(move |(number, sense)| {
            let (name, evr) = (word(2 * number), word(2 * number + 1));
            let flags = sense.comparison.map(Comparison::as_str);
            if evr.is_empty() {
                return Dependency { name, flags, epoch: None, version: None, release: None, pre: sense.pre };
            }
            let (epoch, rest) = split_epoch(evr);
            let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
            let some = |part| Some(part).filter(|part: &&str| !part.is_empty());
            let epoch = some(epoch).or(Some("0"));
            Dependency { name, flags, epoch, version: some(version), release: some(release), pre: sense.pre }
        })
    }
}

fn split_epoch(evr: &str) -> (&str, &str) {
    evr.split_once(':').unwrap_or(("0", evr))
}

/// `RPMSENSE_*`: the bits of a dependency's flags that repodata shows.
mod sense {
    pub(super) const COMPARISON: u32 = 0xf;
    /// Needed before or during installation: `PREREQ`, `SCRIPT_PRE`, `SCRIPT_POST`, `PRETRANS`, `POSTTRANS`, but not
    /// what removal needs (`SCRIPT_PREUN`, `SCRIPT_POSTUN`).
    pub(super) const PRE: u32 = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 7 | 1 << 5;
    /// Old way to mark a weak requirement.
    pub(super) const MISSINGOK: u32 = 1 << 19;
    /// Old way to mark a recommendation among suggestions, and a supplement among enhancements.
    pub(super) const STRONG: u32 = 1 << 27;
}

/// One dependency as the header has it.
#[derive(Clone, Copy)]
struct Raw<'a> {
    name: &'a [u8],
    flags: u32,
    evr: &'a [u8],
}

/// The text of a dependency.
struct Text<'a> {
    name: Cow<'a, str>,
    evr: Cow<'a, str>,
}

/// What makes two dependencies with the same name equal to a client.
type Words<'a> = (Option<Comparison>, &'a [u8]);

impl<'a> Raw<'a> {
    fn words(self) -> Words<'a> {
        (Comparison::of(self.flags), self.evr)
    }

    fn is_pre(self) -> bool {
        self.flags & sense::PRE != 0
    }

    /// Its name and version as text; `None`, and a note, for one without a name or with an epoch that is not a number,
    /// which createrepo_c leaves out and no client could compare.
    fn text(self, what: &'static str, replaced: &mut Vec<&'static str>) -> Result<Option<Text<'a>>, Refusal> {
        let name = identity(self.name, what)?;
        if name.is_empty() {
            note(replaced, what);
            return Ok(None);
        }
        let evr = identity(self.evr, what)?;
        if !split_epoch(&evr).0.bytes().all(|b| b.is_ascii_digit()) {
            note(replaced, what);
            return Ok(None);
        }
        Ok(Some(Text { name, evr }))
    }
}

/// The tags of names, flags and versions of one kind of dependency, and its name.
struct Kind {
    what: &'static str,
    tags: [u32; 3],
}

const PROVIDES: Kind = Kind { what: "provides", tags: [tag::PROVIDENAME, tag::PROVIDEFLAGS, tag::PROVIDEVERSION] };
const REQUIRES: Kind = Kind { what: "requires", tags: [tag::REQUIRENAME, tag::REQUIREFLAGS, tag::REQUIREVERSION] };
const CONFLICTS: Kind = Kind { what: "conflicts", tags: [tag::CONFLICTNAME, tag::CONFLICTFLAGS, tag::CONFLICTVERSION] };
const OBSOLETES: Kind = Kind { what: "obsoletes", tags: [tag::OBSOLETENAME, tag::OBSOLETEFLAGS, tag::OBSOLETEVERSION] };
const SUGGESTS: Kind = Kind { what: "suggests", tags: [tag::SUGGESTNAME, tag::SUGGESTFLAGS, tag::SUGGESTVERSION] };
const ENHANCES: Kind = Kind { what: "enhances", tags: [tag::ENHANCENAME, tag::ENHANCEFLAGS, tag::ENHANCEVERSION] };
const RECOMMENDS: Kind =
    Kind { what: "recommends", tags: [tag::RECOMMENDNAME, tag::RECOMMENDFLAGS, tag::RECOMMENDVERSION] };
const SUPPLEMENTS: Kind =
    Kind { what: "supplements", tags: [tag::SUPPLEMENTNAME, tag::SUPPLEMENTFLAGS, tag::SUPPLEMENTVERSION] };
const OLD_SUGGESTS: Kind =
    Kind { what: "suggests", tags: [tag::OLDSUGGESTSNAME, tag::OLDSUGGESTSFLAGS, tag::OLDSUGGESTSVERSION] };
const OLD_ENHANCES: Kind =
    Kind { what: "enhances", tags: [tag::OLDENHANCESNAME, tag::OLDENHANCESFLAGS, tag::OLDENHANCESVERSION] };

const ALL: [Kind; 10] =
    [PROVIDES, REQUIRES, CONFLICTS, OBSOLETES, SUGGESTS, ENHANCES, RECOMMENDS, SUPPLEMENTS, OLD_SUGGESTS, OLD_ENHANCES];

/// Three parallel lists, which must have the same length (N13). Packages from before rpm 3.0.3 have provides without
/// versions, and then neither flags nor versions at all.
fn list<'a>(header: &'a Header, kind: &Kind) -> Result<impl Iterator<Item = Raw<'a>>, Refusal> {
    let [names, flags, versions] = kind.tags.map(|number| header.count(number));
    let only_names = flags == 0 && versions == 0;
    if !only_names && (names != flags || names != versions) {
        let detail = format!("{}: {names} names, {flags} flags, {versions} versions", kind.what);
        return Err(Refusal::new(Code::DepList, detail));
    }
    // What is absent is empty for each of the names.
    let lacking = if only_names { usize::MAX } else { 0 };
    let flags = header.u32s(kind.tags[1]).chain(std::iter::repeat_n(0, lacking));
    let versions = header.strings(kind.tags[2]).chain(std::iter::repeat_n(&b""[..], lacking));
    Ok(header.strings(kind.tags[0]).zip(flags.zip(versions)).map(|(name, (flags, evr))| Raw { name, flags, evr }))
}

impl Dependencies {
    /// All kinds with their names in repodata, in the order of repodata.
    pub fn lists(&self) -> [(&'static str, &DependencyList); 8] {
        [
            ("provides", &self.provides),
            ("requires", &self.requires),
            ("conflicts", &self.conflicts),
            ("obsoletes", &self.obsoletes),
            ("suggests", &self.suggests),
            ("enhances", &self.enhances),
            ("recommends", &self.recommends),
            ("supplements", &self.supplements),
        ]
    }

    /// Reads the dependencies of a package with these files; adds to `replaced` the kinds from which one was left out.
    pub(super) fn read(header: &Header, files: &FileList, replaced: &mut Vec<&'static str>) -> Result<Self, Refusal> {
        let count = ALL.iter().map(|kind| u64::from(header.count(kind.tags[0]))).sum::<u64>();
        if count > DEPENDENCIES_MAX {
            let detail = format!("{count} dependencies; at most {DEPENDENCIES_MAX} are allowed");
            return Err(Refusal::new(Code::HeaderLimits, detail));
        }
        // Weak requirements come before recommendations.
        let mut all = Self::default();
        all.read_requires(header, files, replaced)?;
        let mut read = |kind: &Kind, weak: &mut DependencyList, mut strong: Option<&mut DependencyList>| {
            for raw in list(header, kind)? {
                let Some(Text { name, evr }) = raw.text(kind.what, replaced)? else { continue };
                let of_its_own = strong.as_deref_mut().filter(|_| raw.flags & sense::STRONG != 0);
                of_its_own.unwrap_or(&mut *weak).push(&name, raw.flags, &evr, false);
            }
            Ok(())
        };
        read(&PROVIDES, &mut all.provides, None)?;
        read(&CONFLICTS, &mut all.conflicts, None)?;
        read(&OBSOLETES, &mut all.obsoletes, None)?;
        read(&SUGGESTS, &mut all.suggests, None)?;
        read(&ENHANCES, &mut all.enhances, None)?;
        read(&SUPPLEMENTS, &mut all.supplements, None)?;
        read(&RECOMMENDS, &mut all.recommends, None)?;
        read(&OLD_SUGGESTS, &mut all.suggests, Some(&mut all.recommends))?;
        read(&OLD_ENHANCES, &mut all.enhances, Some(&mut all.supplements))?;
        Ok(all)
    }

    fn read_requires(
        &mut self,
        header: &Header,
        files: &FileList,
        replaced: &mut Vec<&'static str>,
    ) -> Result<(), Refusal> {
        let mut known = Known::of(header, files)?;
        let mut libc: Option<(Text<'_>, Raw<'_>)> = None;
        for raw in list(header, &REQUIRES)? {
            if raw.name.starts_with(b"rpmlib(") || known.is_provided(raw) || known.is_what_was_said_last(raw) {
                continue;
            }
            let Some(Text { name, evr }) = raw.text(REQUIRES.what, replaced)? else { continue };
            if known.own_files.contains(&*name) {
                continue;
            }
            if raw.flags & sense::MISSINGOK != 0 {
                self.recommends.push(&name, raw.flags, &evr, false);
            } else if name.starts_with("libc.so.6") {
                if libc.as_ref().is_none_or(|(kept, _)| is_higher(&name, &kept.name)) {
                    libc = Some((Text { name, evr }, raw));
                }
            } else {
                known.say(raw);
                self.requires.push(&name, raw.flags, &evr, raw.is_pre());
            }
        }
        if let Some((Text { name, evr }, raw)) = libc {
            self.requires.push(&name, raw.flags, &evr, raw.is_pre());
        }
        Ok(())
    }
}

/// What decides that a requirement need not be listed.
struct Known<'a> {
    /// For each name, the last requirement that is listed.
    last: HashMap<&'a [u8], Option<(Words<'a>, bool)>>,
    /// What is provided under one of these names.
    provided: HashSet<(&'a [u8], Words<'a>)>,
    /// Required files that `primary.xml` lists.
    own_files: HashSet<String>,
}

impl<'a> Known<'a> {
    fn of(header: &'a Header, files: &FileList) -> Result<Self, Refusal> {
        let mut last = HashMap::with_capacity(header.count(REQUIRES.tags[0]) as usize);
        let (mut asks_for_files, mut by_text) = (false, HashSet::new());
        for raw in list(header, &REQUIRES)? {
            last.insert(raw.name, None);
            let name = identity(raw.name, REQUIRES.what).unwrap_or_default();
            if is_primary(&name) {
                asks_for_files = true;
                // Latin-1, which has another name as text.
                by_text.extend(Some(name).filter(|name| matches!(name, Cow::Owned(_))));
            }
        }
        let provided = list(header, &PROVIDES)?.filter(|raw| last.contains_key(raw.name));
        let provided = provided.map(|raw| (raw.name, raw.words())).collect();
        let is_required = |path: &str| last.contains_key(path.as_bytes()) || by_text.contains(path);
        let own = files.iter().map(|file| file.path).filter(|path| is_primary(path) && is_required(path));
        let own_files = if asks_for_files { own.collect() } else { HashSet::new() };
        Ok(Self { last, provided, own_files })
    }

    fn is_provided(&self, raw: Raw<'a>) -> bool {
        self.provided.contains(&(raw.name, raw.words()))
    }

    fn is_what_was_said_last(&self, raw: Raw<'a>) -> bool {
        self.last.get(raw.name) == Some(&Some((raw.words(), raw.is_pre())))
    }

    fn say(&mut self, raw: Raw<'a>) {
        self.last.insert(raw.name, Some((raw.words(), raw.is_pre())));
    }
}

/// Whether `libc.so.6(GLIBC_2.4)(64bit)` is higher than another one, by the number in the first parentheses; below any
/// number come letters alone, then empty parentheses, then no parentheses.
fn is_higher(new: &str, kept: &str) -> bool {
    fn rank(name: &str) -> (u8, &str) {
        let inside = name.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside);
        match inside {
            None => (0, ""),
            Some("") => (1, ""),
            Some(words) => words.find(|c: char| c.is_ascii_digit()).map_or((2, ""), |at| (3, &words[at..])),
        }
    }
    let ((new, number), (kept, other)) = (rank(new), rank(kept));
    new.cmp(&kept).then_with(|| vercmp(number, other)).is_gt()
}
