"""`dbz import --model`: what is learnt of visitors whose behaviour is known, and loads that do as they did."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dbz.bring.choosing import Choice
from dbz.bring.files.opening import read_files
from dbz.bring.files.unpacking import LONGEST_LINE
from dbz.bring.learning.model import LearntLog, ModelFiles, learn_log
from dbz.bring.learning.reading import AccessLogs
from dbz.bring.script import script_of
from dbz.bring.writing.scenario import scenario_text
from dbz.config.schemas import config_schema
from dbz.config.source.source import read_yaml
from dbz.errors import ExitCode, UsageError
from dbz.load.generator.phone.behaviour import read_behaviour
from dbz.measure.behaviour.chain import END, Behaviour, Screen
from dbz.measure.behaviour.think_time import evenly
from tests.bring.visitors import FIRST_S, KNOWN, SECRET, Call, as_alb, as_combined, as_common, as_json, calls
from tests.cli.running import dbz, newest_run

FORMATS = {"json": as_json, "common": as_common, "combined": as_combined, "alb": as_alb}
FILES = ModelFiles(Path("model.yaml"), Path("visitors.py"))


def learnt(folder: Path, lines: Iterable[str], *, timeout_s: float = 1800, name: str = "access.log") -> LearntLog:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return learn_log([path], Choice(), FILES, timeout_s)


def variation(left: dict[str, float], right: dict[str, float]) -> float:
    return sum(abs(left.get(name, 0) - right.get(name, 0)) for name in {*left, *right}) / 2


class _Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def counting() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_load_with_what_was_learnt_has_the_mix_of_the_log(tmp_path: Path, counting: ThreadingHTTPServer) -> None:
    made = calls(KNOWN, 4000, 20)
    (tmp_path / "access.log").write_text("".join(f"{line}\n" for line in as_json(made)))
    target = f"http://127.0.0.1:{counting.server_port}"
    arguments = ("import", "access.log", "--model", "model.yaml", "-o", "visitors.py", "--target", target)
    done = dbz(*arguments, cwd=tmp_path)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    assert "It does what 800 visits did that it was not made from" in done.stdout
    files = {name: (tmp_path / name).read_text() for name in ("model.yaml", "visitors.py", "visitors.yaml")}
    again = dbz(*arguments, cwd=tmp_path)
    assert again.returncode == ExitCode.USAGE and "not written over" in again.stderr
    assert dbz(*arguments, "--force", cwd=tmp_path).stdout == done.stdout
    assert {name: (tmp_path / name).read_text() for name in files} == files, "the same log, and other files"
    assert SECRET not in "".join(files.values()) and 'TOKEN = secret("TOKEN")' in files["visitors.py"]
    assert not list(
        Draft202012Validator(config_schema("behaviour")).iter_errors(read_yaml(tmp_path / "model.yaml").data)
    )

    found = read_behaviour(tmp_path / "model.yaml")
    assert variation(found.shares(), KNOWN.shares()) < 0.02
    for name, screen in KNOWN.screens.items():
        assert variation(dict(found.screens[name].next), dict(screen.next)) < 0.04
        assert found.screens[name].think.mean_s == pytest.approx(screen.think.mean_s, rel=0.03)
    steps = Counter(screen for _, screen in itertools.islice(found.steps(random.Random(3)), 100_000))
    for name, share in found.shares().items():
        assert steps[name] / 100_000 == pytest.approx(share, abs=0.02)

    counting.asked.clear()  # type: ignore[attr-defined]
    options = ("--users", "150", "--duration", "6s", "--warmup", "1s", "--seed", "1", "--no-live")
    loaded = dbz("load", "visitors.yaml", *options, cwd=tmp_path, TOKEN="mine")
    assert loaded.returncode in (ExitCode.OK, ExitCode.INVALID), loaded.stdout + loaded.stderr
    run = newest_run(tmp_path)
    counts = {one["name"]: one["count"] for one in run["operations"] if one["kind"] == "http"}
    total, asked = sum(counts.values()), Counter(f"{one.method} {_template(one.url)}" for one in made)
    assert total > 1000
    assert variation({n: c / total for n, c in counts.items()}, {n: c / asked.total() for n, c in asked.items()}) < 0.05
    paths = {path for _, path in counting.asked}  # type: ignore[attr-defined]
    assert paths <= {one.url.replace(SECRET, "mine") for one in made} | {"/healthz", "/metrics"}
    assert len(paths) > 50, "ids are those of the log, and many"


def _template(url: str) -> str:
    return "/".join("{id}" if part.isdigit() else part for part in url.partition("?")[0].split("/"))


def test_a_log_in_any_format_tells_the_same_of_the_same_visitors(tmp_path: Path) -> None:
    made = calls(KNOWN, 400, 0.05, slower=40)
    models = {}
    for name, lines in FORMATS.items():
        log = learnt(
            tmp_path, [*itertools.islice(lines(made), 50), "", "broken", *itertools.islice(lines(made), 50, None)]
        )
        assert log.notes[0] == f"access.log: 1 of {len(made) + 1:,} lines cannot be read, and are left out: line 52"
        assert f"{len(made):,} requests in 400 visits" in log.about[0], (name, log.about)
        assert ("only known to the second" in " ".join(log.notes)) == (name in ("common", "combined"))
        models[name] = log.behaviour
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress("".join(f"{line}\n" for line in as_json(made)).encode()))
    assert learn_log([packed], Choice(), FILES).behaviour == models["json"]
    for name, one in models.items():
        assert variation(one.shares(), models["json"].shares()) < 1e-3
        for screen, known in models["json"].screens.items():
            assert dict(one.screens[screen].next) == dict(known.next)
            answered_s = 0.1 if name == "alb" else 0  # what a log says of durations is no pause
            assert one.screens[screen].think.mean_s == pytest.approx(known.think.mean_s - answered_s, abs=0.25)


def test_several_files_are_one_log_in_whatever_order(tmp_path: Path) -> None:
    made = calls(KNOWN, 300, 1, slower=20)
    whole = learnt(tmp_path, as_json(made))
    parts = [made[:700:2], made[1:700:2], made[700:]]  # two load balancers at a time, and what came after the rotation
    paths = []
    for number, part in enumerate(parts):
        paths.append(tmp_path / f"{9 - number}.log")
        paths[-1].write_text("".join(f"{line}\n" for line in as_json(part)))
    assert learn_log(paths, Choice(), FILES).behaviour == whole.behaviour


def test_visits_end_after_the_time_out_and_what_the_ends_of_a_log_cut_counts_for_nothing(tmp_path: Path) -> None:
    made = calls(KNOWN, 4000, 1, slower=100)
    log = learnt(tmp_path, as_json(made), timeout_s=120)
    assert not [note for note in log.notes if "time-outs" in note]
    for name, screen in KNOWN.screens.items():
        assert log.behaviour.screens[name].next[END] == pytest.approx(screen.next[END], abs=0.03)
    assert log.behaviour.starts["GET /"] == pytest.approx(0.7, abs=0.03)
    short = learnt(tmp_path, as_json(made), timeout_s=3)
    assert sum(one.next.get(END, 0) for one in short.behaviour.screens.values()) > 2


def two_back() -> list[Call]:
    """Everybody goes /a /x /c or /b /x /d, and then begins anew, twice."""
    numbers, found = random.Random(1), []
    for visitor in range(400):
        at_s = FIRST_S + visitor * 100
        for _ in range(2):
            for path in numbers.choice([("/a", "/x", "/c"), ("/b", "/x", "/d")]):
                found.append(Call(at_s, visitor, "GET", path))
                at_s += numbers.uniform(1, 2)
    return found


def changing() -> list[Call]:
    """Every fifth visitor, which are those that are held out, does something else, and slowly."""
    found = []
    for visitor in range(600):
        odd = visitor % 5 == 4
        for step, path in enumerate(("/a", "/b" if odd else "/c", "/a")):
            found.append(Call(FIRST_S + visitor * 100 + step * (20 if odd else 1), visitor, "GET", path))
    return found


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (two_back, ["depends on more than their last request", "a chain makes visits of other lengths"]),
        (changing, ["other requests follow in these", "their pauses are others"]),
        (lambda: calls(KNOWN, 100, 1), ["Too few visits to tell how well it fits: 20 of 50"]),
    ],
)
def test_what_a_chain_does_not_fit_is_said(tmp_path: Path, made: Callable[[], list[Call]], said: list[str]) -> None:
    log = learnt(tmp_path, as_json(sorted(made())))
    assert all(text in log.about[-1] for text in said), log.about


def test_secrets_in_queries_are_written_nowhere(tmp_path: Path) -> None:
    made = [Call(FIRST_S + at, 1, "GET", f"/reset?token={SECRET}{at}&page={at}") for at in range(4)]
    path = tmp_path / "access.log"
    log = learnt(tmp_path, as_json(made))
    assert SECRET not in log.model + log.scenario + log.profile and "/reset?token=***&page=2" in log.scenario
    assert not log.secrets
    script = script_of(read_files([str(path)]), Choice())
    text = scenario_text(script, "x")
    assert SECRET not in text and "token=***&page=3" in text
    assert not script.secrets and not script.secret_values, "what is masked needs no variable"


def test_what_a_log_says_of_statuses_and_bodies_is_in_the_scenario(tmp_path: Path) -> None:
    lines = [
        {"time": FIRST_S + at_s, "method": method, "path": path, "status": status, "ip": "10.0.0.1"}
        for at_s, method, path, status in [
            (0, "GET", "/old", 302), (1, "GET", "/new", 200), (2, "GET", "/gone", 404), (3, "POST", "/posts", 201),
            (4, "GET", "/app.js", 200), (5, "GET", "/socket.io/?EIO=4&transport=polling", 200), (6, "GET", "/ws", 101),
            (7, "GET", "https://elsewhere.example/x", 200),
        ]
    ]  # fmt: skip
    log = learnt(tmp_path, map(json.dumps, lines))
    assert set(log.behaviour.screens) == {"GET /old", "GET /new", "GET /gone", "POST /posts", "GET /x"}
    assert 'self.client.get("/old", allow_redirects=False)' in log.scenario
    assert "if answer.status_code == 404:  # as it was recorded" in log.scenario
    assert "# A log keeps no bodies: give it one." in log.scenario
    notes = " ".join(log.notes)
    assert (
        "give some to POST /posts" in notes and "1 request for pictures" in notes and "2 requests of sockets" in notes
    )
    compile(log.scenario, "visitors.py", "exec")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("".join(f"no log {number}\n" for number in range(9)), "access.log:1: no line is of an access log"),
        ('{"log": {"entries": []}}', "no line is of an access log"),
        (
            '{"method": "GET", "path": "/a", "status": 200}\n' * 3,
            "no line is of an access log that dbz knows and has a",
        ),
        (next(as_json(calls(KNOWN, 1, 1))) + "\nx\ny\n" + "z" * (LONGEST_LINE + 9), ":2: 3 of 4 lines are of no"),
        ("", "is empty"),
        ('{"time": 1790000000, "path": "/app.js"}\n', "nothing of the log is left"),
    ],
)
def test_what_is_no_log_is_refused_and_nothing_is_written(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "access.log").write_text(content)
    done = dbz("import", "access.log", "--model", "m.yaml", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and said in done.stderr, done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["access.log"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--replay"], "--model and --replay are not for each other"),
        (["--check"], "--model and --check are not for each other"),
        (["-o", "m.py"], "m.yaml would be written twice"),
        (["--session-timeout", "soon"], "--session-timeout: 'soon'"),
        (["--session-timeout", "0s"], "--session-timeout: 0 s"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "access.log").write_text("".join(f"{line}\n" for line in as_json(calls(KNOWN, 3, 1))))
    done = dbz("import", "access.log", "--model", "m.yaml", *options, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE and said in done.stderr, done.stderr


def test_a_damaged_gzip_file_is_refused_in_its_midst(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in as_json(calls(KNOWN, 90, 1))).encode())[:-50])
    with pytest.raises(UsageError, match="damaged gzip"):
        learn_log([path], Choice(), FILES)


def test_a_log_twice_as_long_takes_no_more_memory(tmp_path: Path) -> None:
    line = next(as_combined(calls(KNOWN, 1, 1)))
    peaks = []
    for number in (22_000, 33_000):
        path = tmp_path / f"{number}.log"
        path.write_text(f"{line}\n" * number)
        tracemalloc.start()
        try:
            assert sum(1 for _ in AccessLogs([path]).lines()) == number
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_visitors_without_pauses_do_not_come_faster_than_in_the_log(tmp_path: Path) -> None:
    once = Behaviour({"GET /": 1.0}, {"GET /": Screen(evenly(0, 0), {END: 1.0})})
    log = learnt(tmp_path, as_json(calls(once, 600, 0.2)))
    users = int(log.profile.partition("users: ")[2].split()[0])
    assert users == 1 and log.behaviour.between.mean_s == pytest.approx(5, rel=0.2)
    rare = learnt(tmp_path, as_json(calls(once, 20, 0.001)))
    assert rare.behaviour.between.mean_s == 10 and "a visit only every" in " ".join(rare.notes)


def test_what_scanners_ask_for_is_python_and_yaml_all_the_same(tmp_path: Path) -> None:
    lines = [
        {"time": FIRST_S + number, "method": method, "path": path, "status": 200}
        for number, (method, path) in enumerate([
            ("GET", '/"""quote\\'), ("GET", "/a\nb"), ("GET", "/{x}/%7B: #"), ("GET", "/\u00fc/\u65e5\u672c"),
            ("GET", "/end"),
            ('G"ET', "/"), ("-", "/"),
        ])
    ]  # fmt: skip
    lines += [{"time": time, "method": "GET", "path": "/"} for time in (-5, 1e300, "inf", "NaN")]
    log = learnt(tmp_path, map(json.dumps, [*lines, *lines[:5]]))
    assert log.notes[0].startswith("access.log: 6 of 16 lines cannot be read")
    compile(log.scenario, "visitors.py", "exec")
    (tmp_path / "model.yaml").write_text(log.model)
    assert set(read_behaviour(tmp_path / "model.yaml").screens) == set(log.behaviour.screens)
