"""`mess doctor`: one line a check, and what to do about each that fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

import click

from mess_plugin import embedded
from mess_plugin.cli.output import json_option, print_json, say
from mess_plugin.config import Settings, load_settings
from mess_plugin.encoders import DEFAULT_ENCODER, describe
from mess_plugin.errors import MessError
from mess_plugin.pathmap import PathMap
from mess_plugin.recipe import weights_of
from mess_plugin.services import connected, ping_broker
from mess_plugin.store import open_store

_LOW_DISK_GB = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check. ok is None where it is only worth knowing."""

    name: str
    ok: bool | None
    detail: str


@click.group(invoke_without_command=True)
@click.pass_context
@json_option
def doctor(context: click.Context, as_json: bool) -> None:
    """Check that everything works, and say what to do if not."""
    if context.invoked_subcommand:
        return
    settings = load_settings()
    found: list[Check] = []
    for check in checks(settings):
        found.append(check)
        if not as_json:
            mark = {True: "ok  ", False: "FAIL", None: "note"}[check.ok]
            say(f"{mark}  {check.name}: {check.detail}")
    failed = any(check.ok is False for check in found)
    if as_json:
        rows = [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in found]
        print_json({"ok": not failed, "checks": rows})
    if failed:
        raise SystemExit(1)


@doctor.command()
@click.option("--sample", default=50, show_default=True, metavar="N", help="Look at N files.")
@json_option
def paths(sample: int, as_json: bool) -> None:
    """Check that this machine finds the library's files: each is there and has the right size."""
    settings = load_settings()
    here = PathMap.parse(settings.path_map)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        files = store.ledger.sample_files(sample)
    rows = [(path, here.local(path), _compared(here.local(path), size)) for path, size in files]
    wrong = [row for row in rows if row[2] != "ok"]
    if as_json:
        names = ("path", "here", "result")
        print_json({"ok": not wrong, "files": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        for path, local, result in wrong:
            say(f"FAIL  {path}: {result}" + (f" (here {local})" if local != path else ""))
        say(f"{len(rows) - len(wrong)} of {len(rows)} sampled files are here with the right size")
        if wrong:
            say("set path_map or MESS_PATH_MAP: /folder/in/the/library=/folder/here")
    if wrong:
        raise SystemExit(1)


def _compared(path: str, size_bytes: int) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116  text paths keep odd bytes
    except OSError as error:
        return (error.strerror or "cannot be read").lower()
    return "ok" if found.st_size == size_bytes else f"{found.st_size} bytes, known {size_bytes}"


def checks(settings: Settings) -> Iterator[Check]:
    """All checks, in the order in which a file passes what they look at."""
    yield _disk(settings)
    yield _guarded("decoder", _decoder)
    yield _guarded("encoder", lambda: _encoder(settings))
    try:
        with connected(settings, broker=True) as ready:
            yield _guarded("database", lambda: _database(ready))
            yield _guarded("broker", lambda: ping_broker(ready.broker_url or ""))
            yield _worker(settings, ready)
    except MessError as error:
        yield Check("services", False, str(error))
    yield from _torch()


def _guarded(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, True, check())
    except (MessError, OSError, ImportError) as error:
        return Check(name, False, str(error))


def _disk(settings: Settings) -> Check:
    place = settings.home
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / 1e9
    detail = f"{free_gb:.1f} GB free at {settings.home}"
    if free_gb < _LOW_DISK_GB:
        return Check("disk", False, f"{detail}: free some space, or set MESS_HOME to another disk")
    return Check("disk", True, detail)


def _decoder() -> str:
    import av  # noqa: PLC0415  only the doctor names its version
    from av.codec.codec import codecs_available  # noqa: PLC0415

    wanted = {"mp3", "flac", "opus", "vorbis", "aac", "alac", "wmav2", "pcm_s16le"}
    missing = sorted(wanted - set(codecs_available))
    if missing:
        raise ImportError(
            f"this FFmpeg cannot decode {', '.join(missing)}: reinstall `av` from PyPI"
        )
    libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
    return f"FFmpeg in av {av.__version__} (libavcodec {libavcodec})"


def _encoder(settings: Settings) -> str:
    name = settings.encoder or DEFAULT_ENCODER
    state = describe(name).weights_state(weights_of(name, settings))
    if not state.ready:
        raise ImportError(f"{name} is not ready: {state.detail}")
    return f"{name}: {state.detail}"


def _database(settings: Settings) -> str:
    with open_store(settings.database_url or "") as store:
        postgres, pgvector = store.server_versions()
    return f"Postgres {postgres}, pgvector {pgvector}"


def _worker(settings: Settings, ready: Settings) -> Check:
    if ready.broker_url == settings.broker_url:
        return Check("worker", None, "start one with `mess worker`; `mess index` brings its own")
    running = embedded.state(settings.home)
    worker = running.service("worker") if running else None
    if worker is None:
        return Check("worker", None, "none in the background: `mess index` brings its own")
    if worker.phase != "running":
        return Check("worker", False, f"{worker.phase} ({worker.problem}): see {worker.log}")
    return Check("worker", True, f"running (pid {worker.pid})")


def _torch() -> Iterator[Check]:
    """Warn where gigabytes of CUDA libraries were installed for a machine without such a GPU."""
    if importlib.util.find_spec("torch") is None:
        yield Check("torch", None, "not installed; only the MERT encoders need it")
        return
    try:
        distribution("nvidia-cublas-cu12")
        has_cuda_packages = True
    except PackageNotFoundError:
        has_cuda_packages = importlib.util.find_spec("nvidia") is not None
    if has_cuda_packages and shutil.which("nvidia-smi") is None:
        yield Check(
            "torch",
            None,
            "CUDA libraries are installed but there is no NVIDIA GPU: a CPU build saves gigabytes "
            "(pip install torch --index-url https://download.pytorch.org/whl/cpu)",
        )
    else:
        yield Check(
            "torch", True, f"installed, {'with' if has_cuda_packages else 'without'} CUDA libraries"
        )
