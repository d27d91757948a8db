//! Findings and how they are judged.
//!
//! All gates are asked, so that a person sees all the reasons and not only the first. The worst
//! verdict decides, and no gate at all is not a pass: nobody would have vouched for the step.

use std::fmt;

use jiff::Timestamp;

/// From best to worst; the worst finding decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing stands in the way.
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
    /// The earliest time at which it may pass, when that is known.
    pub not_before: Option<Timestamp>,
}

impl Finding {
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
    /// All of them, worst first.
    pub findings: Vec<Finding>,
}

/// The worst finding decides; without any finding an admin has to.
pub fn judge(mut findings: Vec<Finding>) -> Judgement {
    findings.sort_by_key(|f| std::cmp::Reverse(f.verdict));
    let verdict = findings.first().map_or(Verdict::NeedsAdmin, |f| f.verdict);
    Judgement { verdict, findings }
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
    fn no_gate_is_not_a_pass() {
        assert_eq!(judge(vec![]).verdict, Verdict::NeedsAdmin);
    }
}
