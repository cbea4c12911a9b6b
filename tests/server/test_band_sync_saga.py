"""The local runner of Band synchronisations takes the way that the state machine describes, whatever fails where."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest

from dbz.server.band_sync.runner import SyncRunner
from dbz.server.core import Core
from dbz.server.sagas import SagaRunner, StepRefusedError
from dbz.server.sagas.asl import FAILED, REFUSED, state_machine
from dbz.server.sagas.catalogue import BAND_SYNC
from dbz.server.sagas.definition import Action, SagaData

pytestmark = pytest.mark.anyio
STEPS = [step.name for step in BAND_SYNC.steps]
BITS = 3


class Trace:
    """Actions that answer as steps do, one of which is refused, always fails, or fails once."""

    def __init__(self, step: str, how: str) -> None:
        self._step, self._how = step, how
        self.calls: list[str] = []

    def outcome(self, name: str) -> SagaData | str:
        """What the action answers, or the name of its error."""
        self.calls.append(name)
        if name == self._step and self._how == "refused":
            return REFUSED
        if name == self._step and (self._how == "fails" or (self.calls.count(name) == 1 and self._how == "once")):
            return FAILED
        return {"more": self.calls.count(name) < BITS, "wait_s": 0}

    def action(self, name: str) -> Action:
        async def act(_: SagaData) -> SagaData:
            match self.outcome(name):
                case "Refused":
                    raise StepRefusedError("this is not wanted")
                case "Failed":
                    raise ValueError("this does not work")
                case answer:
                    return cast(SagaData, answer)

        return act


def by_the_states(trace: Trace) -> str:
    """Go through the state machine; the state in which it ends."""
    machine = state_machine(BAND_SYNC)
    name, data, tries = machine["StartAt"], cast(dict[str, Any], {}), Counter[str]()
    while (state := machine["States"][name])["Type"] not in ("Succeed", "Fail"):
        if state["Type"] == "Choice":
            chosen = (rule["Next"] for rule in state["Choices"] if _holds(rule, data))
            name = next(chosen, state["Default"])
            continue
        answer = trace.outcome(name)
        if isinstance(answer, dict):
            data[name], name = answer, state["Next"]
            tries.clear()
        elif any(answer in retry["ErrorEquals"] and tries[name] < retry["MaxAttempts"] for retry in state["Retry"]):
            tries[name] += 1
        else:
            name = state["Catch"][0]["Next"]
    return str(name)


def _holds(rule: dict[str, Any], data: dict[str, Any]) -> bool:
    step, field = rule["Variable"].removeprefix("$.").split(".")
    value = data[step][field]
    return bool(value is rule["BooleanEquals"] if "BooleanEquals" in rule else value > rule["NumericGreaterThan"])


@pytest.mark.parametrize("how", ["refused", "fails", "once"])
@pytest.mark.parametrize("step", STEPS)
async def test_both_take_the_same_way(step: str, how: str) -> None:
    here, there = Trace(step, how), Trace(step, how)
    sagas = SagaRunner(cast(Core, None))  # it stores nothing of a saga that keeps its progress itself
    sagas.define(BAND_SYNC, {name: here.action(name) for name in BAND_SYNC.actions})
    ended = await SyncRunner(sagas).run("club00")
    assert {"done": "Done", "failed": "TakenBack"}[ended] == by_the_states(there)
    assert here.calls == there.calls
    assert (ended == "done") is (how == "once" or step == STEPS[-1])
    assert ended == "failed" or here.calls.count("photos") >= BITS


async def test_what_is_put_off_is_left_with_nobody() -> None:
    """The lease is given back at once, and nothing is taken back: the run goes on later."""
    trace = Trace("", "")
    sagas = SagaRunner(cast(Core, None))
    actions = {name: trace.action(name) for name in BAND_SYNC.actions}

    async def later(_: SagaData) -> SagaData:
        trace.calls.append("photos")
        return {"more": True, "wait_s": 2}

    sagas.define(BAND_SYNC, {**actions, "photos": later})
    assert await SyncRunner(sagas).run("club00") == "put off"
    assert trace.calls == ["lease", "begin", *["members"] * BITS, "photos", "drop_lease"]
