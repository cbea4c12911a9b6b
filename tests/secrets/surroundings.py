"""What users of `dbz` have set and written: a secret wherever one may be."""

from __future__ import annotations

from pathlib import Path

import orjson

from tests.secrets.planted import secret

NOBODY = "127.0.0.1:1"
"""Where nothing listens."""


def environment(redis: str = NOBODY, mongo: str = NOBODY, cloud: str = f"http://{NOBODY}") -> dict[str, str]:
    """Every variable of `dbz help environment` that may hold a secret."""
    store = (
        f"mongodb://ops:{secret('mongo')}@{mongo}/?directConnection=true&serverSelectionTimeoutMS=100&authSource=admin"
    )
    return {
        "REDIS_URL": f"redis://ops:{secret('redis')}@{redis}",
        "MONGODB_URI": store,
        "MONGODB_CONTROL_URI": store,
        **{f"MONGODB_SHARD_{number}_URI": store for number in range(4)},
        "MONGODB_ATLAS_PUBLIC_API_KEY": "public",
        "MONGODB_ATLAS_PRIVATE_API_KEY": secret("atlas"),
        "MONGODB_ATLAS_PROJECT_ID": "0123456789abcdef01234567",
        "MONGODB_ATLAS_OPS_MANAGER_URL": f"http://{NOBODY}",
        "AWS_ENDPOINT_URL": cloud,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": secret("aws"),
        "AWS_SESSION_TOKEN": secret("aws-session"),
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "DBZ_WORKER_SECRET": secret("worker"),
        "JWT_SECRET": secret("jwt") * 3,
        "BAND_CLIENT_SECRET": secret("band"),
        "SLACK_WEBHOOK_URL": f"http://{NOBODY}/services/{secret('slack')}",
        "SMTP_PASSWORD": secret("smtp"),
        "API_KEY": secret("key"),
        "http_proxy": f"http://ops:{secret('proxy')}@{NOBODY}",
        "https_proxy": f"http://ops:{secret('proxy')}@{NOBODY}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{secret('otlp')}",
    }


def written_files(folder: Path, target: str) -> None:
    """Files of all kinds that a user writes, with secrets in them."""
    address = target.removeprefix("http://")
    texts = {
        "profile.yaml": f"""\
schema: dbz.profile/1
name: mine
scenario: scenario.py
target: http://ops:{secret("target")}@{address}
users: 2
duration: 1s
warmup: 0s
budgets: none
health: /health?token={secret("health")}
metrics: {{url: ["http://ops:{secret("metrics")}@{address}/metrics?key={secret("metrics")}"]}}
""",
        "scenario.py": """\
from dbz.users import HttpUser, constant, secret, task

class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def visit(self):
        key = secret("API_KEY")
        self.client.get(f"/hello?token={key}", headers={"Authorization": f"Bearer {key}"})
        self.client.get(f"/missing?api_key={key}", headers={"Cookie": f"sid={key}"})
        self.client.get(f"/redirect?session={key}")
        self.client.post(f"/login", json={"password": key})
        self.client.get(f"http://ops:{key}@127.0.0.1:1/gone?token={key}")
""",
        "shards.yaml": (Path(__file__).parents[2] / "configs" / "shards.yaml").read_text(),
        "monitor.yaml": f"""\
schema: dbz.monitor/1
interval: 1s
heartbeat: http://ops:{secret("beat")}@{NOBODY}/ping?key={secret("beat")}
targets:
  - {{name: api, url: "http://ops:{secret("watched")}@{address}", health: "/health?token={secret("watched")}"}}
redis: [{{name: cache, url: "${{REDIS_URL}}"}}]
stores: [{{name: clubs, uri: "${{MONGODB_URI}}"}}]
queues: [{{name: jobs, redis: "${{REDIS_URL}}", key: jobs}}]
probes: [{{name: page, http: "http://ops:{secret("probe")}@{address}/missing?token={secret("probe")}"}}]
alerts:
  - {{type: SLOW_RESPONSE, when: "response time > 1000ms for 1 minute", severity: warning}}
channels:
  slack: {{slack: "${{SLACK_WEBHOOK_URL}}"}}
  hook: {{webhook: "http://ops:{secret("hook")}@{NOBODY}/a?key={secret("hook")}"}}
  mail: {{mail: {{host: 127.0.0.1, port: 1, user: dbz, password: "${{SMTP_PASSWORD}}", from: a@b.c, to: [c@d.e]}}}}
routes:
  - {{to: [slack, hook, mail]}}
""",
        "requests.sh": (
            f"curl -u ops:{secret('u')} -H 'Authorization: Bearer {secret('bearer')}' -H 'X-Api-Key: {secret('key')}' "
            f"-H 'Cookie: sid={secret('sid')}' -d 'password={secret('form')}' '{target}/login?token={secret('url')}'\n"
        ),
        "openapi.json": orjson.dumps(
            {
                "openapi": "3.1.0",
                "servers": [{"url": f"http://ops:{secret('openapi')}@{address}"}],
                "paths": {"/hello": {"get": {"responses": {"200": {"description": "ok"}}}}},
            }
        ).decode(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
