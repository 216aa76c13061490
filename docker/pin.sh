#!/bin/sh
# Print the images with their present digests, for .env: what is built and run is then what was looked at.
#   docker/pin.sh >> docker/.env
set -eu
pin() {
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$2")
    echo "$1=$2@$digest"
}
pin PYTHON_IMAGE python:3.12-slim
pin POSTGRES_IMAGE pgvector/pgvector:pg17
pin VALKEY_IMAGE valkey/valkey:8
