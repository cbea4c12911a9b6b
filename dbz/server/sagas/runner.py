"""Carries sagas out: each progress is stored before the next step, so that any process can go on after a crash."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from bson.errors import InvalidDocument
from pymongo.errors import PyMongoError, WriteError
from redis.exceptions import RedisError

from dbz.background import end
from dbz.server.core import Core
from dbz.server.http import Route
from dbz.server.sagas.definition import SAGAS, Action, SagaData, SagaDefinition, SagaStep, StepRefusedError
from dbz.server.sagas.store import INDEXES, SagaState, SagaStore
from dbz.server.seams import EventHandler

_log = logging.getLogger(__name__)
_SWEEP_S = 1.0
_MARGIN_S = 2.0  # between the end of a step by its own timeout and the moment when others may take the saga
_STORE_PAUSE_S = 2.0
_STORE_AWAY = (PyMongoError, RedisError, OSError)
_NOT_WANTED = (WriteError, InvalidDocument)  # the store is well, and refuses what it was given


def is_store_away(error: Exception) -> bool:
    """Whether a step failed only because a store, or another service, is away: trying again later will help."""
    return isinstance(error, _STORE_AWAY) and not isinstance(error, _NOT_WANTED)


class StepTimedOutError(Exception):
    """A step took longer than it may."""


class SagaRunner:
    """Begins sagas, goes on with them, and takes over those that other processes left."""

    name = "sagas"
    indexes = INDEXES

    def __init__(self, core: Core) -> None:
        self._store = SagaStore(core)
        self._definitions: dict[str, SagaDefinition] = {}
        self.actions: dict[tuple[str, str], Action] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[None]] = set()
        self.routes: tuple[Route, ...] = ()
        self.events: dict[str, EventHandler] = {}

    def define(self, definition: SagaDefinition, actions: Mapping[str, Action]) -> None:
        """Make a saga known with what its steps do, an action for each of its names."""
        assert set(actions) == set(definition.actions), f"{definition.name} has other actions"
        self._definitions[definition.name] = definition
        self.actions |= {(definition.name, name): action for name, action in actions.items()}

    async def start(self) -> None:
        """Begin to look for sagas that nobody works on."""
        self._tasks = [asyncio.create_task(self._sweep())]

    async def stop(self) -> None:
        """Leave sagas where they are; others go on with them."""
        await end([*self._tasks, *self._running])

    async def begin(self, definition: SagaDefinition, saga_id: str, club_id: str, data: SagaData) -> SagaState:
        """Store a new saga; from now on it will be carried out, whatever ends."""
        assert definition.progress_in == SAGAS, f"{definition.name} keeps its progress itself"
        state = SagaState(saga_id, definition.name, club_id, {"saga_id": saga_id, "club_id": club_id, **data})
        await self._store.add(state, _lease_s(definition.steps[0]))
        return state

    async def first_step(self, state: SagaState) -> asyncio.Task[None]:
        """Carry the first step out while the caller waits; returns the task that goes on with the others.

        `StepRefusedError`, with nothing left behind, when it cannot be; any other error leaves the saga for later.
        """
        step = self._definitions[state.saga].steps[0]
        try:
            answer = await self._attempt(state, step, step.name)
        except StepRefusedError:
            await self._store.remove(state)
            raise
        except Exception:
            await self._store.let_go(state, step.retry.first_s)
            raise
        await self._done(state, answer)
        return self._beside(state)

    async def perform(self, saga: str, action: str, data: SagaData) -> SagaData:
        """Carry one action out for somebody else who keeps the state, like Step Functions; its errors as they are."""
        definition = self._definitions.get(saga)
        if definition is None:
            raise StepRefusedError(f"this server does not carry {saga} out")
        (step,) = [step for step in definition.steps if action in (step.name, step.undo)]
        return await self._attempt(SagaState("", saga, data["club_id"], data), step, action)

    def _beside(self, state: SagaState) -> asyncio.Task[None]:
        task = asyncio.create_task(self._go_on(state))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _go_on(self, state: SagaState) -> None:
        """Carry a saga on until it ends, pauses, or is another's."""
        try:
            while await self._forward(state) if not state.undoing else await self._backward(state):
                pass
        except _STORE_AWAY as error:
            # Not even that could be stored. Its time runs out, and then somebody goes on with it.
            _log.warning("a saga waits for a store: %s", error, extra={"saga": state.saga, "saga_id": state.id})

    async def _forward(self, state: SagaState) -> bool:
        """The step in hand; whether there is more to do now."""
        steps = self._definitions[state.saga].steps
        if state.step == len(steps):
            await self._store.remove(state)
            return False
        step = steps[state.step]
        try:
            answer = await self._attempt(state, step, step.name)
        except StepRefusedError as error:
            return await self._give_up(state, step, str(error))
        except Exception as error:
            if not await self._again(state, step, error, step.retry.max_attempts):
                return await self._give_up(state, step, state.reason)
            return False
        return await self._done(state, answer)

    async def _backward(self, state: SagaState) -> bool:
        """Take the step in hand back, for as long as it takes; whether there is more to do now."""
        if state.step < 0:
            await self._store.taken_back(state)
            return False
        step = self._definitions[state.saga].steps[state.step]
        try:
            if step.undo:
                await self._attempt(state, step, step.undo)
        except Exception as error:
            await self._again(state, step, error, max_attempts=0)
            return False
        state.step, state.attempts = state.step - 1, 0
        return await self._store.save(state, _lease_s(step))

    async def _attempt(self, state: SagaState, step: SagaStep, action: str) -> SagaData:
        limit = asyncio.timeout(step.timeout_s)
        try:
            async with limit:
                return await self.actions[state.saga, action](state.data) or {}
        except TimeoutError:
            if limit.expired():
                raise StepTimedOutError(f"{action} took longer than {step.timeout_s:g} s") from None
            raise

    async def _done(self, state: SagaState, answer: SagaData) -> bool:
        """Store that the step in hand is done; False when another process has the saga."""
        steps = self._definitions[state.saga].steps
        name = steps[state.step].name
        state.data[name] = answer
        state.step, state.attempts, state.reason = state.step + 1, 0, ""
        if state.step == len(steps):
            return True  # it is removed next
        return await self._store.save(state, _lease_s(steps[state.step]), {name: answer})

    async def _again(self, state: SagaState, step: SagaStep, error: Exception, max_attempts: int) -> bool:
        """Leave a failed step for later; False when all attempts, of which 0 is any number, are used up."""
        if is_store_away(error):
            await self._store.let_go(state, _STORE_PAUSE_S)
            return True
        state.attempts += 1
        state.reason = f"{type(error).__name__}: {error}"[:500]
        _log.warning("a step failed: %s", state.reason, extra={"saga": state.saga, "step": step.name})
        if max_attempts and state.attempts >= max_attempts:
            return False
        await self._store.let_go(state, step.retry.pause_s(state.attempts))
        return True

    async def _give_up(self, state: SagaState, step: SagaStep, reason: str) -> bool:
        """Go on without the step in hand, or begin to take back."""
        state.reason = reason
        if step.may_fail:
            return await self._done(state, {"failed": reason})
        _log.error("a saga is taken back: %s", reason, extra={"saga": state.saga, "step": step.name})
        state.undoing, state.attempts = True, 0
        return await self._store.save(state, _lease_s(step))

    async def _sweep(self) -> None:
        kept = [each for each in self._definitions.values() if each.progress_in == SAGAS]
        if not kept:
            return
        lease_s = max(step.timeout_s for each in kept for step in each.steps) + _MARGIN_S
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                found = await self._store.take_due([each.name for each in kept], lease_s)
            except _STORE_AWAY as error:
                _log.warning("sagas wait for the store: %s", error)
                continue
            for state in found:
                self._beside(state)


def _lease_s(step: SagaStep) -> float:
    return step.timeout_s + _MARGIN_S
