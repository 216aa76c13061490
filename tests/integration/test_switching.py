"""Changing the encoder in a real database with real workers: the old one answers until the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
import pytest

from mess_plugin.cli.library import spoken_duration
from mess_plugin.config import Settings
from mess_plugin.errors import UsageError
from mess_plugin.search import search
from mess_plugin.spaces.active_encoder import (
    SwitchState,
    active_recipe,
    begin,
    complete,
    under_way,
)
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store, open_store
from mess_plugin.store.files import SeenFile
from mess_workers.broker import JobQueue
from mess_workers.cli_use import ask_first, speed_of
from mess_workers.dispatcher import Dispatcher
from tests.event_tools import kill, program, see, settings_for, write_songs
from tests.stored_library import add_track, levels_of, raw_space

Eventually = Callable[..., None]
OLD = "descriptors||5/2.5"
NEW = "descriptors||4/2"


@pytest.fixture
def settings(tmp_path: Path, database_url: str, valkey_url: str) -> Settings:
    """Settings that name no encoder."""
    named = settings_for(tmp_path / "home", database_url, valkey_url)
    return msgspec.structs.replace(named, encoder=None)


@pytest.fixture
def changed(settings: Settings) -> Settings:
    """The same with other windows."""
    return msgspec.structs.replace(settings, window_s=4.0, hop_s=2.0)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings.database_url or "") as opened:
        opened.recipes.answer_with(OLD)
        yield opened


def states(store: Store, recipe: str) -> dict[str, int]:
    return store.jobs.count_jobs().get(recipe, {})


def test_killed_in_the_middle_it_goes_on_and_the_old_one_answers_until_the_end(
    settings: Settings, changed: Settings, store: Store, tmp_path: Path, eventually: Eventually
) -> None:
    songs = write_songs(tmp_path / "music", 6)
    store.jobs.enqueue(see(songs), OLD)
    log = tmp_path / "log"
    dispatcher = Dispatcher(settings, store, JobQueue(settings))

    def ticking(condition: Callable[[], object]) -> Callable[[], object]:
        return lambda: (dispatcher.tick(), condition())[1]

    with program("mess_workers", settings, log):
        eventually(ticking(lambda: states(store, OLD).get("done") == 6), 90)
    switch = begin(store, changed, "descriptors")
    assert switch is not None
    assert (switch.new, switch.built.left, switch.state) == (NEW, 6, SwitchState.BUILDING)
    assert {job.priority for job in store.dispatch.claim(1)} == {9}
    with program("mess_workers", settings, log) as worker:
        eventually(ticking(lambda: states(store, NEW).get("done", 0) >= 1), 90)
        kill(worker)
    assert states(store, NEW)["done"] < 6
    answer = search(store, settings, str(songs[0]), k=3)
    assert answer.space.window_s == 5.0
    late = write_songs(tmp_path / "music", 1, first_seed=50)
    store.jobs.enqueue(see(late), active_recipe(store, settings))
    assert sum(states(store, NEW).values()) == 7  # new files are heard both ways
    with (
        program("mess_workers", settings, log),
        program("mess_workers.maintenance", settings, log),
    ):
        eventually(ticking(lambda: under_way(store) is None), 120)
    answer = search(store, settings, str(late[0]), k=3)
    assert answer.space.window_s == 4.0
    assert len(answer.matches) == 3
    back = begin(store, settings, "descriptors")
    assert back is not None
    assert back.state is SwitchState.READY  # nothing of the old was lost, so going back is at once
    assert complete(store)
    assert active_recipe(store, settings) == OLD


def done(store: Store, recipe: str, path: str, n: int) -> None:
    add_track(store, raw_space(store, recipe=recipe), path, levels_of(n))


def finish(store: Store, recipe: str, *, failing: int = 0) -> None:
    """End the open jobs of a recipe in the ledger, the first few of them badly."""
    for number, due in enumerate(store.dispatch.claim(1000)):
        job = store.jobs.start(due.job_id)
        assert job is not None
        assert job.recipe == recipe
        if number < failing:
            store.jobs.fail(job.id, "encoder", "no weights")
        else:
            store.jobs.finish(job.id, "known")


def test_it_is_held_where_many_files_fail_and_tried_again_when_asked(
    changed: Settings, store: Store
) -> None:
    for n in range(10):
        done(store, OLD, f"/music/{n}", n)
    begin(store, changed, "descriptors")
    finish(store, NEW, failing=3)
    switch = under_way(store)
    assert switch is not None
    assert (switch.state, switch.built.lost) == (SwitchState.HELD, 3)
    assert not complete(store)
    assert active_recipe(store, changed) == OLD
    again = begin(store, changed, "descriptors")
    assert again is not None
    assert again.state is SwitchState.BUILDING


def test_a_changed_file_is_heard_again_by_both_and_outdated_by_all_others(
    changed: Settings, store: Store
) -> None:
    done(store, OLD, "/music/a", 1)
    store.jobs.enqueue([SeenFile("/music/a", 1, 1)], "third||5/2.5")
    finish(store, "third||5/2.5")
    begin(store, changed, "descriptors")
    finish(store, NEW)
    store.jobs.enqueue([SeenFile("/music/a", 2, 2)], OLD)
    jobs = store.jobs.count_jobs()
    assert jobs[OLD] == {"wanted": 1}
    assert jobs[NEW] == {"wanted": 1}
    assert "third||5/2.5" not in jobs


def test_going_back_before_the_end_withdraws_the_work(
    settings: Settings, changed: Settings, store: Store
) -> None:
    for n in range(3):
        done(store, OLD, f"/music/{n}", n)
    begin(store, changed, "descriptors")
    assert states(store, NEW) == {"wanted": 3}
    assert begin(store, settings, "descriptors") is None
    assert under_way(store) is None
    assert states(store, NEW) == {}


def test_an_encoder_that_the_settings_name_goes_before_the_choice(
    settings: Settings, store: Store
) -> None:
    named = msgspec.structs.replace(settings, encoder="mert-95m")
    assert active_recipe(store, named) == "mert-95m||5/2.5"
    with pytest.raises(UsageError, match="goes before any choice"):
        begin(store, named, "descriptors")


def test_what_one_encoder_cannot_hear_stays_with_the_other(store: Store) -> None:
    done(store, OLD, "/music/short", 1)
    store.jobs.enqueue([SeenFile("/music/short", 1, 1)], NEW)
    job = store.jobs.start(store.dispatch.claim(1)[0].job_id)
    assert job is not None
    store.files.detach(job.file_id)
    assert store.library.find_path("/music/short") is not None
    found = store.library.find_path("/music/short")
    assert found is not None
    assert found[0] is not None


def test_a_long_switch_is_announced_and_asked_about(
    changed: Settings,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = msgspec.structs.replace(changed, encoder="descriptors", jobs=1)
    encoder = load_encoder(Recipe.of(new), new)
    ask_first(store, new, encoder, yes=False)
    assert capsys.readouterr().err == "", "nothing is to be done"
    space = raw_space(store)
    for seed in range(3):
        add_track(store, space, f"/music/{seed}.flac", levels_of(seed), identity=str(seed))
    monkeypatch.setattr("mess_workers.cli_use.speed_of", lambda _: 90.0 / 7200)
    asked: list[str] = []

    def refuse(question: str, **_: object) -> None:
        asked.append(question)
        raise click.Abort

    monkeypatch.setattr("click.confirm", refuse)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(click.Abort):
        ask_first(store, new, encoder, yes=False)
    said = capsys.readouterr().err
    assert (
        "3 files are encoded with descriptors, which takes about 2 h 0 min on this machine" in said
    )
    assert len(asked) == 1
    ask_first(store, new, encoder, yes=True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    ask_first(store, new, encoder, yes=False)
    assert len(asked) == 1


def test_the_speed_of_an_encoder_is_measured(changed: Settings) -> None:
    new = msgspec.structs.replace(changed, encoder="descriptors")
    assert 1 < speed_of(load_encoder(Recipe.of(new), new)) < 1e6


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "1 min"), (600, "10 min"), (7260, "2 h 1 min"), (864000, "10 days")]
)
def test_durations_are_rough(seconds: float, text: str) -> None:
    assert spoken_duration(seconds) == text
