/// How often each symbol comes.
pub(super) type Counts = [u32; 256];

/// The codes that make what is counted the shortest: how many there are of each length from 1 to 16, and their symbols in order.
/// ITU-T T.81, annex K.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shortest {
    pub(super) lengths: [u8; 16],
    pub(super) symbols: Vec<u8>,
}

/// The longest code before lengths are cut to 16: no deeper tree can come of 32-bit counts.
const DEEPEST: usize = 64;

impl Shortest {
    pub(super) fn of(counts: &Counts) -> Self {
        // One more symbol, that is rarer than all others, takes the code of ones alone.
        let mut sizes = [0_usize; 257];
        let mut groups: Vec<(u64, Vec<usize>)> = (0..256)
            .filter(|symbol| counts[*symbol] > 0)
            .map(|symbol| (u64::from(counts[symbol]), vec![symbol]))
            .collect();
        groups.push((1, vec![256]));
        while groups.len() > 1 {
            // Of equal ones the last: so does libjpeg.
            let least = rarest(&groups, None);
            let next = rarest(&groups, Some(least));
            let (count, members) = std::mem::take(&mut groups[next]);
            groups[least].0 += count;
            groups[least].1.extend(members);
            groups[least].1.iter().for_each(|symbol| sizes[*symbol] += 1);
            groups.remove(next);
        }
        Self::cut(&sizes)
    }

    /// With no code longer than 16 bits, and without that of ones alone.
    fn cut(sizes: &[usize; 257]) -> Self {
        let mut bits = [0_u32; DEEPEST + 1];
        sizes.iter().filter(|size| **size > 0).for_each(|size| bits[(*size).min(DEEPEST)] += 1);
        for length in (17..=DEEPEST).rev() {
            while bits[length] > 0 {
                let shorter = (1..length - 1).rev().find(|shorter| bits[*shorter] > 0);
                let Some(shorter) = shorter else { break };
                bits[length] -= 2;
                bits[length - 1] += 1;
                bits[shorter + 1] += 2;
                bits[shorter] -= 1;
            }
        }
        if let Some(longest) = (1..=16).rev().find(|length| bits[*length] > 0) {
            bits[longest] -= 1;
        }
        let mut lengths = [0; 16];
        for (to, from) in lengths.iter_mut().zip(&bits[1..]) {
            *to = u8::try_from(*from).unwrap_or(u8::MAX);
        }
        let mut symbols: Vec<u8> =
            (0..=255).filter(|symbol| sizes[usize::from(*symbol)] > 0).collect();
        symbols.sort_by_key(|symbol| sizes[usize::from(*symbol)]);
        Self { lengths, symbols }
    }

    /// Of each symbol its code and length; 0 for those that have none.
    pub(super) fn codes(&self) -> [(u16, u8); 256] {
        let (mut codes, mut code, mut symbols) = ([(0, 0); 256], 0_u16, self.symbols.iter());
        for (length, count) in (1..).zip(self.lengths) {
            for symbol in symbols.by_ref().take(usize::from(count)) {
                codes[usize::from(*symbol)] = (code, length);
                code = code.wrapping_add(1);
            }
            code <<= 1;
        }
        codes
    }
}

fn rarest(groups: &[(u64, Vec<usize>)], but: Option<usize>) -> usize {
    let others = groups.iter().enumerate().filter(|(index, _)| Some(*index) != but);
    let rarest = others.min_by_key(|(index, (count, _))| (*count, usize::MAX - index));
    rarest.map_or(0, |(index, _)| index)
}
