//! Each entry of the logbook in the daemon's log.

use crate::domain::people::People;
use crate::domain::plan::Plan;
use crate::process::decision::Entry;
use crate::process::fact::Fact;
use crate::process::fact::daemon::Started;
use crate::process::fact::notice::GivenUp;
use crate::process::fact::package::Lost;
use crate::process::fact::person::Erased;
use crate::process::fact::rollout::{Awaits, Declined, Done, Moved, Staged, Submitted};
use crate::process::fact::ticket::Heard;
use crate::process::fact::tree::Retired;

/// One line for each entry; what an admin may have to act on is a warning.
pub(super) fn log_fact(seq: u64, entry: &Entry, people: &People) {
    let who = people.shown(entry.who.as_str());
    match &entry.fact {
        Fact::Started(Started { version, .. }) => tracing::info!(seq, version, "started"),
        Fact::Accepted(t) => tracing::info!(seq, dist = %t.dist, nevra = %t.nevra, sha256 = %t.sha256, "taken in"),
        Fact::Adopted(t) => tracing::info!(seq, dist = %t.dist, tree = %t.tree, nevra = %t.nevra, "adopted"),
        Fact::Released(t) => tracing::info!(seq, dist = %t.dist, tree = %t.tree, "released"),
        Fact::Altered(t) => tracing::error!(seq, "{t}"),
        Fact::Refused(t) => {
            tracing::warn!(seq, dist = %t.dist, upload = t.upload, code = t.code, detail = t.detail, "refused");
        }
        Fact::RefusedTogether(t) => {
            let (code, detail) = (&t.code, &t.detail);
            tracing::warn!(seq, dist = %t.dist, files = t.count(), code, detail, "refused together");
        }
        Fact::Submitted(Submitted { rollout, parts, .. }) => {
            let packages: usize = parts.iter().map(|part| part.packages.len()).sum();
            tracing::info!(seq, %who, %rollout, packages, "submitted");
        }
        Fact::Heard(Heard { hook, delivery, rollout, state, .. }) => {
            tracing::info!(seq, %hook, delivery, rollout, state, "heard");
        }
        Fact::Declined(Declined { rollout, state, findings }) => {
            tracing::warn!(seq, %who, rollout, state, ?findings, "step refused");
        }
        Fact::Awaits(Awaits { rollout, state, .. }) => tracing::info!(seq, %who, %rollout, state, "awaited"),
        Fact::Moved(Moved { rollout, from, to, plan }) => {
            let packages = plan.as_ref().map_or(0, Plan::packages);
            tracing::info!(seq, %who, %rollout, from, to, packages, "moved");
        }
        Fact::NoticeDue(due) => tracing::debug!(seq, to = %due.to, cause = due.cause, "notice due"),
        Fact::NoticeSent(sent) => tracing::info!(seq, to = %sent.to, notice = sent.notice, "notice sent"),
        Fact::NoticeGivenUp(GivenUp { to, notice, why, .. }) => {
            tracing::error!(seq, %to, notice, why, "notice given up");
        }
        Fact::Staged(Staged { plan, rollout, trees }) => {
            tracing::info!(seq, plan, %rollout, trees = trees.len(), "staged");
        }
        Fact::Done(Done { plan, .. }) => tracing::info!(seq, plan, "carried out"),
        Fact::Published(p) => {
            tracing::info!(seq, tree = %p.tree, revision = p.revision, packages = p.packages, "published");
        }
        Fact::Lost(Lost { dist, nevra, sha256 }) => {
            tracing::warn!(seq, %who, %dist, %nevra, %sha256, "given up as lost");
        }
        Fact::Erased(Erased { person }) => tracing::warn!(seq, %who, %person, "erased"),
        Fact::Retired(Retired { tree, files, kept }) => {
            tracing::info!(seq, %tree, files = files.len(), kept = kept.len(), "removed");
        }
        // What people record; the sentence has all of it.
        fact => tracing::info!(seq, %who, says = %fact, "recorded"),
    }
}
