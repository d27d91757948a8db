//! Whether the logbook knows what a tree shows and holds: publishing over anything else would lose it.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::super::publication::{self, REPOMD};
use super::super::strangers;
use super::super::tree::REPODATA;
use super::{Alteration, DistError, Distribution, Expected};
use crate::domain::listing::{Catalog, Listing};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;
use crate::format::repomd::Repomd;

impl Distribution {
    /// Why a publication may lose what a tree shows or holds. `None` if that is what was last published there, what the
    /// logbook has for it in another form, an older state of ours, or nothing that anybody would miss. Nothing that may
    /// follow later, such as a plan, counts as proof that the content is ours.
    pub(super) fn doubt(
        &self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        listing: &Listing,
        expected: &Expected,
    ) -> Option<String> {
        let dir = self.dir(tree);
        let bytes = match publication::shown(&dir.join(REPODATA)) {
            Ok(None) => return self.doubt_of_bare(catalog, tree, listing, expected),
            Ok(Some(bytes)) => bytes,
            Err(why) => return self.doubt_of_unread(tree, &why, expected),
        };
        if expected.repomd == Some(publication::sha256(&bytes)) {
            return None;
        }
        let repomd = match Repomd::read(&bytes) {
            Ok(repomd) => repomd,
            Err(why) => return self.doubt_of_unread(tree, &why.to_string(), expected),
        };
        match strangers::locations(&dir, &repomd) {
            Ok(Some(shown)) => self.doubt_of_shown(catalog, (tree, listing), repomd.revision, &shown, expected),
            Ok(None) => None,
            Err(why) => Some(self.unread(tree, &why)),
        }
    }

    /// The same for metadata that lists these packages.
    fn doubt_of_shown(
        &self,
        catalog: &dyn Catalog,
        (tree, listing): (&TreeName, &Listing),
        revision: u64,
        shown: &BTreeSet<String>,
        expected: &Expected,
    ) -> Option<String> {
        let id = self.id(tree);
        let moving: BTreeSet<String> = expected.moving.iter().map(Nevra::location).collect();
        let listed: BTreeSet<String> = listing.locations().collect();
        let strange: Vec<String> =
            shown.iter().filter(|place| !listed.contains(*place) && !moving.contains(*place)).cloned().collect();
        if expected.repomd.is_none() {
            return (!strange.is_empty()).then(|| {
                format!(
                    "{id} has metadata of {} unknown to this logbook ({}); publishing would empty it. If this \
                     tree belongs to another state directory, start with that one; {}if the packages may go{}, \
                     move them out of the tree and remove {REPODATA}/ there",
                    counted(strange.len(), "package"),
                    strangers::some(&strange),
                    if *tree == self.settings.gate.tree {
                        String::new()
                    } else {
                        format!("to take it under management as it is, stop the daemon and run `rolloutd adopt {id}`; ")
                    },
                    if *tree == self.settings.gate.tree { " or may be taken in as uploads" } else { "" },
                )
            });
        }
        if revision > expected.revision {
            let hidden = listed.iter().filter(|place| !moving.contains(*place) && !shown.contains(*place)).count();
            return (!strange.is_empty() || hidden > 0).then(|| {
                format!(
                    "{id} shows revision {revision}, which this logbook did not publish (its last is {}), with \
                     {} that it does not have there and without {hidden} that it has. Either the state directory \
                     is an old copy: restore the newest one; or another program wrote there: move packages that \
                     do not belong to this site out of the tree, and remove {REPODATA}/{REPOMD}",
                    expected.revision,
                    counted(strange.len(), "package"),
                )
            });
        }
        self.never_accepted(catalog, tree, &strange)
    }

    /// Whether what a tree shows now lists packages that were never accepted; checked before each publication, at no
    /// cost if the metadata is what was last published there.
    pub(super) fn strange(&self, catalog: &dyn Catalog, tree: &TreeName) -> Result<(), DistError> {
        let dir = self.dir(tree);
        let bytes = match publication::shown(&dir.join(REPODATA)) {
            Ok(Some(bytes)) => bytes,
            Ok(None) if *tree != self.settings.gate.tree => {
                let why = self.bare(tree, was_accepted(catalog));
                return why.map_or(Ok(()), |why| Err(DistError::Strange(why)));
            }
            _ => return Ok(()),
        };
        let sha256 = publication::sha256(&bytes);
        if self.index.showing(tree) == Some(sha256) {
            return Ok(());
        }
        // Our own damaged metadata is regenerated.
        let Ok(repomd) = Repomd::read(&bytes) else { return Ok(()) };
        let why = match strangers::locations(&dir, &repomd) {
            Ok(Some(shown)) => self.never_accepted(catalog, tree, &shown.into_iter().collect::<Vec<_>>()),
            Ok(None) => None,
            Err(why) => Some(self.unread(tree, &why)),
        };
        why.map_or(Ok(()), |why| Err(DistError::Strange(why)))
    }

    /// Remembers that a tree shows other metadata than was published there, or none, once for each; it is about to be
    /// published again. Returns whether it does.
    pub(super) fn notice_alteration(&mut self, catalog: &dyn Catalog, tree: &TreeName) -> bool {
        let Some(published) = catalog.published(tree) else { return false };
        let shown = publication::shown(&self.dir(tree).join(REPODATA));
        let sha256 = shown.as_ref().ok().and_then(Option::as_ref).map(|bytes| publication::sha256(bytes));
        // What was published just before a crash is ours, too.
        if sha256.is_some_and(|sha256| sha256 == published || self.index.showing(tree) == Some(sha256)) {
            self.not_ours.remove(tree);
            return false;
        }
        if self.not_ours.insert(tree.clone(), sha256) == Some(sha256) {
            return true;
        }
        let why = match shown {
            Ok(None) => format!("{REPODATA}/{REPOMD} is gone"),
            Ok(Some(bytes)) => match Repomd::read(&bytes) {
                Ok(Repomd { revision, .. }) => {
                    format!("{REPODATA}/{REPOMD}, of revision {revision}, is not the one that was published")
                }
                Err(_) => format!("{REPODATA}/{REPOMD} is not the one that was published, and cannot be read"),
            },
            Err(why) => format!("{REPODATA}/{REPOMD} is not the one that was published: {why}"),
        };
        let why = format!("{why}; the right metadata is published again");
        self.alterations.push(Alteration { tree: tree.clone(), nevra: None, why });
        true
    }

    /// What is wrong if these places list packages that were never accepted.
    fn never_accepted(&self, catalog: &dyn Catalog, tree: &TreeName, places: &[String]) -> Option<String> {
        let was_accepted = was_accepted(catalog);
        let strange: Vec<String> = places.iter().filter(|place| !was_accepted(place)).cloned().collect();
        (!strange.is_empty()).then(|| {
            format!(
                "{} shows {} that were never accepted here ({}): either the state directory is an old copy: \
                 restore the newest one; or somebody else put them there: move the files out of the tree, and \
                 remove {REPODATA}/{REPOMD} there",
                self.id(tree),
                counted(strange.len(), "package"),
                strangers::some(&strange),
            )
        })
    }

    /// The same for metadata that cannot be read. Our own damaged metadata is regenerated.
    fn doubt_of_unread(&self, tree: &TreeName, why: &str, expected: &Expected) -> Option<String> {
        (expected.repomd.is_none() && *tree != self.settings.gate.tree).then(|| self.unread(tree, why))
    }

    fn unread(&self, tree: &TreeName, why: &str) -> String {
        format!(
            "{} has a {REPODATA}/{REPOMD} that is unknown to this logbook and cannot be read ({why}); publishing \
             would lose what it names. If you do not need it, remove {REPODATA}/ there",
            self.id(tree)
        )
    }

    /// The same for a tree without metadata: packages in it that this logbook does not know belong to somebody, and
    /// after a publication without them nobody would hear of them.
    fn doubt_of_bare(
        &self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        listing: &Listing,
        expected: &Expected,
    ) -> Option<String> {
        if *tree == self.settings.gate.tree {
            return None;
        }
        let known: BTreeSet<String> = listing.locations().chain(expected.moving.iter().map(Nevra::location)).collect();
        // In a known tree, packages that have left it may still be there; those that were never accepted may have been
        // accepted by a newer logbook.
        let was_accepted = was_accepted(catalog);
        let left = |place: &str| expected.repomd.is_some() && was_accepted(place);
        self.bare(tree, |place| known.contains(place) || left(place))
    }

    /// What is wrong if a tree without metadata holds unknown packages.
    fn bare(&self, tree: &TreeName, known: impl Fn(&str) -> bool) -> Option<String> {
        let found = strangers::files(&self.dir(tree), known);
        (!found.is_empty()).then(|| {
            format!(
                "{} holds {} unknown to this logbook ({}), and has no {REPODATA}/; publishing would make it an \
                 empty repository. If the state directory is another site's or an old copy, start with the one \
                 that belongs to the trees; otherwise move the files out of the tree, and upload those that \
                 belong to this site",
                self.id(tree),
                counted(found.len(), "RPM file"),
                strangers::some(&found),
            )
        })
    }

    /// What to say about a tree in which nothing of ours is left.
    pub(super) fn if_it_was_swept(&self, tree: &TreeName) -> String {
        let repodata = self.dir(tree).join(REPODATA);
        if repodata.exists() {
            return String::new();
        }
        format!(
            ". The tree is empty: if a file system belongs there, mount it; if the tree was removed, create {}, \
             and packages that other trees or `retired/` still have are restored",
            repodata.display()
        )
    }
}

/// Whether a package was ever accepted for a path, wherever it is listed now.
fn was_accepted(catalog: &dyn Catalog) -> impl Fn(&str) -> bool + use<'_> {
    let adopted = OnceCell::new();
    move |place| {
        let name = place.rsplit('/').next().unwrap_or_default();
        catalog.of_file(name).iter().any(|nevra| nevra.location() == *place)
            || adopted.get_or_init(|| catalog.adopted_places()).contains(place)
    }
}

/// A number with its noun.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
