//! Bad days of those who fetch: metadata of last month, a mirror that stopped.

use std::fs;

use rolloutd::format::repomd::Repomd;

use crate::disagreement::packages;
use crate::judge::{self, Source};
use crate::site::{Site, Wish};

/// Row 40: a client that has an old `repomd.xml` finds all that it names for as long as was promised, and afterwards
/// a clear end instead of other bytes; that a mirror lags can be seen by its revision.
#[test]
fn a_client_with_old_metadata_finds_what_was_promised_and_then_a_clear_end() {
    let mut site = Site::start(&Wish::default());
    let publish = |site: &mut Site, name: &str, number: usize| {
        site.drop_package(name, "1.0", &[]);
        site.wait("the package to be listed", |site| (packages(site, "untested") == number).then_some(()));
    };
    publish(&mut site, "first", 1);
    let tree = site.tree("untested");
    let old = fs::read(tree.join("repodata/repomd.xml")).unwrap();
    let seen = Repomd::read(&old).unwrap();
    let mirror = site.path("mirror");
    let copied = std::process::Command::new("cp").arg("-a").arg(&tree).arg(&mirror).status().unwrap();
    assert!(copied.success());
    publish(&mut site, "second", 2);
    let fetch = |site: &Site, location: &str| {
        let path = format!("/untested/{}/{location}", crate::site::DISTRIBUTION);
        site.door.get(&path).unwrap()
    };
    for data in &seen.data {
        let answer = fetch(&site, &data.location);
        assert_eq!((answer.status, Some(answer.body.len() as u64)), (200, data.size), "{}", data.location);
    }
    // How far the mirror is can be compared with what the daemon says.
    let lags = judge::read(&Source::Disk(mirror)).unwrap().unwrap();
    site.wait("the daemon to say that it is ahead", |site| {
        let trees = site.document("/api/v1/trees");
        let here = trees.as_array().unwrap().iter().find(|shown| shown["tree"] == "untested").unwrap();
        (here["revision"].as_u64().unwrap() > seen.revision).then_some(())
    });
    assert_eq!(lags.packages.len(), 1, "what the mirror has is whole all the same");
    assert!(site.stop().success());
    site.configure(r#"metadata = "24h", packages = "7d""#, r#"metadata = "1s", packages = "1s""#);
    site.up();
    site.wait("the grace time to be over", |site| {
        let gone = seen.data.iter().all(|data| fetch(site, &data.location).status == 404);
        gone.then_some(())
    });
    assert_eq!(packages(&site, "untested"), 2);
}
