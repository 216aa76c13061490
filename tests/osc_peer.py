"""A library that is indexed in process, a running server, and a python-osc client of it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from mess_integrations.osc.server import listening
from mess_plugin.config import Settings, load_settings
from mess_plugin.library.index import index
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.spaces.refit import refit
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile

SAMPLES = Path(__file__).parent.parent / "samples"


def index_files(store: Store, settings: Settings, paths: list[Path]) -> None:
    """Index files as a worker does, one after another."""
    recipe = str(Recipe.of(settings))
    seen = [SeenFile(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    encoder = load_encoder(Recipe.of(settings), settings)
    for job_id in store.jobs.enqueue(seen, recipe, uuid.uuid4()).job_ids:
        job = store.jobs.start(job_id)
        assert job is not None
        store.jobs.finish(job_id, index(store, job, encoder, limit_s=60).outcome)
    refit(store, recipe)


def settings_for(home: Path, database_url: str, **others: object) -> Settings:
    """Settings for a test's server: any free port."""
    settings = load_settings({"MESS_HOME": str(home)})
    return msgspec.structs.replace(settings, database_url=database_url, osc_port=0, **others)


@contextmanager
def server(settings: Settings) -> Iterator[tuple[str, int]]:
    """A server in a thread of its own; its address."""
    address: list[tuple[str, int]] = []
    problems: list[BaseException] = []
    is_up = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        async with listening(settings) as where:
            address.append(where)
            is_up.set()
            await stop.wait()

    def body() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001  handed to the test
            problems.append(error)
            is_up.set()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    assert is_up.wait(30)
    if problems:
        raise problems[0]
    try:
        yield address[0]
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive(), "the server does not end"
        assert not problems, problems


class Client:
    """A UDP client of a server."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.packets: list[bytes] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])

    def send(self, address: str, *arguments: object) -> None:
        """One message; types as python-osc guesses them."""
        self.send_packet(packet(address, *arguments))

    def send_packet(self, data: bytes) -> None:
        """Any bytes."""
        self.socket.sendto(data, self.address)

    def receive(self, timeout_s: float = 20.0) -> OscMessage:
        """The next answer; TimeoutError where none comes."""
        self.socket.settimeout(timeout_s)
        data = self.socket.recv(65536)
        self.packets.append(data)
        return OscMessage(data)

    def until(self, *addresses: str, timeout_s: float = 30.0) -> list[OscMessage]:
        """All answers up to the first with one of the addresses."""
        found = []
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            found.append(self.receive(deadline_s - time.monotonic()))
            if found[-1].address in addresses:
                return found
        raise TimeoutError

    def ask(self, address: str, *arguments: object) -> list[OscMessage]:
        """A lookup: everything up to done or an error."""
        self.send(address, *arguments)
        return self.until("/mess/lookup/done", "/mess/error")

    def is_silent(self, for_s: float = 0.3) -> bool:
        """Whether nothing comes."""
        try:
            self.receive(for_s)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()


def packet(address: str, *arguments: object) -> bytes:
    """One message as bytes."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)  # type: ignore[arg-type]
    return builder.build().dgram


def rows(found: list[OscMessage]) -> list[list[object]]:
    """The arguments of the match rows."""
    return [list(one.params) for one in found if one.address == "/mess/lookup/match"]
