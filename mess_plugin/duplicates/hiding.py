"""Answers without duplicates: what is linked to a seed, or to a better answer, is left out."""

from __future__ import annotations

from collections.abc import Sequence

from mess_plugin.store import Store


def hidden(store: Store, seeds: Sequence[int], track_ids: Sequence[int]) -> frozenset[int]:
    """Which of the answers, best first, are linked to a seed or to a better answer that stays."""
    partners: dict[int, set[int]] = {}
    for one, other in store.duplicates.among([*seeds, *track_ids]):
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    kept, left_out = set(seeds), set()
    for track_id in track_ids:
        if partners.get(track_id, set()) & kept:
            left_out.add(track_id)
        else:
            kept.add(track_id)
    return frozenset(left_out)
