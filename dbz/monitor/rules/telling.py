"""Who is told what, and when: a function of where alerts are, of the clock, and of nothing else.

What people know of an alert is kept with it (`AlertStanding.told_since_s`). A round compares that with what is, and
tells the difference, unless a silence, a mute time or an inhibition keeps the alert to the log; then it is told when
that ends, if it is still so. That an alert is over is told if and only if its beginning was.

Groups, as Alertmanager has them: the first alert of a group waits `group_wait` for others, and what becomes new in a
group of which people know waits until `group_interval` after they were told last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from dbz.config.monitor.channels import LOG
from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.routes import AlertRoute
from dbz.monitor.rules.alert import Alert
from dbz.monitor.rules.alerts import AlertEvent
from dbz.monitor.rules.notices import STILL_FIRING
from dbz.monitor.rules.routes import route_of
from dbz.monitor.rules.silences import Silence
from dbz.monitor.rules.suppression import suppression_of
from dbz.monitor.store.store import Notice, OutboxRow


@dataclass(frozen=True)
class Telling:
    """A notice that is told now, and to whom."""

    notice: Notice
    channels: tuple[str, ...]
    """Of the file, and the log where the route names it."""
    key: str
    """The same for the same event, also after a restart."""
    now_s: float

    def rows(self) -> Iterator[OutboxRow]:
        """The messages that it becomes."""
        for channel in self.channels:
            if channel != LOG:
                yield OutboxRow(f"{self.key}-{channel}", channel, self.notice, self.now_s, self.now_s)


@dataclass
class _Group:
    """Alerts that are told together."""

    name: str
    route: AlertRoute
    members: list[Alert] = field(default_factory=list)

    def due_s(self, owing: Sequence[Alert]) -> float:
        """When those of them of which there is something to tell are told."""
        wait_s, interval_s = self.route.waits_s()
        if any(alert.standing.told_since_s for alert in self.members):
            return max(alert.standing.told_s for alert in self.members) + interval_s
        return min(alert.standing.owed_s for alert in owing) + wait_s


class AlertTeller:
    """Knows where each alert goes: its route and its group do not change while the file does not."""

    def __init__(self, config: MonitorFile, alerts: Sequence[Alert]) -> None:
        self._config, self._alerts = config, alerts
        self._channels = {LOG, *config.channels}
        self._groups: dict[str, _Group] = {}
        self._group_of = [self._join(alert) for alert in alerts]

    def tell(self, silences: Sequence[Silence], now_s: float, local: datetime) -> tuple[list[Telling], dict[int, str]]:
        """What is told now, and why alerts that are on, or of which there is something to tell, are not, by index.

        Notes in the standing of each alert what people know of it then.
        """
        firing = [alert for alert in self._alerts if alert.firing]
        suppressed: dict[int, str] = {}
        owing: dict[str, list[Alert]] = {}
        for index, alert in enumerate(self._alerts):
            standing, group = alert.standing, self._group_of[index]
            if not alert.firing and not standing.told_since_s:
                standing.owed_s = 0.0
                continue
            owes = any(_owed(alert, group.route, now_s))
            why = suppression_of(alert, firing, self._config, silences, now_s, local)
            if why:
                suppressed[index] = why
            if not owes or why:
                standing.owed_s = 0.0
                continue
            standing.owed_s = standing.owed_s or now_s
            owing.setdefault(group.name, []).append(alert)
        due = [(group, some) for name, some in owing.items() if now_s >= (group := self._groups[name]).due_s(some)]
        return [telling for group, some in due for telling in _told(group, some, self._channels, now_s)], suppressed

    def _join(self, alert: Alert) -> _Group:
        keys, routes = alert.keys, self._config.routes
        route = route_of(self._config, keys)
        number = next((number for number, one in enumerate(routes) if one is route), len(routes))
        by = ("target", "type") if route.group_by is None else route.group_by
        name = "/".join([str(number), *(keys.get(one, "") for one in by)])
        group = self._groups.setdefault(name, _Group(name, route))
        group.members.append(alert)
        return group


def _owed(alert: Alert, route: AlertRoute, now_s: float) -> Iterator[str]:
    """What people must be told of an alert, in order."""
    standing = alert.standing
    same = alert.firing and standing.told_since_s == standing.since_s
    if standing.told_since_s and not same:
        yield AlertEvent.RESOLVED
    if alert.firing and not same:
        yield AlertEvent.FIRING
    if same and now_s - standing.told_s >= route.repeat:
        yield STILL_FIRING


def _told(group: _Group, owing: Sequence[Alert], known: Set[str], now_s: float) -> Iterator[Telling]:
    together = "" if group.route.group_by is None else group.name
    for alert in owing:
        standing = alert.standing
        for event in list(_owed(alert, group.route, now_s)):
            since_s = standing.told_since_s if event == AlertEvent.RESOLVED else standing.since_s
            which = f"again-{int(now_s)}" if event == STILL_FIRING else str(event)
            to = standing.told_to if event == AlertEvent.RESOLVED else group.route.to
            channels = [name for name in to if name in known]  # one may have left the file since
            notice = replace(alert.notice(event, now_s), since_s=since_s, group=together, labels=dict(alert.labels))
            key = f"{alert.target}-{alert.type}-{int(since_s * 1000)}-{which}"
            yield Telling(notice, tuple(channels), key, now_s)
            standing.told_s, standing.owed_s = now_s, 0.0
            standing.told_since_s = 0.0 if event == AlertEvent.RESOLVED else since_s
            standing.told_to = [] if event == AlertEvent.RESOLVED else list(channels)
