"""What really happened, as somebody has marked it, and which alerts told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbz.config.monitor.incidents import Incident
from dbz.monitor.replay.follow import AlertOutcome, Firing


@dataclass(frozen=True)
class IncidentJudgement:
    """How well an alert told of incidents."""

    true: list[Firing]
    """Those that began because of an incident."""
    false: list[Firing]
    missed: list[Incident]
    detected_after_s: dict[Incident, float]
    """Of each incident that was told, the seconds from its beginning to the first alert; 0 for one that was on."""


def judged(outcome: AlertOutcome, incidents: Sequence[Incident]) -> IncidentJudgement:
    """Put the firings of an alert beside the incidents that are about it.

    True ones begin during an incident, or within the window of the rule after it: an alert that is on anyway tells of
    nothing.
    """
    late_s = 0.0 if outcome.rule is None else outcome.rule.when.window_s
    about = [one for one in incidents if not one.type or outcome.type in one.type]
    true = [
        one
        for one in outcome.firings
        if any(incident.begin_s <= one.begin_s <= incident.end_s + late_s for incident in about)
    ]
    detected = {
        incident: max(min(one.begin_s for one in told) - incident.begin_s, 0.0)
        for incident in about
        if (told := [one for one in true if one.overlaps(incident.begin_s, incident.end_s + late_s)])
    }
    return IncidentJudgement(
        true,
        [one for one in outcome.firings if one not in true],
        [incident for incident in about if incident not in detected],
        detected,
    )
