"""Errors have codes: printed, explained, in JSON for programs; and what the register advises exists."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from dbz.codes.register import KINDS, REGISTER, find_kind
from dbz.errors import ExitCode, UsageError
from tests.cli.commands import is_known_command
from tests.cli.running import dbz

ROOT = Path(__file__).parents[2]
QUOTED = re.compile(r"`(dbz [^`]+)`")


def test_what_the_register_advises_exists() -> None:
    advised = {text for kind in KINDS for text in QUOTED.findall(f"{kind.cause} {kind.cure}")}
    assert len(advised) > 20
    assert [text for text in sorted(advised) if not is_known_command(text)] == []
    pages = {page for kind in KINDS for page in re.findall(r"(?:docs|configs)/[\w.-]+", f"{kind.cause} {kind.cure}")}
    assert [page for page in pages if not (ROOT / page.rstrip(".")).exists()] == []


def test_the_register_is_written_in_whole_sentences() -> None:
    assert [kind.code for kind in KINDS if not (kind.cause.endswith(".") and kind.cure.endswith((".", "?")))] == []
    assert len({kind.title for kind in KINDS}) == len(KINDS) == len(REGISTER)


@pytest.mark.parametrize("text", ["DBZ-L002", "dbz-l002", "L002", " l002 ", "L2", "DBZ-l02"])
def test_a_code_is_found_however_it_is_written(text: str) -> None:
    assert find_kind(text) is REGISTER["L002"]


@pytest.mark.parametrize(("text", "near"), [("LOO2", "L002"), ("DBZ-L0002X", "L002"), ("E999", "E009")])
def test_a_wrong_code_has_a_nearest_one(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"did you mean 'DBZ-{near[0]}"):
        find_kind(text)


@pytest.mark.parametrize("text", ["", "L", "\0", "²²²²", "L٣", "🏸", "a" * 100_000, "DBZ-"])
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="there is no error"):
        find_kind(text)


def test_an_error_says_its_code_and_explain_explains_it(tmp_path: Path) -> None:
    refused = dbz("load", "http://somewhere.example/", cwd=tmp_path)
    first, hint = refused.stderr.splitlines()
    assert refused.returncode == ExitCode.USAGE and hint.startswith("     ")
    code = re.fullmatch(r"dbz: .+ \[(DBZ-L002)\]", first)
    assert code, first
    told = dbz("explain", code[1].lower(), cwd=tmp_path)
    assert told.returncode == 0 and "--allow-target HOST" in told.stdout


def test_of_many_problems_the_first_line_has_the_code(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("schema: dbz.profile/1\nnam: x\nuser: 3\n")
    lines = dbz("load", "p.yaml", cwd=tmp_path).stderr.splitlines()
    assert lines[0].endswith(" [DBZ-E008]") and len(lines) > 2
    assert not any("[DBZ-" in line for line in lines[1:])


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["load", "http://somewhere.example/"], "DBZ-L002", 2),
        (["load", "api", "--target", "http://127.0.0.1:1"], "DBZ-L003", 3),
        (["scale", "status", "--nonsense"], "DBZ-E001", 2),
        (["report", "show", "nothing"], "DBZ-R001", 2),
    ],
)
def test_with_json_an_error_is_one_line_of_json(tmp_path: Path, words: list[str], code: str, exit_code: int) -> None:
    plain = dbz(*words, cwd=tmp_path)
    done = dbz(*words, "--json", cwd=tmp_path)
    assert done.stdout == "" and done.returncode == plain.returncode == exit_code
    error = json.loads(done.stderr.splitlines()[-1])
    assert set(error) == {"schema", "code", "message", "hint", "exit_code", "next_steps"}
    assert (error["schema"], error["code"], error["exit_code"]) == ("dbz.error/1", code, exit_code)
    assert f"{error['message'].splitlines()[0]} [{code}]" in plain.stderr
    assert error["next_steps"][-1] == f"dbz explain {code}"
    assert all(is_known_command(step) for step in error["next_steps"])


def test_only_options_ask_for_json(tmp_path: Path) -> None:
    said = dbz("report", "show", "--", "--json", cwd=tmp_path).stderr
    assert said.startswith("dbz: ") and "[DBZ-R001]" in said


def test_all_codes_as_json(tmp_path: Path) -> None:
    listed = json.loads(dbz("explain", "--json", cwd=tmp_path).stdout)
    assert [row["code"] for row in listed["codes"]] == [kind.shown for kind in KINDS]
    assert {row["exit_code"] for row in listed["codes"]} == set(map(int, ExitCode)) - {0}


@pytest.fixture(scope="module")
def error_codes():
    spec = importlib.util.spec_from_file_location("error_codes", ROOT / "docs" / "error_codes.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_program_raises_exactly_the_codes_of_the_register(error_codes) -> None:
    assert error_codes.faults_of_codes(ROOT / "dbz") == []


def test_wrong_codes_in_a_program_are_found(error_codes, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        'class OddError(UsageError): ...\nUsageError("x", code="E099")\nOddError("x", code="E014")\n'
        'DependencyError("x", code="E014")\n'
    )
    faults = error_codes.faults_of_codes(tmp_path)
    assert f"{tmp_path}/a.py:2: the code E099 is not in dbz/codes" in faults
    assert f"{tmp_path}/a.py:3: OddError ends with 2, DBZ-E014 with 3" in faults
    assert sum("nothing raises it" in fault for fault in faults) == len(KINDS) - 1
    assert len(faults) == len(KINDS) + 1
