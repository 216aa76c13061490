"""How long an evaluation takes: one step of each kind is tried, and the steps are counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from msgspec.structs import replace

from mess_plugin.errors import AudioError
from mess_plugin.evaluation.library import EvaluationPlan, Task, beginning
from mess_plugin.evaluation.search import Step, System
from mess_plugin.evaluation.transforms import TRANSFORMS
from mess_plugin.evaluation.trials import HALF_S, SECTION_S, SECTIONS_PER_TRACK, transformed
from mess_plugin.model import Track

T = TypeVar("T")
QUICK_S = 60.0
"""What `mess evaluate --quick` may take."""
_QUICK_SAMPLE_S = 45.0
_TRIED_S = 20.0  # of a file that is heard to see how long that takes
_LEAST_QUERIES, _LEAST_FILES = 10, 2  # fewer say nothing

Costs = Mapping[Step, float]
"""Seconds that one step of each kind takes on this machine."""


def try_steps(system: System, tracks: Sequence[Track], sample_s: float) -> Costs:
    """Take one step of each kind and time it.

    tracks: those of the library, at least one. sample_s: at most so much of a file is used. Where no
    file can be heard, steps with files cost nothing, because they are left out.
    """
    known, reading_s = _timed(partial(system.known, tracks[0].id))
    _, answer_s = _timed(partial(system.songs, known, len(tracks)))
    # An exact scan beside the index takes about as long as an answer.
    costs = dict.fromkeys(Step, 0.0) | {Step.QUESTION: reading_s + answer_s, Step.INDEX: answer_s}
    for track in tracks:
        if track.path is not None and Path(track.path).is_file():
            with suppress(AudioError):
                mean_s = sum(min(one.duration_s, sample_s) for one in tracks) / len(tracks)
                return {**costs, **_try_file(system, Path(track.path), mean_s, answer_s)}
    return costs


def _try_file(system: System, path: Path, mean_s: float, answer_s: float) -> Costs:
    """What a file of so many seconds costs, from some seconds of one. Raises AudioError."""
    rate_hz = system.encoder.info.rate_hz
    part, decoding_s = _timed(partial(beginning, path, rate_hz, _TRIED_S))
    system.heard(part[: len(part) // 4])  # the first time, libraries still prepare themselves
    seed, hearing_s = _timed(partial(system.heard, part))
    _, changing_s = _timed(partial(transformed, "mp3", part, rate_hz, path.name))
    _, place_s = _timed(partial(system.place, seed))
    tried_s = len(part) / rate_hz
    per_s = (hearing_s + changing_s) / tried_s
    return {
        Step.DECODED: decoding_s / tried_s * mean_s,
        Step.TRANSFORMED: per_s * mean_s + answer_s,
        Step.HALF: hearing_s / tried_s * min(HALF_S, mean_s / 2),
        Step.SECTION: per_s * min(SECTION_S, mean_s) + place_s,
    }


def steps_of(plan: EvaluationPlan, n_tracks: int) -> dict[Step, int]:
    """How many steps of each kind a plan takes for one system, at most."""
    queries, files = min(plan.queries, n_tracks), min(plan.files, n_tracks)
    steps = dict.fromkeys(Step, 0)
    if Task.TAGS in plan.tasks:
        steps[Step.QUESTION] += queries
    if Task.INDEX in plan.tasks:
        steps[Step.INDEX] += 2 * queries
    if Task.ROBUSTNESS in plan.tasks:
        steps[Step.DECODED] += files
        steps[Step.TRANSFORMED] += files * len(TRANSFORMS)
        steps[Step.HALF] += 2 * files
    if Task.SECTIONS in plan.tasks:
        steps[Step.DECODED] += files
        steps[Step.SECTION] += files * SECTIONS_PER_TRACK
    return steps


def seconds_of(plan: EvaluationPlan, costs: Costs, n_tracks: int) -> float:
    """About how long a plan takes for one system."""
    return sum(n * costs[step] for step, n in steps_of(plan, n_tracks).items())


def shortened(plan: EvaluationPlan) -> EvaluationPlan:
    """The same plan with less of each file."""
    return replace(plan, sample_s=min(plan.sample_s, _QUICK_SAMPLE_S))


def quick(plan: EvaluationPlan, costs: Sequence[Costs], n_tracks: int) -> EvaluationPlan:
    """A plan with as many queries and files as fit into QUICK_S for all systems together.

    Queries get up to half of the time, files the rest. Never more than the plan says, and never fewer
    than say anything, though these may take longer. costs: of the shortened plan.
    """
    empty = replace(plan, queries=0, files=0)
    one_query, one_file = (
        sum(seconds_of(replace(empty, **{name: 1}), one, n_tracks) for one in costs)
        for name in ("queries", "files")
    )
    half_s = min(QUICK_S / 2, QUICK_S - _LEAST_FILES * one_file) if one_file else QUICK_S
    queries = _fitting(plan.queries, _LEAST_QUERIES, half_s, one_query)
    left_s = QUICK_S - min(queries, n_tracks) * one_query
    return replace(
        plan, queries=queries, files=_fitting(plan.files, _LEAST_FILES, left_s, one_file)
    )


def _fitting(most: int, least: int, available_s: float, one_s: float) -> int:
    if one_s <= 0:
        return most
    return min(most, max(least, int(available_s / one_s)))


def _timed(act: Callable[[], T]) -> tuple[T, float]:
    started = perf_counter()
    result = act()
    return result, perf_counter() - started
