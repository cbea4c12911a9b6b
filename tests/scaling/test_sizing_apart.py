"""Tasks for each service of each phase, from a load of services apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import ApiServers, Phases
from dbz.config.source.source import parse_yaml
from dbz.errors import UsageError
from dbz.scaling.size.apart import ServiceSize, busy_tasks, carried_apart, shortfall_apart, size_services
from dbz.scaling.size.sizing import MeasuredService, MeasuredTask, SizeVerdict
from dbz.scaling.size.writing import services_to_write, with_counts, write_counts

TEXT = """# the plan
schema: dbz.phases/1
phases:
  - name: one   # the first
    users: 100
    connections: 50
    requests: 10/s
    services: {api: 1, chat: 2, search: 3}   # who
  - name: two
    users: 200
    connections: 100
    requests: 20/s
    services:
      # chat is what hurts
      chat:
        min: 2       # at night
        max: 4
        scale_out_when_any: ["CPU > 60% for 3 minutes"]
      api: 2         # the gateways
    cdn: CloudFront
  - name: three
    users: 400
    connections: 100
    requests: 20/s
scaling: {bounds: {min: 1, max: 50}}   # wide
"""
SERVICES = (
    MeasuredService("gateway", 1, 0.5),
    MeasuredService("chat", 2, 0.8, 12.0, 8.0),
    MeasuredService("game", 1, 0.1, 5.0, 4.0),
    MeasuredService("media", 1, 0.01, 0.0),
)


def plan_of(text: str = TEXT) -> Phases:
    return build_phases(parse_yaml(text, "p"))


def measured(bracket: float | None = 1.1, services: tuple[MeasuredService, ...] = SERVICES) -> MeasuredTask:
    return MeasuredTask("x", 1, 100, 50.0, 10.0, bracket, services)


def sizes(**given_: object) -> dict[tuple[str, str], ServiceSize]:
    found = size_services(plan_of(), measured(**given_), 0.0)  # type: ignore[arg-type]
    return {(one.phase, one.service): one for one in found}


def test_no_task_is_to_be_busier_than_the_busiest_was() -> None:
    """The gateway was, with half a core; two tasks of chat had 0.4 each, so one and a half would do."""
    assert busy_tasks(SERVICES) == pytest.approx({"gateway": 1.0, "chat": 1.6, "game": 0.2})
    found = sizes()
    assert {key: one.tasks for key, one in found.items()} == {
        ("one", "api"): 1, ("one", "chat"): 2, ("one", "search"): None, ("one", "game"): 1,
        ("two", "api"): 2, ("two", "chat"): 4, ("two", "search"): None, ("two", "game"): 1,
        ("three", "api"): 4, ("three", "chat"): 7, ("three", "search"): None, ("three", "game"): 1,
    }  # fmt: skip
    verdicts = {key: one.verdict for key, one in found.items() if key[0] == "three"}
    assert verdicts == {
        ("three", "api"): SizeVerdict.TOO_SMALL,
        ("three", "chat"): SizeVerdict.TOO_SMALL,
        ("three", "search"): SizeVerdict.NOT_MEASURED,
        ("three", "game"): SizeVerdict.NOT_PLANNED,
    }
    assert found["three", "chat"].at_best == 6 and found["three", "chat"].priority == "high"


def test_without_their_cpu_each_needs_at_most_as_many_times_its_tasks() -> None:
    bare = tuple(MeasuredService(one.name, one.tasks, None, one.calls_per_s) for one in SERVICES)
    three = sizes(services=bare)["three", "chat"]
    assert (three.tasks, three.at_best, three.verdict) == (8, None, SizeVerdict.UNKNOWN)


def test_what_the_load_had_no_connections_for_is_not_measured() -> None:
    whole = MeasuredTask("x", 1, None, 0.0, 10.0, 1.1, SERVICES)
    found = {one.service: one for one in size_services(plan_of(), whole, 0.0) if one.phase == "one"}
    assert found["chat"].verdict is SizeVerdict.NOT_MEASURED and "connections" in found["chat"].advice


@settings(deadline=None)
@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 8), st.floats(0, 1))
def test_with_the_needed_tasks_nobody_is_busier_and_with_one_fewer_somebody_is(
    gateway: float, cores: float, tasks: int, headroom: float
) -> None:
    services = (MeasuredService("gateway", 1, gateway), MeasuredService("chat", tasks, cores * tasks, 1.0))
    top = max(gateway, cores)
    for one in size_services(plan_of(), measured(1.1, services), headroom):
        phase = plan_of().phase(one.phase)
        factor = max(phase.users / 100, phase.connections / 50, phase.requests / 10) * (1 + headroom)
        used = {"api": gateway, "chat": cores * tasks}.get(one.service)
        if used is None:
            continue
        assert one.tasks is not None and used * factor / one.tasks <= top * (1 + 1e-6)
        assert one.tasks == 1 or used * factor / (one.tasks - 1) > top * (1 - 1e-6)


def test_numbers_are_written_where_services_stand_and_sentences_and_comments_stay(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    counts = services_to_write(size_services(plan_of(), measured(), 0.0))
    write_counts(file, counts)
    text = file.read_text()
    after = plan_of(text)
    numbers = {
        phase: {name: (one.min, one.max) for name, one in after.whole_phase(phase).services.items()}
        for phase in after.names
    }
    assert numbers["one"] == {"chat": (2, 2), "search": (3, 3), "game": (1, 1)}
    assert numbers["two"] == {"chat": (2, 4), "search": (3, 3), "game": (1, 1)}
    assert [phase.api_servers and phase.api_servers.max for phase in after.phases] == [1, 2, 4]
    assert numbers["three"] == {"chat": (2, 7), "search": (3, 3), "game": (1, 1)}
    assert all(after.whole_phase(name).services["chat"].has_rules for name in ("two", "three"))
    for line in (line for line in TEXT.splitlines() if "#" in line):
        assert line.split("#")[1] in text


NAMES = ("api", "chat", "search", "game", "auth")


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["one", "two"]),
        st.dictionaries(st.sampled_from(NAMES), st.integers(1, 50).map(lambda n: ApiServers(min=n, max=n))),
    )
)
def test_whatever_is_written_the_plan_says_it_and_all_else_as_before(counts: dict[str, dict[str, ApiServers]]) -> None:
    plain = TEXT.replace('        scale_out_when_any: ["CPU > 60% for 3 minutes"]\n', "")
    before, after = plan_of(plain), plan_of(with_counts(plain, counts))
    for phase in ("one", "two"):
        own, said = before.phase(phase), after.phase(phase)
        wanted = {name: (one.min, one.max) for name, one in own.services.items()}
        wanted |= {name: (one.min, one.max) for name, one in counts.get(phase, {}).items() if name != "api"}
        assert {name: (one.min, one.max) for name, one in said.services.items()} == wanted
        api = counts.get(phase, {}).get("api", own.api_servers)
        assert api and said.api_servers and (said.api_servers.min, said.api_servers.max) == (api.min, api.max)
        bare = {"services": {}, "api_servers": None}
        assert said.model_copy(update=bare) == own.model_copy(update=bare)
    assert with_counts(plain, {}) == plain


def test_a_phase_keeps_what_it_has_from_an_earlier_one_that_changes(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    write_counts(file, {"one": {"search": ApiServers(min=9, max=9)}})
    after = plan_of(file.read_text())
    assert [after.whole_phase(name).services["search"].max for name in after.names] == [9, 3, 3]


def test_an_alias_that_phases_share_is_not_changed_for_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    shared = TEXT.replace("services: {api: 1, chat: 2, search: 3}", "services: &all {api: 1, chat: 2}").replace(
        "    cdn: CloudFront\n  - name: three\n", "    cdn: CloudFront\n  - name: three\n    services: *all\n"
    )
    file.write_text(shared)
    with pytest.raises(UsageError, match="cannot be changed without those of another phase"):
        write_counts(file, {"three": {"chat": ApiServers(min=9, max=9)}})
    assert file.read_text() == shared


def test_which_services_do_not_carry_a_phase_is_said_in_a_sentence() -> None:
    plan = plan_of()
    assert shortfall_apart(plan, plan.whole_phase("three"), measured()) == (
        "three: api needs 4 tasks and has 2, chat needs 7 tasks and has 4, by x: not enough"
    )
    assert shortfall_apart(plan, plan.whole_phase("one"), measured()) == ""


def test_what_runs_carries_as_much_as_the_service_with_least_room() -> None:
    plan = plan_of()
    running = {"api": 8, "chat": 4, "game": 1, "other": 1}
    ratio, service = carried_apart(plan, plan.phase("three"), measured(), running) or (0.0, "")
    assert (round(ratio, 6), service) == (round(4 / 6.4, 6), "chat")
    assert carried_apart(plan, plan.phase("three"), measured(services=()), running) is None
