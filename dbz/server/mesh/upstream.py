"""A service and its instances, as those see it who call it: the least busy sound instance, and why there is none."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from operator import attrgetter

from dbz.cache.layers.remote import CircuitBreaker
from dbz.server.mesh.budget import RetryBudget
from dbz.server.observe.metrics import Figures
from dbz.server.settings import Mesh

_WINDOW = 20
_ENOUGH = 10
_BAD, _GOOD = 0.5, 0.25
"""An instance that fails at least so often is sent away while the others fail less often than that."""
_AWAY_S, _MOST_AWAY_S = 5.0, 60.0
_outstanding = attrgetter("outstanding")
_ejected = attrgetter("ejected")

Clock = Callable[[], float]


class ServiceInstance:
    """One process that answers for a service, at a base URL."""

    def __init__(self, url: str, settings: Mesh, clock: Clock = time.monotonic) -> None:
        self.url = url
        self.name = url.partition("://")[2]
        """Host and port."""
        self.outstanding = 0
        """Calls that it has not finished."""
        self.breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_rest_s, clock)
        self.ejections = 0
        """How often it was sent away for failing more than its like."""
        self._outcomes: deque[bool] = deque(maxlen=_WINDOW)
        self._back_at = 0.0
        self._clock = clock

    @property
    def ejected(self) -> bool:
        """Whether it is sent away now."""
        return self._clock() < self._back_at

    @property
    def failure_share(self) -> float | None:
        """The share of its latest answers that were failures; None while there are few."""
        return None if len(self._outcomes) < _ENOUGH else sum(self._outcomes) / len(self._outcomes)

    def note(self, failed: bool) -> None:
        """Remember one answer."""
        self._outcomes.append(failed)

    def eject(self) -> None:
        """Send it away, each time for longer; what it did before is forgotten then."""
        self.ejections += 1
        self._back_at = self._clock() + min(_AWAY_S * self.ejections, _MOST_AWAY_S)
        self._outcomes.clear()


class Upstream:
    """One service. `urls` says where its instances are now."""

    def __init__(
        self,
        service: str,
        settings: Mesh,
        urls: Callable[[], Collection[str]],
        figures: Figures,
        clock: Clock = time.monotonic,
    ) -> None:
        self.service = service
        self._figures = figures
        self.budget = RetryBudget(settings.retry_share)
        self.breaker = CircuitBreaker(settings.breaker_failures * 2, settings.breaker_rest_s, clock)
        """Over all instances: a service that fails wherever it is asked is left alone."""
        self._settings = settings
        self._urls = urls
        self._clock = clock
        self._instances: dict[str, ServiceInstance] = {}
        self._seen: tuple[str, ...] = ()

    @property
    def instances(self) -> Iterable[ServiceInstance]:
        """Those that have a lease; what was known of one goes with its lease."""
        urls = tuple(self._urls())
        if urls != self._seen:
            kept, self._seen = self._instances, urls
            self._instances = {url: kept.get(url) or ServiceInstance(url, self._settings, self._clock) for url in urls}
        return self._instances.values()

    def choose(self, tried: Collection[ServiceInstance] = ()) -> ServiceInstance | None:
        """The sound instance with the fewest calls under way, beside those `tried`; None when there is none."""
        ranked = [each for each in self.instances if each not in tried]
        if len(ranked) > 1:
            ranked.sort(key=_outstanding)
            # Those that were sent away are still better than nobody.
            ranked.sort(key=_ejected)
        for instance in ranked:
            if instance.breaker.allows():
                return instance
        return None

    def begins(self, url: str) -> None:
        """A new process serves at this URL: what is known of the one before it holds for it no more."""
        if url in self._instances:
            self._instances[url] = ServiceInstance(url, self._settings, self._clock)
        self.breaker.succeeded()

    def answered(self, instance: ServiceInstance, status: int) -> None:
        """An answer came, whatever it says. Statuses of 500 and above are a reason to prefer other instances."""
        instance.breaker.succeeded()
        self.breaker.succeeded()
        self._note(instance, status >= 500)

    def failed(self, instance: ServiceInstance) -> None:
        """No answer came, or none that is HTTP."""
        for breaker, name in ((instance.breaker, instance.name), (self.breaker, "")):
            opened = breaker.opened
            breaker.failed()
            if breaker.opened > opened:
                self._figures.breaker_opened.add((self.service, name))
        self._note(instance, True)

    def _note(self, instance: ServiceInstance, failed: bool) -> None:
        instance.note(failed)
        if not failed or len(self._instances) < 2:
            return
        share = instance.failure_share
        others = [each for each in self.instances if each is not instance]
        away = sum(each.ejected for each in others)
        # Never more than half of them: when most fail, it is not the instances.
        if share is None or share < _BAD or (away + 1) * 2 > len(self._instances):
            return
        known = [each.failure_share for each in others if not each.ejected and each.failure_share is not None]
        if known and max(known) < _GOOD:
            instance.eject()
            self._figures.upstream_ejections.add((self.service, instance.name))
