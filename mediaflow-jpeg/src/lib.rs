//! JPEG at an eighth or a quarter of its size, faster than by decoding it all.
//!
//! Four fifths of the time that a thumbnail takes go into reading coefficients that nobody looks at. At an eighth of the size a
//! block of 8 x 8 pixels becomes one, and of its 64 coefficients only the first counts, their mean: the others are passed over,
//! several at a look into a table. Of a progressive file only the scans that are needed are read. Of colours that are sampled at
//! half the size three coefficients more are taken, so that they are as fine as luma. At a quarter these three are taken of all
//! blocks: a block becomes 2 x 2 pixels.
//!
//! ```
//! # fn shown(file: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! use mediaflow_jpeg::{Control, Jpeg};
//!
//! let jpeg = Jpeg::parse(file)?;
//! let planes = jpeg.eighth(&Control::new(64 << 20))?;
//! let (width, height) = (planes.width(), planes.height());
//! let pixels = planes.to_pixels();
//! assert_eq!(pixels.len(), (width * height) as usize * usize::from(planes.channels()));
//! # Ok(())
//! # }
//! ```
//!
//! What is read: 8 bits, Huffman codes, one component or three, sampled in any way that divides evenly; baseline, extended and
//! progressive, with components in one scan or in several. [`Jpeg::parse`] tells by the header, and at last [`Jpeg::eighth`], what
//! is left to a decoder of everything ([`Failure::Unsupported`]): four components, 12 bits, arithmetic codes, a height that comes
//! behind the data, and files with oddities that a tolerant decoder reads.
//!
//! What is damaged is never a success ([`Damage`]), with one exception: of a progressive file the scans that are not needed are
//! looked through for where they end, not for what they say.
//!
//! By the same tables a file is cut in two for who decodes both parts at the same time ([`Jpeg::halves`]), and a damaged scan is
//! read as far as its codes go ([`Layout::rebuilt`]).
//!
//! Beside that there are all [`Coefficients`] of a file, to write them again in another way without a loss, to turn a picture or
//! to have a part of it, or to put strips of one together; [`Jpeg::bare`] copies a picture without what is beside it:
//!
//! ```
//! # fn smaller(file: &[u8]) -> Result<Vec<u8>, mediaflow_jpeg::Failure> {
//! use mediaflow_jpeg::{Control, Jpeg};
//!
//! let control = Control::new(256 << 20);
//! Jpeg::parse(file)?.coefficients(&control)?.write(true, &control) // progressive
//! # }
//! ```

mod area;
mod bare;
mod baseline;
mod bits;
mod blind;
mod codes;
mod coefficients;
mod color;
mod corners;
mod cut;
mod differences;
mod failure;
mod feed;
mod header;
mod lanes;
mod planes;
mod progressive;
mod rebuild;
mod scans;
mod skips;
mod view;

pub use codes::Codes;
pub use coefficients::Coefficients;
pub use cut::Halves;
pub use failure::{Damage, Failure, Unsupported};
pub use header::{Coding, Jpeg};
use planes::Size;
pub use planes::{Plane, Planes};
pub use rebuild::{Layout, Rebuilt};
pub use view::View;

/// What holds a decode back.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    memory: u64,
    coarse: bool,
    stop: &'a dyn Fn() -> bool,
}

impl Control<'static> {
    /// No more than so many bytes beside the file, for the planes and all that it takes to make them. See [`Jpeg::memory`].
    #[must_use]
    pub fn new(memory: u64) -> Self {
        Self { memory, coarse: false, stop: &|| false }
    }
}

impl<'a> Control<'a> {
    /// Is asked a few hundred times for each megabyte, and ends the decode with [`Failure::Stopped`] by a `true`.
    #[must_use]
    pub fn stopped_by(self, stop: &'a dyn Fn() -> bool) -> Self {
        Self { stop, ..self }
    }

    /// At an eighth, colours that are sampled more coarsely than luma, as those of most photos are, come from means alone as well: a mean of them
    /// stands for 16 x 16 pixels. That is a fifth faster, and seen where small things differ in colour. Without it they are as
    /// fine as luma.
    #[must_use]
    pub fn coarse(self) -> Self {
        Self { coarse: true, ..self }
    }

    fn check(&self) -> Result<(), Failure> {
        if (self.stop)() { Err(Failure::Stopped) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Jpeg<'_> {
    /// The picture at an eighth of its size, each side rounded up.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn eighth(&self, control: &Control<'_>) -> Result<Planes, Failure> {
        self.decode(Size::Eighth { coarse: control.coarse }, control)
    }

    /// The picture at a quarter of its size, each side rounded up; [`Control::coarse`] changes nothing. Waves that are shorter than
    /// what it can show are left out, and not mixed with the others as by the mean of 4 x 4 pixels: it is sharper than that. Of a
    /// progressive file the last bits of slopes are read where that is seen, as mostly below a quality of 90: it takes longer.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn quarter(&self, control: &Control<'_>) -> Result<Planes, Failure> {
        self.decode(Size::Quarter, control)
    }

    fn decode(&self, size: Size, control: &Control<'_>) -> Result<Planes, Failure> {
        let needed = self.memory();
        if needed > control.memory {
            return Err(Failure::TooLarge { needed, limit: control.memory });
        }
        match self.coding() {
            Coding::Progressive => progressive::decode(self, size, control),
            _ => baseline::decode(self, size, control),
        }
    }
}
