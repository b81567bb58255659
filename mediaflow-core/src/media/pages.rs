use std::fmt;
use std::sync::Arc;

use super::{Format, Image, MediaInfo, Medium, Stop};
use crate::codes;
use crate::{Error, Limits, Result};

/// Pages, each rendered when it is asked for, at the size that is asked for. Blocking, as [`Frames`](super::Frames) are.
#[derive(Clone)]
pub struct Pages {
    count: u32,
    source: Arc<dyn PageSource>,
}

/// Where pages come from: a document. Pages are numbered from 0.
pub trait PageSource: fmt::Debug + Send + Sync + 'static {
    /// Width and height of a page in pixels, as it is meant to be seen: at 72 to the inch if it is measured in points.
    ///
    /// # Errors
    /// What is wrong with the page.
    fn size(&self, page: u32) -> Result<(u32, u32)>;

    /// Renders a page, of exactly this width and height in pixels. What takes long asks `stop`.
    ///
    /// # Errors
    /// What is wrong with the page, or that the work is to stop.
    fn render(&self, page: u32, width: u32, height: u32, stop: &dyn Stop) -> Result<Image>;
}

impl Pages {
    /// So many pages.
    #[must_use]
    pub fn new(count: u32, source: impl PageSource) -> Self {
        Self { count, source: Arc::new(source) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Width and height of a page in pixels, as it is meant to be seen.
    ///
    /// # Errors
    /// `pages.number` if there is no such page, or what the source gives.
    pub fn size(&self, page: u32) -> Result<(u32, u32)> {
        self.check(page)?;
        self.source.size(page)
    }

    /// Renders a page at this width and height in pixels. Pixel work: for the CPU pool.
    ///
    /// # Errors
    /// `pages.number` if there is no such page, `limit.pixels`, `pages.shape` if the source renders another size, or what it
    /// gives.
    pub fn render(
        &self,
        page: u32,
        (width, height): (u32, u32),
        limits: &Limits,
        stop: &dyn Stop,
    ) -> Result<Image> {
        self.check(page)?;
        limits.check_pixels(width, height, 1)?;
        stop.check()?;
        let image = self.source.render(page, width, height, stop)?;
        if (image.width(), image.height()) != (width, height) {
            return Err(Error::internal(codes::PAGES_SHAPE, "a page was rendered at another size")
                .with("page", page)
                .with("size", format_args!("{}x{}", image.width(), image.height())));
        }
        Ok(image)
    }

    /// What is known of them: the size is that of the first page.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        let (width, height) = self.size(0).unwrap_or_default();
        let info = MediaInfo::new(Format::RAW).with_medium(Medium::Document);
        MediaInfo { pages: self.count.into(), ..info.with_size(width, height) }
    }

    fn check(&self, page: u32) -> Result<()> {
        if page < self.count {
            return Ok(());
        }
        Err(Error::input(codes::PAGES_NUMBER, format!("there is no page {}", u64::from(page) + 1))
            .with("pages", self.count))
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({}, {:?})", self.count, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Blank;

    impl PageSource for Blank {
        fn size(&self, page: u32) -> Result<(u32, u32)> {
            Ok((100 + page, 200))
        }

        fn render(&self, page: u32, width: u32, height: u32, _stop: &dyn Stop) -> Result<Image> {
            // The second is wrong.
            let width = width + page;
            Image::new(width, height, 1, vec![255; (width * height) as usize])
        }
    }

    struct Never;

    impl Stop for Never {
        fn check(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_page_is_rendered_at_the_size_that_is_asked_for() {
        let (pages, limits) = (Pages::new(2, Blank), Limits::default());
        assert_eq!((pages.info().pages, pages.info().width), (2, 100));
        let render = |page, size| pages.render(page, size, &limits, &Never);
        assert_eq!(render(0, (10, 20)).unwrap().width(), 10);
        assert_eq!(render(1, (10, 20)).unwrap_err().code(), "pages.shape");
        assert_eq!(render(2, (10, 20)).unwrap_err().code(), "pages.number");
        assert_eq!(render(0, (60_000, 60_000)).unwrap_err().code(), "limit.pixels");
    }
}
