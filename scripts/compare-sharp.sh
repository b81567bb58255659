#!/usr/bin/env bash
# The same pictures by mediaflow and by sharp, compared; arguments go to the program (benches/compare_sharp.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh bench
# A Node.js that sharp accepts is among the peers only where the system has none.
if [[ -x target/bench-peers/venv/bin/node ]]; then
    PATH=$PWD/target/bench-peers/venv/bin:$PATH
fi
exec cargo bench --bench compare_sharp --features turbo -- "$@"
