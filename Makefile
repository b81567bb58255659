# Two commands from a fresh clone: `make demo` and `make test`. Each installs what it needs and says so.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-faults bench-image bench-video bench-jobs bench-scale bench-notify compare-ffmpeg compare-sharp fmt docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs: GStreamer and a C toolchain (Debian, Ubuntu)
	@scripts/setup.sh build

demo: setup ## Process photos and a clip in the background, kill the worker, and watch it go on
	@cargo run --features turbo,video,sqlite --example upload_backend

test: ## Run every check: format, spelling, licences, clippy, documentation, tests
	@scripts/test.sh

test-faults: ## Kill, freeze and cut off job engines; rounds in MEDIAFLOW_FAULT_ROUNDS=200
	@scripts/setup.sh jobs
	@MEDIAFLOW_FAULT_ROUNDS=$${MEDIAFLOW_FAULT_ROUNDS:-200} cargo test --package mediaflow-queue \
		--features sqlite,postgres,testing --test faults -- --nocapture $(ARGS)

bench-image: ## Compare with sharp, libvips and Pillow; options in ARGS="--rounds 5"
	@scripts/bench-image.sh $(ARGS)

bench-video: ## Compare with the command line of ffmpeg; options in ARGS="--rounds 3"
	@scripts/bench-video.sh $(ARGS)

bench-jobs: ## Measure the engines on SQLite and PostgreSQL beside bare River
	@scripts/bench-jobs.sh $(ARGS)

bench-scale: ## Measure the engines with a million ended jobs beside nearly empty ones
	@scripts/bench-scale.sh $(ARGS)

bench-notify: ## Measure signatures, webhooks and the outbox on SQLite and PostgreSQL
	@scripts/bench-notify.sh $(ARGS)

compare-ffmpeg: ## Convert clips of 80 kinds with mediaflow and with ffmpeg, and compare
	@scripts/compare-ffmpeg.sh $(ARGS)

compare-sharp: ## Make more than a hundred pictures with mediaflow and with sharp, and compare
	@scripts/compare-sharp.sh $(ARGS)

fmt: ## Format the code
	@cargo fmt --all

docs: setup ## Build the documentation with all features
	@cargo doc --workspace --all-features --no-deps
