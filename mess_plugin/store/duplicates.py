"""Links between recordings that are the same music: written, judged and taken away again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mess_plugin.facets import REVISION as FACETS
from mess_plugin.model import Space
from mess_plugin.store.session import DbSession

KINDS = ("same", "altered", "version", "live", "remaster")


class LinkEvidence(msgspec.Struct, frozen=True):
    """What was heard in a pair; see `mess_plugin.duplicates.classify`.

    range_lu: how far their loudness ranges are apart, None where one of the two has none.
    """

    likeness: float
    coverage: float
    speed: float
    offset_s: float
    harmony: float
    semitones: int
    range_lu: float | None = None


class DuplicateLink(msgspec.Struct, frozen=True):
    """Two tracks that are the same music, one_id < other_id.

    kind: "same", "remaster", "altered" or "version" by evidence, "live" by tags or a person's word.
    state: "found", "confirmed" or "rejected". evidence: None where only a person spoke.
    """

    one_id: int
    other_id: int
    kind: str
    state: str
    evidence: LinkEvidence | None = None


class Duplicates:
    """Links. Nothing is deleted or merged on their account."""

    def __init__(self, session: DbSession) -> None:
        self._session = session

    def save_found(self, link: DuplicateLink) -> None:
        """Note what was heard; what a person said of the pair stays."""
        assert link.evidence is not None
        heard = {name: getattr(link.evidence, name) for name in LinkEvidence.__struct_fields__}
        self._session.execute(
            "save_found_duplicate",
            one_id=link.one_id,
            other_id=link.other_id,
            kind=link.kind,
            **heard,
        )

    def forget_found(self, one_id: int, other_ids: Sequence[int]) -> None:
        """Take away links of a track that were found but are not heard any more."""
        self._session.execute("forget_found_duplicates", one_id=one_id, kept=list(other_ids))

    def judge(self, one_id: int, other_id: int, state: str, kind: str | None) -> None:
        """Note what a person says of a pair. kind: None for what was found, else "same"."""
        low, high = sorted((one_id, other_id))
        self._session.execute("judge_duplicate", one_id=low, other_id=high, state=state, kind=kind)

    def unlink(self, one_id: int, other_id: int) -> bool:
        """Forget a pair, whoever linked it; whether there was a link."""
        low, high = sorted((one_id, other_id))
        return bool(self._session.rows("delete_duplicate", one_id=low, other_id=high))

    def all(self) -> list[DuplicateLink]:
        """Every link, in order of the tracks."""
        return [_link(row) for row in self._session.rows("list_duplicates")]

    def among(self, track_ids: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of these tracks that are linked and not rejected."""
        rows = self._session.rows("duplicates_among", track_ids=list(track_ids))
        return [(row[0], row[1]) for row in rows]

    def linked(self) -> set[int]:
        """All tracks that are linked to another and not rejected."""
        return {row[0] for row in self._session.rows("linked_tracks")}

    def partners(self, track_ids: Sequence[int]) -> set[int]:
        """The tracks that are linked to some of these and not rejected."""
        return {row[0] for row in self._session.rows("duplicates_of", track_ids=list(track_ids))}

    def unsearched(self, space: Space, revision: str, limit: int | None = None) -> list[int]:
        """Tracks of a space that can look for duplicates and have not yet, in order of id."""
        rows = self._session.rows(
            "tracks_without_duplicate_search",
            space_id=space.id,
            revision=revision,
            heard=FACETS,
            limit=limit,
        )
        return [row[0] for row in rows]

    def mark_searched(self, space: Space, track_id: int, revision: str) -> None:
        """A track has looked."""
        self._session.execute(
            "mark_duplicate_search", space_id=space.id, track_id=track_id, revision=revision
        )

    def forget_searches(self) -> None:
        """Let every track look again."""
        self._session.execute("forget_duplicate_searches")


def _link(row: tuple[Any, ...]) -> DuplicateLink:
    one_id, other_id, kind, state, *heard = row
    return DuplicateLink(
        one_id, other_id, kind, state, None if heard[0] is None else LinkEvidence(*heard)
    )
