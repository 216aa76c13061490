"""`mess facets`."""

from __future__ import annotations

import click

from mess_plugin.cli.output import json_option, print_json, say
from mess_plugin.config import load_settings
from mess_plugin.errors import AudioError
from mess_plugin.library.backfill import refresh
from mess_plugin.services import connected
from mess_plugin.store import open_store


@click.command()
@json_option
def facets(as_json: bool) -> None:
    """Hear the facets of tracks that lack them, such as those indexed by an older MESS.

    New tracks get theirs when they are indexed. May be interrupted and run again at any time.
    """
    settings = load_settings()
    heard = silent = failed = 0
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        for path, outcome in refresh(store, settings.file_limit_s):
            if isinstance(outcome, AudioError):
                failed += 1
                say(f"mess: {outcome}")
            elif outcome:
                heard += 1
            else:
                silent += 1
                say(f"{path}: too little sounds in it for facets")
    if as_json:
        print_json({"heard": heard, "silent": silent, "failed": failed})
    else:
        say(f"{heard} tracks heard, {silent} too silent, {failed} failed")
