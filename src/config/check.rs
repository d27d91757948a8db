//! The whole check: the text, and then everything that only the disk, the key files and the clock can tell.
//!
//! A check changes nothing, and no error hides another: the valid parts of a broken file are checked against the disk
//! nevertheless.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use super::mentions::{Granted, Holder, Purpose};
use super::reader::{Outcome, TEXT_MAX, read};
use super::settings::{Distribution, Settings};
use super::{directories, files, holidays, keyfiles, secrets, strays};
use crate::domain::arch;
use crate::domain::names::Role;
use crate::domain::request::ChangePolicy;
use crate::domain::workflow::{Effect, Workflow};
use crate::format::complaint::{Complaint, Findings, Level, Spot, sort};
use crate::format::spelling::{did_you_mean, list_of};
use crate::process::gate::approvals;
use crate::process::procedure;

/// The result of a check.
#[derive(Debug)]
pub struct Report {
    /// The settings; only when there is no complaint.
    pub settings: Option<Settings>,
    /// Complaints and notes, in the order of the file.
    pub findings: Vec<Complaint>,
}

impl Report {
    /// What keeps the daemon from starting.
    pub fn complaints(&self) -> impl Iterator<Item = &Complaint> {
        self.findings.iter().filter(|finding| finding.level == Level::Complaint)
    }

    /// What is worth knowing.
    pub fn notes(&self) -> impl Iterator<Item = &Complaint> {
        self.findings.iter().filter(|finding| finding.level == Level::Note)
    }
}

/// Reads a configuration file and checks it against the disk and the time `now`.
pub fn check(file: &Path, now: Timestamp) -> Report {
    let mut findings = Findings::new(file);
    let start = Spot { line: 1, column: 1, key: String::new() };
    let bytes = match files::content(file, TEXT_MAX) {
        Ok((bytes, _)) => bytes,
        Err(trouble) => {
            findings.trouble(&start, trouble);
            return Report { settings: None, findings: findings.list };
        }
    };
    if let Some(trouble) = files::changeable_by_others(file) {
        findings.trouble(&start, trouble);
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(good);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let what = "is not UTF-8 from here on, as TOML must be".to_owned();
            findings.complain(&Spot { line, column, key: String::new() }, what, None);
            return Report { settings: None, findings: findings.list };
        }
    };
    let outcome = read(&text, file);
    findings.list.extend(outcome.complaints.iter().cloned());
    directories::look(&outcome, &mut findings);
    strays::look(&outcome, &mut findings);
    keyfiles::look(&outcome, now, &mut findings);
    holidays::look(&outcome, now, &mut findings);
    secrets::look(&outcome.notebook.mentions, &mut findings);
    if let Some(known) = procedures(&outcome, &mut findings) {
        roles(&outcome, &known, &mut findings);
    }
    arches(&outcome, &mut findings);
    places(&outcome, &mut findings);
    changes(&outcome, &mut findings);
    reachability(&outcome, &mut findings);
    let mut list = findings.list;
    sort(&mut list);
    // Other files come after the configuration; two distributions may share a procedure.
    list.sort_by(|a, b| (a.file != file, &a.file).cmp(&(b.file != file, &b.file)));
    list.dedup();
    let settings = outcome.settings.filter(|_| list.iter().all(|finding| finding.level == Level::Note));
    Report { settings, findings: list }
}

/// Procedures that are files. The roles that all procedures name, if all can be read.
fn procedures(outcome: &Outcome, findings: &mut Findings) -> Option<BTreeSet<Role>> {
    let mut known = BTreeSet::from(Role::KNOWN);
    known.extend(outcome.settings.iter().flat_map(|settings| settings.changes.approvers()).cloned());
    let mut all_are_read = !outcome.distributions.is_empty();
    for (number, distribution) in &outcome.distributions {
        if let Some(workflow) = procedure::built_in(&distribution.procedure) {
            known.extend(workflow.roles().cloned());
            untaken(outcome, *number, &workflow, findings);
            skipping(outcome, *number, &workflow, findings);
        }
    }
    for mention in &outcome.notebook.mentions {
        let Purpose::Procedure { distribution } = &mention.purpose else { continue };
        let text = match files::content(&mention.path, procedure::FILE_MAX) {
            Ok((bytes, _)) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(trouble) => {
                findings.trouble(&mention.at, trouble);
                all_are_read = false;
                continue;
            }
        };
        match procedure::read(&text, &mention.path) {
            Ok(read) => {
                known.extend(read.workflow.roles().cloned());
                untaken(outcome, *distribution, &read.workflow, findings);
                skipping(outcome, *distribution, &read.workflow, findings);
                let of = outcome.distributions.iter().find(|(number, _)| number == distribution);
                let misfits = of.map(|(_, Distribution { trees, .. })| read.misfits(trees, &mention.path));
                findings.list.extend(misfits.unwrap_or_default());
            }
            Err(complaints) => {
                findings.list.extend(complaints);
                all_are_read = false;
            }
        }
    }
    all_are_read.then_some(known)
}

/// Steps by which packages come to all sites that early adopters never had (S0-01): a site may want that, and has to know it.
fn skipping(outcome: &Outcome, number: usize, workflow: &Workflow, findings: &mut Findings) {
    let of = outcome.distributions.iter().find(|(known, _)| *known == number);
    let Some((_, Distribution { trees, .. })) = of else { return };
    let [first, _, .., last] = trees.as_slice() else { return };
    let at = outcome.places.of(&format!("distribution[{number}].procedure"));
    let skips = |effect: &Effect| matches!(effect, Effect::Move { from, to } if from == first && to == last);
    for step in workflow.transitions().iter().filter(|step| skips(&step.effect)) {
        let (from, to) = (&step.from, &step.to);
        let what =
            format!("the step from {from} to {to} moves packages from {first} straight to {last}: nobody tests them");
        findings.note(&at, what, None);
    }
}

/// What a distribution takes in that does not say it itself, and what it takes in that rpm does not know.
fn arches(outcome: &Outcome, findings: &mut Findings) {
    for (number, distribution) in &outcome.distributions {
        let at = |key| outcome.places.of(&format!("distribution[{number}].{key}"));
        match &distribution.arches {
            None => {
                if let Some(allowed) = arch::allowed_below(distribution.path.as_str()) {
                    let what = format!("takes in packages of {} and refuses others", list_of(allowed.into_iter()));
                    let hint = "to take others as well, like `i686` or `src`, name all of them in `arches`, also these";
                    let hint = hint.to_owned();
                    findings.note(&at("path"), what, Some(hint));
                }
            }
            Some(named) => {
                for arch in named.iter().filter(|arch| !arch::is_known(arch)) {
                    let what = format!(
                        "rpm does not know `{arch}`: only sites that were told of it can install such packages"
                    );
                    findings.note(&at("arches"), what, did_you_mean(arch, arch::known()));
                }
            }
        }
    }
}

/// Roles that nobody has, and steps that nobody can take.
fn untaken(outcome: &Outcome, number: usize, workflow: &Workflow, findings: &mut Findings) {
    let granted = &outcome.notebook.roles;
    if granted.is_empty() {
        // Said once, and not of every step.
        return;
    }
    let of = outcome.distributions.iter().find(|(known, _)| *known == number);
    let Some((_, Distribution { path, .. })) = of else { return };
    let at = outcome.places.of(&format!("distribution[{number}].procedure"));
    let is_had = |role: &Role| granted.iter().any(|granted| granted.is_in(role, path));
    for role in workflow.roles().collect::<BTreeSet<_>>() {
        if !Role::KNOWN.contains(role) && !is_had(role) {
            let hint = did_you_mean(role.as_str(), Role::KNOWN.iter().map(Role::as_str));
            findings.note(&at, format!("it names the role `{role}`, which no token or webhook has in {path}"), hint);
        }
    }
    let asked =
        workflow.transitions().iter().flat_map(|step| approvals::asked_for(step).map(move |asked| (step, asked)));
    for (step, (role, each)) in asked {
        let of_role = granted.iter().filter(|granted| granted.is_in(role, path));
        let Some(has) = too_few(of_role, role, each) else { continue };
        let what = format!(
            "nobody can approve the step from {} to {}: {has} in {path}; it could only be overridden",
            step.from, step.to
        );
        let hint = format!("give {role} to somebody, or name another role in the procedure");
        if approvals::is_always_asked(step, role) {
            findings.complain(&at, what, Some(hint));
        } else {
            findings.note(&at, what, Some(hint));
        }
    }
    let nobody = |who: &BTreeSet<Role>| !who.iter().any(is_had);
    for step in workflow.transitions().iter().filter(|step| nobody(&step.who)) {
        let roles = step.who.iter().map(Role::as_str).collect::<Vec<_>>().join(", ");
        let what = format!(
            "nobody can take the step from {} to {}: no token or webhook has one of its roles ({roles}) in {path}",
            step.from, step.to
        );
        findings.note(&at, what, None);
    }
}

/// Why those who have a role are not as many as have to approve something.
fn too_few<'g>(granted: impl Iterator<Item = &'g Granted>, role: &Role, needed: usize) -> Option<String> {
    let holders: BTreeSet<Holder> = granted.map(|granted| granted.holder).collect();
    if holders.contains(&Holder::Many) || holders.len() >= needed {
        return None;
    }
    Some(match holders.len() {
        0 => format!("nobody has the role {role}"),
        some => format!("{needed} people of the role {role} have to, and only {some} can"),
    })
}

/// Changes that nobody could approve, where the site says how they are handled.
fn changes(outcome: &Outcome, findings: &mut Findings) {
    let (granted, Some(settings)) = (&outcome.notebook.roles, &outcome.settings) else { return };
    let at = outcome.places.of("changes.approvals");
    if granted.is_empty() || settings.changes == ChangePolicy::default() {
        return;
    }
    let ChangePolicy { from, each, .. } = &settings.changes;
    for role in from {
        let of_role = granted.iter().filter(|granted| granted.role == *role);
        let Some(has) = too_few(of_role, role, *each) else { continue };
        findings.note(&at, format!("nobody can approve changes for {role}: {has}, so no change is accepted"), None);
    }
}

/// Roles that mean nothing: nobody could do anything with them.
fn roles(outcome: &Outcome, known: &BTreeSet<Role>, findings: &mut Findings) {
    for Granted { role, at, .. } in outcome.notebook.roles.iter().filter(|granted| !known.contains(&granted.role)) {
        let names = || known.iter().map(Role::as_str);
        let hint = did_you_mean(role.as_str(), names()).unwrap_or_else(|| format!("there are {}", list_of(names())));
        findings.complain(at, format!("no procedure of this site names the role `{role}`"), Some(hint));
    }
}

/// Distributions in which roles hold, and which there are not.
fn places(outcome: &Outcome, findings: &mut Findings) {
    let names = || outcome.distributions.iter().map(|(_, distribution)| distribution.path.as_str());
    for (dist, at) in outcome.notebook.granted_in.iter().filter(|(dist, _)| names().all(|name| name != dist.as_str())) {
        let hint = did_you_mean(dist.as_str(), names()).unwrap_or_else(|| format!("there are {}", list_of(names())));
        findings.complain(at, format!("there is no distribution `{dist}`"), Some(hint));
    }
}

/// Who can reach the daemon at all, and whether others can too.
fn reachability(outcome: &Outcome, findings: &mut Findings) {
    let Some(settings) = &outcome.settings else { return };
    let address = settings.http.listen;
    if !address.ip().is_loopback() {
        let what = format!("other machines can reach {address}, and tokens are sent there unencrypted");
        let hint = "listen on 127.0.0.1 behind a web server with TLS".to_owned();
        findings.note(&outcome.places.of("http.listen"), what, Some(hint));
    }
    if settings.tokens.is_empty() && settings.webhooks.is_empty() && settings.sso.is_none() {
        let at = Spot { line: 1, column: 1, key: String::new() };
        let what = "there is neither a [[token]] nor a [[webhook]], so nobody can move a rollout".to_owned();
        findings.note(&at, what, None);
    }
}
