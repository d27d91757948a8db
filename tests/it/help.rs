//! The help of every command, held by snapshots, and its examples, which have to be understood.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::process::Command;

use clap::CommandFactory as _;

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
    &["issue", "list"],
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
    &["team", "show"],
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

fn programs() -> [(clap::Command, &'static [&'static [&'static str]]); 2] {
    [(rolloutd::cli::rolloutd::Cli::command(), ROLLOUTD), (rolloutd::cli::ctl::Cli::command(), ROLLOUTCTL)]
}

/// All commands of a program that its help shows, with their words.
fn commands(program: &clap::Command) -> Vec<(Vec<&str>, &clap::Command)> {
    let (mut all, mut left) = (vec![], vec![(vec![], program)]);
    while let Some((words, command)) = left.pop() {
        let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
        left.extend(shown.map(|below| ([&words[..], &[below.get_name()]].concat(), below)));
        all.push((words, command));
    }
    all
}

/// The examples in a command's help.
fn examples(command: &clap::Command) -> Vec<String> {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let all = about.split("\n\n").filter_map(|paragraph| paragraph.split_once(": "));
    let all = all.filter(|(begin, _)| matches!(*begin, "Example" | "Examples"));
    all.flat_map(|(_, all)| all.split(" · ")).map(|example| example.replace('\n', " ")).collect()
}

/// The words of an example as a shell passes them on, the program's name first.
///
/// A `?` or `*` that fits no file is an error, as it is in zsh. The shell is a restricted one: it starts no program and
/// writes no file.
fn typed(example: &str) -> Vec<String> {
    const PROGRAMS: &str = r#"
        sudo() { shift 2; "$@"; }
        rolloutd() { printf '%s\n' rolloutd "$@"; }
        rolloutctl() { printf '%s\n' rolloutctl "$@"; }
    "#;
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path().join("bdii-5.2.22-1.el6.noarch.rpm")).unwrap();
    let command = example.strip_prefix("source <(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(example);
    let command = command.split(" > ").next().unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-r", "-O", "failglob", "-ec", &format!("{PROGRAMS}{command}")]).current_dir(dir.path());
    let out = shell.output().unwrap();
    assert!(out.status.success(), "`{example}`: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn no_command_is_left_out_of_the_lists_above() {
    for (program, listed) in programs() {
        let shown: BTreeSet<Vec<&str>> = commands(&program).into_iter().map(|(words, _)| words).collect();
        assert_eq!(listed.iter().map(|words| words.to_vec()).collect::<BTreeSet<_>>(), shown);
    }
}

#[test]
fn every_command_has_an_example_that_it_understands() {
    for (program, _) in programs() {
        for (words, command) in commands(&program).into_iter().filter(|(words, _)| !words.is_empty()) {
            let (name, found) = ([&[program.get_name()], &words[..]].concat(), examples(command));
            assert!(!found.is_empty(), "`{} --help` has no example", name.join(" "));
            for example in found {
                let typed = typed(&example);
                assert!(
                    typed.iter().take(name.len()).eq(&name),
                    "{name:?} has an example of another command: {example}"
                );
                let understood = program.clone().try_get_matches_from(typed);
                assert!(understood.is_ok(), "`{example}`: {}", understood.unwrap_err());
            }
        }
    }
}
