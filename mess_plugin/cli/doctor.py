"""`mess doctor`: one line a check, and what to do about each that fails."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution

import click
import msgspec

from mess_plugin import embedded
from mess_plugin.cli.main import Extensible
from mess_plugin.cli.output import json_option, print_json, say
from mess_plugin.cli.shared_options import k_option
from mess_plugin.config import Settings, load_settings
from mess_plugin.documents import background_problems
from mess_plugin.encoders import DEFAULT_ENCODER, describe, descriptions
from mess_plugin.errors import MessError
from mess_plugin.library.pathmap import PathMap
from mess_plugin.services import connected, home_id, ping_broker
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.spaces.recipe import weights_of
from mess_plugin.store import open_store
from mess_plugin.store.roots import Root

_LOW_DISK_GB = 1.0
_SERVERS = frozenset({"postgres", "valkey"})  # checked by asking them
_ANSWER_S = 5.0


class Check(msgspec.Struct, frozen=True):
    """The outcome of one check. ok is None where it is only worth knowing."""

    name: str
    ok: bool | None
    detail: str


@click.group(cls=Extensible, invoke_without_command=True)
@click.pass_context
@json_option
def doctor(context: click.Context, as_json: bool) -> None:
    """Check that everything works, and say what to do if not."""
    if context.invoked_subcommand:
        return
    print_checks(checks(load_settings()), as_json=as_json)


def print_checks(found: Iterable[Check], *, as_json: bool) -> None:
    """Print checks as they come; exit with 1 where one failed."""
    done: list[Check] = []
    for check in found:
        done.append(check)
        if not as_json:
            mark = {True: "ok  ", False: "FAIL", None: "note"}[check.ok]
            say(f"{mark}  {check.name}: {check.detail}")
    failed = any(check.ok is False for check in done)
    if as_json:
        rows = [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in done]
        print_json({"ok": not failed, "checks": rows})
    if failed:
        raise SystemExit(1)


@doctor.command()
@k_option(50, "Look at N files.", old=("--sample",))
@json_option
def paths(k: int, as_json: bool) -> None:
    """Check that this machine finds the library's files: each is there and has the right size."""
    settings = load_settings()
    here = PathMap.parse(settings.path_map)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        files = store.files.sample_files(k)
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
    """All checks. The database comes before the encoder, since a choice may be stored in it."""
    yield _disk(settings)
    yield _guarded("decoder", _decoder)
    chosen: Settings | None = None
    try:
        with connected(settings, broker=True) as ready:
            database, chosen = _database(ready)
            yield database
            yield _guarded("broker", lambda: ping_broker(ready.broker_url or ""))
            yield from _programs(settings, ready)
            yield from _background(ready)
    except MessError as error:
        yield Check("services", False, str(error))
    yield _guarded("encoder", lambda: _encoder(settings, chosen))
    yield from _torch()
    yield from _device(chosen or settings)


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


def _encoder(settings: Settings, chosen: Settings | None) -> str:
    """chosen: the settings with what `mess encoders use` stored; None where that is not known."""
    name = (chosen or settings).encoder or DEFAULT_ENCODER
    state = describe(name).weights_state(weights_of(name, settings))
    if not state.ready:
        raise ImportError(f"{name} is not ready: {state.detail}")
    if chosen is None and settings.encoder is None:
        return f"{name}: {state.detail}; whether another was chosen, the database did not say"
    return f"{name}: {state.detail}"


def _database(settings: Settings) -> tuple[Check, Settings | None]:
    """The check, and the settings with the encoder that answers, None where that is not known."""
    try:
        with open_store(settings.database_url or "") as store:
            postgres, pgvector = store.server_versions()
            chosen = resolve_settings(store, settings)
    except (MessError, OSError) as error:
        return Check("database", False, str(error)), None
    return Check("database", True, f"Postgres {postgres}, pgvector {pgvector}"), chosen


def _programs(settings: Settings, ready: Settings) -> Iterator[Check]:
    """What `mess up` keeps running here, each by itself; else what that means."""
    running = embedded.state(settings.home)
    programs = [one for one in running.services if one.name not in _SERVERS] if running else []
    if not programs:
        own = ready.broker_url == settings.broker_url
        detail = "start one with `mess worker`" if own else "none in the background"
        yield Check("worker", None, f"{detail}; `mess index` brings its own")
    for one in programs:
        if one.phase == "running":
            yield Check(one.name, True, one.detail or f"running (pid {one.pid})")
        else:
            detail = f"{one.phase}: {one.problem or f'last {one.last_exit}'}: see {one.log}"
            yield Check(one.name, False, detail)
    serving = running.service("http") if running else None
    where = serving.detail if serving and serving.detail else f"http://{settings.listen}"
    yield from _address(settings, where, is_ours=bool(serving and serving.phase == "running"))


def _address(settings: Settings, where: str, *, is_ours: bool) -> Iterator[Check]:
    """Whether it is this home that answers where its clients ask."""
    try:
        with urllib.request.urlopen(f"{where}/healthz", timeout=_ANSWER_S) as answer:  # noqa: S310
            home = json.loads(answer.read(4096))["home"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        if is_ours:
            yield Check("address", False, f"{where} does not answer as MESS does ({error})")
        return
    if home != home_id(settings.home):
        detail = (
            f"{where} is another home's: clients of this one ask the wrong library; set `listen` "
            "to another address, or `mess down` the other home"
        )
        yield Check("address", False if is_ours else None, detail)
    elif is_ours:
        yield Check("address", True, f"{where} is answered by this home")


def _background(settings: Settings) -> Iterator[Check]:
    """Whether watcher, dispatcher or workers keep failing, and which folders are watched."""
    try:
        with open_store(settings.database_url or "") as store:
            problems = background_problems(store)
            roots = store.roots.all()
    except MessError:
        return  # said of the database already
    for problem in problems:
        yield Check("background", False, f"{problem}: see {settings.home / 'log'}")
    if problems:
        return
    others = [detail for root in roots if (detail := _root_problem(root))]
    n_well = len(roots) - len(others)
    detail = "; ".join([f"{n_well} folders watched", *others]) if roots else "nothing is watched"
    yield Check("watcher", None if others or not roots else True, detail)


def _root_problem(root: Root) -> str:
    if not root.is_watched:
        return f"{root.path} is not watched now: `mess up` does"
    return "" if root.state == "watched" else f"{root.path} is {root.state}: {root.detail}"


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


def _device(settings: Settings) -> Iterator[Check]:
    """Where an encoder that uses torch will run; nothing for the others, which know only the CPU."""
    encoder = descriptions().get(settings.encoder or DEFAULT_ENCODER)
    if encoder is None or encoder.extra is None or importlib.util.find_spec("torch") is None:
        return
    import torch  # noqa: PLC0415  heavy, and only wanted where this encoder is in use

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    yield device_check(encoder.name, encoder.speed, settings.device, gpu)


def device_check(name: str, speed: str, device: str, gpu: str | None) -> Check:
    """What an encoder's device means on this machine. gpu: the name of its CUDA GPU, None without."""
    if gpu is None and device == "cuda":
        detail = (
            "device is 'cuda', but torch finds no CUDA GPU here: install a driver and a CUDA build "
            "of torch, or set MESS_DEVICE to cpu or auto"
        )
        return Check("device", False, detail)
    if gpu is None:
        detail = (
            f"no CUDA GPU here, so {name} runs on the CPU and is {speed}: docs/encoders.md says how "
            "long it takes, and what --coverage and int8 save"
        )
        return Check("device", None, detail)
    if device == "cpu":
        detail = f"there is a GPU ({gpu}), but {name} runs on the CPU: set MESS_DEVICE to cuda"
        return Check("device", None, detail)
    return Check("device", True, f"{name} runs on {gpu}")
