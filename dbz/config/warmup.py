"""What is warmed, schema `dbz.warmup/1`: which documents and list pages go into the cache, in which form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PrivateAttr, Tag, model_validator

from dbz.config.bundled import bundled_folder
from dbz.config.source.files import existing_file
from dbz.config.source.model import Duration, Parsed, Percent, Rate, Strict, build
from dbz.config.source.source import YamlSource, read_yaml
from dbz.errors import ConfigError, Problem, UsageError
from dbz.suggest import did_you_mean

DEFAULT = "default"
UNLIMITED = "max"
HASH = "hash"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_PATH = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*")
_LIST_NAMES = ("club_id", "page", "limit")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"'{text}' is not a name; write for example active_games")
    return text


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(f"'{text}' is not a field; write for example title, or band_data.photo")
    return text


def key_fields(template: str) -> list[str]:
    """The fields that a key template names; `ValueError` when it is not a template."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"'{template}' is not a key: {error}; write for example post:{{_id}}") from error
    fields = [name for _, name, _, _ in parts if name is not None]
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError(f"'{template}' is not a key: a field stands alone, like {{_id}}")
    for name in fields:
        _path(name)
    if not fields:
        raise ValueError(
            f"'{template}' names no field, so all values would get one key; write for example post:{{_id}}"
        )
    return fields


def _key(text: str) -> str:
    key_fields(text)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the key is no text: {error.reason}") from error
    return text


FieldPath = Annotated[str, AfterValidator(_path)]
"""A field of a document, with dots for fields inside fields."""
Key = Annotated[str, AfterValidator(_key)]


class Count(Strict):
    """How many items a list has, or whether these are at least as many as another field says."""

    count: FieldPath
    at_least: FieldPath | None = None


class NumberOf(Strict):
    """How many documents of a collection have this document's id in their field `by`."""

    number_of: str = Field(min_length=1)
    by: FieldPath
    shared: bool = False


def _as_mapping(value: object) -> object:
    return (
        {name: name for name in value} if isinstance(value, list) and all(isinstance(x, str) for x in value) else value
    )


class Join(Strict):
    """The document, or the documents, whose ids stand in field `by`."""

    join: str = Field(min_length=1)
    by: FieldPath
    shared: bool = False
    projection: Annotated[
        dict[str, FieldPath],
        BeforeValidator(_as_mapping, json_schema_input_type=list[str] | dict[str, FieldPath]),
        Field(min_length=1),
    ]


_KINDS: dict[type, str] = {Count: "count", Join: "join", NumberOf: "number_of"}


def _kind(value: object) -> str | None:
    if isinstance(value, str):
        return "field"
    if isinstance(value, dict):
        return next((kind for kind in _KINDS.values() if kind in value), None)
    return next((kind for model, kind in _KINDS.items() if isinstance(value, model)), None)


Projected = Annotated[
    Annotated[FieldPath, Tag("field")]
    | Annotated[Count, Tag("count")]
    | Annotated[Join, Tag("join")]
    | Annotated[NumberOf, Tag("number_of")],
    Discriminator(
        _kind,
        custom_error_type="projection",
        custom_error_message="is not a field name nor one of {count: …}, {join: …}, {number_of: …}",
    ),
]
Projection = Annotated[
    dict[str, Projected],
    BeforeValidator(_as_mapping, json_schema_input_type=list[str] | dict[str, Projected]),
    Field(min_length=1),
]


class ListPages(Strict):
    """Which pages of a list: so many of each size, and the warmer that describes the documents on them."""

    limits: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(min_length=1)
    pages: int = Field(1, ge=1, le=1000)
    rows: str | None = None


class Warmer(Strict):
    """One warmer; with `list` it writes list pages, else a key for each document."""

    name: Annotated[str, AfterValidator(_name)]
    about: str = ""
    collection: str = Field(min_length=1)
    shared: bool = False
    filter: dict[str, Any] = Field(default_factory=dict)
    sort: dict[str, Literal[1, -1]] = Field(default_factory=dict)
    limit: int | None = Field(None, ge=1)
    each_club: bool = False
    club_field: FieldPath = "club_id"
    each: list[dict[FieldPath, str | int | bool]] = Field(default=[{}], min_length=1)
    listed: ListPages | None = Field(None, alias="list")
    key: Key
    ttl: Duration = Field(gt=0, le=30 * 86_400)
    projection: Projection | None = None
    type: Literal["json", "hash", "msgpack", "raw"] = "json"
    """The form of the value in Redis; the reference server's cache reads JSON only."""
    version: str | None = None
    serves: Sequence[str] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Warmer:
        if self.listed is not None:
            if self.projection is not None or self.limit is not None:
                raise ValueError("'list' writes ids and a total; leave out 'projection' and 'limit'")
            self._check_list_key()
        elif self.projection is None:
            raise ValueError("'projection' is missing: which fields may be cached?")
        if self.version is not None and self.version not in (self.projection or {}):
            raise ValueError(f"version '{self.version}' is not a name of the projection")
        if self.type != "json" and (self.listed is not None or self.version is not None):
            raise ValueError(f"type '{self.type}' goes without 'list' and 'version', which are about JSON")
        if self.type == "raw" and len(self.projection or {}) != 1:
            raise ValueError("type 'raw' writes one field as it is; name exactly one in 'projection'")
        if self.limit is not None and not self.each_club and not self.sort:
            raise ValueError("'limit' needs a 'sort': which documents come first?")
        return self

    def _check_list_key(self) -> None:
        known = [*_LIST_NAMES, *dict.fromkeys(name for more in self.each for name in more)]
        for name in key_fields(self.key):
            if name not in known:
                raise ValueError(f"the key of a list cannot name {{{name}}} (allowed: {', '.join(known)})")
        for name in _LIST_NAMES:
            if name not in key_fields(self.key):
                raise ValueError(f"the key of a list must name {{{name}}}, else one page overwrites another")


def _rate_or_max(value: object) -> object:
    return None if value == UNLIMITED else value


class Warmup(Strict):
    """All warmers of a file. `rate` is keys a second of all of them together, None without a limit."""

    schema_: Literal["dbz.warmup/1"] = Field(alias="schema")
    jitter: Percent = Field(Parsed(0.1), ge=0, lt=1)
    rate: Annotated[
        Annotated[Rate, Field(gt=0)] | None, BeforeValidator(_rate_or_max, json_schema_input_type=str | None)
    ] = Parsed(5000)
    clubs: str = "clubs"
    warmers: list[Warmer] = Field(min_length=1)
    _source: YamlSource = PrivateAttr(default_factory=lambda: YamlSource("", None))

    def where(self, name: str) -> str:
        """`file:line` of a warmer."""
        names = [one.name for one in self.warmers]
        return self._source.where(("warmers", names.index(name)))

    def named(self, name: str) -> Warmer:
        """The warmer of that name; `UsageError` names the nearest one when there is none."""
        found = next((one for one in self.warmers if one.name == name), None)
        if found is not None:
            return found
        names = [one.name for one in self.warmers]
        raise UsageError(f"unknown warmer '{name}'{did_you_mean(name, names)} (known: {', '.join(names)})", code="E011")

    def only(self, names: Sequence[str]) -> list[Warmer]:
        """The warmers of these names in the order of the file; all without names."""
        wanted = {self.named(name).name for name in names}
        return [one for one in self.warmers if not names or one.name in wanted]


def load_warmup(path: str | Path = DEFAULT) -> Warmup:
    """The bundled file, or a YAML file; `ConfigError` names every problem in it."""
    if path == DEFAULT:
        return build_warmup(read_yaml(bundled_folder("configs") / "warmup.yaml"))
    return build_warmup(read_yaml(existing_file("warm-up", path, hint="without --config dbz uses the one it ships")))


def build_warmup(source: YamlSource) -> Warmup:
    """The warm-up of a source."""
    warmup = build(Warmup, source)
    names = [one.name for one in warmup.warmers]
    problems = []
    for at, one in enumerate(warmup.warmers):
        if one.name in names[:at]:
            problems.append(Problem(source.where(("warmers", at)), f"warmer '{one.name}' is there twice"))
        rows = one.listed.rows if one.listed else None
        documents = [other.name for other in warmup.warmers if other.listed is None]
        if rows is not None and rows not in documents:
            where = source.where(("warmers", at, "list", "rows"))
            problem = f"'{rows}' is no warmer of documents{did_you_mean(rows, documents)}"
            problems.append(Problem(where, problem, ", ".join(documents)))
    if problems:
        raise ConfigError(problems)
    warmup._source = source
    return warmup
