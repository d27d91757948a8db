//! Shared secrets and API tokens: do they exist, are they private, long enough, and all different?
//!
//! A secret is never shown, not even in part.

use std::path::Path;

use super::files;
use super::mentions::{Mention, Purpose};
use crate::format::complaint::Findings;

/// Shorter secrets can be guessed (RFC 2104 section 3 recommends the length of the hash).
pub const SECRET_MIN: usize = 16;

/// A longer file is not a secret but a wrong path.
pub const SECRET_MAX: usize = 4096;

/// Where the service manager puts secrets, only while the service runs (`systemd.exec(5)`).
const CREDENTIALS: &str = "/run/credentials";

/// A secret as it is used: without what an editor adds at the end of the file.
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}

/// Checks every secret that the configuration names.
pub fn look(mentions: &[Mention], findings: &mut Findings) {
    let mut seen: Vec<(Vec<u8>, usize)> = Vec::new();
    for mention in mentions.iter().filter(|m| matches!(m.purpose, Purpose::Secret | Purpose::Token)) {
        let Some(secret) = one(mention, findings) else { continue };
        match seen.iter().find(|(other, _)| *other == secret) {
            Some((_, line)) => {
                let what = format!("{} holds the same secret as the file named in line {line}", mention.path.display());
                let hint = "whoever knows one can impersonate the other; make a new one".to_owned();
                findings.complain(&mention.at, what, Some(hint));
            }
            None => seen.push((secret, mention.at.line)),
        }
    }
}

/// The secret, if it is valid.
fn one(mention: &Mention, findings: &mut Findings) -> Option<Vec<u8>> {
    let shown = mention.path.display();
    let (bytes, metadata) = match files::content(&mention.path, SECRET_MAX) {
        Ok(content) => content,
        Err(_) if mention.path.starts_with(CREDENTIALS) && !Path::new(&mention.path).exists() => {
            let hint = "the service manager puts it there while rolloutd runs: see LoadCredential= in the unit";
            findings.note(&mention.at, format!("{shown} does not exist now"), Some(hint.to_owned()));
            return None;
        }
        Err(mut trouble) => {
            if !Path::new(&mention.path).exists() && trouble.hint.is_none() {
                trouble.hint =
                    Some(format!("as its user, make one: (umask 077; head -c 32 /dev/urandom | base64 > {shown})"));
            }
            findings.trouble(&mention.at, trouble);
            return None;
        }
    };
    if let Some(trouble) = files::open_to_others(&mention.path, &metadata) {
        findings.trouble(&mention.at, trouble);
    }
    let secret = trimmed(&bytes);
    let make_one = || Some(format!("make one: head -c 32 /dev/urandom | base64 > {shown}"));
    if secret.is_empty() {
        findings.complain(&mention.at, format!("{shown} is empty"), make_one());
        return None;
    }
    if secret.len() < SECRET_MIN {
        let what = format!("{shown} holds {} bytes, but needs at least {SECRET_MIN}", secret.len());
        findings.complain(&mention.at, what, make_one());
    }
    if mention.purpose == Purpose::Token && !secret.iter().all(u8::is_ascii_graphic) {
        let what = format!("{shown} has spaces or other characters that a bearer token may not have");
        findings.complain(&mention.at, what, make_one());
    }
    Some(secret.to_vec())
}
