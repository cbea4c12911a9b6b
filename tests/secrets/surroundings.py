"""What users of `dbz` have set and written: a secret wherever one may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    texts |= {"session.har": orjson.dumps(_session(target)).decode(), "access.log": _log(), "postman.json": _postman()}
    for name, text in texts.items():
        (folder / name).write_text(text)


def _session(target: str) -> dict[str, Any]:
    """A browser's recording of somebody who logs in by a form, reads, and chats over Socket.IO in both transports."""

    def headers(**fields: str) -> list[dict[str, str]]:
        return [{"name": name.replace("_", "-"), "value": value} for name, value in fields.items()]

    def entry(method: str, path: str, answer: str, sent: str = "", kind: str = "application/json") -> dict[str, Any]:
        own = headers(
            Authorization=f"Bearer {secret('bearer')}", Cookie=f"sid={secret('sid')}", X_Api_Key=secret("key")
        )
        request: dict[str, Any] = {"method": method, "url": f"{target}{path}", "headers": own}
        if sent:
            request["postData"] = {"mimeType": kind, "text": sent}
        set_cookie = headers(Set_Cookie=f"sid={secret('new-sid')}; HttpOnly", Location=f"/home?token={secret('moved')}")
        content = {"mimeType": "application/json", "text": answer}
        answered = {"status": 200, "headers": set_cookie, "content": content}
        when = f"2026-01-31T12:00:{len(entries):02}Z"
        return {"startedDateTime": when, "time": 5, "request": request, "response": answered}

    entries: list[dict[str, Any]] = []
    form = "application/x-www-form-urlencoded"
    entries.append(
        entry("POST", "/login", f'{{"jwt": "{secret("jwt")}"}}', f"user=ann&password={secret('form')}", form)
    )
    entries.append(entry("POST", "/token", "{}", orjson.dumps({"passphrase": secret("phrase")}).decode()))
    entries.append(entry("GET", f"/hello?access_token={secret('query')}&page=1", "{}"))
    polled = f"/socket.io/?EIO=4&transport=polling&sid={secret('handshake')}"
    entries.append(
        entry("POST", polled, "ok", f'40{{"who":"{secret("polled-auth")}"}}\x1e42["enter","hall"]', "text/plain")
    )
    live = entry("GET", f"/live/?EIO=4&transport=websocket&token={secret('socket-query')}", "")
    messages = [f'40{{"pass":"{secret("socket-auth")}"}}', '42["enter","hall"]', '42["say",{"text":"hi"}]']
    live["request"]["url"] = live["request"]["url"].replace("http://", "ws://")
    live["_webSocketMessages"] = [
        {"time": 1769860810 + at, "opcode": 1, "type": "send", "data": data} for at, data in enumerate(messages)
    ]
    return {"log": {"version": "1.2", "creator": {"name": "WebInspector", "version": "1"}, "entries": [*entries, live]}}


def _log() -> str:
    line = (
        f'127.0.0.1 - - [31/Jan/2026:12:00:0{{}} +0000] "GET /hello?token={secret("log")}&page={{}} HTTP/1.1" 200 5 '
        f'"http://ops:{secret("referer")}@{NOBODY}/?sid={secret("referer")}" "browser"\n'
    )
    return "".join(line.format(at, at) for at in range(3))


def _postman() -> str:
    url = f"http://ops:{secret('postman-user')}@{NOBODY}/hello?api_key={secret('postman-query')}"
    bearer = {"type": "bearer", "bearer": [{"key": "token", "value": secret("postman-bearer")}]}
    body = {"mode": "raw", "raw": orjson.dumps({"password": secret("postman-body")}).decode()}
    asked = {"method": "POST", "url": {"raw": url}, "auth": bearer, "header": [], "body": body}
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    variable = [{"key": "password", "value": secret("postman-variable")}]
    info = {"name": "mine", "schema": schema}
    return orjson.dumps({"info": info, "variable": variable, "item": [{"name": "a", "request": asked}]}).decode()
