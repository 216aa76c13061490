"""`mess uninstall`: what MESS has put on this machine, and taking it away."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click

from mess_plugin import embedded
from mess_plugin.cli.output import print_table, say
from mess_plugin.config import Settings, load_settings


@click.command()
@click.option("--yes", is_flag=True, help="Remove it.")
def uninstall(yes: bool) -> None:
    """Show what MESS has put on this machine; with --yes remove it. Your music is never touched."""
    settings = load_settings()
    unit = embedded.unit.unit_file()
    rows = [(str(settings.home), _size(settings.home), "library, settings, logs, undo files")]
    if unit.exists():
        rows.append((str(unit), _size(unit), "unit of systemd"))
    print_table(["place", "#size", "what"], rows)
    for hint in _elsewhere(settings):
        say(hint)
    if not yes:
        say("nothing was removed: --yes removes what is listed; `mess backup FILE` keeps a copy")
        return
    embedded.down(settings.home)
    if unit.exists():
        command = ["systemctl", "--user", "disable", "--now", embedded.unit.NAME]
        subprocess.run(command, capture_output=True, check=False)
        unit.unlink(missing_ok=True)
    if settings.home.is_dir():
        shutil.rmtree(settings.home)
    say("removed; the program itself: pip uninstall mess-plugin")


def _elsewhere(settings: Settings) -> list[str]:
    """What is left to its owner."""
    hints = []
    if settings.database_url is not None:
        hints.append("the library is in a database of your own (MESS_DATABASE_URL): drop it there")
    if (settings.home / "jellyfin.json").exists():
        hints.append("Jellyfin keeps playlists and a token: `mess jellyfin unlink` withdraws it")
    hints.append("weights that were downloaded are in the cache of Hugging Face (HF_HOME)")
    return hints


def _size(place: Path) -> str:
    files = place.rglob("*") if place.is_dir() else [place]
    total = sum(one.lstat().st_size for one in files if one.is_file() and not one.is_symlink())
    return f"{total / 1e6:.1f} MB"
