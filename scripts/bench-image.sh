#!/usr/bin/env bash
# mediaflow against sharp, libvips and Pillow in one run; arguments go to the benchmark (benches/image_peers.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh bench
# A Node.js that sharp accepts is among the peers only where the system has none.
if [[ -x target/bench-peers/venv/bin/node ]]; then
    PATH=$PWD/target/bench-peers/venv/bin:$PATH
fi
# Both builds of mediaflow take part in one run: the pure-Rust one is this program without `turbo`.
pure=$(cargo bench --features text --bench image_peers --no-run --message-format=json |
    sed -n 's/.*"name":"image_peers".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
cp "$pure" target/bench-peers/mediaflow-pure
exec cargo bench --features turbo,text,sqlite --bench image_peers -- --pure "$PWD/target/bench-peers/mediaflow-pure" "$@"
