//! Requests for changes: who wants what, how urgent it is, and how it stands (S3-06 to S3-16).
//!
//! The words are those of Request Tracker where it has some: priorities from 0 to 4, and statuses under RT's own names,
//! too. Which statuses may follow one another is one table, [`Status::next`].

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{Category, ChangeId, Role};

/// How urgent a change is (S3-16); the numbers are RT's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Nobody has said.
    None,
    /// It can wait.
    Low,
    /// As usual.
    Normal,
    /// Before others.
    High,
    /// At once; an emergency has it.
    Immediate,
}

/// Text that is no priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a valid priority; choose from none (0), low (1), normal (2), high (3) and immediate (4)",
    .0.escape_debug()
)]
pub struct NoPriority(pub String);

impl Priority {
    /// All of them, the least urgent first.
    pub const ALL: [Self; 5] = [Self::None, Self::Low, Self::Normal, Self::High, Self::Immediate];

    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Immediate => "immediate",
        }
    }

    /// RT's number.
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Low => 1,
            Self::Normal => 2,
            Self::High => 3,
            Self::Immediate => 4,
        }
    }

    /// The word by which sites are told of an update (S1-61).
    pub fn for_sites(self) -> &'static str {
        match self {
            Self::None | Self::Low | Self::Normal => "Normal",
            Self::High => "HIGH",
            Self::Immediate => "URGENT",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = NoPriority;

    /// By name or by RT's number; `emergency`, `urgent` and RT's `Immediate/emergency` are other words for the last one (S3-16).
    fn from_str(text: &str) -> Result<Self, NoPriority> {
        let text = text.to_lowercase();
        let is_named = |priority: &Self| priority.as_str() == text || priority.number().to_string() == text;
        match text.as_str() {
            "emergency" | "urgent" | "immediate/emergency" => Ok(Self::Immediate),
            _ => Self::ALL.into_iter().find(is_named).ok_or(NoPriority(text)),
        }
    }
}

/// Which way a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is assessed and approved.
    Normal,
    /// A rule of the site documents it, and it needs no approval (S3-11).
    Standard,
    /// A vulnerability: it needs no approval either, and is reviewed afterwards (S3-12).
    Emergency,
}

/// Text that is no kind of change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid kind of change; choose from normal, standard and emergency", .0.escape_debug())]
pub struct NoChangeKind(pub String);

impl ChangeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Standard, Self::Emergency];

    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Standard => "standard",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChangeKind {
    type Err = NoChangeKind;

    fn from_str(text: &str) -> Result<Self, NoChangeKind> {
        let is_named = |kind: &Self| kind.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_named).ok_or_else(|| NoChangeKind(text.to_owned()))
    }
}

/// How a change stands (S3-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Newly recorded.
    New,
    /// Accepted by those who decide.
    Accepted,
    /// Rejected by them.
    Rejected,
    /// It is being worked on.
    #[serde(rename = "In progress")]
    InProgress,
    /// Released.
    Resolved,
    /// On hold.
    Stalled,
}

/// Text that is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a valid status; choose from New, Accepted, Rejected, In progress, Resolved and Stalled",
    .0.escape_debug()
)]
pub struct NoStatus(pub String);

/// RT's own statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtStatus {
    /// `new`
    New,
    /// `open`
    Open,
    /// `resolved`
    Resolved,
    /// `rejected`
    Rejected,
    /// `stalled`
    Stalled,
    /// `deleted`
    Deleted,
}

impl RtStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::New, Self::Open, Self::Resolved, Self::Rejected, Self::Stalled, Self::Deleted];

    /// As RT spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Rejected => "rejected",
            Self::Stalled => "stalled",
            Self::Deleted => "deleted",
        }
    }
}

/// What RT's status means here. Nothing comes of what was deleted there.
impl From<RtStatus> for Status {
    fn from(status: RtStatus) -> Self {
        match status {
            RtStatus::New => Self::New,
            RtStatus::Open => Self::InProgress,
            RtStatus::Resolved => Self::Resolved,
            RtStatus::Rejected | RtStatus::Deleted => Self::Rejected,
            RtStatus::Stalled => Self::Stalled,
        }
    }
}

/// How RT calls it. RT has no word of its own for what is accepted and not begun.
impl From<Status> for RtStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::New => Self::New,
            Status::Accepted | Status::InProgress => Self::Open,
            Status::Rejected => Self::Rejected,
            Status::Resolved => Self::Resolved,
            Status::Stalled => Self::Stalled,
        }
    }
}

impl Status {
    /// All of them, in the order of a change's life.
    pub const ALL: [Self; 6] =
        [Self::New, Self::Accepted, Self::InProgress, Self::Stalled, Self::Resolved, Self::Rejected];

    /// The name in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::Accepted => "Accepted",
            Self::Rejected => "Rejected",
            Self::InProgress => "In progress",
            Self::Resolved => "Resolved",
            Self::Stalled => "Stalled",
        }
    }

    /// Which statuses may follow. An emergency is worked on before anybody has accepted it (S3-12). What is stalled goes on
    /// where it was: that is for whoever knows where it was to see to.
    pub fn next(self, kind: ChangeKind) -> &'static [Self] {
        match (self, kind) {
            (Self::New, ChangeKind::Emergency) => &[Self::Accepted, Self::InProgress, Self::Stalled, Self::Rejected],
            (Self::New, _) => &[Self::Accepted, Self::Stalled, Self::Rejected],
            (Self::Accepted, _) => &[Self::InProgress, Self::Stalled, Self::Rejected],
            (Self::InProgress, _) => &[Self::Resolved, Self::Stalled, Self::Rejected],
            (Self::Stalled, _) => &[Self::New, Self::Accepted, Self::InProgress, Self::Rejected],
            // What was released and does not work is taken up again; what was rejected may be asked for again.
            (Self::Resolved, _) => &[Self::InProgress],
            (Self::Rejected, _) => &[Self::New],
        }
    }

    /// Whether somebody still has to do something about it.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Rejected | Self::Resolved)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = NoStatus;

    /// In any spelling, also in RT's.
    fn from_str(text: &str) -> Result<Self, NoStatus> {
        let normal = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        let wanted = normal(text);
        let ours = Self::ALL.into_iter().find(|status| normal(status.as_str()) == wanted);
        let of_rt = || RtStatus::ALL.into_iter().find(|status| status.as_str() == wanted).map(Self::from);
        ours.or_else(of_rt).ok_or_else(|| NoStatus(text.to_owned()))
    }
}

/// A change as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its id, which no other change has ever had.
    pub change: ChangeId,
    /// One line for people.
    pub title: String,
    /// Whose request it is, if not the site's own.
    pub origin: String,
    /// What it is about.
    pub category: Option<Category>,
    /// How urgent it is; an emergency is immediate, and of others nobody has said it yet.
    pub priority: Option<Priority>,
    /// Which way it takes; standard if a rule says so, and else normal.
    pub kind: Option<ChangeKind>,
}

/// Titles, as a rule describes them: `*` stands for anything, and case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// Text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid title pattern: {why}", text.escape_debug())]
pub struct BadPattern {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

/// The longest pattern.
const PATTERN_MAX: usize = 120;

/// A pattern has so many characters beside `*`: one that fits nearly everything would approve nearly everything.
const PATTERN_MIN: usize = 4;

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let bad = |why| Err(BadPattern { text: text.to_owned(), why });
        if text.len() > PATTERN_MAX {
            return bad("it is longer than 120 bytes");
        }
        if text.chars().any(char::is_control) {
            return bad("it has a control character");
        }
        if text.chars().filter(|c| c.is_alphanumeric()).count() < PATTERN_MIN {
            return bad("it has fewer than four letters and digits, so it would fit nearly everything");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether a title is as it describes.
    pub fn fits(&self, title: &str) -> bool {
        let (pattern, title) = (self.0.to_lowercase(), title.to_lowercase());
        let mut parts = pattern.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = title.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        // Without `*` it is the whole title.
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

/// Changes that recur and are documented: they need no approval (S3-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardRule {
    /// Its name, which is cited by each change that it allows.
    pub id: String,
    /// Titles that it is for.
    pub pattern: Pattern,
    /// Only changes of this category, if it names one.
    pub category: Option<Category>,
    /// Where it is documented.
    pub procedure: String,
}

/// How a site handles changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePolicy {
    /// The categories that there are; any, if none is named (S3-10).
    pub categories: BTreeSet<Category>,
    /// The groups that approve (S3-14).
    pub from: BTreeSet<Role>,
    /// How many people of each.
    pub each: usize,
    /// Whether whoever recorded the change does not count.
    pub four_eyes: bool,
    /// Groups that may approve, too, and need not (S3-15).
    pub advisory: BTreeSet<Role>,
    /// What needs no approval.
    pub standard: Vec<StandardRule>,
}

impl Default for ChangePolicy {
    /// As EGI has it: the product teams and the operations management board; advised by an advisory group.
    fn default() -> Self {
        Self {
            categories: BTreeSet::new(),
            from: BTreeSet::from([Role::PT, Role::OMB]),
            each: 1,
            four_eyes: false,
            advisory: BTreeSet::from([Role::OTAG]),
            standard: Vec::new(),
        }
    }
}

impl ChangePolicy {
    /// The rule that allows a change, if one does.
    pub fn rule(&self, title: &str, category: Option<&Category>) -> Option<&StandardRule> {
        let is_of = |rule: &&StandardRule| rule.category.is_none() || rule.category.as_ref() == category;
        self.standard.iter().filter(is_of).find(|rule| rule.pattern.fits(title))
    }

    /// The groups whose approval is recorded: those that have to approve, and those that may.
    pub fn approvers(&self) -> impl Iterator<Item = &Role> {
        self.from.iter().chain(self.advisory.difference(&self.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3-16.
    #[test]
    fn priorities_are_those_of_rt() {
        let told = Priority::ALL.map(|priority| format!("{} {priority}", priority.number()));
        assert_eq!(told, ["0 none", "1 low", "2 normal", "3 high", "4 immediate"]);
        for priority in Priority::ALL {
            assert_eq!(priority.to_string().parse(), Ok(priority));
            assert_eq!(priority.number().to_string().parse(), Ok(priority));
            assert_eq!(serde_json::to_string(&priority).expect("text"), format!("\"{priority}\""));
        }
        assert_eq!(
            ["Normal", "HIGH", "URGENT", "Emergency"].map(|text| text.parse::<Priority>().expect("one")),
            [Priority::Normal, Priority::High, Priority::Immediate, Priority::Immediate]
        );
        assert!("5".parse::<Priority>().is_err() && "".parse::<Priority>().is_err());
    }

    /// S3-07: each of RT's statuses means one of ours, and each of ours is called something there.
    #[test]
    fn each_status_is_known_under_the_spellings_of_rt() {
        let read = RtStatus::ALL.map(|rt| {
            assert_eq!(rt.as_str().parse(), Ok(Status::from(rt)), "{rt:?}");
            format!("{} {}", rt.as_str(), Status::from(rt))
        });
        let right = [
            "new New",
            "open In progress",
            "resolved Resolved",
            "rejected Rejected",
            "stalled Stalled",
            "deleted Rejected",
        ];
        assert_eq!(read, right);
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_string(&status).expect("text"), format!("\"{status}\""));
            // To RT and back it is the same, but for what RT has no word for.
            let back = Status::from(RtStatus::from(status));
            assert_eq!(back, if status == Status::Accepted { Status::InProgress } else { status });
        }
        assert_eq!("in-progress".parse(), Ok(Status::InProgress));
        assert_eq!("done".parse::<Status>(), Err(NoStatus("done".into())));
    }

    /// Each pair of statuses, as the table has it.
    #[test]
    fn the_steps_of_a_change_are_a_table() {
        let row = |kind, status: Status| {
            let next: Vec<&str> = status.next(kind).iter().map(|next| next.as_str()).collect();
            format!("{kind}: {status} -> {}", next.join(", "))
        };
        let rows: Vec<String> =
            ChangeKind::ALL.iter().flat_map(|kind| Status::ALL.map(|status| row(*kind, status))).collect();
        insta::assert_snapshot!(rows.join("\n"));
        for kind in ChangeKind::ALL {
            assert!(Status::ALL.iter().all(|status| !status.next(kind).contains(status)));
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("urgent".parse::<ChangeKind>().is_err());
    }

    #[test]
    fn a_pattern_fits_titles_and_is_not_one_for_all() {
        let fits = |pattern: &str, title: &str| pattern.parse::<Pattern>().expect("a pattern").fits(title);
        for (pattern, title) in [
            ("CA update *", "ca update 1.45"),
            ("*trust anchors*", "New trust anchors of IGTF"),
            ("CA * of *", "CA bundle of IGTF of 2026"),
            ("the same", "The same"),
            ("*abcd", "abcd abcd"),
        ] {
            assert!(fits(pattern, title), "{pattern}: {title}");
        }
        for (pattern, title) in
            [("CA update *", "A CA update 1"), ("the same", "the same one"), ("abcd*abcd", "abcd"), ("a*bcd", "abcde")]
        {
            assert!(!fits(pattern, title), "{pattern}: {title}");
        }
        for bad in ["", "*", "a*b", "***", "abc", "tab\tbed", &"a".repeat(121)] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_is_cited() {
        let rule = |id: &str, pattern: &str, category: Option<&str>| StandardRule {
            id: id.into(),
            pattern: pattern.parse().expect("a pattern"),
            category: category.map(|text| text.parse().expect("a category")),
            procedure: String::new(),
        };
        let standard = vec![rule("one", "update *", Some("CA")), rule("two", "update *", None)];
        let policy = ChangePolicy { standard, ..ChangePolicy::default() };
        let ca = "CA".parse().expect("a category");
        let of = |title, category| policy.rule(title, category).map(|rule| rule.id.as_str());
        assert_eq!(
            (of("update 1", Some(&ca)), of("Update 1", None), of("remove", Some(&ca))),
            (Some("one"), Some("two"), None)
        );
        assert_eq!(policy.approvers().map(Role::as_str).collect::<Vec<_>>(), ["omb", "pt", "otag"]);
    }
}
