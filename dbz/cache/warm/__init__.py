"""Filling the cache before anybody asks: fast, at a bounded rate, and never with something older than what is there."""

from dbz.cache.warm.databases import Databases, OneDatabase
from dbz.cache.warm.plan import WarmOrder
from dbz.cache.warm.progress import Tally, WarmReport
from dbz.cache.warm.run import WarmRun

__all__ = ["Databases", "OneDatabase", "Tally", "WarmOrder", "WarmReport", "WarmRun"]
