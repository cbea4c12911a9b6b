"""Demo data that a server writes before it serves: in a fork of it, which need not load its libraries once more."""

from __future__ import annotations

import multiprocessing
import socket
import sys
import time
from collections.abc import Sequence

from pymongo.uri_parser import parse_uri

from dbz.errors import DependencyError
from dbz.server.process import follow_parent
from dbz.server.seed.__main__ import main
from dbz.server.settings import StoreSettings

_STORE_PATIENCE_S = 30.0
"""How long a document store that was started together with the server may take."""
_LOOK_S = 0.01
_CONNECT_S = 1.0


def write_first(stores: StoreSettings, *, seed: int, clubs: int) -> None:
    """Write the demo data of `clubs` clubs once the document store listens; they are there on return.

    Nothing is written when the same data are there already. Raises `DependencyError` when they could not be written;
    standard error says why.
    """
    arguments = ["--mongo-uri", stores.mongo_uri, "--database", stores.database]
    arguments += ["--seed", str(seed), "--clubs", str(clubs), *(["--shards", stores.shards] if stores.shards else [])]
    # What clients leave behind in a process, threads among it, would be in each worker that is forked later.
    writing = multiprocessing.get_context("fork").Process(target=_write, args=(stores.mongo_uri, arguments))
    writing.start()
    writing.join()
    if writing.exitcode != 0:
        raise DependencyError("the demo data could not be written", hint="its reason is above", code="E015")


def _write(mongo_uri: str, arguments: Sequence[str]) -> None:
    follow_parent()
    _wait_for_listener(mongo_uri)
    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)


def _wait_for_listener(mongo_uri: str) -> None:
    """Until somebody listens at an address of the URI, or for `_STORE_PATIENCE_S`: the client then says what is wrong.

    The client itself looks every half second only.
    """
    until_s = time.monotonic() + _STORE_PATIENCE_S
    nodes = parse_uri(mongo_uri, connect_timeout=_CONNECT_S)["nodelist"]
    while not any(map(_listens, nodes)) and time.monotonic() < until_s:
        time.sleep(_LOOK_S)


def _listens(node: tuple[str, int | None]) -> bool:
    try:
        with socket.create_connection(node, _CONNECT_S):
            return True
    except OSError:
        return False
