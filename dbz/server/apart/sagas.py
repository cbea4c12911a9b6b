"""Steps of sagas that somebody else keeps, carried out by the process of the service that they belong to."""

from __future__ import annotations

from typing import Any

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from dbz.server.apart.internal import InternalRoutes
from dbz.server.apart.paths import SAGA_STEP
from dbz.server.http import ApiError, Body, Route
from dbz.server.mesh import MeshClient
from dbz.server.sagas import SagaRunner, StepRefusedError
from dbz.server.sagas.catalogue import CATALOGUE
from dbz.server.sagas.definition import SagaData


class StepBody(Body):
    """Which step is to be carried out, on what."""

    saga: str
    action: str
    input: dict[str, Any]


class RemoteStepError(Exception):
    """A step failed in the process of its service."""


def saga_routes(internal: InternalRoutes, runner: SagaRunner) -> list[Route]:
    """A service's answer to who wants a step of its sagas carried out."""

    async def step(body: StepBody) -> dict[str, Any]:
        try:
            return {"answer": await runner.perform(body.saga, body.action, body.input)}
        except StepRefusedError as error:
            return {"refused": str(error)}
        except (PyMongoError, RedisError, OSError):
            raise
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {error}"[:500]}

    return [internal.route(SAGA_STEP, StepBody, step)]


class RemoteSteps:
    """See `StepPerformer`; answered by the service that each saga belongs to."""

    def __init__(self, mesh: MeshClient) -> None:
        self._mesh = mesh

    async def perform(self, saga: str, action: str, data: SagaData) -> SagaData:
        """See `StepPerformer`; `ConnectionError` while the service, or its store, is away, so that the job waits."""
        body = {"saga": saga, "action": action, "input": data}
        try:
            answer = await self._mesh.ask(CATALOGUE[saga].service, SAGA_STEP, body)
        except ApiError as error:
            raise ConnectionError(error.message) from error
        if "refused" in answer:
            raise StepRefusedError(answer["refused"])
        if "failed" in answer:
            raise RemoteStepError(answer["failed"])
        done: SagaData = answer["answer"]
        return done
