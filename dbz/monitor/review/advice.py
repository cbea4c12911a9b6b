"""What to do next: each with what it is concluded from, and the command to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from dbz.config.grammar.watched import Watched
from dbz.config.monitor.file import MonitorFile
from dbz.hosts import is_loopback
from dbz.monitor.review.document import Advice, Review, TargetReview, TrendFinding
from dbz.monitor.review.values import MEMORY, figure_name, figure_text, moment_text, until_text
from dbz.units import format_bytes, format_duration, format_ms, format_percent

_SLOW_MS = 500.0
"""The plan's: a mean response time beyond it asks for a look at the queries."""
_LARGE_BYTES = 1e9
"""The plan's: a mean memory beyond it asks for a look at leaks."""
_FAILING, _FAILING_BADLY = 0.001, 0.01
_UP = 0.999
_SOON_DAYS, _IN_SIGHT_DAYS = 7.0, 60.0
_UNKNOWN_SHARE = 0.05
_OFTEN = 5
_NAMED = 3
_FEW_HITS = 0.8
_SKEWED = 1.5
_ORDER = {"high": 0, "medium": 1, "low": 2}


def advice_on(review: Review, config: MonitorFile) -> list[Advice]:
    """All of it, the most urgent first."""
    found = [one for target in review.targets for one in _on_target(target, review, config)]
    found += [*_on_alerts(review), *_on_silence(review)]
    return sorted(found, key=lambda one: _ORDER[one.priority])


def _on_target(target: TargetReview, review: Review, config: MonitorFile) -> Iterator[Advice]:
    load = _load(config, target.name)
    longer = f"dbz monitor report --range {_longer(review)}"
    yield from _on_requests(target, load)
    memory = target.figure(MEMORY)
    if memory is not None and memory.mean > _LARGE_BYTES:
        evidence = f"mean memory {format_bytes(memory.mean)} (over {format_bytes(_LARGE_BYTES)}), {_going(target)}"
        yield Advice("medium", target.name, "Look for a memory leak.", evidence, longer)
    for trend in target.trends:
        if trend.days_to_limit is not None and trend.days_to_limit <= _IN_SIGHT_DAYS:
            priority = "high" if trend.days_to_limit <= _SOON_DAYS else "medium"
            command = longer if trend.key == MEMORY else load or longer
            text = f"The {figure_name(trend.key)} will reach the limit of {trend.rule}."
            yield Advice(priority, target.name, text, _days_text(trend), command)
    if target.uptime is not None and target.uptime < _UP:
        evidence = f"up {format_percent(round(target.uptime, 5))} of what is known (under {format_percent(_UP)})"
        yield Advice("high", target.name, "See when it was down.", evidence, "dbz monitor history --last 50")
    for change in target.changes:
        if change.after > change.before and change.key in (Watched.RESPONSE_TIME, MEMORY, Watched.ERROR_RATE):
            text = f"Look at what was changed when the {figure_name(change.key)} rose."
            evidence = f"from {figure_text(change.key, change.before)} to {figure_text(change.key, change.after)}"
            yield Advice("medium", target.name, text, f"{evidence} at {moment_text(change.at_s)}", "dbz report trend")


def _on_requests(target: TargetReview, load: str) -> Iterator[Advice]:
    slow, queries = target.figure(Watched.RESPONSE_TIME), target.figure(Watched.QUERY_TIME)
    if slow is not None and slow.mean > _SLOW_MS:
        evidence = f"mean response time {format_ms(slow.mean)} (over {format_ms(_SLOW_MS)})"
        evidence += f", peak {format_ms(slow.peak)}"
        evidence += f", queries take {format_ms(queries.mean)} in the mean" if queries else ""
        yield Advice("high", target.name, "Look at the slowest queries.", evidence, load or "dbz monitor status")
    errors = target.figure(Watched.ERROR_RATE)
    if errors is not None and errors.mean > _FAILING:
        priority = "high" if errors.mean > _FAILING_BADLY else "medium"
        evidence = f"{figure_text(errors.key, errors.mean)} of requests failed"
        evidence += f", at worst {figure_text(errors.key, errors.peak)}"
        yield Advice(priority, target.name, "Find the operations that fail.", evidence, load or "dbz monitor status")
    hits = target.figure(Watched.HIT_RATIO)
    if hits is not None and hits.mean < _FEW_HITS:
        evidence = f"hit ratio {figure_text(hits.key, hits.mean)} (under {format_percent(_FEW_HITS)})"
        yield Advice("medium", target.name, "See which keys miss the cache.", evidence, "dbz cache stats --bigkeys")
    skew = target.figure(Watched.SHARD_SKEW)
    if skew is not None and skew.last > _SKEWED:
        evidence = f"the heaviest shard has {skew.last:.2g} times the mean"
        yield Advice("medium", target.name, "Even the shards out.", evidence, "dbz shard plan")


def _on_silence(review: Review) -> Iterator[Advice]:
    """When the monitor did not run, all targets have the same gap: one advice for all of them."""
    most_s = _UNKNOWN_SHARE * (review.end_s - review.begin_s)
    silent = [target for target in review.targets if target.without_data_s > most_s]
    if silent:
        names = ", ".join(target.name for target in silent[:_NAMED]) + (", …" if len(silent) > _NAMED else "")
        longest = format_duration(round(max(target.without_data_s for target in silent)))
        yield Advice("low", names, "Keep the monitor running.", f"nothing is known of {longest}", "dbz monitor status")


def _on_alerts(review: Review) -> Iterator[Advice]:
    counts = Counter((one.target, one.type) for one in review.alerts)
    for (target, type_), count in counts.items():
        if count >= _OFTEN:
            evidence = f"{type_} fired {count} times"
            yield Advice("low", target, "Choose a better limit or duration.", evidence, "dbz monitor backtest")
    for type_, when in {(one.type, one.when) for one in review.alerts}:
        if when.startswith(("CPU", "Active connections")):
            where = ", ".join(sorted({one.target for one in review.alerts if one.type == type_}))
            evidence = f"{type_} fired ({when})"
            yield Advice("medium", where, "See whether more tasks are needed.", evidence, "dbz scale size")


def _load(config: MonitorFile, name: str) -> str:
    """The load whose report names the slowest and the failing operations; empty where nothing can be loaded."""
    url = next((target.url for target in config.targets if target.name == name), "")
    if not url:
        return ""
    host = urlsplit(url).hostname or ""
    return f"dbz load {url}" if is_loopback(host) else f"dbz load {url} --allow-target {host}"


def _longer(review: Review) -> str:
    days = (review.end_s - review.begin_s) / 86_400
    return "7d" if days < 6.9 else "30d" if days < 29.9 else "365d"


def _going(target: TargetReview) -> str:
    trend = next((one for one in target.trends if one.key == MEMORY), None)
    if trend is None or not trend.is_clear:
        return "without a clear trend"
    return f"{'rising' if trend.per_hour > 0 else 'falling'} by {figure_text(MEMORY, abs(trend.per_hour) * 24)} a day"


def _days_text(trend: TrendFinding) -> str:
    more, limit = figure_text(trend.key, trend.per_hour * 24), figure_text(trend.key, trend.limit or 0.0)
    until = until_text(trend.days_to_limit or 0.0, trend.days_low, trend.days_high)
    return f"{figure_text(trend.key, trend.level)} now and {more} more a day: {limit} {until}"
