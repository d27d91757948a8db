//! The lines of a mail or comment that its sender wrote, without what they quote and without their signature.
//!
//! This reads plain text. A mail that is only HTML has to be made into text before.

/// The sender's lines, without blanks around them.
pub(super) fn own_lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = |n: usize| lines.get(n).copied().unwrap_or_default();
    let end = (0..lines.len()).find(|&n| ends(at(n), at(n + 1))).unwrap_or(lines.len());
    let wrote = |n: usize| at(n).ends_with("wrote:");
    let attributes = |n: usize| {
        let quoted_next = || lines.iter().skip(n + 1).find(|line| !line.is_empty()).is_some_and(|line| is_quoted(line));
        // The line can be wrapped: `On 2 May 2011, Requests` / `<rt@example.org> wrote:`.
        (at(n).starts_with("On ") && (wrote(n) || wrote(n + 1))) || (at(n).ends_with(':') && quoted_next())
    };
    (0..end).filter(|&n| !is_quoted(at(n)) && !attributes(n)).map(at).collect()
}

fn is_quoted(line: &str) -> bool {
    line.starts_with('>')
}

/// Whether the sender's text ends at this line.
fn ends(line: &str, next: &str) -> bool {
    // The blank of `-- ` is often lost on the way.
    let signature = line == "--";
    // Programs that quote without `>` put one of these before what they quote.
    let dashed = line.starts_with("--") && line.ends_with("--");
    let inner = line.trim_matches(['-', ' ']);
    let original = ["original message", "forwarded message"].iter().any(|text| inner.eq_ignore_ascii_case(text));
    let header = line.starts_with("From:") && (next.starts_with("Sent:") || next.starts_with("Date:"));
    signature || (dashed && original) || header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, own: &[&str]) {
        let found: Vec<&str> = own_lines(text).into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(found, own, "{text:?}");
    }

    #[test]
    fn quoted_lines_and_who_wrote_them_are_left_out() {
        check("", &[]);
        check("a\r\n> b\n >> c\n  d  ", &["a", "d"]);
        check("On Mon, 2 May 2011, Requests wrote:\n> a\nb", &["b"]);
        check("On Mon, 2 May 2011, Requests\n<rt@example.org> wrote:\n\n> a\nb", &["b"]);
        check("Am 2. Mai 2011 schrieb Requests:\n\n> a\nb:\nc", &["b:", "c"]);
        check("On it.\nAs I wrote: fine", &["On it.", "As I wrote: fine"]);
    }

    #[test]
    fn the_text_ends_at_the_signature_or_at_the_original() {
        check("a\n-- \nb", &["a"]);
        check("a\n--\nb", &["a"]);
        check("a\n--- \nb\n--x--", &["a", "---", "b", "--x--"]);
        check("a\n-----Original Message-----\nb", &["a"]);
        check("a\n---------- Forwarded message ----------\nb", &["a"]);
        check("a\nFrom: Requests\nSent: Monday\nb", &["a"]);
        check("a\nFrom: now on\nb", &["a", "From: now on", "b"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_lines(text in "(?s).{0,80}|([>:\n -]|On|wrote:|From:){0,40}") {
            proptest::prop_assert!(own_lines(&text).iter().all(|line| text.contains(line) && !is_quoted(line)));
        }
    }
}
