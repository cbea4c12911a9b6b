"""Carries the saga *Band synchronisation* out in one process, from wherever the log of runs says that it was left."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from dbz.server.band_sync.logbook import RunTakenError
from dbz.server.band_sync.steps import NotOurTurnError
from dbz.server.sagas import SagaRunner, StepRefusedError, is_store_away
from dbz.server.sagas.asl import REFUSED
from dbz.server.sagas.catalogue import BAND_SYNC
from dbz.server.sagas.definition import SagaData, SagaStep
from dbz.server.values.ids import new_id

_log = logging.getLogger(__name__)


class SyncRunner:
    """Goes through the steps of the definition, one club at a time. `sync_logs` has the progress: whoever begins anew
    after a crash takes the run up, and steps that are done have nothing left to do.
    """

    def __init__(self, sagas: SagaRunner) -> None:
        self._sagas = sagas

    async def run(self, club_id: str) -> str:
        """Synchronise a club; how it ended: `done`, `failed`, `put off`, or `elsewhere` when another process has it.

        Errors of the stores pass through, and leave the run where it is.
        """
        data: SagaData = {"saga_id": new_id(), "club_id": club_id}
        ended = ""
        try:
            ended = await self._through(data)
        finally:
            if not ended:  # put off, or this process stops: others may go on at once
                with contextlib.suppress(Exception):
                    await self._sagas.perform(BAND_SYNC.name, "drop_lease", data)
        return ended or "put off"

    async def _through(self, data: SagaData) -> str:
        """Go through the steps, or back; how it ended, nothing while it is only put off."""
        for number, step in enumerate(BAND_SYNC.steps):
            try:
                if not await self._forward(step, data):
                    return ""
            except StepRefusedError as error:
                data[step.name] = {"Error": REFUSED, "Cause": str(error)}
                if step.may_fail:
                    continue
                await self._backward(number, data)
                return _ended_by(error, data["club_id"])
        return "done"

    async def _forward(self, step: SagaStep, data: SagaData) -> bool:
        """Carry a step out until there is no more of it; False when the rest of it is for later."""
        while True:
            answer = await self._patiently(step, data)
            data[step.name] = answer
            if not step.repeats or not answer["more"]:
                return True
            if answer["wait_s"]:
                return False

    async def _patiently(self, step: SagaStep, data: SagaData) -> SagaData:
        """Try as often as the step may be; `StepRefusedError` when it failed for good."""
        for attempts in range(1, step.retry.max_attempts + 1):
            try:
                return await self._sagas.perform(BAND_SYNC.name, step.name, data)
            except StepRefusedError:
                raise
            except Exception as error:
                if is_store_away(error):
                    raise
                reason = f"{type(error).__name__}: {error}"
                _log.warning("a step failed: %s", reason, extra={"saga": BAND_SYNC.name, "step": step.name})
            if attempts < step.retry.max_attempts:
                await asyncio.sleep(step.retry.pause_s(attempts))
        raise StepRefusedError(reason)

    async def _backward(self, failed: int, data: SagaData) -> None:
        """Take back what was done. What cannot be now is left: the run is still under way, and is taken up again."""
        for step in BAND_SYNC.undoing_from(failed):
            await self._sagas.perform(BAND_SYNC.name, step.undo, data)


def _ended_by(error: StepRefusedError, club_id: str) -> str:
    if isinstance(error, NotOurTurnError):
        return "elsewhere"
    if isinstance(error, RunTakenError):
        _log.info("a synchronisation goes on elsewhere: %s", error, extra={"club": club_id})
        return "elsewhere"
    return "failed"
