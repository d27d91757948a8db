//! The bytes of a key file: armored blocks in a text, or binary packets.
//!
//! Decides which bytes of a file are OpenPGP, and complains about anything that may be a damaged block: such a block
//! may hold a revocation, so it is never skipped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{KEY_FILE_MAX, SECRET, printable};

/// The parts of a file that hold packets: the file itself, or the content of every armored block.
pub(super) fn parts_of(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    if bytes.len() > KEY_FILE_MAX {
        return Err(format!("larger than {KEY_FILE_MAX} bytes"));
    }
    // A byte order mark, as some editors write.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match bytes {
        [] => Err("empty".to_owned()),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err("is text in UTF-16, which no program reads as a key: save it as UTF-8".to_owned())
        }
        // An OpenPGP packet begins with a set bit, which armor never does; a text may, with a letter that is not ASCII.
        [first, ..] if first & 0x80 != 0 && std::str::from_utf8(bytes).is_err() => match text_after_packets(bytes) {
            Some(at) => Err(format!(
                "text follows a binary key from byte {at} on, and no program reads both: put the text into a \
                 separate file (`tail -c +{} FILE`), and keep the first {at} bytes here (`head -c {at} FILE`)",
                at.saturating_add(1)
            )),
            None => Ok(vec![bytes.to_vec()]),
        },
        _ => armored_parts(bytes),
    }
}

/// The content of every armored block of a text, however it was edited: line ends, spaces and empty lines do not
/// matter.
///
/// Anything around the blocks is skipped, except for what may be a damaged block: it may hold a revocation.
fn armored_parts(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut parts = Vec::new();
    let mut block: Option<(usize, Vec<&[u8]>)> = None;
    let mut foreign: Option<&[u8]> = None;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.flat_map(|line| line.strip_suffix(b"\r").unwrap_or(line).split(|byte| *byte == b'\r'));
    for (number, line) in (1..).zip(lines) {
        let mut text = line.trim_ascii();
        if text.starts_with(END) {
            let Some((_, lines)) = block.take() else {
                return Err(format!(
                    "an armored block ends in line {number} that has not begun: put `{BEGIN_LINE}` and an \
                     empty line before it, fetch the file again, or remove the block"
                ));
            };
            parts.push(content_of(&lines)?);
            // The next file may have been appended to one without a final line end.
            text = after_end(text);
        }
        if let Some(rest) = text.strip_prefix(BEGIN) {
            if let Some((begun, _)) = block {
                return Err(format!(
                    "an armored block begins in line {number} inside another, which began in line {begun}: put \
                     `{END_LINE}` before it, or fetch the file again"
                ));
            }
            match rest {
                // A revocation alone may be labelled either way.
                b"PUBLIC KEY BLOCK-----" | b"SIGNATURE-----" => {}
                b"PRIVATE KEY BLOCK-----" => return Err(SECRET.to_owned()),
                near if near.starts_with(b"PUBLIC KEY BLOCK") || near.starts_with(b"SIGNATURE") => {
                    return Err(damaged_frame(number, text));
                }
                other => return Err(format!("holds a PGP {}, not a certificate", printable(other))),
            }
            block = Some((number, Vec::new()));
        } else if holds(text, BEGIN) || holds(text, END) {
            // gpg puts a colon before the revocations that it makes in advance.
            return Err(format!(
                "there is text before `-----` on line {number}, so no program reads the block: remove it (gpg \
                 puts a colon before a revocation to prevent accidental publication)"
            ));
        } else if is_near_frame(text) {
            return Err(damaged_frame(number, text));
        } else if let Some((_, lines)) = &mut block {
            lines.push(text);
        } else if let Some(label) = foreign {
            if is_frame(text, b"END ", label) {
                foreign = None;
            }
        } else if let Some(label) = FOREIGN.iter().find(|label| is_frame(text, b"BEGIN ", label)) {
            foreign = Some(label);
        } else if is_like_armor(text) {
            return Err(format!(
                "line {number} looks like armor outside a block, so no program reads it: put `{BEGIN_LINE}` and \
                 an empty line before the block and `{END_LINE}` after it, or remove it"
            ));
        } else if text.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
            return Err(format!("line {number} is neither armor nor text: put binary keys into a separate file"));
        }
    }
    if let Some(label) = foreign {
        return Err(format!("a block of a {} has no end: remove it", printable(label)));
    }
    if let Some((begun, _)) = block {
        return Err(format!(
            "its armor has no end: put `{END_LINE}` after the block that begins on line {begun}, or fetch the file \
             again"
        ));
    }
    Ok(parts)
}

/// Other kinds of keys found in such files, like those for IMA signatures (RFC 7468); they are skipped.
const FOREIGN: &[&[u8]] = &[b"PUBLIC KEY", b"RSA PUBLIC KEY", b"CERTIFICATE", b"TRUSTED CERTIFICATE"];

/// Whether a line is the first or the last one of a block with this label.
fn is_frame(text: &[u8], which: &[u8], label: &[u8]) -> bool {
    let inner = text.strip_prefix(b"-----").and_then(|text| text.strip_suffix(b"-----"));
    inner.and_then(|text| text.strip_prefix(which)) == Some(label)
}

const BEGIN: &[u8] = b"-----BEGIN PGP ";
const END: &[u8] = b"-----END PGP ";
const BEGIN_LINE: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END_LINE: &str = "-----END PGP PUBLIC KEY BLOCK-----";

fn holds(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|part| part == what)
}

/// The rest of a line after the end of a block.
fn after_end(line: &[u8]) -> &[u8] {
    let name = line.get(END.len()..).unwrap_or_default();
    let dashes = name.windows(5).position(|part| part == b"-----");
    dashes.and_then(|at| name.get(at.saturating_add(5)..)).unwrap_or_default().trim_ascii()
}

/// The words of a line, whatever separates them.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether it is the first or last line of a block except for its dashes and spaces, which mail programs change.
fn is_near_frame(text: &[u8]) -> bool {
    words(text).zip(words(text).skip(1)).any(|pair| matches!(pair, (b"BEGIN" | b"END", b"PGP")))
}

fn damaged_frame(number: usize, text: &[u8]) -> String {
    if words(text).any(|word| word == b"PRIVATE") {
        return SECRET.to_owned();
    }
    let right = if words(text).any(|word| word == b"BEGIN") { BEGIN_LINE } else { END_LINE };
    format!(
        "line {number} looks like that of an armored block, but its dashes or blanks were changed (by a mail \
         program?), so no program reads the block: write `{right}` on a line of its own instead, fetch the file \
         again, or remove the line"
    )
}

/// Whether it looks like a line of armor: only base64, and neither a fingerprint nor a decorative line.
fn is_like_armor(text: &[u8]) -> bool {
    const SHORTEST: usize = 40;
    // As in a quoted mail.
    let quoted = text.iter().take_while(|byte| matches!(byte, b'>' | b'|' | b':' | b' ' | b'\t')).count();
    let text = text.get(quoted..).unwrap_or_default();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = text.iter().take_while(|byte| is_digit(byte)).count();
    let filled = text.iter().skip(digits).all(|byte| *byte == b'=');
    digits >= SHORTEST
        && filled
        && text.iter().any(u8::is_ascii_lowercase)
        && text.iter().any(u8::is_ascii_uppercase)
        && !text.iter().all(u8::is_ascii_hexdigit)
}

/// Where text begins that was appended to a binary file, such as an armored block: after its last packet.
fn text_after_packets(bytes: &[u8]) -> Option<usize> {
    // A text may begin with a letter that is not ASCII, which looks like a packet. Binary keys are not UTF-8.
    let (mut read, mut binary_end) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        read = read.checked_add(chunk.valid().len())?.checked_add(chunk.invalid().len())?;
        if !chunk.invalid().is_empty() {
            binary_end = read;
        }
    }
    let mut at = 0_usize;
    let rest = loop {
        let rest = bytes.get(at..)?;
        match rest {
            rest if at >= binary_end && std::str::from_utf8(rest).is_ok() => break rest,
            [first, ..] if first & 0x80 != 0 => at = at.checked_add(packet_length(rest)?)?,
            _ => break rest,
        }
    };
    let is_text =
        std::str::from_utf8(rest).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    (is_text && !rest.trim_ascii().is_empty()).then_some(at)
}

/// The length of a packet including its header, if it is given (RFC 9580, section 4.2).
fn packet_length(bytes: &[u8]) -> Option<usize> {
    let number =
        |bytes: &[u8]| bytes.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()));
    let (head, body) = match bytes {
        [first, rest @ ..] if first & 0x40 == 0 => {
            let octets = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            (octets, number(rest.get(..octets)?)?)
        }
        [_, 0xff, rest @ ..] => (5, number(rest.get(..4)?)?),
        [_, one, ..] if *one < 192 => (1, usize::from(*one)),
        [_, one, two, ..] if *one < 224 => (
            2,
            usize::from(*one).checked_sub(192)?.checked_mul(256)?.checked_add(usize::from(*two))?.checked_add(192)?,
        ),
        _ => return None,
    };
    body.checked_add(head)?.checked_add(1)
}

/// Decodes the lines of one block.
fn content_of(lines: &[&[u8]]) -> Result<Vec<u8>, String> {
    let bad = |why: &str| format!("its armor cannot be read: {why}");
    let is_header = |line: &&&[u8]| line.contains(&b':');
    let headers = lines.iter().take_while(|line| line.is_empty() || is_header(line)).count();
    let mut text = Vec::new();
    let mut sum = None;
    for line in lines.iter().skip(headers).filter(|line| !line.is_empty()) {
        match line.strip_prefix(b"=") {
            Some(digits) if digits.len() == 4 && sum.is_none() => sum = Some(*line),
            _ if sum.is_some() => return Err(bad("there is text after its checksum")),
            _ => text.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace())),
        }
    }
    let content = STANDARD.decode(&text).map_err(|_| bad("it is not base64"))?;
    if sum.is_some_and(|sum| sum != checksum_line(&content).as_bytes()) {
        return Err(bad("its checksum does not match, so it is damaged; fetch it again"));
    }
    Ok(content)
}

/// The checksum of armor, as a line (RFC 4880, section 6.1).
fn checksum_line(content: &[u8]) -> String {
    let sum = content.iter().fold(0x00b7_04ce_u32, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 16), |sum, _| {
            let shifted = sum << 1;
            if shifted & 0x0100_0000 == 0 { shifted } else { shifted ^ 0x0186_4cfb }
        })
    });
    let [_, bytes @ ..] = sum.to_be_bytes();
    format!("={}", STANDARD.encode(bytes))
}

/// Writes packets as one armored block.
pub(super) fn armor(packets: &[u8]) -> String {
    let mut text = format!("{BEGIN_LINE}\n\n");
    let encoded = STANDARD.encode(packets);
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&checksum_line(packets));
    text.push('\n');
    text.push_str(END_LINE);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::packet::Packet;
    use sequoia_openpgp::serialize::SerializeInto as _;

    use super::*;

    /// A block of 100 bytes that stand for a certificate or a revocation.
    fn block(byte: u8) -> String {
        let text = STANDARD.encode((0..100).map(|at| byte.wrapping_mul(at)).collect::<Vec<u8>>());
        let (one, other) = text.split_at(64);
        format!("{BEGIN_LINE}\n\n{one}\n{other}\n{END_LINE}\n")
    }

    #[test]
    fn a_block_that_a_mail_program_damaged_is_named_with_its_line_and_the_cure() {
        let (good, revocation) = (block(3).repeat(2), block(7));
        let lines: Vec<&str> = revocation.lines().collect();
        let without_frame = format!("{}\n{}\n", lines[2], lines[3]);
        let frame = |damaged: &str| format!("line 11 looks like that of an armored block{damaged}");
        let begin = frame(", but its dashes or blanks were changed");
        for (text, says, cure) in [
            (revocation.replace("-----", "—–"), begin.as_str(), BEGIN_LINE),
            (revocation.replace("-----BEGIN", "----BEGIN"), &begin, BEGIN_LINE),
            (revocation.replace("BLOCK-----", "BLOCK----"), &begin, BEGIN_LINE),
            (revocation.replace("BLOCK-----", "BLOCK—–"), &begin, BEGIN_LINE),
            (revocation.replace("-----BEGIN PGP ", "-----BEGIN\u{a0}PGP\u{a0}"), &begin, BEGIN_LINE),
            (revocation.replace('-', "- "), &begin, BEGIN_LINE),
            (revocation.replace("-----END", "—–END"), "line 15 looks like that of", END_LINE),
            (without_frame.clone(), "line 11 looks like armor outside a block", BEGIN_LINE),
            (format!("> {without_frame}"), "line 11 looks like armor outside a block", END_LINE),
            (lines[1..].join("\n"), "line 12 looks like armor outside a block", BEGIN_LINE),
            (lines[..4].join("\n"), "its armor has no end", END_LINE),
            (lines[4].to_owned(), "an armored block ends in line 11 that has not begun", BEGIN_LINE),
            (
                lines[0].to_owned() + "\n" + &revocation,
                "begins in line 12 inside another, which began in line 11",
                END_LINE,
            ),
            (revocation.replace("PUBLIC", "PRIVATE").replace("-----", "—–"), "holds a secret key", "--export"),
        ] {
            let text = format!("{good}{text}");
            for text in [text.replace('\n', "\r\n"), text.replace('\n', "\r"), text] {
                let complaint = parts_of(text.as_bytes()).unwrap_err();
                assert!(complaint.contains(says) && complaint.contains(cure), "{complaint}\n---\n{text}");
            }
        }
        // At the beginning of a file, where the first byte is not ASCII.
        let complaint = parts_of(revocation.replace("-----", "—–").as_bytes()).unwrap_err();
        assert!(complaint.starts_with("line 1 looks like that of an armored block"), "{complaint}");
    }

    #[test]
    fn words_and_fingerprints_around_blocks_are_passed_over() {
        let fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567";
        for text in [
            "The key of the project. It may end PGP days.",
            "Über den Schlüssel:",
            fingerprint,
            &fingerprint.to_lowercase(),
            &fingerprint.repeat(2),
            &"=".repeat(72),
            &"+/".repeat(30),
            "http://repository.example.org/SomeLongPathThatGoesOnAndOnAndOnWithoutAnEnd",
        ] {
            let file = format!("{text}\n{}{text}\n{}", block(3), block(5));
            assert_eq!(parts_of(file.as_bytes()).map(|parts| parts.len()), Ok(2), "{text}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_passed_over_and_what_only_looks_like_one_is_not() {
        let base64 = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE541hlq0vUfDYgue/OeOLndE0ljG+";
        let pem = |label: &str| format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n");
        for label in ["PUBLIC KEY", "CERTIFICATE"] {
            assert_eq!(parts_of(pem(label).as_bytes()).map(|parts| parts.len()), Ok(0), "{label}");
            let beside = format!("{}{}{}", block(3), pem(label), block(5));
            assert_eq!(parts_of(beside.as_bytes()).map(|parts| parts.len()), Ok(2), "{label}");
        }
        // A revocation may have lost a word of its frame, or be in one that never ends.
        let no_end = format!("-----BEGIN CERTIFICATE-----\n{base64}\n");
        for damaged in [pem("PUBLIC KEY BLOCK"), pem("SIGNATURE"), no_end] {
            assert!(parts_of(format!("{}{damaged}", block(3)).as_bytes()).is_err(), "{damaged}");
        }
    }

    #[test]
    fn a_block_that_was_appended_to_a_file_without_a_line_end_is_read() {
        let (one, other) = (block(3), block(5));
        let joined = format!("{}{other}", one.trim_end());
        assert!(joined.contains("----------BEGIN"), "{joined}");
        assert_eq!(parts_of(joined.as_bytes()), parts_of(format!("{one}{other}").as_bytes()));
        for (after, says) in [
            (other.replace("-----BEGIN", "----BEGIN"), "line 5 looks like that of an armored block"),
            (format!(":{other}"), "there is text before `-----` on line 5"),
            (other.lines().nth(2).unwrap().to_owned(), "line 5 looks like armor"),
        ] {
            let complaint = parts_of(format!("{}{after}", one.trim_end()).as_bytes()).unwrap_err();
            assert!(complaint.contains(says), "{complaint}");
        }
    }

    #[test]
    fn text_after_a_binary_key_is_named_with_the_byte_where_it_begins() {
        let cert = CertBuilder::new().add_userid("a").add_signing_subkey().generate().unwrap().0;
        let user_id = Packet::from(sequoia_openpgp::packet::UserID::from("x".repeat(1000))).to_vec().unwrap();
        // Packets with lengths of one, two and four octets, in the old and the new format.
        let old = [&[0x88, 3][..], b"old", &[0x89, 0, 3], b"old", &[0x8a, 0, 0, 0, 3], b"old"].concat();
        let long = [&[0xcd, 0xff, 0, 0, 0, 2][..], b"xy"].concat();
        let binary = [cert.to_vec().unwrap(), user_id, old, long].concat();
        let revocation = block(7);
        for text in [
            revocation.clone(),
            format!("\n{revocation}"),
            format!("This is a revocation.\n:{revocation}"),
            revocation.replace("-----", "—–"),
        ] {
            let complaint = parts_of(&[&binary[..], text.as_bytes()].concat()).unwrap_err();
            let says = format!("text follows a binary key from byte {} on", binary.len());
            assert!(complaint.starts_with(&says), "{complaint}");
            assert!(complaint.contains(&format!("`tail -c +{} FILE`", binary.len() + 1)), "{complaint}");
        }
        assert_eq!(parts_of(&binary), Ok(vec![binary.clone()]));
        // Anything that is not text is left to the library.
        for end in 1..binary.len() {
            let cut = binary.get(..end).unwrap();
            assert_eq!(parts_of(cut), Ok(vec![cut.to_vec()]));
        }
    }
}
