"""What no database, file system or number can hold is refused at the door, or repaired."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mess_integrations.http import cleaning
from mess_integrations.http.bodies import read_question
from mess_integrations.http.jellyfin_events import feedback_of, means_library_change
from mess_integrations.http.questions import SimilarBody
from mess_integrations.http.routing import Endpoint, Reply, read_query
from mess_plugin.errors import UsageError

#: Text as JSON can say it: NUL and halves of surrogate pairs included.
anything = st.text(
    st.characters(exclude_categories=[]) | st.sampled_from("\0\ud800\udc80\udfff/"), max_size=12
)
numbers = (
    st.integers(-(10**400), 10**400)
    | st.integers(2**62, 2**66)
    | st.floats()
    | st.sampled_from([math.nan, math.inf])
)
documents = st.recursive(
    st.none() | st.booleans() | numbers | anything,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
    max_leaves=20,
)


def _as_sent(document: object) -> bytes:
    return json.dumps(document).encode()


def _is_storable(value: Any) -> bool:
    """Whether Postgres could keep it as JSON and every number be computed with."""
    match value:
        case str():
            try:
                return b"\0" not in value.encode()
            except UnicodeEncodeError:
                return False
        case int():
            return abs(value) < 2**63
        case float():
            return math.isfinite(value)
        case dict():
            return all(_is_storable(k) and _is_storable(v) for k, v in value.items())
        case list():
            return all(map(_is_storable, value))
        case _:
            return True


@given(documents)
def test_what_is_let_in_can_be_stored(document: object) -> None:
    read = cleaning.parse(_as_sent({"filters": document}))
    try:
        cleaning.check(read)
    except UsageError:
        assert not _is_storable(document)
    else:
        assert _is_storable(read)


@given(documents)
def test_what_is_repaired_can_be_stored_and_keeps_what_was_sound(document: object) -> None:
    repaired = cleaning.repaired(cleaning.parse(_as_sent(document)))
    assert _is_storable(repaired)
    if _is_storable(document):
        assert repaired == document


@given(st.binary(max_size=200) | documents.map(_as_sent))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with suppress(UsageError):
        read_question(body, SimilarBody)


@pytest.mark.parametrize("depth", [65, 5_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_refused_at_any_depth(depth: int, opening: str, closing: str) -> None:
    body = (opening * depth + "1" + closing * depth).encode()
    for read in (cleaning.check, cleaning.repaired):
        with pytest.raises(UsageError, match="nested too deeply"):
            read(cleaning.parse(body))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e400", "9" * 400, "9" * 5000, str(2**63)])
def test_numbers_that_are_none_or_too_large(number: str) -> None:
    with pytest.raises(UsageError, match="k is no number, or one that is too large"):
        cleaning.check(cleaning.parse(f'{{"k": {number}}}'.encode()))
    assert cleaning.repaired(cleaning.parse(f'{{"k": {number}}}'.encode())) == {"k": None}


def test_the_largest_numbers_are_kept() -> None:
    for number in (2**63 - 1, -(2**63) + 1, 1.7e308, -0.0):
        assert cleaning.parse(json.dumps([number]).encode()) == [number]
        cleaning.check([number])


def test_names_of_files_may_be_bytes_that_are_no_text() -> None:
    cleaning.check({"paths": ["/music/caf\udce9.flac"], "refs": ["/caf\udce9"]})
    for document in ({"refs": ["caf\udce9"]}, {"listener": "/caf\udce9"}, {"paths": ["/\ud83d"]}):
        with pytest.raises(UsageError, match="half of a surrogate pair"):
            cleaning.check(document)


@given(st.dictionaries(
    st.sampled_from([
        "NotificationType", "ItemType", "ItemId", "UserId", "UtcTimestamp", "Rating", "Favorite",
        "Likes", "SaveReason", "PlaybackPositionTicks", "RunTimeTicks", "PlayedToCompletion", "Name",
    ]),
    documents | st.sampled_from([
        "PlaybackStop", "UserDataSaved", "UpdateUserRating", "Audio", "ItemAdded", "True",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-05-01T10:00:00Z",
    ]),
))  # fmt: skip
def test_any_notification_means_something_that_can_be_stored_or_nothing(
    message: dict[str, Any],
) -> None:
    body = cleaning.repaired(cleaning.parse(_as_sent(message)))
    now = datetime(2026, 5, 1, tzinfo=UTC)
    means_library_change(body)
    for act in feedback_of(body, now):
        assert _is_storable([act.listener, act.item, act.kind, act.value])
        assert 1970 <= act.happened_at.astimezone(UTC).year <= 2027


@given(st.text(st.characters(codec="ascii"), max_size=40) | st.binary(max_size=20).map(str))
def test_any_parameters_are_read_or_refused(text: str) -> None:
    endpoint = Endpoint("GET", "/x", "", lambda _service, _call: Reply(), FilesQuery)
    for query in (text, f"ref={text}", f"k={text}", f"s={text}"):
        try:
            read = read_query(endpoint, query)
        except UsageError:
            continue
        assert _is_storable([read.ref, read.k, read.s])


class FilesQuery(msgspec.Struct, frozen=True):
    """One parameter of each kind."""

    ref: str = ""
    k: int = 1
    s: float = 0.0
    many: int | None = None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s=inf", "s is no number"),
        ("s=1e400", "out of range"),
        (f"k={2**63}", "k is no number, or one that is too large"),
        ("k=1&k=2", "twice"),
        ("many=null", "many is null"),
        ("ref=%00", "NUL"),
        ("ref=%ed%a0%80", "surrogate"),
        ("ref=caf%e9", "surrogate"),
    ],
)
def test_wrong_parameters_are_named(text: str, says: str) -> None:
    endpoint = Endpoint("GET", "/x", "", lambda _service, _call: Reply(), FilesQuery)
    with pytest.raises(UsageError, match=says):
        read_query(endpoint, text)


def test_a_parameter_may_name_a_file_whose_name_is_no_text() -> None:
    endpoint = Endpoint("GET", "/x", "", lambda _service, _call: Reply(), FilesQuery)
    assert read_query(endpoint, "ref=/music/caf%e9").ref == "/music/caf\udce9"
