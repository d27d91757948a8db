//! `[[webhook]]`, `[[token]]` and `[sso]`: who may use the daemon, and as whom; `[[outgoing]]`: who is notified.
//!
//! Roles beside a name hold everywhere, those of a `grant` for rollouts of some distributions or stacks (S0-07).
//! A secret is always given as a file name; `check` and the web floor read its content.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::mentions::{Granted, Holder, Notebook, Purpose, SECRET_EXAMPLE};
use super::settings::{Outgoing, Sso, Token, Webhook};
use super::values::{Names, set_of, words};
use crate::domain::names::{Actor, DistPath, HookName, Role};
use crate::domain::naming::part::Stack;
use crate::domain::naming::team::TeamName;
use crate::domain::people;
use crate::format::document::{Section, Value};
use crate::process::notice;
use crate::process::who::{Grant, SSO_SECRET, Scope};

/// Trackers and forges whose own posts are not understood yet.
const NOT_BUILT: [&str; 7] = ["rt", "zammad", "github", "gitlab", "gitea", "jira", "standard-webhooks"];

/// Every valid `[[webhook]]`, in the order of the file.
pub fn webhooks(value: &Value<'_, '_>, notebook: &mut Notebook) -> Vec<Webhook> {
    let mut names = Names::default();
    value.sections().into_iter().filter_map(|section| webhook(section, &mut names, notebook)).collect()
}

fn webhook(mut section: Section<'_, '_>, names: &mut Names, notebook: &mut Notebook) -> Option<Webhook> {
    let name = section.need("name", "name = \"rt\"").and_then(|v| {
        let name: HookName = v.parse()?;
        names.note(name.as_str(), &v, "names two webhooks");
        Some(name)
    });
    let kind = section.need("kind", "kind = \"generic\"").and_then(|v| generic(&v));
    let secrets = section.need("secret", SECRET_EXAMPLE).and_then(|v| secrets(&v, notebook));
    let granted = match (section.get("roles"), section.get("grant")) {
        (None, None) => Some(vec![Grant { role: Role::TRACKER, scope: Scope::Site }]),
        (roles, limited) => grants(roles, limited, Holder::Many, notebook),
    };
    section.close();
    kind?;
    Some(Webhook { name: name?, secrets: secrets?, grants: granted? })
}

/// The one kind of body that is understood. A tracker whose own posts would be refused later is refused now.
fn generic(kind: &Value<'_, '_>) -> Option<()> {
    if let Some(name) = kind.text().filter(|text| NOT_BUILT.contains(text)) {
        let remedy = "use \"generic\", and let the tracker post the JSON that README shows under \"Use it\"";
        kind.complain(format!("the posts of `{name}` are not understood yet"), Some(remedy.to_owned()));
        return None;
    }
    kind.one_of(&[("generic", ())])
}

/// Every valid `[[outgoing]]`, in the order of the file.
pub fn outgoing(value: &Value<'_, '_>, notebook: &mut Notebook) -> Vec<Outgoing> {
    let mut names = Names::default();
    value.sections().into_iter().filter_map(|section| receiver(section, &mut names, notebook)).collect()
}

fn receiver(mut section: Section<'_, '_>, names: &mut Names, notebook: &mut Notebook) -> Option<Outgoing> {
    let name = section.need("name", "name = \"chat\"").and_then(|v| {
        let name: HookName = v.parse()?;
        names.note(name.as_str(), &v, "names two receivers");
        Some(name)
    });
    let url = section.need("url", "url = \"https://chat.example.org/rollouts\"").and_then(|v| {
        let text = v.text()?;
        address(text).map_err(|why| v.complain(&why, None)).ok()
    });
    let secret = section.need("secret", SECRET_EXAMPLE).and_then(|v| notebook.secret(&v, Purpose::Secret));
    let words = notice::EVENTS.map(|event| (event, event));
    let usual = || Some(notice::USUAL.iter().copied().collect());
    let events: Option<BTreeSet<&str>> = section.get("events").map_or_else(usual, |v| {
        if v.list()?.is_empty() {
            v.complain("is empty, so this receiver would get nothing", None);
        }
        set_of(&v, |v| v.one_of(&words)).map(|events| events.into_iter().collect())
    });
    section.close();
    let events = events?.into_iter().map(str::to_owned).collect();
    Some(Outgoing { name: name?, url: url?, secret: secret?, events })
}

/// A URL that can be posted to.
fn address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or("must begin with https:// or http://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if host.contains('@') {
        return Err("must have no user or password; the receiver knows the daemon by its signature".to_owned());
    }
    if text.contains('#') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must have no fragment and no spaces".to_owned());
    }
    Ok(text.to_owned())
}

/// Every valid `[[token]]`, in the order of the file.
pub fn tokens(value: &Value<'_, '_>, notebook: &mut Notebook) -> Vec<Token> {
    let mut names = Names::default();
    let numbered = value.sections().into_iter().enumerate();
    numbered.filter_map(|(number, section)| token(section, Holder::Person(number), &mut names, notebook)).collect()
}

fn token(mut section: Section<'_, '_>, holder: Holder, names: &mut Names, notebook: &mut Notebook) -> Option<Token> {
    let actor = section.need("actor", "actor = \"jane\"").and_then(|v| {
        let actor = actor(&v)?;
        names.note(actor.as_str(), &v, "has two tokens");
        Some(actor)
    });
    let granted = own_grants(&mut section, "roles = [\"verifier\"]", holder, notebook);
    let file = section.need("secret", SECRET_EXAMPLE).and_then(|v| notebook.secret(&v, Purpose::Token));
    let teams = section.get("teams").map_or_else(|| Some(vec![]), |v| set_of(&v, team));
    section.close();
    let mut grants = granted?;
    grants.extend(teams?.into_iter().map(Grant::of_team));
    Some(Token { actor: actor?, grants, file: file? })
}

/// `[sso]`: people whom a web server in front of the daemon has identified (S0-08).
pub fn sso(mut section: Section<'_, '_>, notebook: &mut Notebook) -> Option<Sso> {
    let secret = section.need("secret", SECRET_EXAMPLE).and_then(|v| notebook.secret(&v, Purpose::Token));
    let user = section.need("user_header", "user_header = \"X-Remote-User\"").and_then(|v| header(&v));
    let groups = section.get("groups_header").map_or(Some(None), |v| {
        let name = header(&v)?;
        if user.as_ref() == Some(&name) {
            v.complain("is the header that names the person, whose name would be a group", None);
        }
        Some(Some(name))
    });
    let mut names = Names::default();
    let of_group = section.get("group").map(|v| v.sections()).unwrap_or_default();
    let by_group = of_group.into_iter().filter_map(|section| group(section, &mut names, notebook)).collect();
    section.close();
    Some(Sso { secret: secret?, user: user?, groups: groups?, by_group })
}

fn group(mut section: Section<'_, '_>, names: &mut Names, notebook: &mut Notebook) -> Option<(String, Vec<Grant>)> {
    let name = section.need("name", "name = \"umd-release-managers\"").and_then(|v| {
        let name = words(&v)?;
        if name.contains([',', ';']) || name.trim() != name {
            v.complain("cannot be the name of a group: groups are told apart by commas and semicolons", None);
            return None;
        }
        names.note(&name, &v, "names two groups");
        Some(name)
    });
    let granted = own_grants(&mut section, "roles = [\"srm\"]", Holder::Many, notebook);
    section.close();
    Some((name?, granted?))
}

/// The name of a header that only the web server sets.
fn header(value: &Value<'_, '_>) -> Option<String> {
    let text = value.text()?;
    let name = text.to_ascii_lowercase();
    // Those that clients send, which a web server passes on as they are.
    let usual = ["authorization", "cookie", "forwarded", "from", "host", "origin", "referer", "user-agent", SSO_SECRET];
    let begin = ["accept", "content-", "if-", "sec-", "x-forwarded-", "x-request-"];
    // Web servers drop or rename headers with other characters (RFC 9110 section 5.1 allows more).
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_clients = usual.contains(&name.as_str()) || begin.iter().any(|begin| name.starts_with(begin));
    if name.is_empty() || !is_plain || is_clients {
        let what = format!("`{}` cannot be the name of this header", text.escape_default());
        let example = if value.key().ends_with("groups_header") { "X-Remote-Groups" } else { "X-Remote-User" };
        value.complain(what, Some(format!("for example: \"{example}\"")));
        return None;
    }
    Some(name)
}

/// The roles of somebody who has some: everywhere, or somewhere.
fn own_grants(
    section: &mut Section<'_, '_>,
    example: &'static str,
    holder: Holder,
    notebook: &mut Notebook,
) -> Option<Vec<Grant>> {
    let limited = section.get("grant");
    let roles = if limited.is_some() { section.get("roles") } else { section.need("roles", example) };
    grants(roles, limited, holder, notebook)
}

/// The roles that hold everywhere, and those that hold somewhere.
fn grants(
    everywhere: Option<Value<'_, '_>>,
    limited: Option<Value<'_, '_>>,
    holder: Holder,
    notebook: &mut Notebook,
) -> Option<Vec<Grant>> {
    let everywhere = everywhere.map_or_else(|| Some(BTreeSet::new()), |v| roles(&v, holder, &[], notebook));
    let sections = limited.map(|v| v.sections()).unwrap_or_default();
    let mut all: Vec<Grant> = vec![];
    let mut is_whole = true;
    for section in sections {
        match within(section, holder, notebook) {
            Some(grants) => all.extend(grants),
            None => is_whole = false,
        }
    }
    let site = everywhere?.into_iter().map(|role| Grant { role, scope: Scope::Site });
    is_whole.then(|| site.chain(all).collect())
}

/// `[[token.grant]]`: each of its roles in each of its distributions for each of its stacks.
fn within(mut section: Section<'_, '_>, holder: Holder, notebook: &mut Notebook) -> Option<Vec<Grant>> {
    let own = section.need("roles", "roles = [\"srm\"]");
    let dists = section.get("distributions").map_or(Some(vec![]), |v| some(&v).and_then(|()| dists(&v, notebook)));
    let roles = own.as_ref().and_then(|v| roles(v, holder, dists.as_deref().unwrap_or_default(), notebook));
    let stacks = section.get("stacks").map_or(Some(vec![]), |v| some(&v).and_then(|()| set_of(&v, stack)));
    section.close();
    let (roles, dists, stacks) = (roles?, dists?, stacks?);
    if dists.is_empty() && stacks.is_empty() {
        let hint = "name `distributions`, `stacks` or both; roles that hold everywhere go one level up".to_owned();
        own?.complain("these roles would hold nowhere", Some(hint));
        return None;
    }
    let any = |all: Vec<_>| if all.is_empty() { vec![None] } else { all.into_iter().map(Some).collect() };
    let any_stack = if stacks.is_empty() { vec![None] } else { stacks.into_iter().map(Some).collect() };
    let places: Vec<Scope> = any(dists)
        .into_iter()
        .flat_map(|dist| any_stack.iter().map(move |stack| Scope::Within { dist: dist.clone(), stack: stack.clone() }))
        .collect();
    let of_role = |role: Role| places.iter().map(move |scope| Grant { role: role.clone(), scope: scope.clone() });
    Some(roles.into_iter().flat_map(of_role).collect())
}

/// Whether a list has something: an empty one would mean nothing, and is easily taken for everything.
fn some(value: &Value<'_, '_>) -> Option<()> {
    if value.list()?.is_empty() {
        value.complain("is empty, so these roles would hold nowhere", Some("leave it out to mean all".to_owned()));
        return None;
    }
    Some(())
}

fn dists(value: &Value<'_, '_>, notebook: &mut Notebook) -> Option<Vec<DistPath>> {
    let dists = set_of(value, dist)?;
    // Which distributions there are, the rest of the file says.
    let written = value.list()?.into_iter().filter(Value::is_text);
    notebook.granted_in.extend(written.filter_map(|v| Some((v.text()?.parse().ok()?, v.spot()))));
    Some(dists)
}

fn dist(value: &Value<'_, '_>) -> Option<DistPath> {
    value.parse()
}

fn stack(value: &Value<'_, '_>) -> Option<Stack> {
    value.parse()
}

/// A name for somebody that the logbook cannot confuse with an id.
fn actor(value: &Value<'_, '_>) -> Option<Actor> {
    let actor: Actor = value.parse()?;
    if let Some(why) = people::reserved(actor.as_str()) {
        value.complain(format!("`{actor}` cannot be the name of an actor: {why}"), None);
        return None;
    }
    Some(actor)
}

/// `{ file = ".." }`, or a list of two while the secret is being changed.
fn secrets(value: &Value<'_, '_>, notebook: &mut Notebook) -> Option<Vec<PathBuf>> {
    if !value.is_list() {
        return notebook.secret(value, Purpose::Secret).map(|path| vec![path]);
    }
    let list = value.list()?;
    if list.is_empty() || list.len() > 2 {
        value.complain("must have one secret, or two during a change", None);
        return None;
    }
    list.iter().map(|element| notebook.secret(element, Purpose::Secret)).collect()
}

/// The roles that somebody has, and that hold in these distributions; in all of them if there are none.
fn roles(value: &Value<'_, '_>, holder: Holder, dists: &[DistPath], notebook: &mut Notebook) -> Option<BTreeSet<Role>> {
    let list = value.list()?;
    if list.is_empty() {
        value.complain("is empty, so this actor cannot do anything", Some("for example: [\"verifier\"]".to_owned()));
    }
    let roles = set_of(value, role)?;
    // Which roles there are, the procedures say.
    let written = list.iter().filter(|v| v.is_text()).filter_map(|v| Some((v.text()?.parse().ok()?, v.spot())));
    notebook.roles.extend(written.map(|(role, at)| Granted { role, holder, dists: dists.to_vec(), at }));
    Some(roles.into_iter().collect())
}

fn team(value: &Value<'_, '_>) -> Option<TeamName> {
    value.parse()
}

fn role(value: &Value<'_, '_>) -> Option<Role> {
    value.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_an_address_that_leads_to_one_machine() {
        for good in ["https://chat.example.org/rollouts?room=7", "http://127.0.0.1:8080", "https://[::1]/x"] {
            assert_eq!(address(good).as_deref(), Ok(good));
        }
        for bad in
            ["", "chat.example.org", "ftp://x/", "https:///x", "https://me:word@x/", "https://x/ y", "https://x/#y"]
        {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
