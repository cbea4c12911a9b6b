"""Whatever a YAML file holds, loading it gives a model or a `ConfigError` that names file, line and fault."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbz.bounded import CONFIGURATION
from dbz.config.budgets import build_budgets
from dbz.config.bundled import bundled_folder
from dbz.config.load.profile import Profile
from dbz.config.phases.file import build_phases
from dbz.config.shards import build_shards
from dbz.config.source.model import build
from dbz.config.source.source import YamlSource, expanded, parse_yaml, read_yaml
from dbz.config.warmup import build_warmup
from dbz.errors import ConfigError, UsageError
from dbz.server.settings import Settings, load_settings
from tests.whole import WHOLE

CONFIGS = bundled_folder("configs")
KINDS: dict[str, tuple[Path, Callable[[YamlSource], Any]]] = {
    "budgets": (CONFIGS / "budgets" / "default.yaml", build_budgets),
    "profile": (CONFIGS / "profiles" / "mixed.yaml", lambda source: build(Profile, expanded(source, {}))),
    "phases": (CONFIGS / "phases.yaml", build_phases),
    "warmup": (CONFIGS / "warmup.yaml", build_warmup),
    "shards": (CONFIGS / "shards.yaml", build_shards),
    "server": (CONFIGS / "server.yaml", lambda source: build(Settings, source)),
}
ORIGINS = {kind: path.read_text() for kind, (path, _) in KINDS.items()}

ODD_SCALARS = [
    "2026-02-30", "0000-00-00", "2026-01-01", "0x_", "0b_", "0o8", ".inf", "-.inf", ".nan", "1e999", "1.0e+400",
    "9" * 4400, "9" * 90, "-1", "0", "1", "1_000", "10:30", "190:20:30.15", "yes", "null", "~", "''", '"\\0"',
    '"\\e[31mred"', '"\\ud800"', '"\\u202e"', '"a\\nb"', '"\\UFFFFFFFF"', "!!binary x", "!!set {a}",
    "!!omap [a: 1]", "!!int a", "!!bool a", "!!float a", "!!timestamp a", "!!python/object:os.system {}",
    "!own x", "{{ X }}", "{[a]: b}", "[]", "{}", "[[[]]]", "=", "<<", "9" * 32_000 + "s",
    "'" + "9" * 32_000 + "s'", "9" * 400 + "/s", "9" * 400 + "%", "9" * 400 + "GB", "CPU > 70% for 5 minutes",
    f"CPU > {'9' * 400}% for {'9' * 400} minutes", f"'< {'9' * 400}ms'", "'< 0ms'", "x" * 5_000, "${NOT_SET}",
    "*nothing", "&a [*a]", "|", "> text", "@", "`", "%YAML 1.1", "a: b: c", "- -", "? [a, b]", "\t", "\u00e9",
    "\U0001f3f8", "1e-400", "0.0000001",
]  # fmt: skip

scalars = st.sampled_from(ODD_SCALARS) | st.text(max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def loads_or_says_why(kind: str, text: str) -> str:
    """What the error says, empty for a model; any other exception fails the test."""
    message = ""
    try:
        KINDS[kind][1](parse_yaml(text, "f.yaml"))
    except ConfigError as error:
        message = error.message
    assert len(message) < 40_000
    assert all(re.match(r"f\.yaml:\d+: |    ", line) for line in message.splitlines()[:50]), message[:300]
    assert all(sign.isprintable() or sign == "\n" for sign in message), message[:300]
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundled_file_of_each_kind_loads(kind: str) -> None:
    assert loads_or_says_why(kind, ORIGINS[kind]) == ""


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(max_size=60) | st.lists(scalars, max_size=6).map("\n".join))
def test_any_text(kind: str, text: str) -> None:
    loads_or_says_why(kind, text)


@pytest.mark.parametrize("kind", KINDS)
@given(document=plain)
def test_any_document(kind: str, document: Any) -> None:
    loads_or_says_why(kind, yaml.safe_dump(document))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_good_file_with_any_value_in_the_place_of_another(kind: str, data: st.DataObject) -> None:
    document = yaml.safe_load(ORIGINS[kind])
    place, key = data.draw(st.sampled_from(_places(document)))
    place[key] = data.draw(plain)
    loads_or_says_why(kind, yaml.safe_dump(document, sort_keys=False))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_file_with_an_odd_text_in_the_place_of_a_value(kind: str) -> None:
    """With `make test` each text stands in two of the kinds."""
    chance = random.Random(kind)
    lines = ORIGINS[kind].splitlines()
    values = [number for number, line in enumerate(lines) if re.search(r"[:-] [^#{\[&*]+$", line.split(" #")[0])]
    mine = ODD_SCALARS if WHOLE else ODD_SCALARS[list(KINDS).index(kind) % 3 :: 3]
    for odd in mine:
        number = chance.choice(values)
        changed = re.sub(r"([:-] )[^:]*$", lambda match, odd=odd: match[1] + odd, lines[number].split(" #")[0])
        loads_or_says_why(kind, "\n".join([*lines[:number], changed, *lines[number + 1 :]]))


def _places(value: Any) -> list[tuple[Any, Any]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in items] + [place for _, item in items for place in _places(item)]


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join(10 * [f'*a{n - 1}'])}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (LAUGHS, 5, "aliases make more than 100,000"),
        (
            "a: &a {k: v}\n" + "".join(f"b{n}: &b{n} {{<<: [*a, *a]}}\n" for n in range(3)) + "x: *b2\n",
            1,
            "unknown key",
        ),
        ("a: 1\nb: &b\n  - *b\n", 2, "contains itself"),
        ("a: &a {<<: *a}\n", 1, "contains itself"),
        ("a: &a [" + "[" * 60 + "]" * 60 + "]\nb: &b [" + "[" * 60 + "*a" + "]" * 60 + "]\n", 2, "more than 100 deep"),
        ("\n" + "[" * 100_000, 2, "more than 100 deep"),
        ("a:\n" + "".join("  " * n + "- \n" for n in range(1, 3)) + "- ]", 4, "malformed YAML"),
        ("a: b\n---\nc: d\n", 2, "single document"),
        ("a: x\nb: \x00\n", 2, "U+0000"),
        ("a: x\nb: \x1b[31m\n", 2, "U+001B"),
        ('a: x\nb: "\\UFFFFFFFF"\n', 2, "malformed YAML"),
        ("%YAML " + "9" * 5000 + ".1\n---\na: 1", 1, "malformed YAML"),
        ("a: x\nb: !!int y\n", 2, "'y' is no valid number"),
        ("a: x\nb: !!set {y}\n", 2, "is not used here"),
        ("a: x\na: y\n", 2, "key 'a' is repeated"),
        ("a: x\n? [y]\n: z\n", 2, "cannot be a key"),
        ("", 1, "is not a mapping"),
        ("# a comment\n", 1, "is not a mapping"),
        ("- a\n", 1, "is not a mapping"),
    ],
)
def test_each_fault_has_its_line(text: str, line: int, says: str) -> None:
    for kind in KINDS:
        message = loads_or_says_why(kind, text)
        assert message.startswith(f"f.yaml:{line}: ") and says in message, message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('"\\e[31mred"', "control characters"),
        ('"two\\nlines"', "control characters"),
        ('"\\ud800"', "control characters"),
        ('"\\u202eevil"', "control characters"),
        ("x" * 100, "at most 80"),
    ],
)
def test_names_garble_no_terminal_and_no_table(value: str, says: str) -> None:
    text = f"schema: dbz.budgets/1\nbudgets:\n  - name: {value}\n    of: http\n    stat: p95\n    limit: '< 1s'\n"
    message = loads_or_says_why("budgets", text)
    assert message.startswith("f.yaml:3: ") and says in message, message


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "1.0e+400", "9" * 30, "9" * 200, "9" * 32_000 + "s"])
def test_numbers_have_an_end(value: str) -> None:
    for key in ("users", "duration", "rate", "seed"):
        text = f"schema: dbz.profile/1\nname: a\nscenario: api\nusers: 1\n{key}: {value}\n".replace(
            "users: 1\nusers", "users"
        )
        assert loads_or_says_why("profile", text).startswith("f.yaml:"), key


LARGE = {
    "keys": "a: 1\n" * 40_000,
    "dashes": "- " * 200_000,
    "questions": "? " * 200_000,
    "quotes": "'" * 500_000,
    "aliases": "a: &a x\nb: [" + "*a, " * 120_000 + "]",
    "long": "x" * 500_000,
    "sixty": "1:" * 250_000 + "1",
    "braces": "{a: " * 120_000,
    "anchors": "&a " * 150_000,
    "tags": "!" * 500_000,
    "lines": "\n" * 500_000,
    "items": "- a\n" * 60_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_large_text_is_refused_in_time(text: str) -> None:
    began_s = time.process_time()
    assert loads_or_says_why("budgets", text)
    assert time.process_time() - began_s < 40


def test_what_is_no_file_of_ours_is_refused_at_once(tmp_path: Path) -> None:
    fifo, large, latin, empty = (tmp_path / name for name in ("fifo", "large", "latin", "empty"))
    os.mkfifo(fifo)
    large.write_text("a" * (CONFIGURATION.most_bytes + 1))
    latin.write_bytes("a: 1\nb: é\n".encode("latin-1"))
    empty.write_bytes(b"")
    wide = tmp_path / "wide"
    wide.write_bytes("a: 1\n".encode("utf-16"))
    says = {
        fifo: "is a pipe", latin: "it is not UTF-8", wide: "not UTF-8",
        tmp_path: "is a folder", Path("/dev/zero"): "is a pipe or a device", tmp_path / "none": "does not exist",
        tmp_path / ("n" * 300): "cannot be read", Path("a\0b"): "does not exist",
    }  # fmt: skip
    for path, fault in says.items():
        with pytest.raises(ConfigError, match=re.escape(fault)):
            read_yaml(path)
        with pytest.raises(ConfigError, match=re.escape(fault)):
            load_settings(path, {})
    for read in (read_yaml, lambda path: load_settings(path, {})):
        with pytest.raises(UsageError, match="large is not read: it has 512 KB"):
            read(large)
    with pytest.raises(ConfigError, match="latin:2: "):
        read_yaml(latin)
    assert read_yaml(empty).data is None and load_settings(empty, {}) == Settings()


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + ORIGINS["budgets"].encode())
    assert build_budgets(read_yaml(path))


def test_keys_are_named_by_their_text() -> None:
    """As in JSON: `on`, `200` and dates are names like others, also where YAML 1.1 reads them as something else."""
    assert parse_yaml("on: 1\n200: 2\n2026-01-01: 3\n~: 4\n", "f").data == {"on": 1, "200": 2, "2026-01-01": 3, "~": 4}


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("{name: no, of: http, stat: p95, limit: '< 1s'}", "not False; quote it if it is a text"),
        ("{name: 010, of: http, stat: p95, limit: '< 1s'}", "not 8; quote it if it is a text"),
        ("{name: 2026-01-01, of: http, stat: p95, limit: '< 1s'}", "not 2026-01-01; quote it if it is a text"),
        ("{name: a, of: http, stat: p95, limit: '< 1s', min_samples: on}", "min_samples: should be a number, not yes"),
        ("{name: a, of: [http], stat: p95, limit: '< 1s'}", "not a list"),
        ("{name: a, of: http{op=GET /a}, stat: p95, limit: '< 1s'}", "quote a value with { } in it"),
        ("\n    name: a\n    of: http\n    stat: count\n    limit: > 500\n", "quote a value that begins with > or |"),
        ("\n    name: a\n    of: http\n    stat: count\n    limit: >= 500\n", "quote a value that begins with > or |"),
        ("\n\t name: a\n", "indent with spaces"),
    ],
)
def test_what_people_write_without_quotes_is_told_with_what_to_do(budget: str, said: str) -> None:
    assert said in loads_or_says_why("budgets", f"schema: dbz.budgets/1\nbudgets:\n  - {budget}\n")


def test_no_number_of_any_file_is_a_yes() -> None:
    """Python takes yes for 1: `users: on` was a load of one user."""
    for key in ("users", "seed", "speed", "workers"):
        values = {"schema": "dbz.profile/1", "name": "x", "duration": "10s", "users": "5"} | {key: "on"}
        text = "".join(f"{name}: {value}\n" for name, value in values.items())
        assert f"{key}: should be a number" in loads_or_says_why("profile", text)
