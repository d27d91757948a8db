//! A second reader of XML, to hold against what was meant to be written.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// An element without elements in it, or the start of one that has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// What stands directly in it.
    pub text: String,
    /// Whether there are elements in it.
    pub holds: bool,
}

/// All elements in the order in which they begin.
///
/// # Panics
/// When this is not well-formed.
pub fn elements(xml: &[u8]) -> Vec<Element> {
    let text = str::from_utf8(xml).expect("UTF-8");
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut all: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => begin(&mut all, &mut open, &tag),
            Event::Empty(tag) => {
                begin(&mut all, &mut open, &tag);
                open.pop();
            }
            Event::End(_) => drop(open.pop().expect("an element to end")),
            Event::Text(words) => open.iter().last().into_iter().for_each(|at| all[*at].text.push_str(&words)),
            Event::GeneralRef(name) => {
                let known =
                    quick_xml::escape::unescape(&format!("&{};", &*name)).expect("a known reference").into_owned();
                all[*open.last().expect("inside an element")].text.push_str(&known);
            }
            Event::Decl(_) => {}
            Event::Eof => return all,
            other => panic!("nobody writes {other:?}"),
        }
    }
}

fn begin(all: &mut Vec<Element>, open: &mut Vec<usize>, tag: &BytesStart<'_>) {
    let attributes = tag.attributes().map(|one| {
        let one = one.expect("an attribute");
        let value = one.normalized_value(XmlVersion::Implicit1_0).expect("known references");
        (one.key.as_ref().to_owned(), value.into_owned())
    });
    if let Some(around) = open.last() {
        all[*around].holds = true;
    }
    open.push(all.len());
    let name = tag.name().as_ref().to_owned();
    all.push(Element { name, attributes: attributes.collect(), text: String::new(), holds: false });
}

/// What XML 1.0 can carry of some words (section 2.2), everything else replaced.
pub fn carried(words: &str) -> String {
    let bad = |c: char| {
        let n = u32::from(c);
        (n < 0x20 && n != 9 && n != 10 && n != 13) || n == 0xfffe || n == 0xffff
    };
    words.chars().map(|c| if bad(c) { '\u{fffd}' } else { c }).collect()
}
