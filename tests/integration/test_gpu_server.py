"""The process that encodes for others: a real one, told that there is a GPU, on the CPU."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import AuthenticationError
from pathlib import Path

import numpy as np
import pytest

from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder
from mess_plugin.errors import MissingWeights, ServiceError
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_workers import gpu_client
from mess_workers.gpu_server import ADDRESS, KEY

MINI = "mess-mini||5/2.5"
_PRETEND = """
import os, sys
import mess_workers.gpu_server as gpu
gpu.has_gpu = lambda: {has_gpu}
open(sys.argv[1], "w").write(str(os.getpid()))
gpu.main()
"""


@contextmanager
def running(folder: Path, settings: Settings, *, has_gpu: bool = True) -> Iterator[int]:
    """a GPU server's process id."""
    note = folder / "pid"
    command = [sys.executable, "-c", _PRETEND.format(has_gpu=has_gpu), str(note)]
    with gpu_client.gpu_server(settings, command):
        yield int(note.read_text())


def connect(recipe: str) -> gpu_client.GpuEncoder:
    return gpu_client.GpuEncoder(recipe, os.environ[ADDRESS], bytes.fromhex(os.environ[KEY]))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in (ADDRESS, KEY):
        monkeypatch.delenv(name, raising=False)
    return Settings(home=tmp_path / "home", device="auto")


def test_it_encodes_as_the_encoder_itself(tmp_path: Path, settings: Settings) -> None:
    alone = load_encoder(Recipe.parse(MINI), settings)
    rng = np.random.default_rng(0)
    sounds = [rng.standard_normal((n, 48_000)).astype(np.float32) for n in (1, 3, 2)]
    with running(tmp_path, settings) as pid:
        shared: Encoder = connect(MINI)
        assert shared.info == alone.info
        assert shared.projections.keys() == alone.projections.keys()
        with ThreadPoolExecutor(3) as callers:
            heard = list(callers.map(lambda sound: connect(MINI).encode(sound), sounds))
        with pytest.raises(ValueError, match="3 samples"):  # as the encoder itself would
            shared.encode(np.zeros((1, 3), np.float32))
        np.testing.assert_allclose(shared.encode(sounds[0]), heard[0], atol=1e-5)
    for sound, frames in zip(sounds, heard, strict=True):
        np.testing.assert_allclose(frames, alone.encode(sound), atol=1e-5)
    assert not is_alive(pid)
    assert ADDRESS not in os.environ


def test_only_encoders_for_a_gpu_are_shared(tmp_path: Path, settings: Settings) -> None:
    with running(tmp_path, settings):
        assert not isinstance(gpu_client.load(Recipe.parse(MINI), settings), gpu_client.GpuEncoder)
        with pytest.raises(MissingWeights):  # by the GPU server, and its error arrives as it was
            gpu_client.load(Recipe.parse("mert-95m||5/2.5"), settings)


def test_without_a_gpu_there_is_none(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), running(tmp_path, settings, has_gpu=False):
        assert ADDRESS not in os.environ
    assert "no encoder is shared: no GPU" in caplog.text


def test_a_stranger_is_refused(tmp_path: Path, settings: Settings) -> None:
    with running(tmp_path, settings), pytest.raises(AuthenticationError):
        gpu_client.GpuEncoder(MINI, os.environ[ADDRESS], b"another key")


def test_a_hub_that_dies_ends_its_worker_and_says_so(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = os.kill
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, signum: told.append((pid, signum)))
    with running(tmp_path, settings) as pid:
        shared = connect(MINI)
        kill(pid, signal.SIGKILL)
        until_s = time.monotonic() + 20
        while not told and time.monotonic() < until_s:
            time.sleep(0.05)
        assert told == [(os.getpid(), signal.SIGTERM)]
        with pytest.raises(ServiceError, match="its process on the GPU is gone"):
            shared.encode(np.zeros((1, 48_000), np.float32))
