//! Tables that fit the terminal.

use crate::domain::legible;

/// Lays rows out under a header: columns as wide as their widest cell, separated by two spaces. If that is wider than
/// `width`, the last column is cut, with a mark.
pub fn lay_out(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    // Escaped before it is measured.
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| legible::line(cell).into_owned()).collect()).collect();
    let columns = head.len();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (known, cell) in widths.iter_mut().zip(row) {
            *known = (*known).max(cell.chars().count());
        }
    }
    let before_last: usize = widths.iter().take(columns.saturating_sub(1)).map(|w| w + 2).sum();
    let room = width.saturating_sub(before_last).max(8);
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if n + 1 == columns {
                line.push_str(&cut(cell, room));
            } else {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cut(cell: &str, room: usize) -> String {
    if cell.chars().count() <= room {
        return cell.to_owned();
    }
    let mut short: String = cell.chars().take(room.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The width of the terminal; without one, what fits into a mail.
pub fn width() -> usize {
    use std::io::IsTerminal as _;
    if !std::io::stdout().is_terminal() {
        return 1000;
    }
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).map(|size| usize::from(size.ws_col));
    columns.ok().filter(|n| *n >= 40).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_out_keeps_the_columns_in_line() {
        let rows = vec![vec!["a\u{202e}\u{1b}".to_owned(), "one\nline".to_owned()]];
        assert_eq!(lay_out(&["ID", "TITLE"], &rows, 80), "ID               TITLE\na\\u{202e}\\u{1b}  one\\nline\n");
    }

    #[test]
    fn columns_line_up_and_the_last_is_cut_to_fit() {
        let rows =
            vec![vec!["rt-1".to_owned(), "a rather long title".to_owned()], vec!["x".to_owned(), "short".to_owned()]];
        assert_eq!(lay_out(&["ID", "TITLE"], &rows, 20), "ID    TITLE\nrt-1  a rather long…\nx     short\n");
        assert_eq!(lay_out(&["ID", "TITLE"], &rows, 80).lines().nth(1), Some("rt-1  a rather long title"));
    }
}
