"""`dbz shard`: where clubs lie, and moving them while the app keeps writing."""

from dbz.cli.shard.adopt import adopt
from dbz.cli.shard.app import app
from dbz.cli.shard.plan import plan
from dbz.cli.shard.query import query
from dbz.cli.shard.rebalance import rebalance
from dbz.cli.shard.status import route, status
from dbz.cli.shard.undo import cancel, clean, rollback
from dbz.cli.shard.verify import verify

for command in (status, route, adopt, plan, rebalance, verify, rollback, cancel, clean, query):
    app.command()(command)

__all__ = ["app"]
