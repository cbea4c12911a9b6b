"""Putting numbers of tasks into a scaling plan as text, so that comments, order and all else stay as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from dbz.bounded import CONFIGURATION, read_within
from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import ApiServers, Phases
from dbz.config.source.source import parse_yaml
from dbz.errors import UsageError
from dbz.scaling.size.apart import ServiceSize
from dbz.scaling.size.sizing import PhaseSize, SizeVerdict

DECIDED = (SizeVerdict.TOO_SMALL, SizeVerdict.WASTEFUL, SizeVerdict.NOT_PLANNED)
Counts = Mapping[str, Mapping[str, ApiServers]]
"""By phase and service: how many tasks it is to have."""


def counts_to_write(plan: Phases, sizes: Sequence[PhaseSize]) -> dict[str, dict[str, ApiServers]]:
    """The phases whose planned number is wrong by what was measured, each with the right one: what is needed, and of a
    range only the end that is wrong."""
    main = plan.scaling.main
    return {one.phase: {main: _right(one.planned, one.tasks)} for one in sizes if one.verdict in DECIDED}


def services_to_write(sizes: Sequence[ServiceSize]) -> dict[str, dict[str, ApiServers]]:
    """The same for the services of phases."""
    counts: dict[str, dict[str, ApiServers]] = {}
    for one in sizes:
        if one.verdict in DECIDED and one.tasks is not None:
            counts.setdefault(one.phase, {})[one.service] = _right(one.planned, one.tasks)
    return counts


def _right(planned: ApiServers | None, tasks: int) -> ApiServers:
    if planned is None or planned.fixed:
        return ApiServers(min=tasks, max=tasks)
    return planned.model_copy(update={"min": min(planned.min, tasks), "max": max(planned.max, tasks)})


def write_counts(path: Path, counts: Counts) -> None:
    """Change the numbers of tasks in the file; `UsageError` when it cannot be written, or only together with something
    else (a YAML alias that several phases share), `ConfigError` when the plan would be none any more (beyond
    `scaling.bounds`, say): then nothing is written."""
    text = read_within(path, CONFIGURATION).decode()
    before = build_phases(parse_yaml(text, str(path)))
    changed = _changed(text, before, {name: dict(of_phase) for name, of_phase in counts.items()}, path)
    try:
        path.write_text(changed, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", code="E006") from error


def _changed(text: str, before: Phases, counts: dict[str, dict[str, ApiServers]], path: Path) -> str:
    """The text in which each phase has what it is to have and, of all else, what it had.

    A phase that has a service from an earlier one says its number itself when that of the earlier one changes.
    """
    wanted = {name: {**_servers_of(before, name), **counts.get(name, {})} for name in before.names}
    differing: list[tuple[str, str]] = []
    for _ in before.names:
        changed = with_counts(text, counts, before.scaling.main)
        after = build_phases(parse_yaml(changed, str(path)))
        found = {name: _servers_of(after, name) for name in before.names}
        differing = [
            (phase, service)
            for phase, servers in wanted.items()
            for service in servers
            if _ends(found[phase].get(service)) != _ends(servers[service])
        ]
        if not differing:
            _refuse_lost_sentences(before, after, path)
            return changed
        for phase, service in differing:
            counts.setdefault(phase, {})[service] = wanted[phase][service]
    phase, service = differing[0]
    raise UsageError(
        f"{path}: the tasks of {service} in {phase} cannot be changed without those of another phase",
        hint="write each phase's numbers out, without YAML aliases",
        code="E006",
    )


def _refuse_lost_sentences(before: Phases, after: Phases, path: Path) -> None:
    """What a phase says of a service takes the place of all that an earlier one says, its sentences too."""
    for phase in before.names:
        others = after.whole_phase(phase).services
        for name, servers in before.whole_phase(phase).services.items():
            if servers.has_rules and not others[name].has_rules:
                raise UsageError(
                    f"{path}: with a number of its own {phase} would lose sentences by which {name} scales",
                    hint=f"repeat them below the services of {phase}",
                    code="E006",
                )


def _servers_of(plan: Phases, phase: str) -> dict[str, ApiServers]:
    whole = plan.whole_phase(phase)
    main = {plan.scaling.main: whole.api_servers} if whole.api_servers else {}
    return {**main, **whole.services}


def _ends(servers: ApiServers | None) -> tuple[int, int] | None:
    return (servers.min, servers.max) if servers else None


@dataclass(frozen=True)
class _Edit:
    """A new text in place of what stands between two places."""

    begin: int
    end: int
    text: str


def with_counts(text: str, counts: Counts, main: str = "api") -> str:
    """The text of a plan with other numbers; every other character stays. `main` is the name of `scaling.service`."""
    edits: list[_Edit] = []
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    phases = _value_of(root, "phases")
    for node in phases.value if isinstance(phases, yaml.SequenceNode) else []:
        name = _value_of(node, "name")
        if name is not None and (wanted := counts.get(str(name.value))):
            edits += _edits(text, node, wanted, main)
    for edit in sorted(edits, key=lambda one: one.begin, reverse=True):  # from the end: earlier places stay as they are
        text = text[: edit.begin] + edit.text + text[edit.end :]
    return text


def _edits(text: str, phase: yaml.Node, wanted: Mapping[str, ApiServers], main: str) -> Iterator[_Edit]:
    """What to change in a phase: numbers that are there, then new keys, each in one piece."""
    services = _value_of(phase, "services")
    present = {main: _value_of(phase, "api_servers")} | {key.value: value for key, value in _pairs(services)}
    absent: dict[str, ApiServers] = {}
    for name, servers in wanted.items():
        node = present.get(name)
        if node is None:
            absent[name] = servers
        else:
            yield from _in_place(node, servers)
    new: list[str] = []
    if main in absent and not _pairs(services):
        new.append(f"api_servers: {_count(absent.pop(main))}")
    added = [f"{name}: {_count(servers)}" for name, servers in absent.items()]
    if added and _pairs(services):
        yield _below(text, _pairs(services)[-1], services, added)
    elif added and services is not None:
        yield _Edit(services.start_mark.index, services.end_mark.index, f"{{{', '.join(added)}}}")
    elif added:
        new.append(f"services: {{{', '.join(added)}}}")
    if new:
        after = "api_servers" if _value_of(phase, "api_servers") is not None else "name"
        pair = next(pair for pair in _pairs(phase) if pair[0].value == after)
        yield _below(text, pair, phase, new)


def _in_place(node: yaml.Node, servers: ApiServers) -> Iterator[_Edit]:
    """Another number in place of one; of a mapping both ends, so that sentences in it stay."""
    ends = {key.value: value for key, value in _pairs(node)}
    numbers = [(ends["min"], servers.min), (ends["max"], servers.max)] if {"min", "max"} <= ends.keys() else []
    if numbers:
        for scalar, number in numbers:
            yield _Edit(scalar.start_mark.index, scalar.end_mark.index, str(number))
    else:
        yield _Edit(node.start_mark.index, node.end_mark.index, _count(servers))


def _below(text: str, pair: tuple[yaml.Node, yaml.Node], mapping: yaml.Node | None, entries: Sequence[str]) -> _Edit:
    """New entries of a mapping behind one of its pairs."""
    key, end = pair[0], _last_leaf(pair[1]).end_mark.index
    if getattr(mapping, "flow_style", False):
        end = pair[1].end_mark.index
        return _Edit(end, end, "".join(f", {entry}" for entry in entries))
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    indent = " " * key.start_mark.column
    return _Edit(line_end, line_end, "".join(f"\n{indent}{entry}" for entry in entries))


def _last_leaf(node: yaml.Node) -> yaml.Node:
    """What ends where a node ends for a reader: one in block style ends for YAML where the next key begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_leaf(last[1] if isinstance(last, tuple) else last)
    return node


def _count(servers: ApiServers) -> str:
    """A number, or a range with the sentences that belong to it."""
    if servers.fixed:
        return str(servers.min)
    rules = {key: value for key in _RULES if (value := getattr(servers, key, []))}
    said = "".join(f", {key}: [{', '.join(json.dumps(str(one)) for one in value)}]" for key, value in rules.items())
    return f"{{min: {servers.min}, max: {servers.max}{said}}}"


_RULES = ("scale_out_when_any", "scale_in_when_all", "target_tracking")


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    return next((value for name, value in _pairs(node) if name.value == key), None)
