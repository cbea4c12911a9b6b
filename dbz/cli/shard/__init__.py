"""`dbz shard`: where clubs lie, and moving them while the app keeps writing."""

from dbz.cli.shard.adopting import adopt
from dbz.cli.shard.app import app
from dbz.cli.shard.look import route, status
from dbz.cli.shard.moving import rebalance
from dbz.cli.shard.planning import plan
from dbz.cli.shard.querying import query
from dbz.cli.shard.undoing import cancel, clean, rollback
from dbz.cli.shard.verifying import verify

for command in (status, route, adopt, plan, rebalance, verify, rollback, cancel, clean, query):
    app.command()(command)

__all__ = ["app"]
