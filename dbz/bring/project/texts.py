"""The texts of a project's files, with the comments that a newcomer needs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from dbz.units import format_duration

GITHUB, GITLAB, NO_CI = "github", "gitlab", "none"
GITIGNORE = "# What runs write: records, reports, logs.\nreports/\n"
_PLAIN_YAML = re.compile(r"[A-Za-z0-9/._-][A-Za-z0-9/._ -]*(?<! )")
_WORDS_OF_YAML = ("null", "true", "false", "yes", "no", "on", "off")


@dataclass(frozen=True)
class LoadSize:
    """How much load a project begins with."""

    users: int
    duration_s: float
    rate_per_s: float | None = None
    """Tasks that begin each second in the open model; None for the closed one, as sessions want it."""


@dataclass(frozen=True)
class CiWishes:
    """What the file for CI must know."""

    profile: str
    """The path of the profile from the root of the repository."""
    target: str
    start: str = ""
    """The command that starts the server; empty when nobody said."""
    secrets: Sequence[str] = ()
    """Environment variables that the scenario needs."""
    files: Sequence[str] = ()
    """Like `profile`: what a run needs, when that is all; base and change are then measured with the same load."""


def project_name(target: str) -> str:
    """What runs of a project are called: the host that it loads."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", urlsplit(target).netloc.rpartition("@")[2]).strip("-")
    return name[:40] or "service"


def schema_path(kind: str) -> str:
    """Where the JSON Schema of a YAML file lies, from the folder of the project."""
    return f"schemas/{kind}.schema.json"


def schema_line(kind: str) -> str:
    """The comment by which editors find the schema of a YAML file, and check it."""
    return f"# yaml-language-server: $schema={schema_path(kind)}"


@dataclass(frozen=True)
class OwnPaths:
    """Where a service tells of itself; empty where that is the usual path, or nowhere."""

    health: str = ""
    metrics: str = ""


def profile_text(
    target: str, scenario: str, size: LoadSize, allowed: Sequence[str], paths: OwnPaths = OwnPaths()
) -> str:
    """`profile.yaml`."""
    lines = [
        schema_line("profile"),
        "# How much load there is, and on what. `dbz load profile.yaml` runs it and judges it by budgets.yaml;",
        "# `dbz try profile.yaml` lets one user do everything once and prints each exchange.",
        "schema: dbz.profile/1",
        f"name: {scalar(project_name(target))}",
        f"target: {scalar(target)}   # for once another one: --target URL",
        f"scenario: {scalar(scenario)}   # what users do",
        "budgets: budgets.yaml   # what must hold",
    ]
    if paths.health:
        lines.append(f"health: {scalar(paths.health)}   # asked once a second whether the service is up")
    if paths.metrics:
        lines.append(f"metrics: {{url: {scalar(paths.metrics)}}}   # asked once a second for its own figures")
    if size.rate_per_s is not None:
        lines.append(f"rate: {size.rate_per_s:g}/s   # tasks begin at this rate, however slow the answers are")
        lines.append(f"users: {size.users}   # who are there to take them: more than are ever waiting for an answer")
    else:
        lines.append(f"users: {size.users}   # each goes through its session again and again")
    lines.append(f"duration: {_duration(size.duration_s)}   # the judged part")
    lines.append("warmup: 5s   # before it; not judged")
    if allowed:
        lines.append(f"allowed_targets: [{', '.join(map(scalar, allowed))}]   # hosts that may be loaded on purpose")
    return "\n".join(lines) + "\n"


def _duration(seconds: float) -> str:
    return format_duration(seconds).replace(" ", "")


def scalar(text: str) -> str:
    """A text as YAML: quoted where it could be read as something else."""
    plain = _PLAIN_YAML.fullmatch(text) and not text[0].isdigit() and text.lower() not in _WORDS_OF_YAML
    return text if plain and not text.startswith("-") else json.dumps(text, ensure_ascii=False)


def ci_text(kind: str, wishes: CiWishes) -> str:
    """The file for GitHub or GitLab; its commands are those of docs/ci.md."""
    return _github(wishes) if kind == GITHUB else _gitlab(wishes)


_REPOSITORY = "where your copy of dbz lies, such as https://github.com/YOUR-ORG/dbz"
_ABOUT = (
    "# Every push is judged by the budgets. A merge is compared with its base as well, five runs each on one machine:\n"
    "# red when an operation has become slower than the noise between runs explains."
)


def _start(wishes: CiWishes) -> list[str]:
    """The lines that start the server and wait until it listens."""
    if not wishes.start:
        return ["./ci/server start   # put here what starts your server, and waits until it listens"]
    return [
        f"setsid sh -c {shlex.quote(wishes.start)} > server.log 2>&1 & echo $! > server.pid",
        f"for i in $(seq 60); do curl --silent --output /dev/null {shlex.quote(wishes.target)} && break; sleep 1; done",
    ]


def _stop(wishes: CiWishes) -> str:
    return "kill -- -$(cat server.pid)" if wishes.start else "./ci/server stop"


def _measure(wishes: CiWishes, options: str = "", folder: str = "") -> str:
    profile = f"{folder}/{wishes.profile.rpartition('/')[2]}" if folder and wishes.files else wishes.profile
    return f"dbz load {shlex.quote(profile)} {options}".rstrip()


def _compare(wishes: CiWishes, base: str, head: str) -> list[str]:
    """The lines that measure the base and the change."""
    kept = [f"mkdir /tmp/load && cp {' '.join(map(shlex.quote, wishes.files))} /tmp/load/"] if wishes.files else []
    return [
        *kept,
        f'git checkout --quiet "{base}"',
        *_start(wishes),
        _measure(wishes, "--repeat 5 --out reports/base", "/tmp/load"),  # noqa: S108 a folder of the job's own machine
        _stop(wishes),
        f'git checkout --quiet "{head}"',
        *_start(wishes),
        _measure(wishes, "--repeat 5 --out reports/head --baseline reports/base", "/tmp/load"),  # noqa: S108
    ]


def _github(wishes: CiWishes) -> str:
    lines = [
        _ABOUT,
        "name: load",
        "on: [push, pull_request]",
        "env:",
        f"  DBZ_REPOSITORY: ${{{{ vars.DBZ_REPOSITORY }}}}   # {_REPOSITORY}",
        *(f"  {name}: ${{{{ secrets.{name} }}}}" for name in wishes.secrets),
        "jobs:",
        "  budgets:",
        *_github_job("1", [*_start(wishes), _measure(wishes)]),
        "  compare:",
        "    if: github.event_name == 'pull_request'",
        *_github_job(
            "0",
            _compare(wishes, "${{ github.event.pull_request.base.sha }}", "${{ github.event.pull_request.head.sha }}"),
        ),
    ]
    return "\n".join(lines) + "\n"


def _github_job(depth: str, commands: Sequence[str]) -> list[str]:
    return [
        "    runs-on: ubuntu-latest",
        "    timeout-minutes: 30",
        "    steps:",
        "      - uses: actions/checkout@v4",
        f"        with: {{fetch-depth: {depth}}}",
        "      - uses: actions/setup-python@v5",
        '        with: {python-version: "3.12"}',
        '      - run: pip install "dbz-ops[load] @ git+$DBZ_REPOSITORY"',
        "      - run: |",
        *(f"          {command}" for command in commands),
        "      - uses: actions/upload-artifact@v4",
        "        if: always()",
        "        with:",
        "          name: reports-${{ github.job }}",
        "          path: reports",
    ]


def _gitlab(wishes: CiWishes) -> str:
    compared = _compare(wishes, "$CI_MERGE_REQUEST_DIFF_BASE_SHA", "$CI_COMMIT_SHA")
    lines = [
        _ABOUT,
        f"# DBZ_REPOSITORY, a variable of the project, says {_REPOSITORY}.",
        *([f"# Variables of the project too, masked: {', '.join(wishes.secrets)}."] if wishes.secrets else []),
        "budgets:",
        *_gitlab_job([*_start(wishes), _measure(wishes)], "reports/*/junit.xml"),
        "",
        "compare:",
        "  rules:",
        '    - if: $CI_PIPELINE_SOURCE == "merge_request_event"',
        *_gitlab_job(compared, "reports/head/*/junit.xml"),
    ]
    return "\n".join(lines) + "\n"


def _gitlab_job(commands: Sequence[str], junit: str) -> list[str]:
    return [
        "  image: python:3.12",
        "  script:",
        *(
            f"    - {json.dumps(command)}"
            for command in ('pip install "dbz-ops[load] @ git+$DBZ_REPOSITORY"', *commands)
        ),
        "  artifacts:",
        "    when: always",
        "    paths: [reports]",
        "    reports:",
        f"      junit: {junit}",
    ]
