#!/usr/bin/env bash
# Both durable engines beside bare River in one run; arguments go to the benchmark (benches/jobs.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh jobs
exec cargo bench --bench jobs --features sqlite,postgres,testing -- "$@"
