"""What phones do between a touch and a request: behaviour, debouncing, windows of lists, sizes of images."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbz.config.bundled import bundled_folder
from dbz.errors import ConfigError
from dbz.load.generator.phone.behaviour import read_behaviour
from dbz.load.generator.phone.screen import DEVICES, Device, ListWindow, device_of
from dbz.load.generator.phone.timing import DEBOUNCE_S, THROTTLE_S, debounced, throttled

PHONE = bundled_folder("scenarios") / "phone.yaml"
HEAD = "schema: dbz.behaviour/1\nscreens:\n"

moments = st.lists(st.integers(0, 600), max_size=40).map(
    lambda pauses_ms: [sum(pauses_ms[: at + 1]) / 1000 for at in range(len(pauses_ms))]
)


def test_visits_have_the_shares_that_the_file_implies() -> None:
    behaviour, numbers = read_behaviour(PHONE), random.Random(1)
    visits: Counter[str] = Counter()
    screen = behaviour.start
    for _ in range(100_000):
        visits[screen] += 1
        think = behaviour.screens[screen].think
        assert think.shortest_s <= behaviour.think_s(screen, numbers) <= think.longest_s
        screen = behaviour.after(screen, numbers)
    shares = behaviour.shares()
    assert sum(shares.values()) == pytest.approx(1)
    for name, share in shares.items():
        assert visits[name] / visits.total() == pytest.approx(share, abs=0.02)


def test_the_same_seed_goes_the_same_way() -> None:
    behaviour = read_behaviour(PHONE)

    def way(seed: int) -> list[str]:
        numbers, screens = random.Random(seed), [behaviour.start]
        for _ in range(50):
            screens.append(behaviour.after(screens[-1], numbers))
        return screens

    assert way(1) == way(1) != way(2)


def test_a_chain_that_goes_round_has_shares_too(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(HEAD + "  a: {next: {b: 100%}}\n  b: {think: 2s, next: {a: 100%}}\n")
    assert read_behaviour(path).shares() == pytest.approx({"a": 0.5, "b": 0.5})


LEARNT = """\
schema: dbz.behaviour/1
start: {a: 75%, b: 25%}
between: [1s, 9s]
screens:
  a: {think: {0%: 1s, 50%: 2s, 100%: 10s}, next: {a: 20%, b: 60%, end: 20%}}
  b: {think: 0s, next: {a: 40%, end: 60%}}
"""


def test_visits_begin_and_end_by_their_shares_and_are_met_in_their_midst(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(LEARNT)
    behaviour, numbers = read_behaviour(path), random.Random(2)
    assert behaviour.start == "a" and behaviour.screens["a"].think.mean_s == 3.75
    shares, lengths = behaviour.shares(), behaviour.visit_lengths()
    assert sum(shares.values()) == pytest.approx(1) and sum(lengths) == pytest.approx(1, abs=1e-5)
    assert lengths[0] == pytest.approx(0.75 * 0.2 + 0.25 * 0.6)
    mean = sum(number * share for number, share in enumerate(lengths, 1))
    steps = list(itertools.islice(behaviour.steps(numbers), 100_000))
    visits = Counter(screen for _, screen in steps)
    for name, share in shares.items():
        assert visits[name] / 100_000 == pytest.approx(share, abs=0.005)
    ended = shares["a"] * 0.2 + shares["b"] * 0.6
    assert 1 / ended == pytest.approx(mean, abs=1e-3), "a visit has as many screens as there are screens for an end"
    waited_s = sum(pause_s for pause_s, _ in steps) / 100_000
    assert waited_s == pytest.approx(shares["a"] * 0.8 * 3.75 + ended * 5, rel=0.02)
    first = [next(behaviour.steps(numbers)) for _ in range(5_000)]
    away = ended * 5 / (shares["a"] * 0.8 * 3.75 + ended * 5)
    met_b = (1 - away) * 0.75 + away * 0.25
    assert sum(screen == "b" for _, screen in first) / 5_000 == pytest.approx(met_b, abs=0.03)
    rest_s = (1 - away) * _mean_rest_s([(0.5, 1, 2), (0.5, 2, 10)]) + away * _mean_rest_s([(1, 1, 9)])
    assert sum(pause_s for pause_s, _ in first) / 5_000 == pytest.approx(rest_s, rel=0.05)


def _mean_rest_s(bands: list[tuple[float, float, float]]) -> float:
    """Of pauses that are met at any moment: half of the mean square over the mean, by (share, from, to) in seconds."""
    mean = sum(share * (low + high) / 2 for share, low, high in bands)
    return sum(share * (low**2 + low * high + high**2) / 3 for share, low, high in bands) / mean / 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema: dbz.profile/1\nscreens: {a: {next: {a: 100%}}}", "'dbz.profile/1' is not allowed"),
        (HEAD + "  a: {next: {b: 100%}}", "there is no screen 'b'"),
        (HEAD + "  a: {next: {a: 90%}}", "the shares add up to 90 %, not to 100 %"),
        (HEAD + "  a: {next: {a: 1}}", "'1' is not a percentage"),
        (HEAD + "  a: {think: [9s, 3s], next: {a: 100%}}", "the shorter time comes first"),
        (HEAD + "  a: {think: [1s, 2s, 3s], next: {a: 100%}}", "more than two times (allowed: a time, two of them"),
        (HEAD + "  a: {think: [1s], next: {a: 100%}}", "a time, two of them: [3s, 9s], or quantiles"),
        (HEAD + "  a: {think: {0%: 1s, 50%: 2s}, next: {a: 100%}}", "quantiles go from 0% to 100%"),
        (HEAD + "  a: {think: {0%: 1s, 50%: 0s, 100%: 2s}, next: {a: 100%}}", "quantiles ascend"),
        (HEAD + "  a: {next: {a: 100%}}\nstart: {b: 100%}", "start: there is no screen 'b'"),
        (HEAD + "  a: {next: {a: 100%}}\nstart: {a: 50%}", "start: the shares add up to 50 %"),
        (HEAD + "  a: {next: {a: 100%}}\nstart: [a]", "start: there is no screen"),
        (HEAD + "  a: {next: {a: 100%}}\nbetween: soon", "between: 'soon'"),
        (HEAD + "  a: {thnk: 1s, next: {a: 100%}}", "did you mean 'think'"),
        (HEAD + "  a: {}", "is not a mapping of screens to shares"),
        (HEAD + "  a: {next: {a: 100%}}\nstart: c", "start: there is no screen 'c'"),
        ("schema: dbz.behaviour/1", "is not a mapping of screens"),
        ("- 1", "is not a mapping of keys"),
    ],
)
def test_what_is_wrong_with_a_behaviour_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text + "\n")
    with pytest.raises(ConfigError) as refused:
        read_behaviour(path)
    assert says in str(refused.value)
    assert "b.yaml" in str(refused.value)


@given(moments)
@example([0.6, 0.9])
def test_debouncing_acts_as_a_timer_does_that_each_event_sets_again(moments_s: list[float]) -> None:
    due_ms, acts, at = None, [], -1
    for now_ms in range(round(max(moments_s, default=0) * 1000) + 400):  # a fake clock, millisecond by millisecond
        here = [number for number, moment_s in enumerate(moments_s) if round(moment_s * 1000) == now_ms]
        if here:
            at, due_ms = here[-1], now_ms + 300
        elif due_ms == now_ms:
            acts.append((now_ms, at))
            due_ms = None
    assert [(round(moment_s * 1000), number) for moment_s, number in debounced(moments_s)] == acts
    assert DEBOUNCE_S == 0.3


@given(moments)
@example([0.2, 0.3])
def test_throttling_passes_on_the_first_and_then_one_in_a_tenth_of_a_second(moments_s: list[float]) -> None:
    passed, open_from_ms = [], 0
    for now_ms in range(round(max(moments_s, default=0) * 1000) + 1):  # a fake clock, millisecond by millisecond
        for number, moment_s in enumerate(moments_s):
            if round(moment_s * 1000) == now_ms and now_ms >= open_from_ms:
                passed.append(number)
                open_from_ms = now_ms + 100
    assert throttled(moments_s) == passed
    assert THROTTLE_S == 0.1


@given(st.integers(0, 200), st.integers(1, 60))
def test_a_window_shows_ten_rows_then_five_at_a_time_and_asks_in_time(rows: int, page_rows: int) -> None:
    window, seen, pages = ListWindow(), 0, 0

    def load() -> None:
        nonlocal pages
        pages += 1
        window.load(max(min(page_rows, rows - window.loaded), 0), more=window.loaded + page_rows < rows)

    load()
    assert window.shown == min(10, rows, page_rows)
    seen = window.shown
    for _ in range(500):
        while window.wants_page:
            assert window.shown >= 0.9 * window.loaded
            load()
        batch = window.scroll()
        assert batch.start == seen
        assert len(batch) <= 5
        seen = batch.stop
        if window.ended and seen == window.loaded:
            break
    assert seen == rows, "everybody who scrolls to the end has seen all rows, each once"
    assert pages == max(-(-rows // page_rows), 1)


def test_images_are_as_wide_as_the_screen_and_never_wider_than_the_server_gives() -> None:
    assert [Device(*one, 1).image_px for one in ((360, 3.0), (412, 2.625), (375, 2.0), (320, 2.0))] == [
        1024,
        1024,
        750,
        640,
    ]
    numbers = random.Random(1)
    found = Counter(device_of(numbers) for _ in range(20_000))
    for device in DEVICES:
        assert found[device] / 20_000 == pytest.approx(device.share / 100, abs=0.02)
