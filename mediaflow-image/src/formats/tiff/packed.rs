use flate2::{Decompress, FlushDecompress, Status};
use mediaflow_core::Result;

use crate::codec::lzw::{self, Lie};

/// Bytes that are unpacked between two looks whether to stop.
const LOOK: usize = 1 << 18;

/// Copies what is there.
pub(super) fn plain(packed: &[u8], to: &mut [u8]) -> usize {
    let len = packed.len().min(to.len());
    to[..len].copy_from_slice(&packed[..len]);
    len
}

/// Unpacks LZW; says how many bytes there were before it ended, or broke off.
pub(super) fn lzw(packed: &[u8], to: &mut [u8], check: impl Fn() -> Result<()>) -> Result<usize> {
    lzw::unpack(packed, 8, Lie::High, to, check)
}

/// Unpacks Deflate, as far as it goes.
pub(super) fn deflate(
    packed: &[u8],
    to: &mut [u8],
    check: impl Fn() -> Result<()>,
) -> Result<usize> {
    let mut stream = Decompress::new(true);
    let count = |total: u64| usize::try_from(total).unwrap_or(usize::MAX);
    loop {
        check()?;
        let (from, made) = (count(stream.total_in()), count(stream.total_out()));
        let end = to.len().min(made + LOOK);
        let (Some(packed), Some(place)) = (packed.get(from..), to.get_mut(made..end)) else {
            return Ok(made);
        };
        let status = stream.decompress(packed, place, FlushDecompress::None);
        let now = count(stream.total_out());
        let goes_on = matches!(status, Ok(Status::Ok)) && now > made && now < to.len();
        if !goes_on {
            return Ok(now);
        }
    }
}

/// Unpacks bytes of which several equal ones are written as one, and a count.
pub(super) fn pack_bits(mut packed: &[u8], to: &mut [u8]) -> usize {
    let mut made = 0;
    while made < to.len()
        && let Some((head, rest)) = packed.split_first()
    {
        let rest = match head.cast_signed() {
            -128 => rest,
            head @ 0.. => {
                let wanted = usize::from(head.unsigned_abs()) + 1;
                let (bytes, rest) = rest.split_at(wanted.min(rest.len()));
                made += plain(bytes, &mut to[made..]);
                rest
            }
            head => {
                let Some((byte, rest)) = rest.split_first() else { break };
                let count = usize::from(head.unsigned_abs()) + 1;
                let end = to.len().min(made + count);
                to[made..end].fill(*byte);
                made = end;
                rest
            }
        };
        packed = rest;
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_written_once() {
        let mut to = [0; 9];
        assert_eq!(pack_bits(&[2, 7, 8, 9, 0x80, 0xFD, 5, 0, 1], &mut to), 8);
        assert_eq!(to, [7, 8, 9, 5, 5, 5, 5, 1, 0]);
        assert_eq!(pack_bits(&[0xFD], &mut to), 0);
        assert_eq!(pack_bits(&[9, 1], &mut to), 1);
    }
}
