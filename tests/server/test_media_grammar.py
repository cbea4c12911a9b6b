"""Whatever is sent as a picture, a form or an Accept header: an answer, or a refusal with a reason."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.server.http.errors import ApiError
from dbz.server.media.imaging import MAX_HEIGHT_PX, Master, master_of, render
from dbz.server.media.uploads import file_of
from dbz.server.media.variants import MAX_WIDTH_PX, QUALITIES, WIDTH_STEP_PX, Format, Variant, format_for, variant_of
from tests.server.pictures import opened, photo

PIXELS = 2_000_000
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
NAMES = st.sampled_from(["image/avif", "image/webp", "image/jpeg", "image/*", "*/*", "text/html", ""])
WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.5", "; q=1", ";q=2", ";q=nan", ";level=1;q=0.3", ";"])


@functools.cache
def small_photo(kind: str) -> bytes:
    """A file of a kind."""
    return photo(200, 150, kind)


def outcome(work: Callable[..., Any], *args: Any) -> Any:
    """What `work` returns, or its refusal."""
    try:
        return work(*args)
    except ApiError as refused:
        return refused


@given(st.integers(1, MAX_WIDTH_PX), st.integers(1, 100), st.binary(max_size=40))
def test_any_size_leads_to_one_of_few_that_is_not_less(width: int, quality: int, accept: bytes) -> None:
    """16 widths and 6 qualities; the cache has a bound."""
    variant = variant_of(width, quality, accept)
    assert width <= variant.width_px < width + WIDTH_STEP_PX and variant.width_px % WIDTH_STEP_PX == 0
    assert variant.width_px <= MAX_WIDTH_PX and variant.quality in QUALITIES and variant.quality >= quality


@given(st.lists(st.tuples(NAMES, WEIGHTS), max_size=6))
def test_a_format_is_answered_only_to_who_names_it(accepts: list[tuple[str, str]]) -> None:
    """But JPEG, to everybody."""
    found = format_for(", ".join(name + weight for name, weight in accepts).encode())
    weighed = dict(accepts)
    if found is not Format.JPEG:
        assert weighed[found.media_type] not in (";q=0", ";q=2", ";q=nan")


@given(
    st.binary(max_size=3000),
    st.text(min_size=1, max_size=20),
    st.dictionaries(st.text(max_size=5), st.text(max_size=9)),
)
def test_a_form_gives_the_file_that_was_put_into_it(content: bytes, name: str, fields: dict[str, str]) -> None:
    """As httpx writes forms, with any bytes, any name, and fields beside it."""
    request = httpx.Request("POST", "http://localhost/", files={"file": (name, content)}, data=fields)
    assert file_of(request.headers["content-type"].encode(), request.read()) == content


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_any_form_is_read_or_refused(content_type: bytes, body: bytes) -> None:
    """Never anything else."""
    for declared in (content_type, b"multipart/form-data; boundary=" + content_type):
        found = outcome(file_of, declared, body)
        assert isinstance(found, bytes) or found.status in (400, 422)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.data())
def test_a_broken_file_is_refused_or_becomes_a_whole_picture(kind: str, data: st.DataObject) -> None:
    """Cut off anywhere, and with bytes of it changed."""
    whole = small_photo(kind)
    file = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if file:
            file[data.draw(st.integers(0, min(len(file), 400) - 1))] = data.draw(st.integers(0, 255))
    master = outcome(master_of, bytes(file), PIXELS)
    if isinstance(master, ApiError):
        assert 400 <= master.status < 500 and master.message and "0x" not in master.message
    else:
        assert opened(master.body).size == (master.width_px, master.height_px)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 600), st.sampled_from(["JPEG", "PNG"]), st.sampled_from(["RGB", "L"]))
def test_masters_and_what_is_made_of_them_have_bounded_sizes(width: int, height: int, kind: str, mode: str) -> None:
    """For lines and towers too; proportions stay."""
    for size in ((width, height), (height, width)):
        master: Master = master_of(photo(*size, kind, mode), PIXELS)
        assert 1 <= master.width_px <= MAX_WIDTH_PX and 1 <= master.height_px <= MAX_HEIGHT_PX
        shown = opened(render(master.body, Variant(320, 60, Format.WEBP)))
        assert shown.width == min(320, master.width_px)
        assert shown.height == pytest.approx(size[1] * shown.width / size[0], abs=3) or max(size) / min(size) > 100
