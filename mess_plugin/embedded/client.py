"""The callers' side: hold a lease, keep a home up, take it down, ask how it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mess_plugin.embedded import protocol, states
from mess_plugin.embedded.home import SERVICE, Home, unwritable
from mess_plugin.embedded.logs import last_words_of
from mess_plugin.embedded.plan import plain_environment
from mess_plugin.embedded.program import Program, as_json, remember
from mess_plugin.errors import ServiceError

STARTS_TO_TRY = 3
POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers are: a psycopg URL, and a kombu URL if a broker was asked for."""

    database_url: str
    broker_url: str | None


class Lease:
    """Keeps the servers of a home running until it is closed or its process ends.

    A context manager; `endpoints` says where the servers are. Forked children share the lease.
    """

    def __init__(self, endpoints: Endpoints, link: socket.socket) -> None:
        """Made by `lease`."""
        self.endpoints = endpoints
        self._link = link

    def close(self) -> None:
        """Give the lease back; without any other, the servers stop within about a second."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def lease(home: Path, *, broker: bool = False, timeout_s: float = 30.0) -> Lease:
    """Start what is not running yet and hold it up: Postgres, and Valkey if `broker`.

    Any number of processes may hold leases of one home; they share its servers. ServiceError when
    the servers cannot be had within `timeout_s`, with the reason and the log that tells more.
    """
    link, answer = _ask(Home.at(home), {"ask": "lease", "broker": broker}, timeout_s)
    return Lease(Endpoints(answer["database_url"], answer["broker_url"] if broker else None), link)


def up(
    home: Path, programs: Sequence[Program] = (), *, timeout_s: float = 60.0
) -> states.HomeState:
    """Keep both servers and `programs` running until `down`, also after this process has ended.

    Programs that run already and are given again unchanged are left alone, others are replaced,
    those no longer given are stopped. The home stays pinned over a crash or a reboot: the next use
    starts everything again. ServiceError as for `lease`.
    """
    place = Home.at(home)
    link, _ = _ask(place, {"ask": "up", "programs": as_json(programs)}, timeout_s)
    with link:
        found = states.read(place.state)
    if found is None:
        raise ServiceError(SERVICE, f"cannot read {place.state}")
    return found


def pin(home: Path, programs: Sequence[Program]) -> None:
    """Have `programs` run as soon as a supervisor runs, without starting one. ServiceError."""
    place = Home.at(home)
    place.prepare()
    try:
        remember(place, programs)
    except OSError as error:
        raise unwritable(place.run, error) from error


def down(home: Path, *, timeout_s: float = 60.0) -> bool:
    """Unpin the home and stop its programs and servers, whoever holds a lease of them.

    True once everything has stopped, False when nothing was running; ServiceError when it does not
    stop within `timeout_s`.
    """
    place = Home.at(home)
    _unpin(place)  # first, so that no successor finds the pin
    link = _connect(place)
    if link is None:
        return False
    with link:
        try:
            link.settimeout(timeout_s)
            link.sendall(protocol.encode({"ask": "down"}))
            while link.recv(4096):
                pass
        except TimeoutError as error:
            raise _too_late(place, timeout_s, "did not stop") from error
        except OSError:
            pass  # it ended while we spoke
    return True


def _unpin(home: Home) -> None:
    try:
        home.pin.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise unwritable(home.pin, error) from error


def current_state(home: Path) -> states.HomeState | None:
    """Say what runs in a home, None when nothing does; starts nothing and creates nothing."""
    place = Home.at(home)
    link = _connect(place)
    if link is None:
        return None
    with link:
        return states.read(place.state)


def _ask(
    home: Home, request: Mapping[str, Any], timeout_s: float
) -> tuple[socket.socket, dict[str, Any]]:
    """Put a request to the supervisor, starting one if there is none; its answer and the link."""
    deadline_s = time.monotonic() + timeout_s
    home.prepare()
    starts = 0
    while True:
        link = _connect(home)
        if link is not None:
            answer = _converse(home, link, request, deadline_s, timeout_s)
            if answer is not None and "error" in answer:
                link.close()
                raise ServiceError(*answer["error"])
            if answer is not None:
                return link, answer
            link.close()  # it was on its way out
        elif (lock := home.try_lock()) is not None:
            try:
                if starts == STARTS_TO_TRY:
                    raise _broken(home)
                starts += 1
                _start_supervisor(home, lock)
            finally:
                os.close(lock)
            continue
        if time.monotonic() > deadline_s:
            raise _too_late(home, timeout_s, "was not ready")
        time.sleep(POLL_S)


def _connect(home: Home) -> socket.socket | None:
    sockets = home.sockets()
    if sockets is None:
        return None
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(str(sockets / "control"))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        link.close()
        return None
    except OSError as error:
        link.close()
        raise unwritable(sockets, error) from error
    return link


def _converse(
    home: Home, link: socket.socket, request: Mapping[str, Any], deadline_s: float, timeout_s: float
) -> dict[str, Any] | None:
    """Return the answer, None when the supervisor ended first."""
    received = b""
    try:
        link.settimeout(max(0.01, deadline_s - time.monotonic()))
        link.sendall(protocol.encode(request))
        while not received.endswith(b"\n"):
            link.settimeout(max(0.01, deadline_s - time.monotonic()))
            data = link.recv(65536)
            if not data:
                return None
            received += data
    except TimeoutError as error:
        link.close()
        raise _too_late(home, timeout_s, "was not ready") from error
    except OSError:
        return None
    link.settimeout(None)
    return protocol.decode(received)


def _start_supervisor(home: Home, lock: int) -> None:
    """Start a detached supervisor that inherits the lock and a socket that listens already.

    So it is the only one from before its first instruction, and clients can connect at once. It
    gets our module path as it is, which spares it the search for site-packages.
    """
    listener = home.listen()
    modules = os.pathsep.join(os.path.abspath(place) for place in sys.path)  # noqa: PTH100
    numbers = (lock, listener.fileno())
    command = [sys.executable, "-S", "-P", "-m", __package__, "serve", str(home.path)]
    try:
        with listener, home.log("supervisor").open("ab") as log:
            subprocess.Popen(
                [*command, "--detached", *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=plain_environment(os.environ) | {"PYTHONPATH": modules},
                pass_fds=numbers,
                start_new_session=True,
            ).wait()
    except OSError as error:
        raise ServiceError(SERVICE, f"cannot start the supervisor ({error})") from error


def _broken(home: Home) -> ServiceError:
    log = home.log("supervisor")
    return ServiceError(
        SERVICE, f'the supervisor does not stay up ("{last_words_of(log)}"); log: {log}'
    )


def _too_late(home: Home, timeout_s: float, what: str) -> ServiceError:
    found = states.read(home.state)
    busy = (
        [each for each in found.services if each.phase not in ("running", "stopped")]
        if found
        else []
    )
    name = busy[0].name if busy else "supervisor"
    words = last_words_of(home.log(name))
    quote = f'; it last said "{words}"' if words else ""
    return ServiceError(
        name, f"{what} within {timeout_s:g} s, try again later{quote}; log: {home.log(name)}"
    )
