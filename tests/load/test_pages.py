"""Pages in a real browser: what is measured of them, where they may lead, and how the browser ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dbz.errors import DependencyError
from dbz.load.pages.browser import Browser, find_browser
from dbz.load.pages.devtools import BrowserLostError
from dbz.load.pages.reach import Reach
from dbz.load.pages.visit import CutShortError, PageToOpen, Visit, Visitor
from dbz.targets.processes import with_descendants
from tests.children.processes import carrying, ended, eventually, gone
from tests.load.websites import needs_browser, website

pytestmark = needs_browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with website(tmp_path_factory.mktemp("site") / "log") as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser([], tmp_path_factory.mktemp("browser") / "log") as running:
        yield running


def visit(browser: Browser, url: str, click: str = "", clicked: bool = True, hosts: tuple[str, ...] = ()) -> Visit:
    visitor = Visitor(browser.devtools, Reach(hosts).allows, lambda: False)
    return visitor.visit(PageToOpen("page", url, click, clicked))


def hits(site: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{site}/hits", timeout=30) as answer:
        return json.load(answer)


def test_a_page_is_measured_until_its_largest_content_is_painted_and_a_click_is_answered(browser, site):
    found = visit(browser, f"{site}/")
    assert found.error == "" and found.load_ms is not None
    assert found.fcp_ms is not None and found.lcp_ms is not None and found.load_event_ms is not None
    assert found.lcp_ms > max(300, found.fcp_ms), "what comes late is the largest"
    assert found.load_ms == found.lcp_ms > found.load_event_ms >= found.ttfb_ms > 0
    assert found.clicked == "Like", "neither a link nor what submits a form"
    assert found.inp_ms is not None and found.inp_ms >= 120, "the script of the button takes that long"
    assert found.cls is not None and found.cls > 0, "what was there has moved"
    assert found.traffic.requests == 4, "the page, a script, data, and what the click asked for"
    assert found.traffic.bytes > 1500
    assert (found.traffic.failed, found.traffic.script_errors, found.traffic.problems) == (0, 0, [])


def test_each_visit_has_empty_caches_and_clicks_what_it_is_told_to(browser, site):
    before = hits(site)
    assert visit(browser, f"{site}/", "#other").clicked == "Other"
    quiet = visit(browser, f"{site}/", clicked=False)
    assert (quiet.clicked, quiet.inp_ms) == ("", None)
    assert visit(browser, f"{site}/", "#not-there").clicked == ""
    after = hits(site)
    assert after["/cached.js"] == before["/cached.js"] + 3
    assert (after["/other"], after.get("/liked"), after.get("/never")) == (1, before.get("/liked"), None)


def test_pages_that_fail_say_why(browser, site):
    failed = visit(browser, f"{site}/broken")
    assert (failed.error, failed.load_ms, failed.traffic.problems) == ("HTTP 500", None, [])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert visit(browser, f"http://127.0.0.1:{port}/").error == "net::ERR_CONNECTION_REFUSED"
    odd = visit(browser, f"{site}/odd")
    assert (odd.error, odd.traffic.script_errors, odd.traffic.failed) == ("", 1, 1)
    assert sorted(odd.traffic.problems) == [f"{site}/nowhere.js: HTTP 404", "script: Error: a rally too long"]


def test_a_visit_that_is_not_wanted_any_more_ends_at_once(browser, site):
    over = threading.Event()
    threading.Timer(0.5, over.set).start()
    began_s = time.monotonic()
    with pytest.raises(CutShortError):
        Visitor(browser.devtools, Reach().allows, over.is_set).visit(PageToOpen("page", f"{site}/hangs"))
    assert time.monotonic() - began_s < 20, "and not when the page has failed"
    assert visit(browser, f"{site}/slow").error == "", "the browser is as good as before"


def own_address() -> str:
    """An address of this machine by which others could reach it."""
    addresses = [one for every in psutil.net_if_addrs().values() for one in every if one.family == socket.AF_INET]
    outside = [one.address for one in addresses if not one.address.startswith("127.")]
    if not outside:
        pytest.skip("this machine has no address but its own")
    return outside[0]


def test_a_page_reaches_no_host_that_nobody_allowed(browser, site, tmp_path):
    address = own_address()
    with socket.create_server((address, 0)) as stranger:
        url = f"http://{address}:{stranger.getsockname()[1]}/pixel"
        stranger.settimeout(0.3)
        found = visit(browser, f"{site}/asks?url={url}")
        assert (found.error, found.traffic.blocked, found.traffic.failed) == ("", [address], 0)
        assert visit(browser, f"{site}/asks?url=https://tracker.example/pixel").traffic.blocked == ["tracker.example"]
        assert visit(browser, url).error == f"leads to {address}, which is not allowed"
        with pytest.raises(TimeoutError):
            stranger.accept()
        with Browser([address], tmp_path / "log") as other:
            # Nobody answers: it is enough that the browser comes.
            asking = threading.Thread(target=visit, args=(other, f"{site}/asks?url={url}", "", False, (address,)))
            asking.start()
            stranger.settimeout(20)
            connection, _ = stranger.accept()
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            connection.close()
            stranger.close()
            asking.join(60)
            assert not asking.is_alive()


def test_the_browser_is_one_of_the_own_processes(browser):
    assert browser.pid in {one.pid for one in with_descendants([psutil.Process()])}


_HOLDS_ONE = """
import sys, time
from pathlib import Path
from dbz.load.pages.browser import Browser
with Browser([], Path(sys.argv[1])) as browser:
    print(browser.pid, flush=True)
    time.sleep(600)
"""


def test_the_browser_ends_with_a_dbz_that_was_killed_and_its_profile_is_removed(tmp_path):
    scratch = Path(tempfile.mkdtemp(prefix="page-"))
    env = {**os.environ, "TMPDIR": str(scratch), "DBZ_TEST_MARK": str(tmp_path)}
    command = [sys.executable, "-c", _HOLDS_ONE, str(tmp_path / "log")]
    with ended(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert not gone(pid) and any(scratch.glob("dbz-browser-*"))
        holder.send_signal(signal.SIGKILL)
    assert eventually(lambda: gone(pid) and not carrying("DBZ_TEST_MARK", str(tmp_path)))
    assert eventually(lambda: not any(scratch.iterdir())), "neither its profile nor what it has made itself"
    scratch.rmdir()


def test_a_browser_that_dies_is_noticed(site, tmp_path):
    with Browser([], tmp_path / "log") as short_lived:
        os.kill(short_lived.pid, signal.SIGKILL)
        with pytest.raises(BrowserLostError):
            visit(short_lived, f"{site}/")


def test_without_a_browser_it_is_said_where_it_was_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="looked for chromium, chromium-browser, google-chrome"):
        find_browser()
    monkeypatch.setenv("DBZ_BROWSER", "my-browser")
    with pytest.raises(DependencyError, match="DBZ_BROWSER names my-browser, which is no program"):
        find_browser()
    (tmp_path / "my-browser").write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    (tmp_path / "my-browser").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(DependencyError, match="no display"):
        Browser([], tmp_path / "log")
    assert Path(tmp_path / "log").exists()
