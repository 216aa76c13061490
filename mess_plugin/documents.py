"""The JSON forms of answers and tracks (docs/search.md): one for the command line and for HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mess_plugin.config import Settings
from mess_plugin.facets import Facet, Measures
from mess_plugin.facets import key as keys
from mess_plugin.heads.tags import likeliest
from mess_plugin.logs import printable
from mess_plugin.model import Interval, Match, Track
from mess_plugin.playlists.generate import Playlist
from mess_plugin.search import SearchResult
from mess_plugin.search.feedback import Evidence
from mess_plugin.search.groups import GroupResult
from mess_plugin.search.listing import TrackPage
from mess_plugin.search.lyrics import LyricsFound
from mess_plugin.search.query import moods_of
from mess_plugin.search.scoring import Leaning
from mess_plugin.search.taste import Taste
from mess_plugin.search.texts import DescribedTracks
from mess_plugin.spaces.active_encoder import active_recipe, under_way
from mess_plugin.store import Store
from mess_plugin.store.jobs import Failure
from mess_plugin.store.lyrics import END_MARK, MARK
from mess_plugin.store.never import NeverRule
from mess_plugin.store.tags import TrackTags
from mess_plugin.store.verdicts import Verdict


def search_document(found: SearchResult) -> dict[str, Any]:
    """What `mess similar --json` prints (docs/search.md)."""
    first, taste = found.seeds[0].seed, found.taste
    whole = Interval(0.0, first.duration_s) if len(found.seeds) == 1 else None
    asked = found.interval or whole
    return {
        "query": {
            "ref": first.ref,
            "path": first.path,
            "refs": [one.seed.ref for one in found.seeds],
            "paths": [one.seed.path for one in found.seeds],
            "not": [one.seed.ref for one in found.against],
            "start_s": asked and round(asked.start_s, 3),
            "end_s": asked and round(min(asked.end_s, first.duration_s), 3),
            "weights": {name: round(weight, 6) for name, weight in found.weights.items()},
            "taste": None if taste is None else {"listener": taste.listener, "state": taste.state},
            "space": found.space.name,
        },
        "matches": [match_document(match) for match in found.matches],
        "page": {"offset": found.offset, "k": found.k, "full": found.is_full},
        "never_suggested": found.n_never,
    }


def groups_document(result: GroupResult) -> dict[str, Any]:
    """What `mess similar --by album --json` prints."""
    return {
        "query": {
            "by": result.by,
            "names": list(result.seeds),
            "weights": {name: round(weight, 6) for name, weight in result.found.weights.items()},
        },
        "matches": [
            {
                "rank": match.rank,
                "score": round(match.score, 6),
                "name": match.name,
                "artist": match.artist,
                "tracks": [card_document(track) for track in match.tracks],
                "closest": {
                    "score": round(match.closest.score, 6),
                    "track": card_document(match.closest.track),
                },
            }
            for match in result.matches
        ],
        "page": {
            "offset": result.offset,
            "k": result.k,
            "full": len(result.matches) == result.k,
        },
        "total": result.n_groups,
    }


def playlist_document(made: Playlist) -> dict[str, object]:
    """What `mess playlist … --json` prints."""
    return {
        "tracks": [card_document(track) for track in made.tracks],
        "fits": [round(fit, 6) for fit in made.fits],
        "smoothness": [round(step, 6) for step in made.smoothness],
        "notes": list(made.notes),
    }


def taste_document(taste: Taste) -> dict[str, object]:
    """What `mess taste show --json` prints."""
    return {
        "listener": taste.listener,
        "on": taste.is_on,
        "state": taste.state,
        "verdicts": taste.n_verdicts,
        "sources": dict(taste.sources),
        "pairs": taste.n_pairs,
        "seeds": taste.n_seeds,
        "weights": {name: round(weight, 6) for name, weight in taste.weights.items()},
        "leaning": None if taste.leaning is None else _leaning_document(taste.leaning),
    }


def _leaning_document(leaning: Leaning) -> dict[str, object]:
    return {
        "facet": Facet.TIMBRE.value,
        "share": round(leaning.share, 6),
        "toward": leaning.toward_id,
        "away": leaning.away_id,
        "direction": [round(number, 6) for number in leaning.direction.tolist()],
    }


def verdicts_document(
    said: Sequence[Verdict], tracks: Mapping[int, Track]
) -> list[dict[str, object]]:
    """What `GET /v1/verdicts` answers. tracks: those that still lie somewhere, by id."""

    def named(track_id: int) -> dict[str, object]:
        return {"id": track_id, "path": tracks[track_id].path if track_id in tracks else None}

    return [
        {
            "verdict": one.word,
            "track": named(one.track_id),
            "for": named(one.seed_id),
            "noted_at": one.noted_at.isoformat(),
        }
        for one in said
    ]


def evidence_document(
    found: Sequence[Evidence], tracks: Mapping[int, Track]
) -> list[dict[str, object]]:
    """The evidence of `mess taste export`. tracks: those that still lie somewhere, by id."""

    def named(track_id: int | None) -> dict[str, object] | None:
        if track_id is None:
            return None
        return {"id": track_id, "path": tracks[track_id].path if track_id in tracks else None}

    return [
        {
            "verdict": one.word,
            "source": one.source,
            "worth": one.worth,
            "weight": one.weight,
            "track": named(one.track_id),
            "for": named(one.seed_id),
            "noted_at": one.noted_at.isoformat(),
        }
        for one in found
    ]


def measures_document(measures: Measures) -> dict[str, object]:
    """Tempo, key, loudness and attributes as they were heard."""
    tempo, key, loudness = measures.tempo, measures.key, measures.loudness
    return {
        "tempo": None
        if tempo is None
        else {"bpm": tempo.bpm, "confidence": tempo.confidence, "sure": tempo.is_sure},
        "key": None
        if key is None
        else {
            "name": keys.name(key.tonic, key.mode),
            "confidence": key.confidence,
            "sure": key.is_sure,
        },
        "loudness": {"integrated_lufs": loudness.integrated_lufs, "range_lu": loudness.range_lu},
        "activity": measures.activity,
        "brightness": measures.brightness,
        "drive": measures.drive,
        "moods": list(moods_of(measures)),
    }


def tags_document(tags: TrackTags) -> dict[str, object]:
    """The tags that are heard, and how probable each tag is."""
    return {"heard": list(tags.tags), "probable": {k: round(p, 4) for k, p in likeliest(tags)}}


def track_document(track: Track) -> dict[str, object]:
    """A track with all its tags and locations."""
    tags = track.tags
    return {
        **card_document(track),
        "album_artist": tags.album_artist,
        "genre": tags.genre,
        "year": tags.year,
        "track_number": tags.track_number,
        "bpm": tags.bpm,
        "key": tags.key,
        "musicbrainz_recording": tags.musicbrainz_recording,
        "musicbrainz_release": tags.musicbrainz_release,
        "language": tags.language,
        "rating": tags.rating,
        "paths": list(track.paths),
        "damage": track.damage,
    }


def listing_document(page: TrackPage) -> dict[str, Any]:
    """What `mess ls --json` prints."""
    tracks = [
        {
            **track_document(track),
            "heard": measures_document(page.measures[track.id])
            if track.id in page.measures
            else None,
            "tags": tags_document(page.tags[track.id]) if track.id in page.tags else None,
        }
        for track in page.tracks
    ]
    return {"total": page.total, "offset": page.offset, "tracks": tracks}


def lyrics_document(found: LyricsFound) -> dict[str, Any]:
    """What `mess find --lyrics --json` prints."""
    tracks = [
        {
            **card_document(found.tracks[hit.track_id]),
            "rank": round(hit.rank, 6),
            "lyrics_language": hit.language,
            "lines": [_line_document(start, line) for start, line in hit.lines],
        }
        for hit in found.hits
    ]
    return {"total": found.total, "with_lyrics": found.n_with_lyrics, "tracks": tracks}


def described_document(found: DescribedTracks) -> dict[str, Any]:
    """What `mess find --text --json` prints."""
    tracks = [
        {**card_document(one.track), "similarity": round(one.similarity, 6)}
        for one in found.matches
    ]
    return {
        "text": found.text,
        "compared": found.n_compared,
        "never_suggested": found.n_never,
        "tracks": tracks,
    }


def _line_document(start_s: float | None, line: str) -> dict[str, Any]:
    """found: where the words that were asked for begin and end in the text, in characters."""
    text, spans = "", []
    for number, part in enumerate(re.split(f"[{MARK}{END_MARK}]", line)):
        if number % 2:
            spans.append([len(text), len(text) + len(part)])
        text += part
    return {"start_s": start_s, "text": text, "found": spans}


def background_problems(store: Store) -> list[str]:
    """What keeps failing in the background, a line each with its last error; else empty."""
    services = [health.problem for health in store.health.all() if health.is_failing]
    roots = [
        f"{printable(root.path)} cannot be watched: {root.detail}"
        for root in store.roots.all()
        if root.state == "failing"
    ]
    return services + roots


def status_document(store: Store, settings: Settings) -> dict[str, object]:
    """What `mess status --json` prints, without the services of this machine."""
    n_tracks, n_files, hours = store.library.count()
    recipe = active_recipe(store, settings)
    searchable = store.spaces.searchable(recipe)
    pace = store.dispatch.pace()
    return {
        "home": str(settings.home),
        "library": {
            "tracks": n_tracks,
            "files": n_files,
            "hours": round(hours, 3),
            "missed_files": store.files.count_missing(),
        },
        "recipe": recipe,
        "switch": switch_document(store),
        "jobs": store.jobs.count_jobs(),
        "failures": store.dispatch.failures(),
        "pace": {
            "jobs_per_s": round(pace.jobs_per_s, 3),
            "notice_to_searchable_s": {"median": pace.median_s, "p95": pace.late_s},
        },
        "workers": [
            {"id": worker_id, "host": host, "pid": pid, "since": since.isoformat()}
            for worker_id, host, pid, since in store.workers.all()
        ],
        "ignore": list(settings.ignore),
        "problems": background_problems(store),
        "roots": [
            {
                "path": root.path,
                "state": root.state,
                "detail": root.detail,
                "observer": root.observer,
                "is_watched": root.is_watched,
                "walked_at": root.walked_at.isoformat() if root.walked_at else None,
                "passed_over": root.passed_over,
                "left_out": root.left_out,
            }
            for root in store.roots.all()
        ],
        "events": [
            {"state": state, "source": source, "kind": kind, "count": count}
            for state, source, kind, count in store.inbox.counts()
        ],
        "last": [
            {
                "path": ended.path,
                "state": ended.state,
                "outcome": ended.outcome,
                "at": ended.at.isoformat(),
                "took_s": round(ended.took_s, 3),
            }
            for ended in store.dispatch.last(10)
        ],
        "spaces": [
            {
                "name": space.name,
                "dim": space.dim,
                "state": facts["state"],
                "tracks": facts["n_tracks"],
                "answers": searchable is not None and space.id == searchable.id,
            }
            for space, facts in store.spaces.all()
        ],
    }


def failure_document(failure: Failure) -> dict[str, object]:
    """One failure, as `mess failures --json` prints it."""
    return {
        "path": failure.path,
        "recipe": failure.recipe,
        "kind": failure.kind,
        "reason": failure.reason,
        "attempts": failure.attempts,
        "failed_at": failure.failed_at.isoformat(),
    }


def never_document(rule: NeverRule) -> dict[str, object]:
    """A rule of what is never suggested, as `mess never list --json` prints it."""
    return {
        "id": rule.id,
        "listener": rule.listener,
        "words": dict(rule.words),
        "except_months": list(rule.except_months),
    }


def switch_document(store: Store) -> dict[str, object] | None:
    """How far the switch to another encoder is, None where there is none under way."""
    switch = under_way(store)
    if switch is None:
        return None
    built = switch.built
    return {
        "from": switch.old,
        "to": switch.new,
        "state": switch.state.value,
        "done": built.done,
        "failed": built.failed,
        "left": built.left,
        "eta_s": None if built.eta_s is None else round(built.eta_s, 1),
    }


def card_document(track: Track) -> dict[str, object]:
    """What every answer says of a track."""
    return {
        "id": track.id,
        "path": track.path,
        "title": track.tags.title,
        "artist": track.tags.artist,
        "album": track.tags.album,
        "duration_s": round(track.duration_s, 3),
    }


def match_document(match: Match) -> dict[str, object]:
    """One match, as all answers show it."""
    return {
        "rank": match.rank,
        "score": round(match.score, 6),
        "track": card_document(match.track),
        "query_section": _interval(match.query_section),
        "match_section": _interval(match.match_section),
        "likeness": None if match.likeness is None else round(match.likeness, 6),
        "confidence": None if match.confidence is None else round(match.confidence, 6),
        "repeats": [_interval(repeat) for repeat in match.repeats],
        "reasons": [
            {
                "kind": reason.kind,
                "value": round(reason.value, 6),
                "likeness": None if reason.likeness is None else round(reason.likeness, 6),
                "text": reason.text,
            }
            for reason in match.reasons
        ],
    }


def _interval(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"start_s": round(interval.start_s, 3), "end_s": round(interval.end_s, 3)}
