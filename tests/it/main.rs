//! One binary for every flow that is tested from outside: one file each.
//!
//! Tests that need other people's packages look for them in `../shared/corpus`, or where
//! `ROLLOUTD_CORPUS` points, and say so when there are none. Tests that need other programs (dnf,
//! zypper, createrepo_c, systemd) say which one is missing; with `ROLLOUTD_REQUIRE_PEERS=1`, as
//! `tests/run` sets it, a missing program is a failure.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adoption;
mod adoption_sweep;
mod attack;
mod attributes;
mod bad_days;
mod byte_ranges;
mod calendar;
mod calls;
mod campaign;
mod cast;
mod catalogue;
mod certs;
mod changes_story;
mod clients;
mod clock_jumps;
mod config_check;
mod configuration;
mod confined;
mod corpus_headers;
mod corpus_metadata;
mod corpus_verdicts;
mod costs;
mod ctl;
mod daily;
mod demo;
mod differential;
mod disagreement;
mod drill;
mod egi_story;
mod fault_sweep;
mod forge;
mod fsck;
mod fuzz_corpus;
mod fuzz_replay;
mod gate;
mod glite_story;
mod held_sweep;
mod hands;
mod help;
mod holds;
mod index;
mod judge;
mod kill_loop;
mod kill_sweep;
mod levels;
mod load;
mod metadata_readers;
mod mirrors;
mod outgoing;
mod peers;
mod nginx;
mod people;
mod plan;
mod power_cuts;
mod random;
mod readers;
mod release_story;
mod restore;
mod incident_story;
mod review_story;
mod reports;
mod rings;
mod scenarios;
mod scrub;
mod sequences;
mod served_races;
mod service_unit;
mod set_up;
mod signing;
mod site;
mod snapshot;
mod sso;
mod strangers;
mod trail;
mod upload_costs;
mod uploads;
mod verify;
