"""`mess sections`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from mess_plugin.cli.output import (
    can_show,
    encoder_option,
    print_json,
    print_table,
    say,
    separator,
    table_options,
)
from mess_plugin.cli.shared_options import check_out, complete_ref, out_option
from mess_plugin.config import load_settings
from mess_plugin.search.explain import timestamp
from mess_plugin.search.self_similarity import MusicalForm, contrasted, form_of
from mess_plugin.services import connected
from mess_plugin.store import open_store

WIDTH, HEIGHT = 64, 24  # characters of the drawing
_SHADES = " ░▒▓█"
_PLAIN_SHADES = " .:*#"  # where the terminal has no blocks


@click.command()
@click.argument("ref", shell_complete=complete_ref)
@out_option("Draw the self-similarity with the boundaries into a picture: .png.", old=("--png",))
@encoder_option
@table_options
def sections(ref: str, out: Path | None, encoder: str | None, as_json: bool) -> None:
    """List the sections of REF: a path, a track id, or words that name one track.

    Sections that sound alike share a letter. A file that is not in the library is heard on the fly.
    """
    check_out(out, (".png",), "picture")
    settings = load_settings(encoder=encoder)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        form = form_of(store, ready, ref)
    if out is not None:
        from mess_plugin.search.picture import save_picture  # noqa: PLC0415  only where a picture is drawn

        save_picture(form, out)
        say(f"self-similarity of {form.seed.name} written to {out}")
    if as_json:
        print_json(as_document(form))
    else:
        _print(form)


def as_document(form: MusicalForm) -> dict[str, Any]:
    """The JSON form of a form."""
    return {
        "path": form.seed.path,
        "duration_s": round(form.seed.duration_s, 3),
        "sections": [
            {
                "label": label,
                "start_s": round(interval.start_s, 3),
                "end_s": round(interval.end_s, 3),
            }
            for interval, label in form.sections
        ],
    }


def _print(form: MusicalForm) -> None:
    say(f"sections of {form.seed.name}:")
    rows = [
        (
            label,
            timestamp(interval.start_s),
            timestamp(interval.end_s),
            f"{interval.duration_s:.1f} s",
        )
        for interval, label in form.sections
    ]
    print_table(["section", "#from", "#to", "#length"], rows, records=as_document(form)["sections"])
    if separator() is not None:
        return
    for line in drawing(form):
        click.echo(line)


def drawing(form: MusicalForm) -> list[str]:
    """The self-similarity in characters, darker where moments are alike, letters on top."""
    shades = _SHADES if can_show(_SHADES) else _PLAIN_SHADES
    similarity = contrasted(form.similarity)
    n = len(similarity)
    rows = ((np.arange(HEIGHT) + 0.5) * n / HEIGHT).astype(int)
    columns = ((np.arange(WIDTH) + 0.5) * n / WIDTH).astype(int)
    levels = (similarity[np.ix_(rows, columns)] * (len(shades) - 1)).round().astype(int)
    letters = [" "] * WIDTH
    for interval, label in form.sections:
        first = int(interval.start_s / form.seed.duration_s * WIDTH)
        for place, letter in enumerate(f"|{label}", start=first):
            if place < WIDTH:
                letters[place] = letter
    return ["".join(letters), *("".join(shades[level] for level in row) for row in levels)]
