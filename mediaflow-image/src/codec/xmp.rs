//! The little of XMP that matters here: who made a picture, and where a long packet goes on. A packet is looked through as text: what it is
//! in other respects is for who wrote it.

use super::exif::{About, Credit};

const ARTIST: &str = "dc:creator";
const COPYRIGHT: &str = "dc:rights";
const TITLE: &str = "dc:title";
const DESCRIPTION: &str = "dc:description";
const KEYWORDS: &str = "dc:subject";

/// What names the rest of a packet that is longer than a segment of a JPEG.
const REST: &str = "xmpNote:HasExtendedXMP";

/// Where properties stand.
const LIST: &str = "<rdf:RDF";
const LIST_END: &str = "</rdf:RDF>";

/// Bytes of a name or a text that are looked at.
const MAX_TEXT: usize = 4096;

/// Items of a list that are looked at.
const MAX_ITEMS: usize = 256;

/// Who made a picture, and whose it is.
pub(crate) fn credit(packet: &[u8]) -> Credit {
    let Ok(packet) = std::str::from_utf8(packet) else { return Credit::default() };
    let credit = Credit::of(texts(packet, ARTIST), texts(packet, COPYRIGHT));
    let (title, description) = (texts(packet, TITLE), texts(packet, DESCRIPTION));
    let about = About { title, description, keywords: items(packet, KEYWORDS).unwrap_or_default() };
    Credit { about, ..credit }
}

/// Those who made a picture, each by itself.
pub(crate) fn artists(packet: &[u8]) -> Vec<String> {
    std::str::from_utf8(packet).ok().and_then(|packet| items(packet, ARTIST)).unwrap_or_default()
}

/// What a packet says by a name of these: of the first that it has.
pub(crate) fn said(packet: &[u8], names: &[&str]) -> Option<String> {
    let packet = std::str::from_utf8(packet).ok()?;
    names.iter().find_map(|name| texts(packet, name))
}

/// A packet that says this, and nothing else.
pub(crate) fn packet(credit: &Credit) -> Option<Vec<u8>> {
    if *credit == Credit::default() {
        return None;
    }
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let list = |name: &str, list: &str, language: &str, texts: &[String]| {
        if texts.is_empty() {
            return String::new();
        }
        let item = |text: &String| format!("<rdf:li{language}>{}</rdf:li>", escaped(text));
        let items: String = texts.iter().map(item).collect();
        format!("<{name}><rdf:{list}>{items}</rdf:{list}></{name}>")
    };
    let choice =
        |name, text: &Option<String>| list(name, "Alt", " xml:lang=\"x-default\"", text.as_slice());
    let About { title, description, keywords } = &credit.about;
    let artists = text(&credit.artist);
    let artists = artists.iter().flat_map(|all| all.split("; ")).map(str::to_owned);
    let properties = [
        list(ARTIST, "Seq", "", &artists.collect::<Vec<_>>()),
        choice(COPYRIGHT, &text(&credit.copyright)),
        choice(TITLE, title),
        choice(DESCRIPTION, description),
        list(KEYWORDS, "Bag", "", keywords),
    ];
    Some(enclosed("dc=\"http://purl.org/dc/elements/1.1/\"", &properties.concat()))
}

/// A packet with these properties, of a namespace.
fn enclosed(namespace: &str, properties: &str) -> Vec<u8> {
    let packet = format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:{namespace}>\
         {properties}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    );
    packet.into_bytes()
}

/// The name of the rest, if a packet has one.
pub(crate) fn rest_of(packet: &[u8]) -> Option<String> {
    texts(std::str::from_utf8(packet).ok()?, REST)
}

/// A packet that says nothing but the name of its rest.
pub(crate) fn naming(name: &str) -> Vec<u8> {
    let named = format!("<{REST}>{name}</{REST}>");
    enclosed("xmpNote=\"http://ns.adobe.com/xmp/note/\"", &named)
}

/// What is between the instructions around a packet.
pub(crate) fn bare(packet: &[u8]) -> &[u8] {
    const META: &[u8] = b"<x:xmpmeta";
    const META_END: &[u8] = b"</x:xmpmeta>";
    let begin = packet.windows(META.len()).position(|window| window == META);
    let end = packet.windows(META_END.len()).rposition(|window| window == META_END);
    let bare = begin.zip(end).and_then(|(from, end)| packet.get(from..end + META_END.len()));
    bare.unwrap_or(packet)
}

/// A packet and its rest as one; nothing if either is not what it should be.
pub(crate) fn with_rest(packet: &[u8], rest: &[u8]) -> Option<Vec<u8>> {
    let (packet, rest) = (std::str::from_utf8(packet).ok()?, std::str::from_utf8(rest).ok()?);
    let (around, list) = rest.split_once(LIST)?;
    let (tag, list) = list.split_once('>')?;
    let (properties, _) = list.rsplit_once(LIST_END)?;
    // What is named around the properties would have to be named in the other packet.
    let names = |text: &str| text.matches("xmlns:").count();
    if names(around) > 1 || names(tag) > 1 {
        return None;
    }
    let (before, after) = packet.rsplit_once(LIST_END)?;
    Some([&unnamed(before)?, properties, LIST_END, after].concat().into_bytes())
}

/// Without the name of a rest.
fn unnamed(packet: &str) -> Option<String> {
    let end = format!("</{REST}>");
    if let Some((before, element)) = packet.split_once(&format!("<{REST}")) {
        let (_, after) = element.split_once(&end)?;
        return Some([before, after].concat());
    }
    let (before, attribute) = packet.split_once(REST)?;
    let quote = attribute.chars().nth(1)?;
    let (_, after) = attribute.get(2..)?.split_once(quote)?;
    Some([before, after].concat())
}

/// The texts of a property, one behind the other.
fn texts(packet: &str, name: &str) -> Option<String> {
    let text = items(packet, name)?.join("; ");
    (!text.is_empty()).then_some(text)
}

/// The texts of a property: an attribute, an element, or the items of its list, of which of several languages the first.
fn items(packet: &str, name: &str) -> Option<Vec<String>> {
    if let Some((_, element)) = packet.split_once(&format!("<{name}")) {
        let (_, rest) = element.split_once('>')?;
        let (body, _) = rest.split_once(&format!("</{name}>"))?;
        let is_choice = body.contains("<rdf:Alt");
        let items = body.split("<rdf:li").skip(1);
        let item = |item: &str| Some(item.split_once('>')?.1.split_once("</rdf:li>")?.0.to_owned());
        let mut items: Vec<String> = items.filter_map(item).collect();
        if is_choice {
            items.truncate(1);
        }
        if !body.contains("<rdf:li") {
            items.push(body.to_owned());
        }
        if items.iter().any(|text| text.contains('<')) {
            return None;
        }
        items.truncate(MAX_ITEMS);
        return items.iter().map(|text| plain(text)).collect();
    }
    let (_, value) = packet.split_once(&format!(" {name}="))?;
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    Some(vec![plain(value.get(1..)?.split(quote).next()?)?])
}

/// A text of XML as people read it.
fn plain(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text.trim();
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let named = after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        let (letter, after) = named.unwrap_or(('&', after));
        plain.push(letter);
        rest = after;
    }
    plain.push_str(rest);
    let mut ends = (0..=plain.len().min(MAX_TEXT)).rev();
    plain.truncate(ends.find(|end| plain.is_char_boundary(*end)).unwrap_or(0));
    Some(plain)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number).filter(|letter| !letter.is_control())
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(packet: &str) -> (Option<String>, Option<String>) {
        let Credit { artist, copyright, .. } = credit(packet.as_bytes());
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        (text(artist), text(copyright))
    }

    #[test]
    fn who_made_it_is_read_from_lists_elements_and_attributes() {
        let lists = "<dc:creator>\n<rdf:Seq><rdf:li>Jane &amp; Co</rdf:li> <rdf:li>Joe</rdf:li></rdf:Seq></dc:creator>\
            <dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>&#169; &#xC4;</rdf:li><rdf:li xml:lang='de'>D</rdf:li></rdf:Alt></dc:rights>";
        assert_eq!(said(lists), (Some("Jane & Co; Joe".into()), Some("© Ä".into())));
        assert_eq!(said("<a dc:rights='J' dc:creator=\"\"/>"), (None, Some("J".into())));
        assert_eq!(said("<dc:creator>Jane</dc:creator>"), (Some("Jane".into()), None));
        assert_eq!(said("<dc:creator><dc:rights>&"), (None, None));
    }

    #[test]
    fn what_is_written_is_read() {
        let known = Credit::of(Some("<Jane> & Co".to_owned()), Some("©".to_owned()));
        assert_eq!(credit(&packet(&known).unwrap()), known);
        assert_eq!(packet(&Credit::default()), None);
    }
}
