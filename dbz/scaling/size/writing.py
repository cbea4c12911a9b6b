"""Putting numbers of tasks into a scaling plan as text, so that comments, order and all else stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from dbz.config.phases.file import build_phases
from dbz.config.phases.plan import ApiServers
from dbz.config.source import parse_yaml
from dbz.errors import UsageError
from dbz.scaling.size.sizing import PhaseSize, SizeVerdict

DECIDED = (SizeVerdict.TOO_SMALL, SizeVerdict.WASTEFUL, SizeVerdict.NOT_PLANNED)


def counts_to_write(sizes: Sequence[PhaseSize]) -> dict[str, ApiServers]:
    """The phases whose planned number is wrong by what was measured, each with the right one: what is needed, and of a
    range only the end that is wrong."""
    return {one.phase: _right(one.planned, one.tasks) for one in sizes if one.verdict in DECIDED}


def _right(planned: ApiServers | None, tasks: int) -> ApiServers:
    if planned is None or planned.fixed:
        return ApiServers(min=tasks, max=tasks)
    return ApiServers(min=min(planned.min, tasks), max=max(planned.max, tasks))


def write_counts(path: Path, counts: Mapping[str, ApiServers]) -> None:
    """Change `api_servers` of these phases in the file; `UsageError` when it cannot be written, `ConfigError` when the
    plan would be none any more (beyond `scaling.bounds`, say): then nothing is written."""
    text = path.read_text(encoding="utf-8")
    changed = with_counts(text, counts)
    build_phases(parse_yaml(changed, str(path)))
    try:
        path.write_text(changed, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", code="E006") from error


def with_counts(text: str, counts: Mapping[str, ApiServers]) -> str:
    """The text of a plan with other numbers; every other character stays."""
    edits: list[tuple[int, int, str]] = []
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    phases = _value_of(root, "phases")
    for node in phases.value if isinstance(phases, yaml.SequenceNode) else []:
        name = _value_of(node, "name")
        servers = counts.get(str(name.value)) if name is not None else None
        if servers is not None:
            edits.append(_edit(text, node, servers))
    for begin, end, new in sorted(edits, reverse=True):  # from the end, so that earlier places stay where they are
        text = text[:begin] + new + text[end:]
    return text


def _value_of(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _edit(text: str, phase: yaml.Node, servers: ApiServers) -> tuple[int, int, str]:
    """Where to put what: in place of the present value, or as a new key after the first one."""
    count = str(servers.min) if servers.fixed else f"{{min: {servers.min}, max: {servers.max}}}"
    present = _value_of(phase, "api_servers")
    if present is not None:
        begin, end = present.start_mark.index, present.end_mark.index
        if isinstance(present, yaml.MappingNode) and not present.flow_style:
            # One in block style ends where the next key begins; what is between, such as comments, stays.
            end = present.value[-1][1].end_mark.index
        return begin, end, count
    name = _value_of(phase, "name")
    assert name is not None
    if getattr(phase, "flow_style", False):
        return name.end_mark.index, name.end_mark.index, f", api_servers: {count}"
    line_end = text.find("\n", name.end_mark.index)
    line_end = len(text) if line_end < 0 else line_end
    indent = " " * phase.value[0][0].start_mark.column
    return line_end, line_end, f"\n{indent}api_servers: {count}"
