"""Everything at once, as on a club evening: phone users, chat members, scorers, spectators, notifications."""

from api import PhoneUser
from chat import ChatMember
from notify import NotifiedMember
from score import Scorer, Spectator

PhoneUser.weight, ChatMember.weight, NotifiedMember.weight = 240, 200, 20
Scorer.weight, Spectator.weight = 10, 50

__all__ = ["ChatMember", "NotifiedMember", "PhoneUser", "Scorer", "Spectator"]
