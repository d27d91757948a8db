//! People whom a web server in front of the daemon has identified (S0-08): a single sign-on by OpenID Connect, SAML or
//! client certificates, which web servers have modules for.
//!
//! The web server says who somebody is by headers, together with a secret that it shares with the daemon. Without that
//! secret the headers mean nothing, so nobody who reaches the daemon past the web server becomes somebody else. A header
//! that is there twice means nobody: a server that adds its header to that of the client has not replaced it.
//!
//! A browser sends what identifies a person along with whatever any page on the web asks it to send. So what changes
//! something has to come from a page of ours, or from no page.

use std::collections::BTreeMap;

use aws_lc_rs::{constant_time, digest};
use axum::http::{HeaderMap, header};

use crate::domain::names::{Actor, Role};
use crate::domain::naming::team::TeamName;
use crate::domain::people;
use crate::process::who::{Caller, Channel, Grant, SSO_SECRET, Scope};

/// Most groups of one person that count. A longer list is no list of groups.
const GROUPS_MAX: usize = 1_000;

/// The web server that identifies people, and what their groups may do.
pub struct SingleSignOn {
    secret: digest::Digest,
    user: String,
    groups: Option<String>,
    by_group: BTreeMap<String, Vec<Grant>>,
}

/// Why nobody is identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unidentified {
    /// The secret is another one.
    Secret,
    /// What the web server sends names nobody.
    Nobody(String),
}

impl SingleSignOn {
    /// With the secret of the web server, the headers that name the person and their groups, in lower case, and what the
    /// members of a group may do.
    pub fn new(
        secret: &[u8],
        (user, groups): (String, Option<String>),
        by_group: BTreeMap<String, Vec<Grant>>,
    ) -> Self {
        Self { secret: digest::digest(&digest::SHA256, secret), user, groups, by_group }
    }

    /// The groups whose members belong to a team of early adopters.
    pub fn groups_of<'s>(&'s self, team: &'s TeamName) -> impl Iterator<Item = &'s str> {
        let of = move |grants: &[Grant]| grants.iter().filter_map(Grant::team).any(|its| its == team);
        self.by_group.iter().filter(move |(_, grants)| of(grants)).map(|(group, _)| group.as_str())
    }

    /// The person that the web server has identified; `None` if no web server says anything.
    pub fn caller(&self, headers: &HeaderMap) -> Option<Result<Caller, Unidentified>> {
        let offered = digest::digest(&digest::SHA256, headers.get(SSO_SECRET)?.as_bytes());
        if constant_time::verify_slices_are_equal(self.secret.as_ref(), offered.as_ref()).is_err() {
            return Some(Err(Unidentified::Secret));
        }
        // Where signing on is voluntary, the web server sends nothing of those who have not.
        let name = match one(headers, &self.user) {
            Ok(name) => name.filter(|name| !name.is_empty())?,
            Err(why) => return Some(Err(why)),
        };
        Some(self.person(name, headers))
    }

    fn person(&self, name: &str, headers: &HeaderMap) -> Result<Caller, Unidentified> {
        let who: Actor = name.parse().map_err(|e| Unidentified::Nobody(format!("{}: {e}", self.user)))?;
        // With a colon it could be taken for somebody whom a tracker names, and what cannot be seen for somebody else.
        let is_odd = |c: &char| !c.is_alphanumeric() && !" ._-@+/='".contains(*c);
        if let Some(odd) = who.as_str().chars().find(is_odd) {
            let why = format!("{}: the character {} is not allowed in a name", self.user, odd.escape_debug());
            return Err(Unidentified::Nobody(why));
        }
        if let Some(why) = people::reserved(who.as_str()) {
            return Err(Unidentified::Nobody(format!("{}: nobody can be called `{who}`: {why}", self.user)));
        }
        let groups = self.groups.as_ref().map(|header| one(headers, header)).transpose()?.flatten().unwrap_or_default();
        let groups: Vec<&str> = groups.split([',', ';']).map(str::trim).filter(|group| !group.is_empty()).collect();
        if groups.len() > GROUPS_MAX {
            return Err(Unidentified::Nobody(format!("{who} is in more than {GROUPS_MAX} groups")));
        }
        let mut grants = vec![Grant { role: Role::OBSERVER, scope: Scope::Site }];
        for group in groups {
            grants.extend(self.by_group.get(group).into_iter().flatten().cloned());
            grants.extend(group.parse::<TeamName>().ok().map(Grant::of_team));
        }
        Ok(Caller { who, via: Channel::Api, grants })
    }
}

/// The header, if it is there once.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Unidentified> {
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(Unidentified::Nobody(format!(
            "{name} occurs twice: the web server must replace what clients send"
        )));
    }
    let text = first.map(|value| std::str::from_utf8(value.as_bytes()).map(str::trim)).transpose();
    text.map_err(|_| Unidentified::Nobody(format!("{name} is not UTF-8")))
}

/// Whether another site's page has made a browser send this (Fetch Metadata, and `Origin` of RFC 6454 where a browser is
/// too old for it).
pub fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
    let of = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest.as_bytes());
    of.is_none_or(|of| host.is_empty() || !of.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn sso() -> SingleSignOn {
        let everywhere = |role| Grant { role, scope: Scope::Site };
        let by_group = BTreeMap::from([
            ("umd-managers".to_owned(), vec![everywhere(Role::SRM)]),
            ("urn:egi:verifiers".to_owned(), vec![everywhere(Role::VERIFIER)]),
        ]);
        let (user, groups) = ("x-remote-user".to_owned(), Some("x-remote-groups".to_owned()));
        SingleSignOn::new(b"known to the web server", (user, groups), by_group)
    }

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let of = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in all.iter().map(of) {
            headers.append(name, value);
        }
        headers
    }

    const GOOD: (&str, &str) = (SSO_SECRET, "known to the web server");

    #[test]
    fn a_group_gives_its_roles_and_a_team_its_membership() {
        let groups = "umd-managers, ea-NGI_IT-INFN-T1 ;other;urn:egi:verifiers";
        let found = sso().caller(&headers(&[GOOD, ("x-remote-user", "jane@example.org"), ("x-remote-groups", groups)]));
        let jane = found.expect("somebody").expect("identified");
        assert_eq!(jane.who.as_str(), "jane@example.org");
        assert!(jane.may(&[Role::SRM], None) && jane.may(&[Role::VERIFIER], None) && !jane.may(&[Role::ADMIN], None));
        assert!(jane.speaks_for(&"ea-NGI_IT-INFN-T1".parse().expect("a team")));
        let without = sso().caller(&headers(&[GOOD, ("x-remote-user", "jane@example.org")])).expect("somebody");
        let without = without.expect("identified");
        assert!(without.may(&[Role::OBSERVER], None) && !without.may(&[Role::SRM], None));
        assert_eq!(without.teams().count(), 0);
    }

    #[test]
    fn nobody_is_identified_without_the_secret_or_by_two_names() {
        let user = ("x-remote-user", "jane");
        assert_eq!(sso().caller(&headers(&[user, ("x-remote-groups", "umd-managers")])), None);
        for wrong in ["", "known to the web serve", "known to the web server!", "KNOWN TO THE WEB SERVER"] {
            assert_eq!(
                sso().caller(&headers(&[(SSO_SECRET, wrong), user])),
                Some(Err(Unidentified::Secret)),
                "{wrong}"
            );
        }
        assert_eq!(sso().caller(&headers(&[GOOD])), None);
        assert_eq!(sso().caller(&headers(&[GOOD, ("x-remote-user", "")])), None);
        let groups = ("x-remote-groups", "umd-managers");
        for twice in [&[GOOD, user, user][..], &[GOOD, user, groups, groups]] {
            let Some(Err(Unidentified::Nobody(why))) = sso().caller(&headers(twice)) else { panic!("{twice:?}") };
            assert!(why.contains("twice"), "{why}");
        }
        for name in ["rolloutd", "anonymous", "p-0123456789abcdef", "tracker:jane", "ja\u{ad}ne", "a\u{202e}b", "a<b"] {
            let found = sso().caller(&headers(&[GOOD, ("x-remote-user", name)]));
            assert!(matches!(found, Some(Err(Unidentified::Nobody(_)))), "{name}");
        }
    }

    #[test]
    fn what_another_sites_page_makes_a_browser_send_is_told_from_what_somebody_sends() {
        let host = ("host", "repository.example.org");
        for good in [
            &[host][..],
            &[host, ("origin", "https://repository.example.org")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "https://repository.example.org")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert!(!is_from_elsewhere(&headers(good)), "{good:?}");
        }
        for bad in [
            &[host, ("origin", "https://example.org")][..],
            &[host, ("origin", "null")],
            &[("origin", "https://repository.example.org")],
            &[host, ("origin", "https://repository.example.org.evil.example")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site"), ("origin", "https://www.example.org")],
            &[host, ("sec-fetch-site", "")],
        ] {
            assert!(is_from_elsewhere(&headers(bad)), "{bad:?}");
        }
    }
}
