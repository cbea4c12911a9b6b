"""Game: games, participants, live scores and results."""

from dbz.server.game.service import GameService

__all__ = ["GameService"]
