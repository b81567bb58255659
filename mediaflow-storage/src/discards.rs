use std::collections::HashSet;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::failure::{failed, is_missing};

/// The removals that are under way: dropping can not wait for one, but whoever uses the ticket next must.
#[derive(Clone, Debug)]
pub(crate) struct Discards(Arc<watch::Sender<HashSet<Path>>>);

impl Default for Discards {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HashSet::new())))
    }
}

impl Discards {
    pub(crate) fn start(&self, store: Arc<dyn ObjectStore>, path: Path, runtime: &Handle) {
        self.0.send_modify(|paths| {
            paths.insert(path.clone());
        });
        let discard = Discard { all: self.clone(), path };
        runtime.spawn(async move {
            match store.delete(&discard.path).await {
                Err(e) if !is_missing(&e) => {
                    let error = failed("a staged object can not be discarded", &e);
                    tracing::warn!(path = %discard.path, %error);
                }
                _ => {}
            }
        });
    }

    /// Waits until nothing is being removed there.
    pub(crate) async fn settled(&self, path: &Path) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(|paths| !paths.contains(path)).await;
    }
}

/// Ends with the removal, and also with the runtime.
struct Discard {
    all: Discards,
    path: Path,
}

impl Drop for Discard {
    fn drop(&mut self) {
        self.all.0.send_modify(|paths| {
            paths.remove(&self.path);
        });
    }
}
