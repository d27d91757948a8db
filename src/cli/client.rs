//! The HTTP client of `rolloutctl` for the daemon's API.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exit::{Exit, Failure};
use crate::web::problem::Problem;

/// Where the daemon is, and who asks.
#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// The daemon's address
    #[arg(long, env = "ROLLOUTCTL_URL", default_value = "http://127.0.0.1:8640", global = true)]
    pub url: String,
    /// File with the token that says who you are; needed for changes, and for `people`. By default,
    /// `~/.config/rolloutctl/token` if it exists
    #[arg(long, env = "ROLLOUTCTL_TOKEN_FILE", global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<Token>,
}

/// A token, and the file that it is from.
#[derive(Debug)]
struct Token {
    text: String,
    file: PathBuf,
}

impl Token {
    /// The one that was named, or the person's own.
    fn find(named: Option<&Path>) -> Result<Option<Self>, Failure> {
        let (file, must_be_there) =
            match named.map(Path::to_owned).or_else(|| own_token_file().filter(|own| own.exists())) {
                Some(file) => (file, named.is_some()),
                None => return Ok(None),
            };
        let failed =
            |e: String| Failure::new(Exit::Usage, format!("could not read the token in {}: {e}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|e| {
            let failure = failed(e.to_string());
            if must_be_there { failure } else { failure.hint("name another with --token-file FILE") }
        })?;
        let text = text.trim().to_owned();
        // What cannot stand in a header would come back as an error about the request.
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(failed("it must be one line of visible ASCII characters".to_owned()));
        }
        Ok(Some(Self { text, file }))
    }
}

/// Where a person's token is looked for (XDG Base Directory Specification).
fn own_token_file() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("rolloutctl/token"))
}

/// How long a response may take. The slowest walks the whole logbook.
const PATIENCE: Duration = Duration::from_mins(1);

impl Client {
    /// A client for the daemon at the connection's address.
    ///
    /// # Errors
    /// If the token file cannot be read.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let token = Token::find(connection.token_file.as_deref())?;
        // The daemon is local: a proxy from the environment would only see tokens that it should not.
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
        let http = http.map_err(|e| Failure::new(Exit::Usage, e))?;
        let url = connection.url.trim_end_matches('/');
        // People write an address as they write it elsewhere.
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        Ok(Self { http, url, token })
    }

    /// The daemon's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a GET request.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, None::<&()>).await
    }

    /// Reads a text.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn text(&self, path: &str) -> Result<String, Failure> {
        let (_, bytes) = self.file(path).await?;
        String::from_utf8(bytes).map_err(|_| Failure::new(Exit::NoDaemon, format!("{} sent no text", self.url)))
    }

    /// Reads a file: the name that the daemon gives it, which may be empty, and its bytes.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn file(&self, path: &str) -> Result<(String, Vec<u8>), Failure> {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(&token.text);
        }
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let named = response.headers().get(header::CONTENT_DISPOSITION).and_then(|it| it.to_str().ok());
        let name = named.and_then(|it| Some(it.split_once("filename=\"")?.1.split_once('"')?.0.to_owned()));
        let name = name.unwrap_or_default();
        let bytes = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        if status.is_success() { Ok((name, bytes.into())) } else { Err(refused(status, &bytes, self.token.as_ref())) }
    }

    /// Reads a list page by page, up to `limit`.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn pages<T: DeserializeOwned>(&self, path: &str, limit: Option<usize>) -> Result<Vec<T>, Failure> {
        let (mut all, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(path) = next.take().filter(|_| limit.is_none_or(|limit| all.len() < limit)) {
            let (page, link): (Vec<T>, _) = self.answer(Method::GET, &path, None::<&()>).await?;
            all.extend(page);
            next = link;
        }
        all.truncate(limit.unwrap_or(usize::MAX));
        Ok(all)
    }

    /// Sends a POST request.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends a PUT request.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn put<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Sends a PATCH request.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn patch<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Sends a DELETE request.
    ///
    /// # Errors
    /// If there is no daemon, or it refuses.
    pub async fn delete<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.send(Method::DELETE, path, Some(body)).await
    }

    async fn send<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<T, Failure> {
        self.answer(method, path, body).await.map(|(answer, _)| answer)
    }

    /// The response, and the path of the next page.
    async fn answer<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<(T, Option<String>), Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(&token.text);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let link = response.headers().get(header::LINK).and_then(|link| link.to_str().ok()).and_then(next_page);
        let bytes = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        // `/readyz` sends the same document with status 503.
        if status.is_success() || (status == StatusCode::SERVICE_UNAVAILABLE && path == "/readyz") {
            let answer = serde_json::from_slice(&bytes).map_err(|e| {
                Failure::new(Exit::NoDaemon, format!("{} does not respond like rolloutd: {e}", self.url))
            })?;
            return Ok((answer, link));
        }
        Err(refused(status, &bytes, self.token.as_ref()))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut why = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            why = error.to_string();
            cause = error.source();
        }
        Failure::new(Exit::NoDaemon, format!("no daemon responds at {}: {why}", self.url))
            .hint("is it running? See `systemctl status rolloutd`; set another address with --url or ROLLOUTCTL_URL")
    }
}

/// The path of the next page in a `Link` header (RFC 8288) from the daemon.
fn next_page(link: &str) -> Option<String> {
    let (path, rest) = link.strip_prefix('<')?.split_once('>')?;
    (rest == "; rel=\"next\"" && path.starts_with('/')).then(|| path.to_owned())
}

fn refused(status: StatusCode, bytes: &[u8], token: Option<&Token>) -> Failure {
    let Ok(problem) = serde_json::from_slice::<Problem>(bytes) else {
        return Failure::new(Exit::Refused, format!("the daemon responded with {status}"));
    };
    let mut message = format!("{}: {}", problem.title, problem.detail);
    if !problem.findings.is_empty() {
        message.clone_from(&problem.title);
        for finding in problem.findings.iter().filter(|f| f.verdict != "pass") {
            let _ = write!(message, "\n  {:<11} {} ({})", finding.verdict, finding.sentence, finding.code);
        }
    }
    let failure = Failure::new(Exit::Refused, message).because(problem);
    match token {
        _ if status != StatusCode::UNAUTHORIZED => failure,
        None => {
            let own = own_token_file()
                .map_or_else(String::new, |file| format!(", or put your token into {}", file.display()));
            failure.hint(format!("authenticate with --token-file FILE or ROLLOUTCTL_TOKEN_FILE{own}"))
        }
        Some(token) => failure.hint(format!("the token is from {}", token.file.display())),
    }
}
