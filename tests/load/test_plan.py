"""What a plan fills in where the user said nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbz.errors import ConfigError, UsageError
from dbz.load.new_run import new_run
from dbz.load.planning.plan import LoadRequest, fitting_workers, plan_load


@pytest.mark.parametrize(
    ("target", "users", "cores", "workers"),
    [
        ("", 520, 2, 1),
        ("", 520, 8, 4),
        ("http://127.0.0.1:8480", 520, 8, 4),
        ("http://[::1]:8480", 520, 1, 1),
        ("https://staging.example", 520, 8, 8),
        ("https://staging.example", 3, 8, 3),
        ("https://staging.example", 10_000, 128, 64),
    ],
)
def test_a_server_on_this_machine_gets_half_of_the_cores(target: str, users: int, cores: int, workers: int) -> None:
    assert fitting_workers(target, users, cores) == workers


def test_workers_that_nobody_named_fit_the_cores() -> None:
    plan = plan_load(LoadRequest("mixed"))
    assert plan.profile.workers == fitting_workers("", plan.profile.users, os.cpu_count() or 1)


def test_services_apart_are_those_of_the_backend_that_dbz_starts() -> None:
    apart = {"stack": {"services": "chat=2"}}
    stack = plan_load(LoadRequest("mixed", overrides=apart)).profile.stack
    assert (stack.services, stack.clubs) == ("chat=2", plan_load(LoadRequest("mixed")).profile.stack.clubs)
    with pytest.raises(UsageError, match="--services are those of the backend that dbz starts"):
        plan_load(LoadRequest("mixed", target="http://127.0.0.1:1", overrides=apart))
    with pytest.raises(ConfigError, match="leave 'processes' out"):
        plan_load(LoadRequest("mixed", overrides={"stack": {"services": "apart", "processes": 2}}))


def test_a_master_waits_for_one_worker_unless_told() -> None:
    assert plan_load(LoadRequest("mixed", master_port=5557)).profile.workers == 1
    assert plan_load(LoadRequest("mixed", overrides={"workers": 3}, master_port=5557)).profile.workers == 3


def test_files_that_a_profile_names_stand_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "slow.yaml").write_text(
        'schema: dbz.budgets/1\nbudgets:\n  - {name: slow, of: http, stat: p95, limit: "< 9s"}\n'
    )
    (tmp_path / "mine" / "load.yaml").write_text(
        "schema: dbz.profile/1\nname: mine\nscenario: api\nusers: 3\nbudgets: slow.yaml\n"
    )
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in plan_load(LoadRequest("mine/load.yaml", embedded=True)).budgets] == ["slow"]


PROFILE = "schema: dbz.profile/1\nname: mine\nscenario: api\nusers: 3\n"
LOCUST_FILE = "from locust import HttpUser, task\nclass U(HttpUser):\n    @task\n    def t(self): self.client.get('/')"


@pytest.fixture
def own(tmp_path: Path) -> dict[str, str]:
    """A profile and a Locust file of the user's own that name no target."""
    (tmp_path / "load.yaml").write_text(PROFILE)
    (tmp_path / "file.py").write_text(LOCUST_FILE)
    return {name: str(tmp_path / name) for name in ("load.yaml", "file.py")}


@pytest.mark.parametrize("name", ["load.yaml", "file.py"])
def test_what_is_the_users_own_never_loads_the_demo_stack_unasked(own: dict[str, str], name: str) -> None:
    with pytest.raises(UsageError, match="names no target") as refused:
        plan_load(LoadRequest(own[name]))
    assert "--embedded" in refused.value.hint and "--target" in refused.value.hint
    asked = plan_load(LoadRequest(own[name], embedded=True))
    assert (asked.target, asked.embedded) == ("", True)
    named = plan_load(LoadRequest(own[name], target="http://127.0.0.1:1"))
    assert (named.target, named.embedded) == ("http://127.0.0.1:1", False)
    with pytest.raises(UsageError, match="leave one of them out"):
        plan_load(LoadRequest(own[name], target="http://127.0.0.1:1", embedded=True))


@pytest.mark.parametrize("name", ["smoke", "api", "chat", "score", "mixed", "phone"])
def test_bundled_profiles_load_the_demo_stack(name: str) -> None:
    assert plan_load(LoadRequest(name)).embedded


def test_a_profile_names_its_target_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "load.yaml"
    path.write_text(PROFILE + "target: http://127.0.0.1:${APP_PORT}/${APP_BASE}\nduration: ${APP_LENGTH}\n")
    monkeypatch.setenv("APP_PORT", "8480")
    monkeypatch.setenv("APP_BASE", "v1")
    monkeypatch.setenv("APP_LENGTH", "90s")
    plan = plan_load(LoadRequest(str(path)))
    assert (plan.target, plan.embedded, plan.profile.duration) == ("http://127.0.0.1:8480/v1", False, 90)
    assert plan_load(LoadRequest(str(path), target="http://127.0.0.1:9")).target == "http://127.0.0.1:9"
    assert plan_load(LoadRequest(str(path), embedded=True)).embedded
    overridden = plan_load(LoadRequest(str(path), overrides={"users": 7}))
    assert (overridden.target, overridden.profile.users) == ("http://127.0.0.1:8480/v1", 7)
    monkeypatch.delenv("APP_BASE")
    monkeypatch.delenv("APP_LENGTH")
    with pytest.raises(ConfigError) as refused:
        plan_load(LoadRequest(str(path)))
    assert [str(problem) for problem in refused.value.problems] == [
        f"{path}:5: ${{APP_BASE}}: the environment variable APP_BASE is not set",
        f"{path}:6: ${{APP_LENGTH}}: the environment variable APP_LENGTH is not set",
    ]


def test_a_profiles_target_needs_permission_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "load.yaml"
    path.write_text(PROFILE + "target: http://shop.example\n")
    with pytest.raises(UsageError, match="nobody allowed a load on it"):
        plan_load(LoadRequest(str(path)))


@pytest.mark.parametrize(("subject", "budget"), [("http://127.0.0.1:1/x", "error_rate"), ("smoke", "error_rate")])
def test_failures_break_a_load_that_says_nothing_else(subject: str, budget: str) -> None:
    (required,) = [one for one in plan_load(LoadRequest(subject)).budgets if one.required]
    assert (required.name, required.limit.value) == (budget, 0.001)
    allowed = plan_load(LoadRequest(subject, overrides={"budgets": "none"}))
    assert all(one.limit.value >= 1 for one in allowed.budgets)


def test_secrets_of_a_url_come_from_the_environment_and_are_in_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_TOKEN", "S3CRET")
    request = LoadRequest("http://me:${APP_TOKEN}@127.0.0.1:1/x?token=${APP_TOKEN}", headers=["X-Key: ${APP_TOKEN}"])
    plan = plan_load(request)
    assert plan.request is not None and plan.request.url == "http://me:S3CRET@127.0.0.1:1/x?token=S3CRET"
    assert plan.request.headers == {"X-Key": "S3CRET"} and plan.base_url == "http://me:S3CRET@127.0.0.1:1"
    document = new_run(plan, "id", datetime.now(UTC)).to_json()
    assert "S3CRET" not in document and "http://***@127.0.0.1:1/x?token=***" in document
    monkeypatch.delenv("APP_TOKEN")
    with pytest.raises(UsageError, match="the environment variable APP_TOKEN is not set"):
        plan_load(request)


@pytest.mark.parametrize("url", ["http://me:S3CRET@shop.example/x?t=S3CRET", "ftp://me:S3CRET@127.0.0.1/?t=S3CRET"])
def test_errors_about_a_url_do_not_repeat_its_secrets(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        plan_load(LoadRequest(url))
    assert "S3CRET" not in refused.value.message + refused.value.hint


def test_health_and_metrics_may_be_named_by_a_variable_and_stay_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_LOGIN", "me:hidden")
    metrics = {"url": ["http://${METRICS_LOGIN}@127.0.0.1:9100/metrics", "/other"]}
    request = LoadRequest("http://127.0.0.1:9/", overrides={"metrics": metrics, "health": "/status"})
    profile = plan_load(request).profile
    assert profile.metrics.url == ["http://me:hidden@127.0.0.1:9100/metrics", "/other"]
    assert profile.plain["health"] == "/status" and "hidden" not in str(profile.plain)
    with pytest.raises(UsageError, match="NOT_THERE is not set"):
        plan_load(LoadRequest("http://127.0.0.1:9/", overrides={"health": "/${NOT_THERE}"}))
    with pytest.raises(ConfigError, match="neither a path nor a URL") as refused:
        plan_load(LoadRequest("http://127.0.0.1:9/", overrides={"health": "ftp://me:hidden@127.0.0.1/"}))
    assert "hidden" not in str(refused.value)


def test_a_locust_file_without_budgets_of_its_own_only_warns_about_the_machine_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(LOCUST_FILE)
    request = LoadRequest(str(tmp_path / "file.py"), target="http://127.0.0.1:9")
    severities = {one.name: one.severity.value for one in plan_load(request).budgets}
    assert severities["server_cpu_usage"] == severities["server_memory_usage"] == "warn"
    assert severities["error_rate"] == severities["uptime"] == "fail"
    named = plan_load(replace(request, overrides={"budgets": "service"})).budgets
    assert {one.severity.value for one in named} == {"fail"}
