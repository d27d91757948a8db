//! Subjects of issues that a team opens about a rollout (S0-42).
//!
//! We write the form of the procedure's example: `Staged Rollout: EMI.bdii-site.sl5.x86_64-1.0.1`. Read are
//! `Staged Rollout: <product> <version>` and `Staged Rollout: <product>-<version>`, with a short summary after it, and
//! a complete title, since the procedure says to copy that.
//!
//! A product can have hyphens, so in `<product>-<version>` the version begins at the first hyphen before a digit, unless
//! it is a title in one word. [`IssueSubject::concerns`] does not depend on where that is.

use std::fmt;
use std::str::FromStr;

use super::convention::{Convention, Misnamed};
use super::part::{Component, Product, Version};
use super::title::{Title, after_staged_rollout};

/// The longest subject; issue trackers allow about 255 characters.
pub const SUBJECT_MAX: usize = 512;

/// The longest summary, so that what we write is never longer than [`SUBJECT_MAX`].
pub const SUMMARY_MAX: usize = 300;

static SUBJECT: Convention = Convention {
    what: "a subject of an issue",
    form: "Staged Rollout: <product>-<version>: <summary>",
    example: "Staged Rollout: EMI.bdii-site.sl5.x86_64-1.0.1: does not start",
};

/// The subject of an issue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssueSubject {
    product: Product,
    version: Version,
    summary: Option<String>,
}

impl IssueSubject {
    /// The subject for issues of this rollout, without a summary.
    pub fn of(title: &Title) -> Self {
        Self { product: title.product(), version: title.subject.version.clone(), summary: None }
    }

    /// What the issue is about.
    pub fn product(&self) -> &Product {
        &self.product
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// What is wrong with it, if the subject says that.
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// Whether this can be an issue of that rollout: it names the product or the component, in whatever case.
    pub fn concerns(&self, title: &Title) -> bool {
        let named = format!("{}-{}", self.product, self.version);
        let is = |name: &str| named.eq_ignore_ascii_case(&format!("{name}-{}", title.subject.version));
        is(title.product().as_str()) || is(title.subject.component.as_str())
    }
}

/// Product and version, and how many words they are. The error says what is wrong.
fn product_and_version(words: &[&str]) -> Result<(Product, Version, usize), &'static str> {
    let of_title = |title: Title, words| (title.product(), title.subject.version, words);
    let full = words.get(..5).and_then(|words| Title::from_words(words).ok());
    if let Some(title) = full.filter(|title| title.arch.is_some()) {
        return Ok(of_title(title, 5));
    }
    let [first, rest @ ..] = words else { return Err("it names no product") };
    let (word, next) = (without_stop(first), rest.first().map(|next| without_stop(next)));
    if let Some(title) = Title::from_ppa(word) {
        return Ok(of_title(title, 1));
    }
    if let Some(title) = next.and_then(|next| Title::from_ppa(&format!("{word}-{next}"))) {
        return Ok(of_title(title, 2));
    }
    let ended = word.len() < first.len();
    let in_one = word.match_indices('-').find_map(|(hyphen, _)| {
        Some((word[..hyphen].parse::<Product>().ok()?, word[hyphen + 1..].parse::<Version>().ok()?))
    });
    let in_two = next.and_then(|next| Some((word.parse::<Product>().ok()?, next.parse::<Version>().ok()?)));
    match (in_one, in_two) {
        // `EMI-1.0 bdii-site 1.0.1` begins with a stack, and `a-1 2` can be version 1 of `a` or version 2 of `a-1`.
        (Some(_), in_two) if !ended && (in_two.is_some() || names_more(rest)) => {
            Err("it is ambiguous; write `<product>-<version>` and a colon after it")
        }
        (Some((product, version)), _) => Ok((product, version, 1)),
        (None, Some((product, version))) => Ok((product, version, 2)),
        (None, None) => Err("no version follows the product"),
    }
}

fn names_more(words: &[&str]) -> bool {
    let [component, version, ..] = words else { return false };
    component.parse::<Component>().is_ok() && without_stop(version).parse::<Version>().is_ok()
}

fn without_stop(word: &str) -> &str {
    word.trim_end_matches([':', ',', ';', '.'])
}

impl FromStr for IssueSubject {
    type Err = Misnamed;

    fn from_str(text: &str) -> Result<Self, Misnamed> {
        if text.len() > SUBJECT_MAX {
            return Err(SUBJECT.broken(text, "it is longer than 512 bytes"));
        }
        if text.trim().contains(char::is_control) {
            return Err(SUBJECT.broken(text, "it has a control character"));
        }
        let Some(rest) = after_staged_rollout(text).and_then(|rest| rest.strip_prefix(':')) else {
            return Err(SUBJECT.broken(text, "it does not begin with `Staged Rollout:`"));
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (product, version, end) = product_and_version(&words).map_err(|why| SUBJECT.broken(text, why))?;
        let summary = words[end..].join(" ");
        let summary = summary.trim_start_matches([':', ',', ';', '-', '–', ' ']);
        if summary.len() > SUMMARY_MAX {
            return Err(SUBJECT.broken(text, "its summary is longer than 300 bytes"));
        }
        Ok(Self { product, version, summary: (!summary.is_empty()).then(|| summary.to_owned()) })
    }
}

impl fmt::Display for IssueSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Staged Rollout: {}-{}", self.product, self.version)?;
        self.summary.iter().try_for_each(|summary| write!(f, ": {summary}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::title::any;
    use super::*;

    #[track_caller]
    fn check(text: &str, product: &str, version: &str, summary: Option<&str>) {
        let subject: IssueSubject = text.parse().expect("a subject");
        let found = (subject.product().as_str(), subject.version().as_str(), subject.summary());
        assert_eq!(found, (product, version, summary), "{text}");
    }

    #[test]
    fn the_subject_of_the_procedure_is_written_from_a_title() {
        let subject = |title: &str| IssueSubject::of(&title.parse().expect("a title")).to_string();
        let example = "Staged Rollout: EMI.bdii-site.sl5.x86_64-1.0.1";
        assert_eq!(subject("EMI.bdii-site.sl5.x86_64-1.0.1"), example);
        assert_eq!(subject("Staged Rollout EMI-1.0 bdii-site 1.0.1 sl5 x86_64"), example);
        assert_eq!(subject("Staged Rollout CA 1.38"), "Staged Rollout: CA-1.38");
    }

    #[test]
    fn both_forms_name_the_same_product_and_version() {
        let product = "EMI.bdii-site.sl5.x86_64";
        check("Staged Rollout: EMI.bdii-site.sl5.x86_64-1.0.1", product, "1.0.1", None);
        check("Staged Rollout: EMI.bdii-site.sl5.x86_64 1.0.1", product, "1.0.1", None);
        check("staged rollout: EMI.bdii-site.sl5.x86_64-1.0.1 2 nodes fail", product, "1.0.1", Some("2 nodes fail"));
        check("Staged Rollout: bdii-site 1.0.1 - slow", "bdii-site", "1.0.1", Some("slow"));
        check("staged  rollout : bdii-site-1.0.1: slow", "bdii-site", "1.0.1", Some("slow"));
        check("Staged Rollout: CA-1.38: 1.37 was better", "CA", "1.38", Some("1.37 was better"));
        check("Staged Rollout: SE-DPM_mysql-1.8.0-1", "SE-DPM_mysql", "1.8.0-1", None);
        let (product, version) = ("EMI.SE-DPM_mysql.SL5.x86_64", "1.8.0-1");
        check("Staged Rollout: EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64 is slow", product, version, Some("is slow"));
    }

    #[test]
    fn a_subject_that_can_be_read_in_two_ways_is_refused() {
        let why = |text: &str| text.parse::<IssueSubject>().expect_err(text).why;
        for text in ["CA-1.38 1.37 was better", "lib-32-bit 5.0.3", "EMI-1.0 bdii-site 1.0.1", "EMI-1.0 a 1.0: bad"] {
            let why = why(&format!("Staged Rollout: {text}"));
            assert!(why.starts_with("it is ambiguous"), "{text}: {why}");
        }
        assert_eq!(why("Staged Rollout: bdii-site is slow"), "no version follows the product");
        assert_eq!(why("Staged Rollout:"), "it names no product");
        assert_eq!(why("Staged Rollout CA 1.38"), "it does not begin with `Staged Rollout:`");
        assert_eq!(why("Staged Rollout: CA 1.38\u{7}x"), "it has a control character");
        assert!(why(&format!("Staged Rollout: CA-1.38: {}", "x".repeat(301))).starts_with("its summary"));
        assert!(why(&"x".repeat(513)).starts_with("it is longer"));
    }

    #[test]
    fn an_issue_concerns_the_rollout_whose_product_or_component_it_names() {
        let title: Title = "EMI.lib-32-bit.sl5.x86_64-5.0".parse().expect("a title");
        let concerns = |text: &str| text.parse::<IssueSubject>().expect("a subject").concerns(&title);
        assert!(concerns("Staged Rollout: EMI.lib-32-bit.sl5.x86_64-5.0"));
        assert!(concerns("Staged Rollout: LIB-32-bit-5.0: broken"));
        assert!(!concerns("Staged Rollout: lib-32-bit-5.1"));
    }

    proptest! {
        #[test]
        fn a_subject_concerns_the_title_that_it_was_written_from(title in any::title()) {
            let subject = IssueSubject::of(&title);
            let read: IssueSubject = subject.to_string().parse().expect("a subject");
            prop_assert!(read.concerns(&title));
            if title.ppa().is_some() {
                prop_assert_eq!(read, subject);
            }
        }

        #[test]
        fn what_was_read_is_written_so_that_it_is_read_again(
            text in "(?s).{0,80}|Staged Rollout: ?[-:. A-Za-z0-9_]{0,60}|Staged Rollout: [a-z]{1,3}[- ][0-9.]{1,4}[-:,; ]\\PC{0,40}"
        ) {
            if let Ok(subject) = text.parse::<IssueSubject>() {
                prop_assert_eq!(subject.to_string().parse(), Ok(subject));
            }
        }
    }
}
