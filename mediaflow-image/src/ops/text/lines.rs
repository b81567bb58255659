use std::collections::BTreeSet;
use std::ops::Range;

use rustybuzz::ttf_parser::GlyphId;
use rustybuzz::{Direction, UnicodeBuffer, shape};
use unicode_bidi::ParagraphBidiInfo;
use unicode_linebreak::linebreaks;
use unicode_script::{Script, UnicodeScript as _};

use super::faces::Faces;

/// A glyph where it stands: from the beginning of its line, and down from the line, in sizes.
pub(super) struct Glyph {
    pub(super) face: usize,
    pub(super) id: GlyphId,
    pub(super) x: f32,
    pub(super) y: f32,
}

/// Glyphs from the left to the right.
#[derive(Default)]
pub(super) struct Line {
    pub(super) glyphs: Vec<Glyph>,
    /// In sizes.
    pub(super) width: f32,
}

/// The lines of a text, none wider than so many sizes if that can be, and the letters that no font has.
pub(super) fn lines(text: &str, room: f32, faces: &Faces<'_>) -> (Vec<Line>, BTreeSet<char>) {
    let mut missing = BTreeSet::new();
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let plain: String =
            paragraph.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut paragraph = Paragraph {
            parts: parts(&plain, faces, &mut missing),
            bidi: ParagraphBidiInfo::new(&plain, None),
            text: &plain,
            faces,
        };
        paragraph.broken(room, &mut lines);
    }
    (lines, missing)
}

struct Paragraph<'a> {
    text: &'a str,
    bidi: ParagraphBidiInfo<'a>,
    /// What is of one script and one font.
    parts: Vec<(Range<usize>, usize)>,
    faces: &'a Faces<'a>,
}

impl Paragraph<'_> {
    /// Breaks it where the next word would stand out.
    fn broken(&mut self, room: f32, lines: &mut Vec<Line>) {
        let (mut start, mut end, mut width) = (0, 0, 0.0);
        for (next, _) in linebreaks(self.text) {
            let word = self.line(end..next).width;
            if end > start && width + self.line(self.trimmed(end..next)).width > room {
                lines.push(self.line(self.trimmed(start..end)));
                (start, width) = (end, 0.0);
            }
            end = next;
            width += word;
        }
        lines.push(self.line(self.trimmed(start..self.text.len())));
    }

    /// Without the spaces at its end.
    fn trimmed(&self, line: Range<usize>) -> Range<usize> {
        line.start..line.start + self.text[line].trim_end().len()
    }

    /// Shapes a part of it as a line of its own.
    fn line(&self, range: Range<usize>) -> Line {
        let mut line = Line::default();
        if range.is_empty() {
            return line;
        }
        let (levels, runs) = self.bidi.visual_runs(range);
        for run in runs {
            let backwards = levels[run.start].is_rtl();
            let within = self.parts.iter().filter_map(|(part, face)| {
                let part = part.start.max(run.start)..part.end.min(run.end);
                (!part.is_empty()).then_some((part, *face))
            });
            let mut within: Vec<_> = within.collect();
            if backwards {
                within.reverse();
            }
            for (part, face) in within {
                self.shape(&self.text[part], face, backwards, &mut line);
            }
        }
        line
    }

    #[expect(clippy::cast_precision_loss, reason = "units of a font are a few thousand")]
    fn shape(&self, text: &str, index: usize, backwards: bool, line: &mut Line) {
        let face = self.faces.get(index);
        let unit = 1.0 / face.units_per_em().max(1) as f32;
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(if backwards {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        buffer.guess_segment_properties();
        let shaped = shape(face, &[], buffer);
        for (glyph, at) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()) {
            line.glyphs.push(Glyph {
                face: index,
                id: GlyphId(u16::try_from(glyph.glyph_id).unwrap_or(0)),
                x: line.width + at.x_offset as f32 * unit,
                y: -(at.y_offset as f32) * unit,
            });
            line.width += at.x_advance as f32 * unit;
        }
    }
}

/// Cuts a text where its script or its font changes.
fn parts(
    text: &str,
    faces: &Faces<'_>,
    missing: &mut BTreeSet<char>,
) -> Vec<(Range<usize>, usize)> {
    let mut parts: Vec<(Range<usize>, usize)> = Vec::new();
    let mut script = Script::Common;
    for (at, letter) in text.char_indices() {
        let end = at + letter.len_utf8();
        let of = letter.script();
        let before = parts.last().map(|(_, face)| *face);
        let joins = of == Script::Inherited || is_joiner(letter);
        // A mark is of the font of its letter, and a space of that before it.
        let rather = before.filter(|_| joins || of == Script::Common);
        let face = faces.with(letter, rather);
        if face.is_none() && !joins {
            missing.insert(letter);
        }
        let face = face.filter(|_| !joins).or(before).or(face).unwrap_or(0);
        let same = of == script || matches!(of, Script::Common | Script::Inherited);
        match parts.last_mut() {
            Some((part, last)) if *last == face && (same || script == Script::Common) => {
                part.end = end;
            }
            _ => parts.push((at..end, face)),
        }
        if !matches!(of, Script::Common | Script::Inherited) {
            script = of;
        }
    }
    parts
}

/// Whether it only says how its neighbours are shown: joiners, marks of direction, and selectors of variants.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}
