#!/bin/sh
# Write down every package of the images with its hashes. Needs uv (pip install uv).
set -eu
cd "$(dirname "$0")/.."
lock="uv pip compile pyproject.toml --quiet --generate-hashes --python-version 3.12
    --python-platform x86_64-manylinux_2_28 --no-header --no-emit-index-url --no-annotate"
$lock --output-file docker/requirements.txt
$lock --extra mert --constraints docker/requirements.txt --output-file docker/requirements-gpu.txt
