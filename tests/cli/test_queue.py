"""`dbz queue` beside a running `dbz serve`, and on an SQS queue of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from dbz.children import Child, free_port, wait_until
from tests.children.processes import eventually
from tests.cli.running import dbz, run_dbz
from tests.cli.serving import Served
from tests.server.backend import listens

boto3 = pytest.importorskip("boto3")
AWS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}


def queue(served: Served, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = run_dbz(["queue", *arguments], served.folder, served.env)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done


def bury(served: Served, job_id: str, reason: str) -> str:
    """A dead letter; its own id."""
    job = {"id": job_id, "kind": "event", "event": "nonsense", "club_id": "club00", "data": {}, "attempts": 4}
    return served.redis.xadd("queue:dead", {"job": orjson.dumps(job), "reason": reason}).decode()  # type: ignore[union-attr]


@pytest.fixture
def buried(served: Served) -> list[str]:
    """Two dead letters that will always fail, and one that the server can deliver now."""
    served.redis.delete("queue:dead")
    job = {"id": "late-1", "kind": "deliver", "club_id": "club00", "user_id": "user0007"}
    event = {"id": "late-1", "type": "t", "title": "late", "body": ""}
    late = served.redis.xadd("queue:dead", {"job": orjson.dumps({**job, "event": event}), "reason": "away"})
    return [bury(served, "poison-1", "KeyError: 'a'"), bury(served, "poison-2", "KeyError: 'a'"), late.decode()]  # type: ignore[union-attr]


def test_status_shows_lengths_consumers_and_letters(served: Served, buried: list[str]) -> None:
    text = queue(served, "status").stdout
    for part in ("Redis", "waiting", "poison-1", "KeyError: 'a'", "consumer", "dbz queue retry --all"):
        assert part in text, text
    document = json.loads(queue(served, "status", "--json", "--letters", "1").stdout)
    assert document["schema"] == "dbz.queue/1" and document["dead"] == 3 and len(document["letters"]) == 1
    assert document["consumers"] and document["consumers"][0]["idle_s"] < 5 and document["next_steps"]
    assert "3 dead letters, allowed are 2" in queue(served, "status", "--max-dead", "2", code=1).stdout
    queue(served, "status", "--max-dead", "3", "--max-age", "10m")


def test_retry_hands_a_job_in_again_and_drop_forgets_one(served: Served, buried: list[str]) -> None:
    done = json.loads(queue(served, "retry", "late-1", buried[1], "--yes", "--json").stdout)
    assert sorted(done["letters"]) == sorted(buried[1:]) and done["schema"] == "dbz.queue-change/1"

    def left() -> set[str]:
        return {orjson.loads(row[1][b"job"])["id"] for row in served.redis.xrange("queue:dead")}  # type: ignore[union-attr]

    # The one that can be delivered is gone, the other failed five times more and is back.
    assert eventually(lambda: left() == {"poison-1", "poison-2"})
    queue(served, "drop", buried[0], "--yes")
    assert left() == {"poison-2"}
    queue(served, "drop", "--all", "--yes")
    assert queue(served, "drop", "--all").stdout == "There are no dead letters.\n"


def test_nothing_happens_without_consent_or_a_right_name(served: Served, buried: list[str]) -> None:
    for arguments, said in (
        (("retry", "--all"), "add --yes"),
        (("drop",), "--all"),
        (("drop", "--all", buried[0]), "--all"),
        (("retry", "poison-3", "--yes"), "there is no dead letter 'poison-3'; did you mean 'poison-2'"),
        (("status", "--max-age", "soon"), "--max-age"),
        (("status", "--dead-letter-url", "http://x/y"), "--queue-url"),
    ):
        assert said in queue(served, *arguments, code=2).stderr
    assert served.redis.xlen("queue:dead") == 3


def test_a_queue_that_is_away_is_said(tmp_path: Path) -> None:
    port = free_port()
    away = dbz("queue", "status", "--redis-url", f"redis://127.0.0.1:{port}", cwd=tmp_path)
    assert away.returncode == 3 and "cannot be reached" in away.stderr
    nobody = dbz("queue", "status", cwd=tmp_path, DBZ_STATE_DIR=str(tmp_path), REDIS_URL="")
    assert nobody.returncode == 2 and "which Redis" in nobody.stderr


@pytest.fixture(scope="module")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], str, str]]:
    """The environment, and the URLs of a queue and of its dead letters, of which there are two."""
    pytest.importorskip("moto.server")
    port = free_port()
    log = tmp_path_factory.mktemp("sqs") / "log"
    with Child("sqs", [sys.executable, "-m", "moto.server", "-p", str(port)], log=log) as child:
        wait_until(lambda: listens(port), child, deadline_s=40, what="the SQS server")
        environment = {**AWS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        client = boto3.client(
            "sqs", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="eu-west-1",
            aws_access_key_id="x", aws_secret_access_key="x",
        )  # fmt: skip
        jobs, dead = (client.create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead"))
        for number in range(2):
            letter = {"job": {"id": f"j{number}", "kind": "deliver", "attempts": 4}, "reason": "away"}
            client.send_message(QueueUrl=dead, MessageBody=json.dumps(letter))
        yield environment, jobs, dead
        client.close()


def test_the_same_on_sqs(sqs: tuple[dict[str, str], str, str], tmp_path: Path) -> None:
    environment, jobs, dead = sqs
    where = ["--queue-url", jobs, "--dead-letter-url", dead]

    def on_sqs(*arguments: str) -> dict[str, object]:
        done = run_dbz(["queue", *arguments, *where, "--json"], tmp_path, {**os.environ, **environment})
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    for _ in range(2):  # looking takes nothing away
        status = on_sqs("status")
        assert (status["where"], status["waiting"], status["dead"]) == ("SQS", 0, 2)
        assert sorted(letter["job_id"] for letter in status["letters"]) == ["j0", "j1"]  # type: ignore[attr-defined]
    assert len(on_sqs("retry", "j1", "--yes")["letters"]) == 1  # type: ignore[arg-type]
    status = on_sqs("status")
    assert (status["waiting"], status["dead"]) == (1, 1)
    assert len(on_sqs("drop", "--all", "--yes")["letters"]) == 1  # type: ignore[arg-type]
    gone = run_dbz(["queue", "status", "--queue-url", f"{jobs}-not"], tmp_path, {**os.environ, **environment})
    assert gone.returncode == 3 and "SQS" in gone.stderr and "AWS_ENDPOINT_URL" in gone.stderr
