"""An OpenAPI or Swagger document: its references followed, its server, and its operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from dbz.errors import UsageError

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_MAX_REFERENCES = 50
_MEDIA_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")

Json = dict[str, Any]


@dataclass(frozen=True)
class ApiOperation:
    """One method of one path."""

    path: str
    """As the document has it, below the path of the server."""
    method: str
    details: Json
    parameters: Sequence[Json]
    """Those of the path too; one of the operation wins over one of its path."""
    servers: Any = None
    """Those that it has of its own, or its path has; None: the document's."""

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.method.upper()} {self.path}"


class ApiDocument:
    """One document, with its references followed."""

    def __init__(self, tree: Mapping[str, Any], source: str) -> None:
        self.tree = tree
        self.source = source
        self.old = "swagger" in tree
        """Whether it is Swagger 2."""

    def operations(self) -> Iterator[ApiOperation]:
        """Every operation, in the order of the document."""
        for path, item in _mapping(self.tree.get("paths")).items():
            operations = self.followed(item)
            for method in METHODS:
                details = operations.get(method)
                if isinstance(details, dict):
                    listed = [*_listed(operations.get("parameters")), *_listed(details.get("parameters"))]
                    followed = map(self.followed, listed)
                    own = {(str(one.get("name")), str(one.get("in"))): one for one in followed}
                    servers = details.get("servers") or operations.get("servers")
                    yield ApiOperation(str(path), method, details, list(own.values()), servers)

    def origin(self, servers: Any = None) -> str:
        """The first server, of these or of the document; empty when there is none, or it is only a path."""
        if self.old:
            host, schemes = self.tree.get("host"), self.tree.get("schemes") or ["https"]
            return f"{schemes[0]}://{host}" if host else ""
        url = self._base_url(servers)
        if "://" in url:
            return "/".join(url.split("/")[:3])
        return self.origin() if servers else ""

    def _base_url(self, servers: Any = None) -> str:
        servers = servers or self.tree.get("servers")
        first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
        url = str(first.get("url") or "")
        for name, variable in _mapping(first.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(_mapping(variable).get("default", "")))
        return url

    def prefix(self, servers: Any = None) -> str:
        """The path of that server, below which all paths are."""
        if self.old:
            return str(self.tree.get("basePath") or "").rstrip("/")
        url = self._base_url(servers)
        path = "/" + "/".join(url.split("/")[3:]) if "://" in url else url
        return path.rstrip("/")

    def own_path(self, url: str) -> str | None:
        """The whole path that a URL of the document means; None when it is on another server."""
        try:
            parts = urlsplit(urljoin(f"{self.origin() or 'http://here'}{self.prefix()}/", url))
            there = f"{parts.scheme}://{parts.netloc}"
        except ValueError:
            return None
        return parts.path if there == (self.origin() or "http://here") else None

    def schemes(self) -> Mapping[str, Any]:
        """The ways to authenticate, by name."""
        return _mapping(_mapping(self.tree.get("components")).get("securitySchemes")) or _mapping(
            self.tree.get("securityDefinitions")
        )

    def security(self, operation: ApiOperation) -> list[Json]:
        """The alternatives of what an operation needs, each with its schemes by name; an empty one needs nothing."""
        needed = operation.details.get("security", self.tree.get("security"))
        return [one for one in _listed(needed) if isinstance(one, dict)]

    def request_media(self, operation: ApiOperation) -> Iterator[tuple[str, Json]]:
        """The media types of the body, JSON first, each with what describes it."""
        if self.old:
            bodies = [one for one in operation.parameters if one.get("in") == "body"]
            if bodies:
                yield "application/json", {"schema": bodies[0].get("schema") or {}}
            return
        content = _mapping(self.followed(operation.details.get("requestBody")).get("content"))
        for media_type in sorted(content, key=_media_rank):
            yield media_type, self.followed(content[media_type])

    def answer_media(self, operation: ApiOperation) -> Json:
        """What describes the JSON of the first good answer; empty where the document does not tell."""
        for code, response in _mapping(operation.details.get("responses")).items():
            if not str(code).startswith("2"):
                continue
            told = self.followed(response)
            if self.old:
                examples = _mapping(told.get("examples"))
                example = {"example": examples["application/json"]} if "application/json" in examples else {}
                return {**({"schema": told["schema"]} if "schema" in told else {}), **example}
            content = _mapping(told.get("content"))
            kinds = [name for name in content if "json" in str(name) or name == "*/*"]
            return self.followed(content[kinds[0]]) if kinds else {}
        return {}

    def followed(self, part: Any) -> Json:
        """What a reference leads to; `UsageError` when it leads out of the document, nowhere, or round in circles."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(part, dict):
                return {}
            reference = part.get("$ref")
            if not isinstance(reference, str):
                return part
            if not reference.startswith("#/"):
                raise UsageError(
                    f"{self.source}: $ref '{reference}' leads to another document, which is not fetched",
                    hint="bundle the document into one file first",
                    code="B003",
                )
            part = self._at(reference)
        raise UsageError(f"{self.source}: the references at '{reference}' go round in a circle", code="B003")

    def _at(self, reference: str) -> Any:
        place: Any = self.tree
        for key in reference[2:].split("/"):
            name = key.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, dict) or name not in place:
                raise UsageError(f"{self.source}: $ref '{reference}' leads nowhere", code="B003")
            place = place[name]
        return place


def _media_rank(media_type: Any) -> tuple[bool, bool]:
    return "json" not in str(media_type), media_type not in _MEDIA_TYPES


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
