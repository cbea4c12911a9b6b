"""`dbz cache`: warm the cache, look into it, make parts of it stale."""

from __future__ import annotations

import typer

from dbz.cli.cache.bench import bench
from dbz.cli.cache.entries import get, ttl
from dbz.cli.cache.invalidate import invalidate
from dbz.cli.cache.stats import stats
from dbz.cli.cache.warm import warm

app = typer.Typer(no_args_is_help=True, help="Warm the cache, look into it, make parts of it stale.")
app.command()(warm)
app.command()(stats)
app.command()(invalidate)
app.command()(get)
app.command()(ttl)
app.command()(bench)
