"""Chats of two tabs of a real browser, recorded by `dbz record`: their scenarios do the same without an edit."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.bring.apps import node_app
from tests.bring.browsing import HAS_BROWSER, browser, until
from tests.bring.recorders import recording
from tests.cli.running import dbz
from tests.cli.serving import Served
from tests.load.socketio_servers import NODE_FOLDER, node_packages

pytestmark = pytest.mark.skipif(not HAS_BROWSER, reason="needs Debian's packages chromium and chromium-driver")

MEMBER = """
const [name, done] = [arguments[0], arguments[arguments.length - 1]];
const ask = async (path, options = {}) => (await fetch(path, options)).json();
const json = {"content-type": "application/json"};
(async () => {
  const login = {method: "POST", headers: json, body: JSON.stringify({username: name, password: "demo"})};
  const token = (await ask("/api/auth/login", login)).access_token;
  const rooms = await ask("/api/rooms", {headers: {authorization: "Bearer " + token}});
  const room = (rooms.items || rooms.rooms || rooms)[0].id;
  const socket = io({auth: {token}});
  window.heard = [];
  socket.on("message:batch", (batch) => batch.messages.forEach((one) => heard.push(one.content)));
  await new Promise((connected) => socket.on("connect", connected));
  await socket.emitWithAck("room:join", {roomId: room});
  const key = () => Math.random().toString(36).slice(2, 14);
  window.say = (content) => socket.emitWithAck("message:send", {roomId: room, tempId: key(), content});
  done("ready");
})().catch((error) => done(String(error)));
"""


def replayed(folder: Path, target: str) -> str:
    """What a check of the recorded sessions says, whose scenario was written when they ended."""
    done = dbz(
        "import", "session-1.har", "session-2.har", "-o", "session.py", "--target", target, "--check", cwd=folder
    )  # fmt: skip
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr + (folder / "session.py").read_text()
    said = done.stdout
    for what in ("operations", "events", "in order", "statuses", "payload shapes"):
        counts = re.search(rf"{what} (\d+) of (\d+)", said)
        assert counts and counts[1] == counts[2] != "0", said
    return said


def test_a_chat_on_a_node_app_with_names_of_its_own(tmp_path: Path) -> None:
    with node_app(tmp_path / "log") as target:
        with recording(target, tmp_path, users=2) as recorder, browser(tmp_path / "profile") as driver:
            tabs = []
            for url, name in zip(recorder.urls, ("ann", "bob"), strict=True):
                driver.switch_to.new_window("tab")
                driver.get(f"{url}/?name={name}")
                until(lambda: driver.title == "entered", "in the room")
                tabs.append(driver.current_window_handle)
            for text in ("one", "two", "three"):
                driver.switch_to.window(tabs[0])
                driver.execute_script("say(arguments[0])", text)
                driver.switch_to.window(tabs[1])
                until(lambda: text in driver.page_source, "heard")  # noqa: B023 called at once
                time.sleep(0.6)
            driver.execute_script("say('four')")
            driver.switch_to.window(tabs[0])
            until(lambda: "four" in driver.page_source, "heard")
        assert recorder.code == ExitCode.OK, recorder.output
        assert "measured from sender to receivers: said" in recorder.output
        said = replayed(tmp_path, target)
    assert "events 10 of 10" in said  # two entered, four said, four heard


def test_a_chat_on_the_reference_server(served: Served, tmp_path: Path) -> None:
    node_packages()
    client = (NODE_FOLDER / "node_modules" / "socket.io" / "client-dist" / "socket.io.min.js").read_text()
    with recording(served.url, tmp_path, users=2) as recorder, browser(tmp_path / "profile") as driver:
        tabs = []
        for url, name in zip(recorder.urls, ("user0000", "user0001"), strict=True):
            driver.switch_to.new_window("tab")
            driver.get(f"{url}/healthz")
            driver.execute_script(client)
            assert driver.execute_async_script(MEMBER, name) == "ready"
            tabs.append(driver.current_window_handle)
        for number, tab in enumerate(tabs):
            driver.switch_to.window(tab)
            driver.execute_script("say(arguments[0])", f"words of {number}")
            for reader in tabs:
                driver.switch_to.window(reader)
                until(lambda: driver.execute_script("return heard.length") == number + 1, "heard")  # noqa: B023
            time.sleep(0.6)
    assert recorder.code == ExitCode.OK, recorder.output
    assert "measured from sender to receivers: message:batch" in recorder.output
    replayed(tmp_path, served.url)
