//! Names of trees, distributions, rollouts and people: outside text becomes a type as soon as it comes in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use smol_str::SmolStr;

/// The longest name of any kind. Several of them form one path, which is limited to 4096 bytes.
pub const NAME_MAX: usize = 120;

/// Text that is not a valid name of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {what}: {why}", text.escape_default())]
pub struct BadName {
    /// The given text.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// Which rule it breaks.
    pub why: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, DeserializeFromStr, SerializeDisplay)]
        pub struct $name(SmolStr);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(why) => Err(BadName { text: text.to_owned(), what: $what, why }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}
pub(super) use name_type;

/// One component of a path below the site's root.
fn component(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > NAME_MAX {
        return Err("it is longer than 120 bytes");
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err("it must begin with a letter or a digit");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err("only letters, digits and . _ - are allowed");
    }
    Ok(())
}

fn path(text: &str) -> Result<(), &'static str> {
    if text.len() > NAME_MAX {
        return Err("it is longer than 120 bytes");
    }
    for part in text.split('/') {
        component(part).map_err(
            |_| "each part between slashes begins with a letter or digit and has only letters, digits and . _ -",
        )?;
        if matches!(part, "repodata" | "Packages") {
            return Err("`repodata` and `Packages` are names inside a tree");
        }
    }
    Ok(())
}

fn line(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > NAME_MAX {
        return Err("it is longer than 120 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("it has a control character");
    }
    if text.trim() != text {
        return Err("it begins or ends with a space");
    }
    Ok(())
}

/// A word that people write in a file and in a command: the name of a group, of a template, a kind of incidents.
pub(super) fn word(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 60 {
        return Err("it must have 1 to 60 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err("only lower-case letters, digits and - are allowed");
    }
    if text.starts_with('-') { Err("it must begin with a letter or a digit") } else { Ok(()) }
}

name_type! {
    /// A tree: `untested`, `testing`, `delta`, `production`. One directory below the site's root.
    TreeName, "tree name", component
}
name_type! {
    /// A distribution as a path below each tree: `umd/3/sl6/x86_64`.
    DistPath, "distribution path", path
}
name_type! {
    /// A rollout's name, as used by people and trackers: `rt-1234`, `patch-4567`.
    RolloutId, "rollout id", component
}
name_type! {
    /// Who did something: a token's actor, or a webhook's name with the tracker's user.
    Actor, "name of an actor", line
}
name_type! {
    /// The name of a webhook, the last part of `/hooks/<name>`.
    HookName, "webhook name", component
}

impl Actor {
    /// An actor from the logbook; it was checked when it was written.
    pub fn recorded(text: &str) -> Self {
        Self(text.into())
    }
}

impl DistPath {
    /// The parts between the slashes.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// A file name for this distribution outside the trees: `umd_3_sl6_x86_64`.
    ///
    /// It is unique to the distribution: `_` itself is written `__`.
    pub fn flat(&self) -> String {
        self.0.replace('_', "__").replace('/', "_")
    }
}

name_type! {
    /// What somebody may do (S0-07). A token or a webhook has a set of them, a transition lists those that suffice, and
    /// so it is the procedures that name them.
    Role, "role", role
}

name_type! {
    /// The id of a bundle: `BUNDLE-2011-12`.
    BundleId, "bundle id", component
}
name_type! {
    /// The id of a maintenance: `2026-12-new-disks`.
    MaintenanceId, "maintenance id", component
}
name_type! {
    /// A series of updates: `gLite-3.2`.
    Series, "series", component
}

name_type! {
    /// The id of a change: `rt-4711`.
    ChangeId, "change id", component
}
name_type! {
    /// The name of a release: `UMD-3.1.0`.
    ReleaseId, "name of a release", component
}
name_type! {
    /// What a change is about, as a site sorts its changes (S3-10): the name of a service, for instance.
    Category, "category", line
}

name_type! {
    /// What a document about a rollout is (S0-32): `release-notes`, `installation`, `configuration`, `bugs`,
    /// `documentation`, or whatever else a site wants to have linked.
    LinkName, "name of a link", role
}

name_type! {
    /// What a product, a component or a node type is called, wherever that is free text: `bdii`, `WN`.
    Label, "name", line
}
name_type! {
    /// Something that a person looks at and ticks: `documentation-reviewed`, `conformance-3`. Procedures name them.
    CheckName, "name of a check", role
}

fn role(text: &str) -> Result<(), &'static str> {
    component(text)?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.bytes().all(fits) { Ok(()) } else { Err("only lower-case letters, digits and - are allowed") }
}

/// The roles that this program or the procedures that ship with it name.
impl Role {
    /// May give up what was decided, and what concerns the whole site.
    pub const ADMIN: Self = Self(SmolStr::new_static("admin"));
    /// May read; everybody has it.
    pub const OBSERVER: Self = Self(SmolStr::new_static("observer"));
    /// A tracker that uses a signed webhook, if the configuration does not say otherwise.
    pub const TRACKER: Self = Self(SmolStr::new_static("tracker"));
    /// Verifies components before the staged rollout.
    pub const VERIFIER: Self = Self(SmolStr::new_static("verifier"));
    /// Staged rollout manager.
    pub const SRM: Self = Self(SmolStr::new_static("srm"));

    /// Early adopter.
    pub const EA: Self = Self(SmolStr::new_static("ea"));
    /// Decides on the priority of issues, and nothing else.
    pub const DMSU: Self = Self(SmolStr::new_static("dmsu"));
    /// The release team of gLite (S1-02).
    pub const MU: Self = Self(SmolStr::new_static("mu"));
    /// The operation managers of gLite (S1-02).
    pub const OU: Self = Self(SmolStr::new_static("ou"));
    /// Maintains packages, in the procedure `simple`.
    pub const MAINTAINER: Self = Self(SmolStr::new_static("maintainer"));
    /// A product team, which develops what is changed.
    pub const PT: Self = Self(SmolStr::new_static("pt"));
    /// The operations management board, which decides on changes.
    pub const OMB: Self = Self(SmolStr::new_static("omb"));
    /// An advisory group of those who use a service (S3-15).
    pub const OTAG: Self = Self(SmolStr::new_static("otag"));

    /// The roles of the procedures that ship with the program and of changes, which may be granted whether or not a site's
    /// procedure names them.
    pub const KNOWN: [Self; 13] = [
        Self::ADMIN,
        Self::VERIFIER,
        Self::SRM,
        Self::EA,
        Self::DMSU,
        Self::MU,
        Self::OU,
        Self::MAINTAINER,
        Self::PT,
        Self::OMB,
        Self::OTAG,
        Self::OBSERVER,
        Self::TRACKER,
    ];
}

/// One tree of one distribution: the unit that is published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TreeId {
    /// The distribution.
    pub dist: DistPath,
    /// The tree.
    pub tree: TreeName,
}

impl FromStr for TreeId {
    type Err = BadName;

    /// `TREE/DISTRIBUTION`: the path below the site's root.
    fn from_str(text: &str) -> Result<Self, BadName> {
        let why = "write the tree and its distribution, such as production/umd/3/sl6/x86_64";
        let bad = || BadName { text: text.to_owned(), what: "tree", why };
        let (tree, dist) = text.trim_end_matches('/').split_once('/').ok_or_else(bad)?;
        Ok(Self { dist: dist.parse()?, tree: tree.parse()? })
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tree, self.dist)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        assert!("umd/3/sl6/x86_64".parse::<DistPath>().is_ok());
        for text in ["", "/umd", "umd/", "umd//3", "../umd", "umd/../x", "umd/./x", "a b", "umd/repodata", "a/Packages"]
        {
            assert!(text.parse::<DistPath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tree_is_read_as_it_is_written() {
        for text in ["production/umd/3/sl6/x86_64", "testing/el9"] {
            assert_eq!(text.parse::<TreeId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("testing/el9/".parse::<TreeId>(), "testing/el9".parse());
        let told = ["production", "", "/el9", "a b/el9", "testing/../x", "testing/"]
            .map(|text| text.parse::<TreeId>().expect_err(text).to_string());
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn flat_names_of_two_distributions_never_meet() {
        let flat = |text: &str| text.parse::<DistPath>().expect("a path").flat();
        assert_eq!(flat("umd/3/sl6/x86_64"), "umd_3_sl6_x86__64");
        assert_ne!(flat("a_b"), flat("a/b"));
    }

    #[test]
    fn an_actor_is_one_line() {
        assert!("rt:Jane Doe <jane@example.org>".parse::<Actor>().is_ok());
        for text in ["", " x", "a\nb", "a\u{1b}[0m"] {
            assert!(text.parse::<Actor>().is_err(), "{text:?}");
        }
    }
}
