"""`mess tag`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click

from mess_plugin.cli.output import print_json, print_table, say, table_options
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import AudioError, UsageError
from mess_plugin.facets.values import SURE
from mess_plugin.library.pathmap import PathMap
from mess_plugin.services import connected
from mess_plugin.store import Store, open_store
from mess_plugin.tagging.planning import (
    FilePlan,
    carry_out,
    chosen_paths,
    note_tags,
    plan,
    take_back,
)
from mess_plugin.tagging.undo import Journal, Values, read_journal
from mess_plugin.tagging.values import FIELDS, parse_fields

Row = dict[str, object]


@click.command()
@click.argument("named", nargs=-1, metavar="[PATH|REF]…")
@click.option("--write", metavar="TAG,…", help=f"What to write: {', '.join(FIELDS)}.")
@click.option("--read", is_flag=True, help="Read the tags of these files into the library again.")
@click.option("--apply", is_flag=True, help="Write; without it, only show what would be written.")
@click.option("--overwrite", is_flag=True, help="Replace tags that are there; else they stay.")
@click.option(
    "--confidence", type=float, default=SURE, show_default=True, metavar="0…1",
    help="Write tempo and key only where MESS is as sure as this.",
)  # fmt: skip
@click.option(
    "--undo-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where to note what the tags were; by default a new file in MESS_HOME/undo.",
)  # fmt: skip
@click.option(
    "--undo", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Put back what the tags were before; with --apply.",
)  # fmt: skip
@table_options
def tag(
    named: tuple[str, ...],
    write: str | None,
    read: bool,
    apply: bool,
    overwrite: bool,
    confidence: float,
    undo_file: Path | None,
    undo: Path | None,
    as_json: bool,
) -> None:
    """Write what was heard into the tags of your files. Nothing is written without --apply.

    PATH is a file or a folder of the library, REF names one track. Tags that are there stay, unless
    --overwrite. Each file is replaced in one step by a checked copy; the audio and all other tags stay.
    --read goes the other way: the tags of known files are read into the library again.
    """
    if [write is not None, undo is not None, read].count(True) != 1:
        raise UsageError(
            "say one thing: what to write (--write bpm,key,replaygain), what to undo (--undo FILE), "
            "or --read"
        )
    if undo is not None and named:
        raise UsageError("--undo puts back all that its file names: leave the paths out")
    if undo is None and not named:
        raise UsageError("say whose tags: give a path or a reference")
    if not 0 <= confidence <= 1:
        raise UsageError(f"confidence is {confidence:g}: wanted 0 to 1")
    if undo_file is not None and undo_file.exists():
        raise UsageError(f"--undo-file is {undo_file}: it is there already; give a new name")
    fields = parse_fields(write) if write is not None else ()
    settings = load_settings()
    journal = Journal(undo_file or _new_undo_file(settings))
    with (
        connected(settings) as ready,
        open_store(ready.database_url or "") as store,
        closing(journal),
    ):
        if read:
            _read_again(store, settings, named)
            return
        if undo is not None:
            rows = list(_undone(store, settings, undo, apply))
        else:
            paths = chosen_paths(store, named)
            plans = plan(
                store,
                paths,
                fields,
                overwrite=overwrite,
                least_confidence=confidence,
                path_map=PathMap.parse(settings.path_map),
            )
            rows = [row for one in plans for row in _written(store, one, journal, apply)]
        noted = journal.path if journal.is_begun else None
    _report(rows, apply, noted, as_json)


def _read_again(store: Store, settings: Settings, named: Sequence[str]) -> None:
    path_map = PathMap.parse(settings.path_map)
    paths = chosen_paths(store, named)
    for path in paths:
        known = store.library.find_path(path)
        here = Path(path_map.local(path))
        if known is not None and known[0] is not None and here.is_file():
            note_tags(store, path, here, known[0])
    say(f"tags of {len(paths)} files read")


def _written(store: Store, one: FilePlan, journal: Journal, apply: bool) -> Iterator[Row]:
    """Do one file, if that is wanted, and say what became of each of its tags."""
    problem = one.problem
    if apply and one.writes and problem is None:
        try:
            carry_out(store, one, journal)
        except AudioError as error:
            problem = error.reason
        except OSError as error:
            problem = (error.strerror or str(error)).lower()
    if problem is not None:
        yield _row(one.path, "", None, None, "failed", problem)
        return
    for change in one.changes:
        state = "left" if change.after is None else "written" if apply else "would be written"
        yield _row(one.path, change.name, change.before, change.after, state, change.note)


def _undone(store: Store, settings: Settings, undo: Path, apply: bool) -> Iterator[Row]:
    path_map = PathMap.parse(settings.path_map)
    for entry in read_journal(undo):
        try:
            back = take_back(store, entry, path_map, apply=apply)
        except AudioError as error:
            yield _row(entry.path, "", None, None, "failed", error.reason)
            continue
        except OSError as error:
            yield _row(entry.path, "", None, None, "failed", (error.strerror or "").lower())
            continue
        for name, after in entry.after.items():
            if name in back:
                done = "removed" if back[name] is None else "written"
                state = done if apply else f"would be {done}"
                yield _row(entry.path, name, after, back[name], state, "")
            else:
                yield _row(entry.path, name, after, None, "left", "not as it was written then")


def _row(path: str, name: str, before: Values, after: Values, state: str, note: str) -> Row:
    return {
        "path": path, "tag": name, "before": None if before is None else list(before),
        "after": None if after is None else list(after), "state": state, "note": note,
    }  # fmt: skip


def _new_undo_file(settings: Settings) -> Path:
    now = datetime.now().astimezone()
    return settings.home / "undo" / f"tags-{now:%Y%m%d-%H%M%S-%f}.jsonl"


def _report(rows: Sequence[Row], apply: bool, noted: Path | None, as_json: bool) -> None:
    failed = sum(row["state"] == "failed" for row in rows)
    if as_json:
        print_json({"applied": apply, "undo": noted and str(noted), "tags": list(rows)})
    else:
        columns = ["file", "tag", "was", "becomes", "state"]
        print_table(columns, [_cells(row) for row in rows])
        changes = [(row["path"], str(row["state"]).rpartition(" ")[2]) for row in rows]
        told = [
            f"{sum(done == verb for _, done in changes)} {verb}"
            for verb in ("written", "removed")
            if verb in {done for _, done in changes}
        ]
        files = len({path for path, done in changes if done in {"written", "removed"}})
        would, hint = ("", "") if apply else ("would be: ", " (--apply does it)")
        say(f"{would}{', '.join(told) or 'no'} tags in {files} files{hint}; {failed} files failed")
        if noted:
            say(f"to undo it: mess tag --undo {noted} --apply")
    if failed:
        raise SystemExit(1)


def _cells(row: Row) -> tuple[str, ...]:
    def text(values: object) -> str:
        return "; ".join(values) if isinstance(values, list) else ""

    state = f"{row['state']}: {row['note']}" if row["note"] else str(row["state"])
    return str(row["path"]), str(row["tag"]), text(row["before"]), text(row["after"]), state
