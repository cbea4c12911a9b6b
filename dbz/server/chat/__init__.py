"""Chat: rooms, messages, history."""

from dbz.server.chat.service import ChatService

__all__ = ["ChatService"]
