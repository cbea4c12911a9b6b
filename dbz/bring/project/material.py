"""What a project is made from: a file of any kind that is imported, or what a server tells of itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from dbz.bring.choosing import Choice
from dbz.bring.files.opening import read_content, read_files
from dbz.bring.project.texts import LoadSize, OwnPaths
from dbz.bring.recording import Exchange, Recording
from dbz.bring.script import script_of
from dbz.bring.steps import Flow, HttpStep, Script
from dbz.bring.writing.scenario import LONGEST_PAUSE_S
from dbz.errors import UsageError

_OPERATIONS_PER_S = 50.0
"""What a project begins with: enough that a run of half a minute notices one failure in a hundred, and little load."""
_MOST_USERS = 50
_REST_S = 2.0
"""What users rest between two sessions, in the mean."""


@dataclass(frozen=True)
class Material:
    """What is known of the service to be loaded."""

    about: str
    """What it came from, for the first line of the scenario."""
    target: str
    script: Script | None = None
    """What users do; None when a Locust file says it."""
    locust_file: Path | None = None
    paths: OwnPaths = field(default_factory=OwnPaths)


def material_of_file(path: str, target: str) -> Material:
    """What a file brings; `target` goes before the server that it names."""
    if path.endswith(".py"):
        if not Path(path).is_file():
            raise UsageError(f"{path} does not exist", code="E005")
        return Material(path, target, locust_file=Path(path))
    return _of_recording(read_files([path]), Path(path).name, target)


def material_of_url(url: str, described_at: str, document: bytes, target: str) -> Material:
    """What a server brings: the description of its API that it serves itself, or else the URL alone."""
    parts = urlsplit(url)
    origin = target or f"{parts.scheme}://{parts.netloc}"
    if not document:
        if origin.rstrip("/") == url.rstrip("/"):  # it is what is loaded, and no place below which that is
            origin = f"{parts.scheme}://{parts.netloc}"
        alone = Recording([Exchange("GET", url)], recorded=False)
        return _of_recording(alone, url, origin)
    brought = read_content(document, described_at)
    return _of_recording(brought, described_at, origin)


def _of_recording(recording: Recording, about: str, target: str) -> Material:
    script = script_of(recording, Choice(target))
    if not (target or script.origin):
        raise UsageError(f"{about} names no server", hint="say which: --target URL", code="B006")
    return Material(about, target or script.origin, replace(script, origin=""))


def size_of(material: Material) -> LoadSize:
    """A load to begin with: about fifty operations a second, sessions with as many users as that takes."""
    script = material.script
    if script is None:
        return LoadSize(users=10, duration_s=30.0)
    if not script.recorded:
        return LoadSize(users=_MOST_USERS, duration_s=30.0, rate_per_s=_OPERATIONS_PER_S)
    length_s = session_s(script)
    per_s = sum(len(flow.steps) for flow in script.flows) / len(script.flows) / length_s
    fitting = min(math.ceil(_OPERATIONS_PER_S / max(per_s, 0.1)), _MOST_USERS)
    users = max(fitting // len(script.flows), 1) * len(script.flows)  # as many of each recorded user
    return LoadSize(users=users, duration_s=float(min(max(30, math.ceil(2 * length_s)), 300)))


def session_s(script: Script) -> float:
    """How long the longest session takes, with its rest."""
    return max((_length_s(flow) for flow in script.flows), default=0.0) + _REST_S


def _length_s(flow: Flow) -> float:
    times = [step.at_s for step in flow.steps]
    return sum(min(after - before, LONGEST_PAUSE_S) for before, after in pairwise(times))


def plain_paths(script: Script) -> list[str]:
    """The paths that users ask for by GET, without parameters."""
    steps = (step for flow in script.flows for step in flow.steps if isinstance(step, HttpStep))
    return [step.path for step in steps if step.method == "GET" and isinstance(step.path, str)]


def operations_of(script: Script) -> list[str]:
    """The HTTP operations of a script, each once, in their order."""
    steps: Iterable[HttpStep] = (one for flow in script.flows for one in flow.steps if isinstance(one, HttpStep))
    return list(dict.fromkeys(step.operation for step in steps))
