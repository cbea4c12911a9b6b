"""Everything at once, as on a club evening: phone users, chat members, scorers and spectators."""

from api import PhoneUser
from chat import ChatMember
from score import Scorer, Spectator

PhoneUser.weight, ChatMember.weight, Scorer.weight, Spectator.weight = 260, 200, 10, 50

__all__ = ["ChatMember", "PhoneUser", "Scorer", "Spectator"]
