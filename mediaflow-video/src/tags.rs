//! What a film says of itself as a whole, and what of that a result says.

use mediaflow_core::media::{MetadataPolicy, upright_xmp};

/// Bytes of one text that are kept.
const MAX_TEXT: usize = 4096;

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Title,
    Artist,
    Copyright,
    Comment,
    Description,
    Album,
    Genre,
    Date,
    /// By ISO 6709.
    Place,
    Maker,
    Model,
}

/// What is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    said: Vec<(Tag, String)>,
    /// A packet of XMP.
    pub(crate) packet: Option<Vec<u8>>,
}

impl Tags {
    /// What is said first counts.
    pub(crate) fn add(&mut self, tag: Tag, text: &str) {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        let end = text.floor_char_boundary(MAX_TEXT);
        let is_new = !text.is_empty() && !self.said.iter().any(|(known, _)| *known == tag);
        if let Some(text) = text.get(..end).filter(|_| is_new) {
            self.said.push((tag, text.to_owned()));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Tag, &str)> {
        self.said.iter().map(|(tag, text)| (*tag, text.as_str()))
    }

    /// Whether nothing is said in words that are known here.
    pub(crate) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// What a policy lets through.
    pub(crate) fn kept(&self, policy: MetadataPolicy) -> Self {
        let is_kept = |tag: Tag| match policy {
            MetadataPolicy::Keep => true,
            MetadataPolicy::Copyright => matches!(tag, Tag::Artist | Tag::Copyright),
            _ => false,
        };
        // The picture was turned.
        let packet = self.packet.as_ref().filter(|_| policy == MetadataPolicy::Keep);
        Self {
            said: self.said.iter().filter(|(tag, _)| is_kept(*tag)).cloned().collect(),
            packet: packet.map(|packet| upright_xmp(packet)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_lets_through_what_it_says() {
        let mut tags = Tags::default();
        for (tag, text) in [
            (Tag::Place, "+48.8577+002.2950/"),
            (Tag::Artist, " Jane\0"),
            (Tag::Artist, "Joe"),
            (Tag::Comment, "  "),
            (Tag::Copyright, &"ä".repeat(MAX_TEXT)),
        ] {
            tags.add(tag, text);
        }
        let kept = |policy| tags.kept(policy).iter().map(|(tag, _)| tag).collect::<Vec<_>>();
        assert_eq!(kept(MetadataPolicy::Keep), [Tag::Place, Tag::Artist, Tag::Copyright]);
        assert_eq!(kept(MetadataPolicy::Copyright), [Tag::Artist, Tag::Copyright]);
        assert!(tags.kept(MetadataPolicy::Private).is_empty());
        assert!(tags.kept(MetadataPolicy::Strip).is_empty());
        assert_eq!(tags.said[1].1, "Jane");
        assert_eq!(tags.said[2].1.len(), MAX_TEXT);
        tags.packet = Some(b"<a tiff:Orientation='6'/>".to_vec());
        let packet = |policy| tags.kept(policy).packet;
        assert_eq!(packet(MetadataPolicy::Keep).unwrap(), b"<a tiff:Orientation='1'/>");
        assert_eq!([MetadataPolicy::Copyright, MetadataPolicy::Private].map(packet), [None, None]);
    }
}
