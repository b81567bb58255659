#!/usr/bin/env bash
# What signatures, webhooks and both durable outboxes cost; arguments go to the benchmark (benches/notify.rs).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh jobs
exec cargo bench --bench notify --features image,sqlite,postgres,testing,webhook -- "$@"
