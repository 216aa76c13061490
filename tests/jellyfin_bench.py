"""MESS and Jellyfin with the same music, over real HTTP, with a real database behind.

The fixtures are made known to tests in tests/integration/conftest.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mess_integrations.jellyfin.accounts import JellyfinLink
from mess_integrations.jellyfin.api import JellyfinAccount, JellyfinApi
from mess_integrations.jellyfin.client import JellyfinClient, RetryPolicy
from mess_integrations.jellyfin.debounce import FollowerTimes
from mess_integrations.jellyfin.follower import Follower
from mess_integrations.jellyfin.reconciler import Outcome, Reconciler
from mess_integrations.jellyfin.sync import SyncReport, sync
from mess_plugin.analysis.pooling import unit
from mess_plugin.config import Settings
from mess_plugin.model import Tags
from mess_plugin.store import Store, open_store
from tests.jellyfin_contract import VERSIONS, contract
from tests.jellyfin_host import SERVER, USER, FakeJellyfin, item_id, serving
from tests.stored_library import add_track, levels_of, random_unit, raw_space, settings

QUICK = RetryPolicy(answer_s=5.0, tries=3, backoff_s=0.01)
N = 12


@pytest.fixture(
    params=[(version, dashes) for version in VERSIONS for dashes in (False, True)], ids=str
)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeJellyfin]:
    version, dashes = request.param
    with serving(FakeJellyfin(contract(version), dashes)) as served:
        yield served


@pytest.fixture
def fake12() -> Iterator[FakeJellyfin]:
    with serving(FakeJellyfin(contract("12.0.0"))) as served:
        yield served


@dataclass
class Bench:
    """MESS with N tracks at /music, and Jellyfin with the same at /media."""

    store: Store
    settings: Settings
    fake: FakeJellyfin
    link: JellyfinLink
    api: JellyfinApi
    tracks: list[int]

    @property
    def account(self) -> JellyfinAccount:
        return JellyfinAccount(self.link, self.api)

    def follower(self, **times: float) -> Follower:
        slow = {"quiet_s": 0.0, "names_s": 1e9, "all_s": 1e9}
        return Follower(
            self.store,
            self.settings,
            (self.account,),
            (self.link,),
            FollowerTimes(**{**slow, **times}),
        )

    def sync(self, **options: Any) -> SyncReport:
        return sync(self.store, (self.account,), **options)

    def keep(self, **options: bool) -> list[Outcome]:
        keeper = Reconciler(self.store, self.settings, self.account, (self.link,), **options)
        return keeper.reconcile()

    def declare(self, text: str) -> None:
        self.settings.home.mkdir(parents=True, exist_ok=True)
        (self.settings.home / "playlists.toml").write_text(text)

    def best(self, number: int, k: int) -> list[str]:
        """What the search itself answers, as items."""
        from mess_plugin.search import search

        found = search(self.store, self.settings, f"mess:{self.tracks[number]}", k=k)
        return [item_id(self.tracks.index(match.track.id) + 1) for match in found.matches]


def make_link(fake: FakeJellyfin, token: str = "token-of-ann", **changes: Any) -> JellyfinLink:
    made = JellyfinLink(
        url=fake.url, server=SERVER, version=fake.contract.version, user_id=USER, user="ann",
        device_id="d" * 32, token=token, paths=("/media=/music",),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def account_of(link: JellyfinLink) -> JellyfinAccount:
    return JellyfinAccount(link, api_of(link))


def api_of(link: JellyfinLink, patience: RetryPolicy = QUICK) -> JellyfinApi:
    return JellyfinApi(JellyfinClient(link.url, link.device_id, link.token, patience), link.user_id)


def bench(fake: FakeJellyfin, database_url: str, home: Path) -> Iterator[Bench]:
    with open_store(database_url) as store:
        space = raw_space(store)
        tracks = []
        # All somewhat alike: what is unlike the seeds is no answer to a steered question.
        songs = unit(random_unit(1, seed=7) + 0.7 * random_unit(N, seed=8))
        for n in range(N):
            tags = Tags(title=f"Song {n:02}", artist=f"Artist {n % 3}", genre="Jazz", year=1990 + n)
            tracks.append(
                add_track(store, space, f"/music/{n:02}.flac", levels_of(n, song=songs[n]), tags)
            )
            fake.add(n + 1, f"Song {n:02}", f"/media/{n:02}.flac", 30.0)
        link = make_link(fake)
        api = api_of(link)
        yield Bench(store, settings(home, database_url=database_url), fake, link, api, tracks)
        api.close()


@pytest.fixture
def both(fake: FakeJellyfin, database_url: str, tmp_path: Path) -> Iterator[Bench]:
    yield from bench(fake, database_url, tmp_path / "home")


@pytest.fixture
def one(fake12: FakeJellyfin, database_url: str, tmp_path: Path) -> Iterator[Bench]:
    yield from bench(fake12, database_url, tmp_path / "home")
