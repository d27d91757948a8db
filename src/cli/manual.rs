//! `rolloutd man` and `completions`: the manual pages and the completions of shells, made from the command tree, so that
//! they are never behind it. Packages carry them.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

use super::exit::{Exit, Failure, Outcome};
use crate::config::reference;
use crate::store::disk::{self, Access, Disk as _, Kernel};

/// Writes the manual pages of rolloutd, rolloutctl and the configuration
///
/// Example: rolloutd man /usr/local/share/man
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ManArgs {
    /// The directory for manual pages; they go into its `man1`, `man5` and `man8`
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// Arguments of `completions`. Both programs have it; the help is theirs, since each has an example of its own.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The completions of a program.
pub fn completions(args: &CompletionsArgs, mut program: Command) -> Outcome {
    let mut text = Vec::new();
    let name = program.get_name().to_owned();
    clap_complete::generate(args.shell, &mut program, name, &mut text);
    Outcome::done(String::from_utf8_lossy(&text))
}

/// Writes the pages.
///
/// # Errors
/// With the file that could not be written.
pub fn pages(args: &ManArgs, programs: [(Command, &'static str); 2]) -> Result<Outcome, Failure> {
    let mut pages = vec![("rolloutd.toml.5".to_owned(), configuration())];
    for (program, section) in programs {
        pages_of(program, section, &mut pages)?;
    }
    for (name, text) in &pages {
        let section = name.rsplit('.').next().unwrap_or_default();
        let dir = args.dir.join(format!("man{section}"));
        let (disk, path) = (Kernel::default(), dir.join(name));
        let written = disk.make_dir(&dir).and_then(|()| disk::put(&disk, &path, text, Access::Everybody));
        written.map_err(|error| Failure::new(Exit::Usage, error.sentence()))?;
    }
    Ok(Outcome::done(format!("{} pages below {}\n", pages.len(), args.dir.display())))
}

/// A program's page, and one for each of its commands.
fn pages_of(program: Command, section: &'static str, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut all = vec![program];
    while let Some(command) = all.pop() {
        all.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
        // Of a command below another this is `rolloutctl-bundle-open`.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let mut text = Vec::new();
        let man = clap_mangen::Man::new(command).section(section).date("").manual("rolloutd");
        man.render(&mut text).map_err(|e| Failure::new(Exit::Usage, format!("{name}: {e}")))?;
        pages.push((format!("{name}.{section}"), text));
    }
    Ok(())
}

/// rolloutd.toml(5).
fn configuration() -> Vec<u8> {
    let mut page = String::from(concat!(
        ".TH rolloutd.toml 5 \"\" \"rolloutd ",
        env!("CARGO_PKG_VERSION"),
        "\" rolloutd\n.SH NAME\nrolloutd.toml \\- configuration of rolloutd\n.SH DESCRIPTION\n",
        "The file that \\fBrolloutd init\\fR prints, with every key.\n.PP\n.nf\n",
    ));
    for line in reference::TEXT.lines() {
        // A line that begins with one of these would be an instruction.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        let _ = writeln!(page, "{guard}{}", line.replace('\\', "\\e").replace('-', "\\-"));
    }
    page.push_str(".fi\n.SH SEE ALSO\n.BR rolloutd (8),\n.BR rolloutctl (1)\n");
    page.into_bytes()
}
