use std::fmt;

/// Why there are no planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Another decoder is to be asked, which may read it.
    Unsupported(Unsupported),
    /// A part of the picture is not there.
    Damaged(Damage),
    /// It would take more memory than it may: both in bytes.
    TooLarge {
        /// What it would take.
        needed: u64,
        /// What it may take.
        limit: u64,
    },
    /// It was told to stop.
    Stopped,
}

/// What is not read here, and by other decoders perhaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsupported {
    /// It does not begin as a JPEG, its segments do not follow one another, or one of them breaks the rules.
    Structure,
    /// Arithmetic codes, lossless or hierarchical.
    Coding,
    /// Another depth than 8 bits.
    Depth,
    /// Another count of components than 1 and 3.
    Components,
    /// Sampling factors that do not divide the largest, or more than 10 blocks in a unit.
    Sampling,
    /// No size, or a height that comes behind the data.
    Size,
    /// Tables are missing or break the rules.
    Tables,
    /// Scans that do not follow one another as they should: a component twice in a file that is not progressive, or not all of it.
    Scans,
    /// There are bytes between the data and the next marker, or markers other than the end behind it.
    Stray,
    /// What is wanted of a picture does not begin on a unit, or is not in it.
    Units,
}

/// What is wrong with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// The file ends in a scan, or before its end marker.
    Cut,
    /// A marker comes before the data of all blocks: a cut with an end behind it, or lost data.
    Ended {
        /// So many blocks were read.
        blocks: u64,
        /// Of so many in the scan.
        of: u64,
    },
    /// Bits that are no code, or say more than a block can hold.
    Code {
        /// So many blocks were read before.
        blocks: u64,
        /// Of so many in the scan.
        of: u64,
    },
    /// The numbers of restarts are not those that should follow, or there are more or fewer of them.
    Restarts,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => what.fmt(f),
            Self::Damaged(damage) => damage.fmt(f),
            Self::TooLarge { needed, limit } => {
                write!(f, "it takes {needed} bytes of memory, and {limit} are allowed")
            }
            Self::Stopped => f.write_str("it was told to stop"),
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Structure => "its segments break the rules",
            Self::Coding => "arithmetic, lossless and hierarchical coding are not read",
            Self::Depth => "only 8 bits per sample are read",
            Self::Components => "only 1 and 3 components are read",
            Self::Sampling => "this sampling is not read",
            Self::Size => "its header has no size",
            Self::Tables => "tables are missing or break the rules",
            Self::Scans => "its scans do not follow one another as they should",
            Self::Stray => "there are stray bytes behind its data",
            Self::Units => "what is wanted does not begin on a unit of the picture",
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("the file ends in its data"),
            Self::Ended { blocks, of } => write!(f, "the data ends after {blocks} of {of} blocks"),
            Self::Code { blocks, of } => {
                write!(f, "what follows after {blocks} of {of} blocks is no code")
            }
            Self::Restarts => f.write_str("restarts are missing or out of order"),
        }
    }
}

impl std::error::Error for Failure {}
impl std::error::Error for Unsupported {}
impl std::error::Error for Damage {}

impl From<Unsupported> for Failure {
    fn from(what: Unsupported) -> Self {
        Self::Unsupported(what)
    }
}

impl From<Damage> for Failure {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}
