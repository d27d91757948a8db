//! `rolloutd index`: writes metadata for a directory of packages, without a daemon.
//!
//! It uses the same engine as the daemon: files that were read are not read again, blocks that were compressed are not
//! compressed again, and one rename changes what clients see.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::exit::{Exit, Failure, Outcome, chain};
use super::{progress, verify};
use crate::config::files;
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::trust::Policy;
use crate::format::compress::Compression;
use crate::format::openpgp::{KEY_FILE_MAX, KeyComplaint};
use crate::format::signing::Signer;
use crate::link::clock::Clock;
use crate::process::fact::count;
use crate::store::blocks::{Form, Key, Members};
use crate::store::disk::{Kernel, Latched};
use crate::store::folder::{Folder, Found, Links, Terms};
use crate::store::publication::Published;
use crate::store::thread_pool;

/// Writes repodata for a directory of packages, reading only new ones
///
/// For repositories without rollouts. Packages may be in any subdirectory; names that begin with a dot
/// are skipped. Links are followed only with --follow-links, and never out of DIR. With --keyring, only
/// packages whose signatures the gate accepts are listed. The state directory is a cache and can be
/// removed at any time.
///
/// Superseded files stay in repodata/ for clients that still fetch them; a later run removes them once
/// they are older than --keep.
///
/// Example: rolloutd index --keyring /etc/pki/rpm-gpg /srv/mirror/el9
///
/// Exit codes: 0 every package is listed, 1 some are not: they were refused, or are behind links or in
/// unreadable directories, 2 it failed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct IndexArgs {
    /// The directory; its repodata/ is written
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where to cache package data; by default below $XDG_CACHE_HOME or ~/.cache
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// File or directory with OpenPGP certificates; list only packages that they signed
    #[arg(long, value_name = "PATH")]
    keyring: Vec<PathBuf>,
    /// TOML file with `min_signers` and `[[legacy]]` exceptions, as for `rolloutd verify`
    #[arg(long, value_name = "FILE", requires = "keyring")]
    policy: Option<PathBuf>,
    /// Checksum algorithm: sha, sha256 or sha512
    #[arg(long, value_name = "KIND", default_value = "sha256")]
    checksum: ChecksumKind,
    /// Compression: gz, zst or none
    #[arg(long, value_name = "KIND", default_value = "gz")]
    compression: Compression,
    /// Write one gzip member or zstd frame per file, for clients that read only one; slower
    #[arg(long)]
    single_stream: bool,
    /// OpenPGP secret key, without a passphrase, that signs repomd.xml
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// Also list packages behind links, if these lead to something below DIR
    #[arg(long)]
    follow_links: bool,
    /// How long superseded metadata is kept, such as 24h
    #[arg(long, value_name = "TIME", default_value = "24h")]
    keep: String,
    /// How many packages to read at once; by default as many as there are CPUs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Scans, publishes, and reports what was done.
///
/// # Errors
/// If nothing could be done; clients see the old metadata then.
pub fn run(args: &IndexArgs) -> Result<Outcome, Failure> {
    let fail = |error: &dyn std::error::Error| Failure::new(Exit::Usage, chain(error));
    let now = Clock::System.now();
    thread_pool::allow(args.jobs.map_or(0, usize::from));
    let keep = crate::format::quantity::duration(&args.keep)
        .map_err(|e| Failure::new(Exit::Usage, format!("--keep {}: {e}", args.keep)))?;
    let dir = std::fs::canonicalize(&args.dir)
        .map_err(|e| Failure::new(Exit::Usage, format!("could not open {}: {e}", args.dir.display())))?;
    let state = match &args.state {
        Some(state) => state.clone(),
        None => default_state(&dir)?,
    };
    let (terms, left_out) = terms(args, now)?;
    let signer = args.signing_key.as_deref().map(|path| signer(path, now)).transpose()?;
    let disk = Latched::new(Kernel::below(vec![dir.clone()]));
    let who = format!("pid {}, rolloutd index {}", std::process::id(), dir.display());
    let links = if args.follow_links { Links::Followed } else { Links::Left };
    let mut folder = Folder::open(&disk, &dir, &state, terms, links, &who).map_err(|e| fail(&e))?;
    let bar = progress::bar(Some(0), "{wide_bar} {pos}/{len} read {per_sec} {eta} left");
    let found = folder.look(&disk, now, |seen, all| {
        bar.set_length(all as u64);
        bar.set_position(seen as u64);
    });
    bar.finish_and_clear();
    let mut found = found.map_err(|e| fail(&e))?;
    found.notes.extend(left_out.iter().map(|complaint| format!("not in the ring: {complaint}")));
    let members = if args.single_stream { Members::One } else { Members::Blocks };
    let form = Form { compression: args.compression, members, checksum: args.checksum };
    let published = folder.publish(&disk, form, signer.as_ref(), now).map_err(|e| fail(&e))?;
    let removed = folder.retire(&disk, &published, keep, now).map_err(|e| fail(&e))?;
    let is_whole = found.refused.is_empty() && found.links.is_empty() && found.unread.is_empty();
    let exit = if is_whole { Exit::Done } else { Exit::Refused };
    let text = if args.json { show_json(&found, &published, removed) } else { show(&found, &published) };
    Ok(Outcome { text, exit })
}

fn default_state(dir: &Path) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let cache = cache.ok_or_else(|| {
        Failure::new(Exit::Usage, "neither XDG_CACHE_HOME nor HOME is set, so there is no place for the cache")
            .hint("choose a directory with --state")
    })?;
    let name = hex::encode(&Key::of(dir.as_os_str().as_encoded_bytes()).0[..8]);
    Ok(cache.join("rolloutd/index").join(name))
}

fn terms(args: &IndexArgs, now: Timestamp) -> Result<(Terms, Vec<KeyComplaint>), Failure> {
    let fail = |e: verify::VerifyError| Failure::new(Exit::Usage, chain(&e));
    if args.keyring.is_empty() {
        return Ok((Terms::unverified(args.checksum), Vec::new()));
    }
    let verify::Ring { ring, left_out } = verify::ring(&args.keyring).map_err(fail)?;
    let mut policy = args.policy.as_deref().map_or_else(|| Ok(Policy::default()), verify::policy).map_err(fail)?;
    policy.legacy.retain(|legacy| now < legacy.until);
    // Other keys or other rules are other terms, including a key revoked meanwhile, and an exception that has ended.
    let name = Key::of(format!("{:?} {policy:?}", ring.files()).as_bytes());
    let name = format!("{} {}", args.checksum, Sha256(name.0));
    Ok((Terms { checksum: args.checksum, gate: Some((ring, policy)), name }, left_out))
}

fn signer(path: &Path, now: Timestamp) -> Result<Signer, Failure> {
    let (bytes, _) = files::content(path, KEY_FILE_MAX).map_err(|trouble| Failure::new(Exit::Usage, trouble))?;
    Signer::read(&bytes, now).map_err(|e| Failure::new(Exit::Usage, format!("{}: {}", path.display(), chain(&e))))
}

fn show(found: &Found, published: &Published) -> String {
    let mut text = String::new();
    for (path, refusal) in &found.refused {
        let line = format!("{path}: refused {} {}. {}", refusal.code, refusal.detail, refusal.code.remedy());
        text.push_str(&verify::one_line(&line));
        text.push('\n');
    }
    for note in found.notes.iter().chain(&published.notes) {
        text.push_str(&verify::one_line(&format!("note: {note}")));
        text.push('\n');
    }
    for (link, why) in found.links.iter().filter_map(|(link, why)| Some((link, (*why)?))) {
        text.push_str(&verify::one_line(&format!("{link}: the link was not followed: {why}")));
        text.push('\n');
    }
    if let Some((first, None)) = found.links.first() {
        let links = count(found.links.len(), "link");
        let line =
            format!("{links} not followed, the first is {first}; --follow-links lists what lies behind them below DIR");
        text.push_str(&verify::one_line(&line));
        text.push('\n');
    }
    let (packages, revision, refused) = (published.packages, published.revision, found.refused.len());
    let Found { read, gone, .. } = found;
    let _ = writeln!(
        text,
        "{packages} listed, {read} of them read now, {gone} gone, {refused} refused; revision {revision}"
    );
    text
}

fn show_json(found: &Found, published: &Published, removed: usize) -> String {
    let refused: Vec<_> = found
        .refused
        .iter()
        .map(|(path, refusal)| json!({"file": path, "code": refusal.code.as_str(), "detail": refusal.detail}))
        .collect();
    let notes: Vec<&String> = found.notes.iter().chain(&published.notes).collect();
    let document = json!({
        "packages": published.packages, "read": found.read, "gone": found.gone, "links": found.links.len(),
        "not_followed": found.links.iter().map(|(link, _)| link).collect::<Vec<_>>(), "unread": found.unread,
        "refused": refused, "revision": published.revision, "repomd": published.repomd.to_hex(),
        "notes": notes, "blocks": {"found": published.blocks.found, "made": published.blocks.made},
        "removed": removed,
    });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::{Code, Refusal};
    use crate::store::assembly::Tally;

    #[test]
    fn a_run_is_reported() {
        let found = Found {
            listed: 3,
            read: 2,
            gone: 1,
            links: vec![("latest.rpm".into(), None)],
            unread: vec![],
            refused: vec![("a/bad.rpm".into(), Refusal::new(Code::Unsigned, "no\nsignature"))],
            notes: vec!["b.rpm: text was replaced or omitted in its summary".into()],
        };
        let published = Published {
            revision: 1_795_176_000,
            packages: 3,
            repomd: Sha256([7; 32]),
            superseded: vec![],
            notes: vec![],
            blocks: Tally::default(),
            files: vec![],
        };
        insta::assert_snapshot!(show(&found, &published));
    }
}
