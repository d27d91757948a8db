//! What people mean who name packages.

use super::*;
use crate::process::selection::{meant, new, titled};

fn dist() -> DistPath {
    DIST.parse().expect("a path")
}

/// Packages of two sources, one of which is in a rollout.
fn story() -> Story {
    let mut story = Story::new();
    for (nevra, source) in [
        ("bdii-5.2.22-1.el6.noarch", Some("bdii-5.2.22-1.el6.src")),
        ("bdii-config-5.2.22-1.el6.noarch", Some("bdii-5.2.22-1.el6.src")),
        ("bdii-old-5.2.21-1.el6.noarch", None),
        ("dpm-1.8.0-1.el6.x86_64", Some("dpm-1.8.0-1.el6.src")),
    ] {
        story.arrives_from(nevra, source);
    }
    story
}

fn named(found: Result<Vec<Nevra>, String>) -> Vec<String> {
    found.expect("found").iter().map(ToString::to_string).collect()
}

#[test]
fn a_word_is_a_package_a_pattern_or_a_source() {
    let story = story();
    let says = |word: &str| meant(story.known(), &dist(), word);
    // One that is named need not be there.
    assert_eq!(named(says("voms-2.0-1.el6.x86_64")), ["voms-2.0-1.el6.x86_64"]);
    let all = ["bdii-5.2.22-1.el6.noarch", "bdii-config-5.2.22-1.el6.noarch", "bdii-old-5.2.21-1.el6.noarch"];
    assert_eq!(named(says("bdii*")), all);
    assert_eq!(named(says("*-5.2.2[2]-1.*")), all[..2]);
    for source in ["bdii-5.2.22-1.el6.src", "bdii-5.2.22-1.el6.src.rpm"] {
        assert_eq!(named(says(source)), all[..2]);
    }
    for (word, why) in [
        ("lcg-*", "nothing in untested/umd/3/sl6/x86_64 is like `lcg-*`"),
        ("lcg-1-1.src", "nothing in untested/umd/3/sl6/x86_64 was built from `lcg-1-1.src`"),
        ("bdii[", "`bdii[` is not a valid pattern"),
        ("bdii", "no architecture"),
    ] {
        let told = says(word).expect_err(word);
        assert!(told.contains(why), "{told}");
    }
    let elsewhere = meant(story.known(), &"umd/9".parse().expect("a path"), "bdii*");
    assert!(elsewhere.is_err_and(|why| why.contains("there is no distribution umd/9")));
}

#[test]
fn new_is_what_no_open_rollout_names() {
    let mut story = story();
    story.submit("r", &["dpm-1.8.0-1.el6.x86_64"]);
    assert_eq!(named(new(story.known(), &dist())).len(), 3);
    story.submit("s", &["bdii-5.2.22-1.el6.noarch", "bdii-config-5.2.22-1.el6.noarch"]);
    assert_eq!(named(new(story.known(), &dist())), ["bdii-old-5.2.21-1.el6.noarch"]);
    story.submit("t", &["bdii-old-5.2.21-1.el6.noarch"]);
    assert_eq!(new(story.known(), &dist()), Err("there is nothing new in untested/umd/3/sl6/x86_64".to_owned()));
    story.move_as(&[Role::ADMIN], "t", "Rejected").carried_out();
    assert!(new(story.known(), &dist()).is_err(), "what was withdrawn is not there any more");
}

/// S0-54: the title says which packages, for which systems and architectures.
#[test]
fn a_title_selects_packages() {
    let mut story = story();
    story.has_too("umd/3/sl5/i386").has_too("umd/3/sl5/x86_64");
    for (dist, nevra) in [
        ("umd/3/sl5/i386", "dpm-1.8.0-1.el5.i386"),
        ("umd/3/sl5/x86_64", "dpm-1.8.0-1.el5.x86_64"),
        ("umd/3/sl5/x86_64", "dpm-1.8.0-10.el5.x86_64"),
        ("umd/3/sl5/x86_64", "CA-1.38-1.noarch"),
        ("umd/3/sl6/x86_64", "ca-1.38-1.noarch"),
    ] {
        story.arrives_in(dist, nevra);
    }
    let selects = |title: &str| match titled(story.known(), &title.parse().expect("a title"), None) {
        Ok(parts) => parts
            .iter()
            .flat_map(|part| part.packages.iter().map(move |nevra| format!("{}={nevra}", part.dist)))
            .collect::<Vec<_>>(),
        Err(why) => vec![why],
    };
    assert_eq!(selects("Staged Rollout EMI-1.0 DPM 1.8.0-1 SL5 x86_64"), ["umd/3/sl5/x86_64=dpm-1.8.0-1.el5.x86_64"]);
    let all = ["umd/3/sl5/i386=dpm-1.8.0-1.el5.i386", "umd/3/sl5/x86_64=dpm-1.8.0-1.el5.x86_64"];
    assert_eq!(selects("Staged Rollout EMI-1.0 DPM 1.8.0-1 SL5"), all);
    // A short title is about all systems and architectures.
    let both = ["umd/3/sl5/x86_64=CA-1.38-1.noarch", "umd/3/sl6/x86_64=ca-1.38-1.noarch"];
    assert_eq!(selects("Staged Rollout CA 1.38"), both);
    // Whatever was built from it belongs to it.
    let built = ["umd/3/sl6/x86_64=bdii-5.2.22-1.el6.noarch", "umd/3/sl6/x86_64=bdii-config-5.2.22-1.el6.noarch"];
    assert_eq!(selects("Staged Rollout EMI-1.0 bdii 5.2.22-1 SL6 x86_64"), built);
    assert_eq!(
        selects("Staged Rollout EMI-1.0 bdii 5.2.23 SL6 x86_64"),
        ["no upload tree for SL6 x86_64 has bdii 5.2.23, which the title names; name the packages"]
    );
    // Neither another version nor one of two releases is meant.
    for (title, why) in [
        ("Staged Rollout EMI-1.0 bdii 5.2 SL6 x86_64", "no upload tree for SL6 x86_64 has bdii 5.2"),
        ("Staged Rollout EMI-1.0 bdii 5 SL6 x86_64", "no upload tree for SL6 x86_64 has bdii 5,"),
        (
            "Staged Rollout EMI-1.0 dpm 1.8.0 SL5 x86_64",
            "the title fits dpm-1.8.0-1.el5.x86_64 and dpm-1.8.0-10.el5.x86_64",
        ),
    ] {
        assert!(selects(title)[0].starts_with(why), "{:?}", selects(title));
    }
    let title = "Staged Rollout CA 1.38".parse().expect("a title");
    let only = |dist: &str| titled(story.known(), &title, Some(&dist.parse().expect("a path")));
    assert_eq!(only("umd/3/sl6/x86_64").map(|parts| parts.len()), Ok(1));
    assert!(only("umd/9").is_err_and(|why| why.contains("there is no distribution umd/9")));
}
