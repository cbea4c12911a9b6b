"""What commands share: their options, how the text of one becomes a value, and groups of options as one object."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from dbz.cli.verbosity import Verbosity
from dbz.errors import UsageError
from dbz.units import parse_duration, parse_percent

Value = TypeVar("Value")
_CONTEXT = "command_context"
"""The parameter by which typer hands over where in the command line a command is."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
AllowVanished = Annotated[
    bool, typer.Option("--allow-vanished", help="Accept that operations of the baseline are not made any more.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Reports = Annotated[Path, typer.Option(metavar="DIR", help="The folder that holds the runs.")]
DEFAULT_REPORTS = Path("reports")
PhasesFile = Annotated[
    str, typer.Option("--phases", metavar="FILE", help="The scaling plan; see configs/phases.yaml. Or `triggers`.")
]
Cluster = Annotated[str, typer.Option(help="ECS cluster [default: the plan's].")]
ServiceName = Annotated[str, typer.Option("--service", help="ECS service [default: the plan's].")]
AllowTarget = Annotated[
    list[str] | None, typer.Option(metavar="HOST", help="A host beside this machine that may be loaded.")
]
Budgets = Annotated[str | None, typer.Option(help="Budgets to judge by: a bundled name or a YAML file.")]
Workers = Annotated[int | None, typer.Option(help="Load generator processes [default: what fits the cores].")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same users, texts and pauses.")]
Networks = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="NAME=SHARE,…",
        help="Networks of the users, like 3g, or wifi=60%,lte=30%,3g=10%; see docs/networks.md.",
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="CARE,…",
        help="What the app does not take care of, like debounce,etag,images,window,cache.",
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("-T", "--tags", metavar="TAG,…", help="Only tasks with one of these tags (Locust's @tag)."),
]
ExcludeTags = Annotated[
    list[str] | None,
    typer.Option("-E", "--exclude-tags", metavar="TAG,…", help="No tasks with one of these tags."),
]
LoadTarget = Annotated[
    str, typer.Option(help="Base URL to load; without it, bundled profiles load a backend that dbz starts.")
]
Embedded = Annotated[
    bool, typer.Option("--embedded", help="Load the backend that dbz starts, with a profile or file of your own.")
]
ServicesPlan = Annotated[
    str,
    typer.Option("--services", metavar="PLAN", help="Of the backend that dbz starts: services apart, as of dbz serve."),
]
Health = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|URL", help="What is asked whether the target is up [default: /healthz, if there is one]."
    ),
]
ServiceHeader = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The header of answers that names the service behind a gateway."),
]
MetricsUrl = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATH|URL", help="Where the target's own metrics are, once for each instance [default: /metrics]."
    ),
]


@dataclasses.dataclass(frozen=True)
class AwsOptions:
    """Which service is meant, by which scaling plan, and the way to its account."""

    phases: PhasesFile = "default"
    cluster: Cluster = ""
    service: ServiceName = ""
    aws_profile: Annotated[
        str, typer.Option("--aws-profile", metavar="NAME", help="Profile of your AWS configuration.")
    ] = ""
    region: Annotated[str, typer.Option(help="AWS region [default: your AWS configuration's].")] = ""
    local: Annotated[bool, typer.Option("--local", help="The cloud of the running dbz serve --cloud.")] = False


def command_group(about: str, **commands: Callable[..., None]) -> typer.Typer:
    """A group of commands by their names, in the order of its help; each may have parameters that are `grouped`."""
    group = typer.Typer(no_args_is_help=True, help=about)
    for name, command in commands.items():
        group.command(name)(grouped(command))
    return group


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer: `with_groups`, and with the options of `Verbosity`, which only the help of `dbz` shows."""
    inner = with_groups(command)
    declared = [_hidden(one) for one in _fields_as_parameters(Verbosity)]
    own = list(inspect.signature(inner).parameters.values())
    # Typer hands its context over once: to the command, where that asks for it.
    asked = next((one.name for one in own if one.annotation is typer.Context), "")

    @functools.wraps(inner)
    def with_verbosity(**values: Any) -> None:
        context: typer.Context = values[asked] if asked else values.pop(_CONTEXT)
        given = Verbosity(**{one.name: values.pop(one.name) for one in declared})
        before = context.find_root().obj
        with given.over(before if isinstance(before, Verbosity) else Verbosity()).kept(context.command_path):
            inner(**values)

    given_by_typer = inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    return _declaring(with_verbosity, [*own, *declared, *([] if asked else [given_by_typer])])


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command in which each parameter that is a data class stands for the options that its fields declare.

    Typer knows single options only; with this a command and those whom it calls pass one object on.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        own = parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY)
        parameters += _fields_as_parameters(groups[name]) if name in groups else [own]

    @functools.wraps(command)
    def with_objects(**values: Any) -> None:
        _refuse_nul(values)
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
        command(**values)

    return _declaring(with_objects, parameters)


def _declaring(command: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """The command with these parameters, for whoever looks at its signature."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _hidden(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter of an option that no help shows."""
    kind, option = get_args(parameter.annotation)
    hidden = copy.copy(option)
    hidden.hidden = True
    return parameter.replace(annotation=Annotated[kind, hidden])


def _refuse_nul(values: Mapping[str, Any]) -> None:
    """`UsageError` for a text with the one sign that no file, URL or name may have and most libraries stumble over."""
    for name, value in values.items():
        texts = value if isinstance(value, list) else [value]
        if any("\0" in str(text) for text in texts if isinstance(text, str | Path)):
            raise UsageError(f"{name.replace('_', '-')} holds a NUL character", code="E002")


def _fields_as_parameters(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in dataclasses.fields(kind)
    ]


def parsed(option: str, text: str, parse: Callable[[str], Value]) -> Value:
    """An option's value; `UsageError` names the option."""
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", code="E002") from error


def duration_of(option: str, text: str) -> float:
    """The seconds in `90s` or `5m`; `UsageError` names the option."""
    return parsed(option, text, parse_duration)


def time_of(option: str, text: str) -> float:
    """The seconds of a duration that is more than none; `UsageError` names the option."""
    value = duration_of(option, text)
    if value <= 0:
        raise UsageError(f"{option}: {text} is no time at all; write for example 2s", code="E002")
    return value


def share_of(option: str, text: str) -> float:
    """The share that an option names, such as `5%`; `UsageError` names the option."""
    return parsed(option, text, parse_percent)


def address_of(option: str, text: str) -> tuple[str, int]:
    """The host and port of `127.0.0.1:9464`; `UsageError` names the option."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{option}: '{text}' is not an address; write for example 127.0.0.1:9464", code="E002")
    return host.strip("[]"), int(port)


def tags_of(texts: Sequence[str] | None) -> list[str] | None:
    """The tags of an option that may be given several times, each time with several of them."""
    return None if texts is None else [tag for text in texts for tag in text.replace(",", " ").split()]
