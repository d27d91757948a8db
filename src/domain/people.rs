//! People by id: what the logbook writes for somebody, and what people read for it.
//!
//! An entry of the logbook can never be changed, so it names nobody. It has an id that reveals nothing, `p-` and 16
//! hexadecimal digits, and a register beside the logbook knows who that is ([`People`] is its content). So somebody can
//! be erased, and the chain of entries stays intact.
//!
//! The daemon itself and callers without a token are not people, and are in the logbook as they are. Entries from
//! before there were ids have names; [`People::shown`] shows these as they are, and nothing can erase them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use imbl::OrdMap;
use jiff::Timestamp;
use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::names::{Actor, BadName};

/// The actor of what the daemon does by itself.
pub const DAEMON: &str = "rolloutd";

/// The actor of callers without a token.
pub const ANONYMOUS: &str = "anonymous";

/// A person's id in the logbook.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, DeserializeFromStr, SerializeDisplay)]
pub struct PersonId(u64);

impl PersonId {
    /// The id with these digits, which should be random.
    pub fn new(digits: u64) -> Self {
        Self(digits)
    }

    /// Parses an id, in the only form in which we write it.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("p-").filter(|digits| digits.len() == 16)?;
        let ours = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        digits.bytes().all(ours).then(|| u64::from_str_radix(digits, 16).ok().map(Self))?
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p-{:016x}", self.0)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PersonId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let why = "it is `p-` and 16 hexadecimal digits";
        Self::read(text).ok_or_else(|| BadName { text: text.to_owned(), what: "person's id", why })
    }
}

/// Why nobody can have a name: the logbook would confuse them with somebody else.
pub fn reserved(name: &str) -> Option<&'static str> {
    match name {
        DAEMON => Some("in the logbook this is the daemon itself"),
        ANONYMOUS => Some("in the logbook this is whoever has no token"),
        _ => PersonId::read(name).map(|_| "in the logbook this is the id of a person"),
    }
}

/// Somebody in the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name by which they came: a token's actor, or a webhook with the tracker's user. `None` if they were erased.
    pub identity: Option<Actor>,
    /// When they were first added to the register.
    pub seen: Timestamp,
}

/// The content of the register. A clone costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    by_id: OrdMap<PersonId, Person>,
    by_identity: OrdMap<Actor, PersonId>,
}

impl People {
    /// Adds somebody, or changes who they are.
    pub fn put(&mut self, id: PersonId, person: Person) {
        if let Some(identity) = person.identity.clone() {
            self.by_identity.insert(identity, id);
        }
        if let Some(Person { identity: Some(before), .. }) = self.by_id.insert(id, person)
            && self.by_id.get(&id).is_some_and(|now| now.identity.as_ref() != Some(&before))
        {
            self.by_identity.remove(&before);
        }
    }

    /// Forgets who somebody is.
    pub fn erase(&mut self, id: PersonId) {
        let Some(mut person) = self.by_id.get(&id).cloned() else { return };
        person.identity = None;
        self.put(id, person);
    }

    /// A person by id.
    pub fn get(&self, id: PersonId) -> Option<&Person> {
        self.by_id.get(&id)
    }

    /// The id of the person with this identity.
    pub fn id_of(&self, identity: &Actor) -> Option<PersonId> {
        self.by_identity.get(identity).copied()
    }

    /// Who was erased, and when they were first added to the register.
    pub fn erased(&self) -> Vec<(PersonId, Timestamp)> {
        let nobody = |(_, person): &(&PersonId, &Person)| person.identity.is_none();
        self.by_id.iter().filter(nobody).map(|(id, person)| (*id, person.seen)).collect()
    }

    /// How many there are, including those who were erased.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All of them after this id, or from the first, by id.
    pub fn after(&self, id: Option<PersonId>) -> impl Iterator<Item = (PersonId, &Person)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id.range((from, Bound::Unbounded)).map(|(id, person)| (*id, person))
    }

    /// What people read for an entry's actor: the identity, or that it is unknown or erased. Anything but an id is
    /// shown as it is.
    pub fn shown<'w>(&self, who: &'w str) -> Cow<'w, str> {
        let Some(id) = PersonId::read(who) else { return Cow::Borrowed(who) };
        Cow::Owned(match self.get(id) {
            Some(Person { identity: Some(identity), .. }) => identity.to_string(),
            Some(Person { identity: None, .. }) => format!("an erased person ({id})"),
            None => format!("an unknown person ({id})"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(name: &str) -> Person {
        Person { identity: Some(Actor::recorded(name)), seen: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn an_id_is_written_in_one_way_only() {
        assert_eq!(PersonId::new(0xab).to_string(), "p-00000000000000ab");
        for text in ["", "p-", "p-00000000000000AB", "p-00000000000000a", "p-00000000000000abc", "P-00000000000000ab"] {
            assert!(text.parse::<PersonId>().is_err() && reserved(text).is_none(), "{text}");
        }
        for text in ["p-+0000000000000ab", "p-0x000000000000ab", "p-00000000000000ab ", "p-éééééééé"] {
            assert_eq!(PersonId::read(text), None, "{text}");
        }
    }

    #[test]
    fn nobody_is_called_as_somebody_else_is_written() {
        for name in ["rolloutd", "anonymous", "p-0123456789abcdef"] {
            assert!(reserved(name).is_some(), "{name}");
        }
        for name in ["jane", "rt:jane", "rt:rolloutd", "root at the console", "p-1"] {
            assert_eq!(reserved(name), None, "{name}");
        }
    }

    #[test]
    fn people_read_who_it_was_as_long_as_the_register_knows() {
        let (jane, other) = (PersonId::new(1), PersonId::new(2));
        let mut people = People::default();
        people.put(jane, person("rt:jane"));
        assert_eq!(people.shown(&jane.to_string()), "rt:jane");
        assert_eq!(people.shown(&other.to_string()), "an unknown person (p-0000000000000002)");
        for name in ["rolloutd", "anonymous", "rt:jane", "p-", ""] {
            assert_eq!(people.shown(name), name, "it is no id");
        }
        people.erase(jane);
        assert_eq!(people.shown(&jane.to_string()), "an erased person (p-0000000000000001)");
        assert_eq!((people.id_of(&Actor::recorded("rt:jane")), people.len()), (None, 1));
        people.put(other, person("rt:jane"));
        assert_eq!(people.id_of(&Actor::recorded("rt:jane")), Some(other), "whoever comes again is somebody new");
        assert_eq!(people.after(Some(jane)).map(|(id, _)| id).collect::<Vec<_>>(), [other]);
    }

    proptest! {
        #[test]
        fn every_id_is_read_back(digits: u64) {
            let id = PersonId::new(digits);
            prop_assert_eq!(id.to_string().parse::<PersonId>().expect("an id"), id);
        }

        #[test]
        fn what_is_read_as_an_id_is_written_so(text in "(p-)?[0-9a-fA-F]{14,18}|.*") {
            if let Some(id) = PersonId::read(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        /// Both maps agree, whatever is done in whatever order.
        #[test]
        fn an_identity_leads_to_the_one_who_has_it(steps in prop::collection::vec((0..4u64, 0..5usize), 0..40)) {
            let mut people = People::default();
            for (digits, what) in steps {
                let id = PersonId::new(digits);
                match ["a", "b", "c", "d"].get(what) {
                    // The register gives an identity to only one person.
                    Some(name) if people.id_of(&Actor::recorded(name)).is_none() => people.put(id, person(name)),
                    Some(_) => {}
                    None => people.erase(id),
                }
                for (id, person) in people.after(None) {
                    if let Some(identity) = &person.identity {
                        prop_assert_eq!(people.id_of(identity), Some(id));
                    }
                }
                let known = people.after(None).filter(|(_, person)| person.identity.is_some()).count();
                prop_assert_eq!(people.by_identity.len(), known);
            }
        }
    }
}
