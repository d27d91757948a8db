//! `rolloutctl show`: one rollout, its packages and its next steps.

use std::fmt::Write as _;

use super::ask::one;
use super::words::{document, moment, next_steps, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::rollouts::RolloutBody;

/// Shows one rollout: its state, its packages and their trees, and its next steps
///
/// Example: rolloutctl show rt-1234
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ShowArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ShowArgs { rollout } = args;
    let one = one(client, &rollout).await?;
    Ok(Outcome::done(if json { document(&one) } else { show_rollout(&one, &own_name()) }))
}

fn show_rollout(r: &RolloutBody, program: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "rollout       {}", r.id);
    let _ = writeln!(text, "title         {}", r.title);
    let _ = writeln!(text, "distribution  {}", r.distributions.join(", "));
    let moving = if r.moving { "; packages are being moved" } else { "" };
    let _ = writeln!(text, "state         {} since {} by {}{moving}", r.state, moment(&r.since), r.by);
    if let Some(why) = &r.trouble {
        let _ = writeln!(text, "trouble       {why}");
    }
    if let Some(wanted) = &r.wanted {
        let _ = writeln!(text, "wanted        {wanted}, as soon as nothing is in the way");
    }
    for package in &r.packages {
        let trees = if package.trees.is_empty() { "nowhere".to_owned() } else { package.trees.join(", ") };
        let of = if r.distributions.len() > 1 { format!(" of {}", package.distribution) } else { String::new() };
        let _ = writeln!(text, "package       {} in {trees}{of}", package.nevra);
    }
    text + &next_steps(r, program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};

    #[test]
    fn a_rollout_is_shown() {
        insta::assert_snapshot!(show_rollout(&waiting(), "rolloutctl"));
    }

    #[test]
    fn a_rollout_that_is_held_up_is_shown() {
        insta::assert_snapshot!(show_rollout(&held_up(Some("no room")), "rolloutctl"));
    }
}
