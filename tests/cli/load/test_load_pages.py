"""`dbz load --page`: what a browser measures beside the load is judged, reported and compared."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbz.errors import ExitCode
from tests.cli.running import dbz, small_server
from tests.load.websites import needs_browser, website

PROFILE = """\
schema: dbz.profile/1
name: site
scenario: visitor.py
budgets: budgets.yaml
users: 2
duration: 10s
warmup: 1s
page_every: 1s
pages:
  - /
  - {url: /slow, click: none}
"""
VISITOR = """\
from dbz.users import *

class Visitor(HttpUser):
    wait_time = constant(0.2)

    @task
    def look(self):
        self.client.get("/hits")
"""
BUDGETS = """\
schema: dbz.budgets/1
budgets:
  - {name: page_load_time, of: "composite{name=page_load*}", stat: p95, limit: "< 1900ms", or: [p50 of page, p50 of import.page_load]}
  - {name: interaction, of: 'page.inp{url="/"}', stat: max, limit: "< 2s"}
  - {name: shifts, of: page.cls, stat: max, limit: "< 0.0001", severity: warn}
  - {name: answered, of: errors, stat: error_rate, limit: "< 1%"}
"""  # noqa: E501


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with website(tmp_path_factory.mktemp("site") / "log") as url:
        yield url


def newest(folder: Path) -> tuple[Path, dict[str, Any]]:
    path = max((folder / "reports").iterdir())
    return path, json.loads((path / "run.json").read_text())


@needs_browser
def test_a_slow_page_breaks_the_budget_and_every_report_tells_of_it(tmp_path, site):
    for name, text in {"site.yaml": PROFILE, "visitor.py": VISITOR, "budgets.yaml": BUDGETS}.items():
        (tmp_path / name).write_text(text)
    done = dbz("load", "site.yaml", "--target", site, cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
    folder, run = newest(tmp_path)

    verdicts = {budget["name"]: budget for budget in run["budgets"]}
    assert list(verdicts) == [
        *("page_load_time /", "page_load_time /slow", "interaction", "shifts /", "shifts /slow", "answered")
    ]
    assert verdicts["page_load_time /slow"]["effect"] == "fail" and verdicts["page_load_time /slow"]["value"] > 2000
    assert verdicts["page_load_time /"]["effect"] == "none" and verdicts["page_load_time /"]["value"] > 300
    assert verdicts["interaction"]["value"] >= 120
    assert verdicts["shifts /"]["effect"] == "warn" and verdicts["shifts /slow"]["effect"] == "none"

    front, slow = sorted(run["pages"], key=lambda page: page["url"])  # which is first says only which was opened first
    assert (front["url"], front["clicked"], slow["url"], slow["clicked"]) == ("/", "Like", "/slow", "")
    assert front["visits"] >= 2 and front["failed"] == 0
    assert front["load_ms"] == pytest.approx(verdicts["page_load_time /"]["value"], rel=0.002), "one record"
    assert slow["ttfb_ms"] > 2000 and slow["inp_ms"] is None
    assert run["browser"]["version"] and run["browser"]["cpu_percent"] > 0
    assert {(one["kind"], one["name"]) for one in run["operations"]} >= {("page", "/"), ("page", "/slow")}

    for text in (done.stdout, *((folder / name).read_text() for name in ("report.html", "summary.md"))):
        assert "Pages in a browser" in text and "/slow" in text and "part of what the load used" in text
    rows = list(csv.DictReader((folder / "operations.csv").read_text().splitlines()))
    assert {row["operation"] for row in rows if row["kind"] == "page"} == {"/", "/slow"}
    assert 'name="page_load_time /slow"' in (folder / "junit.xml").read_text()

    # Judged again from the record, and held against itself.
    again = dbz("report", "show", folder.name, "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["pages"] == run["pages"]
    compared = dbz("report", "compare", folder.name, folder.name, "--json", cwd=tmp_path)
    document = json.loads(compared.stdout)
    told_of = {f"{one['kind']} {one['operation']}" for one in document["figures"]} | set(document["uncompared"])
    assert told_of == {"http GET /hits", "page /", "page /slow"}


@needs_browser
def test_pages_that_fail_make_a_load_of_a_url_fail(tmp_path, site):
    options = ["--users", "1", "--duration", "8s", "--page", "/broken", "--page", "/odd", "--page-every", "1s"]
    done = dbz("load", f"{site}/hits", *options, cwd=tmp_path)
    assert done.returncode == ExitCode.BROKEN, done.stdout + done.stderr
    _, run = newest(tmp_path)
    assert "page_error_rate /broken" in run["reasons"][0] and len(run["reasons"]) == 1
    (group,) = run["errors"]
    assert (group["kind"], group["operation"], group["error"]) == ("page", "/broken", "HTTP 500")
    assert any("page /odd: " in note for note in run["notes"])
    assert "script: Error: a rally too long" in done.stdout


@needs_browser
def test_a_page_that_was_not_opened_in_time_makes_the_run_invalid(tmp_path, site):
    pages = [word for path in ("/slow?1", "/slow?2", "/slow?3") for word in ("--page", path)]
    done = dbz("load", f"{site}/hits", "--users", "1", "--duration", "1s", *pages, cwd=tmp_path)
    assert done.returncode == ExitCode.INVALID, done.stdout + done.stderr
    _, run = newest(tmp_path)
    assert any("was not opened in the judged part of 1 s" in reason for reason in run["reasons"])


@needs_browser
def test_the_club_page_of_the_embedded_stack_is_opened_below_its_address(tmp_path):
    options = ["--users", "5", "--warmup", "2s", "--duration", "6s", "--page", "/club", "--page-every", "2s"]
    done = dbz("load", "smoke", *options, cwd=tmp_path, timeout_s=150)
    _, run = newest(tmp_path)
    # Beside other tests the generator may lag: what it measured cannot be judged then, what it did can.
    assert done.returncode in (ExitCode.OK, ExitCode.BROKEN, ExitCode.INVALID), done.stdout + done.stderr
    (club,) = run["pages"]
    assert (club["url"], club["clicked"]) == ("/club", "Refresh")
    assert club["visits"] >= 2 and club["failed"] == 0
    assert (club["problems"], club["blocked_hosts"], club["script_errors"]) == ([], [], 0)
    assert club["load_ms"] >= club["lcp_ms"] > club["fcp_ms"] > club["ttfb_ms"] > 0
    assert club["requests"] > 15 and club["bytes"] > 50_000, "texts, pictures, a socket"
    (verdict,) = (one for one in run["budgets"] if one["name"] == "page_load_time /club")
    assert verdict["value"] == pytest.approx(club["load_ms"], rel=0.002)
    assert not [one for one in run["errors"] if "too many" in one["error"]], "the page takes no user's rate"


def test_without_a_browser_no_load_begins(tmp_path):
    with small_server() as url:
        done = dbz("load", url, "--page", "/", "--duration", "1s", cwd=tmp_path, PATH=str(tmp_path))
    assert done.returncode == ExitCode.UNREACHABLE
    assert done.stderr.startswith("dbz: pages are opened in a Chromium, and there is none here (looked for chromium,")
    assert "apt install chromium" in done.stderr and len(done.stderr.splitlines()) == 2
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--page", "club"], "--page: pages.0.url: 'club' is neither a path"),
        (["--page", "/a", "--page", "/a"], "page '/a' is there twice"),
        (["--page", "https://club.example/"], "'club.example' is not on this machine"),
        (["--page", "/a", "--page-every", "0.1s"], "--page-every: "),
    ],
)
def test_pages_that_cannot_be_opened_are_refused_before_the_load(tmp_path, options, said):
    done = dbz("load", "http://127.0.0.1:9/", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, ""), done.stderr
    assert said in done.stderr
    assert not (tmp_path / "reports").exists()
