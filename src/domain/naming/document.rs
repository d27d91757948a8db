//! The description of the document that holds a rollout's reports (S0-56):
//! `Staged rollout <MW stack> <component> <version>`.

use std::fmt;
use std::str::FromStr;

use super::convention::{Convention, Misnamed};
use super::subject::Subject;
use super::title::{TITLE_MAX, Title, after_staged_rollout};

static DESCRIPTION: Convention = Convention {
    what: "a description of a rollout's document",
    form: "Staged rollout <MW stack> <component> <version>",
    example: "Staged rollout EMI SE-DPM_mysql 1.8.0-1",
};

/// A document, by what its reports are about. The "MW stack" has no major version; descriptions with one are read, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Document(Subject);

impl Document {
    /// The document of a rollout.
    pub fn of(subject: &Subject) -> Self {
        Self(subject.without_major())
    }

    /// What its reports are about; the stack has no major version.
    pub fn subject(&self) -> &Subject {
        &self.0
    }
}

impl FromStr for Document {
    type Err = Misnamed;

    fn from_str(text: &str) -> Result<Self, Misnamed> {
        if text.len() > TITLE_MAX {
            return Err(DESCRIPTION.broken(text, "it is longer than 256 bytes"));
        }
        let rest = after_staged_rollout(text).map(|rest| rest.strip_prefix(':').unwrap_or(rest));
        let rest = rest.ok_or_else(|| DESCRIPTION.broken(text, "it does not begin with `Staged rollout`"))?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        match Title::from_words(&words) {
            Ok(Title { subject, os: None, arch: None }) => Ok(Self::of(&subject)),
            Ok(_) => Err(DESCRIPTION.broken(text, "it continues after the version")),
            Err(why) => Err(DESCRIPTION.broken(text, why)),
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Staged rollout {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::subject::any;
    use super::*;

    #[test]
    fn descriptions_have_the_form_of_the_procedure() {
        let of = |title: &str| Document::of(&title.parse::<Title>().expect("a title").subject).to_string();
        let full = "Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64";
        assert_eq!(of(full), "Staged rollout EMI SE-DPM_mysql 1.8.0-1");
        assert_eq!(of("EMI.bdii-site.sl5.x86_64-1.0.1"), "Staged rollout EMI bdii-site 1.0.1");
        assert_eq!(of("Staged Rollout CA 1.38"), "Staged rollout CA 1.38");
    }

    #[test]
    fn a_description_with_the_major_version_is_the_same() {
        let read = |text: &str| text.parse::<Document>().expect("a description");
        assert_eq!(read("STAGED ROLLOUT: EMI-1.0 CA 1.38"), read("Staged rollout EMI CA 1.38"));
    }

    #[test]
    fn a_wrong_description_is_explained() {
        let why = |text: &str| text.parse::<Document>().expect_err(text).why;
        assert_eq!(why("EMI CA 1.38"), "it does not begin with `Staged rollout`");
        assert_eq!(why("Staged rollout EMI CA 1.38 SL5"), "it continues after the version");
        assert_eq!(
            why("Staged rollout EMI CA"),
            "it has no version, which begins with a digit, as second or third word"
        );
    }

    proptest! {
        #[test]
        fn a_description_is_read_as_it_was_written(subject in any::subject()) {
            let document = Document::of(&subject);
            prop_assert_eq!(document.to_string().parse(), Ok(document));
        }

        #[test]
        fn any_text_is_a_description_or_an_error(text in "(?s).{0,80}|Staged rollout:? [-A-Za-z0-9._ ]{0,40}") {
            if let Ok(document) = text.parse::<Document>() {
                prop_assert_eq!(document.to_string().parse(), Ok(document));
            }
        }
    }
}
