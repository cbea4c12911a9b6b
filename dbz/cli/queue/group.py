"""`dbz queue`: what waits between services, and what was given up."""

from __future__ import annotations

from dbz.cli.options import command_group
from dbz.cli.queue.letters import drop, retry
from dbz.cli.queue.status import status

app = command_group(
    "What waits between the services of the backend, and what was given up.", status=status, retry=retry, drop=drop
)
