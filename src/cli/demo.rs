//! `rolloutd demo`: a complete example site on this machine.
//!
//! Everything is in one directory: newly generated keys, four trees, packages that are built and signed in process, a
//! configuration file like a real one, and two small scripts, so that the printed commands can be typed as they are.
//! The daemon is the real one.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::exit::{Exit, Failure, Outcome};
use super::run;
use crate::daemon::assemble;
use crate::engine::view::Shared;
use crate::format::sample::{self, Recipe};
use crate::format::signing::{self, Signer};
use crate::link::clock::Clock;
use crate::process::procedure;
use crate::store::disk::{self, Access, Disk as _, Kernel};

/// Runs a complete example site on this machine and prints what to try
///
/// Its procedure is one of those that ship with rolloutd, but what takes days at a real site takes
/// seconds here.
///
/// Example: rolloutd demo --dir /tmp/site --port 8650
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct DemoArgs {
    /// The procedure of the example site
    #[arg(long, value_name = "NAME", default_value = "egi",
        value_parser = clap::builder::PossibleValuesParser::new(procedure::names()))]
    procedure: String,
    /// Where to create the site [default: rolloutd-demo-PROCEDURE in the state directory of your home]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The daemon's port on this machine
    #[arg(long, default_value_t = 8640)]
    port: u16,
}

/// How many of the packages are signed, and so are taken in.
const SIGNED: u64 = 3;

/// How long taking them in may take, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The file that marks an example site.
const MARKER: &str = ".rolloutd-demo";

/// The distribution of the example.
const DIST: &str = "umd/3/sl6/x86_64";

/// Creates the site if it does not exist, and runs it.
///
/// # Errors
/// Why it cannot be created or run.
pub async fn run(args: DemoArgs) -> Result<Outcome, Failure> {
    let dir = match args.dir {
        Some(dir) => std::path::absolute(&dir).map_err(|e| Failure::new(Exit::Usage, e))?,
        None => default_dir(&args.procedure)?,
    };
    let site = Site { dir, port: args.port, procedure: args.procedure };
    let now = Clock::System.now();
    site.make(now).map_err(|e| Failure::new(Exit::Refused, format!("could not create the example site: {e}")))?;
    let settings =
        assemble::load(&site.config(), now).map_err(|e| Failure::new(Exit::Refused, super::exit::chain(&e)))?;
    let announce = |daemon: &assemble::Daemon| announce(&site, Arc::clone(daemon.handle().shared()));
    run::serve(settings, "choose another port with --port", announce).await
}

fn default_dir(procedure: &str) -> Result<PathBuf, Failure> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let base = state.or_else(home).ok_or_else(|| {
        Failure::new(Exit::Usage, "there is no home directory to create the site in")
            .hint("choose a directory with --dir")
    })?;
    Ok(base.join(format!("rolloutd-demo-{procedure}")))
}

struct Site {
    dir: PathBuf,
    port: u16,
    /// The name of a procedure that ships.
    procedure: String,
}

type Made = Result<(), Box<dyn std::error::Error>>;

impl Site {
    fn config(&self) -> PathBuf {
        self.dir.join("rolloutd.toml")
    }

    /// The file of its procedure.
    fn procedure_file(&self) -> PathBuf {
        self.dir.join(format!("{}.toml", self.procedure))
    }

    fn incoming(&self) -> PathBuf {
        self.dir.join("incoming").join(DIST)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn make(&self, now: Timestamp) -> Made {
        let disk = Kernel::default();
        self.claim(&disk)?;
        for dir in [self.dir.join("keys"), self.dir.join("state"), self.incoming()] {
            disk.make_dir(&dir)?;
        }
        let put = |path: &Path, text: &str, access| disk::put(&disk, path, text.as_bytes(), access);
        let secret = self.dir.join("keys/signing.asc");
        if !secret.exists() {
            let made = signing::generate("rolloutd example <demo@example.org>", now)?;
            put(&self.dir.join("keys/RPM-GPG-KEY-example"), &made.public, Access::Everybody)?;
            put(&secret, &made.secret, Access::Owner)?;
            put(&self.dir.join("keys/token"), &random()?, Access::Owner)?;
            put(&self.dir.join("keys/hook"), &random()?, Access::Owner)?;
            let signer = Signer::read(made.secret.as_bytes(), now)?;
            self.packages(&disk, &signer, now)?;
        }
        // A site of an older demo does not have it.
        let early_adopter = self.dir.join("keys/early-adopter");
        if !early_adopter.exists() {
            put(&early_adopter, &random()?, Access::Owner)?;
        }
        // Who changes it to see what happens keeps the changes.
        if !self.procedure_file().exists() {
            put(&self.procedure_file(), &hastened(&self.procedure), Access::Everybody)?;
        }
        // The port may have changed.
        put(&self.config(), &self.configuration(), Access::Everybody)?;
        self.script("rolloutctl", &self.ctl_script("token")?)?;
        self.script("early-adopter", &self.ctl_script("early-adopter")?)?;
        self.script("webhook", &self.webhook_script())
    }

    /// Refuses a directory with other content, and a configuration that somebody else wrote or changed.
    ///
    /// The marker holds the SHA-256 of every configuration written here. It is written first, so that an interrupted
    /// demo is recognised.
    fn claim(&self, disk: &Kernel) -> Made {
        let (dir, marker) = (self.dir.display(), self.dir.join(MARKER));
        let read = |path: &Path| match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("could not read {}: {error}", path.display())),
        };
        let sum = |text: &str| hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
        let mut known = read(&marker)?;
        let is_empty = match std::fs::read_dir(&self.dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(format!("could not list {dir}: {error}").into()),
        };
        if known.is_none() && !is_empty {
            return Err(
                format!("{dir} is not empty and is not an example site: choose an empty directory with --dir").into()
            );
        }
        let lines = known.get_or_insert_default();
        if let Some(there) = read(&self.config())?
            && !lines.lines().any(|line| line == sum(&there))
        {
            let config = self.config().display().to_string();
            return Err(format!(
                "{config} was changed since the demo wrote it. To keep it, run `rolloutd run --config {config}`; to \
                 let the demo write its own again, move it away"
            )
            .into());
        }
        let new = sum(&self.configuration());
        if !lines.lines().any(|line| line == new) {
            lines.push_str(&new);
            lines.push('\n');
        }
        disk.make_dir(&self.dir)?;
        Ok(disk::put(disk, &marker, lines.as_bytes(), Access::Everybody)?)
    }

    fn script(&self, name: &str, text: &str) -> Made {
        let path = self.dir.join(name);
        disk::put(&Kernel::default(), &path, text.as_bytes(), Access::Everybody)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    fn packages(&self, disk: &Kernel, signer: &Signer, now: Timestamp) -> Made {
        for (recipe, signed) in recipes(now) {
            let bytes = sample::build(&recipe, signed.then_some(signer), now)?;
            let name = format!("{}-{}-{}.{}.rpm", recipe.name, recipe.version, recipe.release, recipe.arch);
            disk::put(disk, &self.incoming().join(name), &bytes, Access::Everybody)?;
        }
        Ok(())
    }

    fn configuration(&self) -> String {
        let dir = self.dir.display();
        let url = self.url();
        let procedure = self.procedure_file();
        format!(
            r#"# The example site of `rolloutd demo`. A real one looks the same.

[site]
name     = "Example software repository"
root     = "{dir}/sw"
state    = "{dir}/state"
incoming = "{dir}/incoming"
base_url = "{url}/sw"

[http]
listen      = "127.0.0.1:{port}"
serve_trees = true

[watch]
quiet = "500ms"

[[distribution]]
path        = "{DIST}"
procedure   = "{procedure}"
trees       = ["untested", "testing", "delta", "production"]
arches      = ["noarch", "x86_64"]
  [distribution.keys]
  "*" = ["{dir}/keys/RPM-GPG-KEY-example"]

[signing]
key = "{dir}/keys/signing.asc"

[[webhook]]
name   = "tracker"
kind   = "generic"
secret = {{ file = "{dir}/keys/hook" }}

[[token]]
actor = "demo"
roles = ["admin", "srm", "ou", "maintainer"]
secret = {{ file = "{dir}/keys/token" }}

[[token]]
actor = "early-adopter"
roles = ["ea"]
teams = ["ea-NGI_IT-INFN-T1", "ea-NGI_CH-CSCS", "ea-NGI_UK-RAL"]
secret = {{ file = "{dir}/keys/early-adopter" }}
"#,
            port = self.port,
            procedure = procedure.display(),
        )
    }

    fn ctl_script(&self, token: &str) -> Result<String, std::io::Error> {
        let program = std::env::current_exe()?;
        Ok(format!(
            "#!/bin/sh\n# rolloutctl, with the address and a token of the example site.\n\
             ROLLOUTCTL_URL='{}' ROLLOUTCTL_TOKEN_FILE='{}' ROLLOUTCTL_AS=\"$0\" exec '{}' ctl \"$@\"\n",
            self.url(),
            self.dir.join("keys").join(token).display(),
            program.display(),
        ))
    }

    fn webhook_script(&self) -> String {
        format!(
            r#"#!/bin/sh
# What a tracker would send: webhook ROLLOUT STATE. Needs curl and openssl.
body=$(printf '{{"delivery":"%s","rollout":"%s","state":"%s","actor":"demo","at":"%s"}}' \
    "$(date +%s%N)" "$1" "$2" "$(date -u +%Y-%m-%dT%H:%M:%SZ)")
mac=$(printf %s "$body" | openssl dgst -sha256 -mac HMAC -macopt "key:$(cat '{hook}')" -r | cut -d' ' -f1)
curl --noproxy '*' -sS -w '%{{http_code}}\n' -H "X-Hub-Signature-256: sha256=$mac" --data-binary "$body" '{url}/hooks/tracker'
"#,
            hook = self.dir.join("keys/hook").display(),
            url = self.url(),
        )
    }
}

/// A procedure that ships, in which what takes days takes seconds.
fn hastened(name: &str) -> String {
    let text = procedure::BUILT_IN.iter().find_map(|(known, text)| (*known == name).then_some(*text));
    let text = text.unwrap_or_default().replace("for = \"5d\"", WAIT).replace("for = \"7d\"", WAIT);
    let text = text.replace("usual = \"7d\"", "usual = \"5s\"").replace("settling = \"2h\"", "settling = \"2s\"");
    format!(
        "# The procedure `{name}` in a hurry, for `rolloutd demo`. You may change it: the demo keeps the changes.\n\n{text}"
    )
}

/// How long packages have to be in a tree.
const WAIT: &str = "for = \"3s\"";

/// Three packages to promote, and an unsigned one, to show a refusal.
fn recipes(now: Timestamp) -> Vec<(Recipe, bool)> {
    let recipe = |name: &str, version: &str, summary: &str, requires: &[&str]| Recipe {
        name: name.to_owned(),
        version: version.to_owned(),
        release: "1.el6".to_owned(),
        arch: "noarch".to_owned(),
        summary: summary.to_owned(),
        requires: requires.iter().map(|r| (*r).to_owned()).collect(),
        files: vec![(format!("/usr/share/{name}/version"), format!("{name} {version}\n").into_bytes())],
        changelog: vec![(now, "rolloutd example <demo@example.org>".to_owned(), format!("- version {version}"))],
        build_time: now,
        ..Recipe::default()
    };
    vec![
        (recipe("example-server", "1.0", "A service that sites run", &["example-libs >= 1.0"]), true),
        (recipe("example-libs", "1.0", "Libraries of the service", &[]), true),
        (recipe("example-client", "2.3", "A client of the service", &["example-libs >= 1.0"]), true),
        (recipe("example-unsigned", "0.1", "A package that nobody signed", &[]), false),
    ]
}

/// 32 random bytes in hexadecimal, one line.
fn random() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(format!("{}\n", hex::encode(bytes)))
}

/// Prints what to try, once the packages have been taken in.
async fn announce(site: &Site, shared: Arc<Shared>) {
    let taken_in = || shared.read().trees().iter().map(|tree| tree.packages).sum::<u64>() >= SIGNED;
    let patience = tokio::time::timeout(PATIENCE, async {
        while !taken_in() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    if patience.await.is_err() {
        tracing::warn!("the packages of the example have not been taken in yet");
    }
    let begun = EXAMPLE.parse().ok().and_then(|id| Some(shared.read().world.rollouts.get(&id)?.state.to_string()));
    let _ = std::io::stdout().write_all(words(site, begun.as_deref()).as_bytes());
    let _ = std::io::stdout().flush();
}

/// A command to try, and what it does. It is one of `rolloutctl`, if it does not begin with another program.
type Try = (&'static str, &'static str);

/// The rollout of the walk.
const EXAMPLE: &str = "example-1";

/// What early adopters do, as one of them would type it.
const EARLY_ADOPTER: &str = "early-adopter ";

/// The states through which the example's rollout goes. A real site waits for days where this one sleeps.
fn way(procedure: &str) -> &'static [Try] {
    const SLEEP: Try = ("sleep 5", "days at a real site, three seconds here");
    match procedure {
        "glite" => &[
            ("move example-1 'Ready for Rollout'", "the operation managers see no conflict"),
            ("bundle open BUNDLE-1", "the release team opens a bundle"),
            ("bundle add BUNDLE-1 example-1", ""),
            ("bundle notes BUNDLE-1", "its release notes list what is in it"),
            ("bundle move BUNDLE-1 'Rolling out'", "untested -> delta"),
            ("team add ea-NGI_IT-INFN-T1 --ngi NGI_IT", "a team of early adopters"),
            ("sleep 3", "trackers learn of it: two hours at a real site, two seconds here"),
            ("task create BUNDLE-1 ea-NGI_IT-INFN-T1 --quarantine 3s", "a week at a real site"),
            ("early-adopter task begin 1 success", "the team has installed it"),
            ("why example-1", "it has to wait for the team"),
            SLEEP,
            ("early-adopter task done 1 success", ""),
            ("bundle move BUNDLE-1 'Ready for Production'", ""),
            ("update gLite-3.2 --bundle BUNDLE-1", "the update gets its number"),
            ("bundle approve BUNDLE-1 'In Production'", "the operation managers agree"),
            ("bundle move BUNDLE-1 'In Production'", "delta -> production"),
        ],
        "simple" => &[
            ("move example-1 Testing", "untested -> testing"),
            ("why example-1", "it has to wait"),
            ("approve example-1 Production", "a maintainer agrees"),
            SLEEP,
            ("move example-1 Production", "testing -> production"),
        ],
        _ => &[
            ("move example-1 Unverified", "its packages are there"),
            ("move example-1 InVerification", "verifiers look at it"),
            ("move example-1 StageRollOut", "untested -> testing"),
            ("team add ea-NGI_IT-INFN-T1 --ngi NGI_IT", "three teams of early adopters"),
            ("team add ea-NGI_CH-CSCS --ngi NGI_CH", ""),
            ("team add ea-NGI_UK-RAL --ngi NGI_UK", ""),
            ("assign example-1 ea-NGI_IT-INFN-T1 ea-NGI_CH-CSCS ea-NGI_UK-RAL", "they are asked to test"),
            ("early-adopter accept example-1 ea-NGI_IT-INFN-T1", "as the teams would answer"),
            ("early-adopter accept example-1 ea-NGI_CH-CSCS", ""),
            ("early-adopter reject example-1 ea-NGI_UK-RAL --reason 'no staff this week'", ""),
            ("early-adopter issue add example-1 '#12' --title 'it dies at start' --show-stopper", ""),
            ("why example-1", "it has to wait for all of that"),
            ("issue close example-1 '#12' --reason 'a typo'", ""),
            ("early-adopter report add example-1 ea-NGI_IT-INFN-T1 success", ""),
            ("early-adopter report add example-1 ea-NGI_CH-CSCS warning --summary 'restart it once'", ""),
            SLEEP,
            ("move example-1 Accepted", ""),
            ("move example-1 UMDStore", "kept for the next release"),
            ("move example-1 Production", "testing -> production"),
        ],
    }
}

/// The text printed when the site is running; `begun` is the state of its rollout if an earlier start got that far.
fn words(site: &Site, begun: Option<&str>) -> String {
    let (dir, url) = (site.dir.display(), site.url());
    let ctl = site.dir.join("rolloutctl");
    let ctl = ctl.display();
    let mut text = String::new();
    let _ = writeln!(text, "\nAn example site is running in {dir}");
    let _ = writeln!(text, "Pages: {url}/    Trees: {url}/sw/    Stop: Ctrl-C\n");
    if let Some(state) = begun {
        let _ = writeln!(text, "It goes on where it was: the rollout {EXAMPLE} is in {state}.");
        let _ = writeln!(text, "What may come next: {ctl} why {EXAMPLE}");
        let _ = writeln!(text, "What was done so far: {ctl} log");
        let _ = writeln!(text, "For the walk from its beginning, start a new site with --dir\n");
        return text;
    }
    let _ = writeln!(text, "Three signed packages and one unsigned were dropped into {dir}/incoming/{DIST}");
    let _ = writeln!(text, "The signed ones are in the tree `untested` now.");
    let _ = writeln!(text, "In another terminal, run one after the other:\n");
    let begin = [("trees", ""), ("submit example-1 example-server-1.0-1.el6.noarch example-libs-1.0-1.el6.noarch", "")];
    for (command, does) in begin.iter().chain(way(&site.procedure)).chain(&[("show example-1", "")]) {
        let command = match command.strip_prefix(EARLY_ADOPTER) {
            Some(command) => format!("{dir}/early-adopter {command}"),
            None if command.starts_with("sleep") => (*command).to_owned(),
            None => format!("{ctl} {command}"),
        };
        let _ = match *does {
            "" => writeln!(text, "  {command}"),
            does => writeln!(text, "  {command:<w$}  # {does}", w = ctl.to_string().len() + 39),
        };
    }
    let _ = writeln!(text, "\nThe whole procedure: {ctl} procedure show");
    let _ = writeln!(text, "Move a rollout as a tracker would: {dir}/webhook ROLLOUT STATE");
    let _ = writeln!(text, "Why the unsigned package stayed out: {dir}/state/rejected/\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_try_is_printed() {
        let site = |procedure: &str| Site { dir: "/tmp/site".into(), port: 8640, procedure: procedure.into() };
        insta::assert_snapshot!(procedure::names().map(|name| words(&site(name), None)).collect::<String>());
        insta::assert_snapshot!("a second start", words(&site("egi"), Some("StageRollOut")));
    }

    /// The files in a directory, with their bytes.
    fn lies(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found: Vec<_> = std::fs::read_dir(dir)
            .expect("listed")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.clone(), std::fs::read(&path).unwrap_or_default()))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn a_directory_that_is_no_example_is_refused_and_nothing_in_it_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        let site = |port| Site { dir: dir.path().to_owned(), port, procedure: "egi".to_owned() };
        let put = |name: &str, text: &str| {
            disk::put(&Kernel::default(), &dir.path().join(name), text.as_bytes(), Access::Owner).expect("written");
        };
        for name in ["rolloutd.toml", "notes", ".hidden"] {
            put(name, "somebody's");
            let before = lies(dir.path());
            let why = site(8640).make(Timestamp::UNIX_EPOCH).expect_err("it is somebody's").to_string();
            assert!(why.contains("is not empty and is not an example site"), "{why}");
            assert_eq!(lies(dir.path()), before);
            Kernel::default().remove(&dir.path().join(name)).expect("removed");
        }
        // Its own site is recognised, even with another port; one that somebody has changed is left alone.
        for port in [8640, 8641, 8640] {
            site(port).make(Clock::System.now()).expect("its own");
        }
        put("rolloutd.toml", "somebody's");
        let before = lies(dir.path());
        let why = site(8641).make(Clock::System.now()).expect_err("somebody's").to_string();
        assert!(why.contains("was changed since the demo wrote it"), "{why}");
        assert_eq!(lies(dir.path()), before);
        Kernel::default().rename(&site(1).config(), &dir.path().join("mine.toml")).expect("moved away, as it says");
        site(8640).make(Clock::System.now()).expect("its own again");
    }

    #[test]
    fn a_demo_that_was_stopped_after_its_marker_is_known_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let site = |port| Site { dir: dir.path().to_owned(), port, procedure: "egi".to_owned() };
        site(8640).make(Clock::System.now()).expect("made");
        site(8641).claim(&Kernel::default()).expect("and stopped here");
        site(8642).make(Clock::System.now()).expect("its own");
    }

    #[test]
    fn the_configuration_of_the_example_is_one_that_the_daemon_takes() {
        for name in procedure::names() {
            let site = Site { dir: PathBuf::from("/srv/example"), port: 8640, procedure: name.to_owned() };
            crate::config::load(&site.configuration(), Path::new("/srv/example/rolloutd.toml")).expect("good");
            let read = procedure::read(&hastened(name), Path::new("hastened.toml")).expect("good");
            let whole = procedure::built_in(name).expect("it ships");
            assert_ne!(read.workflow, whole, "something takes less long");
            assert_eq!(read.workflow.states(), whole.states());
        }
    }
}
