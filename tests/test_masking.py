"""What may be secret in a URL is written down nowhere."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.masking import masked_text, masked_url

WORDS = st.text(alphabet="abcXYZ0189-_.~", min_size=1, max_size=12)
SECRETS = st.text(min_size=6, max_size=20).map(lambda text: quote(f"S3CRET{text}", safe=""))


@given(user=SECRETS, password=SECRETS, host=WORDS, path=WORDS, keys=st.lists(WORDS, max_size=3), value=SECRETS)
def test_of_a_url_only_host_path_and_names_are_left(
    user: str, password: str, host: str, path: str, keys: list[str], value: str
) -> None:
    query = "&".join(f"{key}={value}" for key in keys)
    url = f"https://{user}:{password}@{host}:8480/{path}" + (f"?{query}" if query else "")
    masked = masked_url(url)
    assert "S3CRET" not in masked
    assert masked.startswith(f"https://***@{host}:8480/{path}")
    assert all(f"{key}=***" in masked for key in keys)
    assert masked_url(masked) == masked
    text = masked_text(f'cannot reach "{url}" (tried twice), then {url}')
    assert "S3CRET" not in text and text.startswith('cannot reach "https://***@') and "(tried twice), then" in text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET /x?token=abc", "GET /x?token=***"),
        ("GET /x?a=1&access_token=abc&b=2", "GET /x?a=1&access_token=***&b=2"),
        ("GET /x?X-Amz-Signature=abc&X-Amz-Credential=k", "GET /x?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("GET /x?api_key=abc&sig=1", "GET /x?api_key=***&sig=***"),
        ("GET /search?q=smash&keyword=net&author=kim&page=2", "GET /search?q=smash&keyword=net&author=kim&page=2"),
        ("GET /x?id=[id]", "GET /x?id=[id]"),
        ("http://h/x?SECRET", "http://h/x?***"),
        ("http://u:p@ss@h/x#t", "http://***@h/x#***"),
        ("redis://:pw@h:6379/0", "redis://***@h:6379/0"),
        ("", ""),
        ("HTTP 503 Service Unavailable", "HTTP 503 Service Unavailable"),
        ("1 < 2 and a=b", "1 < 2 and a=b"),
    ],
)
def test_of_a_text_what_is_secret_is_masked_and_the_rest_stays(text: str, masked: str) -> None:
    assert masked_text(text) == masked


@given(st.text(max_size=200))
def test_any_text_can_be_masked(text: str) -> None:
    assert masked_text(masked_text(text)) == masked_text(text)
