"""`mess status --follow`: the queue, the pace and what ended last, again every second."""

from __future__ import annotations

import json
import time
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mess_plugin.config import Settings
from mess_plugin.documents import status_document
from mess_plugin.logs import printable
from mess_plugin.services import connected
from mess_plugin.store import open_store

_EVERY_S = 1.0


def follow_status(settings: Settings, *, as_json: bool) -> None:
    """Show the status again and again, until interrupted; one JSON document a line where asked."""
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        if as_json:
            while True:
                click.echo(json.dumps(status_document(store, settings), ensure_ascii=True))
                time.sleep(_EVERY_S)
        with Live(console=Console(), auto_refresh=False, screen=False) as live:
            while True:
                live.update(_picture(status_document(store, settings)), refresh=True)
                time.sleep(_EVERY_S)


def _picture(document: dict[str, Any]) -> Group:
    library, pace = document["library"], document["pace"]
    waits = pace["notice_to_searchable_s"]["median"]
    head = (
        f"{library['tracks']} tracks, {library['hours']:.1f} h   "
        f"{pace['jobs_per_s']:.2f} files/s   {len(document['workers'])} workers"
        + (f"   searchable {waits:.1f} s after an event (median)" if waits is not None else "")
    )
    jobs = Table("recipe", "wanted", "running", "done", "failed", box=None, pad_edge=False)
    for recipe, states in document["jobs"].items():
        row = [str(states.get(state, 0)) for state in ("wanted", "running", "done", "failed")]
        jobs.add_row(Text(recipe), *row)
    last = Table("when", "what", "took", "file", box=None, pad_edge=False)
    for ended in document["last"]:
        at = ended["at"][11:19]
        last.add_row(
            at, ended["outcome"], f"{ended['took_s']:.1f} s", Text(printable(ended["path"]))
        )
    failures = ", ".join(f"{kind} {count}" for kind, count in document["failures"].items())
    roots = "\n".join(
        f"{root['state']}: {printable(root['path'])} {printable(root['detail'])}"
        for root in document["roots"]
    )
    lines = [Text(text) for text in (roots, f"failures: {failures}" if failures else "") if text]
    return Group(Text(head), jobs, last, *lines)
