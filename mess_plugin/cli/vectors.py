"""`mess embed`, `mess export`: vectors for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from mess_plugin.cli.output import encoder_option, say
from mess_plugin.cli.shared_options import out_option
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import AudioError, NothingIndexed, UsageError
from mess_plugin.export import Row, check_file, write_columns, write_vectors
from mess_plugin.model import Level
from mess_plugin.services import connected, has_library
from mess_plugin.spaces.active_encoder import active_recipe, resolve_settings
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import open_store

_WHAT = ("vectors", "facets", "measures")

_level = click.option(
    "--level", type=click.Choice([level.value for level in Level]), default=Level.SONG.value,
    show_default=True, help="What a vector stands for.",
)  # fmt: skip
_out = out_option(
    "Where to write: .npz (arrays vectors, paths, start_s, end_s) or .parquet (a row a vector).",
    required=True,
)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@_level
@_out
@encoder_option
def embed(files: tuple[str, ...], level: str, out: Path, encoder: str | None) -> None:
    """Write the vectors of files without storing anything.

    They are heard as the library is: with the encoder that `mess encoders use` chose, unless
    --encoder or a setting names one. Where there is no library yet, none is started.
    """
    from mess_plugin.analysis.hierarchy import (  # noqa: PLC0415  `mess export` needs none of it
        embed as embed_level,
    )
    from mess_plugin.library.hearing import hear  # noqa: PLC0415

    check_file(out)
    settings = _as_the_library(load_settings(encoder=encoder))
    recipe = Recipe.of(settings)
    loaded = load_encoder(recipe, settings)
    rows: list[Row] = []
    failed = 0
    for file in files:
        try:
            heard = hear(Path(file), loaded, recipe, settings.file_limit_s)
        except AudioError as error:
            say(f"mess: {error}")
            failed += 1
            continue
        found = embed_level(heard.analysis, Level(level), loaded.projections)
        for (start_s, end_s), vector in zip(found.intervals.tolist(), found.vectors, strict=True):
            rows.append((file, start_s, end_s, vector))
    if not rows:
        raise UsageError("none of the files could be embedded, so nothing was written")
    _say_written(write_vectors(out, rows, {"recipe": str(recipe), "level": level}), out)
    if failed:
        raise SystemExit(1)


@click.command()
@click.option(
    "--what",
    type=click.Choice(_WHAT),
    default=_WHAT[0],
    show_default=True,
    help="Vectors of the encoder, those of the facets, or tempo, key, loudness and attributes.",
)
@_level
@_out
@encoder_option
def export(what: str, level: str, out: Path, encoder: str | None) -> None:
    """Write for other programs: vectors as they are searched, or what was heard beside them.

    Facets and measures are columns beside paths and ids, a row a track; what is unknown is NaN in
    npz, null in Parquet.
    """
    check_file(out)
    if what != _WHAT[0]:
        if level != Level.SONG.value:
            raise UsageError(f"--level {level}: {what} are of whole songs; leave it out")
        _export_heard(what, out)
        return
    settings = load_settings(encoder=encoder)
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        space = store.spaces.searchable(active_recipe(store, settings))
        if space is None:
            raise NothingIndexed(resolve_settings(store, settings).encoder)
        about = {"space": space.name, "encoder": space.encoder, "level": level}
        written = write_vectors(out, store.embeddings.export(space, Level(level)), about)
    if not written[0]:
        raise UsageError("the library is empty, so nothing was written")
    _say_written(written, out)


def _export_heard(what: str, out: Path) -> None:
    from mess_plugin import export  # noqa: PLC0415  `mess embed` needs none of it

    columns_of = export.facet_columns if what == "facets" else export.measure_columns
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        columns = columns_of(store)
    if not len(columns["ids"]):
        raise UsageError("no track has facets, so nothing was written: run `mess facets`")
    write_columns(out, columns)
    say(f"{what} of {len(columns['ids'])} tracks written to {out}")


def _as_the_library(settings: Settings) -> Settings:
    """The settings with the stored choice in them, asked for only where it would count."""
    if settings.encoder is not None or not has_library(settings):
        return settings
    with connected(settings) as ready, open_store(ready.database_url or "") as store:
        return resolve_settings(store, settings)


def _say_written(written: tuple[int, int], out: Path) -> None:
    n, dim = written
    say(f"{n} vectors of {dim} dimensions written to {out}")
