//! Which word was probably meant, and how to list words.

/// Longer words are not misspellings of any key; this also bounds the work.
const WORD_MAX: usize = 64;

/// Words in quotes, separated by commas.
pub fn list_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// The word that was probably meant: at most a third of its letters differ, ignoring case. Swapped neighbours count once.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word: String = word.chars().take(WORD_MAX).flat_map(char::to_lowercase).collect();
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(far, candidate)| *far <= candidate.chars().count() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The hint for a misspelt word: the one that was probably meant, in quotes as in a file.
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    nearest(word, known).map(|near| format!("did you mean \"{near}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_has_a_neighbour_and_a_strange_one_has_none() {
        let near = |word| nearest(word, ["listen", "serve_trees", "path", "grace"]);
        assert_eq!(near("lisetn"), Some("listen"));
        assert_eq!(near("serve_tree"), Some("serve_trees"));
        assert_eq!(near("serve-trees"), Some("serve_trees"));
        assert_eq!(near("pth"), Some("path"));
        assert_eq!(near("colour"), None);
        assert_eq!(near(""), None);
        assert_eq!(nearest("V3", ["v3", "sha1"]), Some("v3"));
        assert_eq!(nearest("xz", ["gz", "zst"]), None);
    }
}
