"""No secret of the environment, of a URL, a header, a file or an answer comes out of any command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbz.errors import ExitCode
from tests.cli.commands import every_command
from tests.secrets.planted import MARK, Place, secret
from tests.secrets.surroundings import NOBODY, environment, written_files
from tests.secrets.target import indiscreet_server

USER = f"ops:{secret('option')}@"
QUERY = f"token={secret('option')}"
REDIS = ("--redis-url", f"redis://{USER}{NOBODY}")
MONGO = ("--mongo-uri", f"mongodb://{USER}{NOBODY}/?serverSelectionTimeoutMS=100")
HEADERS = ("-H", f"Authorization: Bearer {secret('header')}", "-H", f"Cookie: sid={secret('header')}")
BODY = ("-X", "POST", "-d", f'{{"password": "{secret("body")}"}}')
QUEUES = (
    "--queue-url", f"http://{USER}{NOBODY}/1/jobs?{QUERY}", "--dead-letter-url", f"http://{USER}{NOBODY}/1/dead?{QUERY}",
)  # fmt: skip
SHORT = ("--users", "1", "--duration", "1s", "--warmup", "0s", "--budgets", "none")
SHARDS = ("--config", "given/shards.yaml")
CASES: dict[str, list[tuple[str, ...]]] = {
    "init": [
        ("project", "--from", "TARGET", "--ci", "github"),
        ("project", "--from", "given/session.har", "--ci", "none"),
        ("project", "--from", "given/requests.sh", "--ci", "gitlab"),
    ],
    "doctor": [
        ("--target", "TARGET", "--health", f"/health?{QUERY}", *REDIS, *MONGO, "--aws"),
        ("given/profile.yaml", "--json"),
    ],
    "load": [
        (f"TARGET/login?{QUERY}", *SHORT, *HEADERS, *BODY, "--otlp", f"http://{USER}{NOBODY}/v1/metrics?{QUERY}"),
        ("given/profile.yaml", "--target", f"http://{USER}{NOBODY}/?{QUERY}", "--json"),
    ],
    "capacity": [("given/profile.yaml", "--target", f"http://{USER}{NOBODY}/?{QUERY}")],
    "serve": [("--shards", "0")],
    "import": [
        ("given/requests.sh", "--out", "made.py", "--check"),
        ("given/openapi.json", "--out", "made.py"),
        ("given/session.har", "--out", "made.py"),
        ("given/session.har", "given/session.har", "--out", "made.py"),
        ("given/postman.json", "--out", "made.py"),
        ("given/access.log", "--out", "made.py"),
        ("given/access.log", "--replay", "--out", "made.py"),
        ("given/access.log", "--model", "--out", "made.py"),
    ],
    "record": [("--target", f"ftp://{USER}{NOBODY}/?{QUERY}")],
    "try": [("given/scenario.py", "--target", "TARGET", "--full"), ("given/profile.yaml", "--json")],
    "schema": [("profile",)],
    "explain": [("L002",)],
    "help": [("environment",)],
    "completion": [("bash",)],
    "cache warm": [
        (*REDIS, *MONGO, "--yes"),
        ("--measure", "--target", f"http://{USER}{NOBODY}", *REDIS, *MONGO, "--yes"),
    ],
    "cache check": [(*REDIS, *MONGO), ()],
    "cache stats": [REDIS, ()],
    "cache invalidate": [("post:*", *REDIS, "--yes")],
    "cache get": [("post:1", *REDIS)],
    "cache ttl": [("post:*", *REDIS)],
    "cache bench": [(*REDIS, "--yes")],
    "shard status": [SHARDS],
    "shard route": [("club00", *SHARDS)],
    "shard adopt": [SHARDS],
    "shard plan": [("--add", "shard_2", "--out", "plan.json", *SHARDS)],
    "shard rebalance": [("--yes", "--throttle-url", f"http://{USER}{NOBODY}/?{QUERY}", *SHARDS)],
    "shard control": [("status",)],
    "shard verify": [SHARDS],
    "shard rollback": [("club00", "--yes", *SHARDS)],
    "shard cancel": [("--yes", *SHARDS)],
    "shard clean": [("--yes", *SHARDS)],
    "shard query": [("posts", *SHARDS)],
    "queue status": [REDIS, QUEUES],
    "queue retry": [("--all", "--yes", *REDIS), ("--all", "--yes", *QUEUES)],
    "queue drop": [("--all", "--yes", *REDIS), ("--all", "--yes", *QUEUES)],
    "events rebuild": [("--yes", *REDIS, *MONGO)],
    "events asl": [("sign_up", "--queue-url", "https://sqs.eu-west-1.amazonaws.com/1/jobs")],
    "report show": [()],
    "report html": [()],
    "report compare": [("a", "b")],
    "report trend": [()],
    "report schema": [()],
    "report list": [()],
    "budget check": [("given/openapi.json",)],
    "budget metrics": [()],
    "scale status": [()],
    "scale plan": [("phase_2", "--out", "plan.json")],
    "scale apply": [("phase_2", "--yes")],
    "scale set": [("--tasks", "3", "--yes")],
    "scale rollback": [("--yes",)],
    "scale history": [()],
    "scale auto": [("--once", "--metrics", f"http://{USER}{NOBODY}/metrics?{QUERY}", "--yes")],
    "scale simulate": [("--shape", "spike")],
    "scale size": [("--from", "nothing")],
    "monitor": [
        ("--config", "given/monitor.yaml", "--for", "2s", "--no-live"),
        ("--config", "given/monitor.yaml", "--for", "2s", "--json"),
    ],
    "monitor backtest": [("--config", "given/monitor.yaml", "--from", "store")],
    "monitor check": [("given/monitor.yaml",)],
    "monitor drill": [("--config", "given/monitor.yaml")],
    "monitor export": [()],
    "monitor history": [()],
    "monitor report": [("--config", "given/monitor.yaml", "--html", "report.html")],
    "monitor status": [("--config", "given/monitor.yaml")],
    "monitor test": [("given/monitor.yaml",)],
    "monitor silence add": [("--for", "1h", "--why", "work", "--target", "api")],
    "monitor silence list": [()],
    "monitor silence remove": [("1",)],
}
"""What each command is called with; nothing that it needs but the target answers."""


def test_every_command_is_here() -> None:
    assert {" ".join(one.words) for one in every_command()} | {"monitor"} == set(CASES)


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with indiscreet_server() as url:
        yield url.replace("http://", f"http://{USER}")


@pytest.mark.parametrize("command", CASES)
def test_no_secret_comes_out_when_nothing_answers(command: str, target: str, tmp_path: Path) -> None:
    for number, arguments in enumerate(CASES[command]):
        folder = tmp_path / str(number)
        folder.mkdir()
        place = Place(folder, environment())
        written_files(place.given, target.replace(USER, ""))
        outcome = place.run(*command.split(), *(word.replace("TARGET", target) for word in arguments))
        assert "Traceback" not in outcome.said
        assert outcome.reached <= {"127.0.0.1", "localhost", "::1", "None"}, "nobody asked to tell those anything"
        assert not outcome.leaks(), "\n".join([str(arguments), *outcome.leaks()])


BROKEN = [f"{MARK}{sign}{MARK}" for sign in "/[#"]
"""Passwords that somebody pasted into a URL as they are: another part of the URL then seems to begin in them."""
WITH_URLS: dict[str, tuple[str, ...]] = {
    "doctor": ("--target", "http://{}", "--redis-url", "redis://{}", "--mongo-uri", "mongodb://{}"),
    "load": ("http://{}",),
    "load api": ("--target", "http://{}", "--health", "http://{}", "--metrics-url", "http://{}"),
    "load smoke": (
        "--target",
        "http://127.0.0.1:1",
        "--allow-target",
        "http://{}",
        "--otlp",
        "http://{}",
        "--page",
        "http://{}",
    ),
    "capacity": ("--target", "http://{}"),
    "try": ("api", "--target", "http://{}"),
    "init": ("--from", "http://{}"),
    "import given/openapi.json": ("--target", "http://{}", "--check"),
    "record": ("--target", "http://{}"),
    "cache stats": ("--redis-url", "redis://{}"),
    "cache warm": ("--redis-url", "redis://{}", "--mongo-uri", "mongodb+srv://{}", "--yes"),
    "cache warm --measure": ("--target", "http://{}", "--yes"),
    "queue status": ("--queue-url", "http://{}", "--dead-letter-url", "http://{}"),
    "queue status --json": ("--redis-url", "rediss://{}"),
    "events rebuild": ("--redis-url", "redis://{}", "--mongo-uri", "mongodb://{}", "--yes"),
    "shard status": SHARDS,
    "scale auto": ("--once", "--metrics", "http://{}", "--yes"),
    "scale status": (),
    "monitor check": ("given/watched.yaml",),
}
WATCHED = """\
schema: dbz.monitor/1
interval: 1s
targets: [{{name: api, url: "http://{0}", metrics: {{url: "http://{0}"}}}}]
redis: [{{name: cache, url: "redis://{0}"}}]
stores: [{{name: clubs, uri: "mongodb://{0}"}}]
probes: [{{name: page, http: "http://{0}"}}]
queues: [{{name: jobs, redis: "redis://{0}", key: jobs}}]
channels:
  hook: {{webhook: "http://{0}"}}
routes: [{{to: [hook]}}]
"""


@pytest.mark.parametrize("command", WITH_URLS)
def test_a_password_that_breaks_its_url_is_not_in_the_complaint(command: str, tmp_path: Path) -> None:
    for number, password in enumerate(BROKEN):
        where = f"ops:{password}@127.0.0.1:1/0"
        urls = {
            "REDIS_URL": f"redis://{where}",
            "MONGODB_URI": f"mongodb://{where}",
            "AWS_ENDPOINT_URL": f"http://{where}",
        }
        shards = {f"MONGODB_SHARD_{at}_URI": f"mongodb://{where}" for at in range(4)}
        folder = tmp_path / str(number)
        folder.mkdir()
        place = Place(folder, {**environment(), **urls, **shards, "MONGODB_CONTROL_URI": f"mongodb://{where}"})
        written_files(place.given, "http://127.0.0.1:1")
        (place.given / "watched.yaml").write_text(WATCHED.format(where.replace("\\", "\\\\")))
        outcome = place.run(*command.split(), *(word.replace("{}", where) for word in WITH_URLS[command]))
        assert "Traceback" not in outcome.said and outcome.code != ExitCode.INTERNAL, outcome.files
        assert not outcome.leaks(), "\n".join([where, *outcome.leaks()])
