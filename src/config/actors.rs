//! `[[webhook]]` and `[[token]]`: who may use the daemon, and as whom; `[[outgoing]]`: who is notified.
//!
//! A secret is always given as a file name; `check` and the web floor read its content.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::mentions::{Granted, Notebook, Purpose, SECRET_EXAMPLE};
use super::settings::{HookKind, Outgoing, Token, Webhook};
use super::values::{Names, set_of};
use crate::domain::names::{Actor, HookName, Role};
use crate::domain::naming::team::TeamName;
use crate::domain::people;
use crate::format::document::{Section, Value};
use crate::process::notice;

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
    let kinds = [("rt", HookKind::Rt), ("generic", HookKind::Generic)];
    let kind = section.need("kind", "kind = \"generic\"").and_then(|v| v.one_of(&kinds));
    let secrets = section.need("secret", SECRET_EXAMPLE).and_then(|v| secrets(&v, notebook));
    let actor = match section.get("actor") {
        Some(value) => actor(&value),
        None => name.as_ref().and_then(|name| name.as_str().parse().ok()),
    };
    let roles = section.get("roles").map_or_else(|| Some(BTreeSet::from([Role::TRACKER])), |v| roles(&v, notebook));
    section.close();
    Some(Webhook { name: name?, kind: kind?, secrets: secrets?, actor: actor?, roles: roles? })
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
    value.sections().into_iter().filter_map(|section| token(section, &mut names, notebook)).collect()
}

fn token(mut section: Section<'_, '_>, names: &mut Names, notebook: &mut Notebook) -> Option<Token> {
    let actor = section.need("actor", "actor = \"jane\"").and_then(|v| {
        let actor = actor(&v)?;
        names.note(actor.as_str(), &v, "has two tokens");
        Some(actor)
    });
    let roles = section.need("roles", "roles = [\"verifier\"]").and_then(|v| roles(&v, notebook));
    let file = section.need("secret", SECRET_EXAMPLE).and_then(|v| notebook.secret(&v, Purpose::Token));
    let teams = section.get("teams").map_or_else(|| Some(vec![]), |v| set_of(&v, team));
    section.close();
    Some(Token { actor: actor?, roles: roles?, teams: teams?.into_iter().collect(), file: file? })
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

fn roles(value: &Value<'_, '_>, notebook: &mut Notebook) -> Option<BTreeSet<Role>> {
    let list = value.list()?;
    if list.is_empty() {
        value.complain("is empty, so this actor cannot do anything", Some("for example: [\"verifier\"]".to_owned()));
    }
    let roles = set_of(value, role)?;
    // Which roles there are, the procedures say.
    let written = list.iter().filter(|v| v.is_text()).filter_map(|v| Some((v.text()?.parse().ok()?, v.spot())));
    notebook.roles.extend(written.map(|(role, at)| Granted { role, at }));
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
