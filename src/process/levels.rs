//! The service levels of this site: what was agreed, and what there was (S3-39, S3-41).
//!
//! What is known of availability is what the logbook knows: when the daemon did not run. Clients were served by the web
//! server all the same; nothing was taken in, promoted or told. A daemon that was killed has certainly run until it sealed
//! the logbook last, which is ten minutes ago at most, so a crash counts as longer than it was and never as shorter.

use std::time::Duration;

use jiff::Timestamp;

use super::known::Known;
use crate::domain::calendar::maintenance::Kind;
use crate::domain::levels::{Durations, Presence, Span, Timely, presence};

/// Something that was agreed or could be, and how it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// What.
    pub what: &'static str,
    /// What was agreed.
    pub agreed: Option<Agreed>,
    /// What there was; `None` if nothing can be said.
    pub was: Option<Was>,
}

/// What was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// At least this share, in hundredths of a percent.
    Share(u32),
    /// Each of them within this time.
    Within(Duration),
}

/// What there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Was {
    /// A share, in hundredths of a percent.
    Share(u32),
    /// How many there were, and how many in time.
    Timely(Timely),
}

impl Level {
    /// Whether it was kept; `None` if nothing was agreed, or nothing can be said.
    pub fn is_kept(&self) -> Option<bool> {
        match (self.agreed?, self.was?) {
            (Agreed::Share(least), Was::Share(share)) => Some(share >= least),
            (Agreed::Within(_), Was::Timely(timely)) => Some(timely.in_time == timely.all),
            (Agreed::Share(_), Was::Timely(_)) | (Agreed::Within(_), Was::Share(_)) => None,
        }
    }
}

/// The service levels, and over which time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// From when to when.
    pub span: Span,
    /// How long the daemon was there, if that is any time.
    pub presence: Option<Presence>,
    /// All of them.
    pub levels: Vec<Level>,
}

/// The service levels of the time that the site looks at, or of another one.
pub fn report(known: Known<'_>, within: Option<Duration>) -> Report {
    let (policy, levels, now) = (&known.rules.levels, &known.world.levels, known.now.wall);
    let since = now.checked_sub(within.unwrap_or(policy.within)).unwrap_or(Timestamp::MIN);
    let span = (levels.began().unwrap_or(now).max(since), now);
    // One that ends in the future was written down by a clock that was ahead.
    let stops: Vec<Span> = levels.stops().filter(|(_, until)| *until <= now).collect();
    // One that was declared too late has to be borne like any other interruption, and one of a single distribution does not
    // explain why the daemon was not there.
    let all = known.world.maintenances.iter().map(|(_, maintenance)| maintenance);
    let announced = all.filter(|maintenance| maintenance.kind() == Kind::Scheduled && maintenance.dist.is_none());
    let maintenances: Vec<Span> = announced.map(|maintenance| (maintenance.start, maintenance.ended())).collect();
    let presence = presence(span, &stops, &maintenances);
    let timely = |what, of: &Durations, agreed: Option<Duration>| Level {
        what,
        agreed: agreed.map(Agreed::Within),
        was: of.since(span.0, agreed).map(Was::Timely),
    };
    let levels = vec![
        Level {
            what: "availability",
            agreed: policy.availability.map(Agreed::Share),
            was: presence.map(|found| Was::Share(found.availability)),
        },
        Level {
            what: "reliability",
            agreed: policy.reliability.map(Agreed::Share),
            was: presence.and_then(|found| found.reliability).map(Was::Share),
        },
        timely("promoted", &levels.promoted, policy.promote_within),
        timely("withdrawn", &levels.withdrawn, policy.withdraw_within),
        timely("people told", &levels.told, policy.tell_within),
        timely("notices delivered", &levels.delivered, policy.deliver_within),
    ];
    Report { span, presence, levels }
}
