"""`dbz scale`: the number of servers, by phases and rules."""

from __future__ import annotations

from dbz.cli.options import command_group
from dbz.cli.scale.apply import apply
from dbz.cli.scale.auto import auto
from dbz.cli.scale.history import history
from dbz.cli.scale.plan import plan
from dbz.cli.scale.rollback import rollback
from dbz.cli.scale.set import set_
from dbz.cli.scale.simulate.command import simulate
from dbz.cli.scale.size import size
from dbz.cli.scale.status import status

app = command_group(
    "Plan, rehearse and change how many servers run.",
    status=status, plan=plan, apply=apply, set=set_, rollback=rollback, history=history, auto=auto, simulate=simulate,
    size=size,
)  # fmt: skip
