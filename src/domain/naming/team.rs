//! Teams of early adopters (S0-52): groups of the single sign-on, called `ea-<NGI>-<Site-name>`.

use std::fmt;
use std::str::FromStr;

use serde_with::{DeserializeFromStr, SerializeDisplay};
use smol_str::SmolStr;

use crate::domain::names::{BadName, NAME_MAX, name_type};

const PREFIX: &str = "ea-";

name_type! {
    /// A team: `ea-NGI_IT-INFN-T1`.
    ///
    /// NGIs and sites can both have hyphens, so the name alone does not say where the site's begins:
    /// [`TeamName::split`] needs to know the NGIs.
    TeamName, "team name", check
}

fn check(text: &str) -> Result<(), &'static str> {
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return Err("it must begin with `ea-`, as in `ea-NGI_IT-INFN-T1`");
    };
    if text.len() > NAME_MAX {
        return Err("it is longer than 120 bytes");
    }
    if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err("only letters, digits and . _ - are allowed, as in `ea-NGI_IT-INFN-T1`");
    }
    if !rest.contains('-') {
        return Err("it must have an NGI and a site with a hyphen between, as in `ea-NGI_IT-INFN-T1`");
    }
    let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    if rest.split('-').any(|part| !outer(part.as_bytes().first()) || !outer(part.as_bytes().last())) {
        return Err("between hyphens it must begin and end with letters or digits, as in `ea-NGI_IT-INFN-T1`");
    }
    Ok(())
}

impl TeamName {
    /// `<NGI>-<Site-name>`, as teams reply (S0-36).
    pub fn without_prefix(&self) -> &str {
        self.0.strip_prefix(PREFIX).unwrap_or(&self.0)
    }

    /// The NGI and the site. It is an error if no NGI fits, and also if several do, as `NGI` and `NGI-GRNET` both fit
    /// `ea-NGI-GRNET-AUTH`.
    pub fn split(&self, ngis: impl Fn(&str) -> bool) -> Result<(&str, &str), BadName> {
        let name = self.without_prefix();
        let boundaries = name.match_indices('-').map(|(hyphen, _)| (&name[..hyphen], &name[hyphen + 1..]));
        let mut fitting = boundaries.filter(|(ngi, _)| ngis(ngi));
        let why = match (fitting.next(), fitting.next()) {
            (Some(parts), None) => return Ok(parts),
            (None, _) => "no NGI is known that it begins with",
            (Some(_), Some(_)) => "more than one known NGI fits its beginning",
        };
        Err(BadName { text: self.to_string(), what: "team name of a known NGI", why })
    }
}

#[cfg(test)]
pub(super) mod any {
    //! Teams for property tests.

    use proptest::prelude::*;

    use super::*;

    pub(in crate::domain::naming) fn team() -> impl Strategy<Value = TeamName> {
        "ea-[A-Z]{2,6}(_[A-Z]{2})?(-[A-Za-z0-9]([A-Za-z0-9._]{0,5}[A-Za-z0-9])?){1,3}"
            .prop_filter_map("no team", |text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_team_has_an_ngi_and_a_site() {
        for text in ["ea-NGI_IT-INFN-T1", "ea-NGI-GRNET-GR-01-AUTH", "ea-IBERGRID-LIP.Lisbon", "ea-A-1"] {
            assert_eq!(text.parse::<TeamName>().expect("a team").as_str(), text);
        }
        let long = format!("ea-NGI-{}", "x".repeat(NAME_MAX));
        for text in
            ["", "ea-", "ea-NGI", "NGI_IT-T1", "EA-NGI-T1", "ea--T1", "ea-NGI-", "ea-NGI--T1", "ea-N-T 1", &long]
        {
            assert!(text.parse::<TeamName>().is_err(), "{text:?}");
        }
        for text in ["ea-NGI-a/b", "ea-NGI-..", "ea-NGI-T\n", "ea-NGI-é", "ea-NGI-_T1"] {
            assert!(text.parse::<TeamName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn known_ngis_say_where_the_site_begins() {
        let team: TeamName = "ea-NGI-GRNET-GR-01-AUTH".parse().expect("a team");
        assert_eq!(team.split(|ngi| ngi == "NGI-GRNET"), Ok(("NGI-GRNET", "GR-01-AUTH")));
        let why = |ngis: &[&str]| team.split(|ngi| ngis.contains(&ngi)).expect_err("no boundary").why;
        assert_eq!(why(&["NGI_IT", "NGI-GRNET-GR-01-AUTH"]), "no NGI is known that it begins with");
        assert_eq!(why(&["NGI", "NGI-GRNET"]), "more than one known NGI fits its beginning");
    }

    #[test]
    fn a_team_is_stored_as_text() {
        let team: TeamName = serde_json::from_str("\"ea-NGI_IT-INFN-T1\"").expect("a team");
        assert_eq!(serde_json::to_string(&team).expect("text"), "\"ea-NGI_IT-INFN-T1\"");
        assert!(serde_json::from_str::<TeamName>("\"INFN-T1\"").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_team_or_an_error(text in "(?s).{0,40}|ea-[-A-Za-z0-9._]{0,20}") {
            if let Ok(team) = text.parse::<TeamName>() {
                prop_assert_eq!(team.to_string(), text);
                let _ = team.split(|_| true);
            }
        }

        #[test]
        fn ngi_and_site_make_the_team_again(team in any::team()) {
            let first = team.without_prefix().split('-').next().expect("an NGI");
            let (ngi, site) = team.split(|ngi| ngi == first).expect("a boundary");
            prop_assert_eq!(format!("ea-{ngi}-{site}"), team.to_string());
        }
    }
}
