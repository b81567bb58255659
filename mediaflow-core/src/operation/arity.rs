use std::fmt;

use crate::codes;
use crate::{Error, Result};

/// How many inputs an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arity {
    /// None: it makes something out of its parameters, such as a text or a colour.
    Generator,
    /// So many.
    Exactly(usize),
    /// So many or more.
    AtLeast(usize),
}

impl Arity {
    /// Whether so many inputs will do.
    ///
    /// # Errors
    /// `spec.inputs`, with the number that is needed.
    pub fn check(self, found: usize) -> Result<()> {
        let fits = match self {
            Self::Generator => found == 0,
            Self::Exactly(needed) => found == needed,
            Self::AtLeast(least) => found >= least,
        };
        if fits { Ok(()) } else { Err(self.wrong(&found.to_string())) }
    }

    /// Whether so many inputs may do, beside several of which it is not known yet how many they are.
    ///
    /// # Errors
    /// `spec.inputs`, with the number that is needed.
    pub(crate) fn check_beside_several(self, found: usize) -> Result<()> {
        let fits = match self {
            Self::Generator => false,
            Self::Exactly(needed) => found <= needed,
            Self::AtLeast(_) => true,
        };
        if fits { Ok(()) } else { Err(self.wrong("several")) }
    }

    fn wrong(self, found: &str) -> Error {
        let what = format!("the step takes {self}, and was given {found}");
        Error::input(codes::SPEC_INPUTS, what).help("name its inputs in `from`, the main one first")
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = |n: usize| if n == 1 { "input" } else { "inputs" };
        match self {
            Self::Generator => f.write_str("no inputs"),
            Self::Exactly(n) => write!(f, "{n} {}", inputs(*n)),
            Self::AtLeast(n) => write!(f, "{n} {} or more", inputs(*n)),
        }
    }
}
