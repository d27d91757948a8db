//! Messages to the service manager, and the socket that it passes: `sd_notify(3)` and a listening socket.
//!
//! Outside a service manager a [`Supervisor`] does nothing and costs nothing, so the daemon calls it without checking.
//! Reporting never fails the work being reported: a message that cannot be delivered is dropped, with one warning. The
//! environment is read and never changed (changing it is unsafe once threads run), so a child of the daemon inherits
//! `NOTIFY_SOCKET`; systemd ignores it there, since the unit keeps the default `NotifyAccess=main`.
//!
//! # Why not the crate's own `notify`
//!
//! The messages and environment variables come from the crate `sd-notify`. The socket is ours, since the crate's blocks
//! for ever when the manager's queue is full, and does not support abstract names.

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;

/// A status line longer than this is cut. systemd drops messages longer than a page, and nobody reads more than one
/// line of `systemctl status`.
pub const STATUS_MAX: usize = 512;

/// How long one message to the manager may take. Its queue is full only when it hangs, and then the daemon's own work
/// comes first.
const SEND_WAIT: Duration = Duration::from_secs(2);

/// How much longer a start may take after each [`Supervisor::still_starting`].
const START_EXTENSION: Duration = Duration::from_secs(90);

/// The service manager, if there is one.
#[derive(Debug)]
pub struct Supervisor {
    line: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    complained: AtomicBool,
}

impl Supervisor {
    /// The manager named in the environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn from_env() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::absent();
        };
        Self::at(&address, sd_notify::watchdog_enabled()).unwrap_or_else(|error| {
            tracing::warn!(%error, address = %address.display(), "cannot reach the service manager");
            Self::absent()
        })
    }

    /// No manager.
    pub fn absent() -> Self {
        Self { line: None, watchdog: None, complained: AtomicBool::new(false) }
    }

    /// The manager at `address`: a path, or an abstract name written with a leading `@`.
    pub fn at(address: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_WAIT))?;
        Ok(Self { line: Some((socket, address)), watchdog, complained: AtomicBool::new(false) })
    }

    /// Recovery is complete and requests are answered; also ends what [`reloading`](Self::reloading) began.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The line that `systemctl status` shows.
    pub fn status(&self, text: &str) {
        self.tell(&[NotifyState::Status(&one_line(text))]);
    }

    /// The start takes longer than usual, with the reason. To be repeated at least once a minute; the manager gives up
    /// when it hears nothing.
    pub fn still_starting(&self, text: &str) {
        let more = u32::try_from(START_EXTENSION.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::Status(&one_line(text)), NotifyState::ExtendTimeoutUsec(more)]);
    }

    /// Keys and settings are being reloaded; [`ready`](Self::ready) must follow, whatever the outcome.
    pub fn reloading(&self) {
        // Only `Type=notify-reload` (systemd 253) asks for the time; older managers ignore it.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// The stop has begun; work in progress is being finished.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// How long the manager waits for a [`ping`](Self::ping) before it kills us; `None` if it does not watch.
    /// `sd_watchdog_enabled(3)` recommends pinging twice as often.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|period| !period.is_zero())
    }

    /// Still alive. To be called by code that would hang if the daemon hangs, never by a mere timer.
    pub fn ping(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    fn tell(&self, words: &[NotifyState<'_>]) {
        let Some((socket, address)) = &self.line else { return };
        let message = words.iter().map(NotifyState::to_string).collect::<Vec<_>>().join("\n");
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address)
            && !self.complained.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the service manager does not respond");
        }
    }
}

/// A line break would begin a new assignment in the protocol, so a package name could set `MAINPID=1`.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.truncate(line.floor_char_boundary(STATUS_MAX));
    line
}

/// The listening TCP socket that a `.socket` unit made for us; `None` without one.
///
/// It is taken from standard input (`StandardInput=socket`). A bare descriptor number, as in `LISTEN_FDS`, becomes an
/// owned descriptor only through unsafe code or `pidfd_getfd(2)`, which containers refuse as a debugger's call.
///
/// # Errors
/// If sockets were passed, but not in this way: listening elsewhere would leave them unanswered.
pub fn listener() -> io::Result<Option<TcpListener>> {
    let found = listening(io::stdin().as_fd())?;
    let handed = sd_notify::listen_fds()?.len();
    if found.is_none() && handed > 0 {
        let why = format!("the service manager passed {handed} sockets, none of them as standard input");
        return Err(io::Error::other(format!("{why}: StandardInput=socket is needed in the unit")));
    }
    Ok(found)
}

fn listening(standard_input: BorrowedFd<'_>) -> io::Result<Option<TcpListener>> {
    // An error means that it is closed or not a socket, as for most daemons.
    if !socket_acceptconn(standard_input).unwrap_or(false) {
        return Ok(None);
    }
    let socket = TcpListener::from(standard_input.try_clone_to_owned()?);
    socket.local_addr().map_err(|_| io::Error::other("the socket from the service manager is not a TCP socket"))?;
    socket.set_nonblocking(true)?;
    Ok(Some(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::net::TcpStream;
    use std::os::unix::net::UnixListener;

    /// What the manager receives when `say` is called.
    fn heard(say: impl Fn(&Supervisor)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        say(&Supervisor::at(path.as_os_str(), None).unwrap());
        let mut buffer = [0; 8192];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_word_is_what_sd_notify_calls_it() {
        assert_eq!(heard(Supervisor::ready), "READY=1");
        assert_eq!(heard(Supervisor::stopping), "STOPPING=1");
        assert_eq!(heard(Supervisor::ping), "WATCHDOG=1");
        assert_eq!(heard(|s| s.status("3 trees, nothing to do")), "STATUS=3 trees, nothing to do");
        assert_eq!(heard(|s| s.still_starting("replaying")), "STATUS=replaying\nEXTEND_TIMEOUT_USEC=90000000");
    }

    #[test]
    fn a_reload_carries_the_monotonic_time() {
        let said = heard(Supervisor::reloading);
        let time = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&said);
        assert!(time.parse::<u64>().unwrap() > 0, "{said}");
    }

    #[test]
    fn a_status_is_one_line_whatever_it_speaks_of() {
        assert_eq!(heard(|s| s.status("a\nMAINPID=1\r\tb\0")), "STATUS=a MAINPID=1  b ");
    }

    #[test]
    fn a_long_status_is_cut_between_characters() {
        let said = heard(|s| s.status(&"ä".repeat(STATUS_MAX)));
        assert_eq!(said, format!("STATUS={}", "ä".repeat(STATUS_MAX / 2)));
        assert_eq!(one_line(&format!("a{}", "ä".repeat(STATUS_MAX))).len(), STATUS_MAX - 1);
    }

    #[test]
    fn an_abstract_name_is_understood() {
        let name = format!("rolloutd-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Supervisor::at(OsStr::new(&format!("@{name}")), None).unwrap().ready();
        let mut buffer = [0; 64];
        assert_eq!(manager.recv(&mut buffer).unwrap(), "READY=1".len());
    }

    #[test]
    fn a_manager_that_went_away_stops_nothing_and_is_told_again_when_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let gone = Supervisor::at(path.as_os_str(), None).unwrap();
        gone.ready();
        assert!(gone.complained.load(Ordering::Relaxed));
        let back = UnixDatagram::bind(&path).unwrap();
        gone.ready();
        let mut buffer = [0; 64];
        assert_eq!(back.recv(&mut buffer).unwrap(), "READY=1".len());
        Supervisor::absent().ready();
    }

    #[test]
    fn a_watchdog_of_zero_is_none() {
        let watched = |period| Supervisor::at(OsStr::new("@nobody"), Some(period)).unwrap().watchdog();
        assert_eq!(watched(Duration::ZERO), None);
        assert_eq!(watched(Duration::from_secs(30)), Some(Duration::from_secs(30)));
        assert_eq!(Supervisor::absent().watchdog(), None);
    }

    #[test]
    fn a_socket_from_the_manager_is_the_same_socket() {
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let handed = listening(ours.as_fd()).unwrap().expect("it listens");
        assert_eq!(handed.local_addr().unwrap(), ours.local_addr().unwrap());
    }

    #[test]
    fn a_standard_input_that_does_not_listen_is_left_alone() {
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(ours.local_addr().unwrap()).unwrap();
        assert!(listening(connection.as_fd()).unwrap().is_none());
        assert!(listening(UnixDatagram::unbound().unwrap().as_fd()).unwrap().is_none());
        assert!(listening(File::open("/dev/null").unwrap().as_fd()).unwrap().is_none());
    }

    #[test]
    fn a_unix_socket_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let wrong = UnixListener::bind(dir.path().join("socket")).unwrap();
        let said = listening(wrong.as_fd()).unwrap_err().to_string();
        assert_eq!(said, "the socket from the service manager is not a TCP socket");
    }
}
