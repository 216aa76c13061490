"""A unit for systemd that keeps a home up: over reboots, and when the supervisor itself is killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "mess.service"
_TEXT = """\
# Written by `mess up --systemd`. It runs the supervisor of a MESS home, which starts what the last
# `mess up` asked for. After `mess down` it has nothing to run, and ends.
[Unit]
Description=MESS, music similarity search
Documentation=https://pypi.org/project/mess-plugin/
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec=120
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def unit_file() -> Path:
    """Where systemd looks for units of this user."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(config) / "systemd" / "user" / NAME


def command(home: Path) -> list[str]:
    """The supervisor of a home in the foreground."""
    return [sys.executable, "-m", "mess_plugin.embedded", "serve", str(home)]


def unit(home: Path) -> str:
    """The text of the unit for a home. It holds no secrets: those are in the home."""
    return _TEXT.format(command=" ".join(map(_quoted, command(home))))


def _quoted(word: str) -> str:
    """A word as systemd reads it: nothing in it is expanded."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(special, escaped)
    return f'"{word}"'
