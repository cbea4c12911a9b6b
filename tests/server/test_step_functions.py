"""Sagas on the local cloud's Step Functions: it keeps the state, servers carry the steps out, over SQS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from pymongo import MongoClient

from dbz.children import Child, free_port, python_module, wait_until
from dbz.server.auth.passwords import hash_password
from dbz.server.sagas.asl import state_machine
from dbz.server.sagas.catalogue import CATALOGUE
from tests.band.standin import start_band
from tests.server.backend import Backend, listens, start_server
from tests.server.band import stage as band
from tests.server.band.test_sync import CLUB, Syncing
from tests.server.clients import User
from tests.server.victim import POINTS, VICTIM

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")
ROLE = "arn:aws:iam::123456789012:role/sagas"


@dataclass
class Machines:
    """State machines by the names of their sagas, and the server that carries their steps out."""

    where: Backend
    client: Any
    arns: dict[str, str]
    points: Path
    sqs: Any
    environment: dict[str, str]
    syncing: Syncing

    def run(self, saga: str, data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Execute one to its end; what became of it, and the states it went through."""
        made = self.client.start_execution(
            stateMachineArn=self.arns[saga], name=data["saga_id"], input=json.dumps(data)
        )
        end = time.monotonic() + 60
        while (found := self.client.describe_execution(executionArn=made["executionArn"]))["status"] == "RUNNING":
            assert time.monotonic() < end, found
            time.sleep(0.1)
        events = self.client.get_execution_history(executionArn=made["executionArn"])["events"]
        entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
        return found, entered


@pytest.fixture(scope="module")
def machines(folder: Path, stores: tuple[str, str]) -> Iterator[Machines]:
    """The local cloud with all sagas, and a server on its queue, which synchronises with a Band when it is told to."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    aws = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}
    points = folder / "step-functions"
    points.mkdir()
    cloud = Child("cloud", python_module("dbz.cloud", "--port", str(port)), log=folder / "cloud.log", env=aws)
    with cloud:
        wait_until(lambda: listens(port), cloud, deadline_s=40, what="the local cloud")
        options = {"endpoint_url": endpoint, "region_name": "eu-west-1"}
        options |= {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        sqs, client = boto3.client("sqs", **options), boto3.client("stepfunctions", **options)
        queue = sqs.create_queue(QueueName="saga-jobs")["QueueUrl"]
        arns = {}
        for name, saga in CATALOGUE.items():
            definition = json.dumps(state_machine(saga, queue))
            made = client.create_state_machine(name=name, definition=definition, roleArn=ROLE)
            arns[name] = made["stateMachineArn"]
        environment = {**aws, "AWS_ENDPOINT_URL": endpoint, "QUEUE_URL": queue, POINTS: str(points)}
        with banded(folder, *stores) as stage:
            config = folder / "step-functions.yaml"
            config.write_text("band: {poll_s: 100000, page_limit: 5, pace_s: 0.005, max_wait_s: 1, retry_s: 0.5}\n")
            environment |= stage.environment()
            child, where = start_server(folder, *stores, ("--config", str(config)), environment, VICTIM)
            with child:
                syncing = Syncing(stage, child, where)
                yield Machines(where, client, arns, points, sqs, {**aws, "AWS_ENDPOINT_URL": endpoint}, syncing)
            stage.store["clubs"].update_many({}, {"$unset": {"band": ""}})
        sqs.close()
        client.close()


@contextlib.contextmanager
def banded(folder: Path, mongo_uri: str, redis_url: str) -> Iterator[band.Stage]:
    """A Band beside the stores."""
    with (
        start_band(folder, "--bands", "1", "--members", "60", "--photos", "20") as there,
        MongoClient[dict[str, Any]](mongo_uri) as mongo,
        redis.Redis.from_url(redis_url) as cache,
    ):
        mongo["dbz"]["clubs"].update_many({}, {"$unset": {"band": ""}})  # whatever other tests have linked
        yield band.Stage(there, mongo_uri, redis_url, folder, mongo, cache)


def logged_in(where: Backend, username: str, password: str = "demo") -> httpx.Client:
    http = httpx.Client(base_url=where.url, timeout=20)
    answer = http.post("/api/auth/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    return http


def test_a_result_goes_through_its_steps(machines: Machines) -> None:
    with closing(logged_in(machines.where, "user0190")) as host:
        game = host.post("/api/games", json={"title": "States", "game_date": "2027-01-01T10:00:00Z"}).json()["id"]
        data = {"saga_id": secrets.token_hex(8), "club_id": "club00", "game_id": game, "by": "user0190"}
        found, entered = machines.run("game_result", {**data, "score": {"home": 21, "away": 9}})
        assert found["status"] == "SUCCEEDED", found
        assert entered == ["close", "record", "statistics", "notify", "Done"]
        assert host.get(f"/api/games/{game}").json()["status"] == "completed"
        assert host.get("/api/clubs/club00/members/user0190/statistics").json()["won"] == 1
        # The game is over: refused at once, without another try, and taken back without harm.
        again = {**data, "saga_id": secrets.token_hex(8), "score": {"home": 1, "away": 21}}
        found, entered = machines.run("game_result", again)
        assert (found["status"], entered) == ("FAILED", ["close", "reopen", "TakenBack"])
        assert host.get(f"/api/games/{game}").json()["score"] == {"home": 21, "away": 9}


def test_a_step_that_keeps_failing_has_the_others_taken_back(machines: Machines) -> None:
    (machines.points / "sign_up.band_link:fails").touch()  # may fail: the others go on
    data = {"saga_id": secrets.token_hex(8), "club_id": "club02", "user_id": secrets.token_hex(8), "name": "Ada"}
    data |= {"username": f"ada-{data['saga_id']}", "password_hash": hash_password("long enough", 1000)}
    found, entered = machines.run("sign_up", data)
    assert found["status"] == "SUCCEEDED" and entered == ["account", "band_link", "club", "welcome", "Done"]
    logged_in(machines.where, data["username"], "long enough").close()
    refused = {**data, "saga_id": secrets.token_hex(8), "user_id": secrets.token_hex(8)}
    found, entered = machines.run("sign_up", {**refused, "username": "bob-of-states", "club_id": "club99"})
    assert (found["status"], entered) == ("FAILED", ["account", "remove_account", "TakenBack"])
    with MongoClient[dict[str, Any]](machines.where.mongo_uri) as client:
        assert client["dbz"]["users"].count_documents({"username": "bob-of-states"}) == 0


def sync_input(**more: str) -> dict[str, Any]:
    return {"saga_id": secrets.token_hex(8), "club_id": CLUB, **more}


async def linked(where: Backend) -> None:
    """The club's admin links it with its band."""
    with closing(logged_in(where, band.ADMIN)) as http:
        async with contextlib.AsyncExitStack() as stack:
            own = httpx.AsyncClient(base_url=where.url, headers=http.headers, timeout=20)
            admin = User(await stack.enter_async_context(own), band.ADMIN, {}, stack)
            assert (await band.link(admin)).status_code == 200


@pytest.mark.anyio
async def test_a_club_is_synchronised_with_band_page_by_page(machines: Machines) -> None:
    """It comes over in bits, waits as long as Band wants, and fails as a whole: log, lease and cache say the same."""
    syncing, lease = machines.syncing, f"band:sync:{CLUB}"
    there, run = syncing.stage.band, lambda data: asyncio.to_thread(machines.run, "band_sync", data)
    await linked(machines.where)
    throttled = {"path": "/v2/band/album/photos", "kind": "throttle", "times": 1, "seconds": 2}
    there.control(delay_s=0.4, faults=[throttled])
    found, entered = await run(sync_input())
    assert found["status"] == "SUCCEEDED", found
    assert entered.count("members") > 1 and entered.count("pause_photos") == 1
    assert list(dict.fromkeys(entered)) == [
        *("lease", "begin", "members", "more_members", "photos", "more_photos", "pause_photos"),
        *("sweep", "club", "more_club", "finish", "release", "Done"),
    ]
    assert syncing.differs() == {} and [log["status"] for log in syncing.logs()] == ["done"]
    assert syncing.logs()[-1]["waits"] == 1 and not syncing.stage.redis.exists(lease)
    syncing.stage.redis.set(lease, "of somebody else", px=60_000)
    found, entered = await run(sync_input(wanted="changes"))
    assert (found["status"], entered) == ("FAILED", ["lease", "drop_lease", "TakenBack"])
    assert syncing.stage.redis.getdel(lease) == b"of somebody else" and len(syncing.logs()) == 1
    syncing.stage.store["tokens"].update_one({"_id": band.ADMIN}, {"$set": {"ended": True}})
    found, entered = await run(sync_input(wanted="full"))
    assert (found["status"], entered) == ("FAILED", ["lease", "begin", "members", "fail", "drop_lease", "TakenBack"])
    failed = syncing.logs()[-1]
    assert (failed["number"], failed["status"]) == (2, "failed") and "link Band again" in failed["errors"][-1]["what"]
    assert syncing.differs() == {} and not syncing.stage.redis.exists(lease)
    there.calm()


def test_the_service_whose_step_it_is_carries_it_out(machines: Machines, folder: Path) -> None:
    """Services apart: notification takes the job from the queue and has game do it."""
    where = machines.where
    queue = machines.sqs.create_queue(QueueName="apart-jobs")["QueueUrl"]
    definition = json.dumps(state_machine(CATALOGUE["game_result"], queue))
    made = machines.client.create_state_machine(name="apart", definition=definition, roleArn=ROLE)
    machines.arns["apart"] = made["stateMachineArn"]
    environment = {**machines.environment, "QUEUE_URL": queue, "MESH_SECRET": "of the mesh of this test"}
    with contextlib.ExitStack() as stack:
        for service in ("game", "notification"):
            options = ["--service", service, "--group", "apart-steps"]
            stack.enter_context(start_server(folder, where.mongo_uri, where.redis_url, options, environment)[0])
        host = stack.enter_context(closing(logged_in(where, "user0191")))
        game = host.post("/api/games", json={"title": "Apart", "game_date": "2027-01-01T10:00:00Z"}).json()["id"]
        data = {"saga_id": secrets.token_hex(8), "club_id": "club00", "game_id": game, "by": "user0191"}
        found, entered = machines.run("apart", {**data, "score": {"home": 21, "away": 9}})
        assert found["status"] == "SUCCEEDED", found
        assert entered == ["close", "record", "statistics", "notify", "Done"]
        assert host.get(f"/api/games/{game}").json()["status"] == "completed"
        found, entered = machines.run("apart", {**data, "saga_id": "again", "score": {"home": 1, "away": 21}})
        assert (found["status"], entered) == ("FAILED", ["close", "reopen", "TakenBack"]), "refused, not failed"


def test_a_definition_that_leads_nowhere_is_refused(machines: Machines) -> None:
    """The local cloud reads what it is given, so the definitions above are valid ones."""
    broken = {**state_machine(CATALOGUE["sign_up"]), "StartAt": 7}
    with pytest.raises(machines.client.exceptions.ClientError, match="mismatched input '7'"):
        machines.client.create_state_machine(name="broken", definition=json.dumps(broken), roleArn=ROLE)
