"""How the services behind the gateway are: what their own probes say, and what calls to them have shown."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from dbz.server.http.errors import ApiError
from dbz.server.mesh import MeshClient
from dbz.server.mesh.client import Asked

_LEVELS = {"closed": 0, "half-open": 1, "open": 2}


class ServicesHealth:
    """Of the services with these names."""

    def __init__(self, mesh: MeshClient, names: Collection[str]) -> None:
        self._mesh = mesh
        self._names = names

    async def ready(self) -> dict[str, bool]:
        """Whether some instance of each service says that it is ready; each is asked now."""
        answers = await asyncio.gather(*map(self._is_ready, self._names))
        return dict(zip(self._names, answers, strict=True))

    def state(self) -> dict[str, Any]:
        """{service: {breaker, instances: [{name, breaker, ejected, outstanding}]}} as calls have left it."""
        return {name: self._state_of(name) for name in self._names}

    def levels(self) -> dict[tuple[str, ...], float]:
        """For each service ("" for its instance) and each instance: 0 closed, 1 half-open, 2 open."""
        levels: dict[tuple[str, ...], float] = {}
        for name in self._names:
            upstream = self._mesh.upstream(name)
            levels[name, ""] = _LEVELS[upstream.breaker.state]
            levels |= {(name, each.name): _LEVELS[each.breaker.state] for each in upstream.instances}
        return levels

    def _state_of(self, name: str) -> dict[str, Any]:
        upstream = self._mesh.upstream(name)
        instances = [
            {
                "name": each.name,
                "breaker": each.breaker.state,
                "ejected": each.ejected,
                "outstanding": each.outstanding,
            }
            for each in upstream.instances
        ]
        return {"breaker": upstream.breaker.state, "instances": instances}

    async def _is_ready(self, name: str) -> bool:
        try:
            return (await self._mesh.call(name, Asked("GET", "/readyz", []))).status == 200
        except ApiError:
            return False
