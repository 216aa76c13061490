"""`mess metric fit | list | use | drop`."""

from __future__ import annotations

from pathlib import Path

import click

from mess_plugin.cli.output import (
    encoder_option,
    json_option,
    print_json,
    print_table,
    say,
    table_options,
)
from mess_plugin.config import load_settings
from mess_plugin.metric.cross_validation import Trial
from mess_plugin.metric.fitting import fit_metric, named
from mess_plugin.metric.judgements import read
from mess_plugin.search.references import find_track
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import open_store
from mess_plugin.store.metrics import Metric

PLAIN = "plain"


@click.group()
def metric() -> None:
    """Learn what counts as alike from pairs or triplets of your own."""


@metric.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, metavar="NAME", help="What to call it.")
@encoder_option
@json_option
def fit(file: Path, name: str, encoder: str | None, as_json: bool) -> None:
    """Learn a metric from FILE; it is kept only if it does better on tracks it did not see.

    A line is path<TAB>path<TAB>similar or dissimilar, or anchor<TAB>nearer<TAB>farther; ids and words
    that name one track are understood as well. Nothing is encoded.
    """
    with (
        connected(load_settings(encoder=encoder)) as home,
        open_store(home.database_url or "") as store,
    ):
        recipe = str(Recipe.of(resolve_settings(store, home)))
        judgements = read(file, lambda ref: find_track(store, ref))
        trial, space = fit_metric(store, recipe, judgements, name)
    if as_json:
        print_json({"name": name, "helps": space is not None, **_figures(trial)})
    elif space is None:
        say(f"it does not help for certain, so nothing was kept: {_words(trial)}")
    else:
        say(f"{name} is kept: {_words(trial)}; to let it answer: mess metric use {name}")


@metric.command(name="list")
@table_options
def list_metrics(as_json: bool) -> None:
    """List the metrics with their trials."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        found = store.metrics.all()
    if as_json:
        print_json([{"name": one.name, "used": one.chosen, **_figures(one)} for one in found])
    elif found:
        rows = [
            (one.name, "✓" if one.chosen else "", one.recipe, f"{one.plain_right:.0%}",
                f"{one.fitted_right:.0%}", one.n_comparisons)
            for one in found
        ]  # fmt: skip
        print_table(["metric", "used", "recipe", "#plain", "#fitted", "#comparisons"], rows)
    else:
        say("there is no metric; `mess metric fit` learns one")


@metric.command()
@click.argument("name")
@encoder_option
def use(name: str, encoder: str | None) -> None:
    """Answer questions with the metric NAME from now on; "plain" for none."""
    with (
        connected(load_settings(encoder=encoder)) as home,
        open_store(home.database_url or "") as store,
    ):
        if name == PLAIN:
            store.metrics.choose(str(Recipe.of(resolve_settings(store, home))), None)
        else:
            store.metrics.choose(named(store, name).recipe, name)
    say("questions are answered without a metric" if name == PLAIN else f"{name} answers")


@metric.command()
@click.argument("name")
def drop(name: str) -> None:
    """Delete the metric NAME; where it answered, questions are answered without it."""
    with connected(load_settings()) as ready, open_store(ready.database_url or "") as store:
        store.spaces.drop(named(store, name).space)
    say(f"{name} is gone")


def _figures(one: Trial | Metric) -> dict[str, object]:
    return {
        "comparisons": one.n_comparisons,
        "groups": one.n_groups,
        "plain_right": round(one.plain_right, 6),
        "fitted_right": round(one.fitted_right, 6),
        "certainty": round(one.certainty, 3),
    }


def _words(trial: Trial) -> str:
    return (
        f"{trial.fitted_right:.0%} of {trial.n_comparisons} held-out comparisons in the right order, "
        f"{trial.plain_right:.0%} by plain cosine, means over {trial.n_groups} groups of tracks"
    )
