"""A real browser with a tab for each of two users of a chat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver

from tests.report.test_browser import BROWSER, DRIVER, FLAGS

HAS_BROWSER = bool(BROWSER and DRIVER)


@contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Chromium without a window, for the length of a block."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(20)
    driver.set_page_load_timeout(20)
    try:
        yield driver
    finally:
        driver.quit()


def until(reached: Callable[[], Any], what: str, deadline_s: float = 20.0) -> None:
    """Wait until something holds in a page."""
    end_s = time.monotonic() + deadline_s
    while not reached():
        assert time.monotonic() < end_s, f"waited {deadline_s:g} s in vain: {what}"
        time.sleep(0.05)
