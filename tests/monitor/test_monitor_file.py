"""Monitor files: the bundled one is right, and what is wrong in another is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbz.config.monitor.file import load_monitor
from dbz.errors import ConfigError, ExitCode
from tests.cli.running import dbz

GOOD = """\
schema: dbz.monitor/1
targets:
  - {name: api, url: "http://127.0.0.1:1"}
alerts:
  - {type: SLOW, when: "response time > 1s for 1 minute"}
channels:
  hook: {webhook: "http://127.0.0.1:1/"}
routes:
  - {severity: [critical], to: [hook]}
"""


def test_the_bundled_file_has_the_limits_of_the_plan() -> None:
    config = load_monitor("default")
    assert {rule.type: str(rule.when) for rule in config.alerts} == {
        "SLOW_RESPONSE": "Response time > 1000ms for 1 minute",
        "HIGH_ERROR_RATE": "Error rate > 1% for 1 minute",
        "HIGH_MEMORY_USAGE": "Memory > 80% for 1 minute",
        "HIGH_CPU_USAGE": "CPU > 70% for 1 minute",
        "MANY_CONNECTIONS": "Active connections > 1000 for 1 minute",
    }
    assert config.interval == 10 and [rule.severity for rule in config.alerts].count("critical") == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("> 1s", "> 1banana"), r"monitor\.yaml:5: "),
        (("response time", "respons time"), r"monitor\.yaml:5: "),
        (("> 1s for 1 minute", "> 80% capacity"), r"monitor\.yaml:5: "),
        (("name: api", "name: 'a b'"), r"monitor\.yaml:3: .*is not a name"),
        (("type: SLOW", "type: slow"), r"monitor\.yaml:5: .*SLOW_RESPONSE"),
        (("to: [hook]", "to: [hok]"), r"monitor\.yaml:9: there is no channel 'hok'; did you mean 'hook'"),
        (("webhook: ", "webhok: "), r"monitor\.yaml:7: unknown key 'channels.hook.webhok'"),
        (('webhook: "http://127.0.0.1:1/"', "{}"), "monitor.yaml:7"),
        (('"http://127.0.0.1:1/"}', '"https://[secret"}'), r"monitor\.yaml:7: .*should be a URL"),
        (('"http://127.0.0.1:1/"}', '"${NOT_SET_ANYWHERE}"}'), "NOT_SET_ANYWHERE is not set"),
        (('minute"}', "minute\", resolve: 'CPU < 3%'}"), "resolve is about CPU, and when about response time"),
        (('minute"}', "minute\", resolve: 'response time > 3s'}"), "both look for >"),
        (
            ("  - {type: SLOW,", "  - {type: SLOW, when: CPU > 1%}\n  - {type: SLOW,"),
            r"monitor\.yaml:6: two alerts are called",
        ),
        (('minute"}', 'minute", targets: [ap]}'), r"monitor\.yaml:5: there is no target 'ap'; did you mean 'api'"),
        (
            ("routes:", "inhibit: [{source: {type: [SLO]}, target: {}}]\nroutes:"),
            r"monitor\.yaml:8: there is no alert 'SLO'",
        ),
        (
            ("routes:", "mute: [{from: '22:00', to: '07:00', labels: {team: a}}]\nroutes:"),
            r"monitor\.yaml:8: .*label 'team'",
        ),
        (("to: [hook]", "to: [hook], group_wait: 5s"), r"monitor\.yaml:9: .*need group_by"),
        (("targets:", "interval: 0.1s\ntargets:"), "monitor.yaml:2"),
        (("targets:", "redis: [{name: api, url: 'redis://h'}]\ntargets:"), "two targets are called 'api'"),
        (("targets:", "redis: [{name: c, url: 'http://u:secret@h'}]\ntargets:"), "begins with redis:// or rediss://"),
        (("targets:", "probes: [{name: p, http: 'http://h', status: 204, contains: x}]\ntargets:"), "has no body"),
        (('minute"}', 'minute"}\n  - {type: Q, when: queue depth > 5, targets: [api]}'), "what does: queues"),
        (('  - {name: api, url: "http://127.0.0.1:1"}', "  []"), "nothing is watched; the sections are targets, redis"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(ConfigError, match=says) as refused:
        load_monitor(str(path))
    assert "secret" not in refused.value.message


def test_check_says_what_goes_where_and_refuses_with_2(tmp_path: Path) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_text(GOOD)
    done = dbz("monitor", "check", str(path), cwd=tmp_path)
    assert (
        done.returncode == ExitCode.OK and "SLOW [warning]  Response time > 1000ms for 1 minute  → log" in done.stdout
    )
    assert "TARGET_DOWN [critical]  → log, hook" in done.stdout
    path.write_text(GOOD.replace("alerts:", "alert:"))
    done = dbz("monitor", "--config", str(path), cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and "unknown key 'alert'" in done.stderr
    done = dbz("monitor", "drill", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and "no channels" in done.stderr
    for interval in ("1ms", "2h"):
        done = dbz("monitor", "--interval", interval, cwd=tmp_path)
        assert done.returncode == ExitCode.USAGE and "is not between 1s and 1h" in done.stderr


def test_check_opens_what_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "half.yaml").write_text("schema: dbz.profile/1\nuserss: 5\n")
    (tmp_path / "shards.yaml").write_text(
        "schema: dbz.shards/1\nshard_count: 1\nshards: {a: NOT_SET_ANYWHERE}\ncollections: {posts: club_id}\n"
    )
    path = tmp_path / "monitor.yaml"
    path.write_text(
        GOOD
        + "shards: shards.yaml\nprobes:\n"
        + "  - {name: gone, scenario: gone.yaml}\n  - {name: half, scenario: half.yaml}\n"
        + "  - {name: good, scenario: smoke}\n"
    )
    done = dbz("monitor", "check", str(path), cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and not done.stdout
    assert "monitor.yaml:10: 'shards' cannot be watched:" in done.stderr and "NOT_SET_ANYWHERE" in done.stderr
    assert "monitor.yaml:12: probe 'gone' cannot play its scenario: " in done.stderr
    assert "monitor.yaml:13: probe 'half' cannot play its scenario:\n" in done.stderr
    assert "half.yaml:2: unknown key 'userss'" in done.stderr
    assert "'good'" not in done.stderr and "Traceback" not in done.stderr
