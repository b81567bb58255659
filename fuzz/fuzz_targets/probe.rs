//! `cargo +nightly fuzz run probe`: headers of all formats, and what can be decoded of small pictures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediaflow_core::media::{Blob, Format, MediaFile, OnDamage, Scratch};
use mediaflow_core::plan::Demand;
use mediaflow_core::{CpuPool, Limits, Reader, Registry, RunContext};
use mediaflow_image::ImageReader;

fuzz_target!(|bytes: &[u8]| {
    let mut registry = Registry::new();
    registry.reader(ImageReader::new());
    let head = &bytes[..bytes.len().min(Format::SNIFF_BYTES)];
    let Some(format) = registry.sniff(head) else { return };
    let file = MediaFile::new("input", format, Blob::bytes(bytes.to_vec()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return };
    let mut limits = Limits::default();
    (limits.pixels, limits.image_bytes) = (1 << 20, 32 << 20);
    runtime.block_on(async {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let cx = RunContext::builder(CpuPool::new(1), scratch).limits(limits).build(None);
        if ImageReader::new().probe(&file, &cx).await.is_err() {
            return;
        }
        for how in [OnDamage::Refuse, OnDamage::Accept] {
            let file = file.clone().with_on_damage(how);
            // What it says does not matter, but that it comes back.
            let _ = ImageReader::new().decode(&file, Demand::NONE, &cx).await;
        }
    });
});
