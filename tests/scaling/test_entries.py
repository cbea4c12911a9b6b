"""Entries of a phase beside tasks: looked up in an account that was set up by hand, open or there, carried on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbz.config.phases.file import build_phases, load_phases
from dbz.config.phases.plan import Database, Phase
from dbz.config.source.source import parse_yaml
from dbz.errors import DependencyError
from dbz.scaling.aws import Aws
from dbz.scaling.change.live import read_live, with_target_groups
from dbz.scaling.change.state import Live
from dbz.scaling.entries.atlas import look_at_atlas
from dbz.scaling.entries.looking import look_up
from dbz.scaling.entries.standing import Standing, entries_of
from dbz.scaling.handle import ServiceHandle
from tests.cloud.clouds import KEYS, REGION, RunningCloud

THERE, MISSING, UNKNOWN = Standing.THERE, Standing.MISSING, Standing.UNKNOWN


def phase(text: str) -> Phase:
    plan = build_phases(parse_yaml(f"schema: dbz.phases/1\nphases: [{{name: a, {BASE}, {text}}}]", "p.yaml"))
    return plan.phases[0]


BASE = "users: 9, connections: 5, requests: 1/s"


class Account:
    """A service behind a load balancer, and the way to its account."""

    def __init__(self, cloud: RunningCloud) -> None:
        self.cloud = cloud
        self.aws = Aws(region=REGION, endpoint=cloud.url, credentials=KEYS)
        self.service = cloud.new_service(1, balanced=True)
        self.live: Live = with_target_groups(self.aws, read_live(ServiceHandle(self.aws, "dbz", self.service)))

    def looked(self, text: str, live: Live | None = None) -> list[tuple[Standing, str]]:
        found = look_up(self.aws, live or self.live, phase(text))
        return [(one.standing, one.text) for one in found.values()]


@pytest.fixture(scope="module")
def account(module_cloud: RunningCloud) -> Account:
    return Account(module_cloud)


def test_queues_topics_and_domains_are_found_by_their_names(account: Account) -> None:
    name = f"dbz-{account.service}"
    asked = "queue: [SQS, SNS, SQS jobs, Kafka], search: OpenSearch"
    before = account.looked(asked)
    assert [one for one, _ in before] == [MISSING, MISSING, MISSING, UNKNOWN, MISSING]
    assert before[0][1] == "there is none" and "no API of Kafka" in before[3][1]
    account.cloud.client("sqs").create_queue(QueueName=name)
    account.cloud.client("sns").create_topic(Name=name)
    account.cloud.client("opensearch").create_domain(DomainName=name, EngineVersion="OpenSearch_2.11")
    after = account.looked(asked)
    assert [one for one, _ in after] == [THERE, THERE, MISSING, UNKNOWN, THERE]
    assert after[0][1].endswith(f"/{name}") and after[1][1].endswith(f":{name}") and "OpenSearch_2.11" in after[4][1]


def test_a_distribution_is_known_by_its_origin_or_its_id(account: Account) -> None:
    ((standing, text),) = account.looked("cdn: CloudFront")
    assert standing is MISSING and "none has the origin" in text and "cdn: CloudFront ID" in text
    made = account.cloud.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": account.service, "Comment": "", "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": account.live.target_groups[0].host}]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
    )["Distribution"]  # fmt: skip
    deadline = [account.looked(f"cdn: CloudFront {made['Id']}") for _ in range(2)]  # moto deploys it at the second look
    assert deadline[-1][0][0] is THERE and made["Id"] in deadline[-1][0][1]
    assert account.looked("cdn: CloudFront")[0][0] is THERE
    assert account.looked("cdn: CloudFront ENONE")[0] == (MISSING, "there is none")
    alone = replace(account.live, target_groups=())
    assert account.looked("cdn: CloudFront", alone)[0][0] is UNKNOWN
    assert [one for one, _ in account.looked("load_balancer: ALB")] == [THERE]
    assert [one for one, _ in account.looked("load_balancer: ALB", alone)] == [MISSING]


def test_documentdb_is_there_when_every_instance_has_the_class(account: Account) -> None:
    rds, name = (
        account.cloud.client("rds"),
        f"docs-{account.service}",
    )  # moto has both behind one API, and no such engine
    asked = f"database: {{service: DocumentDB, tier: db.r6g.large, topology: replicas, cluster: {name}}}"
    assert account.looked(asked)[0] == (MISSING, "there is none")
    engine = {"Engine": "aurora-postgresql", "DBClusterIdentifier": name}
    rds.create_db_cluster(**engine, MasterUsername="m", MasterUserPassword="p" * 9)
    rds.create_db_instance(**engine, DBInstanceIdentifier=f"{name}-1", DBInstanceClass="db.r6g.large")
    assert account.looked(asked)[0][0] is THERE
    larger = account.looked(asked.replace("r6g.large", "r6g.xlarge"))[0]
    assert larger[0] is MISSING and "of db.r6g.large" in larger[1]
    assert account.looked("database: {service: DocumentDB, tier: t, topology: x}")[0][0] is UNKNOWN


def test_what_cannot_be_looked_up_is_open_and_fails_no_plan(account: Account) -> None:
    account.cloud.fault("GetQueueUrl", "refuse")
    ((standing, text),) = account.looked("queue: SQS")
    assert standing is UNKNOWN and "AWS refused sqs:GetQueueUrl" in text
    account.cloud.control(forget_faults=True)


ATLAS = {"MONGODB_ATLAS_PUBLIC_API_KEY": "pub", "MONGODB_ATLAS_PRIVATE_API_KEY": "key", "MONGODB_ATLAS_PROJECT_ID": "1"}


def cluster(tier: str, kind: str = "REPLICASET", *, regions: int = 1, state: str = "IDLE") -> dict[str, Any]:
    places = [
        {"regionName": f"EU_{number}", "electableSpecs": {"instanceSize": tier, "nodeCount": 3}}
        for number in range(regions)
    ]
    return {"name": "club", "clusterType": kind, "stateName": state, "replicationSpecs": [{"regionConfigs": places}]}


@contextmanager
def atlas(clusters: list[dict[str, Any]]) -> Iterator[str]:
    """An HTTP server that wants a digest, or the token that it gave for a service account, as Atlas does."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            known = self.headers["Authorization"] == "Basic aWQ6c2VjcmV0"
            self._answer(200 if known else 401, {"access_token": "t0ken"})

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            if given == "Bearer t0ken" or (given.startswith("Digest ") and self._right(given)):
                self._answer(200, {"results": clusters})
            else:
                self._answer(401, {}, 'Digest realm="Atlas", qop="auth", nonce="abc", algorithm=MD5')

        def _right(self, given: str) -> bool:
            fields = dict(part.strip().split("=", 1) for part in given.removeprefix("Digest ").split(","))
            said = {name: value.strip('"') for name, value in fields.items()}
            first, second = _hash("pub:Atlas:key"), _hash(f"GET:{said['uri']}")
            parts = (first, said["nonce"], said["nc"], said["cnonce"], said["qop"], second)
            return said["response"] == _hash(":".join(parts)) and self.path.startswith("/api/atlas/v2/groups/1/")

        def _answer(self, status: int, document: Any, wanted: str = "") -> None:
            body = dumps(document).encode()
            self.send_response(status)
            if wanted:
                self.send_header("WWW-Authenticate", wanted)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _hash(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("tier", "topology", "there", "standing"),
    [
        ("M30", "replica set", cluster("M30"), THERE),
        ("M30", "replica set", cluster("M40_NVME"), THERE),
        ("M30", "replica set", cluster("M20"), MISSING),
        ("M30", "replica set", cluster("M30", state="UPDATING"), MISSING),
        ("M30", "replica set", cluster("R40"), UNKNOWN),
        ("M30", "sharded cluster", cluster("M30"), MISSING),
        ("M30", "sharded cluster", cluster("M30", "SHARDED"), THERE),
        ("M50+", "multi-region", cluster("M60", "GEOSHARDED", regions=2), THERE),
        ("M50+", "multi-region", cluster("M50"), MISSING),
        ("M30", "as before", cluster("M30"), UNKNOWN),
    ],
)
def test_a_cluster_of_atlas_has_the_tier_and_the_topology_or_not(
    tier: str, topology: str, there: dict[str, Any], standing: Standing
) -> None:
    planned = Database(service="MongoDB Atlas", tier=tier, topology=topology, cluster="club")
    with atlas([there]) as url:
        found = look_at_atlas(planned, {**ATLAS, "MONGODB_ATLAS_OPS_MANAGER_URL": url})
    assert found.standing is standing and "club is a" in found.text


def test_atlas_is_asked_only_with_a_key_and_by_the_name_of_the_cluster() -> None:
    planned = Database(service="MongoDB Atlas", tier="M30", topology="replica set")
    assert look_at_atlas(planned, {}).standing is UNKNOWN
    with atlas([cluster("M30"), {**cluster("M30"), "name": "other"}]) as url:
        at = {**ATLAS, "MONGODB_ATLAS_OPS_MANAGER_URL": url}
        assert "there: club, other" in look_at_atlas(planned, at).text
        none = look_at_atlas(planned.model_copy(update={"cluster": "prod"}), at)
        assert none.standing is MISSING and "no cluster prod" in none.text
        account = {"CLIENT_ID": "id", "CLIENT_SECRET": "secret", "PROJECT_ID": "1", "OPS_MANAGER_URL": url}
        by_token = {f"MONGODB_ATLAS_{name}": value for name, value in account.items()}
        assert look_at_atlas(planned.model_copy(update={"cluster": "club"}), by_token).standing is THERE
        with pytest.raises(DependencyError, match="401: the key is not known"):
            look_at_atlas(planned, {**at, "MONGODB_ATLAS_PRIVATE_API_KEY": "wrong"})
    with pytest.raises(DependencyError, match="could not be asked"):
        look_at_atlas(planned, {**ATLAS, "MONGODB_ATLAS_OPS_MANAGER_URL": "http://127.0.0.1:9"})


def test_a_later_phase_has_what_earlier_ones_added() -> None:
    plan = load_phases()
    texts = [(one.resource, one.text) for one in entries_of(plan.whole_phase("phase_3"))]
    assert texts == [
        ("database", "MongoDB Atlas M50+, multi-region"), ("load balancer", "ALB"), ("CDN", "CloudFront"),
        ("queue", "SQS"), ("queue", "SNS"), ("search", "Elasticsearch"),
    ]  # fmt: skip
    first = plan.whole_phase("phase_1")
    assert (first.cdn, first.queue, first.load_balancer) == (None, [], "ALB")


@given(st.lists(st.sampled_from(["", "cdn: null", "cdn: A", "cdn: B", "queue: []", "queue: X", "queue: [Y, X]"])))
def test_what_was_said_last_counts_and_queues_add_up(said: list[str]) -> None:
    rows = [f"  - {{name: p{at}, {BASE}{', ' + one if one else ''}}}" for at, one in enumerate(["", *said])]
    plan = build_phases(parse_yaml("schema: dbz.phases/1\nphases:\n" + "\n".join(rows), "p.yaml"))
    cdn, queue = None, []
    for one in said:
        cdn = {"cdn: null": None, "cdn: A": "A", "cdn: B": "B"}.get(one, cdn)
        more = {"queue: X": ["X"], "queue: [Y, X]": ["Y", "X"]}.get(one, [])
        queue = [] if one == "queue: []" else queue + [each for each in more if each not in queue]
    whole = plan.whole_phase(f"p{len(said)}")
    assert (whole.cdn, whole.queue) == (cdn, queue)


def test_the_clusters_name_stays_while_the_service_is_the_same() -> None:
    text = """schema: dbz.phases/1
phases:
  - {name: a, BASE, database: {service: MongoDB Atlas, tier: M20, topology: replica set, cluster: club}}
  - {name: b, BASE, database: {service: MongoDB Atlas, tier: M30, topology: sharded cluster}}
  - {name: c, BASE, database: {service: DocumentDB, tier: db.r6g.large, topology: replicas}}
"""
    plan = build_phases(parse_yaml(text.replace("BASE", BASE), "p.yaml"))
    databases = [plan.whole_phase(name).database for name in "abc"]
    assert [(one.tier, one.cluster) for one in databases if one] == [
        ("M20", "club"),
        ("M30", "club"),
        ("db.r6g.large", ""),
    ]
