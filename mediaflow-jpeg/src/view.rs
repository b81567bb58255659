/// A part of a picture, and how that is laid down: the axes are swapped first, then it is mirrored. See
/// [`Coefficients::view`](crate::Coefficients::view).
///
/// ```
/// use mediaflow_jpeg::View;
///
/// // Clockwise by a quarter.
/// let turned = View { transpose: true, mirror_x: true, ..View::whole(4032, 3024) };
/// assert_eq!(turned.size(), (3024, 4032));
/// assert!(turned.is_on_units((16, 16)));
/// // The last row of units is not full, and would come to be the first column.
/// assert!(!View { height: 3000, ..turned }.is_on_units((16, 16)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a rectangle, and the eight ways to lay it down")]
pub struct View {
    /// Where the part begins, in pixels of the picture as stored.
    pub left: u32,
    /// Likewise.
    pub top: u32,
    /// Its size, in pixels before it is turned.
    pub width: u32,
    /// Likewise.
    pub height: u32,
    /// Rows become columns.
    pub transpose: bool,
    /// Left becomes right, after that.
    pub mirror_x: bool,
    /// Top becomes bottom, after that.
    pub mirror_y: bool,
}

impl View {
    /// All of a picture, as it is.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        let (left, top) = (0, 0);
        Self { left, top, width, height, transpose: false, mirror_x: false, mirror_y: false }
    }

    /// Width and height once it is turned, in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        if self.transpose { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Whether coefficients can be laid down so, of a picture of such units ([`Jpeg::unit`](crate::Jpeg::unit)): the edges at which
    /// the result begins have to be edges of units. At its other edges it may end within one.
    #[must_use]
    pub fn is_on_units(&self, unit: (u32, u32)) -> bool {
        let (back_x, back_y) = self.backwards();
        let fits = |start: u32, length: u32, back: bool, unit: u32| {
            let begin = if back { start.checked_add(length) } else { Some(start) };
            begin.is_some_and(|begin| begin.is_multiple_of(unit))
        };
        fits(self.left, self.width, back_x, unit.0) && fits(self.top, self.height, back_y, unit.1)
    }

    /// Whether it shows something of a picture of this size, and nothing beyond.
    pub(crate) fn is_within(&self, (width, height): (u32, u32)) -> bool {
        let fits = |start: u32, length: u32, side: u32| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= side)
        };
        fits(self.left, self.width, width) && fits(self.top, self.height, height)
    }

    /// Whether the columns, and the rows, of the picture come in their reverse order.
    pub(crate) fn backwards(&self) -> (bool, bool) {
        if self.transpose { (self.mirror_y, self.mirror_x) } else { (self.mirror_x, self.mirror_y) }
    }
}
