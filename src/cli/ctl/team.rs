//! `rolloutctl team`: the registry of early adopters.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::ask::{escape, recorded};
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::teams::{RegisterBody, RemoveTeamBody, TeamBody, TeamDutiesBody, TestedBody};

/// Lists, adds and removes teams of early adopters
///
/// A team is called ea-NGI-SITE. The tokens in the configuration say who belongs to it: `teams = [...]`.
///
/// Example: rolloutctl team add ea-NGI_IT-INFN-T1 --ngi NGI_IT --node-type UI --node-type WN
#[derive(Debug, clap::Args)]
pub struct TeamArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists teams, and who belongs to them
    ///
    /// Example: rolloutctl team list --ngi NGI_IT
    List {
        /// Only those of this NGI
        #[arg(long)]
        ngi: Option<String>,
        /// Only those that test this product
        #[arg(long)]
        product: Option<String>,
        /// Only those whose site runs this node type
        #[arg(long, value_name = "TYPE")]
        node_type: Option<String>,
    },
    /// Shows one team: its members, the rollouts that it tests, its tasks
    ///
    /// Example: rolloutctl team show ea-NGI_IT-INFN-T1
    Show {
        /// The team, such as ea-NGI_IT-INFN-T1
        team: String,
    },
    /// Adds a team, or replaces its entry
    ///
    /// Example: rolloutctl team add ea-NGI_CH-CSCS --ngi NGI_CH --stack EMI --contact ea-cscs@lists.example.org
    Add(AddArgs),
    /// Removes a team; what it said of rollouts stays but no longer counts
    ///
    /// Example: rolloutctl team remove ea-NGI_CH-CSCS --reason "the site has closed"
    Remove {
        /// The team
        team: String,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The team, such as ea-NGI_IT-INFN-T1
    team: String,
    /// Its national grid initiative, such as NGI_IT
    #[arg(long)]
    ngi: String,
    /// A product that it tests; all if none is named
    #[arg(long = "product", value_name = "PRODUCT")]
    products: Vec<String>,
    /// A stack that it tests; all if none is named
    #[arg(long = "stack", value_name = "STACK")]
    stacks: Vec<String>,
    /// A node type that its site runs
    #[arg(long = "node-type", value_name = "TYPE")]
    node_types: Vec<String>,
    /// Where the team can be reached: its mailing list, its page
    ///
    /// Not the address of a person: the logbook is kept for ever.
    #[arg(long = "contact", value_name = "ADDRESS")]
    contacts: Vec<String>,
    /// It only observes: its reports are kept but do not count
    #[arg(long)]
    observer: bool,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: TeamArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    match args.what {
        What::List { ngi, product, node_type } => {
            let wanted = [("ngi", ngi), ("product", product), ("node_type", node_type)];
            let wanted = wanted.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?))));
            let wanted: Vec<String> = wanted.collect();
            let teams: Vec<TeamBody> = client.get(&format!("/api/v1/teams?{}", wanted.join("&"))).await?;
            let text = || show(&teams, !wanted.is_empty(), table::width());
            Ok(Outcome::done(if json { document(&teams) } else { text() }))
        }
        What::Show { team } => {
            let team: TeamDutiesBody = client.get(&path(&team)).await?;
            Ok(Outcome::done(if json { document(&team) } else { show_one(&team) }))
        }
        What::Add(AddArgs { team, ngi, products, stacks, node_types, contacts, observer, reason }) => {
            let [products, stacks, node_types, contacts] =
                [products, stacks, node_types, contacts].map(|names| names.into_iter().collect());
            let body = RegisterBody { ngi, products, stacks, node_types, contacts, observer, reason };
            Ok(recorded(&client.put(&path(&team), &body).await?, json))
        }
        What::Remove { team, reason } => {
            Ok(recorded(&client.delete(&path(&team), &RemoveTeamBody { reason }).await?, json))
        }
    }
}

fn path(team: &str) -> String {
    format!("/api/v1/teams/{}", escape(team))
}

/// One team.
fn show_one(TeamDutiesBody { team, rollouts, tasks }: &TeamDutiesBody) -> String {
    let all = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let or = |names: &BTreeSet<String>, none: &str| if names.is_empty() { none.to_owned() } else { all(names) };
    let rows = [
        ("team", team.team.clone()),
        ("site", format!("{} ({})", team.site, team.ngi)),
        ("kind", if team.observer { "observer" } else { "early adopter" }.to_owned()),
        ("products", or(&team.products, "all")),
        ("stacks", or(&team.stacks, "all")),
        ("node types", all(&team.node_types)),
        ("contacts", all(&team.contacts)),
        ("members", all(&team.members)),
        ("groups", all(&team.groups)),
        ("open tasks", tasks.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    ];
    let mut text = String::new();
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{name:<13} {value}");
    }
    for TestedBody { rollout, standing, outcome } in rollouts {
        let outcome = outcome.as_ref().map(|outcome| format!(" {outcome}")).unwrap_or_default();
        let _ = writeln!(text, "rollout       {rollout}: {standing}{outcome}");
    }
    text
}

fn show(teams: &[TeamBody], is_narrowed: bool, width: usize) -> String {
    if teams.is_empty() && is_narrowed {
        return "There are no such teams.\n".to_owned();
    }
    if teams.is_empty() {
        return "No team is registered. `rolloutctl team add --help` says how to add one.\n".to_owned();
    }
    let all = |names: &BTreeSet<String>, none: &str| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        if names.is_empty() { none.to_owned() } else { names.join(", ") }
    };
    let row = |team: &TeamBody| {
        let kind = if team.observer { "observer" } else { "early adopter" };
        let (products, stacks) = (all(&team.products, "all"), all(&team.stacks, "all"));
        let (node_types, contacts) = (all(&team.node_types, ""), all(&team.contacts, ""));
        let members = all(&team.members.union(&team.groups).cloned().collect(), "");
        vec![team.team.clone(), team.ngi.clone(), kind.to_owned(), products, stacks, node_types, members, contacts]
    };
    let rows: Vec<_> = teams.iter().map(row).collect();
    table::lay_out(&["TEAM", "NGI", "KIND", "PRODUCTS", "STACKS", "NODE TYPES", "MEMBERS", "CONTACTS"], &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teams_are_listed() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let team = TeamBody {
            team: "ea-NGI_IT-INFN-T1".into(),
            site: "INFN-T1".into(),
            ngi: "NGI_IT".into(),
            products: names(&["bdii", "dpm"]),
            stacks: names(&[]),
            node_types: names(&["UI", "WN"]),
            contacts: names(&["ea-ngi-it@example.org"]),
            observer: false,
            members: ["tom".to_owned()].into(),
            groups: ["ea-italy".to_owned()].into(),
        };
        let observer = TeamBody {
            team: "ea-WLCG-Readiness".into(),
            site: "Readiness".into(),
            ngi: "WLCG".into(),
            products: names(&[]),
            stacks: names(&[]),
            node_types: names(&[]),
            contacts: names(&[]),
            observer: true,
            members: BTreeSet::new(),
            groups: BTreeSet::new(),
        };
        insta::assert_snapshot!(show(&[team.clone(), observer], false, 120));
        insta::assert_snapshot!(show(&[], false, 120));
        let reported =
            TestedBody { rollout: "rt-1".into(), standing: "reported".into(), outcome: Some("warning".into()) };
        insta::assert_snapshot!(show_one(&TeamDutiesBody { team, rollouts: vec![reported], tasks: vec![3, 7] }));
    }
}
