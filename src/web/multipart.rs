//! Several parts of a file in one body: `multipart/byteranges` (RFC 9110, 14.6; the form is that of RFC 2046, 5.1).
//!
//! A line with the boundary precedes each part, so the boundary must not occur in the file. Nobody has to search the file
//! for that: the boundary is random and of this answer only, and whoever made the file could not know it.
//!
//! The body has the form of nginx's: a line break before the first boundary, and `Content-Type` before `Content-Range`.
//! Older versions of zchunk find the parts in no other form.

use aws_lc_rs::rand;

use super::ranges::Part;

/// What separates the parts of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary([u8; 16]);

/// What a body consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section {
    /// This text.
    Text(String),
    /// These bytes of the file.
    Bytes(Part),
}

impl Section {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes(part) => part.length,
        }
    }
}

impl Boundary {
    /// A new one; `None` if the system has no random numbers.
    pub fn fresh() -> Option<Self> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).ok().map(|()| Self(bytes))
    }

    /// The `Content-Type` header of the answer.
    pub fn media_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.text())
    }

    /// The body with these parts of a file that has `whole` bytes and this type.
    pub fn body(&self, parts: &[Part], whole: u64, media_type: &str) -> Vec<Section> {
        let boundary = self.text();
        let with_head = |part: &Part| {
            let range = part.content_range(whole);
            let head = format!("\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {range}\r\n\r\n");
            [Section::Text(head), Section::Bytes(*part)]
        };
        let end = Section::Text(format!("\r\n--{boundary}--\r\n"));
        parts.iter().flat_map(with_head).chain([end]).collect()
    }

    fn text(&self) -> String {
        hex::encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_a_head_before_each_part_and_an_end() {
        let boundary = Boundary([0xab; 16]);
        let parts = [Part { from: 990, length: 10 }, Part { from: 0, length: 1 }];
        let body = boundary.body(&parts, 1000, "application/x-rpm");
        let file = "0123456789".repeat(100);
        let shown = |section: &Section| match section {
            Section::Text(text) => text.clone(),
            Section::Bytes(part) => {
                let [from, length] = [part.from, part.length].map(|n| usize::try_from(n).expect("it is short"));
                file[from..from + length].to_owned()
            }
        };
        let text: String = body.iter().map(shown).collect();
        let line = "ab".repeat(16);
        assert_eq!(boundary.media_type(), format!("multipart/byteranges; boundary={line}"));
        assert_eq!(
            text,
            format!(
                "\r\n--{line}\r\nContent-Type: application/x-rpm\r\nContent-Range: bytes 990-999/1000\r\n\r\n0123456789\
                 \r\n--{line}\r\nContent-Type: application/x-rpm\r\nContent-Range: bytes 0-0/1000\r\n\r\n0\
                 \r\n--{line}--\r\n"
            )
        );
        assert_eq!(body.iter().map(Section::length).sum::<u64>(), text.len() as u64);
    }

    #[test]
    fn no_two_answers_have_the_same_boundary() {
        assert_ne!(Boundary::fresh().expect("random numbers"), Boundary::fresh().expect("random numbers"));
    }
}
