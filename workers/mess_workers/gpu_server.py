"""`python -m mess_workers.gpu_server`: the process that owns the GPU and encodes for those that decode.

Without it every process of a worker would hold a model and a CUDA context of its own, and they would
take turns on the device with the few windows of one track each. It answers on a Unix socket, to whoever
knows its key; it lives as long as its standard input is open, which its worker holds.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from functools import lru_cache
from multiprocessing.managers import BaseManager

import click

from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders.base import EncoderInfo
from mess_plugin.model import Float32, Level, Projection
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_workers.batching import BatchingEncoder

READY, NO_GPU = "ready", "no GPU"
ADDRESS, KEY = "MESS_GPU_ADDRESS", "MESS_GPU_KEY"
_RECIPES = 2  # at most so many encoders are in use at a time: one takes over from the other


class GpuServer:
    """What the other processes call, by recipe. Each call comes in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loading = threading.Lock()
        self._loaded = lru_cache(maxsize=_RECIPES)(self._load)

    def describe(self, recipe: str) -> tuple[EncoderInfo, Mapping[Level, Projection]]:
        """Label and projections of an encoder, which is loaded for it; errors as `load_encoder`."""
        encoder = self._encoder(recipe).encoder
        return encoder.info, dict(encoder.projections)

    def encode(self, recipe: str, windows: Float32) -> Float32:
        """As `Encoder.encode`."""
        return self._encoder(recipe).encode(windows)

    def _encoder(self, recipe: str) -> BatchingEncoder:
        with self._loading:
            return self._loaded(recipe)

    def _load(self, recipe: str) -> BatchingEncoder:
        return BatchingEncoder(load_encoder(Recipe.parse(recipe), self._settings))


class GpuManager(BaseManager):
    """How the GPU server is called from other processes; its side registers the GPU server itself."""


GpuManager.register("server")


def has_gpu() -> bool:
    """Whether torch is there and finds a CUDA GPU."""
    try:
        import torch  # noqa: PLC0415  only here, where it is about to be needed
    except ImportError:
        return False
    return torch.cuda.is_available()


def main() -> None:
    """Say READY and serve, or say NO_GPU and end."""
    if not has_gpu():
        click.echo(NO_GPU)
        return
    gpu = GpuServer(load_settings())
    GpuManager.register("server", callable=lambda: gpu)
    manager = GpuManager(address=os.environ[ADDRESS], authkey=bytes.fromhex(os.environ[KEY]))
    server = manager.get_server()
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    click.echo(READY)
    server.serve_forever()


def _end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # nothing here outlives the process, and threads may be waiting for the device


if __name__ == "__main__":
    main()
