//! `rolloutctl why`: what stands between a rollout and each state that it can go to.

use std::fmt::Write as _;

use super::ask::{escape, one};
use super::words::{document, show_findings};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::rollouts::RolloutBody;
use crate::web::api::why::WhyBody;

/// Shows what stands between a rollout and each of its next states
///
/// Example: rolloutctl why rt-1234
#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: WhyArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let WhyArgs { rollout } = args;
    let why: Vec<WhyBody> = client.get(&format!("/api/v1/rollouts/{}/why", escape(&rollout))).await?;
    if json {
        return Ok(Outcome::done(document(&why)));
    }
    Ok(Outcome::done(show_why(&one(client, &rollout).await?, &why)))
}

fn show_why(rollout: &RolloutBody, why: &[WhyBody]) -> String {
    let mut text = String::new();
    if why.is_empty() {
        let _ = writeln!(text, "{} is in {}, a final state.", rollout.id, rollout.state);
        if let Some(why) = &rollout.trouble {
            let _ = writeln!(text, "Its packages could not be moved yet: {why}");
        }
    }
    for step in why {
        let _ = writeln!(text, "{}: {}", step.state, step.verdict);
        text.push_str(&show_findings(&step.findings));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};
    use crate::web::problem::FindingBody;

    #[test]
    fn findings_are_shown_for_each_state() {
        let finding = |verdict: &str, code: &str, sentence: &str| FindingBody {
            verdict: verdict.into(),
            code: code.into(),
            sentence: sentence.into(),
            not_before: None,
        };
        let why = [
            WhyBody {
                state: "Production".into(),
                verdict: "needs-admin".into(),
                findings: vec![
                    finding("needs-admin", "role", "jane needs the role manager."),
                    finding("wait", "exposure", "Wait for 2 more days."),
                ],
            },
            WhyBody { state: "Rejected".into(), verdict: "pass".into(), findings: vec![] },
        ];
        insta::assert_snapshot!(show_why(&waiting(), &why));
    }

    #[test]
    fn a_final_state_is_shown_with_what_holds_the_rollout_up() {
        insta::assert_snapshot!(show_why(&held_up(Some("no room")), &[]));
    }
}
