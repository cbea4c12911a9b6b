"""Limits that are proposed from a first measurement: what was sound is judged, and what was not is named."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.project.limits import budgets_text
from dbz.bring.project.material import material_of_url, operations_of
from dbz.measure.budget.metrics import parse_selector
from dbz.measure.latency.series import ACK, HTTP
from dbz.runs.schema import Deliveries, LatencyFigures, Operation, Run
from tests.runs.builder import Scene

FIGURES = LatencyFigures(mean=5, p50=5, p90=5, p95=5, p99=5, p999=5, max=5)
NAMES = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters='"'), min_size=1, max_size=12)
COUNTS = st.integers(0, 3)


@st.composite
def first_runs(draw: st.DrawFn) -> Run:
    """A first measurement with operations of which some say errors, and messages of which some go wrong."""
    operations = [
        Operation(
            name=name,
            kind=kind,
            count=100,
            errors=0,
            rate_per_s=10,
            latency_ms=FIGURES,
            doubtful=draw(COUNTS),
        )
        for kind in (HTTP, ACK)
        for name in draw(st.lists(NAMES, max_size=4, unique=True))
    ]
    deliveries = [
        Deliveries(event=event, sent=5, expected=50, duplicated=draw(COUNTS), astray=draw(COUNTS))
        for event in draw(st.lists(NAMES, max_size=2, unique=True))
    ]
    return Scene().run("first").model_copy(update={"operations": operations, "deliveries": deliveries})


@given(first_runs())
def test_what_says_no_error_is_judged_and_what_does_is_named(first: Run) -> None:
    text = budgets_text(first)
    selectors = [parse_selector(one["of"]) for one in yaml.safe_load(text)["budgets"]]

    def judged(metric: str, name: str) -> bool:
        return any(one.metric.name == metric and one.matches(name) for one in selectors)

    for one in first.operations:
        assert judged(f"{one.kind}.doubtful", one.name) is not bool(one.doubtful)
        assert (f"# {one.name}: {one.doubtful}.0% of the good" in text) is bool(one.doubtful)
    for event in first.deliveries:
        for what in ("duplicated", "out_of_order", "astray"):
            assert judged(f"delivery.{what}", event.event) is not bool(getattr(event, what))
        assert judged("delivery.lost", event.event)


def test_a_url_that_is_named_as_the_target_alone_is_what_is_loaded() -> None:
    """As one that is named by `--from`: not a place below which that path stands once more."""
    url = "http://127.0.0.1:3000/up"
    for target in (url, url + "/", ""):
        material = material_of_url(url, "", b"", target)
        assert material.script and (material.target, operations_of(material.script)) == (url[:-3], ["GET /up"])
    below = material_of_url(url, "", b"", "http://127.0.0.1:3001/api")
    assert below.target == "http://127.0.0.1:3001/api"
