"""The user of a load that is a URL instead of a scenario."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from locust import constant, task

from dbz.load.generator.http import HttpClient, RequestOptions
from dbz.load.generator.http.response import Response
from dbz.load.generator.users import HttpUser
from dbz.load.spec import AdHocRequest


def adhoc_user(request: AdHocRequest) -> Any:
    """A user class that repeats one request as fast as it is answered, or as arrivals ask for it."""

    parts = urlsplit(request.url)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    body: RequestOptions = {"data": request.body} if request.body else {}

    class AdHocUser(HttpUser):
        """Repeats one request."""

        wait_time = constant(0)

        def on_start(self) -> None:
            """Say once what all requests have in common."""
            self.client = HttpClient(root, self._record, access=self.access)
            self.client.headers.update(request.headers)

        @task  # type: ignore[untyped-decorator]
        def repeat(self) -> None:
            """Send the request once, and again for as long as a lane can."""
            response = self._ask()
            repetition = self.session.repetition
            lane = repetition.lane(self, response.operation) if repetition is not None else None
            if lane is not None:
                lane.repeat(response, self._ask, **body)

        def _ask(self) -> Response:
            return self.client.request(request.method, target, name=path, **body)

    return AdHocUser
