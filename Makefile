# Two commands from a fresh clone: `make demo` and `make test`. Each installs what it needs and says so.

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench-image fmt docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building needs: GStreamer and a C toolchain (Debian, Ubuntu)
	@scripts/setup.sh build

demo: setup ## Process photos and a clip in the background, and watch it
	@cargo run --features full --example upload_backend

test: ## Run every check: format, spelling, licences, clippy, documentation, tests
	@scripts/test.sh

bench-image: ## Compare with sharp, libvips and Pillow; options in ARGS="--rounds 5"
	@scripts/bench-image.sh $(ARGS)

fmt: ## Format the code
	@cargo fmt --all

docs: setup ## Build the documentation with all features
	@cargo doc --workspace --all-features --no-deps
