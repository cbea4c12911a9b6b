"""`dbz completion`: the script for a shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from dbz.cli.completion.scripts import SCRIPTS
from dbz.errors import UsageError
from dbz.suggest import did_you_mean


def completion(
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")],
) -> None:
    """Print the script by which a shell completes dbz: commands, options, profiles, phases, shards, runs, codes.

    \b
    Examples:
      source <(dbz completion bash)                     in this shell
      mkdir -p ~/.local/share/bash-completion/completions
      dbz completion bash > ~/.local/share/bash-completion/completions/dbz
      mkdir -p ~/.zfunc                  with fpath+=~/.zfunc in ~/.zshrc
      dbz completion zsh > ~/.zfunc/_dbz
      mkdir -p ~/.config/fish/completions
      dbz completion fish > ~/.config/fish/completions/dbz.fish
    """
    if shell not in SCRIPTS:
        raise UsageError(
            f"there is no completion for '{shell}'{did_you_mean(shell, SCRIPTS)} (known: {', '.join(SCRIPTS)})",
            code="E011",
        )
    typer.echo(SCRIPTS[shell], nl=False)


def answer(root: Any, words: Sequence[str]) -> str:
    """What a script of ours reads: `files` or `words`, then each candidate, a tab and what it is."""
    from dbz.cli.completion.words import candidates

    try:
        rows, files = candidates(root, words)
    except (OSError, ValueError):  # of a file that cannot be read: the command itself will say so
        rows, files = [], True
    return "\n".join(["files" if files else "words", *(f"{name}\t{about}" if about else name for name, about in rows)])
