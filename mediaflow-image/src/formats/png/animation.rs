/// What the chunks of an animation say, as they come: a file that breaks their rules is shown as the still that it also is.
#[derive(Debug, Default)]
pub(super) struct Animation {
    /// How many frames there are to be; zero without an animation.
    frames: u32,
    found: u32,
    /// The number that the next chunk of it has.
    next: u32,
    broken: bool,
}

impl Animation {
    /// Whether a chunk belongs to animations, and how many of its bytes tell what is to be known: `None` for all.
    pub(super) fn has(kind: [u8; 4]) -> Option<Option<u64>> {
        match &kind {
            b"acTL" | b"fcTL" => Some(None),
            b"fdAT" => Some(Some(4)),
            _ => None,
        }
    }

    /// One chunk. `data` is none if it is damaged; `pixels` is whether those of the still have come, of which `size` is.
    pub(super) fn chunk(
        &mut self,
        kind: [u8; 4],
        data: Option<&[u8]>,
        size: (u32, u32),
        pixels: bool,
    ) {
        let fine = data.is_some_and(|data| match &kind {
            b"acTL" => self.control(data, pixels),
            b"fcTL" => self.frame(data, size, pixels),
            _ => self.found > 0 && pixels && self.number(data),
        });
        self.broken |= !fine;
    }

    fn control(&mut self, data: &[u8], pixels: bool) -> bool {
        let first = self.frames == 0 && !pixels;
        self.frames = number(data, 0).unwrap_or(0);
        first && data.len() == 8 && self.frames > 0
    }

    fn frame(&mut self, data: &[u8], (width, height): (u32, u32), pixels: bool) -> bool {
        self.found += 1;
        let value = |at| number(data, at).map_or(u64::MAX, u64::from);
        let (w, h, x, y) = (value(4), value(8), value(12), value(16));
        let whole = (w, h, x, y) == (u64::from(width), u64::from(height), 0, 0);
        let inside = w > 0
            && h > 0
            && w.saturating_add(x) <= u64::from(width)
            && h.saturating_add(y) <= u64::from(height);
        // What becomes of it when it has been shown, and how it is put over what was there.
        let shown = data.get(24..).is_some_and(|how| matches!(how, [0..=2, 0..=1]));
        self.frames > 0 && shown && self.number(data) && inside && (pixels || whole)
    }

    fn number(&mut self, data: &[u8]) -> bool {
        let fits = number(data, 0) == Some(self.next);
        self.next = self.next.wrapping_add(1);
        fits
    }

    /// Whether there is none so far, whole or broken.
    pub(super) fn is_none(&self) -> bool {
        self.frames == 0 && !self.broken
    }

    /// How many frames the file has, once all chunks were seen; `None` for a broken one, or none.
    pub(super) fn frames(&self) -> Option<u32> {
        let whole = self.frames > 0 && !self.broken && self.found == self.frames;
        whole.then_some(self.frames)
    }
}

fn number(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
