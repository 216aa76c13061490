"""One supervised process: started, watched, restarted with backoff, stopped in steps.

A small machine without threads: `step` looks at the process, acts, and says when to look again.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from mess_plugin.embedded import launch, processes
from mess_plugin.embedded.home import Home
from mess_plugin.embedded.logs import Log
from mess_plugin.embedded.plan import Plan
from mess_plugin.embedded.states import ServiceState
from mess_plugin.errors import ServiceError

READY_POLL_S = 0.005
KILL_GRACE_S = 5.0
LONGEST_BACKOFF_S = 60.0
HEALTHY_AFTER_S = 10.0  # a run this long ends a row of failures
FAILURES_TO_REPORT = 4  # in a row, before waiting clients are told; some mend themselves

Watch = Callable[[int, Callable[[], bool]], None]


class Service:
    """A process that should run while `wanted`; `problem` is set while it cannot."""

    def __init__(self, plan: Plan, home: Home, watch: Watch, note: Callable[[str], None]) -> None:
        """`watch(fd, drain)` calls drain() when fd is readable; `note` writes our own log."""
        self.plan = plan
        self.wanted = False
        self.problem: ServiceError | None = None
        self.phase = "stopped"
        self.log = Log(home.log(plan.name))
        self._watch = watch
        self._note = note
        self._child: subprocess.Popen[bytes] | None = None
        self._drain: Callable[[], bool] = lambda: False
        self._born: str | None = None
        self._detail = ""
        self._launched = False
        self._since_s = time.time()
        self._began_s = 0.0
        self._restarts = 0
        self._failures = 0
        self._last_exit: str | None = None
        self._look_at_s = 0.0
        self._steps: list[tuple[signal.Signals, float]] = []

    @property
    def ready(self) -> bool:
        """Whether it does what callers wait for."""
        return self.phase == "running" or (self._launched and self.plan.is_ready_when_started)

    def want(self) -> None:
        """Ask for it: a service that waits for its next try is tried at once."""
        self.wanted = True
        self.problem = None
        if self.phase == "waiting":
            self._look_at_s = 0.0
            self._failures = 0

    def replace_plan(self, plan: Plan) -> None:
        """Run another command from now on."""
        if self._child is not None:
            self._begin_stop()
        self.plan = plan
        self._launched = False

    def step(self) -> float | None:
        """Act, and return the monotonic time of the next look; None when only events matter."""
        now_s = time.monotonic()
        if self._child is not None and (code := self._child.poll()) is not None:
            self._ended(code, now_s)
        if self._child is None:
            return self._step_idle(now_s)
        if not self.wanted and self.phase != "stopping":
            self._begin_stop()
        if self.phase == "starting":
            if not self.plan.is_ready(self._child.pid):
                return now_s + READY_POLL_S
            self._detail = self.plan.detail(self._child.pid)
            self._enter("running")
        if self.phase == "stopping":
            return self._step_stopping(now_s)
        return self._step_running(now_s)

    def snapshot(self) -> ServiceState:
        """Return the state of this moment."""
        return ServiceState(
            name=self.plan.name,
            phase=self.phase,
            pid=self._child.pid if self._child else None,
            born=self._born if self._child else None,
            since_s=round(self._since_s, 3),
            restarts=self._restarts,
            last_exit=self._last_exit,
            problem=str(self.problem) if self.problem else None,
            log=str(self.log.path),
            detail=self._detail,
        )

    def _step_idle(self, now_s: float) -> float | None:
        if not self.wanted:
            if self.phase != "stopped":
                self._enter("stopped")
            return None
        if now_s < self._look_at_s:
            return self._look_at_s
        self._start()
        return time.monotonic()

    def _step_running(self, now_s: float) -> float | None:
        healthy_at_s = self._began_s + HEALTHY_AFTER_S
        if self._failures and now_s < healthy_at_s:
            return healthy_at_s
        self._failures = 0
        self.problem = None
        return None

    def _start(self) -> None:
        if self._last_exit is not None:
            self._restarts += 1
        self.log.forget()
        reader, writer = os.pipe()
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            argv, account = self.plan.prepare(self.log)
            self._child = launch.start(
                argv,
                account,
                directory=self.plan.directory,
                environment=self.plan.environment,
                output=writer,
                death_signal=self.plan.stop_signals[0][0],
            )
        except (OSError, subprocess.SubprocessError, ServiceError) as error:
            os.close(reader)
            self._last_exit = "not started"
            refused = ServiceError(self.plan.title, f"cannot be started ({error})")
            problem = error if isinstance(error, ServiceError) else refused
            self._fail(problem, time.monotonic())
            return
        finally:
            os.close(writer)
        self._drain = self._reader_of(reader)
        self._watch(reader, self._drain)
        self._born = processes.born(self._child.pid)
        self._launched = True
        self._began_s = time.monotonic()
        self._detail = ""
        self._enter("starting")

    def _ended(self, code: int, now_s: float) -> None:
        self._drain()
        assert self._child is not None
        # What it leaves in its group (a worker's pool) must not run beside its successor. The
        # number was freed this instant and pids are given in turn, so it cannot be another's yet.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child = None
        self._last_exit = (
            f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        )
        if not self.wanted or self.phase == "stopping":
            self._failures, self._look_at_s = 0, 0.0
            self._enter("stopped")
            return
        self._fail(self._explained(), now_s)

    def _fail(self, problem: ServiceError, now_s: float) -> None:
        """Wait before the next try; the waiting hear of it unless it may mend itself."""
        self._failures += 1
        if self._last_exit == "not started" or self._failures >= FAILURES_TO_REPORT:
            self.problem = problem
        wait_s = self.plan.first_backoff_s * 2.0 ** min(self._failures - 1, 16)
        wait_s = min(wait_s, LONGEST_BACKOFF_S)
        self._look_at_s = now_s + wait_s
        self._enter("waiting")
        self._note(f"{self.plan.name}: {problem}; next try in {wait_s:g} s")

    def _explained(self) -> ServiceError:
        words = self.log.last_words()
        quote = f' and said "{words}"' if words else ""
        text = f"{self.plan.explain(words)} ({self._last_exit}{quote}); log: {self.log.path}"
        return ServiceError(self.plan.title, text)

    def _begin_stop(self) -> None:
        self._steps = [*self.plan.stop_signals, (signal.SIGKILL, KILL_GRACE_S)]
        self._look_at_s = 0.0
        self._enter("stopping")

    def _step_stopping(self, now_s: float) -> float:
        assert self._child is not None
        if now_s >= self._look_at_s:
            step, grace_s = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
            with suppress(ProcessLookupError):
                if step is signal.SIGKILL:
                    self._note(f"{self.plan.name}: did not stop when asked; killed")
                    os.killpg(self._child.pid, step)
                else:
                    self._child.send_signal(step)
            self._look_at_s = now_s + grace_s
        return self._look_at_s

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._since_s = time.time()
        pid = f", pid {self._child.pid}" if self._child else ""
        self._note(f"{self.plan.name}: {phase}{pid}")

    def _reader_of(self, reader: int) -> Callable[[], bool]:
        """Return a function that logs what the pipe holds now and is False at its end."""
        open_still = True

        def drain() -> bool:
            nonlocal open_still
            while open_still:
                try:
                    data = os.read(reader, 65536)
                except BlockingIOError:
                    return True
                open_still = bool(data)
                self.log.write(data)
            return False

        return drain
