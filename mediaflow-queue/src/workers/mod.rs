//! Worker processes: signs of life, takeover of what a dead one left behind, and the cleaning up.

mod failpoint;
mod life;
mod lock;
mod lost;
mod retention;
mod sweep;
mod takeover;

pub(crate) use failpoint::failpoint;
pub(crate) use life::Life;
pub(crate) use sweep::sweep;
