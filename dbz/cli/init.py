"""`dbz init`: a small project for a service of one's own, written, measured once and judged."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dbz.cli.interrupts import Interrupts
from dbz.cli.load.command import carry_out_run
from dbz.cli.load.options import OutputOptions
from dbz.cli.load.repeats import carry_out_repeatedly
from dbz.cli.options import AllowTarget
from dbz.errors import UsageError
from dbz.masking import USER_VARIABLE, masked_url, user_of, without_user, written_url

if TYPE_CHECKING:
    from dbz.bring.project.material import Material
    from dbz.load.planning.plan import LoadPlan
    from dbz.runs.schema import Run

_FIRST_S, _LONGEST_FIRST_S = 5.0, 20.0
"""A measurement of init lasts so long at least, and at most: long enough for a session where that is possible."""
_MOST_TOLD = 8
_KINDS = ("profile", "budgets")
"""The YAML files of a project, each with its schema for editors."""


@dataclass(frozen=True)
class _Wishes:
    """What the user wants, told by options or at the terminal."""

    folder: Path
    source: str
    target: str
    allowed: Sequence[str]
    start: str
    ci: str


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the project is written.")] = Path(),
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="URL|FILE", help="A running server, or what dbz import reads, or a Locust file."
        ),
    ] = "",
    target: Annotated[str, typer.Option(metavar="URL", help="The server to load, where --from names another.")] = "",
    allow_target: AllowTarget = None,
    start: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="What starts the server in CI, like 'node server.js'.")
    ] = None,
    ci: Annotated[Literal["github", "gitlab", "none"], typer.Option(help="For which CI a file is written.")] = "github",
) -> None:
    """Write a small project for your own service, and judge a first run of it.

    Writes scenario.py, profile.yaml, budgets.yaml with limits from a first measurement, .gitignore and a file for CI;
    never over a file that is there. Of a server that is asked by its URL the description of its API is used where it
    serves one (/openapi.json and the like). What is missing is asked for at a terminal.

    \b
    Examples:
      dbz init --from http://127.0.0.1:3000
      dbz init load --from openapi.json --target http://127.0.0.1:8080
      dbz init --from session.har --start 'node server.js'
      dbz init --from locustfile.py --ci gitlab

    Exit codes are those of the run at the end; after 2, 3 and 130 nothing was written.
    """
    wishes = _completed(folder, source, target, allow_target or [], start, ci)
    with Interrupts("before anything was written; nothing is left running").watch() as interrupts:
        material = _material(wishes)
        paths = _paths(wishes, material)
        from dbz.bring.project.placing import place, refuse_existing

        refuse_existing(paths.values())
        _provide_secrets(material)
        material, texts = _tried_and_measured(wishes, material)
        files = {path: texts[name] for name, path in paths.items()}
        place(files)
        for line in _summary(wishes, files, material):
            typer.echo(line)
        plan = _plan(wishes.folder / "profile.yaml", wishes.allowed, _length_s(material))
        output = OutputOptions(out=wishes.folder / "reports")
        code = carry_out_repeatedly(plan, 1, lambda plan, number: carry_out_run(plan, output, interrupts, number, 1))
    raise typer.Exit(code)


def _completed(folder: Path, source: str, target: str, allowed: Sequence[str], start: str | None, ci: str) -> _Wishes:
    """The wishes, with what is missing asked for at a terminal; `UsageError` when nobody is there to ask."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", code="E005")
    asking = sys.stdin.isatty()
    if not (source or target):
        if not asking:
            raise UsageError(
                "init of what? There is nobody to ask", hint="--from URL or FILE, or --target URL", code="E004"
            )
        source = typer.prompt("What is to be loaded? A URL, or a file (OpenAPI, HAR, log, Postman, Locust)", err=True)
    if start is None and asking and ci != "none":
        start = typer.prompt("Which command starts it in CI? (empty: later)", default="", show_default=False, err=True)
    if not Path(source).exists() and re.fullmatch(r"[\w.-]+:\d+(/.*)?", source):
        source = f"http://{source}"
    return _Wishes(folder, source or target, target.rstrip("/"), allowed, (start or "").strip(), ci)


def _material(wishes: _Wishes) -> Material:
    from dbz.bring.project.material import material_of_file, material_of_url, plain_paths
    from dbz.bring.project.texts import OwnPaths
    from dbz.load.target.allowed_hosts import check_target, reach
    from dbz.load.target.description import find_description
    from dbz.targets.places import find_health, find_metrics

    if "://" in wishes.source:
        check_target(wishes.source, wishes.allowed)
        served = find_description(wishes.source)
        material = material_of_url(wishes.source, served.url, served.document, wishes.target)
    else:
        material = material_of_file(wishes.source, wishes.target)
        if material.locust_file and not material.target:
            material = replace(material, target=_host_of(material.locust_file, wishes.allowed))
    material = replace(material, target=check_target(material.target, wishes.allowed))
    reach(material.target)
    described = plain_paths(material.script) if material.script else []
    paths = OwnPaths(find_health(material.target, described), find_metrics(material.target))
    return replace(material, paths=paths)


def _host_of(locust_file: Path, allowed: Sequence[str]) -> str:
    from dbz.load.locust_file import look_into

    host = look_into(locust_file, allowed).host
    if not host:
        raise UsageError(f"{locust_file} names no host", hint="say which: --target URL", code="B006")
    return host


def _paths(wishes: _Wishes, material: Material) -> dict[str, Path]:
    """Where each file goes. A .gitignore that is there stays, and CI finds its files at the root of a repository."""
    from dbz.bring.project.texts import schema_path

    names = ["profile.yaml", "budgets.yaml", *(["scenario.py"] if material.script else [])]
    paths = {name: wishes.folder / name for name in (*names, *map(schema_path, _KINDS))}
    if not (wishes.folder / ".gitignore").exists():
        paths[".gitignore"] = wishes.folder / ".gitignore"
    root = _root(wishes.folder)
    if wishes.ci == "github":
        paths["ci"] = _free(root / ".github" / "workflows" / "load.yml", wishes.folder)
    elif wishes.ci == "gitlab":
        taken = (root / ".gitlab-ci.yml").exists()
        paths["ci"] = _free(root / ".gitlab" / "load.yml", wishes.folder) if taken else root / ".gitlab-ci.yml"
    return paths


def _free(path: Path, folder: Path) -> Path:
    """The path of a file for CI: with the name of the project in it where another project has the plain one."""
    return path.with_stem(f"{path.stem}-{folder.absolute().name}") if path.exists() else path


def _root(folder: Path) -> Path:
    """The root of the repository around a folder; the folder itself where there is none."""
    whole = folder.absolute()
    return next((one for one in (whole, *whole.parents) if (one / ".git").exists()), folder)


def _provide_secrets(material: Material) -> None:
    """Give the runs of this command the secrets that the material had; others must be set, or are asked for."""
    script = material.script
    if user := user_of(material.target):
        os.environ[USER_VARIABLE] = user
    for name in script.secrets if script else ():
        if os.environ.get(name):
            continue
        known = script.secret_values.get(name) if script else None
        if not known and not sys.stdin.isatty():
            raise UsageError(
                f"{material.about} asks for a secret: the environment variable {name} is not set",
                hint=f"set {name}, and repeat this command",
                code="E010",
            )
        os.environ[name] = known or typer.prompt(f"{name} (not shown, and not written down)", hide_input=True, err=True)


def _tried_and_measured(wishes: _Wishes, material: Material) -> tuple[Material, dict[str, str]]:
    """What works of the material, and the text of each file, with limits from a first measurement."""
    from dbz.bring.project.limits import budgets_text
    from dbz.bring.project.trial import left_out
    from dbz.load.rehearsal import rehearse

    texts = _texts(wishes, material)
    with TemporaryDirectory(prefix="dbz-init-") as name:
        staged = Path(name)
        typer.echo(f"One user does everything once on {masked_url(material.target)} …", err=True)
        _stage(staged, texts, material)
        told = rehearse(_plan(staged / "profile.yaml", wishes.allowed, _length_s(material)), lambda: False)
        failing = left_out(material, told)
        if failing and material.script:
            script = replace(material.script, left_out=failing)
            material = replace(material, script=script)
            texts = _texts(wishes, material)
            _stage(staged, texts, material)
        typer.echo("A first measurement, from which limits are proposed …", err=True)
        first = _measured(_plan(staged / "profile.yaml", wishes.allowed, _length_s(material)), staged / "first")
    return material, {**texts, "budgets.yaml": budgets_text(first)}


def _texts(wishes: _Wishes, material: Material) -> dict[str, str]:
    from dbz.bring.project import texts
    from dbz.bring.project.limits import budgets_text
    from dbz.bring.project.material import size_of
    from dbz.bring.writing.scenario import scenario_text
    from dbz.config.schemas import config_schema_text

    scenario, root, script = "scenario.py", _root(wishes.folder), material.script
    if material.locust_file:
        scenario = os.path.relpath(material.locust_file, wishes.folder)
    inside = os.path.relpath(wishes.folder, root)
    prefix = "" if inside == "." else f"{inside}/"
    files = [f"{prefix}{name}" for name in ("profile.yaml", "scenario.py", "budgets.yaml")] if script else []
    wanted = texts.CiWishes(
        f"{prefix}profile.yaml", without_user(material.target), wishes.start, _variables(material), files
    )
    return {
        "scenario.py": scenario_text(script, f"Made from {masked_url(material.about)} by dbz init.") if script else "",
        "profile.yaml": texts.profile_text(
            written_url(material.target), scenario, size_of(material), wishes.allowed, material.paths
        ),
        **{texts.schema_path(kind): config_schema_text(kind) for kind in _KINDS},
        "budgets.yaml": budgets_text(None),
        ".gitignore": texts.GITIGNORE,
        "ci": "" if wishes.ci == texts.NO_CI else texts.ci_text(wishes.ci, wanted),
    }


def _variables(material: Material) -> list[str]:
    """The variables with secrets that a run needs: those of the scenario, and user and password of the target."""
    script = material.script
    return [*(script.secrets if script else ()), *([USER_VARIABLE] if user_of(material.target) else [])]


def _stage(folder: Path, texts: Mapping[str, str], material: Material) -> None:
    """Write into a scratch folder what a run needs; a Locust file is used where it lies."""
    profile = texts["profile.yaml"]
    if material.locust_file:
        scenario = json.dumps(str(material.locust_file.absolute()), ensure_ascii=False)
        profile = re.sub(r"(?m)^scenario: .*$", lambda _: f"scenario: {scenario}", profile)
    for name, text in {**texts, "profile.yaml": profile}.items():
        if name in ("profile.yaml", "budgets.yaml", "scenario.py"):
            (folder / name).write_text(text, encoding="utf-8")


def _plan(profile: Path, allowed: Sequence[str], length_s: float) -> LoadPlan:
    from dbz.load.planning.plan import LoadRequest, plan_load

    overrides = {"duration": f"{length_s:g}s", "warmup": "1s"}
    return plan_load(LoadRequest(str(profile), overrides=overrides, allowed_targets=allowed))


def _length_s(material: Material) -> float:
    from dbz.bring.project.material import session_s

    script = material.script
    if script is None or not script.recorded:
        return _FIRST_S
    return min(max(_FIRST_S, session_s(script) * 1.3), _LONGEST_FIRST_S)


def _measured(plan: LoadPlan, folder: Path) -> Run:
    from dbz.load.run import Surroundings, run_load
    from dbz.runs.storage.folder import create_run_folder

    around = Surroundings(lambda *_: None, lambda: None, lambda: False)
    return run_load(plan, create_run_folder(folder, "first"), around)


def _summary(wishes: _Wishes, files: Mapping[Path, str], material: Material) -> list[str]:
    """What was written, and what the user must know of it."""
    script = material.script
    lines = [f"written: {', '.join(os.path.relpath(path) for path in files)}"]
    left_out = list(script.left_out.items()) if script else []
    if left_out:
        lines.append(f"left out in scenario.py, since they failed when tried ({len(left_out)} operations):")
        lines += [f"  {name}: {reason}" for name, reason in left_out[:_MOST_TOLD]]
    if wishes.folder / ".gitignore" not in files:
        lines.append(".gitignore is yours, and was left as it is: add reports/")
    for path in files:
        if path.parent.name == ".gitlab":
            lines.append(f"in .gitlab-ci.yml: include: {{local: .gitlab/{path.name}}}")
    if variables := _variables(material):
        lines.append(f"set before each run: {', '.join(variables)}")
    lines.append(f"next: dbz load {os.path.relpath(wishes.folder / 'profile.yaml')}; the limits are in budgets.yaml")
    return lines
