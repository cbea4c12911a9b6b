"""Whoever asks for data and is led to a login has not got them: said alike of our client and of Locust's, whatever the
login is called.
"""

from __future__ import annotations

import pytest
import requests

from dbz.load.generator.record.objections import Objections
from tests.load.http_clients import client_of
from tests.load.raw_server import response, routed, serving

DOOR = b'<html><title>Acme</title><form method="post"><input name=user><input class="x" type="password"></form></html>'
FRONT = DOOR + b'<a href="/news">news</a>' * 20
FORM = DOOR + b"<input type='password' name='again'>"
CASES = {
    "/private /enter": (DOOR, "a redirect to /enter, which asks for a password"),
    "/private /login": (b"<html></html>", "a redirect to /login"),
    "/logout /login": (DOOR, ""),
    "/users/sign_up /enter": (DOOR, ""),
    "/account/password/reset /enter": (DOOR, ""),
    "/enter /enter/": (DOOR, ""),
    "/start /home": (FRONT, ""),
    "/invited /join": (FORM, ""),
    "/old /new": (b"<html><title>New</title></html>", ""),
}
"""What is asked for and where it leads, the page there, and what is to be said of it."""


@pytest.mark.parametrize("case", CASES)
def test_a_redirect_to_a_login_is_no_answer(case: str) -> None:
    asked, reached = case.split()
    page, expected = CASES[case]
    pages = {asked: response(b"", f"Location: {reached}", status="302 Found")}
    pages[reached] = response(page, "Content-Type: text/html")
    ours, theirs = Objections(), Objections()
    with serving(routed(pages)) as server:
        client, _ = client_of(server.url)
        ours.look_at(client.get(asked), "op")
        client.close()
        theirs.look_at_foreign(requests.get(server.url + asked, timeout=9), "GET", "op")
    said = [["http", "op", expected, 1]] if expected else []
    assert ours.take(str)["objections"] == theirs.take(str)["objections"] == said
