//! A naming convention in words, and the error for text that does not follow it.

use crate::domain::legible;

/// How much of a wrong text an error repeats, in characters.
const SHOWN_MAX: usize = 120;

/// How something is named.
#[derive(Debug, PartialEq, Eq)]
pub struct Convention {
    /// What is named, with its article.
    pub what: &'static str,
    /// The form, as the procedure writes it.
    pub form: &'static str,
    /// A name that follows it.
    pub example: &'static str,
}

/// Text that does not follow a convention.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {}: {why}; it should look like `{}`, for example `{}`",
    convention.what, convention.form, convention.example)]
pub struct Misnamed {
    /// The given text, fit to be shown, or its beginning.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    /// The convention.
    pub convention: &'static Convention,
}

impl Convention {
    /// The error for text that does not follow this convention.
    pub fn broken(&'static self, text: &str, why: impl Into<String>) -> Misnamed {
        Misnamed { text: shown(text), why: why.into(), convention: self }
    }
}

/// Text from outside as errors repeat it: one line of bounded length.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", legible::line(&text[..end])),
        None => legible::line(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_wrong_and_what_is_right() {
        static CONVENTION: Convention = Convention { what: "a box", form: "box <number>", example: "box 5" };
        let error = CONVENTION.broken("bo\u{1b}x", "it has no number");
        let text =
            r"`bo\u{1b}x` is not a box: it has no number; it should look like `box <number>`, for example `box 5`";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_error_does_not_grow_with_the_text() {
        assert_eq!(shown(&"é".repeat(5000)).chars().count(), SHOWN_MAX + 1);
    }
}
