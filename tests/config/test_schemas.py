"""The JSON Schemas of the YAML files say what the models say: bundled files fit, and what is of a wrong type not."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from dbz.cli.schema import schema_texts
from dbz.config.load.profile import load_profile
from dbz.config.schemas import CONFIG_MODELS, config_schema, config_schema_text
from dbz.config.source.source import read_yaml
from dbz.errors import ExitCode, UsageError
from tests.cli.running import dbz

ROOT = Path(__file__).parents[2]
KINDS = {
    "profile": "configs/profiles/*.yaml",
    "budgets": "configs/budgets/*.yaml",
    "behaviour": "scenarios/phone.yaml",
    "phases": "configs/phases.yaml",
    "shards": "configs/shards.yaml",
    "warmup": "configs/warmup.yaml",
    "monitor": "configs/monitor.yaml",
    "monitor-test": "configs/monitor-test.yaml",
}
FILES = [(kind, path) for kind, pattern in KINDS.items() for path in sorted(ROOT.glob(pattern))]
DOCUMENTS = [(kind, read_yaml(path).data) for kind, path in FILES]
FULL_PROFILE = {
    "schema": "dbz.profile/1",
    "name": "x",
    "scenario": "mixed",
    "users": 5,
    "rate": "20/s",
    "stages": [{"to": "200/s", "over": "1m"}, {"to": 3, "over": "10s"}],
    "lost_workers": 0,
    "allowed_targets": ["a"],
    "health": "/status",
    "metrics": {"url": ["/a", "/b"], "cpu": {"name": "c", "unit": "percent"}, "memory": "m_bytes", "cores": 2.5},
    "stack": {"clubs": 2},
}
DOCUMENTS.append(("profile", FULL_PROFILE))
LEARNT = {
    "schema": "dbz.behaviour/1",
    "start": {"GET /a": "75%", "GET /b": "25%"},
    "between": "3s",
    "screens": {
        "GET /a": {"think": {"0%": "1s", "50%": "2s", "100%": "1m"}, "next": {"GET /b": "60%", "end": "40%"}},
        "GET /b": {"think": ["1s", "2s"], "next": {"end": "100%"}},
    },
}
DOCUMENTS.append(("behaviour", LEARNT))


@functools.cache
def validator(kind: str) -> Draft202012Validator:
    """What judges documents of a kind by its schema."""
    return Draft202012Validator(config_schema(kind))


@pytest.mark.parametrize(("kind", "path"), FILES, ids=lambda one: one if isinstance(one, str) else one.stem)
def test_a_bundled_file_fits_its_schema_and_names_it(kind: str, path: Path) -> None:
    assert not list(validator(kind).iter_errors(read_yaml(path).data))
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert named and (path.parent / named[1]).resolve() == ROOT / "docs" / "schemas" / f"{kind}.schema.json"


def test_the_settings_of_the_server_fit_their_schema_and_name_it() -> None:
    path, text = ROOT / "configs" / "server.yaml", schema_texts()["server"]
    of_server = Draft202012Validator(json.loads(text))
    document = read_yaml(path).data
    assert not list(of_server.iter_errors(document)) and '"jwt_secret"' not in text
    assert list(of_server.iter_errors({**document, "http": {"prot": 80}}))
    assert path.read_text().startswith("# yaml-language-server: $schema=../docs/schemas/server.schema.json\n")
    assert (ROOT / "docs" / "schemas" / "server.schema.json").read_text() == text


def test_a_behaviour_that_is_learnt_fits_its_schema() -> None:
    assert not list(validator("behaviour").iter_errors(LEARNT))


def test_a_label_may_have_one_value_or_several() -> None:
    for labels in ({"team": "chat"}, {"team": ["chat", "game"]}):
        monitor = {**read_yaml(ROOT / "configs" / "monitor.yaml").data, "mute": [{"from": "22:00", "to": "07:00"}]}
        monitor["mute"][0]["labels"] = labels
        assert not list(validator("monitor").iter_errors(monitor))


@pytest.mark.parametrize("kind", CONFIG_MODELS)
def test_a_schema_is_one_and_stands_in_the_documentation(kind: str) -> None:
    Draft202012Validator.check_schema(config_schema(kind))
    assert (ROOT / "docs" / "schemas" / f"{kind}.schema.json").read_text() == config_schema_text(kind)


def places(value: Any, location: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield location
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*location, key))


def changed(document: Any, location: tuple[Any, ...], value: Any) -> Any:
    if not location:
        return value
    document = copy.deepcopy(document)
    inner = document
    for key in location[:-1]:
        inner = inner[key]
    inner[location[-1]] = value
    return document


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-2, 2),
    st.sampled_from(["", "x", "5s", "70%", "10/s"]),
    st.lists(st.one_of(st.integers(0, 3), st.text(max_size=2)), max_size=2),
    st.dictionaries(st.sampled_from(["a", "name", "unknown"]), st.integers(0, 3), max_size=2),
)
OF_TYPE = re.compile(r"_type$|^extra_forbidden$|^missing$|^literal_error$|^enum$|_parsing$")


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(DOCUMENTS), st.data(), ANYTHING)
def test_what_the_model_refuses_for_its_type_the_schema_refuses(
    chosen: tuple[str, Any], data: st.DataObject, value: Any
) -> None:
    kind, document = chosen
    bad = changed(document, data.draw(st.sampled_from(sorted(places(document), key=str))), value)
    try:
        CONFIG_MODELS[kind].model_validate(bad)
    except ValidationError as error:
        if any(OF_TYPE.search(one["type"]) for one in error.errors()):
            assert list(validator(kind).iter_errors(bad)), bad


def test_keys_of_another_pattern_are_refused_by_both() -> None:
    good = {"schema": "dbz.behaviour/1", "screens": {"home": {"next": {"end": "100%"}}}}
    for between, is_good in (({"50%": "1s"}, True), ({"a": 0}, False), ({"half": "1s"}, False)):
        document = {**good, "between": between}
        assert validator("behaviour").is_valid(document) == is_good
        if not is_good:
            with pytest.raises(ValidationError):
                CONFIG_MODELS["behaviour"].model_validate(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [("duration", 60), ("rate", 20), ("duration", "60"), ("rate", "20"), ("healthy", "/x"), ("users", [1])],
)
def test_a_number_without_its_unit_and_an_unknown_key_are_refused(key: str, value: Any) -> None:
    assert list(validator("profile").iter_errors({**FULL_PROFILE, key: value}))


def test_defaults_are_written_as_people_write_them() -> None:
    keys = config_schema("profile")["properties"]
    assert (keys["duration"]["default"], keys["warmup"]["default"]) == ("1m", "10s")
    assert config_schema("phases")["$defs"]["Scaling"]["properties"]["memory_per_server"]["default"] == "1024MiB"
    assert all(part.get("description") for part in keys.values())


def test_the_command_prints_it_and_names_the_kinds(tmp_path: Path) -> None:
    done = dbz("schema", "budgets", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.OK, config_schema_text("budgets"))
    with pytest.raises(UsageError, match="known: profile, budgets, phases, shards, warmup"):
        config_schema("profiles")


def test_the_example_of_the_page_is_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "profiles.md").read_text()
    example = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / "profile.yaml").write_text(example)
    monkeypatch.setenv("STAGING_URL", "https://staging.example.org")
    profile = load_profile(str(tmp_path / "profile.yaml"))
    assert profile.metrics.cores == 4 and profile.health == "/status"
    assert not list(validator("profile").iter_errors(read_yaml(tmp_path / "profile.yaml").data))
