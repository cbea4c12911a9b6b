"""What is brought is data: no text of it becomes code in a scenario, or another key in a profile."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbz.bring.choosing import Choice
from dbz.bring.files.opening import read_files
from dbz.bring.replay import replay_of
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from dbz.errors import DbzError

EVIL = st.lists(
    st.sampled_from(
        [
            "\n",
            "\r",
            "\u2028",
            "\x0c",
            "\\",
            '"',
            "'",
            '"""',
            "'''",
            "{",
            "}",
            "PWNED()",
            "import os",
            "#",
            " ",
            "%",
            "$",
            "a",
            "/",
            "é",
        ]
    ),
    max_size=12,
).map("".join)


def har(evil: str) -> str:
    request = {
        "method": "POST", "url": f"http://127.0.0.1:1/a/{evil}?{evil}={evil}",
        "headers": [{"name": "X-Evil", "value": evil}, {"name": f"X{evil}", "value": "1"}],
        "postData": {"mimeType": "application/json", "text": json.dumps({evil: evil})},
    }  # fmt: skip
    response = {
        "status": 200,
        "headers": [],
        "content": {"mimeType": "application/json", "text": json.dumps({"id": evil})},
    }
    entry = {"startedDateTime": "2026-10-10T13:55:36Z", "time": 1, "request": request, "response": response}
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}})


def openapi(evil: str) -> str:
    operation = {
        "operationId": evil, "summary": evil, "responses": {"200": {"description": evil}},
        "parameters": [{"name": evil or "x", "in": "query", "schema": {"type": "string", "default": evil}}],
        "requestBody": {"content": {"application/json": {"example": {evil: evil}}}},
    }  # fmt: skip
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": evil},
            "servers": [{"url": "http://127.0.0.1:1"}],
            "paths": {f"/a/{evil}": {"post": operation}},
        }
    )


def postman(evil: str) -> str:
    request = {"method": "POST", "url": {"raw": f"http://127.0.0.1:1/{evil}"}, "body": {"mode": "raw", "raw": evil}}
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    return json.dumps({"info": {"name": evil, "schema": schema}, "item": [{"name": evil, "request": request}]})


def log(evil: str) -> str:
    line = {"time": "2026-10-10T13:55:36Z", "method": "GET", "path": f"/{evil}", "status": 200, "request_time": 0.1}
    return "\n".join(json.dumps({**line, "user_agent": evil, "host": evil}) for _ in range(3))


@pytest.mark.parametrize(
    ("name", "material"), [("s.har", har), ("o.json", openapi), ("p.json", postman), ("l.log", log)]
)
@given(evil=EVIL, named=EVIL)
def test_what_is_made_calls_nothing_that_the_material_names(
    tmp_path_factory: pytest.TempPathFactory, name: str, material: Callable[[str], str], evil: str, named: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_text(material(evil), encoding="utf-8")
    try:
        script = script_of(read_files([str(path)]), Choice(""))
    except DbzError:
        return
    for text in (scenario_text(script, f"Made from {named} by dbz import."),):
        harmless(text)


@given(evil=EVIL, named=EVIL)
def test_a_replayed_log_names_nothing_but_data(tmp_path_factory: pytest.TempPathFactory, evil: str, named: str) -> None:
    path = tmp_path_factory.getbasetemp() / "replayed.log"
    path.write_text(log(evil), encoding="utf-8")
    try:
        made = replay_of(read_files([str(path)]), Choice(""), named, Path(named or "x").stem, 1.0)
    except DbzError:
        return
    harmless(made.scenario)
    keys = {"schema", "name", "target", "scenario", "arrivals", "speed", "users", "duration", "warmup", "budgets"}
    assert set(yaml.safe_load(made.profile)) <= keys
    assert all(isinstance(json.loads(line), dict) for line in made.arrivals.strip("\n").split("\n"))


def harmless(text: str) -> None:
    tree = ast.parse(text)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert "PWNED" not in names and not set(imported) - {"re"}
