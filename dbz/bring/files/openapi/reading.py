"""Reading a document: a request for every operation, after the logins and lists that give what they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dbz.bring.files.openapi.document import ApiDocument, ApiOperation
from dbz.bring.files.openapi.examples import Examples
from dbz.bring.files.openapi.lists import IdSource, IdSources
from dbz.bring.files.openapi.logins import ApiLogin, Authentication, Credential
from dbz.bring.files.openapi.requests import RequestMaker
from dbz.bring.recording import NO_SERVER, Exchange, GivenValue, Recording, placeholder
from dbz.errors import UsageError


def read_openapi(tree: Mapping[str, Any], source: str) -> Recording:
    """A request for every operation, in the order of the document.

    Parameters and bodies are the document's examples, else its defaults, else values that fit the schema. Tokens come
    from its logins, ids from its lists. `UsageError` for a document without paths and for references to other
    documents, which are never fetched.
    """
    paths = tree.get("paths")
    if not isinstance(paths, dict) or not paths:
        raise UsageError(f"{source}: the document has no paths", code="B003")
    reader = _DocumentReader(ApiDocument(tree, source))
    recording = reader.recording()
    if not recording.exchanges:
        raise UsageError(f"{source}: the document has paths, but no operations", code="B003")
    if not recording.origin:
        recording.notes.append(f"{source}: the document {NO_SERVER}: say --target URL")
    return recording


class _DocumentReader:
    """Reads one document."""

    def __init__(self, document: ApiDocument) -> None:
        self._document = document
        examples = Examples(document)
        self._operations = list(document.operations())
        self._authentication = Authentication(document, examples, self._operations)
        self._sources = IdSources(document, examples, self._operations)
        self._maker = RequestMaker(document, examples)
        self._lists: dict[str, tuple[ApiOperation, dict[str, GivenValue]]] = {}
        """By operation: what is taken of its answer, by placeholder."""
        self._made: list[str] = []
        """The placeholders of what is made to be deleted."""

    def recording(self) -> Recording:
        """Everything that the document brings."""
        recording = Recording(recorded=False, origin=self._document.origin())
        demanded = {one.name: self._authentication.demanded(one) for one in self._operations}
        credentials = {one.variable: one for listed in demanded.values() for one in listed if one.login}
        logins = {one.login.asks: one.login for one in credentials.values() if one.login}
        for operation in self._operations:
            if operation.name in logins:
                continue
            if self._authentication.ends_session(operation, list(logins.values())):
                recording.notes.append(f"{operation.name} is left out: it would end what a login begins")
            else:
                recording.exchanges.append(self._exchange(operation, demanded[operation.name]))
        recording.start = [
            *(self._login(login, list(credentials.values())) for login in logins.values()),
            *self._listings(demanded),
        ]
        recording.notes += [f"each user begins with {name}, the login of the document" for name in logins]
        return recording

    def _login(self, login: ApiLogin, credentials: Sequence[Credential]) -> Exchange:
        """The request of a login, with the credentials that its answer brings."""
        gives = tuple(
            GivenValue(placeholder(one.variable), login.location, str(login.location[-1]))
            for one in credentials
            if one.login == login and login.location
        )
        return replace(self._maker.of_login(login), gives=gives)

    def _exchange(self, operation: ApiOperation, credentials: Sequence[Credential]) -> Exchange:
        """The request of an operation, with ids of lists, or of what is made right before, in its path."""
        ids: dict[str, str] = {}
        making: Exchange | None = None
        for parameter in operation.parameters:
            name = str(parameter.get("name"))
            source = self._sources.of(operation, name) if parameter.get("in") == "path" else None
            if source and source.operation.method == "get":
                ids[name] = self._listed(source, self._maker.path_value(parameter))
            elif source:
                ids[name] = placeholder(f"{source.name.upper()}_OF_{len(self._made)}")
                self._made.append(ids[name])
                given = GivenValue(ids[name], source.location, source.name)
                first = self._exchange(source.operation, self._authentication.demanded(source.operation))
                making = replace(first, gives=(given,))
        return replace(self._maker.of_operation(operation, credentials, ids), before=making)

    def _listed(self, source: IdSource, otherwise: str) -> str:
        """The placeholder for what each user picks out of a list."""
        _, given = self._lists.setdefault(source.operation.name, (source.operation, {}))
        for known in given.values():
            if known.location == source.location:
                return known.text
        text = placeholder(f"{source.name.upper()}_{sum(len(one) for _, one in self._lists.values())}")
        given[text] = GivenValue(text, source.location, source.name, otherwise)
        return text

    def _listings(self, demanded: Mapping[str, Sequence[Credential]]) -> list[Exchange]:
        """The requests for the lists; one that lies in another comes after it."""
        ordered = sorted(self._lists.values(), key=lambda one: one[0].path.count("/"))
        return [
            replace(self._exchange(operation, demanded[operation.name]), gives=tuple(given.values()))
            for operation, given in ordered
        ]
