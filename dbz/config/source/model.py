"""From plain data to typed models, with messages that say where, what and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dbz import units
from dbz.config.described import describe
from dbz.config.source.source import Location, YamlSource
from dbz.errors import ConfigError, Problem
from dbz.suggest import did_you_mean


class Strict(BaseModel):
    """Base of all configuration models: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, json_schema_extra=describe)

    @model_validator(mode="before")
    @classmethod
    def _refuse_truth_for_numbers(cls, data: Any) -> Any:
        """`users: on` is no number, though Python takes yes for 1."""
        values = data if isinstance(data, dict) else {}
        fields = [(info.alias or name, info.annotation) for name, info in cls.model_fields.items()]
        misfits: list[Misfit] = [
            ((key,), f"{key}: should be a number, not yes or no (on, off, true and false are these too)")
            for key, kind in fields
            if isinstance(values.get(key), bool)
            and (leaves := set(_leaves(kind))) & {int, float}
            and bool not in leaves
        ]
        if misfits:
            raise MisfitsError(misfits)
        return data


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is put together of."""
    parts = get_args(annotation)
    if not parts:
        yield annotation
    for part in parts:
        yield from _leaves(part)


def _text_or_parsed(value: object, parse: Any, forms: str) -> Any:
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"write for example {forms}")
    raise ValueError(f"{value} has no unit; write for example {forms}")


_VARIABLE_PATTERN = r"\$\{"
"""A text with a variable of the environment in it is read when that is known."""


def _unit(parse: Any, forms: str, pattern: str) -> BeforeValidator:
    extra: dict[str, Any] = {"pattern": f"{pattern}|{_VARIABLE_PATTERN}"}
    written = Annotated[str, Field(examples=forms.split(", "), json_schema_extra=extra)]
    return BeforeValidator(
        lambda value: value if isinstance(value, Parsed) else _text_or_parsed(value, parse, forms),
        json_schema_input_type=written,
    )


Misfit = tuple[Location, str]
"""A place below a model, and what does not fit there."""


class MisfitsError(ValueError):
    """What a validator of a whole model finds wrong in parts of it: each is told with the line of that part."""

    def __init__(self, misfits: Sequence[Misfit]) -> None:
        super().__init__("; ".join(what for _, what in misfits))
        self.misfits = misfits


class Parsed(float):
    """A number that already is in base units: defaults and command-line overrides that were parsed before."""


Duration = Annotated[float, _unit(units.parse_duration, units.DURATION_FORMS, units.DURATION_PATTERN)]
"""Seconds; written `60s`."""
Rate = Annotated[float, _unit(units.parse_rate, units.RATE_FORMS, units.RATE_PATTERN)]
"""Events a second; written `200/s`."""
Size = Annotated[int, _unit(units.parse_size, units.SIZE_FORMS, units.SIZE_PATTERN)]
"""Bytes; written `150MB`."""
Percent = Annotated[float, _unit(units.parse_percent, units.PERCENT_FORMS, units.PERCENT_PATTERN)]
"""A share of one; written `0.1%`."""
Bandwidth = Annotated[float, _unit(units.parse_bandwidth, units.BANDWIDTH_FORMS, units.BANDWIDTH_PATTERN)]
"""Bits a second; written `1.6Mbit`."""

# Control characters but for tab and line breaks, halves of characters, and marks that turn the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = re.compile(r"[\t\n\r\u2028\u2029]")
_TOO_LARGE = 2**63
_NAMES: dict[type, str] = {dict: "a mapping", list: "a list", type(None): "nothing"}
Model = TypeVar("Model", bound=BaseModel)


def build(model: type[Model], source: YamlSource) -> Model:
    """Validate a source as a model; `ConfigError` with every problem in it."""
    if not isinstance(source.data, dict):
        keys = ", ".join(_keys(model))
        raise ConfigError([Problem(source.where(()), "is not a mapping of keys to values", f"keys {keys}")])
    if problems := list(_unusable(source, source.data, ())):
        raise ConfigError(problems)
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        problems = [problem for detail in error.errors() for problem in _problems(model, source, detail)]
        raise ConfigError(problems) from error


def _unusable(source: YamlSource, value: Any, location: Location) -> Iterator[Problem]:
    """Texts that would garble a terminal or a table, and numbers that no computer counts to."""
    if isinstance(value, dict):
        for key, item in value.items():
            if _CONTROL.search(key) or _LINE_BREAK.search(key):
                yield Problem(source.where((*location, key)), f"the key {key!a} has control characters in it")
            else:
                yield from _unusable(source, item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unusable(source, item, (*location, index))
    elif isinstance(value, str):
        if _CONTROL.search(value) or (location[-1:] == ("name",) and _LINE_BREAK.search(value)):
            yield Problem(source.where(location), f"{location[-1]}: {value!a} has control characters in it")
    elif isinstance(value, int | float) and not abs(value) < _TOO_LARGE:  # NaN too
        yield Problem(source.where(location), f"{location[-1]}: {value:.3g} is not a number that can be used")


def _problems(model: type[BaseModel], source: YamlSource, detail: Any) -> Iterator[Problem]:
    error = detail.get("ctx", {}).get("error")
    if not isinstance(error, MisfitsError):
        yield _problem(model, source, detail)
        return
    for location, what in error.misfits:
        yield Problem(source.where((*detail["loc"], *location)), what)


def _problem(model: type[BaseModel], source: YamlSource, detail: Any) -> Problem:
    location: Location = tuple(detail["loc"])
    name = ".".join(map(str, location))
    where = source.where(location)
    kind = detail["type"]
    if kind == "extra_forbidden":
        allowed = _keys(_owner(model, location))
        suggestion = did_you_mean(str(location[-1]), allowed, 0.6)
        return Problem(where, f"unknown key '{name}'{suggestion}", ", ".join(allowed))
    if kind == "missing":
        return Problem(where, f"key '{name}' is missing")
    if kind == "literal_error":
        return Problem(where, f"{name}: '{detail['input']}' is not allowed", detail["ctx"]["expected"])
    message = str(detail["ctx"]["error"]) if kind == "value_error" else _plain(detail)
    return Problem(where, f"{name}: {message}" if name else message)


def _plain(detail: Any) -> str:
    message, shown = str(detail["msg"]), detail["input"]
    written = repr(shown) if isinstance(shown, str | int | float) else str(shown)
    found = next((name for kind, name in _NAMES.items() if isinstance(shown, kind)), written)
    advice = "; quote it if it is a text" if detail["type"] == "string_type" and found not in _NAMES.values() else ""
    return f"{message[0].lower()}{message[1:]}, not {found}{advice}"


def _keys(model: type[BaseModel]) -> Sequence[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _owner(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model whose key stands at the end of a location."""
    owner = model
    for key in location[:-1]:
        if isinstance(key, int):
            continue
        info = next((info for name, info in owner.model_fields.items() if key in (name, info.alias)), None)
        nested = _nested_model(info.annotation) if info else None
        owner = nested or owner
    return owner


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _nested_model(one))), None)
