"""One encoder for all processes of a worker, where there is a GPU: starting it and calling it."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mess_plugin import encoders
from mess_plugin.config import Settings
from mess_plugin.encoders.base import Encoder, EncoderInfo
from mess_plugin.errors import ServiceError
from mess_plugin.model import Float32, Level, Projection
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_workers.gpu_server import ADDRESS, KEY, READY, GpuManager
from mess_workers.health import report_failure

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "mess_workers.gpu_server")
_GRACE_S = 10.0


class GpuEncoder:
    """An encoder in the GPU server; see `Encoder`.

    a GPU server that is gone is a ServiceError: the file is not to blame and may be tried again.
    """

    def __init__(self, recipe: str, address: str, key: bytes) -> None:
        """Connect and have it loaded. Raises ServiceError, and as `load_encoder`."""
        self._recipe = recipe
        try:
            manager = GpuManager(address=address, authkey=key)
            manager.connect()
            self._server = manager.server()  # type: ignore[attr-defined]  # registered in `gpu_server`
            described: tuple[EncoderInfo, Mapping[Level, Projection]] = self._server.describe(
                recipe
            )
        except (EOFError, OSError) as error:
            raise _gone(error) from error
        self.info, self.projections = described

    def encode(self, windows: Float32) -> Float32:
        """(n_windows, n_samples) → (n_windows, n_frames, dim), in a batch with what others ask."""
        try:
            frames: Float32 = self._server.encode(self._recipe, windows)
        except (EOFError, OSError) as error:
            raise _gone(error) from error
        return frames


def load(recipe: Recipe, settings: Settings) -> Encoder:
    """The encoder of a recipe: in the GPU server where there is one and it can use it, else here."""
    address = os.environ.get(ADDRESS)
    if address and encoders.describe(recipe.encoder).runs_on_gpu:
        return GpuEncoder(str(recipe), address, bytes.fromhex(os.environ[KEY]))
    return load_encoder(recipe, settings)


@contextmanager
def gpu_server(settings: Settings, command: Sequence[str] = COMMAND) -> Iterator[None]:
    """Run a GPU server meanwhile and tell child processes of it, if settings.device admits a GPU.

    Without a GPU there is no server: then "auto" means the CPU, and "cuda" an error for everyone
    who loads an encoder. If the server ends too early this process is told to end (SIGTERM), since
    `mess up` starts a worker again; attempts at that time fail and count as attempts.
    """
    if settings.device == "cpu":
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mess-gpu-") as folder:
        variables = {ADDRESS: str(Path(folder) / "socket"), KEY: secrets.token_hex(32)}
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **variables},
            text=True,
        ) as process:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            done = threading.Event()
            if said == READY:
                log.info("one process encodes on the GPU for all others")
                os.environ.update(variables)
                threading.Thread(target=_watch, args=(process, done, settings), daemon=True).start()
            else:
                log.warning("no encoder is shared: %s", said or "its process ended, see above")
            try:
                yield
            finally:
                done.set()
                for name in variables:
                    os.environ.pop(name, None)
                _end(process)


def _watch(process: subprocess.Popen[str], done: threading.Event, settings: Settings) -> None:
    code = process.wait()
    if not done.is_set():
        log.error("the process that encodes on the GPU ended (exit code %d): ending, too", code)
        report_failure(
            "worker", settings, ServiceError("encoder", f"its process ended with {code}")
        )
        os.kill(os.getpid(), signal.SIGTERM)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _gone(error: Exception) -> ServiceError:
    return ServiceError("encoder", f"its process on the GPU is gone ({type(error).__name__})")
