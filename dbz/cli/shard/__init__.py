"""`dbz shard`: where clubs lie, and moving them while the app keeps writing."""

from dbz.cli.shard.app import app
from dbz.cli.shard.look import route
from dbz.cli.shard.planning import plan

app.command()(route)
app.command()(plan)

__all__ = ["app"]
