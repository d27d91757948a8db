//! Many short texts in one buffer: a separate allocation for each would cost more than the text.

/// The bytes of all texts, and where each ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Texts {
    /// Allocates for everything the iterator yields; it runs twice so that nothing has to grow.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let (count, bytes) = texts.clone().fold((0, 0), |(count, bytes), text| (count + 1, bytes + text.len()));
        let mut all = Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(count) };
        texts.for_each(|text| all.push(text));
        all
    }

    /// # Panics
    /// Panics beyond four gigabytes; a header has at most 64 MiB.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(u32::try_from(self.bytes.len()).expect("texts of a header are shorter"));
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text with this number; empty if there is none.
    pub(super) fn get(&self, number: usize) -> &[u8] {
        let end = |number: usize| self.ends.get(number).map(|end| *end as usize);
        let begin = number.checked_sub(1).map_or(Some(0), end);
        begin.zip(end(number)).and_then(|(begin, end)| self.bytes.get(begin..end)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_under_its_number() {
        let words: [&[u8]; 5] = [b"", b"one", b"\xff", b"", b""];
        let texts = Texts::of(words.into_iter());
        assert_eq!((texts.len(), texts.bytes.capacity(), texts.ends.capacity()), (5, 4, 5));
        assert_eq!([0, 1, 2, 3, 4].map(|number| texts.get(number)), words);
        assert_eq!(texts.get(5), b"");
    }
}
