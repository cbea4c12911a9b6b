"""The words about what was run and how it fared: the facts of a run, the health of generator and server."""

from __future__ import annotations

import math

from dbz.report.words.verdict import plural
from dbz.runs.schema import Run
from dbz.runs.validity.machine import SOME_PERCENT, cores_text
from dbz.units import counted, format_bytes, format_duration, format_ms, format_number, format_percent, format_rate


def target_text(run: Run) -> str:
    """What was loaded."""
    return "the embedded stack" if run.embedded else run.target


def facts(run: Run) -> list[tuple[str, str]]:
    """What was run, where, how: label and text."""
    window = run.window
    rows = [
        ("Profile", str(run.profile.get("name", "?"))),
        ("Target", run.target + (" (embedded stack)" if run.embedded else "")),
        ("Started", run.title.rpartition(", ")[2]),
        ("Judged", f"{format_duration(window.seconds)} after {format_duration(window.start_s)} of warm-up"),
        ("Users held", users_text(run) or "not measured"),
        *([("Load", load_text(run))] if load_text(run) else []),
        ("Seed", str(run.seed)),
    ]
    rows += [(f"Version of {name}", version) for name, version in run.versions.items()]
    rows += [_environment_fact(name, value) for name, value in run.environment.items()]
    return [*rows, ("Run", run.id)]


def users_text(run: Run) -> str:
    """The users held while it was judged, `5 to 500 users` where their number changed; empty when unknown."""
    if run.users_held is None:
        return ""
    most = run.users_most or run.users_held
    if most - run.users_held > max(1, _STEADY_SHARE * most):
        return f"{run.users_held:,} to {counted(most, 'user')}"
    return counted(run.users_held, "user")


_STEADY_SHARE = 0.05
"""Users come and go by as much in a load that holds their number."""


def judged_text(run: Run) -> str:
    """How many users, how long it was judged, and after what."""
    window = run.window
    warmup = f" after {format_duration(window.start_s)} of warm-up" if window.start_s else ""
    return ", ".join(part for part in (users_text(run), f"{format_duration(window.seconds)} judged{warmup}") if part)


def errors_outside_text(run: Run) -> str:
    """The errors that no figure counts; empty when there were none."""
    if not run.errors_outside:
        return ""
    return f"{counted(run.errors_outside, 'more error')} before or after the judged part, not counted here."


def load_text(run: Run) -> str:
    """The networks of the users, and the connections and requests that were asked for, and what came of them; empty
    when nothing of that was said."""
    asked = {key: run.profile.get(key) for key in ("connections", "requests")}
    parts = [] if asked["connections"] is None else [counted(asked["connections"], "connection")]
    if asked["requests"]:
        made = sum(one.rate_per_s for one in run.operations if one.kind == "http")
        off = made / asked["requests"] - 1
        met = "met" if abs(off) <= RATE_TOLERANCE else "NOT met"
        parts.append(
            f"{format_number(asked['requests'])} requests/s asked for, {format_rate(made)} made ({off:+.1%}, {met})"
        )
    if shares := run.profile.get("network"):
        parts.append(f"users on {', '.join(f'{name} {format_percent(share)}' for name, share in shares.items())}")
    return ", ".join(parts)


RATE_TOLERANCE = 0.1
"""A rate of requests within this share of the one asked for is met."""


def _environment_fact(name: str, value: object) -> tuple[str, str]:
    sized = isinstance(value, int | float) and name.endswith("_bytes")
    label = name.removesuffix("_bytes") if sized else name
    return label.replace("_", " ").capitalize(), format_bytes(float(str(value))) if sized else str(value)


def generator_text(run: Run) -> str:
    """The health of the load generator in one line; empty when it left no word."""
    health = run.generator
    if health is None:
        return ""
    parts = [
        f"{health.workers} {plural('worker', health.workers)}",
        f"busiest at {health.cpu_percent:.0f} % of a core",
        f"lag {format_ms(health.lag_ms_p99)} (p99)",
    ]
    if health.gc_ms_max:
        parts.append(f"longest collection {format_ms(health.gc_ms_max)}")
    counts = (("lost", health.lost_workers), ("late", health.late_arrivals), ("dropped", health.dropped_arrivals))
    names = {
        "lost": ("worker lost", "workers lost"),
        "late": ("arrival late", "arrivals late"),
        "dropped": ("arrival dropped", "arrivals dropped"),
    }
    return ", ".join([*parts, *(f"{count:,} {names[key][count != 1]}" for key, count in counts if count)])


def health(run: Run) -> list[tuple[str, str]]:
    """How answers, generator, server and machine fared: label and text of each that is known."""
    rows = [
        ("Answers", answers_text(run)),
        ("Generator", generator_text(run)),
        ("Server", server_text(run)),
        ("Server figures", server_sources_text(run)),
        ("Machine", machine_text(run)),
    ]
    return [(label, text) for label, text in rows if text]


def answers_text(run: Run) -> str:
    """Where the time of all answered HTTP requests went, in one line; empty when it is not known."""
    known = [one.answers for one in run.operations if one.answers]
    count = sum(one.count for one in known)
    if not count:
        return ""

    def mean(name: str) -> float:
        return sum(float(getattr(one, name)) * one.count for one in known) / count

    opened = sum(one.connections for one in known)
    parts = (("connect", "connect_ms"), ("TLS", "tls_ms"), ("first byte", "first_byte_ms"), ("body", "body_ms"))
    times = [f"{label} {format_ms(mean(name))}" for label, name in parts if mean(name) >= _SHOWN_MS]
    opening = [counted(opened, "new connection")] if opened else []
    return ", ".join([f"mean {format_ms(mean('mean_ms'))}", *times, f"{format_bytes(mean('bytes'))} each", *opening])


_SHOWN_MS = 0.005
"""Parts of the time below this are left out of a line."""


def server_text(run: Run) -> str:
    """What the server said of itself in one line; empty when it said nothing."""
    server = run.server
    if server is None:
        return ""
    parts = []
    if server.cpu_percent is not None:
        parts.append(f"{server.cpu_percent:.0f} % of its cores")
    if server.memory_bytes is not None:
        parts.append(f"{format_bytes(server.memory_bytes)} of memory")
    if server.connections is not None:
        parts.append(counted(round(server.connections), "connection"))
    if server.event_loop_lag_ms is not None:
        parts.append(f"event-loop lag up to {format_ms(server.event_loop_lag_ms)}")
    if server.active_requests is not None:
        parts.append(f"{round(server.active_requests):,} requests at a time")
    slowest = slowest_query(run)
    if slowest:
        parts.append(f"slowest query {slowest}")
    return ", ".join(parts)


_FIGURES = {
    "cpu": "CPU",
    "memory": "memory",
    "connections": "connections",
    "event_loop_lag": "event-loop lag",
    "active_requests": "requests at a time",
    "queries": "queries",
}


def server_sources_text(run: Run) -> str:
    """Where the server's figures come from, those of one origin together; empty when nobody said."""
    of_origin: dict[str, list[str]] = {}
    for figure, source in (run.server.sources if run.server else {}).items():
        remark = f" ({source.note})" if source.note else ""
        of_origin.setdefault(source.origin, []).append(f"{_FIGURES.get(figure, figure)}{remark}")
    if len(of_origin) == 1 and not any("(" in name for names in of_origin.values() for name in names):
        return f"from {next(iter(of_origin))}"
    return "; ".join(f"{', '.join(names)} from {origin}" for origin, names in of_origin.items())


def machine_text(run: Run) -> str:
    """What the load and its target used of this machine, and others; empty when nobody looked."""
    machine = run.machine
    if machine is None:
        return ""
    parts = [f"load and target used {machine.own_percent:.0f} % of {cores_text(machine)}"]
    parts += [] if machine.others_percent is None else [f"others {machine.others_percent:.0f} %"]
    parts += [f"the hypervisor {machine.steal_percent:.0f} %"] if machine.steal_percent >= SOME_PERCENT else []
    return ", ".join(parts)


def slowest_query(run: Run) -> str:
    """The server's slowest query and its p95; empty when it reported none."""
    queries = run.server.query_ms if run.server else {}
    if not queries:
        return ""
    name = max(queries, key=lambda query: math.inf if queries[query]["p95"] is None else queries[query]["p95"] or 0)
    p95 = queries[name]["p95"]
    return f"{name}, p95 {'beyond its slowest bucket' if p95 is None else format_ms(p95)}"
