"""`dbz shard`: where clubs lie, and moving them while the app keeps writing."""

from __future__ import annotations

from dbz.cli.options import command_group
from dbz.cli.shard.adopt import adopt
from dbz.cli.shard.cancel import cancel
from dbz.cli.shard.clean import clean
from dbz.cli.shard.control import control
from dbz.cli.shard.plan import plan
from dbz.cli.shard.query import query
from dbz.cli.shard.rebalance import rebalance
from dbz.cli.shard.rollback import rollback
from dbz.cli.shard.route import route
from dbz.cli.shard.status import status
from dbz.cli.shard.verify import verify

app = command_group(
    "Move clubs between shards while the app keeps writing.",
    status=status, route=route, adopt=adopt, plan=plan, rebalance=rebalance, control=control, verify=verify,
    rollback=rollback, cancel=cancel, clean=clean, query=query,
)  # fmt: skip
