"""Which routes there are for a path."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.routing import compile_path

from dbz.server.http.errors import ApiError
from dbz.server.http.route import Route


class RouteTable:
    """Routes by path; a path without parameters is found before those with some."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((compile_path(path)[0], methods))
            else:
                self._exact[path] = methods

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """The routes of a path by their methods, and its parameters; refuses with 404."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        for pattern, methods in self._patterns:
            match = pattern.match(path)
            if match:
                return methods, match.groupdict()
        raise ApiError(404, "not_found", "there is no such resource")

    @staticmethod
    def choose(methods: dict[str, Route], method: str) -> Route:
        """The route of a method, that of GET for HEAD; refuses with 405."""
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = sorted(methods)
            raise ApiError(405, "method_not_allowed", f"allowed here: {', '.join(allowed)}", allow=allowed)
        return route
