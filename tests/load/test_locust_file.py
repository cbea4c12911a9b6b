"""The hosts of a Locust file are found as Locust finds them, by running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.errors import UsageError
from dbz.load.locust_file import look_into
from dbz.load.planning.plan import LoadRequest, plan_load
from tests.whole import some

A, B = "http://127.0.0.1:3400", "http://127.0.0.1:3100"
USER = """
from locust import HttpUser, FastHttpUser, User, LoadTestShape, constant, task
class U(HttpUser):
    {}
    @task
    def t(self): self.client.get("/")
"""
SOURCES = {
    "a constant": USER.format(f"host = '{A}'"),
    "a variable": f"BASE = '{A}'" + USER.format("host = BASE"),
    "put together": USER.format("host = 'http://127.0.0.1:%d' % (3000 + 400)"),
    "the environment": "import os" + USER.format("host = os.environ.get('MY_APP', 'http://127.0.0.1:1')"),
    "a default where the environment is silent": "import os" + USER.format(f"host = os.environ.get('NOT_SET', '{A}')"),
    "a base class of another module": "from common import Base" + USER.format("").replace("(HttpUser)", "(Base)"),
    "an annotated attribute": USER.format(f"host: str = '{A}'"),
    "set after the class": USER.format("") + f"U.host = '{A}'",
    "a class that is no user": "class Settings:\n    host = 'db.internal'" + USER.format(f"host = '{A}'"),
    "an abstract class": USER.format(f"host = '{A}'")
    + "class V(HttpUser):\n    abstract = True\n    host = 'http://x'",
    "a class that is never spawned": USER.format(f"host = '{A}'") + f"class V(HttpUser):\n    host='{B}'\n    weight=0",
    "LOCUST_HOST": USER.format(""),
    "locust.conf": USER.format(""),
    "pyproject.toml": USER.format(f"host = '{B}'"),
}
BESIDE = {
    "a base class of another module": (
        "common.py",
        f"from locust import HttpUser\nclass Base(HttpUser):\n    abstract = True\n    host = '{A}'",
    ),
    "locust.conf": ("locust.conf", f"# ours\nhost = {A}\nusers = 7\nour-own-option = 1\n"),
    "pyproject.toml": ("pyproject.toml", f'[tool.locust]\nhost = "{A}"\n'),
}


ALIKE = ("put together", "a constant", "a variable", "an annotated attribute", "set after the class")
"""Where running the file is all that it takes."""


@pytest.mark.parametrize("where", [*some(ALIKE, 1), *(where for where in SOURCES if where not in ALIKE)])
def test_the_host_is_where_locust_finds_it(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(SOURCES[where])
    if where in BESIDE:
        (tmp_path / BESIDE[where][0]).write_text(BESIDE[where][1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MY_APP", A)
    if where == "LOCUST_HOST":
        monkeypatch.setenv("LOCUST_HOST", A)
    plan = plan_load(LoadRequest("mine.py"))
    assert (plan.target, plan.embedded) == (A, False)


def test_each_class_keeps_its_own_host_unless_a_target_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(USER.format(f"host = '{A}'") + f"class V(FastHttpUser):\n    host = '{B}'")
    plan = plan_load(LoadRequest(str(path)))
    assert (plan.target, plan.hosts) == (A, (A, B))
    plan = plan_load(LoadRequest(str(path), target=B))
    assert (plan.target, plan.hosts) == (B, ())


def test_a_class_without_a_host_beside_others_that_have_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(USER.format(f"host = '{A}'") + "class Lost(HttpUser):\n    weight = 2\nclass Own(User):\n    pass")
    with pytest.raises(UsageError, match="Lost has no host"):
        plan_load(LoadRequest(str(path)))


@pytest.mark.parametrize("host", ["http://shop.example", "shop.example:50051", "https://127.0.0.1.example"])
def test_no_class_leads_the_load_to_a_host_that_nobody_allowed(host: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(USER.format(f"host = '{A}'") + f"class V(User):\n    host = '{host}'")
    name = host.removeprefix("http://").removeprefix("https://").split(":")[0]
    with pytest.raises(UsageError, match=f"target '{name}' is not on this machine"):
        plan_load(LoadRequest(str(path)))
    assert plan_load(LoadRequest(str(path), allowed_targets=[name])).target == A


def test_a_client_of_the_files_own_needs_no_url(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from locust import User\nclass Rpc(User):\n    host = 'localhost:50051'")
    assert plan_load(LoadRequest(str(path))).target == "tcp://localhost:50051"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import locust\n\nraise RuntimeError('no seed')", "mine.py:3 cannot be imported: RuntimeError: no seed"),
        ("def broken(:", "mine.py:1 is not Python"),
        ("import sys\nsys.exit(3)", "ended the program at import with code 3"),
        ("import os\nos._exit(0)", "ended the program at import with code 0"),
        ("x = 1", "defines no user class"),
        ("import socket\nsocket.create_connection(('192.0.2.1', 80))", "192.0.2.1 is not on this machine"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        look_into(path)
    assert message in caught.value.message and "Traceback" not in caught.value.message


def test_a_file_that_waits_for_ever_at_import_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbz.load.locust_file._DEADLINE_S", 3.0)
    path = tmp_path / "mine.py"
    path.write_text("import time\nwhile True:\n    time.sleep(1)")
    with pytest.raises(UsageError, match="was not imported within 3 s"):
        look_into(path)


SHAPE = USER.format(f"host = '{A}'") + "class S(LoadTestShape):\n    def tick(self):\n        {}\n"


@pytest.mark.parametrize(
    ("tick", "length_s", "users"),
    [
        ("return (int(self.get_run_time()) + 1, 5) if self.get_run_time() < 90 else None", 90, 90),
        ("return (3, 1)", None, 3),
        ("return (self.get_current_user_count() + 1, 1)", None, 0),
    ],
)
def test_a_shape_is_rehearsed(tick: str, length_s: float | None, users: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SHAPE.format(tick))
    file = look_into(path)
    assert (file.has_shape, file.shape_s, file.shape_users) == (True, length_s, users)
