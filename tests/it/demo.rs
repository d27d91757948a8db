//! The example site: somebody who types what it prints takes a package to production.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the demo of a procedure; gives its directory and what it printed.
fn demo(procedure: &str) -> (tempfile::TempDir, Demo, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    // The demo's URL is printed and written into scripts, so it needs its port beforehand.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
    demo.args(["demo", "--procedure", procedure]).arg("--dir").arg(dir.path()).arg("--port").arg(port.to_string());
    let mut demo = Demo(demo.stdout(Stdio::piped()).spawn().unwrap());
    let printed = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    // Commands stand two blanks in; the last words after them say where refused packages lie.
    let mut ended = false;
    let until_end = |line: &String| !std::mem::replace(&mut ended, line.contains("stayed out"));
    let printed = printed.take_while(until_end).collect();
    (dir, demo, printed)
}

#[test]
fn what_the_demo_prints_takes_a_package_to_production() {
    for procedure in ["egi", "glite", "simple"] {
        takes_a_package_to_production(procedure);
    }
}

fn takes_a_package_to_production(procedure: &str) {
    // Another test may take the port in the meantime.
    let (dir, _demo, printed) = (0..5)
        .map(|_| demo(procedure))
        .find(|(.., printed)| printed.last().is_some_and(|line| line.contains("stayed out")))
        .expect("it starts");
    let commands: Vec<&String> = printed.iter().filter(|line| line.starts_with("  ")).collect();
    assert!(commands.len() >= 5, "{printed:#?}");
    let mut last = String::new();
    for command in commands {
        let out = Command::new("sh").arg("-c").arg(command).output().unwrap();
        let words = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{command}: {words}");
        last = String::from_utf8_lossy(&out.stdout).into_owned();
    }
    assert!(last.contains("package       example-server-1.0-1.el6.noarch in production\n"), "{last}");
    let refused = dir.path().join("state/rejected/umd_3_sl6_x86__64");
    let why = std::fs::read_dir(refused)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|x| x == "why"));
    assert!(std::fs::read_to_string(why.unwrap()).unwrap().contains("code:    unsigned"));
}

/// To change the port in the demo's configuration would make it refuse the next time.
#[test]
fn a_demo_whose_port_is_taken_says_how_to_choose_another() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
    let out = demo.arg("demo").arg("--dir").arg(dir.path()).args(["--port", &port]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("sport = :{port}")) && said.contains("choose another port with --port"), "{said}");
    assert!(!said.contains("[http]"), "{said}");
}
