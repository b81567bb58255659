use mediaflow_sign::hex;
use sha2::{Digest as _, Sha256};

/// What a replay key has at most, as it is written; 255 bytes are what engines take.
const WRITTEN: usize = 200;

/// The name of a call-back, from what tells it from others. What is long, or could be taken for something else, is hashed.
pub(crate) fn replay_key(provider: &str, parts: &[&str]) -> String {
    let written = format!("{provider}/{}", parts.join("/"));
    if written.len() <= WRITTEN && !parts.iter().any(|part| part.contains('/')) {
        return written;
    }
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("{provider}/sha256/{}", hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_not_ambiguous() {
        assert_eq!(replay_key("zencoder", &["17", "finished"]), "zencoder/17/finished");
        assert_ne!(replay_key("a", &["b/c", "d"]), replay_key("a", &["b", "c/d"]));
        let long = "x".repeat(300);
        assert_ne!(replay_key("a", &[&long, "b"]), replay_key("a", &[&long, "c"]));
        assert!(replay_key("a", &[&long]).len() <= WRITTEN);
    }
}
