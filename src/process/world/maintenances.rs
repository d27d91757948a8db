//! Maintenances: when nothing is promoted, and why.

use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::calendar::maintenance::{Declaration, Kind, assess};
use crate::domain::names::{Actor, DistPath, MaintenanceId};
use crate::process::fact::maintenance::{MaintenanceDeclared, MaintenanceEnded};

/// A maintenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Its distribution; everywhere if there is none.
    pub dist: Option<DistPath>,
    /// What is done.
    pub title: String,
    /// When it starts.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Why it could not be declared earlier or cannot be shorter; may be empty.
    pub justification: String,
    /// When it was declared.
    pub declared: Timestamp,
    /// Who declared it.
    pub by: Actor,
    /// When it was called off, or ended before its time.
    pub called_off: Option<Timestamp>,
}

impl Maintenance {
    /// Whether it was declared in time.
    pub fn kind(&self) -> Kind {
        let Self { declared, start, end, justification, .. } = self;
        assess(&Declaration { declared: *declared, start: *start, end: *end, justification }).kind
    }

    /// Whether it is coming or going on.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.called_off.is_none() && now < self.end
    }

    /// When it is over; one that was called off before it began has never been.
    pub fn ended(&self) -> Timestamp {
        self.called_off.map_or(self.end, |at| at.min(self.end))
    }

    /// Whether it is going on.
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.is_ahead(now) && self.start <= now
    }
}

/// All maintenances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Maintenances {
    by_id: OrdMap<MaintenanceId, Arc<Maintenance>>,
}

impl Maintenances {
    /// One of them.
    pub fn get(&self, id: &MaintenanceId) -> Option<&Maintenance> {
        self.by_id.get(id).map(|maintenance| &**maintenance)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&MaintenanceId, &Maintenance)> {
        self.by_id.iter().map(|(id, maintenance)| (id, &**maintenance))
    }

    /// The one that goes on in a distribution; of several the one that ends last.
    pub fn on_in(&self, dist: &DistPath, now: Timestamp) -> Option<(&MaintenanceId, &Maintenance)> {
        let here = self.iter().filter(|(_, known)| known.dist.as_ref().is_none_or(|known| known == dist));
        here.filter(|(_, known)| known.is_on(now)).max_by_key(|(_, known)| known.end)
    }

    pub(super) fn declared(&mut self, stamp: Stamp<'_>, declared: &MaintenanceDeclared) {
        let MaintenanceDeclared { maintenance, dist, title, start, end, justification } = declared.clone();
        let (by, called_off) = (Actor::recorded(stamp.who), None);
        let declared = Maintenance { dist, title, start, end, justification, declared: stamp.at, by, called_off };
        self.by_id.insert(maintenance, Arc::new(declared));
    }

    pub(super) fn ended(&mut self, stamp: Stamp<'_>, MaintenanceEnded { maintenance }: &MaintenanceEnded) {
        if let Some(known) = self.by_id.get_mut(maintenance) {
            Arc::make_mut(known).called_off = Some(stamp.at);
        }
    }
}
