//! The help of every command, held by snapshots.

use std::fmt::Write as _;
use std::process::Command;

const ROLLOUTD: &[&[&str]] = &[
    &[],
    &["run"],
    &["check"],
    &["verify"],
    &["index"],
    &["fsck"],
    &["keys"],
    &["preview"],
    &["backup"],
    &["restore"],
    &["adopt"],
    &["demo"],
    &["init"],
    &["man"],
    &["completions"],
];
const ROLLOUTCTL: &[&[&str]] = &[
    &[],
    &["list"],
    &["show"],
    &["why"],
    &["todo"],
    &["plan"],
    &["log"],
    &["explain"],
    &["trees"],
    &["packages"],
    &["where"],
    &["diff"],
    &["restore"],
    &["procedure"],
    &["procedure", "show"],
    &["calendar"],
    &["submit"],
    &["move"],
    &["give-up"],
    &["edit"],
    &["cancel"],
    &["stall"],
    &["resume"],
    &["describe"],
    &["halt"],
    &["maintenance"],
    &["maintenance", "list"],
    &["maintenance", "show"],
    &["maintenance", "declare"],
    &["maintenance", "call-off"],
    &["approve"],
    &["tick"],
    &["override"],
    &["extend"],
    &["assign"],
    &["unassign"],
    &["accept"],
    &["reject"],
    &["installed"],
    &["report"],
    &["report", "add"],
    &["report", "list"],
    &["report", "template"],
    &["report", "get"],
    &["report", "publish"],
    &["report", "summary"],
    &["report", "archive"],
    &["issue"],
    &["issue", "add"],
    &["issue", "priority"],
    &["issue", "subject"],
    &["issue", "close"],
    &["note"],
    &["link"],
    &["bundle"],
    &["bundle", "list"],
    &["bundle", "show"],
    &["bundle", "open"],
    &["bundle", "add"],
    &["bundle", "remove"],
    &["bundle", "notes"],
    &["bundle", "approve"],
    &["bundle", "move"],
    &["bundle", "affected"],
    &["bundle", "correct"],
    &["bundle", "close"],
    &["update"],
    &["task"],
    &["task", "list"],
    &["task", "show"],
    &["task", "report"],
    &["task", "get-report"],
    &["task", "publish"],
    &["task", "issue"],
    &["task", "create"],
    &["task", "begin"],
    &["task", "extend"],
    &["task", "reassign"],
    &["task", "done"],
    &["team"],
    &["team", "list"],
    &["team", "add"],
    &["team", "remove"],
    &["change"],
    &["change", "list"],
    &["change", "show"],
    &["change", "open"],
    &["change", "assess"],
    &["change", "approve"],
    &["change", "status"],
    &["change", "tie"],
    &["incident"],
    &["incident", "add"],
    &["incident", "list"],
    &["incident", "show"],
    &["incident", "set"],
    &["incident", "close"],
    &["problem"],
    &["problem", "list"],
    &["problem", "show"],
    &["problem", "set"],
    &["problem", "close"],
    &["review"],
    &["review", "list"],
    &["review", "show"],
    &["review", "answer"],
    &["release"],
    &["release", "list"],
    &["release", "show"],
    &["release", "plan"],
    &["release", "scope"],
    &["release", "told"],
    &["release", "agenda"],
    &["levels"],
    &["release", "cancel"],
    &["lost"],
    &["allow"],
    &["drop"],
    &["retire"],
    &["people"],
    &["erase"],
    &["uploads"],
    &["rejected"],
    &["rejected", "drop"],
    &["outbox"],
    &["notices"],
    &["notices", "show"],
    &["notices", "told"],
    &["check"],
    &["completions"],
];

fn help(program: &str, path: &str, commands: &[&[&str]]) -> String {
    let mut text = String::new();
    for command in commands {
        let mut call = Command::new(path);
        call.args(*command).arg("--help").env("COLUMNS", "100");
        let out = call.env_remove("ROLLOUTCTL_URL").env_remove("ROLLOUTCTL_TOKEN_FILE").output().expect("it runs");
        assert!(out.status.success(), "{program} {command:?}");
        let _ = writeln!(text, "$ {program} {} --help\n", command.join(" "));
        text.push_str(&String::from_utf8_lossy(&out.stdout));
        text.push('\n');
    }
    text
}

#[test]
fn rolloutd_says_what_it_does() {
    insta::assert_snapshot!(help("rolloutd", env!("CARGO_BIN_EXE_rolloutd"), ROLLOUTD));
}

#[test]
fn rolloutctl_says_what_it_does() {
    insta::assert_snapshot!(help("rolloutctl", env!("CARGO_BIN_EXE_rolloutctl"), ROLLOUTCTL));
}

/// No command is left out of the lists above.
#[test]
fn every_command_has_help_with_an_example() {
    for (path, known) in [(env!("CARGO_BIN_EXE_rolloutd"), ROLLOUTD), (env!("CARGO_BIN_EXE_rolloutctl"), ROLLOUTCTL)] {
        let out = Command::new(path).arg("--help").output().expect("it runs");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let commands = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            assert!(known.iter().any(|listed| listed.first() == Some(&command)), "{command} is not tested");
            let help = Command::new(path).args([command, "--help"]).output().expect("it runs");
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            assert!(help.contains("Example"), "`{command} --help` has no example");
        }
    }
}
