mod basics;
mod fence;
mod options;
mod upload;

use std::time::Duration;

pub use fence::exercise_shared_storage;
pub use upload::exercise_uploads;

use crate::media::Blob;
use crate::spec::{Key, PutOptions};
use crate::storage::{Staged, Storage, StorageExt as _, Ticket};

/// The conformance suite of [`Storage`]. The storage must be empty, and is empty afterwards.
///
/// A storage may keep nothing of what is said in [`PutOptions`], or all of it. One that can sign requests is asked for them
/// here; [`exercise_uploads`] sends them.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_storage(storage: &dyn Storage) {
    exercise_shared_storage(storage, storage).await;
    basics::missing_keys_are_named(storage).await;
    basics::what_is_put_can_be_read(storage).await;
    basics::staging_is_invisible(storage).await;
    basics::reserved_keys_are_refused(storage).await;
    basics::writers_do_not_mix(storage).await;
    basics::listing_is_ordered(storage).await;
    basics::several_are_published_together(storage).await;
    options::keys_are_described(storage).await;
    options::parts_are_read(storage).await;
    options::what_is_too_large_is_not_read(storage).await;
    options::a_certain_version_is_read(storage).await;
    options::a_blob_is_of_one_version(storage).await;
    options::staged_bytes_can_be_looked_at(storage).await;
    options::headers_are_kept_whole_or_not_at_all(storage).await;
    options::one_of_many_is_first(storage).await;
    options::one_of_many_replaces(storage).await;
    options::a_failed_condition_changes_nothing(storage).await;
    upload::requests_are_signed_within_bounds(storage).await;
}

async fn stage(
    storage: &dyn Storage,
    place: &Key,
    content: &[u8],
    ticket: &Ticket,
) -> Box<dyn Staged> {
    storage
        .stage(place, &Blob::from(content.to_vec()), &PutOptions::new(), ticket)
        .await
        .expect("stage")
}

async fn is_gone(storage: &dyn Storage, place: &Key, ticket: &Ticket) {
    let error = storage.staged(place, ticket).await.expect_err("nothing is staged any more");
    assert_eq!(error.code(), "storage.not_found");
}

/// What is dropped may be removed a moment later: a storage behind a network does that in the background.
async fn is_discarded(storage: &dyn Storage, place: &Key, ticket: &Ticket) {
    let gone = async {
        while let Ok(left) = storage.staged(place, ticket).await {
            left.keep();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    super::soon("end of what was dropped", gone).await;
    is_gone(storage, place, ticket).await;
}

async fn read(storage: &dyn Storage, name: &str) -> Vec<u8> {
    storage.read(&key(name), u64::MAX).await.expect("read").to_vec()
}

fn ticket(job: &str, fence: u64, name: &str) -> Ticket {
    Ticket::new(job, fence, name).expect("a valid ticket")
}

fn key(name: &str) -> Key {
    name.parse().expect("a valid key")
}
