//! Have the packages been in a tree for long enough: in the one that they leave, or in one that the procedure names?
//!
//! Early adopters need time to install and to report. It counts for each package from the publication that showed it in
//! that tree, by elapsed time, so neither a clock that jumps nor a daemon that is down shortens it.

use std::time::Duration;

use super::{Asked, Case, EXPOSURE, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::{Elapsed, Moment, NotBefore};
use crate::domain::names::TreeName;
use crate::domain::rollout::Rollout;
use crate::domain::terms::{GateForm, IN, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::format::quantity;
use crate::process::known::Known;
use crate::process::world::Tree;

const FOR: TermForm = TermForm { name: "for", kind: TermKind::Duration, required: true, example: "for = \"7d\"" };

/// How long it is usual, where that is longer (S0-44): said to people, and nothing waits for it.
const USUAL: TermForm =
    TermForm { name: "usual", kind: TermKind::Duration, required: false, example: "usual = \"7d\"" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: EXPOSURE, terms: &[FOR, USUAL, IN], of_moves: true }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

/// Since when packages are exposed, and what makes that longer than the procedure says.
struct Exposure {
    since: Elapsed,
    extended: Duration,
    paused: Duration,
}

impl Exposure {
    /// When they have been exposed for so long.
    fn ends(&self, now: Moment, span: Duration) -> Moment {
        now.when(self.since.plus(span.saturating_add(self.extended).saturating_add(self.paused)))
    }
}

/// The exposure of the packages of a rollout in a tree; `None` if they are not there.
fn exposure(known: Known<'_>, rollout: &Rollout, tree: &TreeName) -> Option<Exposure> {
    let world = known.world;
    // Missing packages are another gate's business.
    let since = rollout.parts.iter().flat_map(|part| {
        let here = world.trees.of_dist(&part.dist, tree).map(Tree::listing);
        part.packages.iter().filter_map(move |nevra| here?.get(nevra)?.since)
    });
    let since = since.max()?;
    let extended = world.dossiers.of(&rollout.id).map_or(Duration::ZERO, |dossier| dossier.extended);
    // On hold, no time passes.
    let paused = world.paused(&rollout.id, since, known.now.elapsed);
    Some(Exposure { since, extended, paused })
}

/// When the exposure ends that a step from a rollout's present state asks for, if one does.
pub fn ends(known: Known<'_>, rollout: &Rollout) -> Option<Moment> {
    asked(known, rollout, FOR).map(|(_, ends)| ends)
}

/// How long that exposure is.
pub fn span(known: Known<'_>, rollout: &Rollout) -> Option<Duration> {
    asked(known, rollout, FOR).map(|(span, _)| span)
}

/// The usual time of that exposure, if the procedure says one, and when it ends (S0-44).
pub fn usual(known: Known<'_>, rollout: &Rollout) -> Option<(Duration, Moment)> {
    asked(known, rollout, USUAL)
}

/// How long the packages of a rollout are to be in a tree before a step from its present state, by one of the terms, and when
/// they have been there for so long.
fn asked(known: Known<'_>, rollout: &Rollout, term: TermForm) -> Option<(Duration, Moment)> {
    let workflow = &known.rules.of(&rollout.parts).ok()?.workflow;
    let named = |step: &Transition| {
        let gate = step.gates.iter().find(|gate| gate.name == EXPOSURE)?;
        Some((Case::source(step, &gate.terms)?.clone(), gate.terms.duration(term.name)?))
    };
    let (tree, span) = workflow.leaving(&rollout.state).find_map(named)?;
    exposure(known, rollout, &tree).map(|exposure| (span, exposure.ends(known.now, span)))
}

/// What is said of the usual time beside the time that the procedure requires.
fn usual_words(case: &Case<'_>, exposure: &Exposure, span: Duration) -> String {
    let ends = exposure.ends(case.known.now, span);
    let said = quantity::show_duration(span);
    if ends.elapsed <= case.known.now.elapsed {
        format!("; the usual {said} have passed")
    } else if case.world.is_paused(&case.rollout.id) {
        format!("; usually {said}")
    } else {
        format!("; usually {said}, until {:.0}", ends.wall)
    }
}

fn judge(case: &Case<'_>, transition: &Transition, terms: &Terms) -> Vec<Finding> {
    let (Some(from), Some(span)) = (Case::source(transition, terms), terms.duration(FOR.name)) else {
        let sentence = "The procedure requires time in a tree but does not say how long.";
        return vec![Finding::new(Verdict::NeedsAdmin, "exposure", sentence)];
    };
    let Some(exposure) = exposure(case.known, case.rollout, from) else { return vec![] };
    let usual = terms.duration(USUAL.name).map(|usual| usual_words(case, &exposure, usual)).unwrap_or_default();
    let ends = exposure.ends(case.known.now, span);
    let Exposure { extended, paused, .. } = exposure;
    let (now, span_said) = (case.known.now, quantity::show_duration(span));
    if ends.elapsed <= now.elapsed {
        return vec![Finding::new(
            Verdict::Pass,
            "exposure",
            format!("The packages have been in {from} for {span_said}{usual}."),
        )];
    }
    let more = if extended.is_zero() {
        String::new()
    } else {
        format!(" and an extension of {}", quantity::show_duration(extended))
    };
    if let Some(what) = case.world.stands_still(&case.rollout.id) {
        let left = Duration::try_from(ends.elapsed.since(now.elapsed)).unwrap_or_default();
        let left = quantity::about_duration(left);
        let sentence = format!(
            "The packages have to be in {from} for {span_said}{more}; {left} remain once {what} goes on{usual}."
        );
        return vec![Finding::new(Verdict::Wait, "exposure", sentence)];
    }
    let more = if paused.is_zero() {
        more
    } else {
        let paused = quantity::show_duration(Duration::from_secs(paused.as_secs()));
        format!("{more}, not counting {paused} for which it was stalled")
    };
    let sentence = format!("The packages have to be in {from} for {span_said}{more}, until {:.0}{usual}.", ends.wall);
    vec![Finding { not_before: Some(NotBefore::Elapsed(ends)), ..Finding::new(Verdict::Wait, "exposure", sentence) }]
}
