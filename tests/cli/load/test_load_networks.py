"""A load whose users are on several networks: what they wait, what reports say of it, and how it is judged."""

from __future__ import annotations

import json

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server

BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: on_3g, of: 'http{network=3g}', stat: p50, limit: '< 20ms'}
  - {name: on_wifi, of: 'http{network=wifi}', stat: count, limit: '> 1'}
  - {name: elsewhere, of: 'http{network=lte}', stat: p50, limit: '< 20ms'}
"""


def test_users_on_3g_wait_for_it_and_are_judged_apart(tmp_path):
    (tmp_path / "b.yaml").write_text(BUDGETS)
    options = ["--users", "6", "--network", "wifi=50%,3g=50%", "--duration", "2s", "--warmup", "1s"]
    with small_server() as url:
        done = dbz("load", f"{url}/hello", *options, "--budgets", "b.yaml", cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
    (folder,) = (tmp_path / "reports").iterdir()
    run = json.loads((folder / "run.json").read_text())
    assert run["profile"]["network"] == {"wifi": 0.5, "3g": 0.5}
    networks = {one["name"]: one for one in run["networks"] if one["kind"] == "http"}
    slow, quick = (networks[name]["latency_ms"]["p50"] for name in ("3g", "wifi"))
    assert slow >= 298, "the network's round trip"
    assert quick < slow
    assert sum(one["count"] for one in networks.values()) == run["operations"][0]["count"]
    verdicts = {budget["name"]: budget for budget in run["budgets"]}
    assert verdicts["on_3g"]["verdict"] == "broken"
    assert verdicts["on_3g"]["samples"] == networks["3g"]["count"]
    assert verdicts["on_wifi"]["verdict"] == "pass"
    assert verdicts["elsewhere"]["note"].startswith("no network is called lte; there is 3g, wifi")
    for report in ("report.html", "summary.md"):
        assert "By network" in (folder / report).read_text()
    assert "By network" in done.stdout
