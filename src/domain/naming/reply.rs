//! A team's reply to the request to test (S0-36): `<accept|reject> <NGI>-<Site-name>` in a mail or a comment.
//!
//! A reply is a line of its own, and what follows the team on that line is a comment. Only plain text is read, no HTML,
//! and only what its sender wrote, not what they quote. Whether the sender belongs to the team (S0-06) is not asked here.
//!
//! Prose is no reply. But if a text has no reply, and a line in it mentions a team and accepting or rejecting, that is an
//! error, so that somebody who believes they replied is told that they did not.

use std::fmt;

use super::convention::shown;
use super::mail_text::own_lines;
use super::team::TeamName;

/// The longest text that is read. Replies are short; what makes mails long is quoted.
pub const TEXT_MAX: usize = 64 * 1024;

/// How many teams an error lists.
const LISTED_MAX: usize = 5;

/// Whether a team will test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It will.
    Accept,
    /// It will not.
    Reject,
}

impl Answer {
    fn read(word: &str) -> Option<Self> {
        [Self::Accept, Self::Reject].into_iter().find(|answer| word.eq_ignore_ascii_case(answer.verb()))
    }

    /// The word for it in replies.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

/// A team's reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// Whether it will test.
    pub answer: Answer,
    /// The team.
    pub team: TeamName,
}

/// A text that was meant as a reply but cannot be taken as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// The text is too long.
    #[error("the text is longer than 64 KiB; reply without quoting, with a line like `{example}`")]
    TooLong {
        /// A reply that would be understood.
        example: String,
    },
    /// A verb without a team.
    #[error("`{line}` names no team; write both on one line, like `{example}`")]
    NoTeam {
        /// The line.
        line: String,
        /// A reply that would be understood.
        example: String,
    },
    /// A team that is not among those asked.
    #[error("`{word}` is not one of the teams that were asked ({teams}); write a line like `{example}`")]
    UnknownTeam {
        /// The given name.
        word: String,
        /// Those that were asked.
        teams: String,
        /// A reply that would be understood.
        example: String,
    },
    /// A name that fits several teams.
    #[error("`{word}` could be more than one team ({teams}); write its name exactly as it is listed")]
    AmbiguousTeam {
        /// The given name.
        word: String,
        /// Those that it can be.
        teams: String,
    },
    /// One team accepts and rejects.
    #[error("it both accepts and rejects for {team}; reply again with only one of them")]
    Contradiction {
        /// The team.
        team: TeamName,
    },
    /// A line that mentions what a reply consists of, but is not one.
    #[error("`{line}` cannot be understood; write one line for each team, like `{example}`")]
    Unclear {
        /// The line.
        line: String,
        /// A reply that would be understood.
        example: String,
    },
}

impl Reply {
    /// The replies in a text, in its order, at most one for each of the teams that were asked. None, if it has nothing
    /// to do with replying.
    pub fn find_all(text: &str, teams: &[TeamName]) -> Result<Vec<Self>, BadReply> {
        if text.len() > TEXT_MAX {
            return Err(BadReply::TooLong { example: example(teams) });
        }
        let (mut replies, mut unclear): (Vec<Self>, _) = (Vec::new(), None);
        for line in own_lines(text) {
            match Self::read(line, teams)? {
                Some(reply) => match replies.iter().find(|other| other.team == reply.team) {
                    None => replies.push(reply),
                    Some(other) if other.answer == reply.answer => {}
                    Some(_) => return Err(BadReply::Contradiction { team: reply.team }),
                },
                None if unclear.is_none() && is_unclear(line, teams) => unclear = Some(line),
                None => {}
            }
        }
        match unclear {
            Some(line) if replies.is_empty() => Err(unclear_line(line, teams)),
            _ => Ok(replies),
        }
    }

    fn read(line: &str, teams: &[TeamName]) -> Result<Option<Self>, BadReply> {
        let mut words = line.split_whitespace().map(without_marks).filter(|word| !word.is_empty());
        let Some(answer) = words.next().and_then(Answer::read) else { return Ok(None) };
        let Some(word) = words.next() else {
            return Err(BadReply::NoTeam { line: shown(line), example: example(teams) });
        };
        let rest: Vec<&str> = words.collect();
        let team = match fitting(word, teams)[..] {
            [team] => team,
            // `Accept my apologies` is prose.
            [] if !word.contains('-') && !rest.is_empty() => return Ok(None),
            [] => {
                let teams_asked = list(teams.iter());
                return Err(BadReply::UnknownTeam { word: shown(word), teams: teams_asked, example: example(teams) });
            }
            ref several => {
                return Err(BadReply::AmbiguousTeam { word: shown(word), teams: list(several.iter().copied()) });
            }
        };
        let other = |word: &&str| {
            let opposite = Answer::read(word).is_some_and(|other| other != answer);
            opposite || word.starts_with('?') || fitting(word, teams).iter().any(|&it| it != team)
        };
        if rest.iter().any(other) {
            return Err(unclear_line(line, teams));
        }
        Ok(Some(Self { answer, team: team.clone() }))
    }
}

/// The teams that a word can mean, with or without `ea-`, each once.
fn fitting<'t>(word: &str, teams: &'t [TeamName]) -> Vec<&'t TeamName> {
    let names =
        |team: &TeamName, same: fn(&str, &str) -> bool| same(team.as_str(), word) || same(team.without_prefix(), word);
    let all = |same| {
        let mut found: Vec<&TeamName> = teams.iter().filter(|team| names(team, same)).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    // Names may differ only by case; then it counts.
    let exactly = all(|a, b| a == b);
    if exactly.is_empty() { all(str::eq_ignore_ascii_case) } else { exactly }
}

/// A word without what people put around it. A question mark stays: a question is no reply.
fn without_marks(word: &str) -> &str {
    word.trim_matches(|c: char| "*_`\"'()[]<>.,;:!-–—“”„‘’«»".contains(c))
}

fn is_unclear(line: &str, teams: &[TeamName]) -> bool {
    let lower = line.to_ascii_lowercase();
    let bare = |word| str::trim_matches(word, |c: char| !c.is_ascii_alphanumeric());
    (lower.contains("accept") || lower.contains("reject"))
        && line.split_whitespace().any(|word| !fitting(bare(word), teams).is_empty())
}

fn unclear_line(line: &str, teams: &[TeamName]) -> BadReply {
    BadReply::Unclear { line: shown(line), example: example(teams) }
}

fn example(teams: &[TeamName]) -> String {
    format!("accept {}", teams.first().map_or("NGI_IT-INFN-T1", TeamName::without_prefix))
}

fn list<'t>(teams: impl ExactSizeIterator<Item = &'t TeamName>) -> String {
    let more = teams.len().saturating_sub(LISTED_MAX);
    let listed: Vec<&str> = teams.take(LISTED_MAX).map(TeamName::as_str).collect();
    match (listed.is_empty(), more) {
        (true, _) => "nobody".to_owned(),
        (false, 0) => listed.join(", "),
        (false, _) => format!("{} and {more} more", listed.join(", ")),
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.answer.verb(), self.team.without_prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod mails;
}
