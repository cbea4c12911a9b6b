"""Routes of the club page: static files, which sign in and ask the API by themselves."""

from __future__ import annotations

from hashlib import blake2b
from importlib.resources import files

from dbz.server.http import Call, Raw, Route

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere is loaded or asked, and no script stands in the page."""
_FILES = {
    "/club": ("club.html", "text/html; charset=utf-8", "The club's page for browsers"),
    "/club/club.css": ("club.css", "text/css; charset=utf-8", "Its style"),
    "/club/club.js": ("club.js", "text/javascript; charset=utf-8", "Its script"),
}


class ClubPages:
    """The files, read once: they do not change while the server runs."""

    def __init__(self) -> None:
        self._answers = {path: _answer(name, kind) for path, (name, kind, _) in _FILES.items()}
        self.routes = tuple(
            Route(
                "GET",
                path,
                self.show,
                about,
                public=True,
                cacheable=True,
                answers={200: None},
                media_types=(kind.partition(";")[0],),
            )
            for path, (_, kind, about) in _FILES.items()
        )

    async def show(self, call: Call) -> Raw:
        """GET /club, /club/club.css, /club/club.js."""
        return self._answers[call.scope["path"]]


def _answer(name: str, kind: str) -> Raw:
    body = files("dbz.server.web").joinpath("assets", name).read_bytes()
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = (
        (b"etag", tag.encode()),
        (b"cache-control", b"no-cache"),
        (b"content-security-policy", _POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )
    return Raw(body, kind.encode(), headers)
