//! The whole daemon, as `main`, the demo and the tests run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::connections::{self, Bounds};
use super::expiry::{self, Expiries};
use super::prepare::{Prepared, Unusable, prepare, rings};
use super::sandbox::Sandbox;
use super::scrub::Scrub;
use super::supervise::{EndedEarly, Tasks};
use super::watcher::{self, Intervals, News, WatchedDir};
use crate::config;
use crate::config::history;
use crate::config::settings::{Distribution as DistributionSettings, Settings};
use crate::domain::legible;
use crate::domain::people::PersonId;
use crate::engine::folding::{EngineError, take_up};
use crate::engine::handle::Handle;
use crate::engine::run::Engine;
use crate::engine::view::Shared;
use crate::engine::worker::{Books, Workers};
use crate::link::clock::Clock;
use crate::link::outgoing::Outgoing;
use crate::link::supervisor::{self, Supervisor};
use crate::process::rules::Rules;
use crate::process::trouble::Trouble;
use crate::store::backup::UNFINISHED;
use crate::store::disk::{self, Access, Disk, DiskError, Kernel, Latched};
use crate::store::distribution::{DistError, Distribution};
use crate::store::examination::Examiner;
use crate::store::intake::Uploads;
use crate::store::lock::{LockError, SiteLock, lock_site};
use crate::store::logbook::{LeftBehind, LogbookError, Reader, SqliteLogbook, left_behind};
use crate::store::ownership;
use crate::store::people::{PeopleError, Register};
use crate::store::reports;
use crate::store::thread_pool;
use crate::web::context::Context;
use crate::web::routes::{self, ServeTrees};

/// How often the status is reported to the service manager.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// Why the daemon could not start, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration has errors.
    #[error("{0}")]
    Config(String),
    /// Keys, procedures or secrets cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Another process writes here.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The logbook.
    #[error(transparent)]
    Logbook(#[from] LogbookError),
    /// The register of people.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The history cannot be folded, or the engine ended.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A distribution cannot be opened.
    #[error("distribution {dist}")]
    Distribution {
        /// Which.
        dist: String,
        /// Why.
        #[source]
        source: Box<DistError>,
    },
    /// It cannot listen on the address.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Root runs it, but it belongs to another user.
    #[error(
        "{} belongs to {owner}, but this runs as root and would create files that {owner} cannot use: run it as \
         {owner} (`sudo -u {owner} rolloutd run ...`); or, if root should run this site, `chown -R root {}`",
        state.display(), state.display()
    )]
    Anothers {
        /// The state directory.
        state: PathBuf,
        /// Its owner.
        owner: String,
    },
    /// The logbook is gone, but what it held was saved beside it.
    #[error(transparent)]
    LeftBehind(#[from] LeftBehind),
    /// A restore is unfinished.
    #[error(
        "a restore is unfinished in {}: run `rolloutd restore` with the same backup again, as {} says",
        state.display(), state.join(UNFINISHED).display()
    )]
    HalfRestored {
        /// The state directory.
        state: PathBuf,
    },
    /// A task ended.
    #[error(transparent)]
    Ended(#[from] EndedEarly),
}

/// Reads the configuration and checks everything that it names, as `rolloutd check` does: the daemon does not start
/// with anything that check complains about.
///
/// # Errors
/// All complaints in one text.
pub fn load(path: &Path, now: Timestamp) -> Result<Settings, DaemonError> {
    let report = config::check(path, now);
    let complaints: Vec<String> = report.complaints().map(ToString::to_string).collect();
    match report.settings {
        Some(settings) if complaints.is_empty() => {
            for note in &report.findings {
                tracing::warn!(note = %note, "configuration");
            }
            Ok(settings)
        }
        _ => Err(DaemonError::Config(complaints.join("\n"))),
    }
}

/// A daemon that is ready and listens, but does nothing yet.
pub struct Daemon {
    settings: Settings,
    lock: Arc<SiteLock>,
    engine: Engine,
    handle: Handle,
    workers: Arc<Workers>,
    outgoing: Arc<Outgoing>,
    context: Context,
    listener: TcpListener,
    on_ready: oneshot::Receiver<()>,
    watched: Vec<WatchedDir>,
    broken: Arc<AtomicBool>,
    disk: Arc<dyn Disk>,
    examiner: Arc<dyn Examiner>,
    clock: Clock,
    supervisor: Arc<Supervisor>,
    address: SocketAddr,
}

/// Assembles a daemon: locks the site, replays the logbook, opens the trees, listens.
///
/// # Errors
/// Nothing in the trees has changed then.
pub async fn assemble(settings: Settings, supervisor: Arc<Supervisor>) -> Result<Daemon, DaemonError> {
    let clock = Clock::System;
    thread_pool::allow(settings.intake.jobs);
    let sandbox = Arc::new(Sandbox::of_this_program());
    let examiner: Arc<dyn Examiner> = sandbox.clone();
    let Prepared { rules, distributions, site, receivers } = prepare(&settings, &examiner, clock.now())?;
    let disk = Latched::new(Kernel::below(vec![settings.site.root.clone(), settings.site.incoming.clone()]));
    let broken = disk.broken();
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let state = settings.site.state.clone();
    let owner = ownership::of_site(&state);
    if owner != disk::me() && disk::me() == 0 {
        return Err(DaemonError::Anothers { state, owner: disk::user(owner) });
    }
    disk.make_dir(&state)?;
    disk.make_dir(&settings.site.root)?;
    disk.make_dir(&settings.site.incoming)?;
    explain_incoming(disk.as_ref(), &settings.site.incoming)?;
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    let who = format!("pid {} on {machine}, configuration {}", std::process::id(), settings.source.display());
    let lock = lock_site(&state, &settings.site.root, &who)?;
    if state.join(UNFINISHED).exists() {
        return Err(DaemonError::HalfRestored { state });
    }
    // A temporary name from before the crash may be the first that this process uses: in a container it has the same
    // process id.
    disk::sweep(disk.as_ref(), &state)?;

    sandbox.open();
    supervisor.still_starting("reading the logbook");
    let logbook = state.join("logbook.sqlite");
    left_behind(&state)?;
    let mut book = SqliteLogbook::open_sealed(&logbook, Arc::clone(&disk))?;
    let shared = Arc::new(Shared::default());
    shared.begin(rules, |world| take_up(&mut book, world))?;
    for what in &shared.read().world.mismatches {
        tracing::warn!(what, "logbook");
    }
    let named = shared.read().world.report_files().map(|(.., file)| file.sha256).collect();
    let gone = reports::sweep(disk.as_ref(), &state, &named)?;
    if gone > 0 {
        tracing::warn!(gone, "files of reports removed that were never recorded: the daemon ended before that");
    }
    let register = Register::open(disk.as_ref(), &state)?;
    say_who_is_unknown(&shared, &register);
    for note in history::notes(&settings, &shared.read().world) {
        tracing::warn!(note = %note, "configuration");
    }

    let (mut open, mut watched) = (Vec::new(), Vec::new());
    for (path, ready) in distributions {
        supervisor.still_starting(&format!("opening {path}"));
        let upload = ready.gate.tree.clone();
        watched.push((path.clone(), ready.gate.dir.clone(), Uploads::may_be_one as News));
        watched.push((path.clone(), ready.gate.home.clone(), Uploads::may_be_one_at_home));
        let view = shared.read();
        let opened = Distribution::restore(ready, Arc::clone(&disk), &Books::of(&view, &path));
        let dist =
            opened.map_err(|source| DaemonError::Distribution { dist: path.to_string(), source: Box::new(source) })?;
        open.push((path, upload, dist));
    }
    let workers = Arc::new(Workers::new(Arc::clone(&shared), open));
    let (rung, on_ready) = oneshot::channel();
    let (engine, handle) = Engine::new(Box::new(book), register, Arc::clone(&workers), shared, clock, rung);
    let outgoing = Arc::new(Outgoing::default());
    outgoing.replace(receivers);
    let engine = engine.telling(Arc::clone(&outgoing));
    let mode = settings.watch.mode;
    let watched =
        watched.into_iter().map(|(dist, dir, news)| WatchedDir::new(dist, dir, news, mode, &handle)).collect();

    let listener = listen(settings.http.listen).await?;
    let address =
        listener.local_addr().map_err(|source| DaemonError::Listen { address: settings.http.listen, source })?;
    disk::put(disk.as_ref(), &state.join("http.addr"), format!("{address}\n").as_bytes(), Access::Everybody)?;
    tracing::info!(%address, "listening");
    let context = Context::new(handle.clone(), Reader::of(logbook), site, Arc::clone(&disk), clock);
    Ok(Daemon {
        settings,
        lock: Arc::new(lock),
        engine,
        handle,
        workers,
        outgoing,
        context,
        listener,
        on_ready,
        watched,
        broken,
        disk,
        examiner,
        clock,
        supervisor,
        address,
    })
}

/// A register that was lost or is an old copy has fewer people than the logbook.
fn say_who_is_unknown(shared: &Shared, register: &Register) {
    let view = shared.read();
    let persons = &view.world.persons;
    let is_lost = |id: &PersonId| register.people().get(*id).is_none() && !persons.is_erased(*id);
    let lost = persons.named().filter(is_lost).count();
    if lost > 0 {
        tracing::warn!(
            lost,
            "the logbook names people who are not in people.sqlite: they are shown as unknown, and get new ids when they \
             come again. To get them back, stop the daemon, move people.sqlite away, run `rolloutd restore --files` \
             with a backup, and start again"
        );
    }
}

/// Says to whoever looks into the directory of uploads what it is for.
fn explain_incoming(disk: &dyn Disk, incoming: &Path) -> Result<(), DiskError> {
    const WORDS: &str = "Upload packages (*.rpm) to the directory of their distribution or any directory below it, under any name.\n\
        rolloutd examines a file once it is complete and no longer changes, and removes it after it was taken in or\n\
        refused. Names that begin with a dot are ignored, so upload under such a name and rename it at the end.\n\
        Refused files go to `rejected` in the state directory, with their reasons. This directory is not served.\n";
    let path = incoming.join("README");
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            disk::put(disk, &path, WORDS.as_bytes(), Access::Everybody)
        }
        // An admin may have written another text.
        _ => Ok(()),
    }
}

/// A socket passed by the service manager takes precedence over the configured address.
async fn listen(address: SocketAddr) -> Result<TcpListener, DaemonError> {
    let fail = |source| DaemonError::Listen { address, source };
    match supervisor::listener().map_err(fail)? {
        Some(socket) => TcpListener::from_std(socket).map_err(fail),
        None => TcpListener::bind(address).await.map_err(fail),
    }
}

/// The path under which the daemon serves the trees: that of the base URL.
pub fn serve_trees(settings: &Settings) -> ServeTrees {
    if !settings.http.serve_trees {
        return ServeTrees::No;
    }
    let after_scheme = settings.site.base_url.split_once("://").map_or("", |(_, rest)| rest);
    let path = after_scheme.split_once('/').map_or("", |(_, path)| path).trim_matches('/');
    ServeTrees::Below(if path.is_empty() { String::new() } else { format!("/{path}") })
}

impl Daemon {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle of its engine.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs until `stop`; each message on `hup` is a reload.
    ///
    /// # Errors
    /// The task that ended by itself.
    pub async fn run(self, stop: CancellationToken, hup: tokio::sync::mpsc::Receiver<()>) -> Result<(), DaemonError> {
        // Held until the last task has ended.
        let held = Arc::clone(&self.lock);
        let mut tasks = Tasks::new(stop.clone());
        let engine_over = CancellationToken::new();
        let (engine, over) = (self.engine.run(stop.clone()), engine_over.clone().drop_guard());
        tasks.add("the engine", async move {
            let _over = over;
            engine.await
        });
        let router = routes::router(self.context.clone(), serve_trees(&self.settings));
        let context = self.context.clone();
        let known: connections::Known = Arc::new(move |headers| context.site().tokens.caller(headers).is_some());
        let (bounds, clock) = (Bounds::of_this_process(), self.clock);
        let connections = connections::serve(self.listener, router, bounds, known, clock, stop.clone(), engine_over);
        tasks.add("the web server", connections);
        let intervals = Intervals {
            mode: self.settings.watch.mode,
            poll_every: self.settings.watch.poll_every,
            scan_every: self.settings.watch.scan_every,
        };
        let scrub = Scrub {
            handle: self.handle.clone(),
            root: self.settings.site.root.clone(),
            place: self.settings.site.state.join("scrub"),
            disk: Arc::clone(&self.disk),
            period: self.settings.watch.scrub_within,
            clock,
        };
        tasks.add("the scrub", scrub.run(stop.clone()));
        tasks.add("the watcher", watcher::run(self.watched, intervals, self.handle.clone(), stop.clone()));
        let reporter = Reporter {
            shared: Arc::clone(self.handle.shared()),
            supervisor: Arc::clone(&self.supervisor),
            broken: self.broken,
            lock: self.lock,
            clock: self.clock,
            expiries: Expiries::default(),
            context: self.context.clone(),
        };
        tasks.add("the reporter", reporter.run(self.on_ready, stop.clone()));
        let reloader = Reloader {
            source: self.settings.source.clone(),
            settings: self.settings,
            handle: self.handle,
            workers: self.workers,
            outgoing: self.outgoing,
            context: self.context,
            examiner: self.examiner,
            clock: self.clock,
            supervisor: Arc::clone(&self.supervisor),
        };
        tasks.add("the reloader", reloader.run(hup, stop));
        let ended = tasks.run().await;
        drop(held);
        self.supervisor.stopping();
        ended?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Reports to the service manager: READY, STATUS, the watchdog.
struct Reporter {
    shared: Arc<Shared>,
    supervisor: Arc<Supervisor>,
    broken: Arc<AtomicBool>,
    lock: Arc<SiteLock>,
    clock: Clock,
    expiries: Expiries,
    context: Context,
}

impl Reporter {
    async fn run(
        mut self,
        mut on_ready: oneshot::Receiver<()>,
        stop: CancellationToken,
    ) -> Result<(), std::convert::Infallible> {
        let pace = self.supervisor.watchdog().map_or(STATUS_EVERY, |period| (period / 4).min(STATUS_EVERY));
        let (mut ready, mut beat) = (false, 0);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                rung = &mut on_ready, if !ready => {
                    ready = true;
                    if rung.is_ok() {
                        tracing::info!("ready");
                        self.supervisor.ready();
                    }
                }
                () = tokio::time::sleep(pace) => {}
            }
            if self.broken.load(Ordering::SeqCst) {
                let why = "a sync failed, so nothing more is written; check the disk and restart the daemon";
                self.shared.trouble(&Trouble::Disk, Some(why.to_owned()));
            }
            let lost = self.lock.lost().map(|path| {
                let path = path.display();
                format!("{path} was removed while the daemon runs, so a second daemon could start: restart this one")
            });
            if lost.is_some() != self.shared.read().troubles.contains_key(&Trouble::Lock) {
                self.shared.trouble(&Trouble::Lock, lost);
            }
            let now = self.clock.now();
            let (due, until) = {
                let inside = self.shared.read();
                (self.expiries.due(&inside.rules.expiries, now), inside.rules.signing_until)
            };
            for words in due {
                tracing::warn!("{words}; see `rolloutd keys`");
            }
            self.shared.trouble(&Trouble::SigningKey, expiry::of_signing(until, now));
            self.context.guesses().say();
            // A watchdog pinged by its own timer would watch nothing: the engine's loop must have run since the last
            // ping.
            let now = self.shared.beats();
            if now != beat {
                self.supervisor.ping();
                beat = now;
            }
            let status = legible::line(&self.status()).into_owned();
            if ready { self.supervisor.status(&status) } else { self.supervisor.still_starting(&status) }
        }
    }

    fn status(&self) -> String {
        let inside = self.shared.read();
        let packages: u64 = inside.trees().iter().map(|tree| tree.packages).sum();
        let rollouts = inside.world.rollouts.len();
        let entry = inside.world.last;
        let doing: Vec<String> = inside.busy.iter().map(|(lane, label)| format!("{label} {lane}")).collect();
        let doing = if doing.is_empty() { "idle".to_owned() } else { doing.join(", ") };
        match inside.troubles.iter().next() {
            Some((what, why)) => format!("DEGRADED ({what}: {why}); {packages} listed, logbook entry {entry}"),
            None => format!("{packages} packages listed, {rollouts} rollouts, logbook entry {entry}; {doing}"),
        }
    }
}

/// Reloads keys and settings on request.
struct Reloader {
    source: PathBuf,
    settings: Settings,
    handle: Handle,
    workers: Arc<Workers>,
    outgoing: Arc<Outgoing>,
    context: Context,
    examiner: Arc<dyn Examiner>,
    clock: Clock,
    supervisor: Arc<Supervisor>,
}

impl Reloader {
    async fn run(
        mut self,
        mut hup: tokio::sync::mpsc::Receiver<()>,
        stop: CancellationToken,
    ) -> Result<(), std::convert::Infallible> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(()) = hup.recv() => {}
            }
            self.supervisor.reloading();
            match self.reload().await {
                Ok(()) => {
                    tracing::info!("reloaded settings and keys");
                    self.handle.shared().trouble(&Trouble::Reload, None);
                }
                Err(error) => {
                    tracing::error!(error = %error, "the configuration was refused; the old settings stay active");
                    self.handle.shared().trouble(&Trouble::Reload, Some(error.to_string()));
                }
            }
            self.supervisor.ready();
        }
    }

    /// A refused configuration changes nothing. Keys are read again nevertheless, as named by the active settings: an
    /// error elsewhere in the file must not keep a revocation out.
    async fn reload(&mut self) -> Result<(), DaemonError> {
        let new = match load(&self.source, self.clock.now()) {
            Ok(new) => new,
            Err(refused) => {
                match self.apply(self.settings.clone()).await {
                    Ok(()) => tracing::warn!("reloaded keys and procedures named by the active settings"),
                    Err(error) => {
                        tracing::error!(error = %error, "not all files named by the active settings can be read");
                        self.read_rings().await;
                    }
                }
                return Err(refused);
            }
        };
        for what in needs_restart(&self.settings, &new) {
            tracing::warn!(what, "changed in the configuration; takes effect after a restart");
        }
        for note in history::notes(&new, &self.handle.shared().read().world) {
            tracing::warn!(note = %note, "configuration");
        }
        // What needs a restart is kept from the active settings.
        let mut effective = new;
        effective.site.root.clone_from(&self.settings.site.root);
        effective.site.state.clone_from(&self.settings.site.state);
        effective.site.incoming.clone_from(&self.settings.site.incoming);
        effective.http = self.settings.http.clone();
        // Keys belong to trees, so a distribution is kept as a whole; a removed one is kept, too.
        let stays = |old: &DistributionSettings| {
            let new = effective.distributions.iter().find(|new| new.path == old.path);
            new.filter(|new| (&new.trees, new.checksum) == (&old.trees, old.checksum)).unwrap_or(old).clone()
        };
        effective.distributions = self.settings.distributions.iter().map(stays).collect();
        self.apply(effective).await
    }

    /// Reloads only the key rings, where a secret, a signing key or a procedure cannot be read: none of these must keep
    /// a revocation out. A ring that cannot be read stays as it was.
    async fn read_rings(&self) {
        let mut wrong = Vec::new();
        let mut rules = Rules::clone(&self.handle.shared().read().rules);
        for dist in &self.settings.distributions {
            let (trust, uploads) = rings(dist, self.clock.now(), &mut wrong);
            if let Some(of_dist) = rules.distributions.get_mut(&dist.path) {
                of_dist.trust.extend(trust);
            }
            if let Some(ring) = uploads {
                self.workers.trust(&dist.path, ring);
            }
        }
        self.handle.reload(rules).await;
        if wrong.is_empty() {
            tracing::warn!("reloaded all package keys");
        } else {
            tracing::error!(why = wrong.join("; "), "could not reload all package keys");
        }
    }

    /// Reads the files that the settings name, and puts everything into effect.
    async fn apply(&mut self, effective: Settings) -> Result<(), DaemonError> {
        let Prepared { rules, distributions, site, receivers } = prepare(&effective, &self.examiner, self.clock.now())?;
        for (path, ready) in distributions {
            self.workers.reload(&path, ready);
        }
        self.outgoing.replace(receivers);
        self.handle.reload(rules).await;
        self.context.replace(site);
        self.settings = effective;
        for dist in &self.settings.distributions {
            self.handle.touch(&dist.path);
        }
        Ok(())
    }
}

/// Settings that take effect only after a restart.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let paths = |s: &Settings| {
        s.distributions.iter().map(|d| (d.path.clone(), d.trees.clone(), d.checksum)).collect::<Vec<_>>()
    };
    let checks = [
        ("site.root", old.site.root != new.site.root),
        ("site.state", old.site.state != new.site.state),
        ("site.incoming", old.site.incoming != new.site.incoming),
        ("http", old.http != new.http),
        ("distributions, their trees or their checksum", paths(old) != paths(new)),
        ("watch", old.watch != new.watch),
    ];
    checks.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
}
