"""From a monitor file to its sources."""

from __future__ import annotations

from dbz.config.monitor.file import MonitorFile
from dbz.monitor.sources.reading import Source
from dbz.monitor.sources.service import TargetSource


def sources_of(config: MonitorFile) -> list[Source]:
    """A source for each thing that is watched."""
    return [TargetSource(target) for target in config.targets]
