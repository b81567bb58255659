#!/usr/bin/env bash
# mediaflow against the command line of ffmpeg in one run; arguments go to the benchmark (benches/video_peers.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh video
exec cargo bench --bench video_peers --features turbo,video -- "$@"
