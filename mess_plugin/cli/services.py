"""`mess up`, `mess down`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click

from mess_plugin import embedded
from mess_plugin.atomic_file import write_text
from mess_plugin.cli.output import say
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import ServiceError
from mess_plugin.services import connected, environment
from mess_plugin.store import open_store
from mess_plugin.waiting import waiting_for

# What a background program gets of our environment, beside the settings.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HF_HOME")


@click.command()
@click.option("--systemd", is_flag=True, help="By a unit of systemd: also after a reboot.")
def up(systemd: bool) -> None:
    """Keep the services and a worker running in the background, until `mess down`."""
    settings = load_settings()
    if systemd:
        _hand_over(settings)
    with connected(settings, broker=True) as ready:
        with open_store(ready.database_url or ""):
            pass  # the schema is brought up to date before anything else starts
        state = start_background(settings)
    for service in state.services:
        say(service_line(service))
    if not all(service.phase == "running" for service in state.services):
        say(f"not everything runs: mend it and run `mess up` again; logs are in {_logs(settings)}")
        raise SystemExit(1)
    for point in sorted(entry_points(group="mess.greetings")):
        say(point.load()(settings))
    say(f"logs are in {_logs(settings)}; `mess down` stops everything")


def service_line(service: embedded.ServiceState) -> str:
    """One service for people: where it is, or why it is not."""
    if service.phase == "running":
        return f"{service.name}: {service.detail or 'running'} (pid {service.pid})"
    return f"{service.name}: {service.phase}: {service.problem or f'see {service.log}'}"


def _logs(settings: Settings) -> Path:
    return settings.home / "log"


def _hand_over(settings: Settings) -> None:
    """Write the unit, and let systemd run the supervisor from now on. Raises ServiceError."""
    file = embedded.unit.unit_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, embedded.unit.unit(settings.home))
    except OSError as error:
        raise ServiceError("systemd", f"{file} cannot be written ({error.strerror})") from error
    say(f"{file} written: it starts MESS when you log in, and again where it is killed")
    embedded.down(settings.home)  # a supervisor that systemd did not start would not be restarted
    embedded.pin(settings.home, _programs(settings))
    for words in (
        ["daemon-reload"],
        ["enable", embedded.unit.NAME],
        ["restart", embedded.unit.NAME],
    ):
        _systemctl(words)
    say("to start MESS at boot, before anybody logs in: loginctl enable-linger")


def _systemctl(words: list[str]) -> None:
    command = ["systemctl", "--user", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ServiceError("systemd", f"`{' '.join(command)}` cannot be run: {error}") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said else f"code {done.returncode}"
        raise ServiceError("systemd", f"`{' '.join(command)}` failed ({reason})")


@click.command()
def down() -> None:
    """Stop everything that `mess up` started."""
    settings = load_settings()
    say("stopped" if embedded.down(settings.home) else "nothing was up")


def start_background(settings: Settings) -> embedded.HomeState:
    """Keep servers and programs running as the settings say; what runs otherwise is replaced."""
    with waiting_for("the services to start"):
        return embedded.up(settings.home, _programs(settings))


def _programs(settings: Settings) -> list[embedded.Program]:
    """The background programs of the packages above the core: entry points that name modules.

    A setting with the name of a program switches it; None there means: if MESS_HOME/NAME.json, by
    which it is linked to another server, exists.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables = {**kept, **environment(settings)}
    return [
        embedded.Program(
            point.name, (sys.executable, "-m", point.value), variables, says_ready=True
        )
        for point in sorted(entry_points(group="mess.programs"))
        if _is_on(settings, point.name)
    ]


def _is_on(settings: Settings, name: str) -> bool:
    switch = getattr(settings, name, True)
    return (settings.home / f"{name}.json").exists() if switch is None else bool(switch)
