//! Findings and how they are judged.
//!
//! All gates are asked, so that a person sees all the reasons and not only the first. The worst
//! verdict decides, and no gate at all is not a pass: nobody would have vouched for the step.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use super::moment::{Elapsed, NotBefore};

/// From best to worst; the worst finding decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is in the way.
    Pass,
    /// Not yet; it may pass later with nobody changing anything.
    Wait,
    /// A person with more rights has to act.
    NeedsAdmin,
    /// No, and waiting will not help.
    Reject,
}

impl Verdict {
    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Wait => "wait",
            Self::NeedsAdmin => "needs-admin",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one gate found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it counts.
    pub verdict: Verdict,
    /// A stable code, lower case with underscores.
    pub code: &'static str,
    /// One sentence for people, with a full stop.
    pub sentence: String,
    /// The earliest moment at which it can pass, if known.
    pub not_before: Option<NotBefore>,
}

impl Finding {
    /// The same, of one of several.
    #[must_use]
    pub fn about(mut self, one: impl std::fmt::Display) -> Self {
        self.sentence = format!("{one}: {}", self.sentence);
        self
    }

    /// A finding without a time.
    pub fn new(verdict: Verdict, code: &'static str, sentence: impl Into<String>) -> Self {
        Self { verdict, code, sentence: sentence.into(), not_before: None }
    }
}

/// All findings and the verdict that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The worst of the findings.
    pub verdict: Verdict,
    /// All of them, worst first; of many of one kind some, and how many more.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// The elapsed time at which everything that waits for time to pass can pass, if something does.
    pub fn not_before(&self) -> Option<Elapsed> {
        self.known().filter_map(NotBefore::elapsed).max()
    }

    /// The time on the wall clock at which everything that waits for an opening can pass, if something does.
    pub fn opens(&self) -> Option<Timestamp> {
        self.known().filter_map(NotBefore::wall).max()
    }

    fn known(&self) -> impl Iterator<Item = NotBefore> {
        self.findings.iter().filter_map(|finding| finding.not_before)
    }
}

/// How many findings of one kind are reported in full. A rollout may have thousands of packages, and a finding for each
/// would fill the logbook, the response and the page.
pub const TOLD_MOST: usize = 10;

/// The worst finding decides; without any finding, an admin has to.
pub fn judge(mut findings: Vec<Finding>) -> Judgement {
    findings.sort_by_key(|f| std::cmp::Reverse(f.verdict));
    let verdict = findings.first().map_or(Verdict::NeedsAdmin, |f| f.verdict);
    Judgement { verdict, findings: summed_up(findings) }
}

fn summed_up(findings: Vec<Finding>) -> Vec<Finding> {
    let mut told: Vec<(Finding, usize)> = Vec::new();
    let mut seen: BTreeMap<(Verdict, &'static str), usize> = BTreeMap::new();
    for finding in findings {
        let count = seen.entry((finding.verdict, finding.code)).or_default();
        *count += 1;
        if *count <= TOLD_MOST {
            told.push((finding, 0));
        } else if let Some((_, more)) =
            told.iter_mut().rev().find(|(last, _)| (last.verdict, last.code) == (finding.verdict, finding.code))
        {
            *more += 1;
        }
    }
    let with_rest = |(finding, more): (Finding, usize)| {
        let words = format!("The same applies to {more} more.");
        let rest = (more > 0).then(|| Finding::new(finding.verdict, finding.code, words));
        std::iter::once(finding).chain(rest)
    };
    told.into_iter().flat_map(with_rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_all_are_kept() {
        let of = |v| Finding::new(v, "x", "X.");
        let judged = judge(vec![of(Verdict::Pass), of(Verdict::Reject), of(Verdict::Wait)]);
        assert_eq!(judged.verdict, Verdict::Reject);
        assert_eq!(
            judged.findings.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [Verdict::Reject, Verdict::Wait, Verdict::Pass]
        );
    }

    #[test]
    fn many_findings_of_one_kind_are_summed_up_and_those_of_another_are_not() {
        let mut all: Vec<Finding> =
            (0..5_000).map(|n| Finding::new(Verdict::Wait, "missing", format!("{n}."))).collect();
        all.insert(2_500, Finding::new(Verdict::Reject, "other", "No."));
        all.push(Finding::new(Verdict::Wait, "busy", "Not now."));
        let judged = judge(all);
        let said: Vec<&str> = judged.findings.iter().map(|f| f.sentence.as_str()).collect();
        assert_eq!((judged.verdict, said.len()), (Verdict::Reject, 13));
        assert_eq!(said[..2], ["No.", "0."]);
        assert_eq!(said[10..], ["9.", "The same applies to 4990 more.", "Not now."]);
        assert_eq!(judge((0..10).map(|_| Finding::new(Verdict::Wait, "x", "X.")).collect()).findings.len(), 10);
    }

    #[test]
    fn no_gate_is_not_a_pass() {
        assert_eq!(judge(vec![]).verdict, Verdict::NeedsAdmin);
    }
}
