"""The process that owns the servers of one home, as long as somebody needs them.

One thread, one loop: it wakes when a client speaks or leaves, when a process prints or ends, and
when a service is due. With no lease and no pin it stops everything and ends.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from mess_plugin.atomic_file import write_text
from mess_plugin.embedded import processes, program, states
from mess_plugin.embedded.clients import Client, Clients
from mess_plugin.embedded.home import Home, unwritable
from mess_plugin.embedded.logs import Log
from mess_plugin.embedded.postgres import DATABASE, USER, Postgres
from mess_plugin.embedded.program import Program, ProgramPlan
from mess_plugin.embedded.service import Service
from mess_plugin.embedded.valkey import Valkey
from mess_plugin.errors import ServiceError, UsageError

LINGER_S = 0.5  # without a lease: a loop of short commands shares one start
SERVER_ORPHAN_GRACE_S = 30.0
PROGRAM_ORPHAN_GRACE_S = 3.0


class Supervisor:
    """Runs the services of `home`; the caller holds its lock and gives a listening socket."""

    def __init__(self, home: Home, listener: socket.socket) -> None:
        self._home = home
        self._log = Log(home.log("supervisor"), also_as=2)
        self._selector = selectors.DefaultSelector()
        self._clients = Clients(listener, self._selector, self._on_request)
        self._sockets = home.choose_sockets()
        base = dict(os.environ)
        self._valkey = Valkey(home, self._sockets, base)
        servers = (Postgres(home, self._sockets, base), self._valkey)
        self._servers = {plan.name: self._service(plan) for plan in servers}
        self._programs: dict[str, Service] = {}
        self._since_s = time.time()
        self._idle_since_s: float | None = None
        self._pinned = False
        self._closing = False
        self._written: states.HomeState | None = None

    def run(self) -> None:
        """Serve until nobody needs the home any more, or a signal says so."""
        self._note(f"supervisor: begins, pid {os.getpid()}")
        self._listen_to_signals()
        self._end_orphans()
        self._restore_pin()
        while True:
            due_s = self._step()
            if self._closing and self._all_stopped():
                break
            timeout_s = None if due_s is None else max(0.0, due_s - time.monotonic())
            for key, _ in self._selector.select(timeout_s):
                key.data()
        self._write_state()
        (self._sockets / "control").unlink(missing_ok=True)
        self._home.forget_sockets()
        self._note("supervisor: ends")
        self._clients.close()

    def _step(self) -> float | None:
        """Let every service act, answer who can be answered; when to come back at the latest."""
        dues = self._step_programs() + self._step_servers()
        self._write_state()  # first: who gets an answer may read it
        self._answer_clients()
        dues.append(self._idle_deadline())
        return min((due for due in dues if due is not None), default=None)

    def _step_programs(self) -> list[float | None]:
        if self._closing:
            for service in self._programs.values():
                service.wanted = False
        dues = [service.step() for service in self._programs.values()]
        for name, service in list(self._programs.items()):
            if not service.wanted and service.phase == "stopped":
                service.log.close()
                del self._programs[name]
        return dues

    def _step_servers(self) -> list[float | None]:
        if self._closing and not self._programs:  # which may want to say goodbye to them
            for service in self._servers.values():
                service.wanted = False
        return [service.step() for service in self._servers.values()]

    def _all_stopped(self) -> bool:
        return not self._programs and all(
            service.phase == "stopped" for service in self._servers.values()
        )

    def _idle_deadline(self) -> float | None:
        """When to begin closing, None while the home is needed."""
        starting = any(service.phase == "starting" for service in self._servers.values())
        # A recovery that outlasts its client's patience is finished, or it would begin anew.
        if self._pinned or self._closing or self._clients.leases or starting:
            self._idle_since_s = None
            return None
        now_s = time.monotonic()
        if self._idle_since_s is None:
            self._idle_since_s = now_s
        if now_s >= self._idle_since_s + LINGER_S:
            self._closing = True
        return self._idle_since_s + LINGER_S

    def _on_request(self, client: Client, message: dict[str, Any]) -> None:
        ask = message["ask"]
        if ask == "down":
            self._closing = True  # the client has removed the pin
        elif self._closing:
            self._clients.drop(client)  # it will find, or start, our successor
        elif ask == "lease":
            self._want(client, {"postgres", "valkey"} if message["broker"] else {"postgres"})
        elif ask == "up":
            self._pin(client, message)
        else:
            raise ValueError(f"unknown word {ask!r}")

    def _want(self, client: Client, names: set[str]) -> None:
        client.waits_for = frozenset(names)
        client.answered = False
        for name in names & self._servers.keys():
            self._servers[name].want()

    def _pin(self, client: Client, message: dict[str, Any]) -> None:
        try:
            programs = program.from_json(message["programs"])
            program.remember(self._home, programs)
        except UsageError as error:
            raise ValueError(str(error)) from error
        except OSError as error:
            self._clients.answer(client, {"error": list(unwritable(self._home.run, error).args)})
            return
        self._pinned = True
        self._set_programs(programs)
        self._want(client, {"postgres", "valkey", *self._programs})

    def _set_programs(self, programs: tuple[Program, ...]) -> None:
        wanted = {each.name: ProgramPlan(self._home, each) for each in programs}
        for name, service in self._programs.items():
            service.wanted = name in wanted
        for name, plan in wanted.items():
            service = self._programs.get(name) or self._service(plan)
            self._programs[name] = service
            if service.plan != plan:
                service.replace_plan(plan)
            service.want()

    def _restore_pin(self) -> None:
        try:
            programs = program.remembered(self._home)
        except ServiceError as error:
            self._note(f"supervisor: {error}")
            return
        if programs is not None:
            self._pinned = True
            self._set_programs(programs)
            for service in self._servers.values():
                service.want()

    def _answer_clients(self) -> None:
        for client in self._clients.waiting():
            services = [
                service
                for name in client.waits_for or ()
                if (service := self._servers.get(name) or self._programs.get(name)) is not None
            ]
            unready = [service for service in services if not service.ready]
            # Without a server nothing can be done; of a program that fails, the state tells.
            problem = next(
                (each.problem for each in unready if each.problem and not _tells(each)), None
            )
            if problem is not None:
                self._clients.answer(client, {"error": list(problem.args)})
            elif all(each.problem for each in unready):
                self._clients.answer(client, self._endpoints())

    def _endpoints(self) -> dict[str, str | None]:
        """Return the URLs of what runs; socket paths are plain, so nothing needs quoting."""
        ready = {name for name, service in self._servers.items() if service.phase == "running"}
        database = f"postgresql://{USER}@/{DATABASE}?host={self._sockets}/pg"
        broker = f"redis+socket://{self._valkey.socket}?virtual_host=0"
        return {
            "database_url": database if "postgres" in ready else None,
            "broker_url": broker if "valkey" in ready else None,
        }

    def _end_orphans(self) -> None:
        """End what a supervisor that was killed left behind, before anything starts anew."""
        previous = states.read(self._home.state)
        for left in previous.services if previous else ():
            if left.pid is not None and left.born is not None:
                ask = signal.SIGINT if left.name == "postgres" else signal.SIGTERM
                server = left.name in self._servers
                grace_s = SERVER_ORPHAN_GRACE_S if server else PROGRAM_ORPHAN_GRACE_S
                processes.end(left.pid, left.born, ask, grace_s)

    def _write_state(self) -> None:
        services = (*self._servers.values(), *self._programs.values())
        current = states.HomeState(
            pid=os.getpid(),
            since_s=round(self._since_s, 3),
            pinned=self._pinned,
            leases=self._clients.leases,
            **self._endpoints(),
            services=tuple(service.snapshot() for service in services),
            home=str(self._home.path),
        )
        if current != self._written:
            self._written = current
            try:
                write_text(self._home.state, states.to_json(current), mode=0o600)
            except OSError as error:
                self._note(f"supervisor: {unwritable(self._home.state, error)}")

    def _service(self, plan: Postgres | Valkey | ProgramPlan) -> Service:
        return Service(plan, self._home, self._watch, self._note)

    def _watch(self, descriptor: int, drain: Callable[[], bool]) -> None:
        def on_readable() -> None:
            if not drain():
                self._selector.unregister(descriptor)
                os.close(descriptor)

        self._selector.register(descriptor, selectors.EVENT_READ, on_readable)

    def _listen_to_signals(self) -> None:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._wakeup = (reader, writer)  # kept open
        self._selector.register(reader, selectors.EVENT_READ, lambda: reader.recv(4096))
        # Functions rather than SIG_IGN, which the children would inherit.
        for number in (signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._close_soon())

    def _close_soon(self) -> None:
        self._closing = True

    def _note(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._log.write(f"{stamp} {text}\n".encode())


def _tells(service: Service) -> bool:
    """Whether it is a program that says when it works."""
    return isinstance(service.plan, ProgramPlan) and not service.plan.is_ready_when_started


def serve(home: Home, lock: int | None, listener_descriptor: int | None) -> int:
    """Run a supervisor to its end; 0, also when another one has the lock already."""
    home.prepare()
    held = lock if lock is not None else home.try_lock()
    if held is None:
        return 0
    fcntl.fcntl(held, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    if listener_descriptor is None:
        listener = home.listen()
    else:
        listener = socket.socket(fileno=listener_descriptor)
        listener.set_inheritable(False)
    os.chdir("/")
    os.umask(0o077)
    Supervisor(home, listener).run()
    return 0
