"""The JSON Schemas (2020-12) of the YAML files that dbz reads, made from the models that read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core.core_schema import DictSchema

from dbz import units
from dbz.config.budgets import BudgetsFile
from dbz.config.load.behaviour import BehaviourFile
from dbz.config.load.profile import Profile
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.incidents import IncidentsFile
from dbz.config.monitor.testing import MonitorTests
from dbz.config.phases.plan import Phases
from dbz.config.shards import Shards
from dbz.config.source.model import Bandwidth, Duration, Parsed, Percent, Rate, Size, Strict
from dbz.config.warmup import Warmup
from dbz.errors import UsageError

CONFIG_MODELS: Mapping[str, type[Strict]] = {
    "profile": Profile,
    "budgets": BudgetsFile,
    "phases": Phases,
    "shards": Shards,
    "warmup": Warmup,
    "behaviour": BehaviourFile,
    "monitor": MonitorFile,
    "monitor-test": MonitorTests,
    "incidents": IncidentsFile,
}
"""The kinds of files, by the name that their `schema` begins with after `dbz.`."""
_PRINTERS: tuple[tuple[Any, Callable[[float], str]], ...] = (
    (Duration, lambda value: units.format_duration(value).replace(" ", "")),
    (Rate, units.format_rate),
    (Size, lambda value: f"{value / 2**20:g}MiB"),
    (Bandwidth, lambda value: units.format_bandwidth(value).replace(" ", "")),
    (Percent, lambda value: units.format_percent(value).replace(" ", "")),
)
_OF_NUMBERS = ("ge", "gt", "le", "lt", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class _Generator(GenerateJsonSchema):
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        """A mapping whose keys have a pattern has no other keys, which the model says and a schema must say too."""
        written = super().dict_schema(schema)
        return written | {"additionalProperties": False} if "patternProperties" in written else written


def config_schema(name: str) -> dict[str, Any]:
    """The schema of one kind of file; `UsageError` naming the kinds."""
    if name not in CONFIG_MODELS:
        raise UsageError(f"there is no schema '{name}' (known: {', '.join(CONFIG_MODELS)})", code="E011")
    return model_schema(CONFIG_MODELS[name])


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of the file that a model reads."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    parts = schema.get("$defs", {})
    for part in {model, *_models_in(model)}:
        _write_defaults(part, parts.get(part.__name__, schema))
    _tidy(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def config_schema_text(name: str) -> str:
    """The same as the text of a file."""
    return _text(config_schema(name))


def model_schema_text(model: type[BaseModel]) -> str:
    """The schema of the file that a model reads, as the text of a file."""
    return _text(model_schema(model))


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def default_text(info: FieldInfo) -> str | None:
    """A default as it would be written, where it is a number with a unit; None for any other."""
    if not isinstance(info.default, Parsed) and not (_has(info, Size) and isinstance(info.default, int)):
        return None
    printer = next((printer for alias, printer in _PRINTERS if _has(info, alias)), str)
    return printer(float(info.default))


def _has(info: FieldInfo, alias: Any) -> bool:
    """Whether a field is of one of the types that have a unit."""
    validator = get_args(alias)[1]
    return any(one is validator for one in [*info.metadata, *_flat(info.annotation)])


def _flat(annotation: Any) -> Iterator[Any]:
    for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())):
        yield part
        yield from _flat(part)


def _models_in(model: type[BaseModel]) -> set[type[BaseModel]]:
    """All models below a model."""
    found: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        for info in waiting.pop().model_fields.values():
            parts = {one for one in (info.annotation, *_flat(info.annotation)) if isinstance(one, type)}
            new = {one for one in parts if issubclass(one, BaseModel)} - found
            found |= new
            waiting += new
    return found


def _write_defaults(model: type[BaseModel], schema: dict[str, Any]) -> None:
    for key, info in model.model_fields.items():
        written = default_text(info)
        if written is not None:
            schema["properties"][info.alias or key]["default"] = written


def _tidy(schema: Any) -> None:
    """Leave out what editors would show and nobody needs: titles made of keys, and bounds of numbers on texts."""
    if isinstance(schema, list):
        for item in schema:
            _tidy(item)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "string":
        for bound in _OF_NUMBERS:
            schema.pop(bound, None)
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if isinstance(schema.get("description"), str):
        schema["description"] = " ".join(schema["description"].split())
    for value in schema.values():
        _tidy(value)
