"""The HTTP methods by name, as in Locust's clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Unpack

from dbz.load.generator.http.options import RequestOptions
from dbz.load.generator.http.response import Response


class Verbs(ABC):
    """Calls for each method; `request` does the work."""

    @abstractmethod
    def request(
        self,
        method: str,
        path: str,
        *,
        name: str | None = None,
        catch_response: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Send a request."""

    def get(
        self, path: str, *, name: str | None = None, catch_response: bool = False, **options: Unpack[RequestOptions]
    ) -> Response:
        """Send a GET request; options as for `request`."""
        return self.request("GET", path, name=name, catch_response=catch_response, **options)

    def head(self, path: str, **options: Any) -> Response:
        """Send a HEAD request; redirects are not followed unless asked for. Options as for `request`."""
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Any) -> Response:
        """Send an OPTIONS request; options as for `request`."""
        return self.request("OPTIONS", path, **options)

    def post(self, path: str, data: Any = None, json: Any = None, **options: Any) -> Response:
        """Send a POST request; options as for `request`."""
        return self.request("POST", path, data=data, json=json, **options)

    def put(self, path: str, data: Any = None, **options: Any) -> Response:
        """Send a PUT request; options as for `request`."""
        return self.request("PUT", path, data=data, **options)

    def patch(self, path: str, data: Any = None, **options: Any) -> Response:
        """Send a PATCH request; options as for `request`."""
        return self.request("PATCH", path, data=data, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE request; options as for `request`."""
        return self.request("DELETE", path, **options)
