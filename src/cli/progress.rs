//! Progress of long work, for somebody who sits at a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error, and nothing where that is no terminal. `all` is how much there is to do, if that is known;
/// `template` is of [`indicatif`].
pub fn bar(all: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(all, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
