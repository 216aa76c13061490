"""Questions and answers: what sounds like this track, this file, or this stretch of it?

    result = search(store, settings, "so what", k=10)
    for match in result.matches:
        print(match.score, match.track.describe())

`search` is what the command line, HTTP, OSC, beets, Jellyfin, playlists and the evaluation call. It
loads neither Celery nor, with the default encoder, torch.
"""

from mess_plugin.search.engine import MAX_SEEDS, SearchResult, search
from mess_plugin.search.query import MAX_K, Filters, Query, Range
from mess_plugin.search.references import Recording, Reference

__all__ = [
    "MAX_K",
    "MAX_SEEDS",
    "Filters",
    "Query",
    "Range",
    "Recording",
    "Reference",
    "SearchResult",
    "search",
]
