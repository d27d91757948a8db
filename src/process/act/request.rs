//! Changes: recorded, assessed, approved, and how they stand (S3-06 to S3-16, S4-06).

use super::{missing_reason, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Actor, Category, ChangeId, Role};
use crate::domain::request::{ChangeKind, Priority, Status, Wanted};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::count;
use crate::process::fact::request::{ChangeApproved, ChangeAssessed, ChangeDisapproved, ChangeRecorded, ChangeWent};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::requests::Request;

/// Records a change.
pub(in crate::process) fn record(known: Known<'_>, caller: &Caller, wanted: &Wanted) -> Decision {
    let Wanted { change, title, origin, category, priority, kind } = wanted.clone();
    if known.world.requests.get(&change).is_some() {
        return Decision::answered(Answer::Conflict(format!("the change {change} was recorded already")));
    }
    let rule = known.rules.changes.rule(&title, category.as_ref());
    let usual = if rule.is_some() { ChangeKind::Standard } else { ChangeKind::Normal };
    let kind = kind.unwrap_or(usual);
    let mut findings: Vec<Finding> = rights::CHANGES.lacking(caller, []).into_iter().collect();
    if title.trim().is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_title", "A change needs a title of one line."));
    }
    findings.extend(strange(known, category.as_ref()));
    let (rule, priority) = match kind {
        ChangeKind::Normal => (None, priority.unwrap_or(Priority::None)),
        ChangeKind::Standard => {
            if rule.is_none() {
                findings.push(Finding::new(Verdict::Reject, "not_standard", not_standard(known)));
            }
            (rule.map(|rule| rule.id.clone()), priority.unwrap_or(Priority::None))
        }
        ChangeKind::Emergency => {
            findings.extend(rights::EMERGENCIES.lacking(caller, []));
            findings.extend(less_urgent(ChangeKind::Emergency, priority.unwrap_or(Priority::Immediate)));
            (None, Priority::Immediate)
        }
    };
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", ChangeRecorded { change, title, origin, category, priority, kind, rule })
}

/// Assesses a change: what work it is, and how urgent (S3-13).
pub(in crate::process) fn assess(
    known: Known<'_>,
    caller: &Caller,
    id: &ChangeId,
    (assessment, priority, category): (&str, Option<Priority>, Option<&Category>),
) -> Decision {
    let request = match open_request(known, id) {
        Ok(request) => request,
        Err(decision) => return decision,
    };
    let priority = priority.unwrap_or(request.priority);
    let mut findings: Vec<Finding> = rights::ASSESS.lacking(caller, []).into_iter().collect();
    if assessment.trim().is_empty() {
        let sentence = "An assessment must say what work the change is.";
        findings.push(Finding::new(Verdict::Reject, "no_assessment", sentence));
    }
    findings.extend(strange(known, category));
    findings.extend(less_urgent(request.kind, priority));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let category = category.or(request.category.as_ref()).cloned();
    let assessment = assessment.to_owned();
    recorded(known, caller, "", ChangeAssessed { change: id.clone(), assessment, priority, category })
}

/// Approves what was assessed, for a group that the caller belongs to. Each person counts once.
pub(in crate::process) fn approve(
    known: Known<'_>,
    caller: &Caller,
    id: &ChangeId,
    role: Option<&Role>,
    reason: &str,
) -> Decision {
    let request = match open_request(known, id) {
        Ok(request) => request,
        Err(decision) => return decision,
    };
    let policy = &known.rules.changes;
    let own = policy.approvers().filter(|known| role.is_none_or(|role| role == *known));
    let own = own.into_iter().find(|role| caller.may([*role], None));
    let mut findings = Vec::new();
    if own.is_none() {
        let roles: Vec<&str> = policy.approvers().map(Role::as_str).collect();
        let sentence = format!("Changes are approved by {}.", roles.join(" and "));
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", sentence));
    }
    if request.kind != ChangeKind::Normal {
        let sentence = format!("A change that is {} needs no approval.", article(request.kind));
        findings.push(Finding::new(Verdict::Reject, "not_asked", sentence));
    } else if request.status != Status::New {
        let sentence = format!("{id} is {}; only a New change can be approved.", request.status);
        findings.push(Finding::new(Verdict::Reject, "too_late", sentence));
    }
    findings.extend(unassessed(id, request));
    let (Some(own), true) = (own, findings.is_empty()) else { return Decision::refused(findings) };
    if has_approved(known, caller, request) {
        return Decision::answered(Answer::Conflict(format!("you have approved {id} already")));
    }
    recorded(known, caller, reason, ChangeApproved { change: id.clone(), role: own.clone() })
}

/// Takes one's own approval back.
pub(in crate::process) fn disapprove(known: Known<'_>, caller: &Caller, id: &ChangeId, reason: &str) -> Decision {
    let request = match open_request(known, id) {
        Ok(request) => request,
        Err(decision) => return decision,
    };
    if !has_approved(known, caller, request) || request.status != Status::New {
        return Decision::answered(Answer::Conflict(format!("you have not approved {id}, or it is too late")));
    }
    recorded(known, caller, reason, ChangeDisapproved { change: id.clone() })
}

/// Puts a change into another status (S3-07).
pub(in crate::process) fn go(known: Known<'_>, caller: &Caller, id: &ChangeId, to: Status, reason: &str) -> Decision {
    let Some(request) = known.world.requests.get(id) else { return no_request(id) };
    let from = request.status;
    if from == to {
        return Decision::answered(Answer::Conflict(format!("the change {id} is {to} already")));
    }
    let decides = matches!(to, Status::Accepted | Status::Rejected);
    let right = if decides { rights::DECIDE } else { rights::WORK };
    let mut findings: Vec<Finding> = right.lacking(caller, []).into_iter().collect();
    // What is on hold goes on where it was: it has not been accepted meanwhile.
    let goes_on = request.left.filter(|_| from == Status::Stalled);
    let is_elsewhere = goes_on.is_some_and(|left| to != left && to != Status::Rejected);
    if !from.next(request.kind).contains(&to) || is_elsewhere {
        let next: Vec<&str> = match goes_on {
            Some(left) => vec![left.as_str(), Status::Rejected.as_str()],
            None => from.next(request.kind).iter().map(|status| status.as_str()).collect(),
        };
        let sentence = format!("{id} is {from}; from there it can go to {}.", next.join(", "));
        findings.push(Finding::new(Verdict::Reject, "no_transition", sentence));
    } else if to == Status::Accepted && goes_on.is_none() {
        findings.extend(unassessed(id, request));
        findings.extend(unapproved(known, request));
    }
    if matches!(to, Status::Rejected | Status::Stalled) {
        findings.extend(missing_reason(reason, "Whoever asked for the change has to be told why: give a reason."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, ChangeWent { change: id.clone(), from, to })
}

/// A change about which something can still be done, or the answer that there is none.
pub(super) fn open_request<'w>(known: Known<'w>, id: &ChangeId) -> Result<&'w Request, Decision> {
    let Some(request) = known.world.requests.get(id) else { return Err(no_request(id)) };
    if !request.status.is_open() {
        return Err(Decision::answered(Answer::Conflict(format!("the change {id} is {}", request.status))));
    }
    Ok(request)
}

fn no_request(id: &ChangeId) -> Decision {
    Decision::answered(Answer::NotFound(format!("there is no change {id}")))
}

/// Whether somebody has approved a change.
pub(in crate::process) fn has_approved(known: Known<'_>, caller: &Caller, request: &Request) -> bool {
    let Some(person) = known.people.id_of(&caller.who) else { return false };
    request.approvals.keys().any(|by| by.as_str() == person.to_string())
}

/// Why a category is none of the site's.
fn strange(known: Known<'_>, category: Option<&Category>) -> Option<Finding> {
    let all = &known.rules.changes.categories;
    let category = category.filter(|category| !all.is_empty() && !all.contains(category))?;
    let all: Vec<&str> = all.iter().map(Category::as_str).collect();
    let sentence = format!("There is no category {category}; there are {}.", all.join(", "));
    Some(Finding::new(Verdict::Reject, "no_category", sentence))
}

/// That no rule allows a change, and which rules there are.
fn not_standard(known: Known<'_>) -> String {
    let rules = &known.rules.changes.standard;
    let rules: Vec<String> = rules.iter().map(|rule| format!("{} ({})", rule.id, rule.pattern)).collect();
    match rules.as_slice() {
        [] => "The configuration has no rules for standard changes.".to_owned(),
        rules => format!("No rule for standard changes matches the title: {}.", rules.join(", ")),
    }
}

/// An emergency has the highest priority, or it is none (S3-12).
fn less_urgent(kind: ChangeKind, priority: Priority) -> Option<Finding> {
    let is_less = kind == ChangeKind::Emergency && priority != Priority::Immediate;
    let sentence = "An emergency must have the priority immediate (4).";
    is_less.then(|| Finding::new(Verdict::Reject, "not_urgent", sentence))
}

fn unassessed(id: &ChangeId, request: &Request) -> Option<Finding> {
    let sentence = || format!("Nobody has assessed {id} yet.");
    request.assessment.is_none().then(|| Finding::new(Verdict::Wait, "not_assessed", sentence()))
}

/// The groups whose approval a change needs and does not have (S3-14).
pub(in crate::process) fn lacking<'a>(
    known: Known<'a>,
    request: &'a Request,
) -> impl Iterator<Item = (&'a Role, usize)> {
    let policy = &known.rules.changes;
    let counts = |by: &Actor| !(policy.four_eyes && *by == request.by);
    let of_role = move |role: &Role| request.approvals.iter().filter(|(by, (of, _))| of == role && counts(by)).count();
    let asked = policy.from.iter().filter(|_| request.kind == ChangeKind::Normal);
    asked.map(move |role| (role, of_role(role))).filter(|(_, there)| *there < policy.each)
}

fn unapproved(known: Known<'_>, request: &Request) -> Vec<Finding> {
    let policy = &known.rules.changes;
    let others = if policy.four_eyes { ", and not by whoever recorded it" } else { "" };
    let finding = |(role, there): (&Role, usize)| {
        let sentence = format!("{there} of {} for {role}{others}.", count(policy.each, "approval"));
        Finding::new(Verdict::Wait, "approvals", sentence)
    };
    lacking(known, request).map(finding).collect()
}

fn article(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Normal => "normal",
        ChangeKind::Standard => "a standard one",
        ChangeKind::Emergency => "an emergency",
    }
}
