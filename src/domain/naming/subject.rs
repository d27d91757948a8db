//! What a rollout is about, as titles, file names and descriptions say it (S0-54, S0-55, S0-56).

use std::fmt;

use super::part::{Component, Stack, Version};

/// What a rollout is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The stack that the component belongs to, if it belongs to one.
    pub stack: Option<Stack>,
    /// The component.
    pub component: Component,
    /// Its version.
    pub version: Version,
}

impl Subject {
    /// The same with the "MW stack": the stack without its major version.
    #[must_use]
    pub fn without_major(&self) -> Self {
        Self { stack: self.stack.as_ref().map(Stack::without_major), ..self.clone() }
    }
}

impl fmt::Display for Subject {
    /// Its words: `EMI-1.0 SE-DPM_mysql 1.8.0-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stack) = &self.stack {
            write!(f, "{stack} ")?;
        }
        write!(f, "{} {}", self.component, self.version)
    }
}

#[cfg(test)]
pub(super) mod any {
    //! Subjects for property tests.

    use proptest::option;
    use proptest::prelude::*;

    use super::super::part::any;
    use super::*;

    pub(in crate::domain::naming) fn subject() -> impl Strategy<Value = Subject> {
        (option::of(any::stack()), any::component(), any::version()).prop_map(|(stack, component, version)| Subject {
            stack,
            component,
            version,
        })
    }
}
