//! Every key of the configuration, in the file that `rolloutd init` prints.
//!
//! The file is the only reference. The tests read it, with all that is commented out, and compare it with the keys that
//! the reader asks for and with the defaults that it has.

/// A configuration to begin with. What is commented out with a `#` and no blank after it shows every other key.
pub const TEXT: &str = include_str!("reference.toml");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::reader;
    use crate::config::settings::{Calendar, Grace, Http, Intake, Settings, TREES, Watch};
    use crate::domain::incident::IncidentPolicy;
    use crate::domain::names::TreeName;
    use crate::domain::request::ChangePolicy;

    /// The file with everything that is commented out.
    fn whole() -> String {
        let line = |line: &str| {
            let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
            match rest.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| !c.is_whitespace())) {
                Some(rest) => format!("{indent}{rest}\n"),
                None => format!("{line}\n"),
            }
        };
        TEXT.lines().map(line).collect()
    }

    fn settings(text: &str) -> Settings {
        let outcome = reader::read(text, "reference.toml".as_ref());
        assert!(outcome.complaints.is_empty(), "{:#?}", outcome.complaints);
        outcome.settings.expect("settings")
    }

    #[test]
    fn the_reference_can_be_used_as_it_is_and_with_all_that_it_shows() {
        let (short, long) = (settings(TEXT), settings(&whole()));
        assert_eq!((short.distributions.len(), long.distributions.len()), (1, 1));
        assert_eq!((short.tokens.len(), long.webhooks.len(), long.outgoing.len()), (1, 1, 1));
    }

    #[test]
    fn a_default_that_it_shows_is_one() {
        let long = settings(&whole());
        let intake = Intake { jobs: Intake::default().jobs, ..long.intake };
        assert_eq!((long.watch, intake, &long.http), (Watch::default(), Intake::default(), &Http::default()));
        let incidents = IncidentPolicy { support_unit: None, ..long.incidents };
        assert_eq!(incidents, IncidentPolicy::default());
        let changes = ChangePolicy { categories: BTreeSet::new(), standard: vec![], ..long.changes };
        assert_eq!(changes, ChangePolicy::default());
        assert_eq!(long.levels.within, settings(TEXT).levels.within);
        assert_eq!(long.calendar.working_days, Calendar::default().working_days);
        assert_eq!(long.site.incoming, settings(TEXT).site.incoming);
        let (long, short) = (&long.distributions[0], &settings(TEXT).distributions[0]);
        assert_eq!((long.checksum, long.compression, long.blocks), (short.checksum, short.compression, short.blocks));
        assert_eq!((long.grace, short.grace), (Grace::default(), Grace::default()));
        assert_eq!(long.trees.iter().map(TreeName::as_str).collect::<Vec<_>>(), TREES);
    }

    /// A stray key makes the reader say which keys it knows there.
    #[test]
    fn every_key_that_is_read_stands_in_it() {
        let mut table: toml::Table = whole().parse().expect("TOML");
        let mut shown = BTreeSet::new();
        add_strays(&mut table, "", &mut shown);
        let text = toml::to_string(&table).expect("TOML");
        let complaints = reader::read(&text, "reference.toml".as_ref()).complaints;
        let mut sections = 0;
        for complaint in complaints {
            let Some(known) = complaint.hint.as_deref().and_then(|hint| hint.strip_prefix("known here: ")) else {
                continue;
            };
            sections += 1;
            let is_number = |c: char| c.is_ascii_digit() || c == '[' || c == ']';
            let place: String = complaint.at.key.replace(STRAY, "").split(is_number).collect();
            for key in known.split(", ") {
                // The text refers to the same key elsewhere.
                let is_told_of = [("webhook.", "grant"), ("sso.group.", "grant"), ("distribution.window.", "deny")]
                    .contains(&(&place, key));
                assert!(
                    is_told_of || shown.contains(&format!("{place}{key}")),
                    "{place}{key} is not in reference.toml"
                );
            }
        }
        assert!(sections > 20, "{sections}");
    }

    const STRAY: &str = "xyzzyxyzzyxyzzy";

    /// Adds one to each table, and notes all other keys.
    fn add_strays(table: &mut toml::Table, path: &str, shown: &mut BTreeSet<String>) {
        for (key, value) in table.iter_mut() {
            let path = format!("{path}{key}");
            let below = format!("{path}.");
            match value {
                toml::Value::Table(table) => add_strays(table, &below, shown),
                toml::Value::Array(list) => {
                    for table in list.iter_mut().filter_map(toml::Value::as_table_mut) {
                        add_strays(table, &below, shown);
                    }
                }
                _ => {}
            }
            shown.insert(path);
        }
        table.insert(STRAY.to_owned(), 1.into());
    }
}
