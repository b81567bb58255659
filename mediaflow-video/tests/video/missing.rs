//! A plugin that is not installed is named together with its package. Child processes see only some of the plugins.

use std::path::PathBuf;
use std::process::Command;

use mediaflow_video::Mp4;

use crate::common::{Bench, clip, step};

/// Runs [`transcode_and_tell`] with these plugins only; gives what it prints.
fn with_plugins(names: &[&str]) -> String {
    let bench = Bench::new();
    let folder = Command::new("pkg-config")
        .args(["--variable=pluginsdir", "gstreamer-1.0"])
        .output()
        .unwrap();
    let folder = PathBuf::from(String::from_utf8(folder.stdout).unwrap().trim());
    for name in names {
        let file = format!("libgst{name}.so");
        std::os::unix::fs::symlink(folder.join(&file), bench.folder.path().join(&file)).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "missing::transcode_and_tell", "--nocapture"])
        .env("MEDIAFLOW_TELL", "1")
        .env("GST_PLUGIN_SYSTEM_PATH_1_0", bench.folder.path())
        .env("GST_REGISTRY_1_0", bench.folder.path().join("registry.bin"))
        .env("GST_REGISTRY_FORK", "no")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const DEMUX: [&str; 5] =
    ["coreelements", "playback", "typefindfunctions", "isomp4", "videoparsersbad"];
const CONVERT: [&str; 8] = [
    "audioparsers",
    "app",
    "debug",
    "videoconvertscale",
    "videofilter",
    "audiorate",
    "audioconvert",
    "audioresample",
];

#[tokio::test]
#[expect(clippy::print_stdout, reason = "how a child process tells its parent")]
async fn transcode_and_tell() {
    if std::env::var_os("MEDIAFLOW_TELL").is_none() {
        return;
    }
    let result =
        Bench::new().run(&clip(), vec![step("mp4", Mp4::default(), "source")], &["mp4"]).await;
    match result {
        Ok(_) => println!("it works"),
        Err(error) => println!("told: {} {error}", error.code()),
    }
}

#[test]
fn a_missing_decoder_names_its_package() {
    let told = with_plugins(&DEMUX);
    assert!(
        told.contains("told: video.missing_plugin") && told.contains("gstreamer1.0-libav"),
        "{told}"
    );
}

#[test]
fn a_missing_encoder_names_its_package() {
    let told = with_plugins(&[&DEMUX[..], &CONVERT, &["libav"]].concat());
    assert!(told.contains("told: video.missing_plugin the GStreamer element x264enc"), "{told}");
    assert!(told.contains("apt-get install gstreamer1.0-plugins-ugly"), "{told}");
}

#[test]
fn a_missing_demuxer_names_its_package() {
    let told = with_plugins(&["coreelements", "playback", "typefindfunctions"]);
    assert!(
        told.contains("told: video.missing_plugin") && told.contains("gstreamer1.0-plugins-good"),
        "{told}"
    );
}
