//! Which word was probably meant, and how to list words.

/// Longer words are not misspellings of any key; this also bounds the work.
const WORD_MAX: usize = 64;

/// Words in quotes, separated by commas.
pub fn list_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// The word that was probably meant: at most a third of its letters differ, ignoring case.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(far, candidate)| *far <= candidate.chars().count() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The number of letters inserted, left out or replaced between two words; swapped neighbours count once (optimal
/// string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(WORD_MAX).collect();
    let first: Vec<usize> = (0..=b.len()).collect();
    let (mut before, mut above, mut previous) = (Vec::new(), first, None);
    for (i, x) in a.chars().take(WORD_MAX).enumerate() {
        let mut row = vec![i + 1];
        let mut left = i + 1;
        for ((j, y), pair) in b.iter().enumerate().zip(above.windows(2)) {
            let [diagonal, up] = pair else { continue };
            let swapped = j.checked_sub(1).filter(|k| previous == Some(*y) && b.get(*k) == Some(&x));
            let swap = swapped.and_then(|k| before.get(k)).map_or(usize::MAX, |far: &usize| far + 1);
            left = (diagonal + usize::from(x != *y)).min(up + 1).min(left + 1).min(swap);
            row.push(left);
        }
        before = std::mem::replace(&mut above, row);
        previous = Some(x);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn the_distance_counts_a_swap_once() {
        for (a, b, far) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("abcd", "acbd", 1)]
        {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn the_distance_is_the_same_both_ways(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
