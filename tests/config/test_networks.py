"""Networks in a profile: which ones there are, what may be said of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbz.config.load.networks import PRESETS
from dbz.config.load.profile import Profile, load_profile
from dbz.errors import ConfigError
from dbz.load.run import users_networks

HEAD = "schema: dbz.profile/1\nname: n\nscenario: api\nusers: 10\n"


def profile_of(folder: Path, text: str, **overrides: Any) -> Profile:
    path = folder / "p.yaml"
    path.write_text(HEAD + text)
    return load_profile(str(path), overrides)


def test_shares_and_networks_of_ones_own(tmp_path: Path) -> None:
    own = "{latency: 80ms, jitter: 20ms, down: 1.6Mbit, up: 750kbit, loss: 1%, outages: {every: 2min, length: 4s}}"
    text = f"network: {{3g: 10%, train: 30%, direct: 60%}}\nnetworks: {{train: {own}}}\n"
    direct, train, third = users_networks(profile_of(tmp_path, text))
    assert (direct.name, direct.share, direct.shaped) == ("direct", 0.6, False)
    assert (train.latency_s, train.jitter_s, train.down_bit_s, train.up_bit_s) == (0.08, 0.02, 1_600_000, 750_000)
    assert (train.loss, train.outage_every_s, train.outage_length_s) == (0.01, 120, 4)
    assert (third.name, third.latency_s, third.down_bit_s, third.up_bit_s) == ("3g", 0.3, 1_600_000, 768_000)


def test_a_network_of_ones_own_takes_the_place_of_one_with_its_name(tmp_path: Path) -> None:
    (third,) = users_networks(profile_of(tmp_path, "network: 3g\nnetworks: {3g: {latency: 1s}}\n"))
    assert (third.share, third.latency_s, third.down_bit_s) == (1.0, 1.0, 0.0)


def test_the_command_line_goes_before_the_profile(tmp_path: Path) -> None:
    profile = profile_of(tmp_path, "network: 3g\n", network="wifi=75%, lte=25%", users=20)
    assert profile.network == {"wifi": 0.75, "lte": 0.25}
    assert profile_of(tmp_path, "network: 3g\n", users=20).network == {"3g": 1.0}


def test_a_load_without_networks_is_the_load_of_runs_that_knew_none(tmp_path: Path) -> None:
    assert not {"network", "networks"} & profile_of(tmp_path, "").plain.keys()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("network: {wify: 100%}", "there is no network 'wify'; did you mean 'wifi'?"),
        ("network: {wifi: 60%, lte: 30%}", "add up to 90 %, not to 100 %"),
        ("network: {wifi: 100%, lte: 0%}", "a network with a share of 0 % has no users"),
        ("network: wifi=60%,lte", "'lte' has no share; write for example wifi=60%"),
        ("network: wifi=50%,wifi=50%", "'wifi' stands there twice"),
        ("network: {wifi: 0.6}", "has no unit; write for example"),
        ("networks: {direct: {latency: 1s}}", "'direct' cannot be the name of a network"),
        ("networks: {'a,b': {latency: 1s}}", "cannot be the name of a network"),
        ("networks: {mine: {latncy: 1s}}", "unknown key 'networks.mine.latncy'; did you mean 'latency'?"),
        ("networks: {mine: {down: 1.6MB}}", "is not a bandwidth; write for example 750kbit"),
        ("networks: {mine: {loss: 60%}}", "less than or equal to 0.5"),
        ("networks: {mine: {outages: {every: 1min}}}", "key 'networks.mine.outages.length' is missing"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        profile_of(tmp_path, text + "\n")
    assert says in str(refused.value)


def test_the_documented_networks_are_those_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()
    for name, terms in PRESETS.items():
        assert terms.down is not None
        assert terms.up is not None
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.split("|")[2].strip() == f"{terms.latency * 1000:g} ms"
        speeds = [cell.strip() for cell in row.split("|")[3:5]]
        assert speeds == [_speed(terms.down), _speed(terms.up)]


def _speed(bit_per_s: float) -> str:
    return f"{bit_per_s / 1e6:g} Mbit" if bit_per_s >= 1e6 else f"{bit_per_s / 1e3:g} kbit"
