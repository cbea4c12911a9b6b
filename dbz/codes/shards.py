"""Errors of shards and of moving clubs between them."""

from __future__ import annotations

from dbz.codes.kind import ErrorKind
from dbz.errors import ExitCode

SHARDS = (
    ErrorKind(
        "H001", "a shard has no URI",
        "The shards file names an environment variable for each shard, and one of them is not set.",
        "Set it, or start `dbz serve --shards 2` for shards to try things on.",
    ),
    ErrorKind(
        "H002", "the URI of a shard is wrong",
        "It is not valid, two shards have the same, or it leads to a server that belongs to another shard.",
        "Compare the variables that the message names: two of them may have been exchanged.",
    ),
    ErrorKind(
        "H003", "the map and the shards file do not agree",
        "The map in force has a shard that the shards file does not name.",
        "Use the file that the deployment was adopted and extended with.",
    ),
    ErrorKind(
        "H004", "the deployment is not adopted",
        "There is no map yet: clubs lie where the app's own formula leads.",
        "`dbz shard adopt` writes the first map, and moves nothing.",
    ),
    ErrorKind(
        "H005", "the deployment cannot be adopted as it is",
        "Clubs lie elsewhere than the app's formula says, or another process adopted it at the same moment.",
        "Correct shard_count, or the order of the shards in the file; the message has examples.",
    ),
    ErrorKind(
        "H006", "a shard cannot be used",
        "The store of a shard does not answer, or refused the command.",
        "Nothing is lost: moves are written down and go on when the command is run again.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "H007", "the map keeps changing",
        "Another program writes the map at the same time.",
        "Find it with `dbz shard status`, and let one of them move clubs at a time.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "H008", "no server follows the map",
        "Whoever writes to the shards would not notice that a club moves, and its writes would be lost.",
        "Start the servers with the shards file, or give --offline when nobody writes.",
    ),
    ErrorKind(
        "H009", "clubs are being moved already",
        "One process moves clubs at a time.",
        "Wait for it, or pause it with Ctrl-C; `dbz shard status` shows what it does.",
    ),
    ErrorKind(
        "H010", "another process took the move over",
        "This process was not heard of for too long (it slept, or lost the control store), and another one goes on.",
        "Nothing is lost. Look at `dbz shard status`.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "H011", "an earlier rebalance is not finished",
        "Moves of an earlier plan are still open.",
        "`dbz shard rebalance --yes` goes on with it; `dbz shard cancel` ends its moves.",
    ),
    ErrorKind(
        "H012", "there is no plan that fits",
        "There is no plan, it was made for another deployment, or the map has changed since; the same of a checkpoint.",
        "Make a new one: `dbz shard plan`.",
    ),
    ErrorKind(
        "H013", "the move is not in that state",
        "There is no such move, it is over, or the club was moved again since.",
        "`dbz shard status` lists the moves and their states.",
    ),
    ErrorKind(
        "H014", "the plan cannot be carried out here",
        "Before anything was touched, something was found that would end it: disk space, size, indexes, collections.",
        "The message lists all of it; docs/shards.md says what can be moved.",
    ),
    ErrorKind(
        "H015", "the slots could not change hands",
        "Writes could not be drained within the time for which they may be held back.",
        "Run it again at a quieter time, or with a longer --max-fence.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "H016", "the order reached nobody, or was refused",
        "Orders (pause, throttle, go on) are taken by a rebalance on the machine it runs on.",
        "Give them there; the message says which orders there are, or why one was refused.",
    ),
    ErrorKind(
        "H017", "documents have no club",
        "Documents of a collection that belongs to clubs lack their club's id, and cannot be placed.",
        "Give them their club, or take the collection out of the shards file; `dbz shard verify` names them.",
    ),
    ErrorKind(
        "H018", "the plan cannot be made as asked",
        "Shards or clubs that were named contradict what is there, or each other.",
        "The message says which: a shard that holds clubs cannot be added, an empty one not drained, a "
        "pinned club not moved.",
    ),
    ErrorKind(
        "H019", "clubs kept moving meanwhile",
        "What was read changed its place again and again while it was read.",
        "Try again in a moment, or when the rebalance is over.",
        ExitCode.UNREACHABLE,
    ),
    ErrorKind(
        "H020", "the query cannot be answered",
        "Its collection does not belong to clubs, or the store refuses its filter.",
        "The message lists the collections, or has the store's reason.",
    ),
)  # fmt: skip
"""All kinds of this area, in the order of their codes."""
