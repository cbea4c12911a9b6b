"""What an answer of Band means, whatever it is."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.shards import load_shards
from dbz.server.auth.service import INDEXES as AUTH
from dbz.server.band_api import (
    BandError,
    BandRefusedError,
    BandThrottledError,
    BandUnauthorizedError,
    BandUnavailableError,
)
from dbz.server.band_api.answers import data_of, tokens_of
from dbz.server.band_sync.lists import LISTS
from dbz.server.band_sync.service import INDEXES as BAND
from dbz.server.chat.service import INDEXES as CHAT
from dbz.server.content.service import INDEXES as CONTENT
from dbz.server.game.service import INDEXES as GAME
from dbz.server.notification.service import INDEXES as NOTIFICATION
from dbz.server.outside import retry_after_s

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=9,
)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b'{"result_code": 1003}', BandThrottledError),  # as documented: a code, and no word of a status
        (200, b'{"result_code": 1001}', BandThrottledError),
        (429, b"", BandThrottledError),
        (200, b'{"result_code": 10401}', BandUnauthorizedError),
        (401, b"<html>", BandUnauthorizedError),
        (200, b'{"result_code": 60102}', BandRefusedError),
        (404, b"", BandRefusedError),
        (200, b'{"result_code": 2300}', BandUnavailableError),
        (503, b"busy", BandUnavailableError),
        (200, b'{"result_code": 1, "result_data": [1]}', BandUnavailableError),
        (200, b'{"result_code": true, "result_data": {}}', BandUnavailableError),
        (302, b"", BandUnavailableError),
        (200, b'{"result_code": 1, "result_data": {"items": [{"na', BandUnavailableError),
    ],
)
def test_statuses_and_codes_mean_one_error_each(status: int, body: bytes, error: type[BandError]) -> None:
    """Whichever of the two says it."""
    with pytest.raises(error):
        data_of(status, {}, body)


@given(st.integers(100, 599), st.binary(max_size=80))
def test_anything_is_data_or_an_error_that_repeats_nothing(status: int, body: bytes) -> None:
    """Never another exception."""
    for read in (data_of, tokens_of):
        problem = "Band "
        try:
            assert isinstance(read(status, {}, body), dict)
        except BandError as error:
            problem = str(error)
        assert len(problem) < 100 and problem.startswith("Band ")


@given(st.text(max_size=40))
def test_any_retry_after_is_a_bounded_time(text: str) -> None:
    """Seconds or a date (RFC 9110); anything else is the default."""
    assert 0 <= retry_after_s(text, 5.0) <= 86_400


def test_retry_after_is_read_in_both_forms() -> None:
    """A date in the past is no wait."""
    assert retry_after_s("7", 5.0) == 7 and retry_after_s(None, 5.0) == 5 and retry_after_s("soon", 5.0) == 5
    assert math.isclose(retry_after_s(formatdate(time.time() + 90, usegmt=True), 5.0), 90, abs_tol=2)
    assert retry_after_s(formatdate(time.time() - 90, usegmt=True), 5.0) == 0
    assert retry_after_s("9" * 400, 5.0) == 86_400


@given(JSON)
def test_any_row_becomes_a_document_of_its_club_or_nothing(row: object) -> None:
    """With an id of the club, a time that can be compared, and no field that Band could choose."""
    for each in LISTS:
        given_row = {**row, each.key: "k"} if isinstance(row, dict) else row
        document = each.document("club", given_row)
        if document is None:
            assert not isinstance(given_row, dict)
            continue
        assert document["_id"] == f"club:{each.kind}:k" and document["club_id"] == "club"
        assert type(document["updated_at"]) is int
        assert all(value is None or isinstance(value, str | int) for value in document.values())


def test_all_that_lies_with_a_club_moves_with_it() -> None:
    """Every collection of a service that is not in the directory is in the bundled shards file."""
    wanted = {each.collection for each in (*AUTH, *BAND, *CHAT, *CONTENT, *GAME, *NOTIFICATION) if not each.shared}
    assert {"band_cache", "sync_logs"} <= wanted <= set(load_shards("default").collections)
