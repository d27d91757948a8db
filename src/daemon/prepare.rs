//! Turns settings into rules, keys and paths, from all files other than the configuration itself.
//!
//! Used at start and on every reload, so that both refuse the same things. All or nothing: with any complaint the old
//! rules stay active (*fail closed*).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::almanac::Almanac;
use crate::config::files;
use crate::config::secrets::SECRET_MAX;
use crate::config::settings::{Distribution, Settings, Token};
use crate::domain::calendar::site::Calendar;
use crate::domain::calendar::windows::Rule;
use crate::domain::names::{Actor, DistPath, HookName, TreeName};
use crate::domain::refusal::Code;
use crate::domain::workflow::Workflow;
use crate::format::openpgp::{Gravity, KEY_FILE_MAX, Keyring};
use crate::format::repofile::METADATA_KEY;
use crate::format::signing::Signer;
use crate::link::outgoing::Receiver;
use crate::process::procedure;
use crate::process::rules::{DistRules, Rules, Standing, Trust};
use crate::process::who::{Caller, Channel};
use crate::store::distribution::DistSettings;
use crate::store::evidence::Evidence;
use crate::store::examination::{Examiner, Terms};
use crate::store::intake::{Gate, Limits};
use crate::web::auth::{HookSecrets, Tokens};
use crate::web::context::SiteFacts;
use crate::web::sso::SingleSignOn;

/// Everything that follows from the settings.
pub struct Prepared {
    /// For the engine.
    pub rules: Rules,
    /// For the store, by distribution.
    pub distributions: BTreeMap<DistPath, DistSettings>,
    /// For the web.
    pub site: SiteFacts,
    /// Receivers of notices about rollouts.
    pub receivers: BTreeMap<HookName, Receiver>,
}

/// Everything that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unusable(pub Vec<String>);

/// Reads keys, procedures, secrets and tokens. `examiner` will read packages.
///
/// # Errors
/// All complaints, each with its file.
pub fn prepare(settings: &Settings, examiner: &Arc<dyn Examiner>, now: Timestamp) -> Result<Prepared, Unusable> {
    let mut wrong = Vec::new();
    let signer = settings.signing.as_ref().and_then(|signing| {
        let bytes = read(&signing.key, KEY_FILE_MAX, &mut wrong)?;
        let signer = Signer::read(&bytes, now).map_err(|e| wrong.push(format!("{}: {e}", signing.key.display())));
        signer.ok().map(Arc::new)
    });
    let mut rules = Rules::default();
    let public = signer.as_ref().map(|signer| signer.public_key_armored().as_bytes().to_vec());
    let own = public.and_then(|armored| Keyring::read(&[(String::new(), armored)]).ok());
    rules.expiries.extend(own.iter().flat_map(|ring| expiries(ring, now)));
    rules.signing_until = rules.expiries.values().min().copied();
    let almanac = Almanac::of(&settings.calendar, now, &mut wrong);
    let calendar = |own: &[Rule], wrong: &mut Vec<String>| {
        let calendar = almanac.as_ref().map(|almanac| almanac.with(own));
        calendar?.map_err(|error| wrong.push(format!("calendar: {error}"))).ok()
    };
    rules.calendar = calendar(&[], &mut wrong).unwrap_or_default();
    rules.changes = settings.changes.clone();
    rules.incidents = settings.incidents.clone();
    rules.levels = settings.levels.clone();
    let mut distributions = BTreeMap::new();
    for dist in &settings.distributions {
        if let Some(workflow) = workflow(dist, &mut wrong) {
            let calendar = calendar(&dist.windows, &mut wrong).unwrap_or_default();
            let of_dist = dist_rules(dist, (workflow, calendar), now, &mut rules.expiries, &mut wrong);
            rules.distributions.insert(dist.path.clone(), of_dist);
        }
        if let Some(ready) = dist_settings(settings, dist, signer.clone(), examiner, &mut wrong) {
            distributions.insert(dist.path.clone(), ready);
        }
    }
    let mut secrets = HookSecrets::default();
    for hook in &settings.webhooks {
        let (who, via) = (Actor::recorded(hook.name.as_str()), Channel::Hook(hook.name.clone()));
        let caller = Caller { who, via, grants: hook.grants.clone() };
        rules.hooks.insert(hook.name.clone(), caller);
        for path in &hook.secrets {
            if let Some(secret) = secret(path, &mut wrong) {
                secrets.add(hook.name.clone(), &secret);
            }
        }
    }
    let mut receivers = BTreeMap::new();
    for receiver in &settings.outgoing {
        rules.outgoing.insert(receiver.name.clone(), receiver.events.clone());
        if let Some(secret) = secret(&receiver.secret, &mut wrong) {
            receivers.insert(receiver.name.clone(), Receiver { url: receiver.url.clone(), secret });
        }
    }
    let mut tokens = Tokens::default();
    for token in &settings.tokens {
        if let Some(text) = secret(&token.file, &mut wrong) {
            let Token { actor, grants, .. } = token.clone();
            tokens.add(&text, Caller { who: actor, via: Channel::Api, grants });
        }
    }
    let sso = settings.sso.as_ref().and_then(|sso| {
        let text = secret(&sso.secret, &mut wrong)?;
        let headers = (sso.user.clone(), sso.groups.clone());
        Some(SingleSignOn::new(&text, headers, sso.by_group.clone()))
    });
    let site = SiteFacts {
        name: settings.site.name.clone(),
        base_url: settings.site.base_url.clone(),
        root: settings.site.root.clone(),
        state: settings.site.state.clone(),
        tokens,
        sso,
        secrets,
        rejected: distributions.iter().map(|(path, ready)| (path.clone(), Arc::clone(&ready.gate.rejected))).collect(),
    };
    if wrong.is_empty() { Ok(Prepared { rules, distributions, site, receivers }) } else { Err(Unusable(wrong)) }
}

/// Reads a file of at most `most` bytes.
fn read(path: &Path, most: usize, wrong: &mut Vec<String>) -> Option<Vec<u8>> {
    files::content(path, most).map_err(|trouble| wrong.push(trouble.to_string())).ok().map(|(bytes, _)| bytes)
}

/// A secret is the file's content without the line end that editors add.
fn secret(path: &Path, wrong: &mut Vec<String>) -> Option<Vec<u8>> {
    let bytes = read(path, SECRET_MAX, wrong)?;
    let secret = bytes.trim_ascii_end().to_vec();
    if secret.is_empty() {
        wrong.push(format!("{} is empty; it must hold a secret", path.display()));
        return None;
    }
    Some(secret)
}

fn workflow(dist: &Distribution, wrong: &mut Vec<String>) -> Option<Workflow> {
    let found = if let Some(workflow) = procedure::built_in(&dist.procedure) {
        workflow
    } else {
        let path = Path::new(&dist.procedure);
        let bytes = read(path, procedure::FILE_MAX, wrong)?;
        let text = String::from_utf8_lossy(&bytes);
        let read = procedure::read(&text, path);
        read.map_err(|complaints| wrong.extend(complaints.iter().map(ToString::to_string))).ok()?.workflow
    };
    let misfits = found.misfits(&dist.trees);
    wrong.extend(
        misfits.iter().map(|why| format!("distribution {}, procedure {}: {}", dist.path, found.name(), why.what)),
    );
    misfits.is_empty().then_some(found)
}

/// When the keys of a ring that can still sign expire.
fn expiries(ring: &Keyring, now: Timestamp) -> impl Iterator<Item = (String, Timestamp)> {
    let ends = ring.certs(now).into_iter().filter(|cert| !cert.revoked);
    ends.filter_map(|cert| Some((cert.fingerprint, cert.expiry?)))
}

fn dist_rules(
    dist: &Distribution,
    (workflow, calendar): (Workflow, Calendar),
    now: Timestamp,
    ends: &mut BTreeMap<String, Timestamp>,
    wrong: &mut Vec<String>,
) -> DistRules {
    let mut trust = BTreeMap::new();
    for tree in &dist.trees {
        let Some(ring) = ring(dist, tree, wrong) else { continue };
        ends.extend(expiries(&ring, now));
        trust.insert(tree.clone(), trust_of(dist, tree, &ring, now));
    }
    DistRules {
        workflow,
        calendar,
        trees: dist.trees.clone(),
        trust,
        grace_metadata: dist.grace.metadata,
        grace_packages: dist.grace.packages,
        node_types: dist.node_types.clone(),
    }
}

/// Which keys a tree trusts, from the files that can be read; problems with others are added to `wrong`.
pub fn trust(dist: &Distribution, tree: &TreeName, now: Timestamp, wrong: &mut Vec<String>) -> Option<Trust> {
    Some(trust_of(dist, tree, &ring(dist, tree, wrong)?, now))
}

/// Only the key rings of a distribution: which keys each tree trusts, and those by which uploads are judged.
pub fn rings(
    dist: &Distribution,
    now: Timestamp,
    wrong: &mut Vec<String>,
) -> (BTreeMap<TreeName, Trust>, Option<Keyring>) {
    let trust_in = |tree: &TreeName, wrong: &mut Vec<String>| Some((tree.clone(), trust(dist, tree, now, wrong)?));
    let trust = dist.trees.iter().filter_map(|tree| trust_in(tree, wrong)).collect();
    (trust, dist.trees.first().and_then(|upload| ring(dist, upload, wrong)))
}

fn trust_of(dist: &Distribution, tree: &TreeName, ring: &Keyring, now: Timestamp) -> Trust {
    let standing = |revoked| if revoked { Standing::Revoked } else { Standing::Good };
    let files = ring.files().iter().map(|(label, _)| label.clone()).collect();
    let mut trust = Trust { min_signers: dist.policy(tree).min_signers, files, ..Trust::default() };
    let in_force = dist.adopted.iter().filter(|exception| exception.tree == *tree && exception.until > now);
    trust.excepted = in_force.map(|exception| exception.code.to_string()).collect();
    for cert in ring.certs(now) {
        for key in cert.keys.iter().filter(|key| key.revoked.is_some()) {
            trust.revoked_keys.insert(key.fingerprint.clone(), cert.fingerprint.clone());
            if key.revoked == Some(Gravity::Hard) && key.may_sign {
                trust.doubtful.insert(cert.fingerprint.clone(), key.fingerprint.clone());
            }
        }
        trust.certs.insert(cert.fingerprint, standing(cert.revoked));
    }
    trust
}

/// What a distribution requires of packages that are uploaded.
pub fn terms_of_uploads(dist: &Distribution, wrong: &mut Vec<String>) -> Option<Terms> {
    let upload = dist.trees.first()?;
    let ring = ring(dist, upload, wrong)?;
    Some(terms(dist, upload, ring))
}

/// What a tree requires of packages.
fn terms(dist: &Distribution, tree: &TreeName, ring: Keyring) -> Terms {
    Terms { ring, policy: dist.policy(tree), checksum: dist.checksum, arches: dist.arches() }
}

/// What a tree requires of packages that are already in it, and the refusal codes despite which some may stay.
pub fn terms_of_adoption(
    dist: &Distribution,
    tree: &TreeName,
    now: Timestamp,
    wrong: &mut Vec<String>,
) -> Option<(Terms, BTreeSet<Code>)> {
    let terms = terms(dist, tree, ring(dist, tree, wrong)?);
    let excepted = dist.adopted.iter().filter(|exception| exception.tree == *tree && exception.until > now);
    Some((terms, excepted.map(|exception| exception.code).collect()))
}

/// The key ring of one tree.
fn ring(dist: &Distribution, tree: &TreeName, wrong: &mut Vec<String>) -> Option<Keyring> {
    let paths = dist.keys.get(tree).map(Vec::as_slice).unwrap_or_default();
    let files = paths.iter().filter_map(|path| Some((path.display().to_string(), read(path, KEY_FILE_MAX, wrong)?)));
    Keyring::read(&files.collect::<Vec<_>>())
        .map_err(|complaints| wrong.extend(complaints.iter().map(ToString::to_string)))
        .ok()
}

/// The files beside the `.repo` file of a tree: for each key file what clients can import, by name.
fn key_files(
    dist: &Distribution,
    tree: &TreeName,
    ring: &Keyring,
    wrong: &mut Vec<String>,
) -> BTreeMap<String, Vec<u8>> {
    let mut beside: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for path in dist.keys.get(tree).map(Vec::as_slice).unwrap_or_default() {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        match ring.for_clients(&path.display().to_string()) {
            // Two files of the same name are combined.
            Ok(Some(armored)) => beside.entry(name.to_owned()).or_default().extend(armored),
            // It holds only revocations, which are in the certificates.
            Ok(None) => {}
            Err(why) => wrong.push(format!("{}: {why}", path.display())),
        }
    }
    beside
}

fn dist_settings(
    settings: &Settings,
    dist: &Distribution,
    signer: Option<Arc<Signer>>,
    examiner: &Arc<dyn Examiner>,
    wrong: &mut Vec<String>,
) -> Option<DistSettings> {
    let upload = dist.trees.first()?.clone();
    let mut beside = BTreeMap::new();
    for tree in &dist.trees {
        if let Some(ring) = ring(dist, tree, wrong) {
            beside.insert(tree.clone(), key_files(dist, tree, &ring, wrong));
        }
    }
    let ring = ring(dist, &upload, wrong)?;
    let (root, state) = (settings.site.root.clone(), &settings.site.state);
    let flat = dist.path.flat();
    let mut metadata_key = None;
    if let Some(signer) = &signer {
        metadata_key = Some((METADATA_KEY.to_owned(), signer.public_key_armored().as_bytes().to_vec()));
    }
    let gate = Gate {
        dir: settings.site.incoming.join(dist.path.as_str()),
        home: root.join(upload.as_str()).join(dist.path.as_str()),
        tree: upload.clone(),
        trees: dist
            .trees
            .iter()
            .map(|tree| (tree.clone(), root.join(tree.as_str()).join(dist.path.as_str())))
            .collect(),
        rejected: Arc::new(Evidence::new(state.join("rejected").join(&flat), settings.intake.rejected)),
        terms: Arc::new(terms(dist, &upload, ring)),
        examiner: Arc::clone(examiner),
        limits: Limits {
            max_package: settings.intake.max_package,
            quiet: settings.watch.quiet,
            incomplete_after: settings.intake.incomplete_after,
            list_refused: settings.intake.list_refused,
        },
    };
    Some(DistSettings {
        path: dist.path.clone(),
        trees: dist.trees.clone(),
        retired: state.join("retired").join(&flat),
        // Every package's XML contains the kind of checksum, so each kind has its own index.
        index: state.join("index").join(format!("{flat}.{}.sqlite", dist.checksum)),
        root,
        gate,
        form: dist.form(),
        signer,
        unsigned: settings.unsigned,
        base_url: settings.site.base_url.clone(),
        key_urls: dist.gpgkey_urls.clone(),
        key_files: beside,
        metadata_key,
        companions: dist.companions.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader;
    use crate::format::signing;
    use crate::store::disk::{self, Access, Kernel};

    /// rpm accepts only few of the forms that are read here.
    #[test]
    fn clients_get_the_same_armored_export_however_the_file_of_a_ring_looks() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("RPM-GPG-KEY-x");
        let now = Timestamp::from_second(1_795_000_000).expect("a time");
        let plain = signing::generate("x <x@example.org>", now).expect("a key").public;
        let text = format!(
            "[site]\nname = \"a\"\nroot = \"/r/root\"\nstate = \"/r/state\"\nbase_url = \"http://a.example.org/\"\n\
             [[distribution]]\npath = \"d\"\nprocedure = \"egi\"\n[distribution.keys]\n\"*\" = [\"{}\"]\n",
            path.display()
        );
        let settings = reader::load(&text, Path::new("rolloutd.toml")).expect("good");
        let (dist, production) = (&settings.distributions[0], "production".parse().expect("a name"));
        let lines = |before: &str, after: &str| -> String {
            plain.lines().flat_map(|line| [before, line, after, "\n"]).collect()
        };
        let published = |bytes: &[u8]| {
            disk::put(&Kernel::default(), &path, bytes, Access::Everybody).expect("written");
            let mut wrong = Vec::new();
            let ring = ring(dist, &production, &mut wrong).expect("read");
            let mut beside = key_files(dist, &production, &ring, &mut wrong);
            assert_eq!(wrong, [""; 0]);
            String::from_utf8(beside.remove("RPM-GPG-KEY-x").expect("its name stays")).expect("text")
        };
        let right = published(plain.as_bytes());
        assert!(right.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n"), "{right}");
        assert!(right.ends_with("\n-----END PGP PUBLIC KEY BLOCK-----\n"), "{right}");
        let armor: String = plain.lines().filter(|line| !line.starts_with(['-', '='])).collect();
        let binary = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, armor).expect("base64");
        for (what, bytes) in [
            ("binary", binary),
            ("without the blank line", plain.replacen("\n\n", "\n", 1).into_bytes()),
            ("indented", lines("    ", "").into_bytes()),
            ("with trailing blanks", lines("", "  ").into_bytes()),
            ("with words around it", format!("The key:\n{plain}That was it.\n").into_bytes()),
        ] {
            assert_eq!(published(&bytes), right, "{what}");
        }
    }
}
