//! Changed copies of files, always the same ones for a seed.

use std::path::{Path, PathBuf};

use crate::Result;

/// Files above this size are not changed: most of their bytes are of no interest.
const LARGEST: u64 = 256 * 1024;

pub(crate) struct Mutants {
    models: Vec<PathBuf>,
    seed: u64,
    folder: PathBuf,
}

impl Mutants {
    pub(crate) fn new(files: &[PathBuf], seed: u64, folder: &Path) -> Self {
        let small =
            |file: &&PathBuf| file.metadata().is_ok_and(|of| (1..=LARGEST).contains(&of.len()));
        Self {
            models: files.iter().filter(small).cloned().collect(),
            seed,
            folder: folder.to_owned(),
        }
    }

    /// Writes one, and tells where.
    pub(crate) fn write(&self, number: usize) -> Result<PathBuf> {
        let mut random = fastrand::Rng::with_seed(
            self.seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        );
        let model = random.choice(&self.models).ok_or("no file is small enough to be changed")?;
        let mut bytes = std::fs::read(model)?;
        for _ in 0..random.usize(1..=4) {
            change(&mut bytes, &mut random);
        }
        let name = model.file_name().unwrap_or_default().to_string_lossy();
        let path = self.folder.join(format!("{number}-{name}"));
        std::fs::write(&path, bytes)?;
        Ok(path)
    }
}

/// What happens to files: a bit, a byte of meaning, a length, a hole, an end, a repetition.
fn change(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    if bytes.is_empty() {
        return;
    }
    // Headers decide more than pixels do.
    let end = if random.bool() { bytes.len() } else { bytes.len().min(512) };
    let at = random.usize(..end);
    let upto = (at + random.usize(1..=64)).min(bytes.len());
    match random.u8(..7) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = random.choice([0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF]).unwrap_or_default(),
        2 => bytes[at] = random.u8(..),
        3 => bytes[at..upto].fill(random.choice([0x00, 0xFF]).unwrap_or_default()),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..upto)),
        _ => {
            let piece = bytes[at..upto].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}
