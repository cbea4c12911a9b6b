"""What may be secret in a URL is written down nowhere."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dbz.masking import masked_body, masked_headers, masked_name, masked_text, masked_url, user_of, written_url

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
        ("redis://:S3/CRET@h:6379/0 is no URL", "redis://***@h:6379/0 is no URL"),
        ("'http://u:S3#CRET@h/x' and 'mongodb://u:S3?C@h1,h2:2/x'", "'http://***@h/x' and 'mongodb://***@h1,h2:2/x'"),
        ("http://u:p w@h/x", "http://***@h/x"),
        ("redis://ops:word is no URL", "redis://ops:*** is no URL"),
        ("http://[::1]:80/@x, mongodb://a:1,b:2/", "http://[::1]:80/@x, mongodb://a:1,b:2/"),
        ("redis://HOST:PORT or http://${HOST}/a", "redis://HOST:PORT or http://${HOST}/a"),
        ("cannot reach http://127.0.0.1:3400: refused", "cannot reach http://127.0.0.1:3400: refused"),
        ("(http://[::1]:3400). http://h:1, http://h.", "(http://[::1]:3400). http://h:1, http://h."),
        ("redis://ops:word: refused", "redis://ops:*** refused"),
        ("http://ops:wo:rd@h:80: refused", "http://***@h:80: refused"),
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


@given(
    scheme=st.sampled_from(["http", "https", "redis", "rediss", "mongodb", "mongodb+srv", "smtp"]),
    signs=st.text(alphabet="/#?@[]%:&=|\\;, ", min_size=1, max_size=4),
    quote=st.sampled_from(["'{}'", "{}", '"{}" is no URL', "cannot reach {}"]),
)
def test_a_password_that_breaks_its_url_is_masked_all_the_same(scheme: str, signs: str, quote: str) -> None:
    assume(not {"@", " "} <= set(signs))  # in a text the URL could end at that space
    text = quote.format(f"{scheme}://ops:{'S3CRET'.join(['', *signs, ''])}@127.0.0.1:1/0")
    assert "S3CRET" not in masked_text(text)
    assert "S3CRET" not in masked_name(text)


def test_of_bodies_and_headers_what_is_secret_by_its_name_is_masked() -> None:
    body = '{"access_token": "abc", "error": {"code": "E1", "password":"p\\"q"}, "n": 1, "refresh_token": "cut o'
    assert masked_body(body) == (
        '{"access_token": "***", "error": {"code": "E1", "password":"***"}, "n": 1, "refresh_token": "***'
    )
    assert masked_name("GET /cb#access_token=abc&state=1#") == "GET /cb#access_token=***&state=1#"
    assert masked_body("user=ann&password=abc&next=1") == "user=ann&password=***&next=1"
    headers = {"X-Auth-Token": "a", "Set-Cookie": "b", "Location": "/x?code=c&page=2#d", "Accept": "*/*", "X-Id": "7"}
    assert masked_headers(headers) == {
        "X-Auth-Token": "***", "Set-Cookie": "***", "Location": "/x?code=***&page=2#***", "Accept": "*/*", "X-Id": "7",
    }  # fmt: skip


@given(
    st.sampled_from(("access_token", "password", "Client-Secret", "jwt", "sid", "apiKey")),
    st.text(string.ascii_letters + "'\"\\ /&é", max_size=20),
    st.sampled_from((json.dumps, repr, lambda tree: json.dumps(json.dumps(tree)))),
    st.integers(0, 60),
)
def test_an_answer_that_a_message_quotes_keeps_its_secrets(
    key: str, around: str, quoted: Callable[[object], str], cut: int
) -> None:
    """As a whole, as Python shows it, as JSON in JSON, and cut off anywhere."""
    value = f"{around}S3CRET{around}"
    text = quoted({"note": around, key: value, "status": "refused"})
    whole = f"HTTP 403 {text}"
    shown = masked_text(whole[: max(len(whole) - cut, 9)])
    assert "S3CRET" not in shown and shown.startswith("HTTP 403")
    assert cut or "refused" in shown


def test_a_url_that_is_written_names_a_variable_for_its_user() -> None:
    assert written_url("http://a:b@h:1/x?y@z") == "http://${TARGET_USER}@h:1/x?y@z"
    assert (user_of("http://a:b@h:1"), user_of("http://h:1/@x"), written_url("http://h/@x")) == (
        "a:b",
        "",
        "http://h/@x",
    )
