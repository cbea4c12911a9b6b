"""A Chromium without a window, as a child that always ends, with a profile of its own that is removed with it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dbz.children.child import Child
from dbz.errors import DependencyError
from dbz.load.pages.devtools import BrowserLostError, DevTools

VARIABLE = "DBZ_BROWSER"
"""The variable of the environment that names another browser than the first one on the search path."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_START_S = 30.0
_GRACE_S = 3.0
_MOST_HOSTS = 200
_LONGEST_FOLDER = 30
SIZE = (1280, 800)
"""Width and height of a page, in pixels."""
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    f"--window-size={SIZE[0]},{SIZE[1]}",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--no-pings",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-quic",  # its packets would not pass the rules for host names
    "--disable-sync",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-features=MediaRouter,OptimizationHints,Translate,DialMediaRouteProvider,HttpsUpgrades",
    # What is hidden is slowed down otherwise, and pages without a window may count as hidden.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
)


def find_browser() -> str:
    """The path of the Chromium that opens pages; `DependencyError` when there is none."""
    named = os.environ.get(VARIABLE, "")
    for name in (named,) if named else (*PROGRAMS, _ON_A_MAC):
        path = shutil.which(name)
        if path:
            return path
    looked = f"{VARIABLE} names {named}, which is no program" if named else f"looked for {', '.join(PROGRAMS)}"
    raise DependencyError(
        f"pages are opened in a Chromium, and there is none here ({looked})",
        hint=f"apt install chromium, or name the program of another one in {VARIABLE}; without pages nothing needs it",
        code="L021",
    )


class Browser:
    """A running browser; a context manager that ends it.

    Only this machine and `hosts` can be reached by whatever it opens: every other name, and every other address,
    leads nowhere. `DependencyError` when it does not start.
    """

    def __init__(self, hosts: Iterable[str], log: Path) -> None:
        profile = _temporary_folder() / f"dbz-browser-{secrets.token_hex(8)}"
        to_browser, from_browser = os.pipe(), os.pipe()
        try:
            self._child = Child(
                "the browser",
                [find_browser(), *_flags(hosts, profile), "about:blank"],
                log=log,
                scratch=[profile],
                env={"TMPDIR": str(profile)},  # what it leaves there when it is killed is removed too
                grace_s=_GRACE_S,
                descriptors=(to_browser[0], from_browser[1]),
            )
        except BaseException:
            os.close(to_browser[1])
            os.close(from_browser[0])
            raise
        finally:
            os.close(to_browser[0])
            os.close(from_browser[1])
        self.devtools = DevTools(from_browser[0], to_browser[1])
        try:
            self.version: str = self.devtools.call("Browser.getVersion", timeout_s=_START_S)["product"]
        except (BrowserLostError, TimeoutError) as error:
            self._stop()
            raise DependencyError(
                f"the browser did not start ({error}):\n{self._child.log_tail()}", hint=f"log: {log}", code="L022"
            ) from error
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The number of its first process, which the others are below."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._child.exit_code is None

    def _stop(self) -> None:
        with contextlib.suppress(OSError):
            self.devtools.close()
        self._child.stop()


def _temporary_folder() -> Path:
    """Where its folder is made: the path of a socket in it must not become too long."""
    folder = Path(tempfile.gettempdir())
    return folder if len(str(folder)) < _LONGEST_FOLDER else Path("/tmp")  # noqa: S108 the folder in it is private


def _flags(hosts: Iterable[str], profile: Path) -> list[str]:
    reachable = ["localhost", "*.localhost", "127.0.0.1", "[::1]", *list(dict.fromkeys(hosts))[:_MOST_HOSTS]]
    rules = ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in reachable)])
    # Its sandbox does not work for root, whom only containers let run a browser.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [*_FLAGS, *sandbox, f"--host-resolver-rules={rules}", f"--user-data-dir={profile}"]
