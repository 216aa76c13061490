"""What a listener said and did → evidence of what is a good answer to what.

    source      done                                    worth   weight
    verdict     like, dislike, skip (`mess like`)       1, -1, -0.5   1
    like        thumbs up or down in a player           1, -1         0.5
    favourite   marked as a favourite                   1             0.5
    rating      stars or marks out of ten               -1 to 1       0.5
    playlist    put into or taken out of a list by hand 1, -1         0.5
    play        heard to the end; broken off early      0.5, -0.5     0.25

Only a verdict says by itself what it answers to. Whatever a player reports answers to the track that
the same account heard just before, where that is known: the one that ended at most GAP_S before this
one began. Otherwise it answers to nothing, and no taste is learned from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from mess_plugin.store import Store
from mess_plugin.store.verdicts import Act, Verdict

GAP_S = 600.0
HEARD_FROM, BROKEN_OFF_BELOW = 0.9, 0.3  # shares of a track; what lies between says nothing
MOST_MARKS = 10.0
_VERDICTS = {"like": 1.0, "skip": -0.5, "dislike": -1.0}
_WEIGHTS = {
    "verdict": 1.0, "like": 0.5, "favourite": 0.5, "rating": 0.5, "playlist": 0.5, "play": 0.25,
}  # fmt: skip
_OPINION_GRACE = timedelta(minutes=1)  # clocks of players and servers differ


class Evidence(msgspec.Struct, frozen=True):
    """One thing that was said or done about a track.

    seed_id: the track that it answers to, None where that is not known. worth: from -1, no good
    answer, to 1, a good one; weight: how much it counts, in (0, 1]. source: see the module.
    """

    track_id: int
    seed_id: int | None
    worth: float
    source: str
    noted_at: datetime

    @property
    def weight(self) -> float:
        """How much it counts."""
        return _WEIGHTS[self.source]

    @property
    def word(self) -> str:
        """The nearest verdict."""
        if self.worth > 0:
            return "like"
        return "dislike" if self.worth < _VERDICTS["skip"] else "skip"


def evidence_of(store: Store, listener: str) -> tuple[Evidence, ...]:
    """All evidence of a listener, oldest first: verdicts, and acts of the accounts that are theirs."""
    found = [*of_verdicts(store.verdicts.of(listener)), *of_acts(store.verdicts.acts(listener))]
    return tuple(sorted(strongest(found), key=lambda one: one.noted_at))


def of_verdicts(verdicts: Sequence[Verdict]) -> list[Evidence]:
    """What was said outright."""
    return [
        Evidence(one.track_id, one.seed_id, _VERDICTS[one.word], "verdict", one.noted_at)
        for one in verdicts
    ]


def of_acts(acts: Sequence[Act]) -> list[Evidence]:
    """What a player reported, acts in order of time; those that say nothing are left out."""
    found = []
    plays: dict[str, list[tuple[Act, int | None]]] = {}
    for act in (one for one in acts if one.kind == "play"):
        own = plays.setdefault(act.account, [])
        seed_id = _just_before(own[-1][0], act) if own else None
        own.append((act, seed_id))
    for act in acts:
        worth = _worth(act)
        if worth is None:
            continue
        seed_id = next(
            (seed for play, seed in plays.get(act.account, ()) if _about(act, play)), None
        )
        source = "playlist" if act.kind in ("pinned", "removed") else act.kind
        found.append(Evidence(act.track_id, seed_id, worth, source, act.happened_at))
    return found


def strongest(found: Sequence[Evidence]) -> list[Evidence]:
    """Of several about one answer to one track, the weightiest; among equals the latest."""
    best: dict[tuple[int, int | None], Evidence] = {}
    for one in sorted(found, key=lambda one: (one.weight, one.noted_at)):
        best[one.track_id, one.seed_id] = one
    return list(best.values())


def _worth(act: Act) -> float | None:
    value = act.value
    if act.kind in ("pinned", "removed"):
        return 1.0 if act.kind == "pinned" else -1.0
    if value is None:
        return None
    if act.kind == "play":
        return 0.5 if value >= HEARD_FROM else -0.5 if value < BROKEN_OFF_BELOW else None
    if act.kind == "rating":
        middle = MOST_MARKS / 2
        worth = (min(max(value, 0.0), MOST_MARKS) - middle) / middle
        return worth or None
    if act.kind == "favourite":
        return 1.0 if value else None  # no favourite any more is no dislike
    return 1.0 if value else -1.0


def _just_before(earlier: Act, play: Act) -> int | None:
    """The track that ended just before a play began; None where that was another time or itself."""
    pause = _began(play) - earlier.happened_at
    near = abs(pause.total_seconds()) <= GAP_S
    return earlier.track_id if near and earlier.track_id != play.track_id else None


def _about(act: Act, play: Act) -> bool:
    """Whether an act was done while a play of its track went on, or shortly after."""
    if act.kind == "play":
        return act == play
    end = play.happened_at + timedelta(seconds=GAP_S)
    return act.track_id == play.track_id and _began(play) - _OPINION_GRACE <= act.happened_at <= end


def _began(play: Act) -> datetime:
    return play.happened_at - timedelta(seconds=play.duration_s * (play.value or 0.0))
