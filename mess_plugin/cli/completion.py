"""Completion in shells: `mess completion`, and what is completed beside commands and options.

Titles come from a file in the home, which `mess index` writes, so that a key press starts no server;
where a server runs anyway, the file is written again when it is older than a minute.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
)

from mess_plugin import embedded
from mess_plugin.atomic_file import write_text
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import MessError, UsageError
from mess_plugin.store import Store, open_store

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_MESS_COMPLETE"
_FILE = "titles"
_FRESH_S = 60.0
_MOST = 50  # titles offered at once


class QuotingBash(BashComplete):
    """Completion in bash, with titles quoted as the word at hand is."""

    source_template = BashComplete.source_template.replace("read type", "read -r type")

    def format_completion(self, item: CompletionItem) -> str:
        """One line for the script: what it is, and its text."""
        if item.type != "plain":
            return super().format_completion(item)
        word = os.environ["COMP_WORDS"].split("\n")[int(os.environ["COMP_CWORD"]) :][:1]
        is_quoted = bool(word) and word[0][:1] in ("'", '"')
        value = item.value if is_quoted else "\\".join(_parts(item.value))
        return f"{item.type},{value}"


def _parts(text: str) -> list[str]:
    """Text cut before each character that means something to bash."""
    parts = [""]
    for character in text:
        if shlex.quote(character) == character:
            parts[-1] += character
        else:
            parts.append(character)
    return parts


add_completion_class(QuotingBash)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def completion(context: click.Context, shell: str | None) -> None:
    """Print the script with which a shell completes commands, options, encoders and titles.

    \b
    bash  eval "$(mess completion bash)"     in ~/.bashrc
    zsh   eval "$(mess completion zsh)"      in ~/.zshrc, after compinit
    fish  mess completion fish > ~/.config/fish/completions/mess.fish
    """  # noqa: D301  \\b keeps the lines apart
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageError(f"say for which shell: mess completion {'|'.join(SHELLS)}")
    kind = get_completion_class(name)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "mess", _VARIABLE).source())


def remember_titles(store: Store, home: Path) -> None:
    """Write the titles (or names of files) of the library where completion finds them."""
    with suppress(OSError):  # of use on key presses only
        write_text(home / _FILE, "\n".join(store.library.titles()))


def titles_like(settings: Settings, typed: str) -> list[str]:
    """Titles that begin as `typed` does, whatever the case, spelled on as it was begun."""
    begun = typed.casefold()
    found = {
        typed + title[len(typed) :]
        for title in _titles(settings)
        if title[: len(typed)].casefold() == begun
    }
    return sorted(found)[:_MOST]


def _titles(settings: Settings) -> list[str]:
    file = settings.home / _FILE
    with suppress(OSError, MessError):
        if not file.exists() or time.time() - file.stat().st_mtime > _FRESH_S:
            _write_if_served(settings)
    try:
        return file.read_text().split("\n")
    except OSError:
        return []


def _write_if_served(settings: Settings) -> None:
    running = embedded.state(settings.home)
    if url := settings.database_url or (running and running.database_url):
        with open_store(url) as store:
            remember_titles(store, settings.home)


def complete_ref(
    _context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Titles; files where a path is being typed, or no title fits."""
    if os.sep not in typed and not typed.startswith(("~", ".")):
        with suppress(MessError):
            if found := titles_like(load_settings(), typed):
                return [CompletionItem(title) for title in found]
    return [CompletionItem(typed, type="file")]


def complete_encoder(
    _context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Names of encoders."""
    from mess_plugin.encoders import descriptions  # noqa: PLC0415  only for this

    return _beginning(typed, descriptions())


def complete_names(names: Iterable[str]) -> Any:
    """Names with commas between them: the last of them is completed."""

    def complete(
        _context: click.Context, _parameter: click.Parameter, typed: str
    ) -> list[CompletionItem]:
        before, comma, last = typed.rpartition(",")
        return [CompletionItem(f"{before}{comma}{item.value}") for item in _beginning(last, names)]

    return complete


def _beginning(typed: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(typed)]
