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
        url: str,
        name: str | None = None,
        catch_response: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Send a request."""

    def get(
        self, url: str, *, name: str | None = None, catch_response: bool = False, **options: Unpack[RequestOptions]
    ) -> Response:
        """Send a GET request; options as for `request`."""
        return self.request("GET", url, name=name, catch_response=catch_response, **options)

    def head(self, url: str, **options: Any) -> Response:
        """Send a HEAD request; redirects are not followed unless asked for. Options as for `request`."""
        options.setdefault("allow_redirects", False)
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> Response:
        """Send an OPTIONS request; options as for `request`."""
        return self.request("OPTIONS", url, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> Response:
        """Send a POST request; options as for `request`."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> Response:
        """Send a PUT request; options as for `request`."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> Response:
        """Send a PATCH request; options as for `request`."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> Response:
        """Send a DELETE request; options as for `request`."""
        return self.request("DELETE", url, **options)
