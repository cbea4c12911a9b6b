"""Why an alert is kept to the log: a silence, a mute time, or another alert from which it follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dbz.config.monitor.file import MonitorFile
from dbz.config.monitor.routes import Inhibition
from dbz.monitor.rules.alert import Alert
from dbz.monitor.rules.routes import mute_of
from dbz.monitor.rules.silences import Silence


def suppression_of(
    alert: Alert,
    firing: Sequence[Alert],
    config: MonitorFile,
    silences: Sequence[Silence],
    now_s: float,
    local: datetime,
) -> str:
    """Why nobody is told of an alert at a moment, in words; empty when they are.

    `firing` are all alerts that are on. An alert that inhibits is heeded also while it is silenced itself.
    """
    keys = alert.keys
    for silence in silences:
        if silence.covers(keys, now_s):
            return str(silence)
    mute = mute_of(config.mute, keys, local)
    if mute is not None:
        return f"muted from {mute.begin} to {mute.end}"
    for inhibition in config.inhibit:
        if source := _inhibitor(inhibition, alert, firing):
            return f"follows from {source.type} of {source.target}"
    return ""


def _inhibitor(inhibition: Inhibition, alert: Alert, firing: Sequence[Alert]) -> Alert | None:
    keys = alert.keys
    if not inhibition.target.fits(keys) or inhibition.source.fits(keys):
        return None  # two alerts that fit both sides would silence each other
    for source in firing:
        of_source = source.keys
        if inhibition.source.fits(of_source) and all(
            of_source.get(name, "") == keys.get(name, "") for name in inhibition.equal
        ):
            return source
    return None
