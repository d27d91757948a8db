//! The configuration of a site: one text, and what of it is wanted otherwise.

/// The procedure of most sites: one in which nothing has to wait.
pub(crate) const BRIEF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/procedures/brief.toml");

/// What a test wants otherwise than usual.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) checksum: &'static str,
    pub(crate) compression: &'static str,
    pub(crate) blocks: bool,
    pub(crate) grace_metadata: &'static str,
    pub(crate) grace_packages: &'static str,
    pub(crate) quiet: &'static str,
    pub(crate) incomplete_after: &'static str,
    /// More lines under `[watch]`.
    pub(crate) watch: &'static str,
    /// More lines under `[intake]`.
    pub(crate) intake: &'static str,
    /// Paths of distributions.
    pub(crate) distributions: Vec<&'static str>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            checksum: "sha256",
            compression: "gz",
            blocks: true,
            grace_metadata: "24h",
            grace_packages: "7d",
            quiet: "200ms",
            incomplete_after: "1h",
            watch: "",
            intake: "",
            distributions: vec!["umd/3/sl6/x86_64"],
        }
    }
}

/// Where a site has its things.
pub(crate) struct Places {
    pub(crate) root: String,
    pub(crate) state: String,
    pub(crate) base_url: String,
    /// Without it the daemon listens where it does unless it is told.
    pub(crate) listen: Option<&'static str>,
    /// The name of a procedure, or its file.
    pub(crate) procedure: &'static str,
    /// The keys that sign packages.
    pub(crate) ring: String,
    /// The key that signs metadata.
    pub(crate) signing: Option<String>,
    /// The name of a webhook, and its secret.
    pub(crate) hook: (&'static str, String),
    /// The token of an admin.
    pub(crate) token: Option<String>,
}

impl Wish {
    /// The file of such a site.
    pub(crate) fn configuration(&self, places: &Places) -> String {
        let Self { checksum, compression, blocks, grace_metadata, grace_packages, quiet, incomplete_after, .. } = self;
        let Places { root, state, base_url, ring, hook: (hook, secret), .. } = places;
        let (watch, intake) = (self.watch, self.intake);
        let http = places.listen.map(|listen| format!("[http]\nlisten = \"{listen}\"\nserve_trees = true\n"));
        let signing = places.signing.as_ref().map(|key| format!("[signing]\nkey = \"{key}\"\n"));
        let token = places.token.as_ref().map(|token| {
            format!("[[token]]\nactor = \"admin\"\nroles = [\"admin\"]\nsecret = {{ file = \"{token}\" }}\n")
        });
        let procedure = places.procedure;
        let parts = [http, signing, token].into_iter().flatten().collect::<Vec<String>>().join("\n");
        let mut text = format!(
            r#"
            [site]
            name = "Example software repository"
            root = "{root}"
            state = "{state}"
            base_url = "{base_url}"

            [watch]
            quiet = "{quiet}"
            {watch}

            [intake]
            incomplete_after = "{incomplete_after}"
            {intake}

            [[webhook]]
            name = "{hook}"
            kind = "generic"
            secret = {{ file = "{secret}" }}

            {parts}
            "#
        );
        for path in &self.distributions {
            let part = format!(
                r#"
                [[distribution]]
                path = "{path}"
                procedure = "{procedure}"
                trees = ["untested", "testing", "delta", "production"]
                checksum = "{checksum}"
                compression = "{compression}"
                blocks = {blocks}
                grace = {{ metadata = "{grace_metadata}", packages = "{grace_packages}" }}
                [distribution.keys]
                "*" = ["{ring}"]
                "#
            );
            text.push_str(&part);
        }
        // TOML minds no indentation, people do.
        text.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
    }
}
