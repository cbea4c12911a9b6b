"""What a user's network does to time and bandwidth against what was asked for, and what shaping costs.

For each network with a name: the median of small requests on a kept connection against its round trip and their bytes;
a download against its bandwidth, as a whole and in the worst of its seconds. Then CPU of the generator for a request of
phones that load lists and pictures, on this machine's network and on networks of their own in turn, and how often the
process slept meanwhile: waking up is what costs, on this machine's network too. "By the clock" is for so many seconds;
"journey" is for the same requests, without what the process costs while it does nothing for as long.
The kernel's netem is no peer here: it needs rights, and a module that containers mostly lack.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import random  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from typing import NamedTuple  # noqa: E402

import gevent  # noqa: E402
from sized_server import sized_answers  # noqa: E402

from dbz.config.load.networks import PRESETS  # noqa: E402
from dbz.load.generator import wire  # noqa: E402
from dbz.load.generator.http import HttpClient  # noqa: E402
from dbz.load.generator.net.access.user import UserAccess  # noqa: E402
from dbz.load.planning.networks import Network, network_at  # noqa: E402

SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
REQUESTS = 10
LATENCY_GOAL_MS, BANDWIDTH_GOAL, CPU_GOAL = 5.0, 0.1, 0.05
"""How far off a median may be, and a bandwidth as a share of it; what shaping may add to the CPU of a request."""
ANSWER_BYTES = len(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") + 1
WINDOW_S = 1.0
PHONES = 200
SHARES = {"wifi": 0.6, "lte": 0.3, "3g": 0.1}
SCREEN_S = 3.0
"""A phone shows a screen so often: two lists, then a group of pictures at the same time."""
LIST_BYTES, PICTURE_BYTES, PICTURES = 4_000, 60_000, 5


class Cost(NamedTuple):
    """What phones cost the generator."""

    us: float
    """CPU for a request."""
    per_s: float
    """Requests a second."""
    sleeps: float
    """How often the process went to sleep for a request."""


def main() -> None:
    """Measure both, and print what was asked for beside what came of it."""
    gevent.spawn(wire.sweep_deadlines)
    with sized_answers() as url:
        print(f"{'':10}{'round trip':>12}{'median':>11}{'':9}{'down':>13}{'measured':>13}{'ratio':>8}{'worst 1 s':>11}")
        for name in PRESETS:
            print(accuracy(network_of(name), url))
        networks = [network_of(name, share) for name, share in SHARES.items()]
        for title, measured in (("by the clock", browsing), ("journey", journey)):
            plain, shaped = [], []
            for _ in range(ROUNDS):
                plain.append(measured(url, []))
                shaped.append(measured(url, networks))
            compare(title, plain, shaped)


def compare(title: str, plain: list[Cost], shaped: list[Cost]) -> None:
    """Print what requests cost on each kind of network, and what shaping adds."""
    print(f"\n{PHONES} phones that browse, {title}, {ROUNDS} rounds: CPU of the generator for a request")
    for name, figures in (("plain", plain), ("shaped", shaped)):
        us, per_s, sleeps = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{name:10}{us:>8.1f} us{per_s:>10.0f} requests/s{sleeps:>8.2f} times asleep a request")
    ratios = [after.us / before.us for before, after in zip(plain, shaped, strict=True)]
    spread = f"{min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%}"
    print(f"shaping adds {statistics.median(ratios) - 1:+.1%} CPU to such a bare request ({spread})")


def network_of(name: str, share: float = 1) -> Network:
    """A network with a name."""
    terms = PRESETS[name]
    return Network(name, share, latency_s=terms.latency, down_bit_s=terms.down or 0.0, up_bit_s=terms.up or 0.0)


def accuracy(network: Network, url: str) -> str:
    """One line: the network's terms, and what a user on it measured."""
    client = HttpClient(url, lambda *_: None, access=UserAccess(network, random.Random(1)))
    sent = len(client.get("/1").sent)
    median_s = statistics.median(client.get("/1").elapsed_s for _ in range(REQUESTS))
    asked_s = network.latency_s + sent * 8 / network.up_bit_s + ANSWER_BYTES * 8 / network.down_bit_s
    size = int(network.down_bit_s / 8 * SECONDS)
    whole = client.get(f"/{size}", timeout=10 * SECONDS)
    measured = len(whole.content) * 8 / (whole.elapsed_s - network.latency_s)
    seconds = by_window(client, f"/{size}")
    client.close()
    off_ms, ratio = (median_s - asked_s) * 1000, measured / network.down_bit_s
    worst = max((bits / network.down_bit_s for bits in seconds), key=lambda share: abs(share - 1))
    kept = abs(off_ms) <= LATENCY_GOAL_MS and max(abs(ratio - 1), abs(worst - 1)) <= BANDWIDTH_GOAL
    return (
        f"{network.name:10}{asked_s * 1000:>9.1f} ms{median_s * 1000:>8.1f} ms{off_ms:>+6.1f} ms"
        f"{network.down_bit_s / 1e6:>8.2f} Mbit{measured / 1e6:>8.2f} Mbit{ratio:>8.3f}{worst:>11.3f}"
        f"{'' if kept else '  off'}"
    )


def by_window(client: HttpClient, path: str) -> list[float]:
    """Bits a second of a download that is read as it comes, in each whole window from its first byte on."""
    answer = client.get(path, stream=True, timeout=10 * SECONDS)
    began_s, got = time.monotonic(), [0]
    for piece in answer.iter_content(None):
        while time.monotonic() - began_s >= WINDOW_S * len(got):
            got.append(0)
        got[-1] += len(piece)
    return [count * 8 / WINDOW_S for count in got[:-1]] or [got[0] * 8 / WINDOW_S]


class Meter:
    """CPU and sleeps of this process since it was made."""

    def __init__(self) -> None:
        self._began_s, self._spent_s = time.monotonic(), time.process_time()
        self._sleeps = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw

    def cost(self, requests: int, idle: float = 0.0) -> Cost:
        """What a request cost, without so much of a core that idling takes."""
        passed_s = time.monotonic() - self._began_s
        spent_s = time.process_time() - self._spent_s - idle * passed_s
        sleeps = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - self._sleeps
        return Cost(spent_s / requests * 1e6, requests / passed_s, sleeps / requests)


class Phone:
    """Shows a screen now and then, on a network of its own if there are any."""

    def __init__(self, url: str, networks: list[Network], seat: int, made: list[int]) -> None:
        self.numbers = random.Random(seat)
        access = UserAccess(network_at(networks, 0.3, seat), self.numbers) if networks else None
        self.client = HttpClient(url, lambda *_: made.append(seat), access=access)
        self.next_s = time.monotonic() + self.numbers.random() * SCREEN_S

    def show(self) -> None:
        """Load the next screen when its time has come."""
        gevent.sleep(max(self.next_s - time.monotonic(), 0))
        self.next_s += SCREEN_S
        for _ in range(2):
            self.client.get(f"/{LIST_BYTES}")
        gevent.joinall([gevent.spawn(self.client.get, f"/{PICTURE_BYTES}") for _ in range(PICTURES)])


def browsing(url: str, networks: list[Network]) -> Cost:
    """What a request costs in some seconds of phones that all begin at moments of their own."""
    made: list[int] = []
    until_s = time.monotonic() + SCREEN_S + SECONDS

    def browse(seat: int) -> None:
        phone = Phone(url, networks, seat, made)
        while phone.next_s < until_s:
            phone.show()
        phone.client.close()

    phones = [gevent.spawn(browse, seat) for seat in range(PHONES)]
    gevent.sleep(SCREEN_S)  # all are connected then
    meter, before = Meter(), len(made)
    gevent.sleep(SECONDS)
    cost = meter.cost(len(made) - before)
    gevent.joinall(phones)
    return cost


def journey(url: str, networks: list[Network]) -> Cost:
    """What a request costs of phones that each show the same screens, however long that takes."""
    began_s, spent_s = time.monotonic(), time.process_time()
    gevent.sleep(1)
    idle = (time.process_time() - spent_s) / (time.monotonic() - began_s)
    made: list[int] = []
    phones = [Phone(url, networks, seat, made) for seat in range(PHONES)]
    gevent.joinall([gevent.spawn(phone.show) for phone in phones])  # all are connected then
    meter, before = Meter(), len(made)
    screens = max(round(SECONDS / SCREEN_S), 1)
    gevent.joinall([gevent.spawn(lambda phone=phone: [phone.show() for _ in range(screens)]) for phone in phones])
    cost = meter.cost(len(made) - before, idle)
    for phone in phones:
        phone.client.close()
    return cost


if __name__ == "__main__":
    main()
