#!/usr/bin/env bash
# The same conversions by mediaflow and by ffmpeg, measured; arguments go to the program (benches/compare_ffmpeg.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh video
exec cargo bench --bench compare_ffmpeg --features turbo,video -- "$@"
