"""The HTTP methods by name, as in Locust's clients, and what is made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Unpack

from dbz.load.generator.http.options import RequestOptions
from dbz.load.generator.http.request.bodies import encode_json
from dbz.load.generator.http.request.graphql import strict_problem_in, title_of
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
        if not options:  # by far the most: and passing on what there is not takes a sixth of a microsecond
            return self.request("GET", url, name, catch_response)
        return self.request("GET", url, name, catch_response, **options)

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

    def graphql(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        path: str = "/graphql",
        method: str = "POST",
        name: str | None = None,
        catch_response: bool = False,
        **options: Unpack[RequestOptions],
    ) -> Response:
        """Send a GraphQL operation, by POST or GET. `name` is the path and the operation's name if nothing is said.

        Errors in the answer, and an answer that is none of GraphQL's, are failures whether or not `detects_graphql`.
        """
        entry = {"query": document, "variables": variables, "operationName": operation_name}
        sent = {key: value for key, value in entry.items() if value is not None}
        name = name or f"{path} {title_of(sent)}".rstrip()
        if method.upper() == "GET":
            if variables is not None:
                sent["variables"] = encode_json(variables).decode()
            options["params"] = sent
        else:
            options["json"] = sent
        response = self.request(method, path, name, catch_response=True, **options)
        response.judge = strict_problem_in
        if not catch_response:
            response.finish()
        return response
