//! Replies as people send them.

use proptest::prelude::*;

use super::*;
use crate::domain::naming::team::any;

fn teams() -> Vec<TeamName> {
    ["ea-NGI_IT-INFN-T1", "ea-NGI-GRNET-GR-01-AUTH", "ea-NGI_IT-INFN"].map(|team| team.parse().expect("a team")).into()
}

/// The replies, one on each line, or the beginning of the error's name.
fn outcome(text: &str, teams: &[TeamName]) -> String {
    match Reply::find_all(text, teams) {
        Ok(replies) => replies.iter().map(Reply::to_string).collect::<Vec<_>>().join("\n"),
        Err(error) => format!("{error:?}").chars().take_while(|c| c.is_alphanumeric()).collect(),
    }
}

const T1: &str = "accept NGI_IT-INFN-T1";
const NOT_T1: &str = "reject NGI_IT-INFN-T1";
const AUTH: &str = "accept NGI-GRNET-GR-01-AUTH";
const NONE: &str = "";

const REPLIES: &[(&str, &str)] = &[
    ("accept NGI_IT-INFN-T1", T1),
    ("reject NGI_IT-INFN-T1", NOT_T1),
    ("ACCEPT ngi_it-infn-t1", T1),
    ("  Accept\tea-NGI_IT-INFN-T1  \r\n", T1),
    ("accept: EA-NGI_IT-INFN-T1.", T1),
    ("*accept* NGI_IT-INFN-T1", T1),
    ("- \"accept NGI_IT-INFN-T1\"", T1),
    ("<accept> <NGI_IT>-<INFN-T1>", "UnknownTeam"),
    ("accept NGI_IT-INFN", "accept NGI_IT-INFN"),
    ("accept NGI-GRNET-GR-01-AUTH", AUTH),
    ("reject NGI_IT-INFN-T1, no machine is free this week", NOT_T1),
    ("Dear all,\n\nAccept NGI_IT-INFN-T1\n\nBest regards\nJane", T1),
    ("accept NGI_IT-INFN-T1\naccept NGI_IT-INFN-T1", T1),
    ("accept NGI_IT-INFN-T1\naccept NGI-GRNET-GR-01-AUTH", "accept NGI_IT-INFN-T1\naccept NGI-GRNET-GR-01-AUTH"),
    ("accept NGI_IT-INFN-T1\n\nOn Mon, 2 May 2011, Requests wrote:\n> reject NGI_IT-INFN-T1", T1),
    ("> accept NGI_IT-INFN-T1\nreject NGI_IT-INFN-T1", NOT_T1),
    ("> > accept NGI_IT-INFN-T1", NONE),
    ("accept NGI_IT-INFN-T1\n-- \nreject NGI_IT-INFN-T1", T1),
    ("reject NGI_IT-INFN-T1\n-----Original Message-----\naccept NGI_IT-INFN-T1", NOT_T1),
    ("accept NGI_IT-INFN-T1\nFrom: Requests\nSent: Monday\n\nreject NGI_IT-INFN-T1", T1),
    ("accept NGI_IT-INFN-T1 wrote:\n> hello", NONE),
    ("", NONE),
    ("Thank you, we will look into it.", NONE),
    ("Accept my apologies for the delay.", NONE),
    ("Reply with <accept|reject> <NGI>-<Site-name>", NONE),
    ("As NGI_IT-INFN-T1 says, it works", NONE),
    ("accepted NGI_IT-INFN-T1", "Unclear"),
    ("We cannot accept for NGI_IT-INFN-T1 now", "Unclear"),
    ("accept for NGI_IT-INFN-T1", "Unclear"),
    ("<accept|reject> NGI_IT-INFN-T1", "Unclear"),
    ("accept NGI_IT-INFN-T1 or reject", "Unclear"),
    ("accept NGI_IT-INFN-T1 and NGI_IT-INFN", "Unclear"),
    ("I can accept NGI_IT-INFN-T1 only later\nreject NGI_IT-INFN-T1", NOT_T1),
    ("accept NGI_IT-INFN-T1?", "UnknownTeam"),
    ("accept NGI_IT-INFN-T1 ?", "Unclear"),
    ("accept NGI_IT-INFN-T2", "UnknownTeam"),
    ("accept ea-ea-NGI_IT-INFN-T1", "UnknownTeam"),
    ("reject INFN", "UnknownTeam"),
    ("accept NGI_IT-CNAF because we can", "UnknownTeam"),
    ("accept", "NoTeam"),
    ("Reject!", "NoTeam"),
    ("accept NGI_IT-INFN-T1\nreject ea-ngi_it-infn-t1", "Contradiction"),
    ("<p>accept NGI_IT-INFN-T1</p>", NONE),
];

#[test]
fn replies_are_found_in_what_people_write() {
    for (text, expected) in REPLIES {
        assert_eq!(outcome(text, &teams()), *expected, "{text:?}");
    }
}

#[test]
fn a_name_that_fits_two_teams_is_refused() {
    let teams = |names: [&str; 2]| names.map(|team| team.parse().expect("a team"));
    assert_eq!(outcome("accept ea-A-B", &teams(["ea-ea-A-B", "ea-A-B"])), "AmbiguousTeam");
    let by_case = teams(["ea-A-B", "ea-A-b"]);
    assert_eq!(outcome("accept a-b", &by_case), "AmbiguousTeam");
    assert_eq!(outcome("accept A-b", &by_case), "accept A-b");
    assert_eq!(outcome("accept A-B", &teams(["ea-A-B", "ea-A-B"])), "accept A-B");
}

#[test]
fn an_error_says_what_to_write() {
    let error = |text: &str, teams: &[TeamName]| Reply::find_all(text, teams).expect_err(text).to_string();
    assert_eq!(
        error("accept INFN-T1", &teams()),
        "`INFN-T1` is not one of the teams that were asked (ea-NGI_IT-INFN-T1, ea-NGI-GRNET-GR-01-AUTH, \
         ea-NGI_IT-INFN); write a line like `accept NGI_IT-INFN-T1`"
    );
    let many: Vec<TeamName> = (0..9).map(|n| format!("ea-NGI-{n}").parse().expect("a team")).collect();
    assert!(error("accept NGI-9", &many).contains("ea-NGI-4 and 4 more)"));
    assert!(error("accept NGI-9", &[]).contains("(nobody)"));
    assert!(error(&"x".repeat(TEXT_MAX + 1), &teams()).starts_with("the text is longer than 64 KiB"));
    assert_eq!(
        error("reject", &teams()),
        "`reject` names no team; write both on one line, like `accept NGI_IT-INFN-T1`"
    );
}

proptest! {
    #[test]
    fn a_reply_is_found_as_it_was_written(
        mut teams in prop::collection::vec(any::team(), 0..4),
        team in any::team(),
        accepts: bool,
    ) {
        let reply = Reply { answer: if accepts { Answer::Accept } else { Answer::Reject }, team: team.clone() };
        teams.push(team);
        prop_assert_eq!(Reply::find_all(&reply.to_string(), &teams), Ok(vec![reply.clone()]));
        let mail = format!("Dear all,\r\n\r\n{reply}\r\n\r\nOn Monday, R wrote:\r\n> reject A-B\r\n-- \r\nreject A-B\r\n");
        prop_assert_eq!(Reply::find_all(&mail, &teams), Ok(vec![reply]));
    }

    #[test]
    fn any_text_has_replies_or_an_error(text in "(?s).{0,80}|(accept|reject|NGI_IT-INFN|-T1|ea-|[ \n>:*?-]){0,20}") {
        if let Ok(replies) = Reply::find_all(&text, &teams()) {
            prop_assert!(replies.len() <= teams().len());
        }
    }
}
