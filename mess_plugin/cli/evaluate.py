"""`mess evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from mess_plugin.cli.output import print_json, print_table, say, separator, table_options
from mess_plugin.cli.progress import progress_bar
from mess_plugin.config import Settings, load_settings
from mess_plugin.errors import NothingIndexed, UsageError
from mess_plugin.evaluation import report
from mess_plugin.evaluation.duration import QUICK_S, seconds_of, shortened, try_steps
from mess_plugin.evaluation.duration import quick as quick_plan
from mess_plugin.evaluation.labels import LabelForm
from mess_plugin.evaluation.library import EvaluationPlan, Observer, Task, ablation, tracks_of
from mess_plugin.evaluation.library import evaluate as measure
from mess_plugin.evaluation.meaning import explained
from mess_plugin.evaluation.search import System
from mess_plugin.evaluation.tasks import TaskResult
from mess_plugin.search.rerank import SONG_ALONE, weights_of
from mess_plugin.services import connected
from mess_plugin.spaces.active_encoder import resolve_settings
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store, open_store

_ROUND_S = 90.0  # from here on minutes are said


@click.command()
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Choice([task.value for task in Task if task is not Task.LABELS]),
    help="What to measure, again for more; all by default.",
)
@click.option(
    "--encoder", "encoders", multiple=True, metavar="NAME", help="A column each, side by side."
)
@click.option("--raw", is_flag=True, help="Beside it: the same vectors without projection.")
@click.option("--metrics", is_flag=True, help="Beside it: every metric of `mess metric fit`.")
@click.option("--ablation", "steps", is_flag=True, help="Beside it: ever more of the pipeline.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What belongs together to your ear: lines of tab-separated paths.",
)
@click.option(
    "--label-form",
    type=click.Choice([form.value for form in LabelForm]),
    default=LabelForm.GROUPS.value,
    show_default=True,
    help="The columns of FILE: path, group; path, path; or anchor, nearer, farther.",
)
@click.option("--quick", is_flag=True, help="In about a minute: with fewer queries and files.")
@click.option("--queries", default=200, show_default=True, help="Tracks that ask.")
@click.option("--files", default=20, show_default=True, help="Files that are transformed.")
@click.option("--seed", default=0, show_default=True, help="Of every random choice.")
@table_options
def evaluate(
    tasks: tuple[str, ...],
    encoders: tuple[str, ...],
    raw: bool,
    metrics: bool,
    steps: bool,
    labels: Path | None,
    label_form: str,
    queries: int,
    files: int,
    seed: int,
    quick: bool,
    as_json: bool,
) -> None:
    """Measure how well the library answers questions.

    tags: other tracks of the album and the artist. robustness: transformed files find their
    originals. sections: worn-out excerpts are found, and where. index: the approximate index beside
    an exact scan. How long that takes is said first. Values are means with 95 % intervals by
    bootstrap over albums.
    """
    if queries < 1 or files < 1:
        raise UsageError("--queries and --files want 1 or more")
    chosen = {Task(name) for name in tasks} or (set(Task) - {Task.LABELS})
    if labels is not None:
        chosen = {*({Task(name) for name in tasks}), Task.LABELS}
    plan = EvaluationPlan(frozenset(chosen), queries, files, seed, labels, LabelForm(label_form))
    settings = load_settings()
    with connected(settings) as home, open_store(home.database_url or "") as store:
        ready = resolve_settings(store, home)
        systems = [
            system
            for name in encoders or (Recipe.of(ready).encoder,)
            for system in _systems(store, ready, name, raw=raw, steps=steps, metrics=metrics)
        ]
        results = _measured(systems, plan, is_quick=quick)
    if as_json:
        print_json({"systems": report.as_json(results)})
        return
    header, *rows = report.table(results)
    print_table(header, rows)
    if len(results) > 1:
        header, *rows = report.differences(results, next(iter(results)))
        print_table(header, rows, title="differences, paired; * where the interval excludes zero")
    if separator() is None:
        told = explained([result for found in results.values() for result in found])
        print_table(["figure", "says", "good is"], told, title="what the figures say")


def _measured(
    systems: Sequence[System], plan: EvaluationPlan, *, is_quick: bool
) -> dict[str, list[TaskResult]]:
    """Measure all systems, saying beforehand how long that takes, and how far it is meanwhile."""
    tracks = list(tracks_of(systems[0]).values())
    plan = shortened(plan) if is_quick else plan
    costs = [try_steps(system, tracks, plan.sample_s) for system in systems]
    if is_quick:
        plan = quick_plan(plan, costs, len(tracks))
    total_s = sum(seconds_of(plan, one, len(tracks)) for one in costs)
    say(
        f"about {_duration(total_s)}: {min(plan.queries, len(tracks))} tracks ask, "
        f"{min(plan.files, len(tracks))} files are changed"
        + ("" if is_quick or total_s <= QUICK_S else "; `--quick` takes a minute")
    )
    results = {}
    with progress_bar(total_s) as bar:
        for system, one in zip(systems, costs, strict=True):
            observer = Observer(bar.begin, bar.note, lambda step, one=one: bar.advance(one[step]))  # type: ignore[misc]
            results[system.name] = measure(system, plan, observer)
    return results


def _duration(seconds: float) -> str:
    if seconds < _ROUND_S:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _systems(
    store: Store, settings: Settings, encoder: str, *, raw: bool, steps: bool, metrics: bool
) -> list[System]:
    """What is compared for one encoder, the plainest first."""
    chosen = settings if settings.encoder == encoder else load_settings(encoder=encoder)
    recipe = Recipe.of(chosen)
    find = store.spaces.plain if metrics else store.spaces.searchable
    space, base = find(str(recipe)), store.spaces.base(str(recipe))
    if space is None or base is None:
        raise NothingIndexed(encoder)
    loaded = load_encoder(recipe, chosen)
    full = System(encoder, store, settings, space, loaded, weights_of(space))
    bare = System(f"{encoder}, raw", store, settings, base, loaded, SONG_ALONE)
    if steps:
        return ablation(full, bare)
    systems = [bare, full] if raw and base.id != space.id else [full]
    if metrics:
        systems += [
            replace(
                full, name=f"{encoder}, metric {one.name}", space=one.space,
                weights=weights_of(one.space),
            )
            for one in store.metrics.all()
            if one.recipe == str(recipe)
        ]  # fmt: skip
    return systems
