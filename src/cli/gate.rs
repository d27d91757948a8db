//! `rolloutd gate`: the process that reads packages for the daemon, and a test of its confinement.

#![expect(clippy::disallowed_methods, reason = "the attempts are what must fail, on files of their own")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal};

use super::exit::{Exit, Failure, Outcome};
use crate::link::confined;
use crate::link::confinement::{self, Layer};
use crate::store::examination::{self, Question, Terms};

/// Reads packages for the daemon, which starts it
///
/// It answers requests on its standard input, a socket; each comes with a file's descriptor. It first
/// drops access to everything else.
///
/// With --probe it tries what an attacker in this process would try, before and after it drops access,
/// and prints a table; also what each layer denies on its own.
///
/// Example: rolloutd gate --probe
///
/// Exit codes with --probe: 0 everything possible before is denied after, 1 something is not.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct GateArgs {
    /// Try what it must not be able to do
    #[arg(long)]
    probe: bool,
    /// The confined half of --probe, run in this directory
    #[arg(long, hide = true, value_name = "DIR")]
    inside: Option<PathBuf>,
    /// Confined by this layer alone
    #[arg(long, hide = true, requires = "inside")]
    layer: Option<String>,
}

/// Runs it; nothing else may run in this process.
pub fn run(args: &GateArgs) -> ExitCode {
    if args.probe {
        return super::exit::finish("rolloutd", false, probe());
    }
    if let Some(dir) = &args.inside {
        return super::exit::finish("rolloutd", false, inside(dir, args.layer.as_deref()));
    }
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::FAILURE };
    let confined = confinement::confine(&Layer::ALL);
    let learn = |bytes: &[u8]| Terms::from_bytes(bytes).map_err(io::Error::other);
    let answer = |mut file: File, terms: &Terms, bytes: &[u8]| {
        let question = Question::from_bytes(bytes).map_err(io::Error::other)?;
        let answer = examination::examine(&mut file, terms, &question);
        Ok(answer.map(|answer| answer.to_bytes()).map_err(|error| error.to_string()))
    };
    match confined::serve(socket, &confined.sentence(), learn, answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Something that a compromised process would try.
type Attempt = (&'static str, fn(&Targets) -> io::Result<()>);

/// The objects of the attempts: our own, and existing.
struct Targets {
    dir: PathBuf,
    file: PathBuf,
    unix: PathBuf,
    tcp: TcpListener,
    own: Pid,
    parent: Pid,
}

impl Targets {
    fn in_dir(dir: &Path) -> io::Result<Self> {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let (own, parent) = (rustix::process::getpid(), rustix::process::getppid().unwrap_or(Pid::INIT));
        Ok(Self { dir: dir.to_owned(), file: dir.join("file"), unix: dir.join("socket"), tcp, own, parent })
    }
}

const ATTEMPTS: &[Attempt] = &[
    ("read a file", |targets| File::open(&targets.file).map(drop)),
    ("read the accounts", |_| File::open("/etc/passwd").map(drop)),
    ("read its own memory", |_| File::open("/proc/self/mem").map(drop)),
    ("write into a file", |targets| File::options().append(true).open(&targets.file).map(drop)),
    ("make a file", |targets| File::create(targets.dir.join("new")).map(drop)),
    ("make an unnamed file", |targets| {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&targets.dir, flags, Mode::RUSR | Mode::WUSR).map(drop)?)
    }),
    ("make a file in memory", |_| Ok(rustix::fs::memfd_create("new", rustix::fs::MemfdFlags::CLOEXEC).map(drop)?)),
    ("list a directory", |targets| fs::read_dir(&targets.dir).map(drop)),
    ("look at a file", |targets| fs::symlink_metadata(&targets.file).map(drop)),
    ("make a directory", |targets| fs::create_dir(targets.dir.join("dir"))),
    ("make a link", |targets| fs::hard_link(&targets.file, targets.dir.join("link"))),
    ("make a symbolic link", |targets| std::os::unix::fs::symlink(&targets.file, targets.dir.join("symlink"))),
    ("make a pipe with a name", |targets| {
        use rustix::fs::{CWD, FileType, Mode};
        Ok(rustix::fs::mknodat(CWD, targets.dir.join("pipe"), FileType::Fifo, Mode::RUSR, 0)?)
    }),
    ("rename a file", |targets| {
        fs::rename(&targets.file, targets.dir.join("renamed"))?;
        fs::rename(targets.dir.join("renamed"), &targets.file)
    }),
    ("change a file's mode", |targets| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&targets.file, fs::Permissions::from_mode(0o600))
    }),
    ("remove a file", |targets| {
        fs::remove_file(&targets.file)?;
        File::create(&targets.file).map(drop)
    }),
    ("connect by TCP", |targets| TcpStream::connect(targets.tcp.local_addr()?).map(drop)),
    ("listen for TCP", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("accept a connection", |targets| {
        targets.tcp.set_nonblocking(true)?;
        match targets.tcp.accept() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }),
    ("send by UDP", |_| UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", "127.0.0.1:9").map(drop)),
    ("connect to a local service", |targets| UnixStream::connect(&targets.unix).map(drop)),
    ("make a pair of sockets", |_| UnixStream::pair().map(drop)),
    ("run a program", |_| Command::new("/proc/self/exe").arg("--version").output().map(drop)),
    ("start a thread", |_| {
        std::thread::Builder::new().spawn(|| ())?.join().map_err(|_| io::Error::other("it panicked"))
    }),
    ("signal another process", |targets| Ok(rustix::process::test_kill_process(targets.parent)?)),
    ("signal itself by another way", |targets| Ok(rustix::process::kill_process(targets.own, Signal::URG)?)),
    ("hold a process", |targets| {
        Ok(rustix::process::pidfd_open(targets.parent, rustix::process::PidfdFlags::empty()).map(drop)?)
    }),
    ("change its directory", |targets| std::env::set_current_dir(&targets.dir)),
    ("change its limits", |_| {
        use rustix::process::{Resource, Rlimit, setrlimit};
        Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
    }),
];

/// The result of one half: how it is confined, and the outcome of each attempt.
type Found = (String, Vec<Result<(), String>>);

fn attempts(targets: &Targets, sentence: String) -> Found {
    let tried = ATTEMPTS.iter().map(|(_, attempt)| attempt(targets).map_err(|error| error.to_string()));
    (sentence, tried.collect())
}

/// Not confined, confined, and confined by each layer alone.
struct Probed {
    before: Found,
    inside: Found,
    alone: Vec<Found>,
}

fn probe() -> Result<Outcome, Failure> {
    let dir = std::env::temp_dir().join(format!("rolloutd-gate-probe-{}", std::process::id()));
    let probed = probe_in(&dir);
    let _ = fs::remove_dir_all(&dir);
    let probed =
        probed.map_err(|error| Failure::new(Exit::Usage, format!("could not try it in {}: {error}", dir.display())))?;
    Ok(show(&probed))
}

fn probe_in(dir: &Path) -> io::Result<Probed> {
    // Fresh objects each time.
    let anew = || {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir(dir)?;
        File::create(dir.join("file"))?;
        UnixListener::bind(dir.join("socket"))
    };
    let half = |layer: Option<Layer>| {
        let _listener = anew()?;
        let mut command = Command::new("/proc/self/exe");
        command.args(["gate", "--inside"]).arg(dir);
        if let Some(layer) = layer {
            command.args(["--layer", layer.as_str()]);
        }
        let out = command.output()?;
        serde_json::from_slice::<Found>(&out.stdout).map_err(|error| {
            let said = String::from_utf8_lossy(&out.stderr);
            io::Error::other(format!("the confined half ended with {}: {error}; {said}", out.status))
        })
    };
    let inside = half(None)?;
    let alone = Layer::ALL.into_iter().map(|layer| half(Some(layer))).collect::<io::Result<_>>()?;
    let _listener = anew()?;
    let before = attempts(&Targets::in_dir(dir)?, String::new());
    Ok(Probed { before, inside, alone })
}

fn inside(dir: &Path, layer: Option<&str>) -> Result<Outcome, Failure> {
    let fail = |error: io::Error| Failure::new(Exit::Usage, error.to_string());
    let targets = Targets::in_dir(dir).map_err(fail)?;
    let layers: Vec<Layer> =
        Layer::ALL.into_iter().filter(|known| layer.is_none_or(|wanted| wanted == known.as_str())).collect();
    let found = attempts(&targets, confinement::confine(&layers).sentence());
    let text = serde_json::to_string(&found).map_err(io::Error::from).map_err(fail)?;
    Ok(Outcome { text, exit: Exit::Done })
}

fn show(probed: &Probed) -> Outcome {
    let (sentence, inside) = &probed.inside;
    let mut text = format!("confined by {sentence}\n\n{:<30}{:<14}", "", "confined");
    for layer in Layer::ALL {
        let _ = write!(text, "{:<16}", format!("{} alone", layer.as_str()));
    }
    text.truncate(text.trim_end().len());
    let (mut tried, mut possible) = (0, 0);
    for (n, ((what, _), before)) in ATTEMPTS.iter().zip(&probed.before.1).enumerate() {
        let _ = write!(text, "\n{what:<30}");
        if let Err(why) = before {
            let _ = write!(text, "not possible without confinement either: {why}");
            continue;
        }
        let denied = |found: &[Result<(), String>]| found.get(n).is_some_and(Result::is_err);
        tried += 1;
        possible += usize::from(!denied(inside));
        let _ = write!(text, "{:<14}", if denied(inside) { "denied" } else { "POSSIBLE" });
        for (_, found) in &probed.alone {
            let _ = write!(text, "{:<16}", if denied(found) { "denied" } else { "possible" });
        }
        text.truncate(text.trim_end().len());
    }
    let _ =
        writeln!(text, "\n\n{tried} attempts that work in an ordinary process, {possible} of them in the confined one");
    Outcome { text, exit: if possible == 0 { Exit::Done } else { Exit::Refused } }
}
