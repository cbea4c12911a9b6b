"""`dbz events`: results counted again from their log, and sagas as definitions for Step Functions."""

from __future__ import annotations

from dbz.cli.events.asl import asl
from dbz.cli.events.rebuild import rebuild
from dbz.cli.options import command_group

app = command_group(
    "Results counted again from their log, and sagas as definitions for Step Functions.", rebuild=rebuild, asl=asl
)
