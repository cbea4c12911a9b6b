"""The club's page: everything is its own, and in a browser a member reads, follows scores and chats."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio.to_thread
import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.bring.browsing import HAS_BROWSER, browser
from tests.server.backend import Backend
from tests.server.clients import SignIn

pytestmark = pytest.mark.anyio
WAIT_S = 30
# Where all that tests need is installed, a browser that is missing is a failure.
needs_browser = pytest.mark.skipif(
    not (HAS_BROWSER or os.environ.get("CI")), reason="needs Debian's packages chromium and chromium-driver"
)


async def test_all_parts_are_the_servers_own_and_may_be_kept_until_they_change(anyone: httpx.AsyncClient) -> None:
    page = await anyone.get("/club")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    parts = re.findall(r'(?:href|src)="(/[^"]*)"', page.text)
    assert sorted(parts) == ["/club/club.css", "/club/club.js"]
    for path in ("/club", *parts):
        answer = await anyone.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.search(r"https?://(?!\$)", answer.text), "nothing comes from elsewhere"
        again = await anyone.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert len(page.content) + len((await anyone.get("/club/club.js")).content) < 16_000, "it stays small"


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with browser(tmp_path / "profile") as driver:
        yield driver


def text_of(driver: webdriver.Chrome, selector: str) -> str:
    return driver.find_element(By.CSS_SELECTOR, selector).text


async def until(driver: webdriver.Chrome, holds: Callable[[webdriver.Chrome], bool]) -> None:
    await anyio.to_thread.run_sync(lambda: WebDriverWait(driver, WAIT_S).until(holds))


@needs_browser
async def test_a_member_reads_follows_scores_and_chats(
    driver: webdriver.Chrome, backend: Backend, sign_in: SignIn
) -> None:
    await anyio.to_thread.run_sync(driver.get, f"{backend.url}/club?user=user0003")
    await until(driver, lambda page: text_of(page, "#chat-state") == "Connected.")
    assert text_of(driver, "#member") == "Member 3, one of 200 members"
    assert len(driver.find_elements(By.CSS_SELECTOR, "#post-list li h3")) == 10
    games = [one.get_attribute("id") for one in driver.find_elements(By.CSS_SELECTOR, "#games .score")]
    await until(driver, lambda page: page.execute_script("return document.getElementById('cover').naturalWidth") > 500)

    other = await (await sign_in("user0004")).socket()
    assert (await other.call("room:join", {"roomId": "room:club00"}))["ok"]
    driver.find_element(By.ID, "text").send_keys("who <b>plays</b>?\n")
    assert (await other.until("message:batch"))[0]["messages"][0]["content"] == "who <b>plays</b>?"
    await other.call("message:send", {"roomId": "room:club00", "tempId": "1", "content": "I do"})
    await until(driver, lambda page: "I do" in text_of(page, "#chat"))
    assert "who <b>plays</b>?" in text_of(driver, "#chat"), "as it was written"

    game = str(games[0]).removeprefix("score-")
    host = await (await sign_in(f"user{int(game[-2:]):04d}")).socket()
    assert (await host.call("game:score_update", {"gameId": game, "score": {"home": 7, "away": 5}}))["ok"]
    await until(driver, lambda page: text_of(page, f"#score-{game}") == "7:5")
    await host.call("game:score_update", {"gameId": game, "score": {"home": 0, "away": 0}})

    unnamed = (
        "return [...document.querySelectorAll('input,button')].filter(one => !one.labels.length && !one.innerText)"
    )
    assert driver.execute_script(unnamed) == []
    assert driver.get_log("browser") == [], "no error, and nothing that the policy forbids"


@needs_browser
async def test_a_user_whom_nobody_knows_is_told_so(driver: webdriver.Chrome, backend: Backend) -> None:
    await anyio.to_thread.run_sync(driver.get, f"{backend.url}/club?user=nobody")
    await until(driver, lambda page: "/api/auth/login was answered with 401" in text_of(page, "#trouble"))
    assert text_of(driver, "#member") == "Not signed in."
