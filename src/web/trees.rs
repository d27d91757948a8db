//! Serves the trees, for small sites and the demo: what a plain web server would do, and just as suspicious. Directories
//! are listed, as such a server lists them.
//!
//! Whoever can put names into a tree can exchange them at any moment. So a path is walked once, directory by directory
//! and through no link, and what was opened then is what is checked and sent: nothing is opened twice. Only regular
//! files that nobody but the daemon's user or root can write to are served, and no path with a part that begins with a
//! dot. Opening a pipe does not block.
//!
//! Caches must not keep `repomd.xml`, signatures and `.repo` files; everything else has its checksum or its version in
//! its name and never changes. Anything but metadata, `.repo` files and keys is sent as an attachment: an uploaded page
//! must not be shown as a page of this site.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::context::Context;
use super::directories::{self, Listing};
use super::multipart::{Boundary, Section};
use super::problem::Problem;
use super::ranges::{Known, Part, Selected};
use super::readers::{NoAnswer, Readers};
use crate::store::ownership;
use crate::store::tree;

/// Bytes read at once.
const PIECE: u64 = 128 * 1024;

/// How often files that are not served are logged.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// A client may load nothing from it and run nothing in it.
pub const SANDBOX: &str = "default-src 'none'; sandbox";

/// Where the trees are served.
#[derive(Clone)]
pub struct Trees {
    context: Context,
    /// Decoded, like the paths that are compared with it.
    prefix: Arc<str>,
    /// When a file that is not served was last logged.
    said: Arc<Mutex<Option<Instant>>>,
}

impl Trees {
    /// Logs a file that is not served, once a minute.
    fn say(&self, why: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = self.context.clock();
        if said.is_none_or(|said| clock.since(said) >= SAY_EVERY) {
            tracing::warn!(why, "a file that others can change is not served");
            *said = Some(clock.monotonic());
        }
    }

    /// Served under a path: empty, or with a leading slash and no trailing one.
    pub fn below(context: Context, prefix: &str) -> Self {
        Self { context, prefix: decoded(prefix).unwrap_or_default().into(), said: Arc::default() }
    }
}

/// Marks a response that takes as long as the client needs.
#[derive(Clone, Copy, Debug)]
pub struct Download;

/// What an address below the site's root asks for.
enum Asked {
    File(PathBuf),
    /// The directory has a slash at its end; the root's is empty.
    Directory(PathBuf),
}

impl Asked {
    /// `None` for an address that leads nowhere.
    fn of(below: &str) -> Option<Self> {
        let Some(relative) = below.strip_prefix('/') else {
            return below.is_empty().then(|| Self::File(PathBuf::new()));
        };
        match relative.strip_suffix('/') {
            _ if relative.is_empty() => Some(Self::Directory(PathBuf::new())),
            Some(dir) => is_plain(Path::new(dir)).then(|| Self::Directory(dir.into())),
            None => is_plain(Path::new(relative)).then(|| Self::File(relative.into())),
        }
    }
}

/// Serves one file below the site's root, or lists a directory.
pub async fn serve(State(trees): State<Trees>, request: Request) -> Response {
    let path = decoded(request.uri().path());
    let below = path.as_deref().and_then(|path| path.strip_prefix(&*trees.prefix));
    let Some((path, asked)) = path.as_deref().zip(below.and_then(Asked::of)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (Asked::File(relative) | Asked::Directory(relative)) = &asked;
    let (kind, has_parent) = (Kind::of(relative), !relative.as_os_str().is_empty());
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let readers = Arc::clone(trees.context.readers());
    let site = trees.context.site();
    let root = site.root.clone();
    let work = move || match &asked {
        Asked::File(relative) => begin(&root, relative, &method, &headers),
        Asked::Directory(relative) => match directories::list(&root, relative) {
            Some(_) if method != Method::GET && method != Method::HEAD => Opened::WrongMethod,
            Some(listing) => Opened::Directory(listing),
            None => Opened::Missing,
        },
    };
    match readers.read(work).await {
        Ok(Opened::Missing) => StatusCode::NOT_FOUND.into_response(),
        Ok(Opened::Directory(listing)) => directories::page(site.name.clone(), path.to_owned(), listing, has_parent),
        // The links on the page of a directory begin there.
        Ok(Opened::Elsewhere) => {
            let address = format!("{}/", request.uri().path());
            (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, address)]).into_response()
        }
        Ok(Opened::Unsafe(why)) => {
            trees.say(&why);
            StatusCode::NOT_FOUND.into_response()
        }
        Ok(Opened::WrongMethod) => {
            (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, HeaderValue::from_static("GET,HEAD"))]).into_response()
        }
        Ok(Opened::Response(sending)) => sending.answer(kind, readers),
        Err(error) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", error.to_string()).into_response()
        }
    }
}

/// The result of opening a requested file.
enum Opened {
    /// There is no such file, or none that may be served.
    Missing,
    /// It is a directory, and the address lacks a slash at its end.
    Elsewhere,
    /// It is a directory.
    Directory(Listing),
    /// It exists, but others can change it.
    Unsafe(String),
    /// It exists, but the method is not allowed.
    WrongMethod,
    /// It exists.
    Response(Box<Sending>),
}

/// A file about to be sent.
struct Sending {
    known: Known,
    share: Selected,
    /// If several parts are sent.
    boundary: Option<Boundary>,
    /// The file and the first bytes read; `None` if only the headers are wanted.
    body: Option<(File, Result<Vec<u8>, std::io::Error>)>,
}

/// Opens a file, determines which part is wanted, and reads the first piece, all on one descriptor.
fn begin(root: &Path, relative: &Path, method: &Method, headers: &HeaderMap) -> Opened {
    let (file, known) = match open(root, relative) {
        Ok(Some(opened)) => opened,
        Ok(None) if tree::open_dir_beneath(root, relative).is_ok() => return Opened::Elsewhere,
        Ok(None) => return Opened::Missing,
        Err(why) => return Opened::Unsafe(why),
    };
    if method != Method::GET && method != Method::HEAD {
        return Opened::WrongMethod;
    }
    let (share, boundary) = match known.share(headers) {
        share @ Selected::Parts(_) => match Boundary::fresh() {
            Some(boundary) => (share, Some(boundary)),
            // Everything is always a right answer, and needs no boundary.
            None => (Selected::Whole, None),
        },
        share => (share, None),
    };
    let first = known.parts(&share).first().copied().filter(|_| method == Method::GET);
    let body = first.map(|part| {
        let bytes = piece(&file, part);
        (file, bytes)
    });
    Opened::Response(Box::new(Sending { known, share, boundary, body }))
}

/// Opens a regular file that only the daemon or root can change, with its metadata; `None` if there is no regular file.
///
/// # Errors
/// What is wrong if others can change it, and the remedy.
fn open(root: &Path, relative: &Path) -> Result<Option<(File, Known)>, String> {
    let Ok(file) = tree::open_beneath(root, relative) else { return Ok(None) };
    let Some(meta) = file.metadata().ok().filter(std::fs::Metadata::is_file) else { return Ok(None) };
    if !ownership::guarded(meta.uid(), meta.mode()) {
        let (path, uid, mode) = (root.join(relative), meta.uid(), meta.mode() & 0o7777);
        let cure = "if its content is right, `chown` it to the daemon's user and `chmod go-w` it";
        return Err(format!("{} belongs to uid {uid} and has mode {mode:o}: {cure}", path.display()));
    }
    let known = Known { inode: meta.ino(), length: meta.len(), changed: (meta.mtime(), meta.mtime_nsec()) };
    Ok(Some((file, known)))
}

/// The first piece of a part. It is an error if the file has become shorter.
fn piece(file: &File, part: Part) -> Result<Vec<u8>, std::io::Error> {
    let mut piece = vec![0; usize::try_from(part.length.min(PIECE)).unwrap_or_default()];
    file.read_exact_at(&mut piece, part.from)?;
    Ok(piece)
}

impl Sending {
    fn answer(self, kind: Kind, readers: Arc<Readers>) -> Response {
        let Self { known, share, boundary, body } = self;
        let status = match share {
            Selected::Whole => StatusCode::OK,
            Selected::Part(_) | Selected::Parts(_) => StatusCode::PARTIAL_CONTENT,
            Selected::NotModified => StatusCode::NOT_MODIFIED,
            Selected::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Selected::OutOfRange => StatusCode::RANGE_NOT_SATISFIABLE,
        };
        let (whole, parts) = (known.length, known.parts(&share));
        let (media_type, sections) = match boundary {
            Some(boundary) => (boundary.media_type(), boundary.body(&parts, whole, kind.media_type())),
            None => (kind.media_type().to_owned(), parts.into_iter().map(Section::Bytes).collect()),
        };
        let length = sections.iter().map(Section::length).sum::<u64>();
        let body = match body {
            Some((_, Err(error))) => {
                let why = format!("the file cannot be read: {error}");
                return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "file", "Not readable", why).into_response();
            }
            Some((file, Ok(first))) => Body::new(Pieces {
                file: Arc::new(file),
                first: Some(first),
                sections: sections.into(),
                left: length,
                next: None,
                readers,
            }),
            None => Body::empty(),
        };
        let mut response = (status, body).into_response();
        response.extensions_mut().insert(Download);
        let headers = response.headers_mut();
        let mut put = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(header::ETAG, &known.tag());
        put(header::LAST_MODIFIED, &known.modified());
        put(header::CACHE_CONTROL, kind.keeping());
        if matches!(share, Selected::NotModified) {
            return response;
        }
        put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        put(header::CONTENT_SECURITY_POLICY, SANDBOX);
        match share {
            Selected::OutOfRange => put(header::CONTENT_RANGE, &format!("bytes */{whole}")),
            Selected::Part(part) => put(header::CONTENT_RANGE, &part.content_range(whole)),
            // With several parts each has its own, and the answer none (RFC 9110, 15.3.7.2).
            _ => {}
        }
        if status.is_success() {
            put(header::ACCEPT_RANGES, "bytes");
            put(header::CONTENT_TYPE, &media_type);
            put(header::CONTENT_LENGTH, &length.to_string());
            if !kind.is_shown() {
                put(header::CONTENT_DISPOSITION, "attachment");
            }
        }
        response
    }
}

/// A piece that is being read.
type Reading = Pin<Box<dyn Future<Output = Result<Result<Vec<u8>, std::io::Error>, NoAnswer>> + Send>>;

/// A body with bytes of a file, read piece by piece as the client receives them.
struct Pieces {
    file: Arc<File>,
    /// The first bytes of the file that are sent.
    first: Option<Vec<u8>>,
    /// What is not sent yet.
    sections: VecDeque<Section>,
    /// The length of all these.
    left: u64,
    next: Option<Reading>,
    readers: Arc<Readers>,
}

impl Pieces {
    /// Reads the first piece of a part.
    fn poll_piece(&mut self, part: Part, cx: &mut std::task::Context<'_>) -> Poll<Result<Vec<u8>, std::io::Error>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(first));
        }
        let next = self.next.get_or_insert_with(|| {
            let (readers, file) = (Arc::clone(&self.readers), Arc::clone(&self.file));
            Box::pin(async move { readers.read(move || piece(&file, part)).await })
        });
        let read = ready!(next.as_mut().poll(cx));
        self.next = None;
        Poll::Ready(read.unwrap_or_else(|error| Err(error.into())))
    }

    /// Leaves out what was sent of the first section.
    fn advance(&mut self, sent: u64) {
        self.left = self.left.saturating_sub(sent);
        match self.sections.front_mut() {
            Some(Section::Bytes(part)) if part.length > sent => {
                *part = Part { from: part.from + sent, length: part.length - sent };
            }
            _ => drop(self.sections.pop_front()),
        }
    }
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = match this.sections.front_mut() {
            None => return Poll::Ready(None),
            Some(Section::Text(text)) => std::mem::take(text).into_bytes(),
            Some(&mut Section::Bytes(part)) => match ready!(this.poll_piece(part, cx)) {
                Ok(piece) => piece,
                Err(error) => {
                    this.left = 0;
                    return Poll::Ready(Some(Err(error)));
                }
            },
        };
        this.advance(bytes.len() as u64);
        Poll::Ready(Some(Ok(hyper::body::Frame::data(bytes.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.left)
    }
}

/// The kind of file that a path names, which decides how it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Metadata that names the other files, and its signature.
    Head(&'static str),
    /// Other metadata.
    Metadata(&'static str),
    /// A `.repo` file.
    Repo,
    /// A public key.
    Key,
    /// A package, or anything else that somebody has put there.
    Other(&'static str),
}

impl Kind {
    fn of(path: &Path) -> Self {
        const BYTES: &str = "application/octet-stream";
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_metadata = path.parent().and_then(Path::file_name).is_some_and(|dir| dir == tree::REPODATA);
        let (xml, text) = ("application/xml", "text/plain; charset=utf-8");
        match (is_metadata, ending) {
            (true, "xml") if name == "repomd.xml" => Self::Head(xml),
            (true, "asc" | "key") => Self::Head(text),
            (true, "xml") => Self::Metadata(xml),
            (true, "gz") => Self::Metadata("application/gzip"),
            (true, "zst") => Self::Metadata("application/zstd"),
            (false, "repo") => Self::Repo,
            (false, "asc") => Self::Key,
            (false, _) if name.starts_with("RPM-GPG-KEY") => Self::Key,
            (false, "rpm") => Self::Other("application/x-rpm"),
            _ => Self::Other(BYTES),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Head(kind) | Self::Metadata(kind) | Self::Other(kind) => kind,
            Self::Repo | Self::Key => "text/plain; charset=utf-8",
        }
    }

    /// Whether a browser may display it.
    fn is_shown(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// How long caches may keep it.
    fn keeping(self) -> &'static str {
        match self {
            Self::Head(_) | Self::Repo | Self::Key => "no-cache",
            Self::Metadata(_) | Self::Other(_) => "public, max-age=86400, immutable",
        }
    }
}

fn is_plain(path: &Path) -> bool {
    let plain =
        |part: Component<'_>| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    !path.as_os_str().is_empty() && path.components().all(plain)
}

/// The path with its `%xx` decoded; `None` if the result is not UTF-8 or contains a NUL.
fn decoded(path: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use axum::body::to_bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::store::disk::{self, Access, Kernel};
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    fn put(path: &Path, bytes: &[u8]) {
        disk::put(&Kernel::default(), path, bytes, Access::Everybody).expect("written");
    }

    #[test]
    fn only_files_of_ours_are_opened_for_a_client() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        for name in ["file", "open"] {
            put(&path(name), b"bytes");
        }
        std::fs::create_dir(path("dir")).expect("made");
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RWXU, 0).expect("made");
        symlink("file", path("link")).expect("linked");
        std::fs::set_permissions(path("open"), std::fs::Permissions::from_mode(0o664)).expect("opened up");
        for (name, served) in
            [("file", true), ("open", false), ("pipe", false), ("link", false), ("dir", false), ("none", false)]
        {
            assert_eq!(matches!(open(dir.path(), Path::new(name)), Ok(Some(_))), served, "{name}");
        }
        put(&path("theirs"), b"bytes");
        // Only root can give a file away.
        if chown(path("theirs"), Some(60_002), None).is_ok() {
            let why = open(dir.path(), Path::new("theirs")).expect_err("not ours");
            assert!(why.contains("uid 60002") && why.contains("chown"), "{why}");
        }
    }

    #[test]
    fn what_is_sent_is_what_was_looked_at_whatever_the_name_leads_to_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        put(&path("file"), b"ours");
        put(&path("secret"), b"key");
        let (file, known) = open(dir.path(), Path::new("file")).expect("ours").expect("opened");
        symlink("secret", path("new")).expect("linked");
        std::process::Command::new("mv").arg("-T").args([path("new"), path("file")]).status().expect("exchanged");
        assert_eq!(piece(&file, Part { from: 0, length: known.length }).expect("read"), b"ours");
        assert!(open(dir.path(), Path::new("file")).expect("no file").is_none());
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error_and_not_the_end() {
        let dir = tempfile::tempdir().expect("a directory");
        put(&dir.path().join("file"), b"four");
        let (file, _) = open(dir.path(), Path::new("file")).expect("ours").expect("opened");
        assert!(piece(&file, Part { from: 0, length: 5 }).is_err());
    }

    /// Longer than two pieces.
    const LONG: usize = 300_000;

    /// No byte of it can be taken for the one at another near position, and lines of it look like boundaries.
    fn long() -> Vec<u8> {
        let mut text = String::new();
        while text.len() < LONG {
            let _ = write!(text, "\r\n--{:08x}", text.len());
        }
        text.truncate(LONG);
        text.into_bytes()
    }

    /// What a client gets of a package that has these bytes.
    struct Got {
        status: u16,
        headers: HeaderMap,
        body: Vec<u8>,
    }

    impl Got {
        fn header(&self, name: &str) -> &str {
            self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
        }

        /// The bytes with their position in the file, as a client finds them in the answer.
        fn parts(&self) -> Vec<(usize, Vec<u8>)> {
            let Some(boundary) = self.header("content-type").strip_prefix("multipart/byteranges; boundary=") else {
                let from = if self.status == 206 { placed(self.header("content-range")).0 } else { 0 };
                return vec![(from, self.body.clone())];
            };
            let line = format!("\r\n--{boundary}");
            let (mut parts, mut rest) = (vec![], &self.body[..]);
            loop {
                rest = rest.strip_prefix(line.as_bytes()).expect("a boundary after each part");
                if rest == b"--\r\n" {
                    return parts;
                }
                let end = rest.windows(4).position(|w| w == b"\r\n\r\n").expect("the end of a head");
                let head = std::str::from_utf8(&rest[..end]).expect("text");
                let (kind, range) =
                    head.split_once("\r\nContent-Range: ").expect("Content-Type and then Content-Range");
                assert_eq!(kind, "\r\nContent-Type: application/x-rpm");
                let (from, length) = placed(range);
                let (part, after) = rest[end + 4..].split_at(length);
                parts.push((from, part.to_vec()));
                rest = after;
                // Whoever looks for the boundary finds the same end.
                assert!(!part.windows(line.len()).any(|w| w == line.as_bytes()));
            }
        }
    }

    /// Position and length in a `Content-Range`.
    fn placed(range: &str) -> (usize, usize) {
        let (place, whole) = range.strip_prefix("bytes ").and_then(|r| r.split_once('/')).expect("a range");
        assert_eq!(whole, LONG.to_string());
        let (first, last) = place.split_once('-').expect("two positions");
        let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
        (first, last + 1 - first)
    }

    /// A directory with the long file.
    fn with_long() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        put(&dir.path().join("a.rpm"), &long());
        dir
    }

    /// The answer to a request for parts of the long file.
    fn answer(dir: &Path, method: &Method, range: &str) -> Response {
        let headers = HeaderMap::from_iter([(header::RANGE, range.parse().expect("a value"))]);
        let path = Path::new("a.rpm");
        let Opened::Response(sending) = begin(dir, path, method, &headers) else { panic!("not opened") };
        sending.answer(Kind::of(path), Arc::new(Readers::new(2)))
    }

    /// All of a body, unless it breaks off.
    fn received(body: Body) -> Option<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(to_bytes(body, 2 * LONG)).ok().map(|bytes| bytes.to_vec())
    }

    fn get(dir: &Path, method: &Method, range: &str) -> Got {
        let response = answer(dir, method, range);
        assert!(response.extensions().get::<Download>().is_some(), "it may take its time");
        let (parts, body) = response.into_parts();
        let announced = hyper::body::Body::size_hint(&body).exact();
        let body = received(body).expect("a body");
        assert_eq!(announced, Some(body.len() as u64));
        Got { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    #[test]
    fn several_ranges_are_answered_with_several_parts() {
        let (dir, long) = (with_long(), long());
        let got = get(dir.path(), &Method::GET, "bytes=0-9,299990-,150000-299000,400000-");
        assert_eq!((got.status, got.header("content-range")), (206, ""));
        assert_eq!(got.header("content-length"), got.body.len().to_string());
        let bytes = |from: usize, to: usize| (from, long[from..to].to_vec());
        assert_eq!(got.parts(), [bytes(0, 10), bytes(299_990, LONG), bytes(150_000, 299_001)]);
    }

    #[test]
    fn a_single_part_that_is_left_is_sent_as_it_is() {
        let (dir, long) = (with_long(), long());
        for range in ["bytes=0-9", "bytes=0-4,5-9", "bytes=400000-,0-9"] {
            let got = get(dir.path(), &Method::GET, range);
            assert_eq!((got.status, got.header("content-range")), (206, "bytes 0-9/300000"), "{range}");
            assert_eq!((got.header("content-type"), &got.body[..]), ("application/x-rpm", &long[..10]), "{range}");
        }
        let got = get(dir.path(), &Method::GET, "bytes=300000-,400000-");
        assert_eq!((got.status, got.header("content-range"), got.body.len()), (416, "bytes */300000", 0));
    }

    #[test]
    fn the_headers_of_several_parts_are_the_same_without_them() {
        let dir = with_long();
        let with_any_boundary = |mut got: Got| {
            let boundary = got.header("content-type").rsplit_once('=').expect("a boundary").1.to_owned();
            assert_eq!(boundary.len(), 32);
            got.headers
                .insert("content-type", got.header("content-type").replace(&boundary, "").parse().expect("text"));
            (got.status, got.headers)
        };
        let [head, got] = [Method::HEAD, Method::GET].map(|method| get(dir.path(), &method, "bytes=0-9,20-29"));
        assert_eq!(head.body.len(), 0);
        assert_eq!(with_any_boundary(head), with_any_boundary(got));
    }

    #[test]
    fn a_file_that_becomes_shorter_meanwhile_breaks_off_an_answer_with_several_parts() {
        let dir = with_long();
        let response = answer(dir.path(), &Method::GET, "bytes=0-9,200000-");
        let file = File::options().write(true).open(dir.path().join("a.rpm")).expect("opened");
        file.set_len(250_000).expect("shorter");
        assert_eq!(received(response.into_body()), None);
    }

    /// A range as clients write it, near the ends of pieces and of the file or anywhere.
    fn range() -> impl Strategy<Value = (String, std::ops::Range<usize>)> {
        let place = prop_oneof![0..40_usize, 131_060..131_090_usize, LONG - 20..LONG + 20, 0..LONG + 1000,];
        let length = prop_oneof![1..40_usize, 1..20_000_usize];
        (place, length, 0..10_u8).prop_map(|(from, length, form)| {
            let cut = |from: usize, to: usize| from.min(LONG)..to.min(LONG);
            match form {
                0 if from > LONG - 1000 => (format!("{from}-"), cut(from, LONG)),
                1 => (format!("-{length}"), cut(LONG - length, LONG)),
                _ => (format!("{from}-{}", from + length - 1), cut(from, from + length)),
            }
        })
    }

    #[test]
    fn what_a_client_puts_together_from_any_ranges_is_the_file() {
        let (dir, long) = (with_long(), long());
        proptest!(|(ranges in proptest::collection::vec(range(), 1..24))| {
            let asked: Vec<_> = ranges.iter().map(|(text, _)| text.as_str()).collect();
            let got = get(dir.path(), &Method::GET, &format!("bytes={}", asked.join(",")));
            let mut wanted = vec![false; LONG];
            for (_, bytes) in &ranges {
                wanted[bytes.clone()].fill(true);
            }
            let is_any = wanted.contains(&true);
            prop_assert_eq!(got.status == 416, !is_any);
            if !is_any {
                return Ok(());
            }
            prop_assert_eq!(got.header("content-length"), got.body.len().to_string());
            // Never more than the file and the heads.
            prop_assert!(got.body.len() <= LONG + 17 * 160);
            let (mut put_together, mut seen) = (vec![0; LONG], vec![false; LONG]);
            for (from, bytes) in got.parts() {
                let place = from..from + bytes.len();
                prop_assert!(!seen[place.clone()].contains(&true), "sent twice");
                seen[place.clone()].fill(true);
                put_together[place].copy_from_slice(&bytes);
            }
            for at in 0..LONG {
                prop_assert!(!seen[at] || put_together[at] == long[at], "at {}", at);
            }
            // What was asked for and nothing else, or everything.
            let is_right = if got.status == 206 { seen == wanted } else { !seen.contains(&false) };
            prop_assert!(is_right);
        });
    }

    #[test]
    fn what_is_no_metadata_no_repo_file_and_no_key_is_stored_and_not_shown() {
        for (path, shown, kept) in [
            ("testing/d/repodata/repomd.xml", true, false),
            ("testing/d/repodata/repomd.xml.asc", true, false),
            ("testing/d/repodata/repomd.xml.key", true, false),
            ("testing/d/repodata/0a-primary.xml.gz", true, true),
            ("testing/d/repodata/0a-primary.xml.zst", true, true),
            ("testing/d/D_Testing.repo", true, false),
            ("testing/d/RPM-GPG-KEY-example", true, false),
            ("testing/d/Packages/a/a-1-1.noarch.rpm", false, true),
            ("testing/d/page.html", false, true),
            ("testing/d/page.xml", false, true),
            ("testing/d/image.svg", false, true),
            ("testing/d/repodata/page.html", false, true),
            ("testing/d/repodata/repomd.xml/x", false, true),
        ] {
            let kind = Kind::of(Path::new(path));
            assert_eq!((kind.is_shown(), kind.keeping() != "no-cache"), (shown, kept), "{path}");
            assert!(!kind.media_type().contains("html"), "{path}");
        }
    }

    #[test]
    fn only_plain_paths_are_served() {
        for path in ["testing/umd/3/repodata/repomd.xml", "a"] {
            assert!(decoded(path).is_some_and(|p| is_plain(Path::new(&p))), "{path}");
        }
        for path in ["", "../x", "a/../../x", ".rolloutd.lock", "a/.hidden/b", "%2e%2e/x", "a/%2e%2e/b", "%00", "%ff"] {
            assert!(!decoded(path).is_some_and(|p| is_plain(Path::new(&p))), "{path}");
        }
    }
}
