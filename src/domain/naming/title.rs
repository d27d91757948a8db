//! Titles of rollouts (S0-54, S0-42), which say which packages a rollout is about.
//!
//! There are two forms, and both give the same value. Tickets of the staged rollout have words:
//!
//! ```text
//! Staged Rollout <SW stack-MajorVersion> <COMPONENT> <VERSION> <OS> <ARCH>
//! Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64
//! Staged Rollout CA 1.38
//! ```
//!
//! Stack, operating system and architecture can be left out; then the title is about all of them. Tickets of the
//! software provisioning have one word for product, platform and architecture (PPA):
//! `EMI.bdii-site.sl5.x86_64-1.0.1`.

use std::fmt;
use std::str::FromStr;

use super::convention::{Convention, Misnamed};
use super::part::{Arch, Os, Product, Stack};
use super::subject::Subject;
use crate::domain::arch;
use crate::domain::names::BadName;

/// The longest title, with room for blanks that people put in.
pub const TITLE_MAX: usize = 256;

static TITLE: Convention = Convention {
    what: "a rollout title",
    form: "Staged Rollout <SW stack-MajorVersion> <COMPONENT> <VERSION> <OS> <ARCH>",
    example: "Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64",
};

/// The title of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Title {
    /// What it is about.
    pub subject: Subject,
    /// The operating system, or all.
    pub os: Option<Os>,
    /// The architecture, or all.
    pub arch: Option<Arch>,
}

impl Title {
    /// The product as subjects of issues name it: `EMI.bdii-site.sl5.x86_64`.
    pub fn product(&self) -> Product {
        let Subject { stack, component, .. } = self.subject.without_major();
        Product::join(stack.as_ref(), &component, self.os.as_ref(), self.arch.as_ref())
    }

    /// The title as one word, which has no major version of the stack. `None` if a part is missing, or if the word
    /// would be read as another title.
    pub fn ppa(&self) -> Option<String> {
        let same = Self { subject: self.subject.without_major(), ..self.clone() };
        let word = format!("{}-{}", self.product(), self.subject.version);
        (Self::from_ppa(&word)? == same).then_some(word)
    }

    /// Parses the form of one word. What would be a stack with a major version is none: `a-1.b` can be a component.
    pub(super) fn from_ppa(word: &str) -> Option<Self> {
        let (stack, rest) = word.split_once('.')?;
        let stack = stack.parse().ok().filter(|stack: &Stack| !stack.has_major())?;
        let read = |hyphen: usize| {
            let (platform, version) = (&rest[..hyphen], &rest[hyphen + 1..]);
            let mut parts = platform.rsplitn(3, '.');
            let (arch, os, component) = (parts.next()?, parts.next()?, parts.next()?);
            let subject = Subject {
                stack: Some(stack.clone()),
                component: component.parse().ok()?,
                version: version.parse().ok()?,
            };
            Some(Self { subject, os: Some(os.parse().ok()?), arch: Some(arch.parse().ok()?) })
        };
        rest.match_indices('-').find_map(|(hyphen, _)| read(hyphen))
    }

    /// Parses the words that follow `Staged Rollout`.
    pub(super) fn from_words(words: &[&str]) -> Result<Self, String> {
        let (stack, component, version, rest) = match words {
            [component, version, rest @ ..] if begins_with_digit(version) => (None, component, version, rest),
            [stack, component, version, rest @ ..] if begins_with_digit(version) => {
                (Some(stack), component, version, rest)
            }
            _ => return Err("it has no version, which begins with a digit, as second or third word".to_owned()),
        };
        let (os, arch) = match rest {
            [] => (None, None),
            [arch] if arch::is_known(&arch.to_ascii_lowercase()) => (None, Some(arch)),
            [os] => (Some(os), None),
            [os, arch] => (Some(os), Some(arch)),
            _ => return Err("it continues after the architecture".to_owned()),
        };
        let stack = stack.map(|stack| part(stack)).transpose()?;
        let subject = Subject { stack, component: part(component)?, version: part(version)? };
        let arch = arch.map(|arch| part(&arch.to_ascii_lowercase())).transpose()?;
        Ok(Self { subject, os: os.map(|os| part(os)).transpose()?, arch })
    }
}

fn part<T: FromStr<Err = BadName>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: BadName| error.to_string())
}

fn begins_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// What follows `Staged Rollout`, in whatever case.
pub(super) fn after_staged_rollout(text: &str) -> Option<&str> {
    let text = after_word(after_word(text, "staged")?, "rollout")?;
    (text.is_empty() || text.starts_with(|c: char| c == ':' || c.is_whitespace())).then_some(text.trim_start())
}

fn after_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (head, rest) = text.trim_start().split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

impl FromStr for Title {
    type Err = Misnamed;

    fn from_str(text: &str) -> Result<Self, Misnamed> {
        if text.len() > TITLE_MAX {
            return Err(TITLE.broken(text, "it is longer than 256 bytes"));
        }
        let rest = after_staged_rollout(text);
        let words = rest.map_or(text, |rest| rest.strip_prefix(':').unwrap_or(rest)).split_whitespace();
        let words: Vec<&str> = words.collect();
        match words[..] {
            [word] if let Some(title) = Self::from_ppa(word) => Ok(title),
            [_] => Err(TITLE.broken(text, "one word must look like `EMI.bdii-site.sl5.x86_64-1.0.1`")),
            _ if rest.is_none() => Err(TITLE.broken(text, "it does not begin with `Staged Rollout`")),
            _ => Self::from_words(&words).map_err(|why| TITLE.broken(text, why)),
        }
    }
}

impl fmt::Display for Title {
    /// The form of words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Staged Rollout {}", self.subject)?;
        self.os.iter().try_for_each(|os| write!(f, " {os}"))?;
        self.arch.iter().try_for_each(|arch| write!(f, " {arch}"))
    }
}

#[cfg(test)]
pub(super) mod any {
    //! Titles for property tests.

    use proptest::option;
    use proptest::prelude::*;

    use super::super::part::any;
    use super::super::subject;
    use super::*;

    pub(in crate::domain::naming) fn title() -> impl Strategy<Value = Title> {
        (subject::any::subject(), option::of(any::os()), option::of(any::arch()))
            .prop_map(|(subject, os, arch)| Title { subject, os, arch })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn title(text: &str) -> Title {
        text.parse().expect("a title")
    }

    #[track_caller]
    fn check(text: &str, parts: [&str; 5]) {
        let Title { subject: Subject { stack, component, version }, os, arch } = title(text);
        let or_all = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        let found = [
            or_all(stack.map(|part| part.to_string())),
            component.to_string(),
            version.to_string(),
            or_all(os.map(|part| part.to_string())),
            or_all(arch.map(|part| part.to_string())),
        ];
        assert_eq!(found, parts, "{text}");
    }

    #[test]
    fn the_titles_of_the_procedure_are_read() {
        check("Staged Rollout CA 1.38", ["-", "CA", "1.38", "-", "-"]);
        let full = ["EMI-1.0", "SE-DPM_mysql", "1.8.0-1", "SL5", "x86_64"];
        check("Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64", full);
        check("  staged  ROLLOUT : EMI-1.0 SE-DPM_mysql\t1.8.0-1 SL5 X86_64 ", full);
        check("Staged Rollout: EMI bdii-site 1.0.1", ["EMI", "bdii-site", "1.0.1", "-", "-"]);
        check("Staged Rollout CA 1.38 SL5", ["-", "CA", "1.38", "SL5", "-"]);
        check("Staged Rollout CA 1.38 x86_64", ["-", "CA", "1.38", "-", "x86_64"]);
        let ppa = ["EMI", "bdii-site", "1.0.1", "sl5", "x86_64"];
        check("EMI.bdii-site.sl5.x86_64-1.0.1", ppa);
        check("Staged Rollout: EMI.bdii-site.sl5.x86_64-1.0.1", ppa);
        check("EMI.org.a-2.sl5.i386-1.0-1.el5", ["EMI", "org.a-2", "1.0-1.el5", "sl5", "i386"]);
    }

    #[test]
    fn one_word_stands_for_a_title_with_all_parts() {
        let full = "Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64";
        assert_eq!(title(full).ppa().as_deref(), Some("EMI.SE-DPM_mysql.SL5.x86_64-1.8.0-1"));
        assert_eq!(title("Staged Rollout CA 1.38").ppa(), None);
        assert_eq!(title("Staged Rollout E a.b.i386-2 1 SL5 i386").ppa(), None);
    }

    #[test]
    fn a_wrong_title_is_explained() {
        let why = |text: &str| text.parse::<Title>().expect_err(text).why;
        assert_eq!(why("CA 1.38"), "it does not begin with `Staged Rollout`");
        assert_eq!(why("Staged Rollout"), "it has no version, which begins with a digit, as second or third word");
        assert_eq!(why("Staged Rollout a b c 1"), why("Staged Rollout"));
        assert_eq!(why("Staged Rollout CA 1.38 SL5 x86_64 x"), "it continues after the architecture");
        assert_eq!(why("Staged Rollout C/A 1"), "`C/A` is not a component: it has a character that is not allowed");
        assert!(why("EMI.bdii-site.sl5-1.0.1").starts_with("one word must look like"));
        assert!(why("Staged Rolloutx CA 1.38").starts_with("it does not begin"));
        assert!(why(&"x".repeat(257)).starts_with("it is longer"));
    }

    proptest! {
        #[test]
        fn a_title_is_read_as_it_was_written(title in any::title()) {
            prop_assert_eq!(title.to_string().parse(), Ok(title.clone()));
            if let Some(word) = title.ppa() {
                let same = Title { subject: title.subject.without_major(), ..title };
                prop_assert_eq!(word.parse(), Ok(same));
            }
        }

        #[test]
        fn reading_a_title_never_panics(text in "\\PC{0,80}|(?s).{0,80}|[Ss]taged [Rr]ollout[-: .A-Z0-9a-z_]{0,60}") {
            if let Ok(title) = text.parse::<Title>() {
                prop_assert_eq!(title.to_string().parse(), Ok(title));
            }
        }
    }
}
