#!/usr/bin/env bash
# Every check that a change must pass, the quick ones first; stops at the first failure.
#
# Clippy, tests and documentation use one set of features, so that the dependencies are compiled once for checking and
# once for running. RUSTFLAGS stays untouched between the steps: a change of it would compile everything again.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
tools=$target/tools/bin
locked=(${CI:+--locked}) # CI proves the committed lock file; at the desk it may follow the manifest
everything=(--workspace --all-features "${locked[@]}")

# step NAME COMMAND...: announces it, runs it, says how long it took. A function does not stop at its first error here.
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n==> %s\n' "$name"
    "$@" || { printf '==> %s: failed after %s s\n' "$name" $((SECONDS - start)) >&2; exit 1; }
    printf '==> %s: ok, %s s\n' "$name" $((SECONDS - start))
}

# absent PATTERN TREE-OPTION...: no crate of that name among what a user of the facade compiles.
absent() {
    local pattern=$1 names
    shift
    names=$(cargo tree --package mediaflow --edges normal --prefix none --format '{p}' \
        "${locked[@]}" "$@") || return
    if grep -E "$pattern" <<<"$names" | sort -u; then
        echo "these must not be dependencies with: ${*:-default features}" >&2
        return 1
    fi
}

# The first alone, then the second: what one feature forgets, the other must not bring.
each_database() {
    cargo check --package mediaflow-queue --features sqlite "${locked[@]}" &&
        cargo check --package mediaflow-queue --features postgres "${locked[@]}"
}

# Each provider alone.
each_provider() {
    local provider
    for provider in s3 azure gcs; do
        cargo check --package mediaflow-storage --features "$provider" "${locked[@]}" || return
    done
}

# Each channel, and each vendor that calls back, alone and without a warning.
each_feature() {
    local package=$1 feature
    for feature in $(sed -n '/^\[features\]/,/^\[dep/s/^\([a-z-]*\) = .*/\1/p' "$package/Cargo.toml"); do
        cargo clippy --package "$package" --features "$feature" "${locked[@]}" -- --deny warnings || return
    done
}

# A third party's crate has a workspace of its own; it takes the versions that are tested here.
third_party() {
    cp Cargo.lock tests/third_party/Cargo.lock &&
        CARGO_TARGET_DIR=$target cargo test --manifest-path tests/third_party/Cargo.toml
}

begin=$SECONDS
step "what the checks need" scripts/setup.sh test
step "formatting" cargo fmt --all --check
step "spelling" "$tools/typos"
step "licences and sources" "$tools/cargo-deny" --workspace --all-features "${locked[@]}" \
    check --hide-inclusion-graph licenses bans sources
step "default features, no GStreamer and no database" \
    absent '^(gstreamer|glib|gobject|sqlx|riverqueue|libsqlite3-sys|object_store)'
step "no features, nothing heavy" absent '^(reqwest|gstreamer|sqlx|image)' --no-default-features
step "clippy" cargo clippy "${everything[@]}" --all-targets -- --deny warnings
step "documentation" env RUSTDOCFLAGS=--deny=warnings cargo doc "${everything[@]}" --no-deps
step "quickstart with default features" cargo run --package mediaflow --example quickstart "${locked[@]}"
step "a direct upload to S3" cargo run --package mediaflow --example direct_upload --features s3 "${locked[@]}"
step "images with pure-Rust codecs" cargo test --package mediaflow-image "${locked[@]}"
step "each database alone" each_database
step "each provider alone" each_provider
step "each channel alone" each_feature mediaflow-notify
step "each vendor alone" each_feature mediaflow-remote
step "each signature alone" each_feature mediaflow-sign
step "a third party's crate" third_party
step "tests" cargo test "${everything[@]}"
# The tests have built these.
step "who is told of a failure" "$target/debug/examples/failure_routing"
step "damaged pictures" "$target/debug/examples/corpus" --mutants 300 examples/media mediaflow-image/tests/data
printf '\n==> all checks passed, %s s\n' $((SECONDS - begin))
