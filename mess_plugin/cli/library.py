"""`mess status`, `mess failures`, `mess forget`."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import click

from mess_plugin import embedded
from mess_plugin.cli.output import json_option, print_json, print_table, say, table_options
from mess_plugin.cli.shared_options import k_option
from mess_plugin.config import load_settings
from mess_plugin.documents import failure_document, status_document
from mess_plugin.errors import UsageError
from mess_plugin.library.walk import describe_omissions
from mess_plugin.services import connected
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import open_store

_STATES = ("wanted", "running", "done", "failed")


@click.command()
@click.option("--follow", is_flag=True, help="Show it again every second, until Ctrl-C.")
@json_option
def status(follow: bool, as_json: bool) -> None:
    """Show what the library holds and what is being done."""
    settings = load_settings()
    if follow:
        from mess_plugin.cli.follow import follow_status  # noqa: PLC0415  rarely needed

        follow_status(settings, as_json=as_json)
    running = embedded.state(settings.home)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        document = status_document(store, settings)
    services = {}
    if running is not None:
        services = {
            one.name: {
                "phase": one.phase, "pid": one.pid, "detail": one.detail, "problem": one.problem,
            }
            for one in running.services
        }  # fmt: skip
    document["services"] = services
    if as_json:
        print_json(document)
        return
    _print_status(document)


def _print_status(document: dict[str, object]) -> None:
    library, jobs, spaces = document["library"], document["jobs"], document["spaces"]
    services = document["services"]
    assert isinstance(library, dict)
    assert isinstance(jobs, dict)
    assert isinstance(spaces, list)
    assert isinstance(services, dict)
    say(
        f"{library['tracks']} tracks in {library['files']} files, "
        f"{library['hours']:.1f} hours of music; home {document['home']}"
    )
    if jobs:
        names = _short_names(list(jobs))
        rows = [
            [names[recipe], *(states.get(state, 0) for state in _STATES)]
            for recipe, states in jobs.items()
        ]
        print_table(["encoder", *(f"#{state}" for state in _STATES)], rows)
    if spaces:
        rows = [
            [one["name"], one["dim"], one["tracks"], one["state"], "✓" if one["answers"] else ""]
            for one in spaces
        ]
        print_table(["space", "#dim", "#tracks", "state", "answers"], rows)
    say_roots_and_pace(document)
    up = [name for name, facts in services.items() if facts["phase"] == "running"]
    say(
        f"up: {', '.join(up)}"
        if up
        else "services start when a command needs them (`mess up` keeps them)"
    )
    for name, facts in services.items():
        if facts["phase"] != "running":
            say(f"NOT up: {name}: {facts['phase']}: {facts['problem'] or f'`mess logs {name}`'}")
    failed = jobs.get(document["recipe"], {}).get("failed", 0)  # a file may have failed with each
    if failed:
        say(f"{failed} files could not be indexed: see `mess failures`")


def _short_names(recipes: list[str]) -> dict[str, str]:
    """Recipes by the names of their encoders, where that is enough to tell them apart."""
    encoders = {recipe: Recipe.parse(recipe).encoder for recipe in recipes}
    shared = Counter(encoders.values())
    return {recipe: one if shared[one] == 1 else recipe for recipe, one in encoders.items()}


def say_roots_and_pace(document: dict[str, Any]) -> None:
    """Watched folders, the pace, and messages that wait."""
    for root in document["roots"]:
        detail = f": {root['detail']}" if root["detail"] else ""
        state = f"{root['state']} by {root['observer'] or 'nobody'}"
        say(f"{state if root['is_watched'] else 'not watched now'}: {root['path']}{detail}")
        for line in describe_omissions(root["passed_over"], root["left_out"]):
            say(f"    {line}")
    if not document["roots"]:
        say("nothing is watched: `mess watch --add FOLDER`")
    if document["ignore"]:
        say(f"ignored: {', '.join(document['ignore'])}")
    for problem in document["problems"]:
        say(f"failing: {problem}")
    if document["switch"]:
        say_switch(document["switch"])
    pace = document["pace"]
    if pace["jobs_per_s"]:
        say(f"{pace['jobs_per_s']:.2f} files a second within the last minute")
    if document["library"]["missed_files"]:
        say(f"{document['library']['missed_files']} files vanished and are soon forgotten")


def say_switch(switch: dict[str, Any]) -> None:
    """How far the switch to another encoder is."""
    ended = switch["done"] + switch["failed"]
    eta = "" if switch["eta_s"] is None else f", about {spoken_duration(switch['eta_s'])} left"
    failed = f", {switch['failed']} failed" if switch["failed"] else ""
    say(f"changing to {switch['to']}: {ended} of {ended + switch['left']} files{failed}{eta}")
    if switch["state"] == "held":
        say("too many files failed for it to take over: see `mess failures`")


def spoken_duration(seconds: float) -> str:
    """Roughly how long, for people."""
    minutes = round(seconds / 60)
    if minutes >= 48 * 60:
        return f"{minutes / 60 / 24:.0f} days"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(1, minutes)} min"


@click.command()
@k_option(1000, "At most so many.", old=("--limit",), kind=click.IntRange(min=1))
@table_options
def failures(k: int, as_json: bool) -> None:
    """List the files that could not be indexed, and why."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        found = store.jobs.failures(k)
    if as_json:
        print_json([failure_document(failure) for failure in found])
    elif found:
        rows = [(f.path, f.kind, f.reason) for f in found]
        print_table(["file", "kind", "reason"], rows, records=list(map(failure_document, found)))
        say("to try them again: mess index --retry-failed PATH…")
    else:
        say("no failures")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@json_option
def forget(paths: tuple[str, ...], as_json: bool) -> None:
    """Remove files, or all files below folders, from the library. The disk is not touched."""
    roots = [os.path.abspath(os.path.expanduser(path)) for path in paths]  # noqa: PTH100, PTH111
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        known = store.files.known_paths(roots)
        if not known:
            raise UsageError(f"the library knows nothing at {', '.join(paths)}")
        store.files.forget_files(list(known.values()))
    if as_json:
        print_json({"forgotten": sorted(known)})
    else:
        say(f"{len(known)} files forgotten")
