"""What may hold moves back from outside: a hook's veto, a URL, a query."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbz.cli.options import parsed
from dbz.errors import UsageError
from dbz.hosts import is_web_url
from dbz.masking import masked_url

if TYPE_CHECKING:
    from dbz.shards.deployment import Deployment
    from dbz.shards.journal import Move
    from dbz.shards.move.mover import MoveOptions

_HOOK_S = 60.0
_ANSWER_S = 5.0


def hook_of(command: str) -> Callable[[str, Move], str]:
    """Runs a command at each event of a move, without a shell; its failure is the reason for a veto."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--hook: '{command}' is not a command: {error}", code="E002") from error

    def ask(when: str, move: Move) -> str:
        if not words:
            return ""
        about = {"DBZ_HOOK": when, "DBZ_MOVE": move.id, "DBZ_CLUB": move.club}
        env = {**os.environ, **about, "DBZ_SOURCE": move.source, "DBZ_TARGET": move.target}
        try:
            done = subprocess.run(words, env=env, capture_output=True, text=True, errors="replace", timeout=_HOOK_S)
        except (OSError, ValueError) as error:
            return f"the hook cannot be run: {error}"
        except subprocess.TimeoutExpired:
            return f"the hook did not end within {_HOOK_S:.0f} s"
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[:1]
        return "" if done.returncode == 0 else (said or [f"the hook ended with {done.returncode}"])[0][:200]

    return ask


@contextmanager
def throttled(options: MoveOptions, deployment: Deployment, url: str, query: str) -> Iterator[None]:
    """Hold the moves back, within this block, while a URL does not answer 200, or a query finds something."""
    looks = [_url(url)] if url else []
    looks += [_query(deployment, query)] if query else []
    if not looks or options.steering is None:
        yield
        return
    from dbz.shards.move.steering import Throttle

    with Throttle(options.steering, lambda: next((reason for look in looks if (reason := look())), "")):
        yield


def _url(url: str) -> Callable[[], str]:
    if not is_web_url(url):
        raise UsageError(f"--throttle-url: '{masked_url(url)}' is not a URL of HTTP", code="E002")

    import urllib.error
    import urllib.request

    def look() -> str:
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:  # noqa: S310 its scheme was looked at
                status = answer.status
        except urllib.error.HTTPError as error:
            with error:  # it is the answer, with its connection
                status = error.code
        return "" if status == 200 else f"the throttle's URL answers {status}"

    return look


def _query(deployment: Deployment, text: str) -> Callable[[], str]:
    from dbz.filters import parse_filter

    collection, colon, wanted = text.partition(":")
    if not collection or not colon:
        raise UsageError(
            f'--throttle-query: \'{text}\' is not COLLECTION:FILTER, like jobs:{{"state": "running"}}', code="E002"
        )
    document = parsed("--throttle-query", wanted, parse_filter)
    first = deployment.file.names[0]

    def look() -> str:
        found = deployment.shard(first)[collection].find_one(document, {"_id": 1})
        return "" if found is None else f"the throttle's query finds a document of '{collection}'"

    return look
