#!/usr/bin/env bash
# What both durable engines cost on full databases beside nearly empty ones; arguments go to the benchmark (benches/scale.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh jobs
exec cargo bench --bench scale --features sqlite,postgres,testing -- "$@"
