"""`dbz events asl`."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def asl(
    saga: Annotated[str, typer.Argument(metavar="SAGA", help="`sign_up`, `game_result` or `band_sync`.")],
    queue_url: Annotated[
        str, typer.Option(metavar="URL", help="The servers' SQS queue [default: ${QueueUrl}, for CloudFormation].")
    ] = "",
) -> None:
    """Print a saga as a state machine for Step Functions (Amazon States Language).

    \b
    Each step becomes a task that puts a job with a token on the servers'
    queue, and waits until a server answers with it.

    \b
    Examples:
      dbz events asl game_result
      dbz events asl sign_up --queue-url "$QUEUE_URL" > sign_up.asl.json
      aws stepfunctions create-state-machine --name sign_up \\
        --definition file://sign_up.asl.json --role-arn "$ROLE_ARN"

    \b
    Exit codes: 0 printed, 2 no such saga.
    """
    from dbz.server.sagas.asl import QUEUE_PLACEHOLDER, state_machine
    from dbz.server.sagas.catalogue import saga_named

    typer.echo(json.dumps(state_machine(saga_named(saga), queue_url or QUEUE_PLACEHOLDER), indent=2))
