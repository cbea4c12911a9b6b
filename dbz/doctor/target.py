"""Whether a target answers, lets itself be watched, and has the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime

import httpx

from dbz.config.load.metrics import TargetMetrics
from dbz.doctor.findings import Diagnosis, Fitness
from dbz.masking import masked_url, reason_of
from dbz.targets.places import HEALTH, METRICS, USUAL_HEALTH
from dbz.targets.probing import address_of
from dbz.targets.watch import TargetWatch, TroubleError

_AREA = "target"
_DEADLINE_S = 5.0
_SKEW_S = 5.0
_HEALTH_PLACES = (HEALTH, *USUAL_HEALTH, "/")


async def look_at_target(url: str, health: str | None, metrics: TargetMetrics) -> AsyncIterator[Diagnosis]:
    """Its health path (`health`, else those that are usual), its clock, and its own figures."""
    async with httpx.AsyncClient(timeout=_DEADLINE_S) as client:
        answer, finding = await _health(client, url, [health] if health else _HEALTH_PLACES)
    yield finding
    if answer is None:
        return
    if "date" in answer.headers:
        yield clock_of(answer.headers["date"], time.time())
    yield await _figures(url, metrics)


async def _health(
    client: httpx.AsyncClient, url: str, places: list[str] | tuple[str, ...]
) -> tuple[httpx.Response | None, Diagnosis]:
    answer = None
    for place in places:
        address = address_of(url, place)
        try:
            # Only the head: how long a body is, is up to the target.
            async with client.stream("GET", address) as answer:
                pass
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            text = f"{masked_url(address)} cannot be asked: {reason_of(error)}"
            return None, Diagnosis(_AREA, "health", Fitness.BAD, text, _cure(error))
        if answer.is_success or (place == places[-1] and not answer.is_server_error and len(places) > 1):
            took_ms = answer.elapsed.total_seconds() * 1000
            text = f"{place} answers {answer.status_code} in {took_ms:.0f} ms, {answer.http_version}"
            return answer, Diagnosis(_AREA, "health", Fitness.GOOD, text)
    assert answer is not None, "there is a place"
    text = f"{places[-1]} answers {answer.status_code}"
    return answer, Diagnosis(_AREA, "health", Fitness.BAD, text, "name the path that says it is well: --health PATH")


def _cure(error: Exception) -> str:
    if "CERTIFICATE" in str(error):
        return "the system does not trust who signed its certificate: SSL_CERT_FILE=FILE"
    return "is it started, and is the port right?"


def clock_of(date: str, now_s: float) -> Diagnosis:
    """How far the target's clock, which its `Date` header tells in whole seconds, is from ours."""
    try:
        skew_s = parsedate_to_datetime(date).timestamp() - now_s
    except ValueError:
        return Diagnosis(_AREA, "clock", Fitness.POOR, f"its Date header is no date: {date[:60]!r}")
    text = f"{abs(skew_s):.0f} s {'before' if skew_s > 0 else 'behind'} this machine's"
    if abs(skew_s) < _SKEW_S:
        return Diagnosis(_AREA, "clock", Fitness.GOOD, "the same as this machine's, within seconds")
    cure = "set both by NTP: tokens expire wrongly otherwise, and logs do not fit (latencies do not suffer)"
    return Diagnosis(_AREA, "clock", Fitness.POOR, text, cure)


async def _figures(url: str, metrics: TargetMetrics) -> Diagnosis:
    watch = TargetWatch(url, metrics)
    try:
        line = await watch.look()
        await asyncio.sleep(1.0)  # shares of a processor need two readings
        line = await watch.look()
    except (TroubleError, OSError, ValueError) as error:
        return Diagnosis(_AREA, "figures", Fitness.POOR, str(error), "docs/targets.md says how to map other names")
    told = [name for name in ("cpu_share", "memory_bytes", "connections") if line and line.get(name) is not None]
    if told:
        words = {"cpu_share": "CPU", "memory_bytes": "memory", "connections": "connections"}
        return Diagnosis(_AREA, "figures", Fitness.GOOD, f"tells {', '.join(words[name] for name in told)}")
    cure = f"serve {METRICS}, or name the place below `metrics` in the profile; docs/targets.md"
    return Diagnosis(
        _AREA, "figures", Fitness.POOR, "tells nothing of itself: budgets of the server cannot be judged", cure
    )
