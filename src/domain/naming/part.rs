//! Stack, component, version, operating system and architecture: the parts that names are made of.
//!
//! Names put them together with blanks, dots and hyphens, and most parts can have dots and hyphens themselves. What
//! tells them apart is how they begin: versions with a digit, all others with a letter (S0-54).

use std::fmt;
use std::str::FromStr;

use serde_with::{DeserializeFromStr, SerializeDisplay};
use smol_str::SmolStr;

use crate::domain::arch;
use crate::domain::names::{BadName, name_type};

name_type! {
    /// A software stack, with or without its major version: `EMI-1.0`, `ARC`.
    Stack, "stack", |text| {
        let (name, _) = name_and_major(text);
        if name.contains('.') {
            return Err("only its major version can have dots, as in `EMI-1.0`");
        }
        begins_with_letter(name)?;
        word::<24>(name, "_-")?;
        word::<24>(text, "._-")
    }
}
name_type! {
    /// A component: `CA`, `SE-DPM_mysql`, `bdii-site`.
    Component, "component", |text| {
        begins_with_letter(text)?;
        word::<64>(text, "._-")
    }
}
name_type! {
    /// The version of a component, with or without a release: `1.38`, `1.8.0-1`.
    Version, "version", |text| {
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("it must begin with a digit");
        }
        word::<32>(text, "._-+~^")
    }
}
name_type! {
    /// An operating system: `SL5`, `sl6`.
    Os, "operating system", |text| {
        if arch::is_known(&text.to_ascii_lowercase()) {
            return Err("it is an architecture");
        }
        begins_with_letter(text)?;
        word::<24>(text, "_")
    }
}
name_type! {
    /// An architecture: `x86_64`.
    Arch, "architecture", |text| {
        if arch::is_known(text) { Ok(()) } else { Err("rpm does not know it; it is something like `x86_64`") }
    }
}
name_type! {
    /// A product in subjects of issues: `EMI.bdii-site.sl5.x86_64`, or only a component.
    Product, "product", |text| {
        begins_with_letter(text)?;
        word::<128>(text, "._-")
    }
}

impl Stack {
    /// Without the major version: the procedures say "MW stack" for it.
    #[must_use]
    pub fn without_major(&self) -> Self {
        Self(name_and_major(&self.0).0.into())
    }

    /// Whether another one is this one, or a major version of it.
    pub fn covers(&self, other: &Self) -> bool {
        self == other || (!self.has_major() && other.without_major() == *self)
    }

    /// Whether it has a major version.
    pub fn has_major(&self) -> bool {
        name_and_major(&self.0).1.is_some()
    }
}

impl Product {
    /// Joins stack, component, operating system and architecture, those that there are.
    pub(super) fn join(stack: Option<&Stack>, component: &Component, os: Option<&Os>, arch: Option<&Arch>) -> Self {
        // `128` above is enough for the longest of each.
        let parts = [stack.map(Stack::as_str), Some(component.as_str()), os.map(Os::as_str), arch.map(Arch::as_str)];
        Self(parts.into_iter().flatten().collect::<Vec<_>>().join(".").into())
    }
}

/// The major version begins at the first hyphen before a digit.
fn name_and_major(stack: &str) -> (&str, Option<&str>) {
    let mut parts = stack.match_indices('-').map(|(hyphen, _)| (&stack[..hyphen], &stack[hyphen + 1..]));
    match parts.find(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit())) {
        Some((name, major)) => (name, Some(major)),
        None => (stack, None),
    }
}

fn begins_with_letter(text: &str) -> Result<(), &'static str> {
    let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if letter { Ok(()) } else { Err("it must begin with a letter") }
}

fn word<const MAX: usize>(text: &str, marks: &str) -> Result<(), &'static str> {
    if text.len() > MAX {
        return Err("it is too long");
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c)) {
        return Err("it has a character that is not allowed");
    }
    // So that a full stop or a colon after it is never part of it.
    let ends = text.ends_with(|c: char| c.is_ascii_alphanumeric());
    if ends { Ok(()) } else { Err("it must end with a letter or a digit") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr<Err = BadName>>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(text.parse::<T>().is_ok(), "{text:?}");
        }
        for text in bad.iter().chain(&["", " ", "a b", "a/b", "a\0", "ä", "-a", ".", "1.", "a-"]) {
            assert!(text.parse::<T>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn parts_begin_so_that_they_can_be_told_apart() {
        check::<Stack>(
            &["EMI", "EMI-1.0", "UMD-3", "Operational-Tools"],
            &["3", "EMI.1", "E.M-1", "E_-1", "E--1", &"E".repeat(25)],
        );
        check::<Component>(&["CA", "SE-DPM_mysql", "org.glite.jobid"], &["389-ds", &"c".repeat(65)]);
        check::<Version>(&["1.38", "1.8.0-1", "0~rc1", "2.0+git^5a"], &["v1", "1:2", &"1".repeat(33)]);
        check::<Os>(&["SL5", "sl6", "Debian6"], &["5", "x86_64", "I386", "sl.6", "sl-6", &"s".repeat(25)]);
        check::<Arch>(&["x86_64", "noarch"], &["X86_64", "SL5", "vax"]);
    }

    #[test]
    fn a_stack_can_have_a_major_version() {
        for (stack, bare) in
            [("EMI-1.0", "EMI"), ("EMI", "EMI"), ("Operational-Tools-2", "Operational-Tools"), ("E-1-2", "E")]
        {
            assert_eq!(stack.parse::<Stack>().expect("a stack").without_major().as_str(), bare);
        }
    }
}

#[cfg(test)]
pub(super) mod any {
    //! Parts for property tests.

    use proptest::prelude::*;

    use super::*;

    fn of<T: FromStr<Err = BadName> + std::fmt::Debug>(form: &'static str) -> impl Strategy<Value = T> {
        form.prop_filter_map("no such part", |text| text.parse().ok())
    }

    pub(in crate::domain::naming) fn stack() -> impl Strategy<Value = Stack> {
        of("[A-Za-z][A-Za-z0-9_]{0,8}(-[a-z]{1,4})?(-[0-9]{1,2}(\\.[0-9]){0,2})?")
    }

    pub(in crate::domain::naming) fn component() -> impl Strategy<Value = Component> {
        of("[A-Za-z][A-Za-z0-9._-]{0,20}[A-Za-z0-9]")
    }

    pub(in crate::domain::naming) fn version() -> impl Strategy<Value = Version> {
        of("[0-9][0-9A-Za-z._+~^-]{0,12}[A-Za-z0-9]")
    }

    pub(in crate::domain::naming) fn os() -> impl Strategy<Value = Os> {
        of("[A-Za-z][A-Za-z0-9_]{0,6}[0-9]")
    }

    pub(in crate::domain::naming) fn arch() -> impl Strategy<Value = Arch> {
        of("x86_64|i386|noarch|ppc64le")
    }
}
